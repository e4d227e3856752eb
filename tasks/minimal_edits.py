"""Minimal edits of a case: a little more of one attribute in one place, and the truth as it was."""

from __future__ import annotations

from askew.tasks.attributes import (
    OPTION_ATTRIBUTES,
    Edited,
    OptionAttribute,
    TextAttribute,
    find,
    measure,
    replaced,
)
from askew.tasks.case import Case

MOST_TIMES = 8
"""How often one edit is made of a text at most."""


def edited(name: str, case: Case, options_vary: bool) -> list[Edited]:
    """(text, options) of the minimal edits that raise an attribute in one place and keep the truth; there may be none.

    Where options vary each option is edited in turn, so that the pair differs in that option alone.
    """
    places = len(case.options) if options_vary or name in OPTION_ATTRIBUTES else 1
    made = (edited_at(name, case, place, options_vary) for place in range(places))
    return [one for one in made if one is not None]


def turned(name: str, case: Case) -> list[Edited]:
    """(text, options) of edits after which the option that had less of an attribute has more of it, by about as much.

    The same minimal edit several times: one leaves the longer of two options longer, and who likes long ones would
    choose as before. None where options have alike much, where one edit does it already, or ``MOST_TIMES`` don't.
    """
    attribute = find(name)
    if attribute is None:
        return []
    made = []
    before = measure(attribute, case, options_vary=True)
    for place, least in enumerate(before):
        if least < max(before):
            again, times = edited_at(name, case, place, options_vary=True), 1
            while again is not None and times < MOST_TIMES and not _leads(attribute, again, place, max(before) - least):
                again, times = edited_at(name, Case(case.id, *again), place, options_vary=True), times + 1
            if again is not None and times > 1 and _leads(attribute, again, place, 0.0):
                made.append(again)
    return made


def _leads(attribute: TextAttribute | OptionAttribute, edit: Edited, place: int, by: float) -> bool:
    """Whether an option has more of an attribute than all others, by that much at least."""
    now = measure(attribute, Case("", *edit), options_vary=True)
    lead = now[place] - max(now[:place] + now[place + 1 :])
    return lead > 0.0 and lead >= by


def edited_at(name: str, case: Case, place: int, options_vary: bool) -> Edited | None:
    """(text, options) of the edit that raises an attribute for option ``place``, where there is one.

    What is measured about the text as a whole has one place, whichever is given.
    """
    attribute = find(name)
    if isinstance(attribute, OptionAttribute):
        return None if attribute.add is None else attribute.add(case, place)
    if attribute is None or attribute.add is None:
        return None
    changed = attribute.add(case.options[place] if options_vary else case.text)
    if changed is None:
        return None
    return (case.text, replaced(case, place, changed)) if options_vary else (changed, case.options)


def more_of(name: str, case: Case, than: Case, place: int, options_vary: bool) -> bool:
    """Whether ``case`` has more of an attribute, for option ``place``, than another."""
    attribute = find(name)
    if attribute is None:
        return False
    now, before = measure(attribute, case, options_vary), measure(attribute, than, options_vary)
    index = place if len(now) > 1 else 0
    return now[index] > before[index]
