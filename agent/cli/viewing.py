"""``askew view`` and ``askew label``: pages in a browser."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from askew.agent.cli.serving import serve_page
from askew.agent.config import CONFIG, Settings
from askew.agent.journal import Data
from askew.errors import AskewError, InputError

if TYPE_CHECKING:
    from starlette.applications import Starlette


def view_command(folder: Path, host: str, port: int, expose: bool) -> None:
    """Serve the runs of ``folder``."""
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: expected a run folder or a folder of them.")

    def build(token: str, hosts: set[str]) -> Starlette:
        from askew.agent.web.app import build_app

        return build_app(folder, token, hosts, graded)

    serve_page("askew view", build, host, port, expose)


def graded(folders: list[Path]) -> Data:
    """A comparison of run folders. Grading opens gold, so it is done here and not by the agent's pages."""
    from askew.agent.cli.running import compared

    return compared(folders)[0]


def label_command(
    folder: Path, given: Settings | None, labellers: int | None, host: str, port: int, expose: bool
) -> None:
    """Serve the labelling page of a run, and go on with the run as answers arrive.

    ``given`` settings begin a run where the folder holds none yet; a run that is there keeps its own.
    """
    from askew.agent.cli.running import run_in
    from askew.agent.supervisors.desk import Desk, DeskSupervisor
    from askew.evals.protocol import read_config
    from askew.tasks.load import load_task

    settings, twins = read_config(folder) if (folder / CONFIG).is_file() else (given, None)
    if settings is None:
        raise InputError(f"{folder} is not a run folder: give --task and --budget to begin a run in it.")
    if settings.supervisor != "human":
        raise InputError(f"{folder} is a run with supervisor {settings.supervisor!r}: people label with 'human'.")
    # An unusable task is told here, and not by a page that has nothing to show.
    question = load_task(settings.task, settings.seed).task.question
    if labellers not in {None, settings.labellers}:
        raise InputError(
            f"{folder} was begun with --labellers {settings.labellers}, and keeps it: now it is {labellers}."
        )
    if given is not None and "budget" in given.model_fields_set and given.budget != settings.budget:
        raise InputError(f"{folder} was begun with --budget {settings.budget}, and keeps it: now it is {given.budget}.")
    desk = Desk(folder, settings.labellers)
    failed: list[Exception] = []

    def work() -> None:
        try:
            run_in(settings, folder, twins, DeskSupervisor(desk, question))
            desk.close("Finished. Thank you.")
        except Exception as error:
            failed.append(error)
            typer.echo(f"askew: {error}", err=True)
            desk.close("The run has stopped: its owner sees why in the terminal. No answer is lost.")

    def build(token: str, hosts: set[str]) -> Starlette:
        from askew.agent.web.label import build_label_app

        # The run waits for people in its own thread; when the page ends, so does the process, and nothing is lost.
        threading.Thread(target=work, daemon=True).start()
        return build_label_app(desk, f"{settings.task}, {settings.budget} answers", token, hosts)

    serve_page("askew label", build, host, port, expose)
    if failed:
        raise typer.Exit(failed[0].exit_code if isinstance(failed[0], AskewError) else 1)
