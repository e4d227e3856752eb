"""``askew models|data pull|list`` and ``askew tasks|supervisors|methods list``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from askew.agent.cli.display import show_table

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="By default all of them.")]


def _group(help_: str) -> typer.Typer:
    return typer.Typer(help=help_, no_args_is_help=True, rich_markup_mode=None)


models_app = _group("Models: list them, fetch them.")
data_app = _group("Data sets: list them, fetch them.")
tasks_app = _group("Tasks: list them, check one.")
supervisors_app = _group("Weak supervisors: list them.")
methods_app = _group("Methods: list them.")


def _show(title: str, columns: list[str], rows: list[list[str]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2))
    else:
        show_table(title, columns, rows)


@models_app.command("list")
def list_models(json_: Json = False) -> None:
    """Models that need no hub, and whether they are here."""
    from askew.agent.models.pull import MODELS, is_pulled

    rows = [
        [name, m.parameters, f"{m.megabytes} MB", m.licence, m.use, "yes" if is_pulled(name) else "no"]
        for name, m in MODELS.items()
    ]
    _show("models", ["name", "parameters", "size", "licence", "use", "pulled"], rows, json_)


@models_app.command("pull")
def pull_models(names: Names = None) -> None:
    """Fetch models, check their digests, convert and keep them. A second pull does nothing."""
    from askew.agent.models.pull import MODELS, model_folder

    for name in names or list(MODELS):
        typer.echo(f"{name}  {model_folder(name)}")


@data_app.command("list")
def list_data(json_: Json = False) -> None:
    """Data sets that need no hub, and whether they are here."""
    from askew.tasks.data import DATA, is_pulled

    rows = [[name, d.description, d.licence, "yes" if is_pulled(name) else "no"] for name, d in DATA.items()]
    _show("data", ["name", "description", "licence", "pulled"], rows, json_)


@data_app.command("pull")
def pull_data(names: Names = None) -> None:
    """Fetch data sets, check their digests and keep them. A second pull does nothing."""
    from askew.tasks.data import DATA, data_folder

    for name in names or list(DATA):
        typer.echo(f"{name}  {data_folder(name)}")


@tasks_app.command("list")
def list_tasks(json_: Json = False) -> None:
    """Built-in tasks and ready definitions of public data sets."""
    from askew.tasks.hub.sets import SETS
    from askew.tasks.load import TASKS

    rows = [[name, "built in"] for name in TASKS]
    rows += [[f"hf:{name}", f"{one.repository}: {one.question}"] for name, one in SETS.items()]
    rows += [
        ["hf:SET@FOLDER", "one of these from Parquet files of yours"],
        ["hf:OWNER/NAME[:CONFIG]", "another data set with the columns of a file of cases"],
        ["FILE.jsonl, .csv or .parquet", "your own cases"],
        ["FILE.py:FUNCTION", "your own code: from the seed to a LoadedTask"],
    ]
    _show("tasks", ["name", "what"], rows, json_)


@tasks_app.command("check")
def check_task_command(
    name: Annotated[str, typer.Argument(help="A task, by the name that 'askew run --task' takes.")],
    seed: Annotated[int, typer.Option(help="Draws the splits.")] = 0,
    json_: Json = False,
) -> None:
    """Check that a task keeps the contract that every experiment takes for granted."""
    from transformers import AutoConfig, AutoTokenizer

    from askew.agent.config import Settings
    from askew.agent.models.pull import model_folder
    from askew.evals.protocol import embedder
    from askew.evals.task_check import check_task
    from askew.tasks.load import load_task

    loaded = load_task(name, seed)
    folder = model_folder(Settings().student)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    context = int(AutoConfig.from_pretrained(folder).max_position_embeddings)
    found = check_task(loaded, lambda text: len(tokenizer(text)["input_ids"]), context, embedder().embed)
    rows = [[finding.name, "yes" if finding.holds else "NO", finding.seen] for finding in found]
    _show(name, ["contract", "holds", "seen"], rows, json_)
    for note in loaded.notes:
        typer.echo(note, err=True)
    if not all(finding.holds for finding in found):
        raise typer.Exit(1)


@supervisors_app.command("list")
def list_supervisors(json_: Json = False) -> None:
    """Ways of being or providing the weak supervisor."""
    from askew.agent.supervisors.resolve import SUPERVISORS

    rows = [[kind.usage, kind.description] for _, kind in SUPERVISORS.items()]
    rows.append(["package.module:factory or FILE.py:factory", "your own: a callable taking the run's settings"])
    _show("supervisors", ["name", "description"], rows, json_)


@methods_app.command("list")
def list_methods(json_: Json = False) -> None:
    """Methods and references."""
    from askew.evals.methods import METHODS

    rows = [[name, m.description, "reference" if m.reference else "method"] for name, m in METHODS.items()]
    _show("methods", ["name", "description", "kind"], rows, json_)
