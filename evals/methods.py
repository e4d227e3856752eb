"""Every method, in one registry: what is compared, at the same label budget, with the same student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent.conditional_logit import Array, Logit, fit_logit
from askew.agent.lab import PREDICTED, Lab
from askew.agent.loop import case_data, scientific
from askew.agent.representation import Representation
from askew.agent.supervisors.base import checked_labels
from askew.errors import InputError
from askew.registry import Registry
from askew.seeds import stream
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask


@dataclass(frozen=True, slots=True)
class Method:
    """A way to a student. ``reference`` marks those that are a bound to compare with, not a rival."""

    description: str
    run: Callable[[Lab, LoadedTask], None]
    reference: bool = False


METHODS: Registry[Method] = Registry("method")


def _method(name: str, description: str, reference: bool = False) -> Callable[..., Callable[[Lab, LoadedTask], None]]:
    def add(run: Callable[[Lab, LoadedTask], None]) -> Callable[[Lab, LoadedTask], None]:
        METHODS.add(name, Method(description, run, reference))
        return run

    return add


METHODS.add(
    "scientific",
    Method("hypotheses, experiments, a mistake theory: the method askew is for", lambda lab, _: scientific(lab)),
)


# -- passive -----------------------------------------------------------------------------------------


@_method("passive-naive", "finetune on the weak labels of random pool cases")
def passive_naive(lab: Lab, _: LoadedTask) -> None:
    """A Bayesian logit on the student's features, trained on what the supervisor said, as it said it."""
    lab.start()
    order = stream(lab.settings.seed, "passive").permutation(len(lab.task.split(Split.POOL)))
    cases: list[Case] = []
    labels: list[int] = []
    pool = lab.task.split(Split.POOL)
    queue = [pool[int(index)] for index in order[: lab.settings.budget]]
    for number, batch in enumerate(np.array_split(np.arange(len(queue)), lab.settings.rounds), start=1):
        lab.begin_round(number)
        answered = ask_plainly(lab, [queue[int(index)] for index in batch])
        cases += [case for case, weak in answered if weak is not None]
        labels += [weak for _, weak in answered if weak is not None]
        publish(lab, fit_labels(lab.representation, cases, np.array(labels, dtype=np.int64)))
    lab.finish("the budget is spent")


@_method("zero-shot", "the strong model's own opinion, no weak label")
def zero_shot(lab: Lab, _: LoadedTask) -> None:
    """Read off the language model's head, balanced over the pool."""
    lab.start()
    truth = {split: softmax(lab.representation.opinion(lab.task.split(split)), axis=1) for split in PREDICTED}
    lab.predict(f"{lab.settings.student}+zero-shot", truth, None)
    lab.finish("nothing to ask")


# -- references --------------------------------------------------------------------------------------


@_method("weak", "the supervisor itself", reference=True)
def weak(lab: Lab, _: LoadedTask) -> None:
    """What the supervisor answers on the cases that students are judged by (no budget is used)."""
    lab.start()
    k = lab.task.n_options
    truth = {}
    for split in PREDICTED:
        cases = lab.task.split(split)

        def answers(cases: Sequence[Case] = cases) -> dict[str, list[int | None]]:
            return {"weak": checked_labels(lab.supervisor, cases) if cases else []}

        recorded = lab.journal.fact("weak-labels", answers)["weak"]
        # "Unsure" is no answer: it counts as a guess between the options.
        truth[split] = np.array([np.full(k, 1 / k) if w is None else np.eye(k)[w] for w in recorded]).reshape(-1, k)
    lab.predict(lab.settings.supervisor, truth, None)
    lab.finish("nothing to learn")


@_method("ceiling", "the student trained on the gold labels of the whole pool", reference=True)
def ceiling(lab: Lab, loaded: LoadedTask) -> None:
    """The upper end of PGR: same student, same features, all the truth there is in the pool."""
    _on_gold(lab, loaded, lab.task.split(Split.POOL))


@_method("gold-same-budget", "the student trained on as many gold labels as others get weak ones", reference=True)
def gold_same_budget(lab: Lab, loaded: LoadedTask) -> None:
    """What the label budget would buy from a supervisor that is never wrong."""
    pool = lab.task.split(Split.POOL)
    order = stream(lab.settings.seed, "passive").permutation(len(pool))
    _on_gold(lab, loaded, [pool[int(index)] for index in order[: lab.settings.budget]])


def _on_gold(lab: Lab, loaded: LoadedTask, cases: Sequence[Case]) -> None:
    known = [case for case in cases if case.id in loaded.gold]
    if not known:
        raise InputError(f"{lab.task.name} has no gold labels in its pool: {lab.settings.method!r} needs them.")
    lab.start()
    publish(lab, fit_labels(lab.representation, known, loaded.gold.of(known)))
    lab.finish("trained on gold labels")


# -- shared ------------------------------------------------------------------------------------------


def ask_plainly(lab: Lab, cases: Sequence[Case]) -> list[tuple[Case, int | None]]:
    """Ask pool cases without any reason that depends on a model."""
    experiments = [
        lab.journal.note("experiment", id=f"E{lab.journal.position}", set=None, case=case_data(case), source="pool")
        for case in cases
    ]
    return list(zip(cases, lab.ask(experiments), strict=True))


def fit_labels(representation: Representation, cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Logit:
    """The student trained on labels as they are."""
    targets_N_K = np.eye(representation.task.n_options)[labels_N]
    return fit_logit(representation.columns(cases), targets_N_K, representation.variances())


def publish(lab: Lab, student: Logit) -> None:
    """Record the student's predictions."""

    def truth_of(cases: Sequence[Case]) -> Array:
        columns_N_K_D = lab.representation.columns(cases)
        return student.probabilities(columns_N_K_D, np.zeros(columns_N_K_D.shape[:2]))

    version = f"{lab.settings.student}+{lab.settings.method}.{lab.journal.round}"
    lab.journal.note("training", student_version=version, labels=lab.labels_used)
    lab.predict(version, {split: truth_of(lab.task.split(split)) for split in PREDICTED}, None)
