"""What a family of checkable questions is, and what the families share."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator
Found = re.Match[str]

LEVELS = 5


@cache
def knowledge() -> dict[str, Any]:
    """The tables of facts.toml."""
    return tomllib.loads(Path(__file__).with_name("facts.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Family:
    """One kind of question.

    Attributes:
        pattern: recognises a question of this family, anywhere in a text.
        ask: makes a question of a level from 1 (easy) to :data:`LEVELS`.
        solve: the right answer to a recognised question, or ``None`` when it has none.
        mislead: a wrong answer of the same kind.
        level: how hard a recognised question is.
    """

    pattern: re.Pattern[str]
    ask: Callable[[Rng, int], str]
    solve: Callable[[Found], str | None]
    mislead: Callable[[Rng, Found], str]
    level: Callable[[Found], int]


def one(rng: Rng, items: Any) -> Any:
    """One of ``items``, uniformly."""
    return items[int(rng.integers(len(items)))]


def number_of(rng: Rng, digits: int) -> int:
    """A number with about that many digits."""
    return int(rng.integers(10 ** (digits - 1) + 1, 10**digits))


def near(rng: Rng, value: int) -> str:
    """A number that could be mistaken for ``value``: a slip in one digit, or a little off."""
    slips = [value + step for step in (-10, -3, -2, -1, 1, 2, 3, 10) if value + step >= 0]
    return str(one(rng, slips))
