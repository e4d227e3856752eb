"""The viewer: server-rendered pages over the event log, one permalink for every object."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from askew.agent.journal import Data
from askew.agent.reading import run_data
from askew.agent.web.guard import Guard
from askew.agent.web.store import Store, StoredRun
from askew.errors import AskewError

HERE = Path(__file__).parent
PAGE = 100
WIDTH, HEIGHT = 560, 160


class Viewer:
    """The pages. Everything from a log is data: templates escape it, and no page runs a script of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._templates = Environment(
            loader=PackageLoader("askew.agent.web", "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.globals["line"] = polyline

    def routes(self) -> list[Route | Mount]:
        """Where each page is."""
        return [
            Route("/", self.index),
            Route("/run/{slug}/", self.run),
            Route("/run/{slug}/set/{set_id}", self.set),
            Route("/run/{slug}/experiment/{experiment_id}", self.experiment),
            Route("/run/{slug}/experiments", self.experiments),
            Route("/run/{slug}/chains", self.chains),
            Route("/run/{slug}/search", self.search),
            Route("/run/{slug}/compare", self.compare),
            Route("/run/{slug}/status.json", self.status),
            Route("/run/{slug}/export.json", self.export_json),
            Route("/run/{slug}/experiments.csv", self.export_csv),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]

    def index(self, _: Request) -> Response:
        """All runs."""
        return self._page("index.html", runs=self._store.runs())

    def run(self, request: Request) -> Response:
        """One run: what is believed, round by round."""
        slug, run = self._run(request)
        alive = sorted(run.view.sets.values(), key=lambda s: (s.killed is not None, s.posterior.get("h0", 1.0)))
        latest = [e for e in run.view.experiments.values() if e["answered"]][-12:]
        return self._page("run.html", slug=slug, run=run, view=run.view, sets=alive, latest=latest)

    def set(self, request: Request) -> Response:
        """One hypothesis set: posterior over time, lineage, evidence."""
        slug, run = self._run(request)
        shown = run.view.sets.get(request.path_params["set_id"])
        if shown is None:
            raise HTTPException(404, "No such hypothesis set in this run.")
        names = [*shown.hypotheses, "h0"]
        paths = {name: [belief["posterior"].get(name) for belief in shown.history] for name in names}
        return self._page("set.html", slug=slug, run=run, s=shown, evidence=run.evidence(shown.id), paths=paths)

    def experiment(self, request: Request) -> Response:
        """One experiment: the case, and why it was asked."""
        slug, run = self._run(request)
        found = run.view.experiments.get(request.path_params["experiment_id"])
        if found is None:
            raise HTTPException(404, "No such experiment in this run.")
        chains = run.collapsed_chains(found["case"]["id"])
        return self._page("experiment.html", slug=slug, run=run, e=found, chains=chains)

    def experiments(self, request: Request) -> Response:
        """All experiments, filtered and paged."""
        slug, run = self._run(request)
        chosen = {name: request.query_params.get(name, "") for name in ("source", "set", "answer")}
        rows = [e for e in run.view.experiments.values() if _matches(e, chosen)]
        sources = sorted({e["source"] for e in run.view.experiments.values()})
        return self._page(
            "experiments.html", slug=slug, run=run, chosen=chosen, sources=sources,
            **_paged(rows, request, chosen),
        )  # fmt: skip

    def chains(self, request: Request) -> Response:
        """Chains of thought, repetition collapsed."""
        slug, run = self._run(request)
        case = request.query_params.get("case") or None
        rows = run.collapsed_chains(case)
        return self._page("chains.html", slug=slug, run=run, case=case, **_paged(rows, request, {"case": case or ""}))

    def search(self, request: Request) -> Response:
        """Full-text search."""
        slug, run = self._run(request)
        query = request.query_params.get("q", "")
        return self._page("search.html", slug=slug, run=run, query=query, hits=run.search(query))

    def compare(self, request: Request) -> Response:
        """The comparison that was made when the run came to its end."""
        slug, run = self._run(request)
        results = run.results
        if results is None:
            raise HTTPException(404, "No comparison yet: it is made when the run is finished.")
        return self._page("compare.html", slug=slug, run=run, results=results)

    def status(self, request: Request) -> Response:
        """How many events there are, for a page that waits for more."""
        _, run = self._run(request)
        return JSONResponse({"events": run.lines, "finished": run.view.finished is not None})

    def export_json(self, request: Request) -> Response:
        """What 'askew inspect --json' prints."""
        _, run = self._run(request)
        return JSONResponse(run_data(run.view), headers={"Content-Disposition": "attachment; filename=askew.json"})

    def export_csv(self, request: Request) -> Response:
        """Experiments as CSV."""
        _, run = self._run(request)
        columns = ["id", "round", "set", "source", "eig", "epig", "reliability", "weak"]
        sheet = io.StringIO()
        writer = csv.writer(sheet)
        writer.writerow([*columns, "case", "text"])
        for e in run.view.experiments.values():
            cells = [e.get(name) for name in columns] + [e["case"]["id"], e["case"]["text"]]
            writer.writerow([_plain(cell) for cell in cells])
        headers = {"Content-Disposition": "attachment; filename=experiments.csv"}
        return Response(sheet.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)

    def _run(self, request: Request) -> tuple[str, StoredRun]:
        slug = request.path_params["slug"]
        run = self._store.run(slug)
        if run is None:
            raise HTTPException(404, "No such run here.")
        return slug, run

    def _page(self, template: str, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**values))


def build_app(root: Path, token: str, hosts: set[str]) -> Starlette:
    """The web app over the runs below ``root``; ``hosts`` are the Host headers that it answers to."""
    viewer = Viewer(Store(root))
    return Starlette(
        routes=viewer.routes(),
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=Guard(token, hosts))],
        exception_handlers={AskewError: _told, HTTPException: _missing},
    )


def _told(_: Request, error: Exception) -> Response:
    return Response(str(error), 500, media_type="text/plain")


def _missing(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Response(error.detail, error.status_code, media_type="text/plain")


def polyline(values: Sequence[float | None], low: float = 0.0, high: float = 1.0) -> str:
    """Points of an SVG line over equal steps; ``None`` where there is no value."""
    step = (WIDTH - 60) / max(1, len(values) - 1)
    span = max(high - low, 1e-9)
    points = [
        f"{40 + i * step:.1f},{HEIGHT - 20 - (value - low) / span * (HEIGHT - 35):.1f}"
        for i, value in enumerate(values)
        if value is not None
    ]
    return " ".join(points)


def _matches(experiment: Data, chosen: dict[str, str]) -> bool:
    answer = "open" if not experiment["answered"] else "unsure" if experiment["weak"] is None else "label"
    return (
        chosen["source"] in {"", experiment["source"]}
        and chosen["set"] in {"", experiment.get("set") or "truth"}
        and chosen["answer"] in {"", answer}
    )


def _paged(rows: Sequence[Data], request: Request, query: dict[str, str]) -> Data:
    """What a paged template shows: the rows of the page asked for, how many there are, and links to all pages."""
    page = _number(request.query_params.get("page"))
    pages = [(i + 1, urlencode({**query, "page": i}), i == page) for i in range(max(1, -(-len(rows) // PAGE)))]
    return {"total": len(rows), "rows": rows[page * PAGE : (page + 1) * PAGE], "pages": pages}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0


def _plain(cell: object) -> object:
    """A cell that a spreadsheet won't take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t"} else cell
