"""One way in for every task: a built-in name, a file of cases, or ``hf:DATASET``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from askew.errors import InputError
from askew.registry import Registry
from askew.tasks.attributes import bank
from askew.tasks.chess.moves import NAMES as CHESS
from askew.tasks.chess.moves import load_chess
from askew.tasks.files import load_file
from askew.tasks.gold import LoadedTask
from askew.tasks.house_style import NAME as HOUSE_STYLE
from askew.tasks.house_style import load_house_style
from askew.tasks.hub.load import PREFIX, load_hub
from askew.tasks.plugin import load_function
from askew.tasks.qa.preference import NAME as QA_PREFERENCE
from askew.tasks.qa.preference import load_qa_preference
from askew.tasks.readers import READERS
from askew.tasks.sentiment import SOURCES, load_sentiment

TaskLoader = Callable[[int, int], LoadedTask]
"""Loads a task; the arguments are the seed that draws its splits, and how many test cases it shall have at least."""

TASKS: Registry[TaskLoader] = Registry("task")

for _name in SOURCES:
    TASKS.add(_name, partial(load_sentiment, _name))

TASKS.add(QA_PREFERENCE, load_qa_preference)
TASKS.add(HOUSE_STYLE, load_house_style)

for _name in CHESS:
    TASKS.add(_name, partial(load_chess, _name))


def load_task(name: str, seed: int, test: int = 0) -> LoadedTask:
    """The task called ``name``.

    Args:
        name: a name in :data:`TASKS` or of an ``askew.tasks`` entry point, ``hf:`` and a public data set, the path of
            a ``.jsonl``, ``.csv`` or ``.parquet`` file, or ``FILE.py:FUNCTION``, a function from the seed to a
            :class:`LoadedTask`.
        seed: draws the splits.
        test: test cases wanted of a built-in task, where that is more than usual and its data has them.

    Raises:
        InputError: the task is unknown or its data can't be used.
    """
    loaded = _load(name, seed, test)
    attributes = bank(loaded.task.options_vary) | dict(loaded.task.attributes)
    return replace(loaded, task=replace(loaded.task, attributes=attributes))


def _load(name: str, seed: int, test: int) -> LoadedTask:
    if name.startswith(PREFIX):
        return load_hub(name, seed)
    if Path(name).suffix.lower() in READERS:
        return load_file(Path(name), seed)
    if ".py:" in name:
        return _checked(name, load_function(name, "--task")(seed))
    if name not in TASKS:
        for plugin in entry_points(group="askew.tasks", name=name):
            return _checked(name, plugin.load()(seed))
    return TASKS[name](seed, test)


def _checked(name: str, loaded: object) -> LoadedTask:
    if not isinstance(loaded, LoadedTask):
        raise InputError(f"the task plugin {name!r} returned {type(loaded).__name__}: expected a LoadedTask.")
    return loaded
