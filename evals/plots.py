"""Accuracy against labels asked with bands over seeds, and the whole comparison as one picture.

Readable in print and by the colour-blind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from askew.errors import InputError
from askew.evals.compare import Comparison
from askew.evals.grade import GradedRun
from askew.evals.methods import METHODS

# Okabe & Ito (2008), "Color universal design".
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
FORMATS = (".png", ".svg", ".pdf")
COLUMNS = ("", "accuracy [95%]", "PGR [95%]", "AUROC", "ECE", "labels", "seeds")
MISTAKES = 6
"""Mistakes of a method that the picture names."""
ROW = 0.22
"""Height of a line of the table, in inches."""


def draw_curves(runs: Sequence[GradedRun], path: Path) -> None:
    """Write the curves to ``path``; its ending decides the format. Raises ``InputError`` on an unknown one."""
    figure, plt = _figure(path, 6.8, max(4.0, 0.19 * len({run.method for run in runs})))
    _curves(figure.subplots(), runs)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_comparison(comparison: Comparison, runs: Sequence[GradedRun], path: Path) -> None:
    """Curves, the table, and the mistakes found, in one picture. Raises ``InputError`` on an unknown ending."""
    rows = table_rows(comparison)
    found = mistake_lines(comparison)
    notes = [*found, *(f"{check['code']} {check['message']}" for check in comparison["checks"])]
    heights = [max(4.0, 0.19 * len(rows)), ROW * (len(rows) + 2), ROW * (len(notes) + 1)]
    figure, plt = _figure(path, 9.6, sum(heights))
    curves, table, text = figure.subplots(3, 1, height_ratios=heights)
    _curves(curves, runs)
    table.axis("off")
    drawn = table.table(
        [list(row) for row in rows], colLabels=list(COLUMNS), loc="upper left", cellLoc="left", edges="horizontal",
        colWidths=[0.28, 0.22, 0.2, 0.08, 0.08, 0.07, 0.07],
    )  # fmt: skip
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    text.axis("off")
    # A dollar sign would start a formula: what a model wrote is shown as it is.
    lines = [(line if len(line) <= 140 else line[:139] + "…").replace("$", r"\$") for line in notes]
    text.text(0, 1, "\n".join(lines), va="top", fontsize=8, transform=text.transAxes)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def table_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """The table of methods, a tuple of texts for each, under :data:`COLUMNS`."""
    return [
        (
            name,
            f"{row['accuracy']:.3f} [{row['ci95'][0]:.3f}, {row['ci95'][1]:.3f}]",
            "withheld"
            if row["pgr"] is None
            else f"{row['pgr']:.2f} [{row['pgr_ci95'][0]:.2f}, {row['pgr_ci95'][1]:.2f}]",
            "–" if row["auroc"] is None else f"{row['auroc']:.3f}",
            f"{row['ece']:.3f}",
            f"{row['queries']:g}",
            str(row["seeds"]),
        )
        for name, row in comparison["methods"].items()
    ]


def gain_lines(comparison: Comparison) -> list[str]:
    """What the answers added, for methods that predict before they ask."""
    return [
        f"{name}: {row['start']:.3f} before any answer, {row['gain']:+.3f} "
        f"[{row['gain_ci95'][0]:+.3f}, {row['gain_ci95'][1]:+.3f}] by asking"
        for name, row in comparison["methods"].items()
        if row["gain"] is not None
    ]


def mistake_lines(comparison: Comparison) -> list[str]:
    """Mistakes found, in words, those that most runs believe in first."""
    return [
        f"{name} found: {item['statement']} (in {item['runs']} of {item['of']} runs, posterior {item['posterior']:.2f})"
        for name, items in comparison["mistakes"].items()
        for item in items[:MISTAKES]
    ]


def _figure(path: Path, width: float, height: float) -> tuple[Any, Any]:
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"can't draw {path}: expected a name that ends in {', '.join(FORMATS)}.")
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    return plt.figure(figsize=(width, height), layout="constrained"), plt


def _curves(axes: Any, runs: Sequence[GradedRun]) -> None:
    by_method: dict[str, list[GradedRun]] = {}
    for name in METHODS:
        if members := [run for run in runs if run.method == name]:
            by_method[name] = members
    # Neighbours differ in both, and no two are alike.
    styles = [(COLOURS[i % 7], MARKERS[(i + i // 7) % 7]) for i in range(49)]
    rivals = [name for name in by_method if not METHODS[name].reference]
    for name, members in by_method.items():
        if METHODS[name].reference:
            level = float(np.mean([run.accuracies()[-1][1] for run in members]))
            axes.axhline(level, color="0.35", linestyle="--", linewidth=1)
            axes.annotate(
                name, (0.0, level), xycoords=("axes fraction", "data"), xytext=(3, 2), textcoords="offset points",
                fontsize=7, color="0.25",
            )  # fmt: skip
            continue
        colour, marker = styles[rivals.index(name) % len(styles)]
        labels, accuracy_S_R = _curve(members)
        mean_R = accuracy_S_R.mean(axis=0)
        axes.plot(labels, mean_R, color=colour, marker=marker, markersize=4, label=name)
        if len(members) > 1:
            half_R = 1.96 * accuracy_S_R.std(axis=0, ddof=1) / np.sqrt(len(members))
            axes.fill_between(labels, mean_R - half_R, mean_R + half_R, color=colour, alpha=0.15, linewidth=0)
    first = runs[0].settings
    axes.set(
        xlabel="weak labels asked", ylabel="accuracy on the test split", title=f"{first.task} · {first.supervisor}"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    if rivals:
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1.0))


def _curve(members: Sequence[GradedRun]) -> tuple[list[int], np.ndarray]:
    """Labels used, and accuracy_S_R of the seeds after each round that all of them have."""
    curves = [run.accuracies() for run in members]
    rounds = min(len(curve) for curve in curves)
    labels = [point[0] for point in curves[0][:rounds]]
    return labels, np.array([[accuracy for _, accuracy in curve[:rounds]] for curve in curves])
