"""Bounds to compare with: the supervisor itself, and the student trained on gold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from askew.agent.conditional_logit import Array
from askew.agent.journal import Data
from askew.agent.lab import PREDICTED, Lab
from askew.agent.loop import scientific
from askew.agent.supervisors.base import batch_size, checked_labels
from askew.errors import InputError
from askew.evals.methods.registry import method
from askew.evals.methods.shared import SoftLabels, gives_probabilities, on_labels, publish, random_pool
from askew.tasks.case import Case, Split
from askew.tasks.gold import Gold, LoadedTask


@method("weak", "the supervisor itself", reference=True)
def weak(lab: Lab, _: LoadedTask) -> None:
    """What the supervisor answers on the cases that students are judged by (no budget is used).

    With how sure it is, where it can say so: answers alone have no ranking.
    """
    lab.start()
    k = lab.task.n_options
    truth = {}
    soft = SoftLabels(lab) if gives_probabilities(lab.supervisor) else None
    size = batch_size(lab.supervisor)
    for split in PREDICTED:
        cases = lab.task.split(split)
        recorded: list[int | None] = []
        for first in range(0, len(cases), size):

            def answers(cases: Sequence[Case] = cases[first : first + size]) -> Data:
                return {"weak": checked_labels(lab.supervisor, cases)}

            recorded += lab.journal.fact("weak-labels", answers)["weak"]
        # "Unsure" is no answer: it counts as a guess between the options.
        said_N_K = np.array([np.full(k, 1 / k) if w is None else np.eye(k)[w] for w in recorded]).reshape(-1, k)
        truth[split] = said_N_K if soft is None else _saying(said_N_K, soft(cases))
    lab.predict(lab.settings.supervisor, truth, None)
    lab.finish("nothing to learn")


@method("gold-same-budget", "the student trained on as many gold labels as others get weak ones", reference=True)
def gold_same_budget(lab: Lab, loaded: LoadedTask) -> None:
    """What the label budget would buy from a supervisor that is never wrong."""
    _on_gold(lab, loaded, random_pool(lab)[: lab.settings.budget])


@dataclass(frozen=True)
class _NeverWrong:
    """A supervisor that answers with gold, as far as there is any; of cases that were made up there is none."""

    gold: Gold
    name: str = "gold"
    answers_new_cases: bool = False
    batch_size: int = 64

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        return [self.gold.get(case.id) for case in cases]


@method("gold-asked", "the scientific method, answered with gold", reference=True)
def gold_asked(lab: Lab, loaded: LoadedTask) -> None:
    """What the supervisor's mistakes cost the method and, from its start, what asking can add at all."""
    _known(lab, loaded, lab.task.split(Split.POOL))
    scientific(replace(lab, supervisor=_NeverWrong(loaded.gold)))


@method("ceiling", "the student trained on the gold labels of the whole pool", reference=True)
def ceiling(lab: Lab, loaded: LoadedTask) -> None:
    """The upper end of PGR: same student, same learner, all the truth there is in the pool."""
    _on_gold(lab, loaded, lab.task.split(Split.POOL))


def _saying(said_N_K: Array, sure_N_K: Array) -> Array:
    """How sure the supervisor is where its likeliest option is the one that it answered; its answer elsewhere."""
    as_said_N = (sure_N_K * said_N_K).sum(axis=1) >= sure_N_K.max(axis=1) - 1e-12
    p_N_K: Array = np.where(as_said_N[:, None], sure_N_K, said_N_K)
    return p_N_K


def _on_gold(lab: Lab, loaded: LoadedTask, cases: Sequence[Case]) -> None:
    known = _known(lab, loaded, cases)
    lab.start()
    publish(lab, on_labels(lab, known, loaded.gold.of(known)))
    lab.finish("trained on gold labels")


def _known(lab: Lab, loaded: LoadedTask, cases: Sequence[Case]) -> list[Case]:
    """Those of the cases that have a gold label. Raises ``InputError`` where none has."""
    known = [case for case in cases if case.id in loaded.gold]
    if not known:
        raise InputError(f"{lab.task.name} has no gold labels in its pool: {lab.settings.method!r} needs them.")
    return known
