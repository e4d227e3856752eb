"""``askew warmup``: teach a reasoner to ground its steps, and say how well it does."""

from __future__ import annotations

from pathlib import Path

import typer

from askew.agent.cli.display import show_table, shown_progress
from askew.errors import InputError


def warmup_command(student: str, out: Path, traces: int | None, seed: int, measure_only: bool) -> None:
    """Train an adapter in ``out`` (unless it is only to be measured), and measure it on cases it has not seen."""
    from askew.agent.models.pull import model_folder
    from askew.agent.reasoner import ADAPTER_WEIGHTS, load_warmed
    from askew.agent.warmup.traces import Made
    from askew.agent.warmup.train import (
        TEMPERATURES,
        TEST_TRACES,
        TRACES,
        measure,
        test_traces,
        warm_up,
        write_quality,
    )

    base = model_folder(student)
    if measure_only and not (out / ADAPTER_WEIGHTS).is_file():
        raise InputError(f"no {ADAPTER_WEIGHTS} in {out}: expected a folder that 'askew warmup' made.")
    if not measure_only and out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty: choose another --out, or --measure what is in it.")
    with shown_progress():
        if not measure_only:
            warm_up(base, out, traces or TRACES, seed)
        model = load_warmed(base, out, student)
        tests = (Made.OTHER_CASES, Made.OTHER_WORDS)
        quality = [
            measure(model, test_traces(made), made, temperature) for made in tests for temperature in TEMPERATURES
        ]
    write_quality(out, quality)
    rows = [
        [q.on, *(f"{value:.2f}" for value in (q.temperature, q.precision, q.recall, q.malformed, q.truth_agreement))]
        for q in quality
    ]
    show_table(
        f"{student}, warmed up: subjects named on {TEST_TRACES} cases it has not seen",
        ["", "temperature", "precision", "recall", "malformed", "truth (0.5 is chance)"],
        rows,
    )
    typer.echo(f"Use it: askew run --reasoner {out}")
