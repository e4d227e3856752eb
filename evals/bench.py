"""A grid of task × supervisor × method × seed: every cell a run folder, compared at equal label budget.

A cell that is finished is never run again, a cell that was cut off continues where it stopped, and one that
fails is reported while the others go on.
"""

from __future__ import annotations

import hashlib
import platform
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from askew.agent.config import Settings
from askew.agent.journal import TIMINGS, read_timings
from askew.agent.models.remembered import Remembering
from askew.agent.models.samples import Samples
from askew.errors import AskewError, InputError
from askew.evals.compare import Comparison, compare, compared_runs
from askew.evals.grade import GradedRun, grade
from askew.evals.methods import METHODS
from askew.evals.methods.controls import CONTROLS
from askew.evals.methods.registry import NotApplicableError, check_method
from askew.evals.protocol import (
    VLLM,
    Workbench,
    embedder,
    is_finished,
    read_config,
    run_folders,
    run_method,
    write_config,
)
from askew.evals.recovery import Recovery, as_data, planted_mistakes, recovery, summary
from askew.evals.workers import Report, Trial, Workers, cores, outcomes, report
from askew.tasks.load import load_task

SUITES = Path(__file__).parent / "suites"
HYPOTHESISING = ("scientific", *CONTROLS)
"""Methods that have hypotheses about the supervisor."""
SAMPLES = "samples.sqlite"
"""What was sampled for any cell of a bench, in its folder."""


class Grid(BaseModel):
    """Supervisors to study on one task."""

    model_config = ConfigDict(extra="forbid")
    task: str
    supervisors: list[str] = Field(min_length=1)
    budget: int | None = None


class Suite(BaseModel):
    """What a bench runs; ``settings`` holds options of ``askew run`` that all cells share."""

    model_config = ConfigDict(extra="forbid")
    name: str = ""
    description: str = ""
    seeds: int = Field(default=5, gt=0)
    first_seed: int = Field(default=0, ge=0)
    """A method that was tuned on some seeds is shown on others."""
    workers: int = Field(default=1, gt=0)
    """Processes, where nothing else is asked for and there are cores for them; each holds the models."""
    methods: list[str] = Field(min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)
    grid: list[Grid] = Field(min_length=1)

    def trials(self) -> list[list[Settings]]:
        """Cells that share a task, a supervisor and a seed, and with them their features: one job each."""
        trials = []
        for grid in self.grid:
            for supervisor in grid.supervisors:
                for seed in range(self.first_seed, self.first_seed + self.seeds):
                    common = {**self.settings, "task": grid.task, "supervisor": supervisor, "seed": seed}
                    if grid.budget is not None:
                        common["budget"] = grid.budget
                    trials.append([Settings(**{**common, "method": name}) for name in self.methods])
        return trials


def read_suite(name: str, tasks: Sequence[str] | None = None, **overrides: Any) -> Suite:
    """A built-in suite or a TOML file, of whose tasks these alone are run if any are given.

    ``overrides`` replace what it says, where they aren't ``None``. Raises ``InputError``: no such suite, one that can't
    be used, or a task that isn't in it.
    """
    known = {path.stem: path for path in sorted(SUITES.glob("*.toml"))}
    path = known.get(name, Path(name))
    if not path.is_file():
        raise InputError(f"unknown suite {name!r}: expected one of {', '.join(known)}, or a TOML file.")
    try:
        given = {option: value for option, value in overrides.items() if value is not None}
        suite = Suite(**{"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8")), **given})
        for method in suite.methods:
            _ = METHODS[method]
        places = Counter(cell_folder(Path(), settings) for trial in suite.trials() for settings in trial)
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a usable suite: {error}") from None
    twice = [str(place) for place, times in places.items() if times > 1]
    if twice:
        raise InputError(f"{path} is not a usable suite: {twice[0]} is in it twice; other budgets need another suite.")
    if tasks is None:
        return suite
    there = dict.fromkeys(grid.task for grid in suite.grid)
    if not tasks or not set(tasks) <= set(there):
        raise InputError(f"tasks {', '.join(tasks) or 'none'}: expected some of {', '.join(there)}, those of {name}.")
    return suite.model_copy(update={"grid": [grid for grid in suite.grid if grid.task in tasks]})


def cell_folder(out: Path, settings: Settings) -> Path:
    """Where a cell's run folder is."""
    return out / _slug(settings.task) / _slug(settings.supervisor) / f"{settings.method}-s{settings.seed}"


def _slug(name: str) -> str:
    """The end of a name, for people; where that isn't all of it, with a digest that tells it from others."""
    end = Path(name).name
    slug = "".join(c if c.isalnum() or c in "-_.@+" else "-" for c in end)
    return slug if end == name else f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has no result: cells that failed, and cells whose method doesn't go with their supervisor."""

    failures: list[Report]
    left_out: list[Report]


def run_suite(
    suite: Suite, out: Path, workers: Workers, say: Callable[[str], None], trial: Trial | None = None
) -> Outcome:
    """Run all cells that aren't finished yet; ``trial`` stands in for :func:`run_trial`.

    Raises ``InputError`` where ``out`` holds a finished run with other settings in the place of a cell.
    """
    waiting = [unfinished for mine in suite.trials() if (unfinished := [s for s in mine if not _is_done(s, out)])]
    outcome = Outcome([], [])
    say(f"{sum(map(len, waiting))} cells to run in {len(waiting)} trials")
    for done, (cells, ended) in enumerate(outcomes(waiting, out, workers, trial or run_trial), start=1):
        reports = [report(cell, ended) for cell in cells] if isinstance(ended, Exception) else ended
        failed = [item for item in reports if "left out" not in item]
        outcome.failures.extend(failed)
        outcome.left_out.extend(item for item in reports if "left out" in item)
        say(f"trial {done}/{len(waiting)} done" + "".join(f"; {f['method']} failed: {f['error']}" for f in failed))
    return outcome


def _is_done(settings: Settings, out: Path) -> bool:
    folder = cell_folder(out, settings)
    if not is_finished(folder):
        return False
    if read_config(folder)[0] != settings:
        raise InputError(f"{folder} holds a finished run with other settings than the suite's: choose another --out.")
    return True


def run_trial(cells: Sequence[Settings], out: Path) -> list[Report]:
    """Run cells of one task, supervisor and seed; what has no result."""
    try:
        workbench = Workbench(cells[0])
        _ = workbench.supervisor
        workbench.logs = cell_folder(out, cells[0]).parent / VLLM
        # The same chains for every supervisor of a task and seed: what is sampled does not depend on whom it is about.
        samples = Samples(out / SAMPLES)
        workbench.model = Remembering(workbench.model, samples)
        if workbench.warmed is not None:
            workbench.warmed = Remembering(workbench.warmed, samples)
    except AskewError as error:
        return [report(settings, error) for settings in cells]
    with closing(workbench):
        return _run_cells(cells, out, workbench)


def _run_cells(cells: Sequence[Settings], out: Path, workbench: Workbench) -> list[Report]:
    reports = []
    for settings in cells:
        folder = cell_folder(out, settings)
        try:
            check_method(settings.method, workbench.supervisor, settings.supervisor, workbench.loaded.task)
            write_config(settings, folder, ())
            run_method(settings, folder, workbench, lambda _: None)
        except NotApplicableError as error:
            reports.append({**report(settings, error), "left out": "not applicable"})
        except Exception as error:
            reports.append(report(settings, error))
    return reports


def grade_suite(out: Path) -> tuple[list[tuple[Comparison, list[GradedRun]]], list[Report]]:
    """Comparisons of all that is finished in ``out``, one for each task and supervisor, and what can't be compared."""
    groups: dict[tuple[str, str], list[GradedRun]] = {}
    load = cache(load_task)
    for folder in run_folders(out):
        if is_finished(folder):
            settings, _ = read_config(folder)
            groups.setdefault((settings.task, settings.supervisor), []).append(grade(folder, load))
    comparisons, failed = [], []
    for runs in groups.values():
        try:
            comparisons.append((compare(runs), compared_runs(runs)))
        except InputError as error:
            failed.append(report(runs[0].settings, error))
    return comparisons, failed


def recoveries_of(out: Path) -> tuple[list[Recovery], list[Report]]:
    """What every finished run made of its supervisor's mistakes, where they are known; and those not to be judged."""
    folders = [folder for folder in run_folders(out) if is_finished(folder) and _recoverable(read_config(folder)[0])]
    if not folders:
        return [], []
    load, embed = cache(load_task), embedder().embed
    judged: list[Recovery] = []
    left_out: list[Report] = []
    for folder in folders:
        try:
            judged.append(recovery(folder, load, embed))
        except NotApplicableError as error:
            left_out.append({**report(read_config(folder)[0], error), "left out": "of recovery"})
    return judged, left_out


def _recoverable(settings: Settings) -> bool:
    return settings.method in HYPOTHESISING and planted_mistakes(settings.supervisor) is not None


def results(
    suite: Suite,
    out: Path,
    comparisons: Sequence[Comparison],
    recoveries: Sequence[Recovery],
    outcome: Outcome,
    workers: Workers,
    command: str,
) -> dict[str, Any]:
    """Everything a reader needs to judge and repeat the numbers."""
    return {
        "suite": suite.model_dump(),
        "command": command,
        "versions": {name: version(name) for name in ("askew", "torch", "transformers", "numpy", "scikit-learn")},
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": cores(),
            "threads": workers.threads_each,
        },
        "seconds_by_stage": seconds_by_stage(out),
        "comparisons": list(comparisons),
        "recovery": summary(recoveries),
        "recovered": as_data(recoveries),
        "failures": outcome.failures,
        "left_out": outcome.left_out,
    }


def seconds_by_stage(out: Path) -> dict[str, dict[str, float]]:
    """Mean seconds of each stage, by method."""
    totals: dict[str, dict[str, float]] = {}
    runs: dict[str, int] = {}
    for path in sorted(out.rglob(TIMINGS)):
        settings, _ = read_config(path.parent)
        runs[settings.method] = runs.get(settings.method, 0) + 1
        stages = totals.setdefault(settings.method, {})
        for record in read_timings(path.parent):
            stages[record["stage"]] = stages.get(record["stage"], 0.0) + record["seconds"]
    return {
        method: {stage: round(seconds / runs[method], 2) for stage, seconds in stages.items()}
        for method, stages in totals.items()
    }
