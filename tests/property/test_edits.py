"""Edits that raise several attributes at once: what they say they raise they raise, and groups differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.agent.edits import _read_to_the_end
from askew.agent.hypotheses import Grounding
from askew.agent.write import COMBINED, combined_edits, edits_for, parent_of
from askew.tasks.attributes import ATTRIBUTES, find, measure
from askew.tasks.case import Case, Split, Task
from askew.tasks.minimal_edits import MOST_TIMES, edited, more_of, turned

TEXTS = (
    "A quiet film which the two brothers carry from its first minute.",
    "too long, and never funny",
    "Is this what we waited for? It was worth 3 hours!",
)
NAMES = sorted(name for name, attribute in ATTRIBUTES.items() if attribute.add is not None)
GROUNDINGS = [Grounding(name, False, 1, 1.0) for name in NAMES]


def task_of(options_vary: bool) -> Task:
    """Three cases to edit: texts to judge, or questions with two answers."""
    cases = tuple(
        Case(f"c{i}", "Which is it?" if options_vary else text, (text, "Neither.") if options_vary else ("no", "yes"))
        for i, text in enumerate(TEXTS)
    )
    pool = tuple(replace(case, split=Split.POOL) for case in cases)
    return Task("mine", "Which is right?", "text", pool, options_vary=options_vary)


@given(
    st.integers(0, 10_000), st.booleans(), st.lists(st.sampled_from(GROUNDINGS), min_size=1, max_size=40, unique=True)
)
def test_a_combined_edit_has_more_of_all_that_it_is_about(
    seed: int, options_vary: bool, groundings: list[Grounding]
) -> None:
    task, rng, seen = task_of(options_vary), np.random.default_rng(seed), set[str]()
    made = combined_edits(task, groundings, task.cases, rng, seen)
    parents = {case.id: case for case in task.cases}
    for written, raised in made:
        parent = parents[parent_of(written.case.id)]
        places = range(2) if options_vary else range(1)
        assert written.parent == parent.id and 2 <= len(raised) <= max(COMBINED) * len(places)
        for name in raised:
            assert any(more_of(name, written.case, parent, place, options_vary) for place in places)
    of_parent = [(parent_of(written.case.id), name) for written, raised in made for name in raised]
    assert len(of_parent) == len(set(of_parent)), "a subject is in one edit of each case"
    assert combined_edits(task, groundings, task.cases, np.random.default_rng(seed), seen) == [], "none is made twice"


def test_subjects_go_with_others_in_the_next_case() -> None:
    task = task_of(options_vary=False)
    together = [
        {frozenset((a, b)) for written, raised in combined_edits(task, GROUNDINGS, [case], rng, set()) for a in raised
         for b in raised if a < b}
        for case, rng in zip(task.cases, [np.random.default_rng(0)] * 3, strict=True)
    ]  # fmt: skip
    assert all(together) and len(together[0] & together[1]) < 0.3 * len(together[0])


def test_one_parent_gets_many_subjects_at_once_and_the_next_a_few() -> None:
    task = task_of(options_vary=False)
    made = combined_edits(task, GROUNDINGS, task.cases, np.random.default_rng(0), set())
    most = {case.id: max(len(raised) for one, raised in made if one.parent == case.id) for case in task.cases}
    assert [most[case.id] > min(COMBINED) for case in task.cases] == [True, False, True]


def test_two_answers_get_something_each_so_that_neither_is_chosen_for_its_length() -> None:
    task = task_of(options_vary=True)
    parents = {case.id: case for case in task.cases}
    made = combined_edits(task, GROUNDINGS, task.cases, np.random.default_rng(0), set())
    added = np.array(
        [
            [len(now) - len(before) for now, before in zip(one.case.options, parents[one.parent].options, strict=True)]
            for one, _ in made
            if one.parent is not None
        ]
    )
    assert (added > 0).all(axis=1).mean() > 0.9
    assert np.abs(added[:, 0] - added[:, 1]).mean() < added.sum(axis=1).mean() / 2


@pytest.mark.parametrize("why", [{"manner_matters": True}, {"editable": False}])
def test_where_an_edit_may_change_the_truth_nothing_is_edited(why: dict[str, bool]) -> None:
    task = replace(task_of(options_vary=True), **why)  # type: ignore[arg-type]
    assert combined_edits(task, GROUNDINGS, task.cases, np.random.default_rng(0), set()) == []
    assert edits_for(task, GROUNDINGS[0], task.cases, set()) == []


def test_what_is_edited_is_read_to_the_end() -> None:
    short, long, longer = (Case(name, "so " * n, ("no", "yes")) for name, n in (("a", 50), ("b", 400), ("c", 500)))
    assert _read_to_the_end([long, short, longer]) == [short]
    assert _read_to_the_end([longer, long]) == [long, longer], "where all are long, any are better than none"
    assert _read_to_the_end([]) == []


@given(st.sampled_from(NAMES), st.integers(0, 30), st.integers(0, 30))
def test_an_edit_that_turns_the_order_gives_the_option_that_had_less_clearly_more(name: str, n: int, m: int) -> None:
    case = Case("c", "Which is it?", ("so it is " * n + "a.", "so it is " * m + "b."), Split.POOL)
    attribute = find(name)
    assert attribute is not None
    before = measure(attribute, case, options_vary=True)
    made = turned(name, case)
    assert len(made) <= (before[0] != before[1])
    for text, options in made:
        now = measure(attribute, Case("d", text, options), options_vary=True)
        least = int(before[1] < before[0])
        assert now[least] > now[1 - least] and now[1 - least] == before[1 - least]
        assert text == case.text and options[1 - least] == case.options[1 - least]
        assert options not in [one for _, one in edited(name, case, options_vary=True)]


def test_one_edit_leaves_a_long_answer_the_longer_one_and_several_turn_the_order() -> None:
    case = Case("c", "Which is it?", ("So it is. " * 12, "No."), Split.POOL)
    ((_, options),) = turned("length", case)
    assert len(options[1].split()) > len(options[0].split()) and options[0] == case.options[0]
    assert turned("length", replace(case, options=("So it is. " * 20 * MOST_TIMES, "No."))) == []
    assert turned("length", replace(case, options=("Yes.", "No."))) == []
    assert turned("good words", case) == turned("no such thing", case) == []


def test_edits_that_turn_the_order_are_offered_where_options_vary() -> None:
    case = Case("c", "Which is it?", ("So it is. " * 12, "No."), Split.POOL)
    task = replace(task_of(options_vary=True), cases=(case,))
    made = edits_for(task, Grounding("length", False, 1, 1.0), task.cases, set())
    assert len(made) == 3 and len({one.case.id for one in made}) == 3
    assert {parent_of(one.case.id) for one in made} == {"c"}
