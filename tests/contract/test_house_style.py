"""The house style: a rule that code can check, that the seed draws, and that nothing but the rule gives away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from askew.seeds import stream
from askew.tasks.case import Case
from askew.tasks.house_style import CONCEPTS, Rule, decided, draw_rule, load_house_style, read_lines

CINEMA = "What a film this is, with a story of its own."


def test_a_rule_is_what_its_words_say() -> None:
    rule = Rule(("speaks of pictures", "has a number"), "speaks of stories", turned=False)
    assert str(rule) == "prints a line that speaks of pictures or has a number, unless it speaks of stories"
    assert rule.holds("A movie.") and rule.holds("Two cats.") and not rule.holds(CINEMA) and not rule.holds("A cat.")
    turned = Rule(rule.either, rule.unless, turned=True)
    assert turned.holds(CINEMA) and not turned.holds("A movie.") and str(turned).startswith("refuses")
    case = Case("c", "Two lines.", ("A cat.", "Two cats."))
    assert decided(rule, case) == 1 and decided(turned, case) == 0
    assert decided(rule, Case("c", "Two lines.", ("Two dogs.", "Two cats."))) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_rule_is_all_that_tells_the_lines_apart(seed: int) -> None:
    loaded = load_house_style(seed)
    lines = [option for case in loaded.task.cases for option in case.options]
    assert len(set(lines)) == len(lines) == 2 * len(loaded.task.cases) == 5800  # each line once
    assert loaded.truth is not None
    assert all(loaded.truth(case) == loaded.gold[case.id] for case in loaded.task.cases)
    assert all(len(set(map(len, map(str.split, case.options)))) == 1 for case in loaded.task.cases)
    assert load_house_style(seed).task.fingerprint == loaded.task.fingerprint


def test_rules_are_drawn_from_a_wide_family() -> None:
    from askew.tasks.data import data_folder

    lines = read_lines(data_folder("hutto-2014"))
    rules = [draw_rule(stream(seed, "rule"), lines) for seed in range(40)]
    assert len({str(rule) for rule in rules}) > 35
    assert 10 < sum(rule.turned for rule in rules) < 30
    assert len(Counter(name for rule in rules for name in rule.either)) > len(CONCEPTS) / 2
    shares = [np.mean([rule.holds(line) for _, line in lines]) for rule in rules]
    assert min(shares) > 0.1 and max(shares) < 0.9
