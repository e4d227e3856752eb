"""A subject that matters only under a condition, by name: "names where stories", "names without stories"."""

from __future__ import annotations

from askew.agent.hypotheses import Grounding

WHERE, WITHOUT = " where ", " without "


def conditional(measure: str, condition: str, present: bool) -> str:
    """The name of a measure that counts only where there is, or isn't, something else."""
    return f"{measure}{WHERE if present else WITHOUT}{condition}"


def parts_of(grounding: Grounding) -> tuple[str, str | None, bool]:
    """The measure itself, its condition if it has one, and whether that is to be present.

    A subject that is told by meaning alone has none, whatever its words are.
    """
    for word, present in () if grounding.concept else ((WHERE, True), (WITHOUT, False)):
        subject, found, condition = grounding.measure.partition(word)
        if found:
            return subject, condition, present
    return grounding.measure, None, True
