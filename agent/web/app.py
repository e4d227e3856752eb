"""The viewer: server-rendered pages over the event log, one permalink for every object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from askew.agent import account
from askew.agent.journal import Data
from askew.agent.runlog import RunLog
from askew.agent.web import exports
from askew.agent.web.guard import REPORT_POLICY, Guard
from askew.agent.web.pages import PAGE, choice, number, paged, templates
from askew.agent.web.store import REPORT, Glance, Store
from askew.errors import AskewError

HERE = Path(__file__).parent
MOST_COMPARED = 200

Compare = Callable[[list[Path]], Data]
"""Grades and compares run folders: given by the command line, since gold is out of the agent's reach."""


class Viewer:
    """The pages. Everything from a log is data: templates escape it, and no page runs a script of its own."""

    def __init__(self, store: Store, compare: Compare | None) -> None:
        self._store, self._compare = store, compare
        self._templates = templates()
        self._compared: dict[tuple[tuple[str, int], ...], Data] = {}

    def routes(self) -> list[Route | Mount]:
        """Where each page is."""
        of_a_run = {
            "": self.run, "status.json": self.status, "round/{number:int}": self.round, "set/{id}": self.set,
            "set/{id}/export.json": self.set_json, "experiments": self.experiments,
            "experiments.csv": self.experiments_csv, "experiment/{id}": self.experiment, "chains": self.chains,
            "chains.csv": self.chains_csv, "chain/{number:int}": self.chain, "cluster/{id}": self.cluster,
            "case": self.case, "case.json": self.case_json, "events": self.events, "event/{number:int}": self.event,
            "search": self.search, "search.json": self.search_json, "compare": self.comparison,
            "compare.json": self.comparison_json, "compare.csv": self.comparison_csv, "export.json": self.export,
            "beliefs.csv": self.beliefs_csv, "report.html": self.report,
        }  # fmt: skip
        return [
            Route("/", self.index),
            Route("/status.json", self.status_of_all),
            Route("/compare", self.chosen_comparison),
            *(Route(f"/run/{{slug}}/{path}", page) for path, page in of_a_run.items()),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]

    # -- the list of runs ----------------------------------------------------------------------------

    def index(self, request: Request) -> Response:
        """All runs."""
        glances = self._store.glances()
        chosen = choice(request, "q", "state", "twins")
        rows = [glance for glance in glances if _is_meant(glance, chosen)]
        return self._page(
            "index.html", chosen=chosen, all=len(glances), live="/status.json", seen=_size(glances),
            can_compare=self._compare is not None, **paged(rows, len(rows), request, chosen),
        )  # fmt: skip

    def status_of_all(self, _: Request) -> Response:
        """How much there is, for a page that waits for more."""
        return JSONResponse({"seen": _size(self._store.glances()), "finished": False})

    def chosen_comparison(self, request: Request) -> Response:
        """Runs of one's own choice, side by side: the figures are computed from their logs."""
        slugs = [slug for slug in dict.fromkeys(request.query_params.getlist("run")) if slug][:MOST_COMPARED]
        folders = self._store.folders()
        missing = [slug for slug in slugs if slug not in folders]
        if missing or not slugs or self._compare is None:
            raise HTTPException(404, "Choose runs to compare from the list of runs.")
        glances = {glance.slug: glance.size for glance in self._store.glances()}
        key = tuple((slug, glances.get(slug, 0)) for slug in slugs)
        if key not in self._compared:
            self._compared[key] = self._compare([folders[slug] for slug in slugs])
        return self._page("compare.html", results=self._compared[key], slugs=slugs, live=None)

    # -- a run ---------------------------------------------------------------------------------------

    def run(self, request: Request) -> Response:
        """One run: what is believed, round by round."""
        slug, run = self._run(request)
        sets = sorted(run.view.sets.values(), key=lambda s: (s.killed is not None, s.posterior.get("h0", 1.0)))
        return self._run_page(
            "run.html", slug, run, view=run.view, sets=sets, seconds=run.seconds(),
            latest=run.experiments(limit=10, latest=True), results=self._store.results(slug),
            report=self._store.text(slug, REPORT) is not None,
        )  # fmt: skip

    def round(self, request: Request) -> Response:
        """Everything that happened in one round."""
        slug, run = self._run(request)
        wanted = request.path_params["number"]
        found = next((r for r in run.view.rounds if r["round"] == wanted), None)
        if found is None:
            raise HTTPException(404, "No such round in this run.")
        rows = run.experiments({"round": wanted}, PAGE, number(request) * PAGE)
        total = run.count_experiments({"round": wanted})
        return self._run_page(
            "round.html", slug, run, r=found, view=run.view, seconds=run.seconds().get(wanted, {}),
            clusters=[c for c in run.view.clusters.values() if c["round"] == wanted],
            sets=[s.until(wanted) for s in run.view.sets.values() if any(b["round"] == wanted for b in s.history)],
            **paged(rows, total, request, {}, cut=False),
        )  # fmt: skip

    def set(self, request: Request) -> Response:
        """One hypothesis set: posterior over time, lineage, evidence."""
        slug, run = self._run(request)
        shown = run.view.sets.get(request.path_params["id"])
        if shown is None:
            raise HTTPException(404, "No such hypothesis set in this run.")
        rows = account.set_evidence(run, shown, PAGE, number(request) * PAGE)
        total = run.count_experiments({"about": shown.id})
        return self._run_page("set.html", slug, run, s=shown, **paged(rows, total, request, {}, cut=False))

    def experiments(self, request: Request) -> Response:
        """All experiments, filtered and paged."""
        slug, run = self._run(request)
        chosen = choice(request, "source", "about", "answer", "round")
        rows = run.experiments(chosen, PAGE, number(request) * PAGE)
        return self._run_page(
            "experiments.html", slug, run, chosen=chosen, sources=run.sources(),
            **paged(rows, run.count_experiments(chosen), request, chosen, cut=False),
        )  # fmt: skip

    def experiment(self, request: Request) -> Response:
        """One experiment: the case, and why it was asked."""
        slug, run = self._run(request)
        found = run.experiment(request.path_params["id"])
        if found is None:
            raise HTTPException(404, "No such experiment in this run.")
        shown = run.view.sets.get(found["set"] or "")
        return self._run_page(
            "experiment.html", slug, run, e=found, s=shown, moved=account.moved_by(run, found),
            priority=shown.priority_in(found["round"]) if shown else None, around=run.neighbours(found["n"]),
            chains=run.chains({"case_id": found.get("parent") or found["case"]["id"]}, 20),
        )  # fmt: skip

    def chains(self, request: Request) -> Response:
        """Chains of thought, repetition collapsed."""
        slug, run = self._run(request)
        chosen = choice(request, "case_id", "cluster", "round")
        rows = run.chains(chosen, PAGE, number(request) * PAGE)
        times, total = run.count_chains(chosen)
        return self._run_page(
            "chains.html",
            slug,
            run,
            chosen=chosen,
            times=times,
            subjects=run.subjects(12),
            **paged(rows, total, request, chosen, cut=False),
        )

    def chain(self, request: Request) -> Response:
        """One chain of thought."""
        slug, run = self._run(request)
        found = run.chain(request.path_params["number"])
        if found is None:
            raise HTTPException(404, "No such chain in this run.")
        return self._run_page("chain.html", slug, run, c=found)

    def cluster(self, request: Request) -> Response:
        """One cluster of claims: what was said of its subject, and where."""
        slug, run = self._run(request)
        found = run.view.clusters.get(request.path_params["id"])
        if found is None:
            raise HTTPException(404, "No such cluster in this run.")
        return self._run_page("cluster.html", slug, run, c=found, members=run.members(found["id"], 1000))

    def case(self, request: Request) -> Response:
        """One case: what was thought and asked about it."""
        slug, run = self._run(request)
        return self._run_page("case.html", slug, run, **self._case(request, run))

    def events(self, request: Request) -> Response:
        """The log itself."""
        slug, run = self._run(request)
        chosen = choice(request, "kind", "round")
        rows = run.events(chosen, PAGE, number(request) * PAGE)
        return self._run_page(
            "events.html", slug, run, chosen=chosen, **paged(rows, run.count_events(chosen), request, chosen, cut=False)
        )

    def event(self, request: Request) -> Response:
        """One record of the log, as it is."""
        slug, run = self._run(request)
        found = run.load([request.path_params["number"]])
        if not found:
            raise HTTPException(404, "No such event in this run.")
        return self._run_page("event.html", slug, run, event=found[0])

    def search(self, request: Request) -> Response:
        """Full-text search."""
        slug, run = self._run(request)
        chosen = choice(request, "q", "kind")
        total, rows = run.search(chosen["q"], chosen["kind"], PAGE, number(request) * PAGE)
        return self._run_page("search.html", slug, run, chosen=chosen, **paged(rows, total, request, chosen, cut=False))

    def comparison(self, request: Request) -> Response:
        """The comparison that was made when the run came to its end."""
        slug, run = self._run(request)
        return self._run_page("compare.html", slug, run, results=self._results(slug), slugs=[slug])

    def report(self, request: Request) -> Response:
        """The run's report. It may be another's, so it is shown where no script runs."""
        text = self._store.text(request.path_params["slug"], REPORT)
        if text is None:
            raise HTTPException(404, "No report yet: it is written when the run is finished.")
        return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})

    # -- for machines --------------------------------------------------------------------------------

    def status(self, request: Request) -> Response:
        """How many events there are, for a page that waits for more."""
        _, run = self._run(request)
        return JSONResponse({"seen": run.lines, "finished": run.view.finished is not None})

    def export(self, request: Request) -> Response:
        """What 'askew inspect --json' prints."""
        return exports.document("run", account.run_data(self._run(request)[1]))

    def set_json(self, request: Request) -> Response:
        """What 'askew inspect --set ID --json' prints."""
        _, run = self._run(request)
        shown = run.view.sets.get(request.path_params["id"])
        if shown is None:
            raise HTTPException(404, "No such hypothesis set in this run.")
        return exports.document("set", account.set_data(run, shown))

    def case_json(self, request: Request) -> Response:
        """What 'askew inspect --case ID --json' prints."""
        return exports.document("case", self._case(request, self._run(request)[1])["case"])

    def search_json(self, request: Request) -> Response:
        """What 'askew inspect --search WORDS --json' prints."""
        chosen = choice(request, "q", "kind")
        run = self._run(request)[1]
        return exports.document("search", account.search_data(run, chosen["q"], chosen["kind"], -1))

    def comparison_json(self, request: Request) -> Response:
        """The stored comparison."""
        return exports.document("comparison", self._results(request.path_params["slug"]))

    def comparison_csv(self, request: Request) -> Response:
        """The stored comparison as CSV."""
        return exports.comparison_csv(self._results(request.path_params["slug"]))

    def experiments_csv(self, request: Request) -> Response:
        """The experiments that the page of them shows, as CSV."""
        return exports.experiments_csv(self._run(request)[1], choice(request, "source", "about", "answer", "round"))

    def chains_csv(self, request: Request) -> Response:
        """Chains as CSV."""
        return exports.chains_csv(self._run(request)[1])

    def beliefs_csv(self, request: Request) -> Response:
        """Posteriors as CSV."""
        return exports.beliefs_csv(self._run(request)[1])

    # -- inside --------------------------------------------------------------------------------------

    def _run(self, request: Request) -> tuple[str, RunLog]:
        slug = request.path_params["slug"]
        run = self._store.run(slug)
        if run is None:
            raise HTTPException(404, "No such run here.")
        return slug, run

    def _results(self, slug: str) -> Data:
        results = self._store.results(slug)
        if results is None:
            raise HTTPException(404, "No comparison yet: it is made when the run is finished.")
        return results

    def _case(self, request: Request, run: RunLog) -> Data:
        found = account.case_data(run, request.query_params.get("id", ""))
        if found is None:
            raise HTTPException(404, "Nothing is known of such a case in this run.")
        return {"case": found, "chains": run.chains({"case_id": found["case"]})}

    def _run_page(self, template: str, slug: str, run: RunLog, **values: Any) -> Response:
        live = None if run.view.finished else f"/run/{slug}/status.json"
        compared = self._store.text(slug, account.RESULTS) is not None
        return self._page(template, slug=slug, run=run, live=live, seen=run.lines, compared=compared, **values)

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**values), status)

    def told(self, _: Request, error: Exception) -> Response:
        """A page for what can't be shown."""
        status = error.status_code if isinstance(error, HTTPException) else 422
        detail = error.detail if isinstance(error, HTTPException) else str(error)
        return self._page("message.html", status, message=detail, live=None)


def build_app(root: Path, token: str, hosts: set[str], compare: Compare | None = None) -> Starlette:
    """The web app over the runs below ``root``; ``hosts`` are the Host headers that it answers to."""
    store = Store(root)
    viewer = Viewer(store, compare)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    return Starlette(
        routes=viewer.routes(),
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=Guard(token, hosts))],
        exception_handlers={AskewError: viewer.told, HTTPException: viewer.told},
        lifespan=life,
    )


def _is_meant(glance: Glance, chosen: dict[str, str]) -> bool:
    about = " ".join([glance.slug, *(str(glance.settings.get(n, "")) for n in ("task", "supervisor", "method"))])
    return (
        all(word in about.casefold() for word in chosen["q"].casefold().split())
        and chosen["state"] in {"", glance.state}
        and (chosen["twins"] != "no" or glance.twin_of is None)
    )


def _size(glances: list[Glance]) -> int:
    return sum(glance.size for glance in glances)
