"""One table on disk, values by the digest of what they were computed from: shared by runs and processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

CHUNK = 500
"""Keys looked up in one query; SQLite allows 999 parameters everywhere."""


class Table:
    """Values by key in the file ``path``. Several processes may use it at once. A damaged file is started afresh."""

    def __init__(self, path: Path, name: str, values: Literal["BLOB", "TEXT"]) -> None:
        self.path = path
        self._name, self._values = name, values
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._create()
        except sqlite3.DatabaseError:
            path.unlink()
            self._create()

    def read(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """The values of those keys that are there."""
        found: dict[bytes, Any] = {}
        with closing(self._connect()) as database:
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                places = ",".join("?" * len(chunk))
                query = f"SELECT key, value FROM {self._name} WHERE key IN ({places})"  # noqa: S608
                found.update(database.execute(query, chunk))
        return found

    def write(self, values: Mapping[bytes, bytes | str]) -> None:
        """Keep values; those that are there already stay."""
        with closing(self._connect()) as database, database:
            database.executemany(f"INSERT OR IGNORE INTO {self._name} VALUES (?, ?)", values.items())  # noqa: S608

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def _create(self) -> None:
        columns = f"(key BLOB PRIMARY KEY, value {self._values})"
        with closing(self._connect()) as database, database:
            database.execute(f"CREATE TABLE IF NOT EXISTS {self._name} {columns} WITHOUT ROWID")
