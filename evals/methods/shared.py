"""What the methods share: asking without reasons, fitting the one student, and publishing what it predicts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from askew.agent.conditional_logit import Array, Logit, fit_logit
from askew.agent.journal import Data
from askew.agent.lab import PREDICTED, Lab, case_data, rounded
from askew.agent.learners.examples import truth_examples
from askew.agent.learners.losses import Loss
from askew.agent.learners.student import WHOLE, Finetuned, Lesson, due, finetuned
from askew.agent.representation import Representation
from askew.agent.supervisors.base import Supervisor
from askew.errors import SupervisorError
from askew.seeds import stream
from askew.tasks.case import Case, Split, Task

Predict = Callable[[Sequence[Case]], Array]
"""p_N_K of the truth for cases."""


@dataclass(frozen=True)
class Taught:
    """What a student learns: how it learns is the run's learner, the same for every method."""

    cases: Sequence[Case]
    targets_N_K: Array
    """The (soft) label of each case."""
    loss: Loss | None = None
    """Instead of cross-entropy."""
    held: int = 0
    """The last so many cases are not learned from, only stopped by."""
    base: Path | None = None
    """The weights that are finetuned, where they aren't those of the run's student."""


Learn = Callable[[Sequence[Case], NDArray[np.int64]], Taught | Predict]
"""From answered cases and their labels_N to what a student learns, or to a student of the method's own."""


def random_pool(lab: Lab) -> list[Case]:
    """The pool in a random order that is the same for every method of one seed."""
    pool = lab.task.split(Split.POOL)
    return [pool[int(index)] for index in stream(lab.settings.seed, "passive").permutation(len(pool))]


def batch_sizes(lab: Lab) -> list[int]:
    """The label budget spread over the rounds."""
    return [len(part) for part in np.array_split(np.arange(lab.settings.budget), lab.settings.rounds)]


def ask_plainly(lab: Lab, cases: Sequence[Case]) -> list[tuple[Case, int | None]]:
    """Ask pool cases, each logged without a hypothesis."""
    experiments = [
        lab.propose(case, {"id": f"E{lab.journal.position}", "set": None, "case": case_data(case), "source": "pool"})
        for case in cases
    ]
    return list(zip(cases, lab.ask(experiments), strict=True))


def run_passive(lab: Lab, learn: Learn, begin: Callable[[], None] = lambda: None) -> None:
    """Ask random pool cases round by round, each time training a student on all the answers so far.

    ``begin`` is called once before anything is asked.
    """
    lab.start()
    begin()
    cases: list[Case] = []
    labels: list[int] = []
    queue = random_pool(lab)
    for number, size in enumerate(batch_sizes(lab), start=1):
        lab.begin_round(number)
        batch, queue = queue[:size], queue[size:]
        for case, weak in ask_plainly(lab, batch):
            if weak is not None:
                cases.append(case)
                labels.append(weak)
        publish(lab, learn(cases, np.array(labels, dtype=np.int64)), last=number == lab.settings.rounds)
    lab.finish("the budget is spent")


def gives_probabilities(supervisor: Supervisor) -> bool:
    """Whether the supervisor can say how sure it is: a callable ``probabilities(cases)`` that gives p_N_K."""
    return callable(getattr(supervisor, "probabilities", None))


def needs_probabilities(supervisor: Supervisor, _: Task) -> str | None:
    """What is lacking where a supervisor gives answers alone."""
    if gives_probabilities(supervisor):
        return None
    return "one that gives probabilities: model:NAME, or a plugin with a method 'probabilities'"


class SoftLabels:
    """p_N_K of the supervisor on cases it has answered, recorded like its answers."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._known: dict[str, list[float]] = {}

    def __call__(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the cases. Raises ``SupervisorError`` on what can't be probabilities."""
        fresh = [case for case in cases if case.id not in self._known]

        def compute() -> Data:
            p_N_K = np.asarray(self._lab.supervisor.probabilities(fresh), dtype=np.float64)  # type: ignore[attr-defined]
            expected = (len(fresh), self._lab.task.n_options)
            if p_N_K.shape != expected or not np.allclose(p_N_K.sum(axis=1), 1, atol=1e-3) or (p_N_K < 0).any():
                raise SupervisorError(
                    f"the supervisor {self._lab.settings.supervisor} gave probabilities of shape {p_N_K.shape}: "
                    f"expected {expected}, every row at least 0 and summing to 1."
                )
            return {"probabilities": rounded(p_N_K)}

        if fresh:
            recorded = self._lab.journal.fact("soft-labels", compute)["probabilities"]
            self._known |= dict(zip((case.id for case in fresh), recorded, strict=True))
        p_N_K = np.array([self._known[case.id] for case in cases]).reshape(-1, self._lab.task.n_options)
        normalised: Array = p_N_K / p_N_K.sum(axis=1, keepdims=True)
        return normalised


def one_hot(labels_N: NDArray[np.int64], k: int) -> Array:
    """targets_N_K that are sure of each label."""
    targets_N_K: Array = np.eye(k)[labels_N]
    return targets_N_K


def on_labels(lab: Lab, cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Taught:
    """Labels, taken as they are."""
    return Taught(cases, one_hot(labels_N, lab.task.n_options))


def fit_heads(representation: Representation, cases: Sequence[Case], targets_N_K: Array) -> Logit:
    """The student as a probe, a Bayesian logit on frozen features, trained on (soft) targets as they are."""
    return fit_logit(representation.columns(cases), targets_N_K, representation.variances())


@dataclass(frozen=True)
class Heads:
    """A probe that has learned: its weights, and what it predicts."""

    theta_D: Array
    predict: Predict


def heads(lab: Lab, taught: Taught) -> Heads:
    """A probe that has learned what is taught: exactly, or in mini-batches where a loss or stopping asks for them."""
    if taught.loss is None and not taught.held:
        student = fit_heads(lab.representation, taught.cases, taught.targets_N_K)
        return Heads(student.theta_D, lambda cases: student.probabilities(lab.representation.columns(cases)))
    from askew.evals.methods.gradient import trained_heads

    return trained_heads(lab, taught)


def finetuned_student(lab: Lab, taught: Taught) -> Finetuned:
    """The run's student finetuned on what is taught, by the recipe of the scientific method's."""
    examples = truth_examples(lab.task, taught.cases, taught.targets_N_K)
    seen = len(examples) - taught.held
    with lab.stage("finetune"):
        return finetuned(lab, Lesson(examples[:seen], examples[seen:]), taught.base, taught.loss)


def publish(lab: Lab, student: Taught | Predict, *, last: bool = True) -> None:
    """Record what a student predicts on the splits that it is graded on; it is finetuned when that is due."""
    version = f"{lab.settings.student}+{lab.settings.method}.{lab.journal.round}"
    made: Finetuned | None = None
    if not isinstance(student, Taught):
        predict = student
    elif due(lab.settings, lab.journal.round, last=last) and len(student.cases):
        made = finetuned_student(lab, student)
        predict = made.truth
    else:
        probe = heads(lab, student)
        predict = probe.predict
        if last:
            lab.save_heads({"truth": probe.theta_D})
    lab.journal.note("training", student_version=version, labels=lab.labels_used, **(made.facts if made else {}))
    lab.predict(version, {s: predict(lab.task.split(s)) for s in PREDICTED if lab.task.split(s)}, None)
    if made:  # an adapter is small and stays; the whole model that it makes can be made again
        shutil.rmtree(made.place.parent / WHOLE, ignore_errors=True)
