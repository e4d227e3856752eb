"""A believed set is split where its subject matters under a condition only, and left whole where it always matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import embed, rows
from scipy.special import expit

from askew.agent.conditions import Parts, conditional, levelled, parts_of, shortest_between
from askew.agent.edits import _changed as changed
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding
from askew.agent.sets import Proposal, Surprise, graded, make_set, split_off
from askew.agent.write import Written
from askew.errors import InputError
from askew.tasks.case import Case, Split
from askew.tasks.load import load_task
from askew.tasks.passages import words_of

LOUD = Grounding("exclamation marks", False, 1, 1.0)


@pytest.fixture
def grounder(cases_file: Callable[..., Path]) -> Grounder:
    """Reviews of which half are loud, and half of each have a contrast."""
    made = rows(320)
    for index, row in enumerate(made):
        if index % 3 == 0:
            row["text"] = str(row["text"]).replace("Number", "Although")
    return Grounder(load_task(str(cases_file(made)), 0).task, embed)


def surprise(
    grounder: Grounder, answered: Callable[[bool, bool], float], expected: Callable[[bool], float], seed: int = 0
) -> Surprise:
    """Answers that follow ``answered`` (loud, contrast), where ``expected`` (loud) was."""
    cases = grounder.task.split(Split.POOL)
    rng = np.random.default_rng(seed)
    said, thought = [], []
    for case in cases:
        loud, contrast = "!" in case.text, "Although" in case.text
        said.append(int(rng.random() < answered(loud, contrast)))
        thought.append([1 - expected(loud), expected(loud)])
    return Surprise(grounder, cases, np.eye(2)[said], np.array(thought), [LOUD])


def split(told: Surprise) -> Sequence[Proposal]:
    whole = make_set(Proposal(LOUD.measure, LOUD, {}, 0.1, (), "tried"), 1, told.grounder.task)
    return split_off(told, [whole])


def test_a_condition_is_found_and_the_set_is_its_parent(grounder: Grounder) -> None:
    answered = {(True, True): 1.0, (True, False): 0.3}
    told = surprise(grounder, lambda *case: answered.get(case, 0.5), lambda loud: 0.6 if loud else 0.5)
    (found,) = split(told)
    assert parts_of(found.grounding)[:2] == ("exclamation marks", "contrast")
    assert found.parents == ("S1",) and len(found.cases) == 5
    child = make_set(found, 2, grounder.task)
    assert child.parents == ("S1",) and child.prior_none > 0.99
    effects_N_K = grounder.effects([found.grounding], told.cases)[:, :, 0]
    whole_N_K = grounder.effects([LOUD], told.cases)[:, :, 0]
    present = parts_of(found.grounding)[2]
    holds_N = np.array([("Although" in case.text) == present for case in told.cases])
    assert np.array_equal(effects_N_K[holds_N], whole_N_K[holds_N]) and not effects_N_K[~holds_N].any()


def test_what_always_matters_is_not_split(grounder: Grounder) -> None:
    made = [
        surprise(grounder, lambda loud, _: 0.9 if loud else 0.5, lambda loud: 0.9 if loud else 0.5, s)
        for s in range(20)
    ]
    assert sum(bool(split(told)) for told in made) <= 5, "so many conditions are tried that chance explains something"
    told = made[0]
    assert not split(Surprise(grounder, told.cases[:5], told.weak_L_K[:5], told.predicted_L_K[:5], []))


def test_a_condition_has_a_name_that_is_read_back(grounder: Grounder) -> None:
    for present in (True, False):
        named = replace(LOUD, measure=conditional("names", "stories", present))
        assert parts_of(named) == Parts("names", "stories", present)
        told = replace(named, concept=True)
        assert parts_of(told) == Parts(told.measure), "what is told by meaning alone has no condition"
    assert parts_of(LOUD) == Parts(LOUD.measure)
    offered = grounder.conditionals(LOUD)
    assert len(offered) == len({g.measure for g in offered}) == 2 * (len(grounder.attributes()) - 1)
    assert not grounder.conditionals(offered[0]), "a condition has no further condition"
    assert not grounder.conditionals(Grounding("loud people", True, 1, 0.5)), (
        "what is told by meaning alone is not split"
    )


def test_what_most_texts_have_all_of_has_an_effect_too(cases_file: Callable[..., Path]) -> None:
    made = rows(160)
    for index, row in enumerate(made):
        loud = "! " if index % 2 else ". "
        row["text"] = str(row["text"]).rstrip("!.") + loud + "So" + ("..." if index % 3 else "")
    grounder = Grounder(load_task(str(cases_file(made)), 0).task, embed)
    cases = grounder.task.split(Split.POOL)
    trailing_N = np.array([case.text.endswith("...") for case in cases])
    effects_N = grounder.effects([replace(LOUD, measure="ellipsis")], cases)[:, 1, 0]
    assert trailing_N.mean() > 0.5
    assert (effects_N[trailing_N] > 0.1).all() and not effects_N[~trailing_N].any()
    loud_N = np.array(["!" in case.text for case in cases])
    measure = conditional(LOUD.measure, "ellipsis", True)
    conditional_N = grounder.effects([replace(LOUD, measure=measure)], cases)[:, 1, 0]
    assert np.array_equal(conditional_N > 0.1, loud_N & trailing_N), "and makes a condition that holds"


def test_a_few_enormous_numbers_dont_make_nothing_of_the_others(cases_file: Callable[..., Path]) -> None:
    made = rows(160)
    for index, row in enumerate(made):
        row["text"] = f"It took {index % 5} days." if index % 42 else "It took 1000000 days."
    task = load_task(str(cases_file(made)), 0).task
    task = replace(task, attributes={"days": lambda case: [float(case.text.split()[2])]})
    grounder, pool = Grounder(task, embed), task.split(Split.POOL)
    effect_of = {
        case.text: effect
        for case, effect in zip(pool, grounder.effects([replace(LOUD, measure="days")], pool)[:, 1, 0], strict=True)
    }
    most, more, usual = (effect_of[f"It took {days} days."] for days in (1000000, 4, 2))
    assert most == pytest.approx(0.5)
    assert more > 0.25
    assert usual == 0.0


LONG = replace(LOUD, measure="length")


@pytest.fixture
def long_and_short(cases_file: Callable[..., Path]) -> Grounder:
    """Reviews of 7 to 45 words."""
    made = rows(320)
    for index, row in enumerate(made):
        row["text"] = f"Number {index}: it is what it is" + " and so" * (index % 20) + "."
    return Grounder(load_task(str(cases_file(made)), 0).task, embed)


def of_length(grounder: Grounder, above: float | None, seed: int) -> Surprise:
    """Answers for the last option where a text has more words than that, or the more the longer; nothing expected."""
    cases = grounder.task.split(Split.POOL)
    words_N = np.array([len(words_of(case.text)) for case in cases])
    if above is None:
        chance_N = expit(4 * grounder.effects([LONG], cases)[:, 1, 0])
    else:
        chance_N = np.where(words_N > above, 0.9, 0.5)
    said_N = np.random.default_rng(seed).random(len(cases)) < chance_N
    return Surprise(grounder, cases, np.eye(2)[said_N.astype(int)], np.full((len(cases), 2), 0.5), [LONG])


def test_from_how_much_on_is_found(long_and_short: Grounder) -> None:
    whole = make_set(Proposal(LONG.measure, LONG, {}, 0.1, (), "tried"), 1, long_and_short.task)
    found = 0
    for seed in range(10):
        told = of_length(long_and_short, 36, seed)
        for one in graded(told, whole):
            subject, _, _, above = parts_of(one.grounding)
            assert subject == "length" and above is not None and one.parents == ("S1",)
            found += abs(above - 36) <= 4
            effects_N = long_and_short.effects([one.grounding], told.cases)[:, 1, 0]
            assert set(effects_N) == {0.0, 0.5}, "any amount above the level counts alike"
    assert found >= 8


def test_what_is_above_a_level_is_there_or_not(long_and_short: Grounder) -> None:
    level = replace(LONG, measure=levelled("length", 30))
    born = make_set(Proposal(level.measure, level, {}, 0.1, (), "tried"), 1, long_and_short.task)
    said = [h.statement for h in born.hypotheses]
    assert any("with 'length above 30'" in one for one in said) and any(
        "without 'length above 30'" in one for one in said
    )
    assert not any(word in one for one in said for word in ("more", "less"))


@pytest.mark.parametrize("option", [0, 1])
def test_a_level_is_found_whichever_option_it_speaks_for(long_and_short: Grounder, option: int) -> None:
    """What is liked and what misleads have signs of their own: the one that explains most may differ."""
    whole = make_set(Proposal(LONG.measure, LONG, {}, 0.1, (), "tried"), 1, long_and_short.task)
    found = 0
    for seed in range(20):
        told = of_length(long_and_short, 36, seed)
        told = replace(told, weak_L_K=told.weak_L_K if option else told.weak_L_K[:, ::-1])
        leaning = np.full_like(told.predicted_L_K, 0.3)
        leaning[:, 1] = 0.7
        found += bool(graded(replace(told, predicted_L_K=leaning), whole))
    assert found >= 15


def test_a_level_is_less_likely_beforehand_than_the_whole(long_and_short: Grounder) -> None:
    whole = make_set(Proposal(LONG.measure, LONG, {}, 0.1, (), "tried"), 1, long_and_short.task)
    (found,) = graded(of_length(long_and_short, 36, 1), whole)
    assert found.matters == pytest.approx(0.1 * 0.3 / 0.7 / len(long_and_short.levels(LONG)))
    level = make_set(found, 2, long_and_short.task)
    short = of_length(long_and_short, 20, 1)
    (other,) = graded(replace(short, known=[*short.known, level.grounding]), level)
    assert other.matters == pytest.approx(found.matters), "levels are alike"


def test_an_attribute_named_like_a_level_is_refused(cases_file: Callable[..., Path]) -> None:
    task = load_task(str(cases_file(rows(40))), 0).task
    for name in ("score above 3", "names where stories"):
        with pytest.raises(InputError, match="expected another name"):
            Grounder(replace(task, attributes={name: lambda case: (1.0,)}), embed)


def test_where_more_matters_more_no_level_is_offered(long_and_short: Grounder) -> None:
    whole = make_set(Proposal(LONG.measure, LONG, {}, 0.1, (), "tried"), 1, long_and_short.task)
    assert sum(bool(graded(of_length(long_and_short, None, seed), whole)) for seed in range(20)) <= 5
    few = of_length(long_and_short, 36, 0)
    assert not graded(Surprise(long_and_short, few.cases[:5], few.weak_L_K[:5], few.predicted_L_K[:5], []), whole)


def test_an_edit_tells_of_a_level_where_it_brings_it_about(long_and_short: Grounder) -> None:
    whole, level = LONG, replace(LONG, measure=levelled("length", 30))
    alike = [
        make_set(Proposal(one.measure, one, {}, 0.1, (), ""), number, long_and_short.task)
        for number, one in enumerate((whole, level), start=1)
    ]
    parent = Case("short", "It is what it is.", ("a", "b"))
    for words, told in ((15, ("S1",)), (40, ("S1", "S2"))):
        edit = Written(Case("short~1", parent.text + " And so on." * (words // 3), ("a", "b")), parent="short")
        notebook = SimpleNamespace(grounder=long_and_short)
        assert changed(notebook, alike, edit, {"short": parent}) == told  # type: ignore[arg-type]


def test_a_level_has_a_name_that_is_read_back(long_and_short: Grounder) -> None:
    for amount in (18.0, 4.25, -3.0, 1e12, 1e-7, 1 / 3, 85 / 11, 1e301):
        assert parts_of(replace(LONG, measure=levelled("length", amount))) == Parts("length", above=amount)
    assert (shortest_between(85 / 11, 7.8), shortest_between(18, 19), shortest_between(0, 1)) == (7.73, 18, 0)
    word = replace(LOUD, measure=levelled("the word 'above 3'", 1))
    assert parts_of(word) == Parts("the word 'above 3'", above=1.0)
    assert parts_of(replace(word, measure="the word 'above 3'")).above is None
    offered = long_and_short.levels(LONG)
    assert len({one.measure for one in offered}) == len(offered) > 10
    assert long_and_short.levels(offered[0]) == offered[1:], "the other levels are alternatives to one"
    assert not long_and_short.conditionals(offered[0])
    assert not long_and_short.levels(replace(LONG, concept=True)), "what is told by meaning alone has no amount"
