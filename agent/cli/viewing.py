"""``askew view``: serve the viewer until interrupted."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from pathlib import Path

import typer

from askew.errors import InputError, RunError


def view_command(folder: Path, host: str, port: int, expose: bool) -> None:
    """Serve the runs of ``folder`` on ``host``; prints the address with the token that opens it."""
    try:
        import uvicorn

        from askew.agent.web.app import build_app
    except ImportError as error:
        raise InputError(f"the viewer needs {error.name}: install askew[web].") from None
    if not _is_loopback(host) and not expose:
        raise InputError(f"{host} can be reached by others: add --expose if that is meant, or keep 127.0.0.1.")
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: expected a run folder or a folder of them.")
    token = secrets.token_urlsafe(24)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise RunError(f"can't listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
    port = listener.getsockname()[1]
    app = build_app(folder, token, {f"{host}:{port}", f"localhost:{port}", f"127.0.0.1:{port}"})
    typer.echo(f"askew view: http://{host}:{port}/?token={token}   (Ctrl-C ends it)")
    # No access log: the first address holds the token.
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
