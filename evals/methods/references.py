"""Bounds to compare with: the supervisor itself, and the student trained on gold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from askew.agent.journal import Data
from askew.agent.lab import PREDICTED, Lab
from askew.agent.supervisors.base import batch_size, checked_labels
from askew.errors import InputError
from askew.evals.methods.registry import method
from askew.evals.methods.shared import on_labels, publish, random_pool
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask


@method("weak", "the supervisor itself", reference=True)
def weak(lab: Lab, _: LoadedTask) -> None:
    """What the supervisor answers on the cases that students are judged by (no budget is used)."""
    lab.start()
    k = lab.task.n_options
    truth = {}
    size = batch_size(lab.supervisor)
    for split in PREDICTED:
        cases = lab.task.split(split)
        recorded: list[int | None] = []
        for first in range(0, len(cases), size):

            def answers(cases: Sequence[Case] = cases[first : first + size]) -> Data:
                return {"weak": checked_labels(lab.supervisor, cases)}

            recorded += lab.journal.fact("weak-labels", answers)["weak"]
        # "Unsure" is no answer: it counts as a guess between the options.
        truth[split] = np.array([np.full(k, 1 / k) if w is None else np.eye(k)[w] for w in recorded]).reshape(-1, k)
    lab.predict(lab.settings.supervisor, truth, None)
    lab.finish("nothing to learn")


@method("gold-same-budget", "the student trained on as many gold labels as others get weak ones", reference=True)
def gold_same_budget(lab: Lab, loaded: LoadedTask) -> None:
    """What the label budget would buy from a supervisor that is never wrong."""
    _on_gold(lab, loaded, random_pool(lab)[: lab.settings.budget])


@method("ceiling", "the student trained on the gold labels of the whole pool", reference=True)
def ceiling(lab: Lab, loaded: LoadedTask) -> None:
    """The upper end of PGR: same student, same learner, all the truth there is in the pool."""
    _on_gold(lab, loaded, lab.task.split(Split.POOL))


def _on_gold(lab: Lab, loaded: LoadedTask, cases: Sequence[Case]) -> None:
    known = [case for case in cases if case.id in loaded.gold]
    if not known:
        raise InputError(f"{lab.task.name} has no gold labels in its pool: {lab.settings.method!r} needs them.")
    lab.start()
    publish(lab, on_labels(lab, known, loaded.gold.of(known)))
    lab.finish("trained on gold labels")
