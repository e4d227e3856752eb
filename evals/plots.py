"""Accuracy against labels asked, with bands over seeds; readable in print and by the colour-blind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from askew.evals.grade import GradedRun
from askew.evals.methods import METHODS

# Okabe & Ito (2008), "Color universal design".
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"


def draw_curves(runs: Sequence[GradedRun], path: Path) -> None:
    """Write the figure to ``path`` (the ending decides the format)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    by_method: dict[str, list[GradedRun]] = {}
    for run in runs:
        by_method.setdefault(run.method, []).append(run)
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    style = iter(zip(COLOURS * 4, MARKERS * 4, strict=True))
    for name, members in by_method.items():
        if METHODS[name].reference:
            level = float(np.mean([run.accuracies()[-1][1] for run in members]))
            axes.axhline(level, color="0.35", linestyle="--", linewidth=1)
            axes.annotate(
                name, (1.0, level), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize=8, color="0.25",
            )  # fmt: skip
            continue
        colour, marker = next(style)
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
    if any(not METHODS[name].reference for name in by_method):
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _curve(members: Sequence[GradedRun]) -> tuple[list[int], np.ndarray]:
    """Labels used, and accuracy_S_R of the seeds after each round that all of them have."""
    curves = [run.accuracies() for run in members]
    rounds = min(len(curve) for curve in curves)
    labels = [point[0] for point in curves[0][:rounds]]
    return labels, np.array([[accuracy for _, accuracy in curve[:rounds]] for curve in curves])
