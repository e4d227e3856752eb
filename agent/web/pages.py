"""What all pages share: the templates with their helpers, filters from the address, and pages of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from askew.agent.journal import Data
from askew.agent.reading import RunView
from askew.agent.runlog import TRUTH, Hit
from askew.agent.web import drawings
from askew.agent.web.figures import STYLES, marked

PAGE = 100


def templates() -> Environment:
    """The templates: everything is escaped, and a name that isn't given is an error."""
    environment = Environment(
        loader=PackageLoader("askew.agent.web", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {
        "posterior_figure": drawings.posterior_figure,
        "posterior_sparkline": drawings.posterior_sparkline,
        "agreement_figure": drawings.agreement_figure,
        "student_figure": drawings.student_figure,
        "comparison_figure": drawings.comparison_figure,
        "cluster_style": cluster_style,
        "link_of": link_of,
        "marked": marked,
        "TRUTH": TRUTH,
    }
    environment.filters |= {"segment": lambda text: quote(str(text), safe=""), "when": when}
    return environment


def choice(request: Request, *names: str) -> dict[str, str]:
    """What the address chooses, by name; empty for all."""
    return {name: request.query_params.get(name, "") for name in names}


def number(request: Request) -> int:
    """The page asked for, from 0."""
    text = request.query_params.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def paged(rows: Sequence[Any], total: int, request: Request, query: dict[str, str], cut: bool = True) -> Data:
    """What a paged template shows: rows (cut to the page here, unless they are it already) and links around it."""
    page, last = number(request), max(0, -(-total // PAGE) - 1)
    kept = {name: value for name, value in query.items() if value}
    shown = sorted({0, last, *range(max(0, page - 2), min(last, page + 2) + 1)})
    return {
        "total": total,
        "rows": rows[page * PAGE : (page + 1) * PAGE] if cut else rows,
        "first": page * PAGE,
        "pages": [(i + 1, urlencode({**kept, "page": i}), i == page) for i in shown] if last else [],
        "query": urlencode(kept),
    }


def cluster_style(view: RunView, name: str | None) -> str:
    """The colour class of a cluster: one subject keeps its colour through the rounds."""
    cluster = view.clusters.get(name or "")
    if cluster is None:
        return "c-none"
    subjects = list(dict.fromkeys(c["subject"] for c in view.clusters.values()))
    return f"c{subjects.index(cluster['subject']) % STYLES}"


def link_of(hit: Hit) -> str:
    """The page, within a run's, that shows a search hit."""
    data = hit.data
    match hit.kind:
        case "chain":
            return f"chain/{hit.n}"
        case "cluster":
            return f"cluster/{quote(data['id'], safe='')}"
        case "hypothesis-born" | "hypothesis-merged" | "hypothesis-killed" | "clarification":
            return f"set/{quote(data['set'], safe='')}"
        case "experiment":
            return f"experiment/{quote(data['id'], safe='')}"
        case "written" | "proposed":
            case = next((c["id"] for c in data["cases"] if hit.text.startswith(f"{c['id']} {c['text']}")), "")
            return f"case?{urlencode({'id': case})}"
        case _:
            return f"event/{hit.n}"


def when(seconds: float) -> str:
    """A time as a person of this machine reads it."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
