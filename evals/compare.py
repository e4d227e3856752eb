"""Methods side by side at equal label budget: the comparison that ``askew compare`` prints and stores."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from askew.errors import InputError
from askew.evals.checks import Check, run_checks
from askew.evals.grade import GradedRun
from askew.evals.methods import METHODS
from askew.evals.published import published
from askew.evals.statistics import (
    Array,
    Interval,
    Scores,
    area_under_curve,
    auroc,
    brier,
    calibration_error,
    decided,
    gap_recovered,
    interval,
    resampled_accuracies,
    rightness,
)

Comparison = dict[str, Any]

CURVE_RESAMPLES = 500
"""Draws for the bands of a curve, which are only looked at."""


def compare(runs: Sequence[GradedRun]) -> Comparison:
    """The comparison of graded runs, in the form of ``askew compare --json``.

    PGR is withheld (``None``, with the reason in ``checks``) when the 95% interval of ceiling − weak
    includes 0. Only seeds that every method has are used, so that the comparison is paired; where no seed is
    shared by all, the methods with the fewest are left out. What is left out is among the checks.

    Raises:
        InputError: the runs are of different tasks, supervisors or budgets, or no two methods share a seed.
    """
    _check_comparable(runs)
    by_method, left_out = _paired(runs)
    scores = {
        name: Scores(tuple(rightness(run.final, run.gold_N) for run in members)) for name, members in by_method.items()
    }
    starts = {
        _start(name): Scores(tuple(rightness(run.curve[0][1], run.gold_N) for run in members))
        for name, members in by_method.items()
        if _asks(members)
    }
    accuracy_B = resampled_accuracies(scores | starts, [run.clusters for run in next(iter(by_method.values()))])
    gap_ci = _gap(accuracy_B)
    gap_ok = gap_ci is not None and gap_ci[0] > 0
    # Curves are compared from where all of them have begun.
    begun = max((run.curve[0][0] for members in by_method.values() for run in members if len(run.curve) > 1), default=0)
    methods = {
        name: _method_row(name, members, scores, accuracy_B, gap_ok, begun)
        | _gain(name, scores, starts, accuracy_B)
        | _agreements(members, by_method.get("weak"))
        for name, members in by_method.items()
    }
    _add_pgr_by_auroc(methods, gap_ok)
    for name, pairs in _curve_intervals(by_method).items():
        methods[name]["curve_ci95"] = pairs
    first = runs[0].settings
    return {
        "task": first.task,
        "supervisor": first.supervisor,
        "student": first.student,
        "budget": first.budget,
        "methods": methods,
        "paired": _paired_differences(methods, accuracy_B, scores, gap_ok),
        "labels_to_passive": _labels_to(methods, methods.get("passive-naive", {}).get("accuracy")),
        "labels_to_half": _labels_to(methods, _half_way(scores) if gap_ok else None),
        "mistakes": {name: found for name, members in by_method.items() if (found := _mistakes(members))},
        "published": [figure.model_dump() for figure in published()],
        "checks": [check.data() for check in [*run_checks(by_method, methods, gap_ci), *left_out]],
    }


def compared_runs(runs: Sequence[GradedRun]) -> list[GradedRun]:
    """The runs that a comparison of ``runs`` is of: what it leaves out is in no picture either."""
    by_method, _ = _paired(runs)
    return [run for members in by_method.values() for run in members]


def _labels_to(methods: Mapping[str, Mapping[str, Any]], target: float | None) -> dict[str, float | None]:
    """Labels after which each rival's mean accuracy reaches ``target``; ``None``: never."""
    if target is None:
        return {}
    return {
        name: next((labels for labels, accuracy in row["curve"] if accuracy >= target), None)
        for name, row in methods.items()
        if not METHODS[name].reference
    }


def _half_way(scores: Mapping[str, Scores]) -> float:
    """The accuracy of PGR 0.5."""
    return (scores["weak"].accuracy + scores["ceiling"].accuracy) / 2


def _mistakes(members: Sequence[GradedRun]) -> list[dict[str, Any]]:
    """Mistakes that runs of a method believe in: in how many of them, and with what mean posterior there."""
    found: dict[str, list[float]] = {}
    for run in members:
        for statement, probability in dict(run.believed).items():
            found.setdefault(statement, []).append(probability)
    rows: list[dict[str, Any]] = [
        {"statement": statement, "runs": len(ps), "of": len(members), "posterior": round(float(np.mean(ps)), 3)}
        for statement, ps in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["runs"], -row["posterior"], row["statement"]))


def _start(name: str) -> str:
    """What the student of a method before any answer is called among the methods' accuracies."""
    return f"{name} before any answer"


def _asks(members: Sequence[GradedRun]) -> bool:
    """Whether a method asks, and predicts before it does."""
    return all(run.curve[0][0] == 0 and run.curve[-1][0] > 0 for run in members)


def _gain(
    name: str, scores: Mapping[str, Scores], starts: Mapping[str, Scores], accuracy_B: Mapping[str, Array]
) -> dict[str, Any]:
    """Accuracy before any answer, and what the answers added to it; ``None`` for methods without such a start."""
    start = starts.get(_start(name))
    if start is None:
        return {"start": None, "gain": None, "gain_ci95": None}
    return {
        "start": _rounded(start.accuracy),
        "gain": _rounded(scores[name].accuracy - start.accuracy),
        "gain_ci95": _rounded_pair(interval(accuracy_B[name] - accuracy_B[_start(name)])),
    }


def _agreements(members: Sequence[GradedRun], weak: Sequence[GradedRun] | None) -> dict[str, Any]:
    """How far the student answers as its supervisor does: at the end, by whether it is right, and after each round."""
    curves = [] if weak is None else [run.agreements(w) for run, w in zip(members, weak, strict=True)]
    return {"agreement": _agreement(members, weak), "agreement_curve": _mean_curve(curves)}


def _mean_curve(curves: Sequence[Sequence[tuple[int, float]]]) -> list[list[float | None]]:
    """The mean of the runs that got so far, after each round of the first."""
    return [
        [labels, _rounded(float(np.mean([curve[i][1] for curve in curves if i < len(curve)])))]
        for i, (labels, _) in enumerate(curves[0] if curves else ())
    ]


def _agreement(members: Sequence[GradedRun], weak: Sequence[GradedRun] | None) -> dict[str, float | None]:
    """How often the student answers as the supervisor does, where the supervisor is right and where it is wrong.

    A student that has learned the mistakes agrees with the wrong answers too (Burns et al. 2023, section 5.1). Where
    the supervisor is unsure there is nothing to agree with.
    """
    if weak is None:
        return {"weak_right": None, "weak_wrong": None}
    answered = [decided(w.final) for w in weak]
    same = [run.final.argmax(axis=1) == w.final.argmax(axis=1) for run, w in zip(members, weak, strict=True)]
    right = [w.final.argmax(axis=1) == w.gold_N for w in weak]
    answered_N = np.concatenate(answered)
    same_N, right_N = np.concatenate(same)[answered_N], np.concatenate(right)[answered_N]
    return {
        "weak_right": _rounded(float(same_N[right_N].mean()) if right_N.any() else None),
        "weak_wrong": _rounded(float(same_N[~right_N].mean()) if (~right_N).any() else None),
    }


def _check_comparable(runs: Sequence[GradedRun]) -> None:
    if not runs:
        raise InputError("nothing to compare: expected at least one run folder.")
    for name in ("task", "supervisor", "budget", "student", "opinion", "learner", "finetune", "pool_size", "test_size"):
        values = sorted({str(getattr(run.settings, name)) for run in runs})
        if len(values) > 1:
            raise InputError(
                f"can't compare runs of different {name}: {', '.join(values)}. Compare runs that differ only "
                "in method and seed."
            )


def _paired(runs: Sequence[GradedRun]) -> tuple[dict[str, list[GradedRun]], list[Check]]:
    """Runs by method, on the seeds that all methods have, in the order of the registry; and what that leaves out."""
    table: dict[str, dict[int, GradedRun]] = {}
    checks: list[Check] = []
    for run in runs:
        first = table.setdefault(run.method, {}).setdefault(run.settings.seed, run)
        if first is not run:
            seed = f"{run.method} with seed {run.settings.seed}"
            checks.append(Check("ASK011", f"{run.folder} left out: {first.folder} is {seed} too"))
    order = [name for name in METHODS if name in table]
    kept, dropped = list(order), []
    while not (shared := set.intersection(*(set(table[name]) for name in kept))):
        fewest = min(kept, key=lambda name: len(table[name]))
        kept.remove(fewest)
        dropped.append(fewest)
        if len(kept) == 1:
            raise InputError("the methods share no seed: run each method with the same --seed values.")
    checks += [Check("ASK011", f"{name}: left out, its seeds are not those of the others") for name in dropped]
    unused = sorted({seed for name in kept for seed in table[name]} - shared)
    if unused:
        seeds = ", ".join(map(str, unused))
        lacking = ", ".join(name for name in kept if not set(unused) <= set(table[name]))
        checks.append(Check("ASK011", f"seed {seeds} left out: not every method has it ({lacking})"))
    return {name: [table[name][seed] for seed in sorted(shared)] for name in kept}, checks


def _gap(accuracy_B: Mapping[str, Array]) -> Interval | None:
    """The interval of ceiling − weak, where both were run."""
    if not {"weak", "ceiling"} <= set(accuracy_B):
        return None
    return interval(accuracy_B["ceiling"] - accuracy_B["weak"])


def _method_row(
    name: str,
    members: Sequence[GradedRun],
    scores: Mapping[str, Scores],
    accuracy_B: Mapping[str, Array],
    gap_ok: bool,
    begun: int,
) -> dict[str, Any]:
    aurocs = [auroc(run.final, run.gold_N) for run in members]
    known = [value for value in aurocs if value is not None]
    curves = [run.accuracies() for run in members]
    areas = [area_under_curve([x for x, _ in curve], [a for _, a in curve], begun) for curve in curves]
    pgr, pgr_ci = None, None
    if gap_ok:
        pgr = gap_recovered(scores[name].accuracy, scores["weak"].accuracy, scores["ceiling"].accuracy)
        pgr_ci = interval(gap_recovered_B(accuracy_B, name))
    return {
        "accuracy": _rounded(scores[name].accuracy),
        "ci95": _rounded_pair(interval(accuracy_B[name])),
        "pgr": _rounded(pgr),
        "pgr_ci95": _rounded_pair(pgr_ci),
        "auroc": _rounded(float(np.mean(known)) if known else None),
        "pgr_auroc": None,
        "queries": round(float(np.mean([run.queries for run in members])), 1),
        "seeds": len(members),
        "seconds": round(float(np.mean([run.seconds for run in members])), 1),
        "ece": _rounded(float(np.mean([calibration_error(run.final, run.gold_N) for run in members]))),
        "brier": _rounded(float(np.mean([brier(run.final, run.gold_N) for run in members]))),
        "area_under_label_curve": _rounded(None if None in areas else float(np.mean([a for a in areas if a]))),
        "curve": _mean_curve(curves),
    }


def _curve_intervals(by_method: Mapping[str, Sequence[GradedRun]]) -> dict[str, list[list[float] | None]]:
    """The interval of each point of every method's curve, up to the last round that all its seeds have."""
    points: dict[str, Scores] = {}
    rounds = {name: min(len(run.curve) for run in members) for name, members in by_method.items()}
    for name, members in by_method.items():
        for r in range(rounds[name] if rounds[name] > 1 else 0):
            points[f"{name} {r}"] = Scores(tuple(rightness(run.curve[r][1], run.gold_N) for run in members))
    clusters = [run.clusters for run in next(iter(by_method.values()))]
    drawn = resampled_accuracies(points, clusters, resamples=CURVE_RESAMPLES) if points else {}
    return {
        name: [_rounded_pair(interval(drawn[f"{name} {r}"])) for r in range(rounds[name]) if drawn and rounds[name] > 1]
        for name in by_method
    }


def _add_pgr_by_auroc(methods: Mapping[str, dict[str, Any]], gap_ok: bool) -> None:
    """PGR by mean AUROC, as the open replications give it; withheld together with PGR, or where the gap is none."""
    if not gap_ok:
        return
    weak, ceiling = methods["weak"]["auroc"], methods["ceiling"]["auroc"]
    if weak is None or ceiling is None or ceiling <= weak:
        return
    for row in methods.values():
        if row["auroc"] is not None:
            row["pgr_auroc"] = _rounded(gap_recovered(row["auroc"], weak, ceiling))


def gap_recovered_B(accuracy_B: Mapping[str, Array], name: str) -> Array:  # noqa: N802
    """pgr_B of a method over the joint draws."""
    gap_B = accuracy_B["ceiling"] - accuracy_B["weak"]
    pgr_B: Array = (accuracy_B[name] - accuracy_B["weak"]) / np.where(np.abs(gap_B) < 1e-9, np.nan, gap_B)
    return pgr_B


def _paired_differences(
    methods: Mapping[str, Mapping[str, Any]],
    accuracy_B: Mapping[str, Array],
    scores: Mapping[str, Scores],
    gap_ok: bool,
) -> dict[str, Any]:
    rivals = [name for name in methods if not METHODS[name].reference]
    # Are weak labels worth gold ones? PGR is from the supervisor to the ceiling: it holds these two already.
    golden = [name for name in methods if METHODS[name].reference and name not in {"weak", "ceiling"}]
    differences = {}
    for first, second in (*itertools.combinations(rivals, 2), *itertools.product(rivals, golden)):
        row: dict[str, Any] = {
            "delta_accuracy": _rounded(scores[first].accuracy - scores[second].accuracy),
            "accuracy_ci95": _rounded_pair(interval(accuracy_B[first] - accuracy_B[second])),
            "delta_pgr": None,
            "ci95": None,
        }
        if gap_ok:
            row["delta_pgr"] = _rounded(methods[first]["pgr"] - methods[second]["pgr"])
            row["ci95"] = _rounded_pair(
                interval(gap_recovered_B(accuracy_B, first) - gap_recovered_B(accuracy_B, second))
            )
        differences[f"{first}-{second}"] = row
    return differences


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rounded_pair(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [round(pair[0], 4), round(pair[1], 4)]
