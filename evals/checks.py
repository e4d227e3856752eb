"""Methodology checks with stable codes, printed with every comparison; see docs/checks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from askew.agent.loop import NOTHING_WORTH_IT
from askew.evals.grade import GradedRun
from askew.evals.methods import METHODS

FEWEST_SEEDS = 5
MOST_MALFORMED = 0.2
VALLEY = 0.02
"""Accuracy lost and agreement gained that make an uncanny valley."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something a reader of the comparison has to know."""

    code: str
    message: str

    def data(self) -> dict[str, str]:
        """The check as JSON."""
        return asdict(self)


def run_checks(
    by_method: Mapping[str, Sequence[GradedRun]],
    methods: Mapping[str, Mapping[str, Any]],
    gap_ci: tuple[float, float] | None,
) -> list[Check]:
    """All checks that fire, in the order of their codes."""
    found = [*_gap(gap_ci), *_seeds(methods)]
    for name, runs in by_method.items():
        found += _method_checks(name, runs, methods[name])
        found += _valley(name, runs, by_method.get("weak"))
    if "scientific" in methods:
        found += _overlaps(methods)
    return sorted(found, key=lambda check: (check.code, check.message))


def _gap(gap_ci: tuple[float, float] | None) -> list[Check]:
    if gap_ci is None:
        return [Check("ASK001", "PGR needs the methods 'weak' and 'ceiling' in the comparison")]
    if gap_ci[0] <= 0:
        return [
            Check(
                "ASK002",
                f"ceiling − weak is not above zero (95% interval {gap_ci[0]:.3f} to {gap_ci[1]:.3f}): PGR undefined",
            )
        ]
    return []


def _seeds(methods: Mapping[str, Mapping[str, Any]]) -> list[Check]:
    seeds = min(row["seeds"] for row in methods.values())
    if seeds >= FEWEST_SEEDS:
        return []
    return [Check("ASK003", f"{seeds} seed(s), expected at least {FEWEST_SEEDS}: intervals are too narrow")]


def _method_checks(name: str, runs: Sequence[GradedRun], row: Mapping[str, Any]) -> list[Check]:
    found = []
    chance = 1 / runs[0].final.shape[1]
    if row["ci95"][1] < chance:
        found.append(Check("ASK004", f"{name}: accuracy {row['accuracy']:.3f} is below chance ({chance:.2f})"))
    chains, malformed = sum(run.chains for run in runs), sum(run.malformed for run in runs)
    if chains and malformed / chains > MOST_MALFORMED:
        found.append(Check("ASK005", f"{name}: {malformed} of {chains} chains of thought are malformed"))
    # Methods that ask nothing by design have no budget to spend.
    stopped = (run.why == NOTHING_WORTH_IT or 0 < run.queries < run.settings.budget for run in runs)
    if not METHODS[name].reference and any(stopped):
        found.append(Check("ASK006", f"{name}: stopped before its label budget was spent"))
    if not all(run.finished for run in runs):
        found.append(Check("ASK007", f"{name}: a run is not finished; its last round so far is compared"))
    if row["gain"] is not None and row["gain_ci95"][1] < 0:
        low, high = row["gain_ci95"]
        found.append(
            Check("ASK013", f"{name}: the answers did harm, {row['gain']:+.3f} [{low:+.3f}, {high:+.3f}] in accuracy")
        )
    leaks = sum(run.leaks for run in runs)
    if leaks:
        found.append(Check("ASK009", f"{name}: {leaks} case(s) asked or written have the text of a test case"))
    return found


def _valley(name: str, runs: Sequence[GradedRun], weak: Sequence[GradedRun] | None) -> list[Check]:
    """The uncanny valley: past its best round the student nears the supervisor's mistakes and leaves the truth."""
    if weak is None or METHODS[name].reference:
        return []
    fallen = 0
    for run, supervisor in zip(runs, weak, strict=True):
        accuracies = [accuracy for _, accuracy in run.accuracies()]
        agreements = [agreement for _, agreement in run.agreements(supervisor)] or [0.0] * len(accuracies)
        best = accuracies.index(max(accuracies))
        fallen += accuracies[best] - accuracies[-1] > VALLEY and agreements[-1] - agreements[best] > VALLEY
    if 2 * fallen <= len(runs):
        return []
    message = (
        f"{name}: in {fallen} of {len(runs)} runs the student ends up nearer to the supervisor and further from gold"
    )
    return [Check("ASK010", message)]


def _overlaps(methods: Mapping[str, Mapping[str, Any]]) -> list[Check]:
    low, high = methods["scientific"]["ci95"]
    return [
        Check(
            "ASK008",
            f"scientific's interval overlaps that of {name}: look at the paired difference"
            if row["ci95"][0] <= high
            else f"scientific's interval lies below that of {name}",
        )
        for name, row in methods.items()
        if name != "scientific" and not METHODS[name].reference and row["ci95"][1] >= low
    ]
