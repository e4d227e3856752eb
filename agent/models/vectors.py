"""Vectors kept on disk by the content they were computed from, shared by runs and processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from askew.agent.models.table import Table

PORTION = 1000
"""Texts that are computed before what is known of them is written: as much as an interrupted run may lose."""


class VectorCache:
    """One file of float32 vectors, by sha256 of (``fingerprint``, text).

    ``fingerprint`` identifies everything else the vectors depend on: the model's weights and how it is
    used. Several processes may use one file at once. A file that is damaged is started afresh.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint
        self._table = Table(path, "vectors", "BLOB")

    def vectors(self, texts: Sequence[str], compute: Callable[[list[str]], NDArray[np.float32]]) -> NDArray[np.float32]:
        """vectors_N_D of ``texts``: from disk where known, otherwise computed, ``PORTION`` texts a call."""
        keys = [hashlib.sha256(f"{self._fingerprint}\0{text}".encode()).digest() for text in texts]
        known = {key: np.frombuffer(value, dtype=np.float32) for key, value in self._table.read(keys).items()}
        missing = [*{key: text for key, text in zip(keys, texts, strict=True) if key not in known}.items()]
        for start in range(0, len(missing), PORTION):
            portion = missing[start : start + PORTION]
            computed_M_D = compute([text for _, text in portion]).astype(np.float32)
            fresh = {key: vector for (key, _), vector in zip(portion, computed_M_D, strict=True)}
            self._table.write({key: vector.tobytes() for key, vector in fresh.items()})
            known |= fresh
        return np.stack([known[key] for key in keys])

    def bound(
        self, compute: Callable[[list[str]], NDArray[np.float32]]
    ) -> Callable[[Sequence[str]], NDArray[np.float32]]:
        """:meth:`vectors` with its ``compute`` filled in: features that are computed once."""
        return lambda texts: self.vectors(texts, compute)
