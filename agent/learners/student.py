"""Step 7 by finetuning: every few rounds the student itself learns what the notebook holds to be true.

One adapter (or one set of weights) carries both predictions, the truth and the supervisor's answer, under two
prompts. The new student is published: it writes and reasons from the next round on, and its features are what
the supervisor's leaning is read from. The label-free belief that sources are judged by stays the first
student's, since this one has learned from the answers (ADR 3).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import softmax

from askew.agent.conditional_logit import Array
from askew.agent.config import Settings
from askew.agent.journal import Data
from askew.agent.lab import Lab
from askew.agent.learners.examples import Example, digest, label_words, truth_examples, weak_examples, weak_texts
from askew.agent.learners.finetune import finetune_labels
from askew.agent.learners.job import Job, check_configuration, launch, write_job
from askew.agent.learners.losses import Loss
from askew.agent.learners.networks import is_causal, label_ids, load_tokenizer
from askew.agent.learners.recipe import Recipe
from askew.agent.learners.saving import CARD, merge_adapter, read_card
from askew.agent.models.base import LanguageModel
from askew.agent.models.pull import model_folder
from askew.agent.notebook import Notebook
from askew.agent.representation import Representation, case_texts
from askew.agent.truth import intended_likelihood
from askew.agent.update import see_through
from askew.errors import InputError, RunError
from askew.seeds import stream, stream_seed
from askew.tasks.case import Case, Split, Task

POOL_CASES = 300
"""Unanswered pool cases that are learned from, with soft targets."""
HELD_OUT = 5
"""Every so many answers one is held out, to stop on agreement with it."""
FEWEST_HELD_OUT = 100
"""With fewer, agreement is noise (its standard error is above 0.04), and training runs to its end."""
LEAST_STEPS = 50
"""Of the optimiser: two passes over a hundred labels would be a dozen."""
WHOLE = "weights"
"""Where an adapter's round keeps the whole model that it makes."""


@dataclass(frozen=True)
class Lesson:
    """What the student is to learn, and the labels that say when to stop."""

    learned: list[Example]
    held_out: list[Example]


@dataclass(frozen=True)
class Finetuned:
    """A finetuned student: its merged weights predict, which is much faster than an adapter beside them."""

    eyes: LanguageModel
    task: Task
    place: Path
    """Its adapter, or its weights where all of them were trained."""
    facts: Data
    """For the log: what it was made from."""

    def truth(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the truth."""
        return self._probabilities([case_texts(self.task, case) for case in cases])

    def weak(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the supervisor's answer."""
        return self._probabilities([weak_texts(self.task, case) for case in cases])

    def _probabilities(self, texts: Sequence[Sequence[str]]) -> Array:
        if not texts:
            return np.zeros((0, self.task.n_options))
        features = self.eyes.features([text for own in texts for text in own])
        scores = self.eyes.read_out(features, label_words(self.task))
        if self.task.options_vary:
            scores = scores[:, 0] - scores[:, 1]
        p_N_K: Array = softmax(scores.reshape(len(texts), -1), axis=1)
        return p_N_K


def check_learner(settings: Settings, task: Task) -> None:
    """Find out before a label is asked for whether the student can be finetuned.

    Raises ``InputError``: options that a language model can't be taught apart, no such file for accelerate, or a server
    that can't be given what is trained.
    """
    if settings.learner == "probe":
        return
    _check_server(settings)
    if settings.accelerate is not None:
        check_configuration(Path(settings.accelerate))
    base = model_folder(settings.student)
    if is_causal(base):
        label_ids(load_tokenizer(base), label_words(task))


def _check_server(settings: Settings) -> None:
    """A retrained student has to reach the server that writes for it."""
    serving = settings.vllm
    if settings.backend != "vllm":
        return
    if serving.server and (settings.learner == "full" or serving.publish != "swap"):
        raise InputError(
            f"learner {settings.learner!r} can't be published at {serving.server!r}: a server that isn't askew's own "
            "takes adapters alone. Use learner = 'lora' with publish = 'swap' under [vllm] and a server started with "
            "--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, or let askew start one."
        )
    rank = Recipe(**{**settings.finetune, "learner": settings.learner}).r
    if settings.learner == "lora" and serving.publish != "merge" and rank > serving.max_lora_rank:
        raise InputError(
            f"finetune.r = {rank} is more than max_lora_rank = {serving.max_lora_rank} under [vllm], which a server "
            "swaps in at most. Raise max_lora_rank, lower r, or set publish = 'merge'."
        )


def due(settings: Settings, number: int, *, last: bool) -> bool:
    """Whether the student is finetuned after round ``number``: every r rounds, and after the last, however it ended."""
    if settings.learner == "probe":
        return False
    return last or (number > 0 and number % settings.retrain_every == 0)


def retrain(lab: Lab, notebook: Notebook) -> Finetuned:
    """Finetune the student on everything the notebook knows, and publish it.

    Raises:
        RunError: training failed, or the weights are not the ones that the log names.
    """
    with lab.stage("finetune"):
        made = finetuned(lab, make_lesson(lab, notebook))
        look_through(lab, notebook, made)
    lab.early.settle()  # whoever was asked before this student answers before it
    lab.model.publish(made.place)
    return replace(made, facts={**made.facts, "model_version": lab.model.version})


def finetuned(lab: Lab, lesson: Lesson, base: Path | None = None, loss: Loss | None = None) -> Finetuned:
    """The run's student, finetuned on a lesson in the folder of the round.

    One that was trained already, before the run was resumed, is taken as it is.

    Args:
        lab: whose settings say how.
        lesson: what is learned.
        base: the weights it starts from, by default those of the run's student.
        loss: instead of cross-entropy or what the recipe makes of it; then training stays in this process.

    Raises:
        RunError: training failed, or the weights are not the ones that the log names.
    """
    from askew.agent.models.local import LocalModel

    settings = lab.settings
    base = base or model_folder(settings.student)
    seed = stream_seed(settings.seed, "finetune", lab.journal.round) % 2**31
    recipe = Recipe(**{"seed": seed, "least_steps": LEAST_STEPS, **settings.finetune, "learner": settings.learner})
    place = lab.folder / "student" / f"round-{lab.journal.round}" / recipe.learner
    train(base, place, lesson, recipe, lab, loss)
    weights = place
    if recipe.learner == "lora":
        weights = place.parent / WHOLE
        if not (weights / CARD).is_file():
            merge_adapter(base, place, weights)
    card = read_card(place)
    facts: Data = {
        "learner": recipe.learner, "weights": card["files"], "data": card["data"],
        "examples": len(lesson.learned), "held_out": len(lesson.held_out), "steps": card["steps"],
        "tokens": card["tokens"], "loss": card["loss"], "looks": card["looks"],
    }  # fmt: skip
    _same_as_logged(lab, facts)
    return Finetuned(LocalModel(settings.student, weights), lab.task, place, facts)


def make_lesson(lab: Lab, notebook: Notebook) -> Lesson:
    """Denoised truths of written, answered and some pool cases, and what the supervisor says or would say.

    A written case's target weighs the student's belief with the label it was meant to have; an answered case's
    truth has its answer in it already, through the leaning. The supervisor's own words are hard targets.
    """
    task, seed = lab.task, lab.settings.seed
    answered, weak_L = notebook.answered(), np.array(notebook.weak_labels(), dtype=np.int64)
    rest = [case for case in task.split(Split.POOL) if case.id not in notebook.asked]
    pool = [rest[int(i)] for i in stream(seed, "lesson", lab.journal.round).permutation(len(rest))[:POOL_CASES]]
    meant = list(notebook.written.values())
    written = [candidate.case for candidate in meant if candidate.case.id not in notebook.answers]
    learned = truth_examples(task, written, _meant_truth(notebook, written))
    truth_L_K, truth_N_K = notebook.truth(answered), notebook.truth(pool)
    learned += truth_examples(task, answered, _rounded(truth_L_K)) + truth_examples(task, pool, _rounded(truth_N_K))
    learned += weak_examples(task, pool, _rounded(notebook.weak(pool, truth_N_K)))
    said = weak_examples(task, answered, np.eye(task.n_options)[weak_L])
    kept, held_out = divided(said)
    return Lesson(learned + kept, held_out)


def divided(said: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Answers to learn, and those to stop by: every fifth, where that is enough of them to tell by."""
    held_out = list(said[HELD_OUT - 1 :: HELD_OUT])
    if len(held_out) < FEWEST_HELD_OUT:
        return list(said), []
    return [example for index, example in enumerate(said) if index % HELD_OUT != HELD_OUT - 1], held_out


def look_through(lab: Lab, notebook: Notebook, made: Finetuned) -> None:
    """From now on cases are seen with the new student's features, and the notebook is refitted to what it sees."""
    # Its opinion is not heard (what the first student believed stands in), so it is asked in one way.
    lab.representation = Representation(replace(lab.task, patterns=()), made.eyes, made.place.parent)
    see_through(notebook, lab.representation)
    # Adapters are small and stay; whole models of earlier rounds can be made from them again.
    for earlier in (lab.folder / "student").glob("round-*"):
        if earlier != made.place.parent:
            shutil.rmtree(earlier / WHOLE, ignore_errors=True)
            (earlier / "features.sqlite").unlink(missing_ok=True)


def train(base: Path, place: Path, lesson: Lesson, recipe: Recipe, lab: Lab, loss: Loss | None = None) -> None:
    """Train and save in ``place``, unless what is there was made from this lesson by this recipe."""
    try:
        card = read_card(place, verify=True)
    except InputError:
        card = {}
    if card and card["data"] == digest(lesson.learned) and Recipe(**card["recipe"]) == recipe:
        return
    logged = lab.journal.upcoming()
    if card and logged is not None and logged.get("weights") == card["files"]:
        raise RunError(
            f"the student in {place} is the one that the log names, but this version or machine would teach it "
            "something else: nothing was overwritten. Start anew with another --out."
        )
    shutil.rmtree(place.parent, ignore_errors=True)
    words, name = label_words(lab.task), lab.settings.student
    if lab.settings.accelerate is not None and loss is None:
        job = write_job(
            place.parent / "job", Job(base=base, name=name, words=words, recipe=recipe), lesson.learned, lesson.held_out
        )
        launch(job, Path(lab.settings.accelerate)).rename(place)
        shutil.rmtree(job)
    else:
        finetune_labels(base, lesson.learned, words, recipe, validation=lesson.held_out, loss=loss, name=name).save(
            place
        )


def _same_as_logged(lab: Lab, facts: Data) -> None:
    """On resume: the weights have to be those that the log was written with."""
    logged = lab.journal.upcoming()
    if logged is not None and logged.get("weights") != facts["weights"]:
        raise RunError(
            f"the student of round {lab.journal.round} is not the one that {lab.folder} was written with: its weights "
            f"in {lab.folder / 'student'} are gone and this machine trains others. Restore them, or use a new --out."
        )


def _meant_truth(notebook: Notebook, cases: list[Case]) -> Array:
    """p_N_K of written cases: the student's belief and the label each was meant to have, weighed together."""
    assert notebook.truth_model is not None
    if not cases:
        return np.zeros((0, notebook.representation.task.n_options))
    p_N_K, intent = notebook.truth(cases), notebook.truth_model.unasked.intent
    intended_N = np.array([notebook.written[case.id].intended for case in cases], dtype=np.int64)
    joint_N_K = p_N_K * np.exp(intended_likelihood(p_N_K.shape[1], intended_N, intent))
    return _rounded(joint_N_K / joint_N_K.sum(axis=1, keepdims=True))


def _rounded(p_N_K: Array) -> Array:
    """Six digits, as in the log, so that a lesson is the same one when a run is resumed."""
    return np.round(p_N_K, 6)
