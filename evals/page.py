"""A comparison as one self-contained page: the table, the curve with bands, the mistakes found, the fine print."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

import askew
from askew.evals.compare import Comparison
from askew.evals.grade import GradedRun
from askew.evals.methods import METHODS
from askew.evals.plots import draw_curves


def write_page(comparison: Comparison, runs: Sequence[GradedRun], path: Path) -> None:
    """Write the page to ``path``; it needs nothing beside itself. All text is escaped, none of it is run."""
    environment = Environment(
        loader=PackageLoader("askew.evals", "templates"), autoescape=True, undefined=StrictUndefined
    )
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "curve.png"
        draw_curves(runs, drawn)
        curve = base64.b64encode(drawn.read_bytes()).decode("ascii")
    page = environment.get_template("comparison.html").render(
        comparison=comparison,
        described={name: METHODS[name].description for name in comparison["methods"]},
        references={name for name in comparison["methods"] if METHODS[name].reference},
        seeds=sorted({run.settings.seed for run in runs}),
        version=askew.__version__,
        curve=curve,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
