"""Rivals that ask for no label, or for a handful: what the strong model can do when it is simply told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent.conditional_logit import Array
from askew.agent.journal import Data
from askew.agent.lab import PREDICTED, Lab
from askew.agent.representation import RIGHT, WRONG, case_texts
from askew.agent.write import key, written_cases
from askew.evals.methods.registry import method
from askew.evals.methods.shared import Taught, ask_plainly, on_labels, publish, random_pool, run_passive
from askew.prompts.loader import load_prompt
from askew.seeds import stream
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask

SHOTS = 8
"""Weak labels that the few-shot prompt shows."""
LONGEST_SHOT = 200


@method("zero-shot", "the strong model's own opinion, no weak label")
def zero_shot(lab: Lab, _: LoadedTask) -> None:
    """Read off the language model's head, balanced over the pool."""
    lab.start()
    publish(lab, lambda cases: np.asarray(softmax(lab.representation.opinion(cases), axis=1)))
    lab.finish("nothing to ask")


@method("instructed", "the strong model told to judge well, whatever a rater would say; no weak label")
def instructed(lab: Lab, _: LoadedTask) -> None:
    """The zero-shot reading after an instruction; balanced over the validation texts, like few-shot."""
    lab.start()
    prompt = load_prompt("instruct")

    def scores(cases: Sequence[Case]) -> Array:
        k, vary = lab.task.n_options, lab.task.options_vary
        texts = [
            prompt.render(noun=lab.task.noun, reading=reading)
            for case in cases
            for reading in case_texts(lab.task, case)
        ]
        words = [RIGHT, WRONG] if vary else [f" {option}" for option in cases[0].options]
        scores = lab.model.read_out(lab.model.features(texts), words)
        return (scores[:, 0] - scores[:, 1]).reshape(-1, k) if vary else scores

    lab.predict(f"{lab.settings.student}+instructed", _balanced(lab, "instructed", scores), None)
    lab.finish("nothing to ask")


@method("few-shot", f"the strong model shown {SHOTS} weakly labelled cases in its prompt")
def few_shot(lab: Lab, _: LoadedTask) -> None:
    """Log-probabilities of the options after a prompt with weak examples, balanced over the validation texts."""
    lab.start()
    lab.begin_round(1)
    shots = min(SHOTS, lab.settings.budget)
    shown = [(case, weak) for case, weak in ask_plainly(lab, random_pool(lab)[:shots]) if weak is not None]
    prompt = load_prompt("few_shot")
    examples = [{"text": case.text[:LONGEST_SHOT], "answer": case.options[weak]} for case, weak in shown]

    def scores(cases: Sequence[Case]) -> Array:
        texts = [
            prompt.render(question=lab.task.question, noun=lab.task.noun, examples=examples, text=case.text)
            for case in cases
        ]
        options = [[f" {option}" for option in case.options] for case in cases]
        return np.asarray(lab.model.option_logprobs(texts, options))

    truth = _balanced(lab, "few-shot", scores)
    lab.predict(f"{lab.settings.student}+few-shot", truth, None)
    lab.finish("the examples are shown")


def _balanced(lab: Lab, kind: str, scores: Callable[[Sequence[Case]], Array]) -> dict[Split, Array]:
    """p_N_K of the predicted splits from scores that are recorded as a fact, each option centred on validation."""
    scores_of: dict[Split, Array] = {}
    for split in PREDICTED:
        cases = lab.task.split(split)

        def scored(cases: Sequence[Case] = cases) -> Data:
            return {"scores": scores(cases).round(5).tolist() if cases else []}

        recorded = lab.journal.fact(kind, scored)["scores"]
        scores_of[split] = np.array(recorded).reshape(len(cases), lab.task.n_options)
    # Without this the raw scores mostly say which word is common, and what the last example was.
    reference = scores_of[Split.VALIDATION] if len(scores_of[Split.VALIDATION]) else scores_of[Split.TEST]
    centre_K = np.zeros(lab.task.n_options) if lab.task.options_vary else np.median(reference, axis=0)
    return {split: np.asarray(softmax(scores - centre_K, axis=1)) for split, scores in scores_of.items()}


@method("self-generated-passive", "self-generated cases, then the weak labels of random pool cases")
def self_generated_passive(lab: Lab, _: LoadedTask) -> None:
    """One student on both, the written cases and the answers so far, each taken at its word."""
    written: list[Case] = []
    intended: list[int] = []

    def learn(cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Taught:
        both_N = np.concatenate([np.array(intended, dtype=np.int64), labels_N])
        return on_labels(lab, [*written, *cases], both_N)

    def begin() -> None:
        made, meant = generate(lab)
        written.extend(made)
        intended.extend(meant)

    run_passive(lab, learn, begin)


@method("self-generated", "train on cases the strong model writes for each label, no weak label")
def self_generated(lab: Lab, _: LoadedTask) -> None:
    """As many written cases as the scientific method writes, with the labels they were written to have."""
    lab.start()
    written, intended = generate(lab)
    publish(lab, on_labels(lab, written, np.array(intended, dtype=np.int64)))
    lab.finish("nothing to ask")


def generate(lab: Lab) -> tuple[list[Case], list[int]]:
    """Cases the strong model writes, and the label each was written to have; recorded in the log."""
    settings, pool = lab.settings, lab.task.split(Split.POOL)

    def truth() -> Array:
        return np.asarray(softmax(lab.representation.opinion(pool), axis=1))

    seen = {key(case) for case in lab.task.cases}
    # The first are those that the scientific method begins with, so that the two differ in what they make of them.
    first = written_cases(lab, truth, settings.written_first, stream(settings.seed, "write", 0), seen)
    more = settings.written * settings.rounds
    written = [*first, *written_cases(lab, truth, more, stream(settings.seed, "self-generated"), seen)]
    if not written:
        # Where options vary nothing is written: the student's own reading of the pool stands in.
        return list(pool), [int(label) for label in lab.representation.opinion(pool).argmax(axis=1)]
    return [w.case for w in written], [w.intended for w in written if w.intended is not None]
