"""Reading records from JSON lines, CSV and Parquet: each yields (line number, object) pairs lazily."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from askew.errors import InputError

MAX_LINE = 1 << 20
"""Longest line read, in bytes. A longer one is a damaged file rather than a case."""

Numbered = Iterator[tuple[int, Any]]


def read_jsonl(path: Path) -> Numbered:
    """(line number, object) pairs. Memory stays bounded by :data:`MAX_LINE`, whatever is in the file."""
    for number, line in _lines(path):
        if line.strip():
            try:
                yield number, from_json(line)
            except ValueError as error:
                raise InputError(
                    f"{path}, line {number}: not valid JSON ({error}); is the file cut off? Expected one object "
                    'a line, like {"id": "1", "text": "…", "options": ["no", "yes"]}.'
                ) from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(MAX_LINE + 1):
            number += 1
            if len(raw) > MAX_LINE:
                raise InputError(
                    f"{path}, line {number}: longer than {MAX_LINE:,} bytes, expected one case a line. Shorten it."
                )
            try:
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}, line {number}: not UTF-8 (byte {error.start + 1} is 0x{raw[error.start]:02x}). "
                    "Save the file as UTF-8."
                ) from None


def read_csv(path: Path) -> Numbered:
    """(line number, object) pairs of a CSV file with a header; cells of optional columns may be empty."""
    csv.field_size_limit(MAX_LINE)
    text = (line for _, line in _lines(path))
    reader = csv.DictReader(text, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, _from_cells(path, reader.line_num, cells)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not valid CSV ({error}).") from None


def _from_cells(path: Path, number: int, cells: dict[str | None, Any]) -> dict[str, Any]:
    """Cells are text: JSON in the columns that hold structure or numbers, text in the others."""
    if None in cells or None in cells.values():
        raise InputError(f"{path}, line {number}: not as many cells as the header has columns. Quote the text.")
    row: dict[str, Any] = {}
    weak: dict[str, Any] = {}
    for column, cell in cells.items():
        if column is None or cell == "":
            continue
        if column in ("options", "answers", "gold", "weak") or column.startswith("weak."):
            try:
                value = from_json(cell)
            except ValueError:
                raise InputError(
                    f"{path}, line {number}: column {column!r} holds {cell[:80]!r}, expected JSON: "
                    'an index for labels, ["…", "…"] for options.'
                ) from None
            if column.startswith("weak."):
                weak[column.removeprefix("weak.")] = value
            else:
                row[column] = value
        else:
            row[column] = cell
    return row | {"weak": weak} if weak else row


def read_parquet(path: Path) -> Numbered:
    """(row number, object) pairs of a Parquet file."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"reading {path} needs pyarrow: run 'pip install \"askew[files]\"'.") from None

    def records() -> Iterator[dict[str, Any]]:
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=4096):
                    yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError) as error:  # damaged data is an OSError of pyarrow's
            raise InputError(f"{path} is not a readable Parquet file: {error}. Fetch it anew.") from None

    for number, record in enumerate(records(), start=1):
        if any(isinstance(cell, str) and len(cell) > MAX_LINE for cell in record.values()):
            raise InputError(f"{path}, row {number}: a cell is longer than {MAX_LINE:,} characters. Shorten it.")
        yield number, _without_missing(record)


def _without_missing(record: dict[str, Any]) -> dict[str, Any]:
    """Arrow fills absent cells, also inside ``weak``, with None; ``weak`` keeps them as 'unsure'."""
    return {key: value for key, value in record.items() if value is not None}


READERS: dict[str, Callable[[Path], Numbered]] = {
    ".jsonl": read_jsonl,
    ".csv": read_csv,
    ".parquet": read_parquet,
}
