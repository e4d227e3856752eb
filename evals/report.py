"""``report.html``: one self-contained, printable page about a run, fit for a paper's appendix."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from askew.agent.account import set_evidence
from askew.agent.config import Settings
from askew.agent.journal import Data
from askew.agent.reading import SetView
from askew.agent.runlog import RunLog, read_run
from askew.agent.web import drawings
from askew.evals.compare import Comparison
from askew.evals.methods import METHODS
from askew.evals.protocol import read_config

PACKAGES = ("askew", "torch", "transformers", "numpy", "scipy", "scikit-learn")
OPTIONS = (
    "task", "supervisor", "student", "method", "budget", "rounds", "seed", "backend", "chains", "written_first",
    "written",
)  # fmt: skip
"""Settings that are options of ``askew run``; the others come from a TOML file."""
STRONGEST = 6
"""Answers that are shown for each set: those that moved its posterior most."""
FIGURES = Path(drawings.__file__).parent / "static" / "figures.css"


def write_report(folder: Path, comparison: Comparison) -> None:
    """Write ``folder/report.html`` from the run's log and its comparison. All text is escaped; nothing is fetched."""
    environment = Environment(
        loader=PackageLoader("askew.evals", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    run = read_run(folder)
    settings, twins = read_config(folder)
    page = environment.get_template("report.html").render(
        comparison=comparison, view=run.view, run=run, settings=settings.model_dump(), command=command(settings, twins),
        versions=versions(), system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        described={name: METHODS[name].description for name in comparison["methods"] if name in METHODS},
        seconds=_by_stage(run), sets=[_set(run, s) for s in _ordered(run.view.sets)], draw=drawings,
        subjects=[(run.view.clusters[name]["subject"], n) for name, n in run.subjects(12) if name in run.view.clusters],
        experiments=run.experiments(), mistakes=_mistakes(run.view.theory),
        style=Markup(FIGURES.read_text(encoding="utf-8")),  # noqa: S704 (our own file)
    )  # fmt: skip
    run.close()
    (folder / "report.html").write_text(page, encoding="utf-8")


def command(settings: Settings, twins: tuple[str, ...]) -> str:
    """The command that repeats the run; settings that are no options are named in a comment."""
    usual = Settings().model_dump()
    changed = {name: value for name, value in settings.model_dump().items() if value != usual[name]}
    words = ["askew", "run"]
    for name in OPTIONS:
        if name in changed:
            words += [f"--{name.replace('_', '-')}", str(changed.pop(name))]
    if twins:
        words += ["--with", ",".join(twins)]
    rest = ", ".join(f"{name} = {value}" for name, value in changed.items())
    return shlex.join(words) + (f"   # with a CONFIG.toml that says {rest}" if rest else "")


def versions() -> dict[str, str]:
    """What was installed when the report was written."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _ordered(sets: Mapping[str, SetView]) -> list[SetView]:
    """Living sets first, those that surely matter before those that don't."""
    return sorted(sets.values(), key=lambda s: (s.killed is not None, s.posterior.get("h0", 1.0)))


def _set(run: RunLog, shown: SetView) -> Data:
    rows = set_evidence(run, shown)
    moves = [(max(abs(row["after"][name] - row["before"][name]) for name in row["said"]), row) for row in rows]
    strongest = sorted(moves, key=lambda move: -move[0])[:STRONGEST]
    return {"view": shown, "evidence": [row for _, row in strongest], "answers": len(rows)}


def _mistakes(theory: Data | None) -> list[Data]:
    """Those that are surest to be there first."""
    found: list[Data] = (theory or {}).get("mistakes", [])
    return sorted(found, key=lambda m: -abs(m["weight"]) / max(m["sd"], 1e-9))


def _by_stage(run: RunLog) -> dict[str, float]:
    total: dict[str, float] = {}
    for stages in run.seconds().values():
        for stage, seconds in stages.items():
            total[stage] = total.get(stage, 0.0) + seconds
    return dict(sorted(total.items(), key=lambda item: -item[1]))
