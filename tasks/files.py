"""Your own cases from a file: JSON lines, CSV or Parquet.

One object a line (or one row), for example::

    {"id": "7", "text": "Effective but too tepid biopic", "options": ["negative", "positive"],
     "gold": 0, "split": "pool", "weak": {"ann": 1, "bob": null}}

``text`` and ``options`` are required, ``gold``, ``split``, ``weak`` (recorded labels) and ``weight`` (how much it
matters that the label is right; by default 1) optional; other keys
are ignored. Rows without any ``id`` are called row-1, row-2, …. In CSV, ``options`` and ``weak`` are JSON, or
there is a column ``weak.NAME`` for each rater.

Preference data may have ``chosen`` and ``rejected`` instead of ``options`` and ``gold``, and ``prompt`` instead
of ``text``: the seed then draws which of the two comes first, and in ``weak``, 0 means the chosen one. Without a
prompt, what both begin with is taken for it; turns of a conversation (``[{"role": …, "content": …}, …]``) are put
into one text. Free-form ``answers`` instead of ``options`` need a validator, see :mod:`askew.tasks.freeform`.

A file ``cases.toml`` beside ``cases.jsonl`` may hold ``question`` and ``noun``, the words for prompts, and a
``validator``.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, field_validator, model_validator

from askew.errors import InputError
from askew.seeds import stream
from askew.tasks.case import Case, NonEmpty, Pattern, Split, Task
from askew.tasks.freeform import Judge, decided, draw_pair, load_judge
from askew.tasks.gold import Gold, LoadedTask
from askew.tasks.preferences import with_prompt
from askew.tasks.readers import READERS
from askew.tasks.splits import SHARES, fingerprint, share_splits
from askew.tasks.text import without_control


class Row(BaseModel):
    """One line of a cases file, checked."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str | None = None
    text: NonEmpty
    options: Annotated[list[NonEmpty], Field(min_length=2)] | None = None
    gold: StrictInt | None = None
    split: Split | None = None
    weak: dict[str, StrictInt | None] = Field(default_factory=dict)
    chosen: NonEmpty | None = None
    rejected: NonEmpty | None = None
    answers: Annotated[list[NonEmpty], Field(min_length=2)] | None = None
    weight: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _preference(cls, row: Any) -> Any:
        return with_prompt(row) if isinstance(row, dict) and "chosen" in row and "text" not in row else row

    @field_validator("id", mode="before")
    @classmethod
    def _id_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("id", "text", "options", "chosen", "rejected", "answers", mode="after")
    @classmethod
    def _clean(cls, value: str | list[str] | None) -> str | list[str] | None:
        if isinstance(value, list):
            return [without_control(option) for option in value]
        return None if value is None else without_control(value)

    @model_validator(mode="after")
    def _consistent(self) -> Row:
        if not self.text.strip():
            raise ValueError("text is empty")
        options = self.options or self.answers or [one for one in (self.chosen, self.rejected) if one is not None]
        if len(options) < 2:
            raise ValueError("expected options, or both chosen and rejected, or answers")
        if len(set(options)) < len(options):
            raise ValueError(f"options repeat: {options}")
        for name, label in [
            ("gold", self.gold),
            *((f"weak {rater!r}", label) for rater, label in self.weak.items()),
        ]:
            if label is not None and not 0 <= label < len(options):
                raise ValueError(f"{name} is {label}, expected 0 to {len(options) - 1}, an index of options")
        return self


class Wording(BaseModel):
    """How to talk about the cases: the file ``cases.toml`` beside ``cases.jsonl``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: NonEmpty | None = None
    noun: NonEmpty = "text"
    cue: str = ""
    """How a text is continued so that the next word is the answer (see :class:`Task`)."""
    patterns: tuple[Pattern, ...] = ()
    """Other ways of asking, with a word for each option, in the order of the options (see :class:`Task`)."""
    manner_matters: bool = False
    """Whether how something is said may be what makes it right (see :class:`Task`)."""
    editable: bool = True
    """Whether harmless words around a text leave its truth as it is (see :class:`Task`)."""
    balanced: bool = False
    """Whether each class is right about equally often (see :class:`Task`)."""
    validator: NonEmpty | None = None
    """FILE.py:FUNCTION that decides whether a free-form answer is right; the file is sought beside the cases."""


def load_file(path: Path, seed: int) -> LoadedTask:
    """The task in a ``.jsonl``, ``.csv`` or ``.parquet`` file; ``seed`` draws splits the file doesn't give.

    Raises:
        InputError: naming the file, the line, what is there, what was expected and the mend.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"can't read {path}: expected a file ending in {', '.join(READERS)}.")
    if not path.is_file():
        raise InputError(f"no cases file {path}: expected {', '.join(READERS)} or a built-in task's name.")
    numbered = [(number, checked_row(path, number, record)) for number, record in reader(path)]
    wording = _wording(path)
    judge = load_judge(wording.validator, path.parent) if wording.validator else None
    return build_task(path.stem, path, numbered, wording, seed, judge)


def build_task(
    name: str,
    where: Path | str,
    numbered: list[tuple[int, Row]],
    wording: Wording,
    seed: int,
    judge: Judge | None = None,
) -> LoadedTask:
    """The task made of checked rows. Raises ``InputError`` where rows don't fit together."""
    if not numbered:
        raise InputError(f"{where} holds no cases: expected one a line.")
    rows = _with_pairs(name, where, _with_options(name, _with_ids(where, numbered), seed), judge, seed)
    left_out = len(numbered) - len(rows)
    options_vary = _check_options(where, rows)
    labels = {row.id: row.gold for _, row in rows if row.gold is not None}
    if labels and len(set(labels.values())) < 2:
        only = next(iter(labels.values()))
        raise InputError(
            f"{where}: the gold label of all {len(labels)} cases is {only}, so nothing can be learned "
            "or measured. Expected at least two classes"
            + (": shuffle the order of the options." if options_vary else ".")
        )
    splits, notes = _splits(name, where, rows, bool(labels), seed)
    cases = tuple(
        Case(str(row.id), row.text, tuple(row.options or ()), split)
        for (_, row), split in zip(rows, splits, strict=True)
    )
    recorded: dict[str, dict[str, int | None]] = {}
    for _, row in rows:
        for rater, label in row.weak.items():
            recorded.setdefault(rater, {})[str(row.id)] = label
    task = Task(
        name=name,
        question=wording.question or _default_question(cases[0], options_vary),
        noun=wording.noun,
        cue=wording.cue,
        patterns=_patterns(where, wording, cases[0], options_vary),
        manner_matters=wording.manner_matters,
        editable=wording.editable,
        balanced=wording.balanced,
        cases=cases,
        options_vary=options_vary,
        recorded=recorded,
        weights={str(row.id): row.weight for _, row in rows if row.weight is not None},
        fingerprint=fingerprint(cases),
    )
    if left_out:
        notes += (f"{where}: {left_out} rows were left out, whose answers are all right or all wrong.",)
    gold = Gold({str(key): label for key, label in labels.items()})
    return LoadedTask(task, gold, notes, truth=None if judge is None else partial(decided, judge))


def checked_row(where: Path | str, number: int, record: Any) -> Row:
    """One record as a row. Raises ``InputError`` naming the line and what is wrong with it."""
    try:
        return Row.model_validate(record)
    except ValidationError as error:
        raise InputError(f"{where}, line {number}: {_problems(error)}. Mend that line and try again.") from None


def _problems(error: ValidationError) -> str:
    """What pydantic found wrong, in one line, with long values cut."""
    told = []
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        value = repr(item["input"])
        got = f" (got {value if len(value) <= 80 else value[:77] + '…'})" if place else ""
        told.append(f"{place}: {message}{got}" if place else message)
    return "; ".join(told)


def _with_pairs(
    name: str, where: Path | str, rows: list[tuple[int, Row]], judge: Judge | None, seed: int
) -> list[tuple[int, Row]]:
    """Rows of free-form answers as pairs of a right and a wrong one; those that don't make one are left out."""
    rng = stream(seed, "answers", name)
    kept = []
    for number, row in rows:
        if row.answers is None:
            kept.append((number, row))
            continue
        if judge is None:
            raise InputError(
                f'{where}, line {number}: free-form answers need a validator. Put validator = "FILE.py:FUNCTION" into '
                f"{Path(where).with_suffix('.toml')}, or give options."
            )
        drawn = draw_pair(judge, row.text, row.answers, rng)
        if drawn is not None:
            pair, gold = drawn
            weak = {who: None if w is None or w not in pair else pair.index(w) for who, w in row.weak.items()}
            options = [row.answers[index] for index in pair]
            kept.append((number, row.model_copy(update={"options": options, "gold": gold, "weak": weak})))
    if not kept:
        raise InputError(f"{where}: the answers of every row are all right or all wrong: there is nothing to choose.")
    return kept


def _with_options(name: str, numbered: list[tuple[int, Row]], seed: int) -> list[tuple[int, Row]]:
    """Preference rows as two options in random order; other rows as they are."""
    rng = stream(seed, "preference-order", name)
    rows = []
    for number, row in numbered:
        if row.options is None and row.answers is None:
            first = int(rng.integers(2))
            pair = [row.chosen, row.rejected] if first == 0 else [row.rejected, row.chosen]
            weak = {rater: label if label is None else label ^ first for rater, label in row.weak.items()}
            rows.append((number, row.model_copy(update={"options": pair, "gold": first, "weak": weak})))
        else:
            rows.append((number, row))
    return rows


def _with_ids(where: Path | str, rows: list[tuple[int, Row]]) -> list[tuple[int, Row]]:
    if all(row.id is None for _, row in rows):
        return [(number, row.model_copy(update={"id": f"row-{index}"})) for index, (number, row) in enumerate(rows, 1)]
    seen: dict[str, int] = {}
    for number, row in rows:
        if not row.id:
            raise InputError(f"{where}, line {number}: no id, while other cases have one. Give every case an id.")
        if row.id in seen:
            raise InputError(
                f"{where}, line {number}: id {row.id!r} was used on line {seen[row.id]}. Ids must be unique."
            )
        seen[row.id] = number
    return rows


def _check_options(where: Path | str, rows: list[tuple[int, Row]]) -> bool:
    """Whether the options differ between cases. Raises ``InputError`` when they don't match."""
    counted = Counter(tuple(row.options or ()) for _, row in rows)
    usual, times = counted.most_common(1)[0]
    for number, row in rows:
        if len(row.options or ()) != len(usual):
            raise InputError(
                f"{where}, line {number}: {len(row.options or ())} options, while most cases have {len(usual)}. "
                "Every case of a task has the same number of options."
            )
    if len(counted) > 1 and times > len(rows) / 2:
        number, odd = next((number, row.options) for number, row in rows if tuple(row.options or ()) != usual)
        raise InputError(
            f"{where}, line {number}: options {odd} don't match {list(usual)}, which most cases have. "
            "Give all cases the same options, or each its own."
        )
    return len(counted) > 1


def _patterns(where: Path | str, wording: Wording, first: Case, options_vary: bool) -> tuple[Pattern, ...]:
    """The other ways of asking. Raises ``InputError`` where their words don't match the options."""
    for pattern in wording.patterns:
        if options_vary:
            raise InputError(f"{where}: patterns are for cases that all have the same options. Leave them out.")
        if len(pattern.words) != len(first.options):
            raise InputError(
                f"{where}: the pattern {pattern.cue!r} has {len(pattern.words)} words, the cases have "
                f"{len(first.options)} options. Expected one for each, in the order of the options."
            )
        if len(set(pattern.words)) < len(pattern.words):
            raise InputError(f"{where}: words of the pattern {pattern.cue!r} repeat. Expected another for each option.")
    return wording.patterns


def _splits(
    name: str, where: Path | str, rows: list[tuple[int, Row]], has_gold: bool, seed: int
) -> tuple[list[Split], tuple[str, ...]]:
    given = [row.split for _, row in rows]
    if all(split is None for split in given):
        shares = dict(SHARES)
        if not has_gold:  # nothing to train a weak supervisor on: its share goes to the pool
            shares[Split.POOL] += shares.pop(Split.WEAK)
        drawn = share_splits(len(rows), shares, stream(seed, "splits", name))
        if Split.POOL not in drawn:
            raise InputError(f"{where}: {len(rows)} cases are too few to split. Give each a split, or add cases.")
        counts = ", ".join(f"{drawn.count(split)} {split.value}" for split in shares)
        return drawn, (f"{where} has no splits, so they were drawn with seed {seed}: {counts}.",)
    chosen: list[Split] = []
    for (number, _), split in zip(rows, given, strict=True):
        if split is None or split is Split.WRITTEN:
            allowed = "|".join(one.value for one in Split if one is not Split.WRITTEN)
            raise InputError(f"{where}, line {number}: split is {split}, expected {allowed} in every case or none.")
        chosen.append(split)
    if Split.POOL not in chosen:
        raise InputError(f"{where}: the pool is empty, so there is nothing to ask. Give some cases split 'pool'.")
    return chosen, ()


def _default_question(case: Case, options_vary: bool) -> str:
    if options_vary:
        return "Which of these is the better answer?"
    return f"Which of these fits: {', '.join(case.options[:-1])} or {case.options[-1]}?"


def _wording(path: Path) -> Wording:
    beside = path.with_suffix(".toml")
    if not beside.is_file():
        return Wording()
    try:
        return Wording.model_validate(tomllib.loads(beside.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{beside} is not valid TOML: {error}.") from None
    except ValidationError as error:
        raise InputError(f"{beside}: {_problems(error)}. Expected what docs/tasks.md says of cases.toml.") from None
