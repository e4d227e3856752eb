"""Cleaning and aggregating labels, with the libraries that do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from askew.evals.methods.denoise import dawid_skene, glad, label_issues, majority, soft_labels
from askew.tasks.case import Case, Split

# crowd-kit and cleanlab use pandas and numpy in ways that these deprecate.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_cleanlab_finds_most_flipped_labels_and_few_others() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=300)
    flipped = rng.random(300) < 0.15
    confidence = np.clip(0.75 + 0.15 * rng.standard_normal(300), 0.05, 0.95)
    p = np.where(truth == 1, confidence, 1 - confidence)
    issue = label_issues(np.where(flipped, 1 - truth, truth), np.stack([1 - p, p], axis=1))
    assert issue[flipped].mean() > 0.7
    assert issue[~flipped].mean() < 0.1


def test_labels_of_one_class_or_none_are_left_as_they_are() -> None:
    assert not label_issues(np.zeros(5, dtype=np.int64), np.full((5, 2), 0.5)).any()
    assert not label_issues(np.zeros(0, dtype=np.int64), np.zeros((0, 2))).any()


@pytest.mark.parametrize("aggregate", [dawid_skene, glad])
def test_models_of_raters_beat_the_majority_of_unequal_raters(aggregate: Callable[..., Any]) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(2, size=60)
    # Two who know, three who guess: the majority is often that of the guessers.
    accuracy = {"a": 0.95, "b": 0.95, "c": 0.5, "d": 0.5, "e": 0.5}
    ratings = [
        (str(case), rater, int(label if rng.random() < p else 1 - label))
        for case, label in enumerate(truth)
        for rater, p in accuracy.items()
    ]
    cases = [Case(str(case), "", ("no", "yes"), Split.POOL) for case in range(60)]

    def right(shares: Any) -> float:
        return float((soft_labels(shares, cases, 2).argmax(axis=1) == truth).mean())

    assert right(aggregate(ratings)) > right(majority(ratings)) + 0.02
    assert right(aggregate(ratings)) > 0.9


@pytest.mark.parametrize("aggregate", [majority, dawid_skene, glad])
def test_soft_labels_cover_options_that_nobody_chose(aggregate: Callable[[Sequence[Any]], Any]) -> None:
    cases = [Case(name, "", ("a", "b", "c"), Split.POOL) for name in ("x", "y")]
    shares = soft_labels(aggregate([("y", "r", 1), ("x", "r", 0), ("x", "s", 0), ("y", "s", 1)]), cases, 3)
    assert shares.shape == (2, 3)
    assert np.allclose(shares.sum(axis=1), 1)
    assert shares.argmax(axis=1).tolist() == [0, 1]
    assert shares[:, 2].tolist() == [0.0, 0.0]
    assert soft_labels(None, [], 3).shape == (0, 3)
