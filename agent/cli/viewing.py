"""``askew view`` and ``askew label``: pages in a browser."""

from __future__ import annotations

import threading
from pathlib import Path

import typer

from askew.agent.cli.serving import serve_page
from askew.agent.config import Settings
from askew.errors import AskewError, InputError


def view_command(folder: Path, host: str, port: int, expose: bool) -> None:
    """Serve the runs of ``folder``."""
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: expected a run folder or a folder of them.")
    try:
        from askew.agent.web.app import build_app
    except ImportError as error:
        raise InputError(f"the viewer needs {error.name}: install askew[web].") from None
    serve_page("askew view", lambda token, hosts: build_app(folder, token, hosts), host, port, expose)


def label_command(folder: Path, settings: Settings | None, labellers: int, host: str, port: int, expose: bool) -> None:
    """Serve the labelling page of a run, and go on with the run as answers arrive.

    ``settings`` begin a run where the folder holds none yet; a run that is there keeps its own.
    """
    try:
        from askew.agent.web.label import build_label_app
    except ImportError as error:
        raise InputError(f"the labelling page needs {error.name}: install askew[web].") from None
    from askew.agent.cli.running import run_in, twins_of
    from askew.agent.config import CONFIG
    from askew.agent.supervisors.desk import Desk, DeskSupervisor
    from askew.evals.protocol import read_config
    from askew.tasks.load import load_task

    if (folder / CONFIG).is_file():
        settings, twins = read_config(folder)
    elif settings is not None:
        twins = twins_of(settings, None)
    if settings is None:
        raise InputError(f"{folder} is not a run folder: give --task and --budget to begin a run in it.")
    if settings.supervisor != "human":
        raise InputError(f"{folder} is a run with supervisor {settings.supervisor!r}: people label with 'human'.")
    question = load_task(settings.task, settings.seed).task.question
    folder.mkdir(parents=True, exist_ok=True)
    desk = Desk(folder, labellers)
    chosen, with_twins = settings, twins

    def work() -> None:
        try:
            run_in(chosen, folder, with_twins, DeskSupervisor(desk, question))
            desk.close("Finished. Thank you.")
        except (AskewError, OSError) as error:
            typer.echo(f"askew: {error}", err=True)
            desk.close("The run has stopped: its owner sees why in the terminal. No answer is lost.")

    # The run waits for people in its own thread; when the page ends, so does the process, and nothing is lost.
    threading.Thread(target=work, daemon=True).start()
    title = f"{chosen.task}, {chosen.budget} answers"
    serve_page("askew label", lambda token, hosts: build_label_app(desk, title, token, hosts), host, port, expose)
