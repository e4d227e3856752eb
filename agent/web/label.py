"""The labelling page: one item at a time, by mouse or keyboard. It never shows which answer the model expects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from askew.agent.supervisors.desk import Desk, labeller_name
from askew.agent.web.guard import Guard
from askew.errors import InputError, RunError

NAME = "labeller"
LARGEST_FORM = 20_000
Form = Mapping[str, str]
HERE = Path(__file__).parent


class LabelPage:
    """The page and the forms on it."""

    def __init__(self, desk: Desk, title: str) -> None:
        self._desk, self._title = desk, title
        self._templates = Environment(
            loader=PackageLoader("askew.agent.web", "templates"), autoescape=True, undefined=StrictUndefined
        )

    def routes(self) -> list[Route | Mount]:
        """Where everything is."""
        forms: dict[str, Callable[[str, Form], None]] = {
            "answer": self._answer, "undo": self._undo, "hand-in": self._hand_in,
        }  # fmt: skip
        return [
            Route("/", self.page),
            Route("/status.json", self.status),
            Route("/name", self.name, methods=["POST"]),
            *(Route(f"/{path}", self._form(act), methods=["POST"]) for path, act in forms.items()),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]

    def page(self, request: Request) -> Response:
        """What this labeller should do now."""
        labeller = _labeller(request)
        item = self._desk.next(labeller) if labeller else None
        done, total = self._desk.progress()
        return HTMLResponse(
            self._templates.get_template("label.html").render(
                title=self._title, labeller=labeller, item=item, done=done, total=total,
                over=self._desk.over, state=self._desk.state(),
            )
        )  # fmt: skip

    def status(self, _: Request) -> Response:
        """Whether there is something new to show."""
        return JSONResponse({"state": self._desk.state()})

    async def name(self, request: Request) -> Response:
        """Take the labeller's name."""
        try:
            name = labeller_name((await _read(request)).get("name", ""))
        except ValueError as error:
            return Response(str(error), 422, media_type="text/plain")
        response = RedirectResponse("/", 303)
        response.set_cookie(NAME, quote(name), httponly=True, samesite="strict", max_age=365 * 86400)
        return response

    def _form(self, act: Callable[[str, Form], None]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            labeller = _labeller(request)
            try:
                form = await _read(request)
                if labeller:
                    await run_in_threadpool(act, labeller, form)
            except ValueError as error:
                return Response(str(error), 422, media_type="text/plain")
            except RunError as error:
                return Response(f"This answer was not kept: {error}", 507, media_type="text/plain")
            return RedirectResponse("/", 303)

        return handle

    def _answer(self, labeller: str, form: Form) -> None:
        item, choice = form.get("item", ""), form.get("choice", "")
        if choice == "skip":
            self._desk.skip(labeller, item)
        elif choice == "unsure" or (choice.isascii() and choice.isdigit()):
            label = None if choice == "unsure" else int(choice)
            self._desk.answer(labeller, item, label, form.get("comment", ""))
        else:
            raise InputError(f"answer {choice[:20]!r}: expected the number of an option, unsure or skip.")

    def _undo(self, labeller: str, _: Form) -> None:
        self._desk.undo(labeller)

    def _hand_in(self, _: str, __: Form) -> None:
        self._desk.hand_in()


def build_label_app(desk: Desk, title: str, token: str, hosts: set[str]) -> Starlette:
    """The web app of one desk; ``hosts`` are the Host headers that it answers to."""
    return Starlette(
        routes=LabelPage(desk, title).routes(),
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=Guard(token, hosts))],
    )


async def _read(request: Request) -> Form:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise InputError(f"the form is longer than {LARGEST_FORM:,} bytes: shorten what you wrote.")
    return dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=10))


def _labeller(request: Request) -> str | None:
    try:
        return labeller_name(unquote(request.cookies.get(NAME, "")))
    except InputError:
        return None
