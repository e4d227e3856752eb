"""A subject that matters only under a condition, or only from some amount on, by name.

"names where stories", "names without stories", "length above 30".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from askew.agent.hypotheses import Grounding

WHERE, WITHOUT, ABOVE = " where ", " without ", " above "
_LEVEL = re.compile(rf"(.+){ABOVE}(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)", re.DOTALL)


class Parts(NamedTuple):
    """What a measure's name says."""

    subject: str
    """The measure itself."""
    condition: str | None = None
    """Where it counts, if not everywhere."""
    present: bool = True
    """Whether the condition is to be present."""
    above: float | None = None
    """More than what amount counts, and all of it alike; ``None`` where more counts more."""


def conditional(measure: str, condition: str, present: bool) -> str:
    """The name of a measure that counts only where there is, or isn't, something else."""
    return f"{measure}{WHERE if present else WITHOUT}{condition}"


def levelled(measure: str, above: float) -> str:
    """The name of a measure of which only more than some amount counts."""
    return f"{measure}{ABOVE}{repr(above).removesuffix('.0')}"


def shortest_between(amount: float, more: float) -> float:
    """The number of fewest digits from ``amount`` on that is less than ``more``."""
    rounded = (float(f"{amount:.{digits}g}") for digits in range(1, 17))
    return next((number for number in rounded if amount <= number < more), amount)


def more_of(grounding: Grounding, subject: str) -> str:
    """More of a subject, in words; above a level it is there or not."""
    return f"more '{subject}'" if parts_of(grounding).above is None else f"'{subject}'"


def having(grounding: Grounding, subject: str, direction: int) -> str:
    """With more of a subject, in words, or with less."""
    if direction > 0:
        return f"with {more_of(grounding, subject)}"
    return f"with less '{subject}'" if parts_of(grounding).above is None else f"without '{subject}'"


def narrowed(grounding: Grounding) -> bool:
    """Whether a measure has a condition or a level."""
    return parts_of(grounding).subject != grounding.measure


def parts_of(grounding: Grounding) -> Parts:
    """The measure itself, with its condition or its level if it has one.

    A subject that is told by meaning alone has neither, whatever its words are.
    """
    return Parts(grounding.measure) if grounding.concept else read(grounding.measure)


def read(measure: str) -> Parts:
    """What the name of a measure says."""
    for word, present in ((WHERE, True), (WITHOUT, False)):
        subject, found, condition = measure.partition(word)
        if found:
            return Parts(subject, condition, present)
    level = _LEVEL.fullmatch(measure)
    return Parts(measure) if level is None else Parts(level[1], above=float(level[2]))
