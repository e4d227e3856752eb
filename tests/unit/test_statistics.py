"""Figures beside those of scikit-learn, and intervals that cover what they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import brier_score_loss

from askew.evals.statistics import (
    Scores,
    area_under_curve,
    auroc,
    brier,
    calibration_error,
    decided,
    interval,
    resampled_accuracies,
    rightness,
)


def test_brier_is_that_of_scikit_learn_and_a_sure_truth_scores_zero() -> None:
    rng = np.random.default_rng(0)
    p = softmax(rng.standard_normal((200, 3)), axis=1)
    gold = rng.integers(3, size=200)
    assert brier(p, gold) == pytest.approx(brier_score_loss(gold, p, labels=[0, 1, 2], scale_by_half=False))
    assert brier(np.eye(3)[gold], gold) == 0.0
    assert brier(np.eye(2)[[0]], np.array([1])) == 2.0


def test_calibration_error_of_a_calibrated_and_of_a_boastful_student() -> None:
    rng = np.random.default_rng(0)
    second = rng.uniform(0.01, 0.99, 40_000)
    gold = (rng.random(40_000) < second).astype(np.int64)
    p = np.stack([1 - second, second], axis=1)
    assert calibration_error(p, gold) < 0.01
    sure = np.where(p > 0.5, 0.999, 0.001)
    assert calibration_error(sure, gold) == pytest.approx(0.999 - (p.argmax(1) == gold).mean(), abs=0.01)


def test_a_tie_counts_half_and_the_area_is_the_mean_height() -> None:
    assert rightness(np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([0, 1])).tolist() == [0.5, 1.0]
    assert area_under_curve([0, 100, 200], [0.5, 0.7, 0.9]) == pytest.approx(0.7)
    assert area_under_curve([200], [0.7]) is None
    # From where all curves have begun.
    assert area_under_curve([0, 40, 100], [0.5, 0.7, 0.7], start=40) == pytest.approx(0.7)
    assert area_under_curve([0, 100], [0.5, 0.7], start=50) == pytest.approx(0.65)


def test_answers_alone_rank_nothing() -> None:
    gold_N = np.array([0, 1, 1, 0])
    assert auroc(np.eye(2)[[0, 1, 0, 0]], gold_N) is None
    assert auroc(np.array([[0.5, 0.5], *np.eye(2)[[1, 0, 0]]]), gold_N) is None
    unsure = [round(1 / 3, 6)] * 3  # as the log has it
    assert auroc(np.array([unsure, *np.eye(3)]), np.array([0, 0, 1, 2])) is None
    assert auroc(np.array([[0.8, 0.2], [0.1, 0.9], [0.6, 0.4], [0.7, 0.3]]), gold_N) == 1.0
    assert decided(np.array([[0.5, 0.5], [0.2, 0.8]])).tolist() == [False, True]


@pytest.mark.parametrize("overlap", [0.0, 0.8])
def test_intervals_cover_the_truth_about_as_often_as_they_say(overlap: float) -> None:
    """Difficulty belongs to cases, luck to seeds; with overlapping test sets the same cases come again."""
    rng = np.random.default_rng(3)
    seeds, n, trials, covered, paired = 6, 120, 150, 0, 0
    for _ in range(trials):
        common = rng.normal(0, 1, n)
        right: dict[str, list[np.ndarray]] = {"a": [], "b": []}
        clusters = []
        for seed in range(seeds):
            shared = rng.random(n) < overlap
            difficulty = np.where(shared, common, rng.normal(0, 1, n))
            luck = rng.normal(0, 0.2)
            noise = rng.normal(0, 0.5, n)
            right["a"].append((0.8 + luck - difficulty + noise > 0).astype(float))
            right["b"].append((0.5 + luck - difficulty + noise > 0).astype(float))
            clusters.append([f"c{i}" if same else f"{seed}/{i}" for i, same in enumerate(shared)])
        scores = {name: Scores(tuple(rows)) for name, rows in right.items()}
        drawn = resampled_accuracies(scores, clusters, resamples=300)
        spread = np.sqrt(1 + 0.25 + 0.04)
        truth = {name: 0.5 * (1 + _erf(shift / spread / np.sqrt(2))) for name, shift in (("a", 0.8), ("b", 0.5))}
        low, high = interval(drawn["a"])
        covered += low <= truth["a"] <= high
        low, high = interval(drawn["a"] - drawn["b"])
        paired += low <= truth["a"] - truth["b"] <= high
    assert covered / trials >= 0.88
    assert paired / trials >= 0.88


def _erf(x: float) -> float:
    from math import erf

    return erf(x)


def test_pairing_makes_the_difference_of_two_alike_methods_narrow() -> None:
    rng = np.random.default_rng(0)
    one = [(rng.random(300) < 0.7).astype(float) for _ in range(5)]
    other = [np.where(rng.random(300) < 0.02, 1 - right, right) for right in one]
    drawn = resampled_accuracies({"one": Scores(tuple(one)), "other": Scores(tuple(other))})
    assert (drawn["one"] - drawn["other"]).std() < 0.4 * drawn["one"].std()


def test_methods_graded_on_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="different seeds or test cases"):
        resampled_accuracies({"a": Scores((np.ones(3),)), "b": Scores((np.ones(4),))})
