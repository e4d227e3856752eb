"""Every family of checkable questions, and finding the question in a text.

The solver reads the question itself, so it is the only source of truth: for the questions made here and for
those that a model writes in the same words.
"""

from __future__ import annotations

from askew.tasks.qa import reckoning, stories, words
from askew.tasks.qa.family import Family, Found

FAMILIES: dict[str, Family] = {
    "capital": words.table("capitals", "What is the capital of {}?"),
    "opposite": words.table("opposites", "What is the opposite of '{}'?"),
    "plural": words.table("plurals", "What is the plural of '{}'?"),
    "past tense": words.table("pasts", "What is the past tense of '{}'?"),
    "young": words.table("young", "What is a young {} called?"),
    "kind": words.KIND,
    "first letter": words.FIRST_LETTER,
    "capitals": words.CAPITALS,
    "colour": stories.COLOUR,
    "gift": stories.GIFT,
    "place": stories.PLACE,
    "age": stories.AGE,
    "in words": reckoning.IN_WORDS,
    "neighbour": reckoning.NEIGHBOUR,
    "month": reckoning.MONTH,
    "category": words.CATEGORY,
    "odd one": words.ODD_ONE,
    "size": words.SIZE,
    "alphabet": words.ALPHABET,
    "letters": words.LETTERS,
    "calculation": reckoning.CALCULATION,
    "conversion": reckoning.CONVERSION,
    "sequence": reckoning.SEQUENCE,
    "comparison": reckoning.COMPARISON,
    "weekday": reckoning.WEEKDAY,
    "date": reckoning.DATE,
}

HARD = frozenset(list(FAMILIES)[15:])
"""Families that a small language model mostly gets wrong; they are asked more rarely."""


def recognise(text: str) -> tuple[Family, Found] | None:
    """The family of the first question in a text that code can solve."""
    for family in FAMILIES.values():
        found = family.pattern.search(text)
        if found is not None and family.solve(found) is not None:
            return family, found
    return None
