"""Samples kept on disk by the request that gave them, shared by the methods and processes of one bench."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from askew.agent.models.base import Completion, SamplingRequest
from askew.agent.models.table import Table

Completions = list[list[Completion]]


class Samples:
    """One file of completions, by sha256 of the weights and the request (which holds the seed).

    Several processes may use one file at once. A file that is damaged is started afresh.
    """

    def __init__(self, path: Path) -> None:
        self._table = Table(path, "samples", "TEXT")

    def completions(self, weights: str, request: SamplingRequest, sample: Callable[[], Completions]) -> Completions:
        """From disk where known, otherwise from one call of ``sample``."""
        key = sha256(json.dumps([weights, asdict(request)]).encode()).digest()
        known = self._table.read([key])
        if key in known:
            return [[Completion(**one) for one in of_prompt] for of_prompt in json.loads(known[key])]
        fresh = sample()
        self._table.write({key: json.dumps([[asdict(one) for one in of_prompt] for of_prompt in fresh])})
        return fresh
