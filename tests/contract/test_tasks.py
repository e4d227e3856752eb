"""Every built-in task keeps the contract, and the check finds a task that doesn't."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import embed, rows
from numpy.typing import NDArray

from askew.evals.task_check import check_task, near_duplicates
from askew.tasks.case import Case, Split
from askew.tasks.gold import Gold, LoadedTask
from askew.tasks.load import TASKS, load_task


def apart(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embeddings of which no two texts have the same."""
    drawn = [np.random.default_rng(list(text.encode())).standard_normal(64) for text in texts]
    return np.array([v / np.linalg.norm(v) for v in drawn], dtype=np.float32).reshape(-1, 64)


def broken(loaded: LoadedTask) -> set[str]:
    return {f.name for f in check_task(loaded, lambda text: len(text.split()), 2048, apart) if not f.holds}


@pytest.mark.parametrize("name", [name for name in TASKS if not name.startswith("chess-")])
def test_built_in_tasks_keep_the_contract(name: str) -> None:
    assert broken(load_task(name, 0)) == set()


@pytest.fixture
def small(cases_file: Callable[..., Path]) -> LoadedTask:
    return load_task(str(cases_file(rows())), 0)


def with_cases(loaded: LoadedTask, cases: tuple[Case, ...]) -> LoadedTask:
    return replace(loaded, task=replace(loaded.task, cases=cases))


def test_each_breach_is_found(small: LoadedTask) -> None:
    cases = small.task.cases
    assert broken(small) == set()
    pool, test = small.task.split(Split.POOL)[0], small.task.split(Split.TEST)[0]
    leaked = replace(test, id="leak", text=pool.text + "!")
    assert "no case is in two splits" in broken(with_cases(small, (*cases, leaked)))
    assert "ids are unique" in broken(with_cases(small, (*cases, cases[0])))
    assert "options are valid" in broken(with_cases(small, (replace(cases[0], options=("a", " ")), *cases[1:])))
    assert "rendered cases fit the context" in broken(
        with_cases(small, (*cases, replace(pool, id="l", text="a " * 3000)))
    )
    only = tuple(case for case in cases if case.split is not Split.POOL)
    assert "there is something to ask and to test on" in broken(with_cases(small, only))
    wild = Gold({**small.gold, test.id: 7})
    assert "gold scores 1.0" in broken(replace(small, gold=wild))
    skewed = Gold({case.id: int(index == 0) for index, case in enumerate(cases)})
    assert "classes are balanced" in broken(replace(small, gold=skewed))
    assert "code agrees with gold" in broken(replace(small, truth=lambda case: 1 - small.gold[case.id]))


def test_near_duplicates_are_texts_that_differ_by_typing() -> None:
    text = "A rambling ensemble piece with loosely connected characters and plots that never quite gel number "
    texts = [text + str(index) * 3 for index in range(40)] + ["Something else entirely, about a boat and its crew."]
    others = [
        *(f"Unrelated sentence {index} on a topic of its own {index * 7}." for index in range(400)),
        texts[-1] + " ",
    ]
    assert (40, 400) in near_duplicates(texts, others, embed)
    assert near_duplicates([], others, embed) == []


def test_near_duplicates_share_both_letters_and_meaning() -> None:
    text, same = "wow. Impressed with my team so far. love it.", "wow! very impressed with my team so far! love it!"
    others = [*(f"Unrelated sentence {index} on a topic of its own {index * 7}." for index in range(400)), same]

    def one_meaning(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(1, 4, dtype=np.float32).repeat(len(texts), axis=0)

    def own_meaning(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(2, dtype=np.float32)[[int(one == text) for one in texts]]

    assert near_duplicates([text], others, one_meaning) == [(0, 400)]
    assert near_duplicates([text], others, own_meaning) == []


def test_two_games_that_share_one_rare_move_are_no_near_duplicates() -> None:
    rng = np.random.default_rng(0)
    moves = [f"{piece}{file}{rank}" for piece in "NBRQ" for file in "abcdefgh" for rank in range(1, 9)]
    games = [" ".join(rng.choice(moves, 30)) for _ in range(400)]
    assert near_duplicates([games[0] + " cxb5"], [games[1] + " cxb5", *games[2:]], embed) == []
