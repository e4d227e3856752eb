"""The comparison on runs whose predictions are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from askew.agent.config import Settings
from askew.agent.loop import NOTHING_WORTH_IT
from askew.errors import InputError
from askew.evals.compare import compare
from askew.evals.grade import GradedRun
from askew.evals.protocol import run_folders
from askew.evals.published import published

N = 400


def graded(method: str, seed: int, accuracy: float, **more: Any) -> GradedRun:
    """A run that is right about as often as asked, on cases shared by all methods of a seed."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(2, size=N)
    ease = rng.random(N)
    curve = []
    for labels, level in more.pop("curve", ((200, accuracy),)):
        right = ease < level
        p = np.where(right, 0.8, 0.2)
        curve.append((labels, np.where(np.arange(2)[None] == gold[:, None], p[:, None], 1 - p[:, None])))
    given: dict[str, Any] = {
        "folder": Path("runs"), "settings": Settings(method=method, seed=seed), "gold_N": gold, "curve": tuple(curve),
        "queries": 200, "seconds": 1.0, "chains": 0, "malformed": 0, "finished": True,
        "clusters": tuple(f"{seed}/{i}" for i in range(N)),
    }  # fmt: skip
    return GradedRun(**{**given, **more})


def runs(levels: dict[str, float], seeds: int = 5) -> list[GradedRun]:
    return [graded(name, seed, level) for name, level in levels.items() for seed in range(seeds)]


def codes(comparison: dict[str, Any]) -> set[str]:
    return {check["code"] for check in comparison["checks"]}


LEVELS = {"scientific": 0.84, "passive-naive": 0.75, "weak": 0.7, "ceiling": 0.9}


def test_a_comparison_has_pgr_by_accuracy_and_by_auroc_calibration_and_what_others_published() -> None:
    comparison = compare(runs(LEVELS))
    rows = comparison["methods"]
    assert rows["passive-naive"]["pgr"] == pytest.approx(0.25, abs=0.05)
    assert rows["passive-naive"]["pgr_ci95"][0] < rows["passive-naive"]["pgr"] < rows["passive-naive"]["pgr_ci95"][1]
    assert rows["weak"]["pgr_auroc"] == 0.0
    assert rows["ceiling"]["pgr_auroc"] == 1.0
    assert 0 < rows["passive-naive"]["pgr_auroc"] < rows["scientific"]["pgr_auroc"] < 1
    assert rows["ceiling"]["brier"] < rows["weak"]["brier"]
    assert comparison["paired"]["scientific-passive-naive"]["ci95"][0] > 0
    assert not codes(comparison)
    assert [figure["pgr"] for figure in comparison["published"]] == [0.46, 0.48, 0.25, 0.8, 0.55, 0.97]
    assert all(figure.source and figure.models for figure in published())


def test_it_is_told_whether_weak_labels_are_worth_gold_ones() -> None:
    paired = compare(runs({**LEVELS, "gold-same-budget": 0.8}))["paired"]
    assert paired["scientific-gold-same-budget"]["accuracy_ci95"][0] > 0
    assert paired["passive-naive-gold-same-budget"]["delta_pgr"] == pytest.approx(-0.25, abs=0.05)
    assert not any("weak" in names or "ceiling" in names for names in paired)


def test_pgr_is_withheld_where_the_gap_is_not_surely_above_zero() -> None:
    for levels in ({**LEVELS, "ceiling": 0.705}, {**LEVELS, "ceiling": 0.6}):
        comparison = compare(runs(levels))
        assert "ASK002" in codes(comparison)
        for row in comparison["methods"].values():
            assert row["pgr"] is row["pgr_ci95"] is row["pgr_auroc"] is None
        assert comparison["labels_to_half"] == {}
        assert comparison["paired"]["scientific-passive-naive"]["delta_pgr"] is None
    assert "ASK001" in codes(compare(runs({"scientific": 0.8, "weak": 0.7})))


def test_checks_fire_on_what_they_are_for() -> None:
    assert "ASK003" in codes(compare(runs(LEVELS, seeds=2)))
    assert "ASK004" in codes(compare(runs({**LEVELS, "passive-naive": 0.4})))
    assert "ASK008" in codes(compare(runs({**LEVELS, "passive-naive": 0.83})))
    for rival, said in ((0.83, "overlaps"), (0.99, "lies below")):
        checks = compare(runs({**LEVELS, "passive-naive": rival}))["checks"]
        assert [said in check["message"] for check in checks if check["code"] == "ASK008"] == [True]
    odd = [graded("few-shot", seed, 0.75, chains=10, malformed=3) for seed in range(5)]
    assert "ASK005" in codes(compare([*runs(LEVELS), *odd]))
    for more, code in (({"queries": 150}, "ASK006"), ({"finished": False}, "ASK007"), ({"leaks": 1}, "ASK009")):
        odd = [graded("bald", seed, 0.75, **more) for seed in range(5)]
        assert code in codes(compare([*runs(LEVELS), *odd]))


def test_a_student_that_learns_its_teachers_mistakes_and_forgets_the_truth_is_told() -> None:
    """Every run is right on its easiest cases: at 0.7 the student says what the supervisor says."""
    curves = {"falls": ((100, 0.8), (200, 0.7)), "rises": ((100, 0.7), (200, 0.8)), "stays": ((100, 0.8), (200, 0.8))}
    for name, curve in curves.items():
        students = [graded("bald", seed, curve[-1][1], curve=curve) for seed in range(5)]
        assert ("ASK010" in codes(compare([*runs(LEVELS), *students]))) == (name == "falls"), name
    mixed = [graded("bald", seed, 0.8, curve=curves["falls" if seed < 2 else "rises"]) for seed in range(5)]
    assert "ASK010" not in codes(compare([*runs(LEVELS), *mixed])), "in fewer than half of the runs it is chance"


def test_a_run_that_ended_since_nothing_was_worth_asking_is_told() -> None:
    early = {"queries": 0, "why": NOTHING_WORTH_IT}
    assert "ASK006" in codes(compare([*runs({**LEVELS}), *(graded("no-noise", s, 0.8, **early) for s in range(5))]))
    by_design = [graded("zero-shot", s, 0.8, queries=0, why="nothing to learn") for s in range(5)]
    assert "ASK006" not in codes(compare([*runs(LEVELS), *by_design]))


def test_a_second_run_of_a_method_and_seed_is_left_out_and_said() -> None:
    again = graded("scientific", 0, 0.5, folder=Path("runs/again"))
    comparison = compare([*runs(LEVELS), again])
    (check,) = comparison["checks"]
    assert check["code"] == "ASK011" and "runs/again left out" in check["message"]
    assert comparison["methods"] == compare(runs(LEVELS))["methods"]


@pytest.mark.parametrize("other", [{"opinion": "all"}, {"pool_size": 100}, {"finetune": {"epochs": 1}}])
def test_students_that_see_or_learn_in_other_ways_are_not_compared(other: dict[str, Any]) -> None:
    odd = graded("passive-naive", 0, 0.75, settings=Settings(method="passive-naive", seed=0, **other))
    with pytest.raises(InputError, match=f"different {next(iter(other))}"):
        compare([*runs({"weak": 0.7, "ceiling": 0.9}), odd])


def test_labels_to_a_target_are_those_of_the_first_point_that_reaches_it() -> None:
    learning = [graded("bald", s, 0.0, curve=((40, 0.72), (80, 0.81), (120, 0.78))) for s in range(5)]
    comparison = compare([*runs(LEVELS), *learning])
    assert comparison["labels_to_half"]["bald"] == 80
    assert comparison["labels_to_half"]["passive-naive"] is None
    assert comparison["labels_to_passive"]["bald"] == 80
    assert comparison["methods"]["bald"]["area_under_label_curve"] == pytest.approx(0.78, abs=0.02)


def test_what_asking_adds_is_told_and_paired_and_where_it_did_harm_a_check_fires() -> None:
    asking = [graded("scientific", s, 0.0, curve=((0, 0.80), (100, 0.82), (200, 0.84))) for s in range(5)]
    others = runs({name: level for name, level in LEVELS.items() if name != "scientific"})
    comparison = compare([*others, *asking])
    row = comparison["methods"]["scientific"]
    assert row["gain"] == pytest.approx(row["accuracy"] - row["start"], abs=2e-4)
    assert 0 < row["gain_ci95"][0] < row["gain"] < row["gain_ci95"][1] < 0.1
    assert "ASK013" not in codes(comparison)
    # A method that predicts nothing before it asks, or asks nothing, has gained nothing that could be told.
    assert all(comparison["methods"][name]["gain"] is None for name in ("passive-naive", "weak", "ceiling"))
    # Whether starts are drawn too changes no other figure.
    without = compare(runs({**LEVELS}))["methods"]["passive-naive"]
    assert comparison["methods"]["passive-naive"]["ci95"] == without["ci95"]
    harmed = [graded("scientific", s, 0.0, curve=((0, 0.84), (200, 0.78))) for s in range(5)]
    worse = compare([*others, *harmed])
    (check,) = [c for c in worse["checks"] if c["code"] == "ASK013"]
    assert check["message"].startswith("scientific: the answers did harm, -0.0")
    even = [graded("scientific", s, 0.0, curve=((0, 0.84), (200, 0.84))) for s in range(5)]
    assert "ASK013" not in codes(compare([*others, *even]))


def test_seeds_that_a_method_lacks_and_methods_with_no_seed_in_common_are_left_out_and_said() -> None:
    made = [*runs(LEVELS), graded("bald", 0, 0.8), graded("bald", 1, 0.8)]
    comparison = compare(made)
    assert comparison["methods"]["scientific"]["seeds"] == 2
    (check,) = [c for c in comparison["checks"] if c["code"] == "ASK011"]
    assert check["message"] == "seed 2, 3, 4 left out: not every method has it (bald)"
    comparison = compare([*runs(LEVELS), graded("bald", 17, 0.8)])
    assert "bald" not in comparison["methods"]
    assert comparison["methods"]["scientific"]["seeds"] == 5
    with pytest.raises(InputError, match="share no seed"):
        compare([graded("bald", 1, 0.8), graded("weak", 2, 0.7)])


def test_mistakes_that_several_runs_believe_in_come_first() -> None:
    made = [
        graded("scientific", seed, 0.84, believed=(("likes length", 0.9), *((("odd", 0.99),) if seed == 3 else ())))
        for seed in range(5)
    ]
    found = compare([*made, *runs({"weak": 0.7, "ceiling": 0.9})])["mistakes"]["scientific"]
    assert found[0] == {"statement": "likes length", "runs": 5, "of": 5, "posterior": 0.9}
    assert found[1]["runs"] == 1


def test_weights_that_a_run_keeps_are_no_run(tmp_path: Path) -> None:
    for place in ("seed-0", "seed-1", "seed-1/student/round-2/weights"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "config.json").write_text("{}", encoding="utf-8")
    assert run_folders(tmp_path) == [tmp_path / "seed-0", tmp_path / "seed-1"]
