"""The benchmark's functions run, and its plain implementations agree with ours, on small arrays."""

from __future__ import annotations

import runpy
from pathlib import Path

SPEED = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "speed.py"))


def test_speed_is_measured_of_what_chooses_and_scores_like_the_plain_implementation() -> None:
    found = SPEED["design"](60, 12, 20, 2, 40)
    assert {row["goal"] for row in found.values()} == {5.0}
    found = SPEED["learning"](50, columns=8) | SPEED["beliefs"](20, n_sets=3)
    assert len(found) == 4 and all(row["seconds"] >= 0.0 for row in found.values())
