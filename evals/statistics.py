"""Numbers a sceptic can check: accuracy, AUROC, PGR, and intervals that respect the pairing of methods.

Resampling draws seeds and, independently, clusters of test cases, with the same draws for every method, so that
differences between methods are paired. A cluster is a case in all the seeds that test on it: their splits overlap,
so its results in different seeds are not independent (Owen 2007, "The pigeonhole bootstrap").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from askew.seeds import stream

Array = NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 2000
BLOCK = 250
"""Draws worked on at once."""
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Scores:
    """For one method: right_S_N, whether each test case was right (a tie counts half), by seed."""

    right_S_N: tuple[Array, ...]

    @property
    def accuracy(self) -> float:
        """Mean over seeds of the accuracy."""
        return float(np.mean([right_N.mean() for right_N in self.right_S_N]))


def rightness(p_N_K: Array, gold_N: NDArray[np.int64]) -> Array:
    """right_N: 1 where the likeliest option is the gold one; shared equally between tied options."""
    best_N_K = p_N_K >= p_N_K.max(axis=1, keepdims=True) - 1e-12
    right_N: Array = best_N_K[np.arange(len(gold_N)), gold_N] / best_N_K.sum(axis=1)
    return right_N


def decided(p_N_K: Array) -> NDArray[np.bool_]:
    """decided_N: whether one option is likelier than all others; not where the answer was "unsure"."""
    top_N_2 = np.sort(p_N_K, axis=1)[:, -2:]
    decided_N: NDArray[np.bool_] = top_N_2[:, 1] > top_N_2[:, 0] + 1e-12
    return decided_N


def auroc(p_N_K: Array, gold_N: NDArray[np.int64]) -> float | None:
    """Area under the ROC curve (one-vs-rest mean for K > 2); ``None`` when a class is missing, or nothing is ranked.

    Answers alone rank nothing: theirs would be the mean accuracy of the classes, below what whoever gave them knows.
    """
    answers = np.array([0.0, 1.0 / p_N_K.shape[1], 1.0])
    ranked = not np.isclose(p_N_K[:, :, None], answers, rtol=0.0, atol=1e-6).any(axis=2).all()  # six digits are logged
    if len(np.unique(gold_N)) < p_N_K.shape[1] or not ranked:
        return None
    if p_N_K.shape[1] == 2:
        return float(roc_auc_score(gold_N, p_N_K[:, 1]))
    return float(roc_auc_score(gold_N, p_N_K / p_N_K.sum(axis=1, keepdims=True), multi_class="ovr"))


def calibration_error(p_N_K: Array, gold_N: NDArray[np.int64], bins: int = 10) -> float:
    """ECE: mean distance of confidence and accuracy over equal-width bins (Naeini et al. 2015)."""
    confidence_N, right_N = p_N_K.max(axis=1), p_N_K.argmax(axis=1) == gold_N
    bin_N = np.minimum((confidence_N * bins).astype(int), bins - 1)
    return float(
        sum(
            (bin_N == b).mean() * abs(confidence_N[bin_N == b].mean() - right_N[bin_N == b].mean())
            for b in np.unique(bin_N)
        )
    )


def brier(p_N_K: Array, gold_N: NDArray[np.int64]) -> float:
    """Mean squared distance of the probabilities from the truth, summed over options (Brier 1950); 0 to 2."""
    return float(((p_N_K - np.eye(p_N_K.shape[1])[gold_N]) ** 2).sum(axis=1).mean())


def resampled_accuracies(
    scores: Mapping[str, Scores],
    clusters_S: Sequence[Sequence[str]] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Array]:
    """accuracy_B of every method under joint draws of seeds and of clusters of cases.

    All methods need the same seeds, in the same order, and the same test cases in each of them. ``clusters_S`` names
    the cluster of each case, by seed; without it every case of every seed is its own.
    """
    names = list(scores)
    sizes = {tuple(len(right_N) for right_N in score.right_S_N) for score in scores.values()}
    if len(sizes) != 1:
        raise ValueError("methods were graded on different seeds or test cases")
    (sizes_S,) = sizes
    index_S = _cluster_indices(sizes_S, clusters_S)
    n_clusters = 1 + max(int(index_N.max()) for index_N in index_S)
    right_S_N_M = [np.stack([scores[name].right_S_N[s] for name in names], axis=1) for s in range(len(sizes_S))]
    rng = stream(seed, "bootstrap")
    accuracy_B_M = np.zeros((resamples, len(names)))
    for start in range(0, resamples, BLOCK):
        block = slice(start, min(start + BLOCK, resamples))
        rows = block.stop - start
        times_B_S = rng.multinomial(len(sizes_S), np.full(len(sizes_S), 1 / len(sizes_S)), size=rows)
        times_B_C = rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=rows).astype(np.float64)
        for s, (index_N, right_N_M) in enumerate(zip(index_S, right_S_N_M, strict=True)):
            weight_B_N = times_B_C[:, index_N]
            mean_B_M = weight_B_N @ right_N_M / np.maximum(weight_B_N.sum(axis=1, keepdims=True), 1.0)
            accuracy_B_M[block] += times_B_S[:, s, None] / len(sizes_S) * mean_B_M
    return {name: accuracy_B_M[:, m] for m, name in enumerate(names)}


def _cluster_indices(sizes_S: Sequence[int], clusters_S: Sequence[Sequence[str]] | None) -> list[NDArray[np.int64]]:
    """index_N of each case's cluster, by seed."""
    if clusters_S is None:
        ends = np.cumsum(sizes_S)
        return [np.arange(end - size, end) for size, end in zip(sizes_S, ends, strict=True)]
    known: dict[str, int] = {}
    return [np.array([known.setdefault(name, len(known)) for name in names]) for names in clusters_S]


def interval(values_B: Array) -> Interval:
    """The central 95% of resampled values."""
    low, high = np.nanquantile(values_B, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def gap_recovered(student: float, weak: float, ceiling: float) -> float:
    """PGR = (student − weak) / (ceiling − weak) (Burns et al. 2023)."""
    return (student - weak) / (ceiling - weak)


def area_under_curve(labels: Sequence[int], accuracies: Sequence[float], start: int = 0) -> float | None:
    """Mean accuracy over the labels asked, from ``start`` (or the first, if that is later) to the last."""
    start = max(start, labels[0])
    if len(labels) < 2 or labels[-1] <= start:
        return None
    later = [(x, a) for x, a in zip(labels, accuracies, strict=True) if x > start]
    xs, ys = zip((start, float(np.interp(start, labels, accuracies))), *later, strict=True)
    return float(np.trapezoid(ys, xs) / (xs[-1] - start))
