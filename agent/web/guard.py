"""Who may look: a token opens the door once, a strict cookie keeps it open, and only our own pages may ask."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

COOKIE = "askew"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""For a report: a page that is whole in itself, may be another's, and so may do nothing but be read."""


class Guard:
    """Middleware. ``hosts`` are the values of the Host header that are ours (against DNS rebinding)."""

    def __init__(self, token: str, hosts: set[str]) -> None:
        self._token = token
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        """Refuse, open the door, or let through; every answer carries the strict headers."""
        response = self._refusal(request) or self._entrance(request) or await go_on(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        # "no-referrer" would make our own forms say that they come from nowhere.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        return response

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("This address is not mine.", 421)
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() not in self._hosts:
            return PlainTextResponse("Another site may not ask this.", 403)
        if request.method == "POST" and request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return PlainTextResponse("Another site may not ask this.", 403)
        return None

    def _entrance(self, request: Request) -> Response | None:
        # Cookies don't know ports: two pages of askew on one machine each need a name of their own.
        cookie = f"{COOKIE}-{request.url.port or 80}"
        given = request.query_params.get("token")
        if given is not None and secrets.compare_digest(given.encode(), self._token.encode()):
            response = RedirectResponse(str(request.url.remove_query_params("token")), 303)
            response.set_cookie(cookie, self._token, httponly=True, samesite="strict")
            return response
        known = request.cookies.get(cookie, "")
        if secrets.compare_digest(known.encode(), self._token.encode()):
            return None
        return PlainTextResponse(
            "Open the address that 'askew view' or 'askew label' printed: it holds the token.", 403
        )
