"""Parts of the method that can be switched off, one at a time, to see what each is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Controls:
    """The full method by default; each control changes one thing and leaves the rest as it is."""

    asks: Literal["designed", "random", "proposed", "nothing"] = "designed"
    """Which cases are asked: designed ones, random ones of the pool, the model's own naive proposals, or none."""
    generates: bool = True
    """Whether the model writes and edits cases; without it there is only the pool."""
    channel: bool = True
    """Whether the model also reads cases of the pool the other way round, as texts that it might have written."""
    noise: bool = True
    """Whether information gain knows that the supervisor errs; without it an answer is taken for the truth."""
    mistakes: bool = True
    """Whether there is a mistake theory; without it answers count at their face value and there are no sets."""
    chains: bool = True
    """Whether chains of thought propose the sets; without them the bank and surprises do."""
    bank: bool = True
    """Whether every attribute of the bank is tried beside what chains propose."""
    warm: bool = True
    """Whether chains come from a student that was taught to ground its steps, where there is one."""
    clusters: bool = True
    """Whether claims are clustered, and merged where they behave alike; without it every claim is a hypothesis."""


FULL = Controls()
