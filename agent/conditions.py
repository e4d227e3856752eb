"""A subject that matters only under a condition, by name: "names where stories", "names without stories"."""

from __future__ import annotations

WHERE, WITHOUT = " where ", " without "


def conditional(measure: str, condition: str, present: bool) -> str:
    """The name of a measure that counts only where there is, or isn't, something else."""
    return f"{measure}{WHERE if present else WITHOUT}{condition}"


def parts_of(measure: str) -> tuple[str, str | None, bool]:
    """The measure itself, its condition if it has one, and whether that is to be present."""
    for word, present in ((WHERE, True), (WITHOUT, False)):
        subject, found, condition = measure.partition(word)
        if found:
            return subject, condition, present
    return measure, None, True
