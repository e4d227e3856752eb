"""Samples kept on disk by the request that gave them, shared by the methods and processes of one bench."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from askew.agent.models.base import Completion, SamplingRequest

Completions = list[list[Completion]]


class Samples:
    """One file of completions, by sha256 of the weights and the request (which holds the seed).

    Several processes may use one file at once. A file that is damaged is started afresh.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._create()
        except sqlite3.DatabaseError:
            path.unlink()
            self._create()

    def completions(self, weights: str, request: SamplingRequest, sample: Callable[[], Completions]) -> Completions:
        """From disk where known, otherwise from one call of ``sample``."""
        key = sha256(json.dumps([weights, asdict(request)]).encode()).digest()
        with closing(self._connect()) as database:
            row = database.execute("SELECT value FROM samples WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return [[Completion(**one) for one in of_prompt] for of_prompt in json.loads(row[0])]
        fresh = sample()
        data = json.dumps([[asdict(one) for one in of_prompt] for of_prompt in fresh])
        with closing(self._connect()) as database, database:
            database.execute("INSERT OR IGNORE INTO samples VALUES (?, ?)", (key, data))
        return fresh

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def _create(self) -> None:
        with closing(self._connect()) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS samples (key BLOB PRIMARY KEY, value TEXT) WITHOUT ROWID")
