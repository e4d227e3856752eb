"""``askew bench``: run a suite, then show and store what came out."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import typer

from askew.agent.cli.display import show_table, shown_progress
from askew.agent.cli.running import separated, show_comparison, show_mistakes
from askew.errors import InputError


def bench_command(
    name: str,
    out: Path | None,
    json_: Path | None,
    resume: bool,
    workers: str | None,
    threads: int,
    gpus: float,
    seeds: int | None,
    first_seed: int | None,
    tasks: str | None,
    methods: str | None,
) -> None:
    """Run what isn't finished yet of a suite, compare, and leave results.json and plots beside the runs."""
    from askew.evals.bench import grade_suite, read_suite, recoveries_of, results, run_suite
    from askew.evals.page import write_page
    from askew.evals.plots import draw_comparison
    from askew.evals.workers import Workers, cores, parse_workers

    placed = parse_workers(workers, threads, gpus) if workers is not None else None
    of_tasks, chosen = (None if names is None else separated(names) for names in (tasks, methods))
    suite = read_suite(name, of_tasks, seeds=seeds, first_seed=first_seed, methods=chosen)
    if placed is None:
        placed = Workers(min(suite.workers, cores()), threads=threads)
    out = out or Path("runs") / f"bench-{suite.name}"
    if out.exists() and any(out.iterdir()) and not resume:
        raise InputError(f"{out} holds results already: continue them with --resume, or choose another --out.")
    with shown_progress() as say:
        outcome = run_suite(suite, out, placed, say)
    graded, ungraded = grade_suite(out)
    outcome.failures.extend(ungraded)
    for comparison, runs in graded:
        typer.echo(f"{comparison['task']} · {comparison['supervisor']} · {comparison['budget']} labels")
        show_comparison(comparison)
        show_mistakes(comparison)
        draw_comparison(comparison, runs, runs[0].folder.parent / "comparison.png")
        write_page(comparison, runs, runs[0].folder.parent / "comparison.html")
    options = f" --seeds {seeds}" if seeds else ""
    options += f" --first-seed {first_seed}" if first_seed else ""
    options += f" --tasks {tasks}" if tasks else ""
    options += f" --methods {methods}" if methods else ""
    command = f"askew bench {shlex.quote(name)}{options}"
    judged, unjudged = recoveries_of(out)
    outcome.left_out.extend(unjudged)
    data = results(suite, out, [comparison for comparison, _ in graded], judged, outcome, placed, command)
    show_recovery(data["recovery"])
    for path in filter(None, (out / "results.json", json_)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    show_stages(data["seconds_by_stage"])
    for cell in outcome.left_out:
        typer.echo(f"left out: {cell['task']} {cell['supervisor']} {cell['method']} seed {cell['seed']}: "
                   f"{cell['error']}")  # fmt: skip
    for failure in outcome.failures:
        typer.echo(f"failed: {failure['task']} {failure['supervisor']} {failure['method']} seed {failure['seed']}: "
                   f"{failure['error']}", err=True)  # fmt: skip
    typer.echo(f"Runs and results: {out}")
    if outcome.failures:
        raise typer.Exit(1)


def show_recovery(rows: list[dict[str, Any]]) -> None:
    """Planted mistakes found, mistakes found that are none, and calibration; a line for each task and method."""
    if not rows:
        return
    mistaken = ["false_discoveries_planted", "false_discoveries_unbiased"]
    shown = ["top1", "top3", "pairs_top2", "labels_to_lead", *mistaken, "ece"]
    cells = [
        [
            row["task"],
            row["method"],
            str(row["runs"]),
            *("" if row[name] is None else f"{row[name]:.3g}" for name in shown),
        ]
        for row in rows
    ]
    show_table("planted mistakes found", ["", "", "runs", *(name.replace("_", " ") for name in shown)], cells)


def show_stages(seconds: dict[str, dict[str, float]]) -> None:
    """Where the time went: mean seconds of a run by method, and of its largest stages."""
    rows = []
    for method, stages in seconds.items():
        inner = sorted(((s, name) for name, s in stages.items() if name != "method" and s >= 0.05), reverse=True)
        rows.append([method, f"{stages.get('method', 0.0):.1f}", ", ".join(f"{name} {s:.1f}" for s, name in inner[:6])])
    show_table("seconds of one run", ["", "all", "stages"], rows)
