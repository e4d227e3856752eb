"""What all local web pages share: loopback unless said otherwise, a free port, a token in the first address."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
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
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise RunError(f"can't listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
    port = listener.getsockname()[1]
    app = build(token, {f"{host}:{port}", f"localhost:{port}", f"127.0.0.1:{port}"})
    typer.echo(f"{what}: http://{host}:{port}/?token={token}   (Ctrl-C ends it)")
    # No access log: the first address holds the token.
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
