"""What all local web pages share: loopback unless said otherwise, a free port, a token in the first address."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from askew.errors import InputError, RunError

if TYPE_CHECKING:
    from starlette.applications import Starlette

BuildApp = Callable[[str, set[str]], "Starlette"]
"""Makes the app from its token and the Host headers that are ours."""


def serve_page(what: str, build: BuildApp, host: str, port: int, expose: bool) -> None:
    """Serve until interrupted; prints the address with the token that opens it.

    Raises:
        InputError: the address can be reached by others and ``expose`` doesn't say so.
        RunError: the port can't be had.
    """
    try:
        import starlette
        import uvicorn
    except ImportError as error:
        raise InputError(f"{what} needs {error.name}: install askew[web].") from None
    del starlette  # what ``build`` will import; asked for here, so that a lack of it is told once
    if not _is_loopback(host) and not expose:
        raise InputError(f"{host} can be reached by others: add --expose if that is meant, or keep 127.0.0.1.")
    token = secrets.token_urlsafe(24)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise RunError(f"can't listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
    port = listener.getsockname()[1]
    names = own_names(host)
    app = build(token, {f"{name}:{port}" for name in names})
    typer.echo(f"{what}: http://{names[0]}:{port}/?token={token}   (Ctrl-C ends it)")
    # No access log: the first address holds the token.
    with suppress(KeyboardInterrupt):  # which is how it is ended
        uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run(sockets=[listener])


def own_names(host: str) -> list[str]:
    """The names by which a browser may call this machine, as they stand in a Host header; the best one first."""
    if host not in {"0.0.0.0", "::"}:  # noqa: S104 (asked whether it is, not bound)
        return list(dict.fromkeys([f"[{host}]" if ":" in host else host, "localhost", "127.0.0.1"]))
    name = socket.gethostname()
    try:
        addresses = sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None)})
    except OSError:
        addresses = []
    shown = [f"[{address}]" if ":" in address else address for address in addresses]
    return list(dict.fromkeys([name, socket.getfqdn(), *shown, "localhost", "127.0.0.1"]))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
