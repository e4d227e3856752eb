"""How far two measures go together."""

from __future__ import annotations

import numpy as np

from askew.agent.conditional_logit import Array


def correlation(first_N_K: Array, second_N_K: Array) -> float:
    """How far two arrays, centred over the options, go together over N cases, -1 to 1; 0 where one never varies."""
    first, second = first_N_K.ravel(), second_N_K.ravel()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size > 0 else 0.0


def pearson(first_N: Array, second_N: Array) -> float:
    """Of two columns, which are centred here; 0 where one of them doesn't vary."""
    if np.ptp(first_N) == 0.0 or np.ptp(second_N) == 0.0:
        return 0.0
    return correlation(first_N - first_N.mean(), second_N - second_N.mean())
