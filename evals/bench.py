"""A grid of task × supervisor × method × seed: every cell a run folder, compared at equal label budget.

A cell that is finished is never run again, a cell that was cut off continues where it stopped, and one that
fails is reported while the others go on.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from askew.agent.cluster import Embed
from askew.agent.config import Settings
from askew.agent.journal import TIMINGS
from askew.agent.models.remembered import Remembering, Samples
from askew.errors import AskewError, InputError
from askew.evals.compare import Comparison, compare
from askew.evals.grade import GradedRun, grade
from askew.evals.methods import METHODS
from askew.evals.methods.controls import CONTROLS
from askew.evals.protocol import Workbench, is_finished, read_config, run_folders, run_method, write_config
from askew.evals.recovery import Recovery, as_data, recovery, summary
from askew.tasks.load import load_task

SUITES = Path(__file__).parent / "suites"
Failure = dict[str, str]
HYPOTHESISING = ("scientific", *CONTROLS)
"""Methods that have hypotheses about the supervisor."""
_SAMPLES: Samples = {}


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
    methods: list[str] = Field(min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)
    grid: list[Grid] = Field(min_length=1)

    def trials(self) -> list[list[Settings]]:
        """Cells that share a task, a supervisor and a seed, and with them their features: one job each."""
        trials = []
        for grid in self.grid:
            for supervisor in grid.supervisors:
                for seed in range(self.seeds):
                    common = {**self.settings, "task": grid.task, "supervisor": supervisor, "seed": seed}
                    if grid.budget is not None:
                        common["budget"] = grid.budget
                    trials.append([Settings(**{**common, "method": name}) for name in self.methods])
        return trials


def read_suite(name: str, **overrides: Any) -> Suite:
    """A built-in suite or a TOML file; ``overrides`` replace what it says, where they aren't ``None``.

    Raises ``InputError``: no such suite, or one that can't be used.
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
        suite.trials()
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a usable suite: {error}") from None
    return suite


def cell_folder(out: Path, settings: Settings) -> Path:
    """Where a cell's run folder is."""
    parts = [settings.task, settings.supervisor]
    slugs = ["".join(c if c.isalnum() or c in "-_.@+" else "-" for c in Path(part).name) for part in parts]
    return out.joinpath(*slugs, f"{settings.method}-s{settings.seed}")


def run_suite(suite: Suite, out: Path, workers: int, say: Callable[[str], None]) -> list[Failure]:
    """Run all cells that aren't finished yet; the cells that failed, with their errors."""
    waiting = []
    for trial in suite.trials():
        cells = [settings for settings in trial if not is_finished(cell_folder(out, settings))]
        if cells:
            waiting.append(cells)
    failures: list[Failure] = []
    say(f"{sum(map(len, waiting))} cells to run in {len(waiting)} trials")
    for done, failed in enumerate(_outcomes(waiting, out, workers), start=1):
        failures += failed
        say(f"trial {done}/{len(waiting)} done" + "".join(f"; {f['method']} failed: {f['error']}" for f in failed))
    return failures


def _outcomes(waiting: Sequence[Sequence[Settings]], out: Path, workers: int) -> Iterator[list[Failure]]:
    if workers == 1:
        yield from (run_trial(cells, out) for cells in waiting)
        return
    # Each process has its own torch; "spawn" keeps them from sharing its threads.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(run_trial, cells, out): cells for cells in waiting}
        for future in as_completed(futures):
            try:
                yield future.result()
            except Exception as error:
                yield [_failure(settings, error) for settings in futures[future]]


def run_trial(cells: Sequence[Settings], out: Path) -> list[Failure]:
    """Run cells of one task, supervisor and seed; the ones that failed."""
    try:
        workbench = Workbench(cells[0])
    except AskewError as error:
        return [_failure(settings, error) for settings in cells]
    # The same chains for every supervisor of a task and seed: what is sampled does not depend on whom it is about.
    workbench.model = Remembering(workbench.model, _SAMPLES)
    failures = []
    for settings in cells:
        folder = cell_folder(out, settings)
        try:
            write_config(settings, folder, ())
            run_method(settings, folder, workbench, lambda _: None)
        except Exception as error:
            failures.append(_failure(settings, error))
    return failures


def _failure(settings: Settings, error: Exception) -> Failure:
    cell = {"task": settings.task, "supervisor": settings.supervisor, "method": settings.method}
    return {**cell, "seed": str(settings.seed), "error": f"{type(error).__name__}: {error}"}


def grade_suite(out: Path) -> list[tuple[Comparison, list[GradedRun]]]:
    """Comparisons of all that is finished in ``out``, one for each task and supervisor."""
    groups: dict[tuple[str, str], list[GradedRun]] = {}
    load = cache(load_task)
    for folder in run_folders(out):
        if is_finished(folder):
            settings, _ = read_config(folder)
            groups.setdefault((settings.task, settings.supervisor), []).append(grade(folder, load))
    return [(compare(runs), runs) for runs in groups.values()]


def recoveries_of(out: Path, embed: Embed) -> list[Recovery]:
    """What every finished run made of its supervisor's mistakes, where those are known."""
    load = cache(load_task)
    found = (recovery(folder, load, embed) for folder in run_folders(out) if is_finished(folder))
    return [one for one in found if one is not None and one.method in HYPOTHESISING]


def results(
    suite: Suite,
    out: Path,
    comparisons: Sequence[Comparison],
    recoveries: Sequence[Recovery],
    failures: Sequence[Failure],
    command: str,
) -> dict[str, Any]:
    """Everything a reader needs to judge and repeat the numbers."""
    return {
        "suite": suite.model_dump(),
        "command": command,
        "versions": {name: version(name) for name in ("askew", "torch", "transformers", "numpy", "scikit-learn")},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "seconds_by_stage": _seconds_by_stage(out),
        "comparisons": list(comparisons),
        "recovery": summary(recoveries),
        "recovered": as_data(recoveries),
        "failures": list(failures),
    }


def _seconds_by_stage(out: Path) -> dict[str, dict[str, float]]:
    """Mean seconds of each stage, by method."""
    totals: dict[str, dict[str, float]] = {}
    runs: dict[str, int] = {}
    for path in sorted(out.rglob(TIMINGS)):
        settings, _ = read_config(path.parent)
        runs[settings.method] = runs.get(settings.method, 0) + 1
        stages = totals.setdefault(settings.method, {})
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            stages[record["stage"]] = stages.get(record["stage"], 0.0) + record["seconds"]
    return {
        method: {stage: round(seconds / runs[method], 2) for stage, seconds in stages.items()}
        for method, stages in totals.items()
    }
