"""One random generator per named stream, all derived from the run's seed.

Streams are independent of each other and of the order in which they are opened, so skipping a stage (on
resume, because its results are already recorded) never shifts the randomness of the next one.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream called ``names`` of the run with ``seed``."""
    digest = hashlib.sha256("/".join(str(part) for part in (seed, *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for the stream called ``names`` of the run with ``seed``."""
    return np.random.default_rng(stream_seed(seed, *names))
