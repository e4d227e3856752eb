"""Vectors kept on disk by the content they were computed from, shared by runs and processes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHUNK = 500
"""Keys looked up in one query; SQLite allows 999 parameters everywhere."""


class VectorCache:
    """One file of float32 vectors, by sha256 of (``fingerprint``, text).

    ``fingerprint`` identifies everything else the vectors depend on: the model's weights and how it is
    used. Several processes may use one file at once. A file that is damaged is started afresh.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._create()
        except sqlite3.DatabaseError:
            path.unlink()
            self._create()

    def vectors(self, texts: Sequence[str], compute: Callable[[list[str]], NDArray[np.float32]]) -> NDArray[np.float32]:
        """vectors_N_D of ``texts``: from disk where known, otherwise from one call of ``compute``."""
        keys = [hashlib.sha256(f"{self._fingerprint}\0{text}".encode()).digest() for text in texts]
        known = self._read(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            computed_M_D = compute(list(missing.values())).astype(np.float32)
            fresh = dict(zip(missing, computed_M_D, strict=True))
            self._write(fresh)
            known |= fresh
        return np.stack([known[key] for key in keys])

    def bound(
        self, compute: Callable[[list[str]], NDArray[np.float32]]
    ) -> Callable[[Sequence[str]], NDArray[np.float32]]:
        """:meth:`vectors` with its ``compute`` filled in: features that are computed once."""
        return lambda texts: self.vectors(texts, compute)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def _create(self) -> None:
        with closing(self._connect()) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        with closing(self._connect()) as database:
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                places = ",".join("?" * len(chunk))
                rows = database.execute(f"SELECT key, value FROM vectors WHERE key IN ({places})", chunk)  # noqa: S608
                found |= {key: np.frombuffer(value, dtype=np.float32) for key, value in rows}
        return found

    def _write(self, vectors: dict[bytes, NDArray[np.float32]]) -> None:
        with closing(self._connect()) as database, database:
            database.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                [(key, vector.tobytes()) for key, vector in vectors.items()],
            )
