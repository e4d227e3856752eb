"""One table on disk, values by the digest of what they were computed from: shared by runs and processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypeVar

from askew.errors import RunError

T = TypeVar("T")
CHUNK = 500
"""Keys looked up in one query; SQLite allows 999 parameters everywhere."""


class Table:
    """Values by key in the file ``path``. Several processes may use it at once. A damaged file is started afresh."""

    def __init__(self, path: Path, name: str, values: Literal["BLOB", "TEXT"]) -> None:
        self.path = path
        self._name, self._values = name, values
        path.parent.mkdir(parents=True, exist_ok=True)
        self._surviving(self._create)

    def read(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """The values of those keys that are there. Raises ``RunError`` where the file can't be used now."""
        return self._surviving(lambda: self._read(keys))

    def write(self, values: Mapping[bytes, bytes | str]) -> None:
        """Keep values; those that are there already stay. Raises ``RunError`` where the file can't be used now."""
        self._surviving(lambda: self._write(values))

    def _surviving(self, act: Callable[[], T]) -> T:
        """Do ``act``, with a new file where this one is damaged, but not where it is locked or the disk full."""
        try:
            try:
                return act()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
                self._create()
                return act()
        except sqlite3.OperationalError as error:
            raise RunError(
                f"can't use {self.path}: {error}. Is the disk full, or another process stuck? Nothing recorded is lost."
            ) from error

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        found: dict[bytes, Any] = {}
        with closing(self._connect()) as database:
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                places = ",".join("?" * len(chunk))
                query = f"SELECT key, value FROM {self._name} WHERE key IN ({places})"  # noqa: S608
                found.update(database.execute(query, chunk))
        return found

    def _write(self, values: Mapping[bytes, bytes | str]) -> None:
        with closing(self._connect()) as database, database:
            database.executemany(f"INSERT OR IGNORE INTO {self._name} VALUES (?, ?)", values.items())  # noqa: S608

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def _create(self) -> None:
        columns = f"(key BLOB PRIMARY KEY, value {self._values})"
        with closing(self._connect()) as database, database:
            database.execute(f"CREATE TABLE IF NOT EXISTS {self._name} {columns} WITHOUT ROWID")
