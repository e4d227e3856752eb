"""Splits: balanced, disjoint, and the same whatever is wanted of the test split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.agent.config import Settings
from askew.agent.journal import Journal
from askew.evals.grade import grade
from askew.evals.protocol import Workbench, write_config
from askew.tasks.case import Split
from askew.tasks.load import load_task
from askew.tasks.splits import balanced_splits

SIZES = {Split.WEAK: 6, Split.POOL: 20, Split.VALIDATION: 6, Split.TEST: 10}


@given(zeros=st.integers(4, 60), ones=st.integers(4, 60), wanted=st.integers(0, 80), seed=st.integers(0, 9))
def test_a_larger_test_split_takes_only_what_the_others_leave(zeros: int, ones: int, wanted: int, seed: int) -> None:
    labels = np.repeat([0, 1], [zeros, ones]).tolist()

    def drawn(test: int) -> dict[Split, list[int]]:
        pairs = balanced_splits(labels, SIZES, np.random.default_rng(seed), test)
        return {split: [index for index, one in pairs if one is split] for split in Split}

    usual, larger = drawn(0), drawn(wanted)
    left = min(zeros, ones) - sum(len(usual[split]) // 2 for split in Split)
    assert all(larger[split] == usual[split] for split in (Split.WEAK, Split.POOL, Split.VALIDATION))
    assert set(usual[Split.TEST]) <= set(larger[Split.TEST])
    most = len(usual[Split.TEST]) + 2 * left
    assert len(larger[Split.TEST]) == max(len(usual[Split.TEST]), min(2 * (wanted // 2), most))
    every = [index for split in Split for index in larger[split]]
    assert len(set(every)) == len(every)
    assert all(2 * sum(labels[i] for i in larger[split]) == len(larger[split]) for split in Split)


@pytest.mark.parametrize("task", ["movie-reviews", "qa-preference", "house-style"])
def test_a_run_can_be_judged_on_more_cases(task: str) -> None:
    usual, larger = load_task(task, 3).task, load_task(task, 3, 1600).task
    assert [c.id for c in larger.split(Split.POOL)] == [c.id for c in usual.split(Split.POOL)]
    tests = {case.id for case in larger.split(Split.TEST)}
    assert tests >= {case.id for case in usual.split(Split.TEST)}
    assert len(tests) == 1600 if task in {"movie-reviews", "house-style"} else len(tests) <= 1600
    settings = Settings(task=task, seed=3, test_size=1600)
    assert {case.id for case in Workbench(settings).loaded.task.split(Split.TEST)} == tests


def test_a_run_on_more_cases_is_graded_on_all_of_them(tmp_path: Path) -> None:
    settings = Settings(task="movie-reviews", seed=3, test_size=1600)
    task = Workbench(settings).loaded.task
    write_config(settings, tmp_path, ())
    with Journal(tmp_path) as journal:
        journal.note("run-started", task_fingerprint=task.fingerprint)
        truth = [[1.0, 0.0]] * len(task.split(Split.TEST))
        journal.note("prediction", split="test", labels_used=0, truth=truth)
    graded = grade(tmp_path)
    assert len(graded.gold_N) == 1600 and graded.accuracies() == [(0, 0.5)]
