"""Question families that are answered by reading two sentences: who has it, where it is, who is older."""

from __future__ import annotations

import re

from askew.tasks.qa.family import Family, Found, Rng, knowledge, one


def _two(rng: Rng, name: str) -> list[str]:
    return [str(item) for item in rng.choice(knowledge()[name], size=2, replace=False)]


def _ask_colour(rng: Rng, level: int) -> str:
    people, colours = _two(rng, "people"), _two(rng, "colours")
    thing = one(rng, knowledge()["things"])
    told = " and ".join(f"{who} has a {colour} {thing}" for who, colour in zip(people, colours, strict=True))
    return f"{told}. What colour is {one(rng, people)}'s {thing}?"


COLOUR = Family(
    re.compile(r"(\w+) has a (\w+) (\w+) and (?!\1)(\w+) has a (?!\2)(\w+) \3\. What colour is (\1|\4)'s \3\?"),
    _ask_colour,
    lambda found: found[2] if found[6] == found[1] else found[5],
    lambda rng, found: found[5] if found[6] == found[1] else found[2],
    lambda found: 2,
)


def _ask_gift(rng: Rng, level: int) -> str:
    giver, taker = _two(rng, "people")
    thing = one(rng, knowledge()["things"])
    asked = one(rng, (f"has the {thing} now", f"had the {thing} before"))
    return f"{giver} gave a {thing} to {taker}. Who {asked}?"


GIFT = Family(
    re.compile(r"(\w+) gave a (\w+) to (?!\1)(\w+)\. Who (?:has|had) the \2 (now|before)\?"),
    _ask_gift,
    lambda found: found[3] if found[4] == "now" else found[1],
    lambda rng, found: found[1] if found[4] == "now" else found[3],
    lambda found: 2 if found[4] == "now" else 3,
)


def _ask_place(rng: Rng, level: int) -> str:
    who, thing = one(rng, knowledge()["people"]), one(rng, knowledge()["things"])
    left, gone = _two(rng, "places")
    asked = f"the {thing}" if rng.random() < 0.5 else f"{who} now"
    return f"{who} left the {thing} in the {left} and went to the {gone}. Where is {asked}?"


def _is_thing(found: Found) -> bool:
    return found[5].startswith("the ")


PLACE = Family(
    re.compile(r"(\w+) left the (\w+) in the (\w+) and went to the (?!\3)(\w+)\. Where is (the \2|\1 now)\?"),
    _ask_place,
    lambda found: found[3] if _is_thing(found) else found[4],
    lambda rng, found: found[4] if _is_thing(found) else found[3],
    lambda found: 2 if _is_thing(found) else 3,
)


def _ask_age(rng: Rng, level: int) -> str:
    people = _two(rng, "people")
    ages = [int(age) for age in rng.choice(range(5, 100 - 15 * (5 - level)), size=2, replace=False)]
    told = " and ".join(f"{who} is {age} years old" for who, age in zip(people, ages, strict=True))
    return f"{told}. Who is {one(rng, ('older', 'younger'))}?"


def _by_age(found: Found) -> list[str]:
    """The wrong one, then the right one."""
    rising = [found[1], found[3]] if int(found[2]) < int(found[4]) else [found[3], found[1]]
    return rising if found[5] == "older" else rising[::-1]


AGE = Family(
    re.compile(r"(\w+) is (\d+) years old and (?!\1)(\w+) is (?!\2 )(\d+) years old\. Who is (older|younger)\?"),
    _ask_age,
    lambda found: _by_age(found)[1],
    lambda rng, found: _by_age(found)[0],
    lambda found: 3 if abs(int(found[2]) - int(found[4])) > 20 else 4,
)
