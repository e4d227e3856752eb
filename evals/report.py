"""``report.html``: one self-contained, printable page about a run."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from askew.agent.reading import read_run
from askew.evals.compare import Comparison


def write_report(folder: Path, comparison: Comparison) -> None:
    """Write ``folder/report.html`` from the run's log, its comparison and its curve. All text is escaped."""
    environment = Environment(
        loader=PackageLoader("askew.evals", "templates"), autoescape=True, undefined=StrictUndefined
    )
    view = read_run(folder)
    curve = base64.b64encode((folder / "curve.png").read_bytes()).decode("ascii")
    sets = sorted((s for s in view.sets.values() if s.killed is None), key=lambda s: s.posterior.get("h0", 1.0))
    page = environment.get_template("report.html").render(
        comparison=comparison,
        run=view.started,
        theory=view.theory,
        sets=sets,
        believed=view.believed,
        rounds=view.rounds,
        experiments=[e for e in view.experiments.values() if e["answered"]],
        curve=curve,
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
