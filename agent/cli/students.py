"""``askew serve`` and ``askew bench throughput``: the student behind vLLM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from askew.agent.cli.display import show_table, shown_progress
from askew.agent.config import Serving
from askew.errors import InputError, ModelError, RunError

if TYPE_CHECKING:
    from askew.agent.models.server import OwnServer

LOOK_EVERY = 1.0
"""Seconds between two looks at whether the server still runs."""
STOPS_WITHIN = 60.0


def serve_command(model: str, options: Serving, folder: Path, port: int, background: bool) -> None:
    """Serve until interrupted, starting the server again when it dies; or do so in the background."""
    from askew.agent.models.engine import find_engine
    from askew.agent.models.pull import model_folder
    from askew.agent.models.server import OwnServer

    if _running(folder):
        raise InputError(f"{folder} has a server already: stop it with 'askew serve {model} --stop', or give --out.")
    engine, weights = find_engine(options), model_folder(model)
    if background:
        _in_background(folder)
        return
    server = OwnServer(engine, weights, f"{model}@0", options, folder, port)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with shown_progress() as say:
            say(f"vLLM {engine.version} loads {model}")
            server.address()
        _keep_up(server, folder)
    finally:
        server.close()
        _state(folder).unlink(missing_ok=True)


def stop_command(folder: Path) -> None:
    """End the server of a folder and wait until it is gone."""
    running = _running(folder)
    if running is None:
        raise InputError(f"no vLLM server runs in {folder}: nothing to stop.")
    os.kill(running, signal.SIGTERM)
    deadline = time.monotonic() + STOPS_WITHIN
    while _running(folder) is not None:
        if time.monotonic() > deadline:
            raise RunError(f"the server of {folder} (process {running}) didn't stop within {STOPS_WITHIN:.0f} s.")
        time.sleep(0.1)
    typer.echo(f"stopped the server of {folder}")


def throughput_command(python: str | None, json_: Path | None, rivals: str | None) -> None:
    """Measure, print the rates and their ratios, and write them where asked."""
    from askew.agent.cli.running import separated
    from askew.evals.throughput import RIVALS, measure

    chosen = tuple(separated(rivals)) if rivals is not None else ("offline", "local")
    unknown = set(chosen) - set(RIVALS)
    if unknown:
        raise InputError(f"unknown rival {', '.join(sorted(unknown))}: expected some of {', '.join(RIVALS)}.")
    with shown_progress() as say:
        measured = measure(Serving(python=python), chosen, say)
    rows = [
        [row["what"], *(f"{row['rates'][kind]:.0f}" for kind in measured["kinds"]), f"{row['rate']:.0f}", row["ratio"]]
        for row in measured["rows"]
    ]
    show_table("tokens a second", ["", *measured["kinds"], "together", "agent is"], rows)
    for line in measured["notes"]:
        typer.echo(line)
    if json_ is not None:
        json_.parent.mkdir(parents=True, exist_ok=True)
        json_.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")


def _keep_up(server: OwnServer, folder: Path) -> None:
    """Tell where it is, and start it again whenever it has died, until interrupted."""
    from askew.agent.models.server import write_state

    address = server.address()
    write_state(_state(folder), address, os.getpid())
    typer.echo(
        f"{server.served} answers at {address.url}; its key is in {_state(folder)} (Ctrl-C ends it)\n"
        f"askew run --backend vllm --vllm-server {folder}"
    )
    try:
        while True:
            time.sleep(LOOK_EVERY)
            if not server.alive():
                typer.echo("the server has died: starting it again", err=True)
                write_state(_state(folder), server.address(), os.getpid())
    except KeyboardInterrupt:
        typer.echo("stopping")


def _in_background(folder: Path) -> None:
    """The same command without ``--background``, in a session of its own; comes back when it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [argument for argument in sys.argv[1:] if argument != "--background"]
    command = [sys.executable, "-c", "from askew.agent.cli import main; main()", *arguments]
    said = folder / "serve.log"
    with said.open("wb") as log:
        child = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while _running(folder) is None:
            if child.poll() is not None:
                raise ModelError(said.read_text(encoding="utf-8", errors="replace").strip().removeprefix("askew: "))
            time.sleep(0.2)
    except KeyboardInterrupt:
        child.terminate()
        raise
    typer.echo(said.read_text(encoding="utf-8", errors="replace").strip())


def _state(folder: Path) -> Path:
    from askew.agent.models.server import STATE

    return folder / STATE


def _running(folder: Path) -> int | None:
    """The process that keeps the server of ``folder``, if it is the one that wrote so."""
    import psutil

    try:
        state = json.loads(_state(folder).read_text(encoding="utf-8"))
        process = psutil.Process(int(state["pid"]))
        same = abs(process.create_time() - float(state["since"])) < 2.0 and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return process.pid if same else None


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
