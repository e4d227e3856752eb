"""Tasks from public data sets: ``hf:SET``, ``hf:SET@FOLDER`` and ``hf:OWNER/NAME[:CONFIG]``.

``SET`` is a ready definition of :mod:`askew.tasks.hub.sets`; with ``@`` its rows come from Parquet files of your own
that have the same columns. Another data set on the hub is read like a file of cases (:mod:`askew.tasks.files`): its
rows have ``text`` and ``options``, or ``chosen`` and ``rejected``.

Weak, pool and validation cases are drawn from the set's training split, test cases from its test split, as many as a
built-in task has, the two classes equally often; what shares a passage stays in one split. What is drawn by chance in
the conversion (which wrong answer) is the same for every seed; the seed draws the splits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from askew.errors import InputError
from askew.seeds import stream
from askew.tasks.case import Case, Split, Task
from askew.tasks.files import Wording, build_task, checked_row
from askew.tasks.gold import Gold, LoadedTask
from askew.tasks.hub.definition import Definition, Example
from askew.tasks.hub.sets import SETS
from askew.tasks.hub.source import hub_rows, local_rows
from askew.tasks.splits import SIZES, fingerprint, first_of_each, grouped_splits
from askew.tasks.text import without_control

PREFIX = "hf:"
LONGEST = 5000
"""Characters of a case; longer texts, which a small student can't read, are left out."""


def load_hub(name: str, seed: int) -> LoadedTask:
    """The task called ``name``, which begins with ``hf:``.

    Raises:
        InputError: there is no such set, or its rows don't have the columns that it is known for.
        RunError: the hub can't be reached.
    """
    called, _, place = name.removeprefix(PREFIX).partition("@")
    definition = SETS.get(called)
    if definition is not None:
        return _defined(called, definition, Path(place) if place else None, seed)
    repository, _, config = called.partition(":")
    if "/" not in repository or place:
        raise InputError(
            f"unknown task {name!r}: expected hf:SET with one of {', '.join(SETS)}, or hf:OWNER/NAME for another set."
        )
    rows = hub_rows(called, repository, config or None, "train")
    numbered = [(number, checked_row(name, number, row)) for number, row in enumerate(rows, 1)]
    return build_task(name, name, numbered, Wording(), seed)


def _defined(called: str, definition: Definition, place: Path | None, seed: int) -> LoadedTask:
    parts = {"train": definition.train, "test": definition.test}
    if place is not None and place.is_file():  # one file: all splits are drawn from it
        parts = {"all": definition.train}
    examples: dict[str, Example] = {}
    notes: list[str] = []
    drawn: list[tuple[str, Split]] = []
    taken: list[str] = []
    for part, split in reversed(parts.items()):  # the test split first: what is in it can't be in another
        rows = _rows(called, definition, place, split)
        found = {f"{called}-{part}-{number}": one for number, one in _converted(called, part, definition, rows)}
        fresh = _fresh(found, taken)
        taken += [found[key].text for key in fresh]
        if len(fresh) < len(rows):
            notes.append(
                f"hf:{called}: {len(rows) - len(fresh)} of {len(rows)} rows of {split!r} are repeats, too long or "
                "without a label, and were left out."
            )
        sizes = {one: size for one, size in SIZES.items() if part == "all" or (one is Split.TEST) == (part == "test")}
        labels, groups = [found[key].label for key in fresh], [found[key].group or key for key in fresh]
        chosen = grouped_splits(labels, groups, sizes, stream(seed, "splits", called, part))
        drawn += [(fresh[index], one) for index, one in chosen]
        examples |= found
    return _task(called, definition, examples, drawn, tuple(notes))


def _rows(called: str, definition: Definition, place: Path | None, split: str) -> list[dict[str, Any]]:
    if place is None:
        return hub_rows(called, definition.repository, definition.config, split)
    return local_rows(called, place, definition.config, split)


def _converted(called: str, part: str, definition: Definition, rows: list[dict[str, Any]]) -> list[tuple[int, Example]]:
    """(row number, example) of every row that can be used; what is drawn doesn't depend on the run's seed."""
    rng = stream(0, "hub", called, part)
    converted = []
    for number, row in enumerate(rows, 1):
        try:
            example = definition.convert(row, rng)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"hf:{called}, row {number}: {type(error).__name__} {error} in a row with columns {', '.join(row)}. "
                f"Expected rows as in {definition.repository}."
            ) from None
        if example is not None and 0 < len(example.text.strip()) <= LONGEST:
            converted.append((number, example))
    return converted


def _fresh(found: dict[str, Example], taken: list[str]) -> list[str]:
    """Names of the examples whose text isn't said before, here or in ``taken``."""
    names = list(found)
    texts = [*taken, *(found[name].text for name in names)]
    return [names[index - len(taken)] for index in first_of_each(texts) if index >= len(taken)]


def _task(
    called: str, definition: Definition, examples: dict[str, Example], drawn: list[tuple[str, Split]],
    notes: tuple[str, ...],
) -> LoadedTask:  # fmt: skip
    cases = tuple(Case(key, without_control(examples[key].text), definition.options, split) for key, split in drawn)
    task = Task(
        name=f"{PREFIX}{called}",
        question=definition.question,
        noun=definition.noun,
        cue=definition.cue,
        editable=definition.editable,
        cases=cases,
        fingerprint=fingerprint(cases),
    )
    return LoadedTask(task, Gold({key: examples[key].label for key, _ in drawn}), notes)
