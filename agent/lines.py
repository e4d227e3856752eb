"""Files of JSON lines that only grow: what was appended is on disk, and what a crash cut off is cut away."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from askew.errors import InputError, RunError


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Append one record; it is on disk when this returns, or nothing of it is in the file.

    Raises ``RunError`` when that can't be, for instance because the disk is full.
    """
    try:
        # Unbuffered: what could not be written is not tried again when the file is closed.
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            line = json.dumps(record).encode() + b"\n"
            try:
                while line:
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise RunError(f"can't write to {path}: {error.strerror}. Free some space: nothing before is lost.") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a file; of one that isn't there, none. Raises ``InputError`` naming a line that is damaged."""
    if not path.is_file():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError:  # not JSON, or not UTF-8
            record = None
        if not isinstance(record, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object. It is damaged; restore it from a copy.")
        records.append(record)
    return records


def cut_torn_line(path: Path) -> None:
    """Drop a last line that a crash left without its line end."""
    content = path.read_bytes() if path.is_file() else b""
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
