"""What a run's figures show: posteriors, agreement, students, and methods against labels asked."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from askew.agent.journal import Data
from askew.agent.reading import RunView, SetView
from askew.agent.web.figures import Line, figure, sparkline

PROBABILITY = (0.0, 1.0)


def posterior_figure(shown: SetView) -> Markup:
    """The posterior of every hypothesis of a set, from its prior, by round."""
    if not shown.history:
        return Markup()
    names = list(shown.priors)
    points = {name: [(float(max(shown.round - 1, 0)), p)] for name, p in shown.priors.items()}
    for belief in shown.history:
        for name in names:
            if name in belief["posterior"]:
                points[name].append((float(belief["round"]), belief["posterior"][name]))
    lines = [Line("none of these" if name == "h0" else name, _last_of_each(points[name])) for name in names]
    return figure(f"Posterior of each hypothesis of {shown.id} by round", lines, "round", PROBABILITY)


def posterior_sparkline(shown: SetView) -> Markup:
    """How the leading hypothesis came to its probability."""
    name, p = shown.leader
    path = [shown.priors.get(name, 0.0), *(b["posterior"].get(name, 0.0) for b in shown.history)]
    return sparkline(path, f"{name} went from {path[0]:.2f} to {p:.2f}")


def agreement_figure(view: RunView) -> Markup:
    """How often the two predictions match the answers: of one that learns mistakes the two lines meet."""
    lines = [
        Line(name, [(float(t["round"]), t[key]) for t in view.theories if t.get(key) is not None])
        for name, key in (("predicted weak label", "agreement_weak"), ("predicted truth", "agreement_truth"))
    ]
    shown = [line for line in lines if len(line.points) > 1]
    return figure("Agreement with the answers by round", shown, "round", PROBABILITY)


def student_figure(view: RunView) -> Markup:
    """What each new student changed, and how sure it is, without knowing whether it is right."""
    splits = sorted({split for s in view.students for split in s["confidence"]}, reverse=True)
    lines = []
    for split in splits[:1]:
        for name, key in (("mean confidence", "confidence"), ("labels changed", "changed")):
            points = [(float(s["labels"]), s[key][split]) for s in view.students if split in s[key]]
            lines.append(Line(name, _last_of_each(points)))
    shown = [line for line in lines if len(line.points) > 1]
    return figure("The student on cases it was not taught, by labels asked", shown, "labels asked", PROBABILITY)


def comparison_figure(results: Data, only: Sequence[str] | None = None) -> Markup:
    """Accuracy against labels asked with bands of 95%; methods that ask nothing are levels."""
    rows = {name: row for name, row in results["methods"].items() if only is None or name in only}
    lines, levels = [], []
    for name, row in rows.items():
        curve = row.get("curve") or []
        if len({x for x, _ in curve}) > 1:
            band = [(x, low, high) for (x, _), (low, high) in zip(curve, row.get("curve_ci95") or [], strict=False)]
            lines.append(Line(name, [(x, y) for x, y in curve], band))
        else:
            levels.append((name, row["accuracy"]))
    return figure("Accuracy on the test split against labels asked", lines, "labels asked", levels=levels)


def _last_of_each(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """One point for each x: the last that was recorded."""
    return list(dict(points).items())
