"""``askew run``, ``resume`` and ``compare``: run, grade, and show one table."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from askew.agent.cli.display import show_table, shown_progress
from askew.agent.config import Settings
from askew.agent.supervisors.base import Supervisor
from askew.errors import InputError
from askew.evals.compare import Comparison
from askew.evals.grade import GradedRun


def run_command(settings: Settings, out: Path | None, with_: str | None) -> None:
    """Run a method and its twins, then show the comparison."""
    from askew.evals.methods import METHODS

    _ = METHODS[settings.method]
    folder = out or _new_folder(settings)
    run_in(settings, folder, None if with_ is None else tuple(separated(with_)))


def resume_command(folder: Path) -> None:
    """Continue the run in ``folder`` with the settings it was started with."""
    from askew.evals.protocol import read_config

    settings, twins = read_config(folder)
    run_in(settings, folder, twins)


def compare_command(folders: list[Path], as_json: bool, plot: Path | None, html: Path | None = None) -> None:
    """Show finished (or unfinished) runs side by side."""
    from askew.evals.protocol import run_folders

    comparison, runs = compared([place for folder in folders for place in run_folders(folder)])
    if plot is not None:
        from askew.evals.plots import draw_comparison

        draw_comparison(comparison, runs, plot)
    if html is not None:
        from askew.evals.page import write_page

        write_page(comparison, runs, html)
    if as_json:
        typer.echo(json.dumps(comparison, indent=2))
    else:
        show_comparison(comparison)
        show_mistakes(comparison)
        show_published(comparison)


def run_in(
    settings: Settings, folder: Path, twins: tuple[str, ...] | None, supervisor: Supervisor | None = None
) -> None:
    """Run or continue what is in ``folder``, grade it, and show the table; ``supervisor`` replaces the named one."""
    from askew.evals.protocol import TWINS, run_experiment, run_folders

    typer.echo(
        f"askew · {settings.task} · weak: {settings.supervisor} · strong: {settings.student} · "
        f"{settings.budget} labels in {settings.rounds} rounds · seed {settings.seed}"
    )
    with shown_progress() as say:
        twins = run_experiment(settings, folder, twins, say, supervisor)
    places = [folder, *(folder / TWINS / name for name in twins)]
    try:
        comparison, runs = compared([place for place in run_folders(folder) if place in places])
    except InputError as error:
        typer.echo(f"not graded: {error}")
        typer.echo(f"Look closer: askew inspect {folder}")
        return
    from askew.evals.plots import draw_curves
    from askew.evals.report import write_report

    (folder / "results.json").write_text(json.dumps(comparison, indent=2) + "\n", encoding="utf-8")
    draw_curves(runs, folder / "curve.png")
    write_report(folder, comparison)
    show_comparison(comparison)
    show_beliefs(folder)
    typer.echo(f"Look closer: askew inspect {folder}   Report: {folder / 'report.html'}")


def compared(folders: list[Path]) -> tuple[Comparison, list[GradedRun]]:
    """Compare graded runs; each task is loaded once for each seed."""
    from functools import cache

    from askew.evals.compare import compare, compared_runs
    from askew.evals.grade import grade
    from askew.tasks.load import load_task

    load = cache(load_task)
    runs = [grade(folder, load) for folder in folders]
    return compare(runs), compared_runs(runs)


def separated(names: str) -> list[str]:
    """The names of a list that is separated by commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def _new_folder(settings: Settings) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    name = f"{Path(settings.task).stem}-{settings.method}-s{settings.seed}-{stamp}"
    return Path("runs") / name


def show_comparison(comparison: Comparison) -> None:
    """The table of methods, and below it what asking added and the checks."""
    from askew.evals.plots import gain_lines

    rows = []
    for name, row in comparison["methods"].items():
        low, high = row["ci95"]
        pgr = (
            "withheld"
            if row["pgr"] is None
            else f"{row['pgr']:.2f} [{row['pgr_ci95'][0]:.2f}, {row['pgr_ci95'][1]:.2f}]"
        )
        rows.append(
            [
                name,
                f"{row['accuracy']:.3f} [{low:.3f}, {high:.3f}]",
                pgr,
                f"{row['queries']:g}",
                str(row["seeds"]),
                f"{row['seconds']:.0f}",
            ]
        )
    show_table("", ["", "accuracy [95%]", "PGR [95%]", "labels", "seeds", "seconds"], rows)
    for line in gain_lines(comparison):
        typer.echo(line)
    for check in comparison["checks"]:
        typer.echo(f"{check['code']} {check['message']}")


def show_mistakes(comparison: Comparison) -> None:
    """What the methods with hypotheses found out about the supervisor, over all seeds."""
    from askew.evals.plots import mistake_lines

    for line in mistake_lines(comparison):
        typer.echo(line)


def show_published(comparison: Comparison) -> None:
    """What others have published, on their models; sources are in the JSON and on the page."""
    said = [
        f"{item['what']} {item['pgr']:.2f} ({item['models']}, {item['measured']})" for item in comparison["published"]
    ]
    typer.echo("PGR published by others, their models: " + "; ".join(said))


def show_beliefs(folder: Path) -> None:
    """One line on what is believed about the supervisor."""
    from askew.agent.runlog import read_run

    view = read_run(folder).view
    if view.believed:
        typer.echo("It believes the supervisor: " + "; ".join(_belief_line(item) for item in view.believed[:3]))
    elif view.theory:
        typer.echo("It believes the supervisor: follows the truth as far as it can; no habit stood out")


def _belief_line(item: dict[str, Any]) -> str:
    return f"{item['statement']} ({item['probability']:.2f})"
