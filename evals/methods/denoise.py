"""Passive finetuning on cleaned labels: by one labeller's consistency, or by several labellers' agreement.

Cleaning uses cleanlab (Northcutt et al. 2021, "Confident learning"), aggregation uses crowd-kit (Dawid & Skene 1979;
Whitehill et al. 2009, "GLAD"). Both come with the extra ``denoise``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askew.agent.conditional_logit import Array
from askew.agent.lab import Lab, case_data
from askew.agent.supervisors.base import Supervisor
from askew.agent.supervisors.crowd import Crowd
from askew.evals.methods.passive import held_out
from askew.evals.methods.registry import METHODS, Method, method
from askew.evals.methods.shared import Taught, batch_sizes, on_labels, publish, random_pool, run_passive
from askew.tasks.case import Case, Task
from askew.tasks.gold import LoadedTask

Rating = tuple[str, str, int]
"""Case id, rater, label."""
Aggregate = Callable[[Sequence[Rating]], Any]
"""Gives a table of cases by labels."""
ITERATIONS, GLAD_STEPS = 100, 5
"""Steps of expectation-maximisation, at most, and of the gradient ascent inside each of GLAD's."""


def _needs(module: str) -> str | None:
    from importlib.util import find_spec

    return None if find_spec(module) else f"the package {module!r}: pip install 'askew[denoise]'"


def _needs_crowd(supervisor: Supervisor, _: Task) -> str | None:
    if isinstance(supervisor, Crowd):
        return _needs("crowdkit")
    return "several labellers: recorded:NAME+NAME+NAME or column:NAME+NAME+NAME"


@method(
    "passive-cleaned",
    "passive finetuning without the weak labels that cleanlab takes for mistakes",
    needs=lambda _, __: _needs("cleanlab"),
)
def passive_cleaned(lab: Lab, _: LoadedTask) -> None:
    """Labels that students trained on the others find unlikely, for their class, are dropped."""

    def learn(cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Taught:
        kept_N = ~label_issues(labels_N, held_out(lab, cases, labels_N))
        kept = [case for case, keep in zip(cases, kept_N, strict=True) if keep]
        return on_labels(lab, kept, labels_N[kept_N])

    run_passive(lab, learn)


def label_issues(labels_N: NDArray[np.int64], p_N_K: Array) -> NDArray[np.bool_]:
    """issue_N by cleanlab's estimate of how often each class is mistaken for which; none where a class is missing."""
    if len(np.unique(labels_N)) < p_N_K.shape[1]:
        return np.zeros(len(labels_N), dtype=bool)
    from cleanlab.filter import find_label_issues

    issue_N: NDArray[np.bool_] = np.asarray(find_label_issues(labels_N, p_N_K, n_jobs=1), dtype=bool)
    return issue_N if not issue_N.all() else np.zeros(len(labels_N), dtype=bool)


def majority(ratings: Sequence[Rating]) -> Any:
    """Shares of the raters' labels, by case."""
    from crowdkit.aggregation import MajorityVote

    return _fitted(MajorityVote(), ratings)


def dawid_skene(ratings: Sequence[Rating]) -> Any:
    """Posterior of the true label when every rater has a confusion matrix of their own."""
    from crowdkit.aggregation import DawidSkene

    return _fitted(DawidSkene(n_iter=ITERATIONS), ratings)


def glad(ratings: Sequence[Rating]) -> Any:
    """Posterior of the true label when raters differ in ability and cases in difficulty."""
    from crowdkit.aggregation import GLAD

    return _fitted(GLAD(n_iter=ITERATIONS, m_step_max_iter=GLAD_STEPS, silent=True), ratings)


def _fitted(aggregator: Any, ratings: Sequence[Rating]) -> Any:
    import pandas as pd

    frame = pd.DataFrame(ratings, columns=["task", "worker", "label"])
    with warnings.catch_warnings():
        # crowd-kit uses pandas in ways that the newest one deprecates.
        warnings.simplefilter("ignore")
        return aggregator.fit_predict_proba(frame)


AGGREGATES: dict[str, tuple[str, Aggregate]] = {
    "passive-majority": ("every case asked of every rater; the shares of their labels teach", majority),
    "passive-dawid-skene": ("every case asked of every rater; each rater's confusions are modelled", dawid_skene),
    "passive-glad": ("every case asked of every rater; ability and difficulty are modelled", glad),
}


def _aggregated(lab: Lab, aggregate: Aggregate) -> None:
    """Spend the budget on all raters of few cases instead of one rater of many: each answer costs one label."""
    crowd = lab.supervisor
    assert isinstance(crowd, Crowd)
    lab.start()
    queue = iter([(case, rater) for case in random_pool(lab) for rater in crowd.raters])
    cases: dict[str, Case] = {}
    ratings: list[Rating] = []
    for number, size in enumerate(batch_sizes(lab), start=1):
        lab.begin_round(number)
        for case, rater, label in _ask_raters(lab, crowd, list(islice(queue, size))):
            if label is not None:
                cases[case.id] = case
                ratings.append((case.id, rater, label))
        known = list(cases.values())
        targets_N_K = soft_labels(aggregate(ratings) if ratings else None, known, lab.task.n_options)
        publish(lab, Taught(known, targets_N_K), last=number == lab.settings.rounds)
    lab.finish("the budget is spent")


def soft_labels(shares: Any, cases: Sequence[Case], k: int) -> Array:
    """p_N_K from crowd-kit's table of cases by the labels that were ever given."""
    if not cases:
        return np.zeros((0, k))
    return np.asarray(shares.reindex(index=[case.id for case in cases], columns=range(k), fill_value=0.0), dtype=float)


def _ask_raters(lab: Lab, crowd: Crowd, pairs: Sequence[tuple[Case, str]]) -> Iterator[tuple[Case, str, int | None]]:
    """Put each case to its rater, rater by rater; each answer is logged with who gave it."""
    try:
        for rater in crowd.raters:
            mine = [case for case, asked in pairs if asked == rater]
            lab.supervisor = crowd.member(rater)
            experiments = [
                lab.journal.note(
                    "experiment",
                    id=f"E{lab.journal.position}",
                    set=None,
                    case=case_data(case),
                    source="pool",
                    rater=rater,
                )
                for case in mine
            ]
            for case, label in zip(mine, lab.ask(experiments), strict=True):
                yield case, rater, label
    finally:
        lab.supervisor = crowd  # type: ignore[assignment]


def _method(description: str, aggregate: Aggregate) -> Method:
    return Method(description, lambda lab, _: _aggregated(lab, aggregate), needs=_needs_crowd)


for _name, (_description, _aggregate) in AGGREGATES.items():
    METHODS.add(_name, _method(_description, _aggregate))
