"""Question families that take reckoning: with numbers, units and time."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

import numpy as np

from askew.tasks.qa.family import LEVELS, Family, Found, Rng, knowledge, near, number_of, one

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# -- calculation ------------------------------------------------------------------------------------

_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "x": lambda a, b: a * b,
}


def _ask_calculation(rng: Rng, level: int) -> str:
    sign = one(rng, "+-x")
    digits = (level + 1) // 2 if sign == "x" else level
    first, second = number_of(rng, digits), number_of(rng, max(1, digits - int(rng.integers(2))))
    return f"What is {max(first, second)} {sign} {min(first, second)}?"


def _calculate(found: Found) -> int:
    return _OPERATIONS[found[2]](int(found[1]), int(found[3]))


CALCULATION = Family(
    re.compile(r"What is (\d+) ([-+x]) (\d+)\?"),
    _ask_calculation,
    lambda found: str(_calculate(found)),
    lambda rng, found: near(rng, _calculate(found)),
    lambda found: min(LEVELS, len(found[1]) * (2 if found[2] == "x" else 1)),
)


def _ask_units(rng: Rng, level: int) -> str:
    small, large, _ = one(rng, knowledge()["units"])
    return f"How many {small} are there in {int(rng.integers(2, 4 * level + 3))} {large}?"


def _factor(found: Found) -> int | None:
    factors = [factor for small, large, factor in knowledge()["units"] if (small, large) == (found[1], found[3])]
    return factors[0] if factors else None


def _wrong_units(rng: Rng, found: Found) -> str:
    return str(int(found[2]) * one(rng, [factor for factor in (7, 10, 12, 60, 100, 1000) if factor != _factor(found)]))


CONVERSION = Family(
    re.compile(r"How many ([a-z]+) are there in (\d+) ([a-z]+)\?"),
    _ask_units,
    lambda found: None if (factor := _factor(found)) is None else str(factor * int(found[2])),
    _wrong_units,
    lambda found: min(LEVELS, 1 + int(found[2]) // 5),
)


def _ask_sequence(rng: Rng, level: int) -> str:
    start, step = int(rng.integers(1, 10 * level)), int(rng.integers(1, 4 * level))
    return f"Which number comes next: {', '.join(str(start + step * n) for n in range(4))}?"


def _next_number(found: Found) -> int | None:
    numbers = [int(part) for part in found[1].split(", ")]
    steps = set(np.diff(numbers).tolist())
    return numbers[-1] + steps.pop() if len(steps) == 1 else None


SEQUENCE = Family(
    re.compile(r"Which number comes next: (\d+(?:, \d+){2,})\?"),
    _ask_sequence,
    lambda found: None if (number := _next_number(found)) is None else str(number),
    lambda rng, found: near(rng, _next_number(found) or 0),
    lambda found: min(LEVELS, 1 + len(found[1]) // 5),
)


def _ask_comparison(rng: Rng, level: int) -> str:
    if level <= 2:
        numbers = [number_of(rng, level + 1), number_of(rng, level + 1)]
        texts = [str(number) for number in numbers]
    else:
        texts = [f"{int(rng.integers(0, 3))}.{int(rng.integers(1, 10 ** int(rng.integers(1, 4))))}" for _ in "ab"]
    return f"Which number is {one(rng, ('larger', 'smaller'))}, {texts[0]} or {texts[1]}?"


def _by_value(found: Found) -> list[str]:
    """The wrong number, then the right one."""
    pair = sorted(found.groups()[1:], key=float)
    return pair if found[1] == "larger" else pair[::-1]


COMPARISON = Family(
    re.compile(r"Which number is (larger|smaller), (\d+(?:\.\d+)?) or (\d+(?:\.\d+)?)\?"),
    _ask_comparison,
    lambda found: None if float(found[2]) == float(found[3]) else _by_value(found)[1],
    lambda rng, found: _by_value(found)[0],
    lambda found: 1 if "." not in found[0] else 3 if len(found[2]) == len(found[3]) else 4,
)


def _ask_neighbour(rng: Rng, level: int) -> str:
    return f"Which number comes right {one(rng, ('before', 'after'))} {int(rng.integers(3, 200 * level))}?"


def _neighbour(found: Found) -> int:
    return int(found[2]) + (1 if found[1] == "after" else -1)


NEIGHBOUR = Family(
    re.compile(r"Which number comes right (before|after) (\d+)\?"),
    _ask_neighbour,
    lambda found: str(_neighbour(found)),
    lambda rng, found: str(_neighbour(found) + one(rng, (-2 if found[1] == "after" else 2, -10, 10, 3))),
    lambda found: len(found[2]),
)

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number: int) -> str:
    """A number from 0 to 999 in English words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    rest = f" and {in_words(number % 100)}" if number % 100 else ""
    return f"{_ONES[number // 100]} hundred{rest}"


def _ask_in_words(rng: Rng, level: int) -> str:
    return f"How is the number {int(rng.integers(11, 100 if level < 3 else 1000))} written in words?"


def _misread(rng: Rng, found: Found) -> str:
    number = int(found[1])
    off = one(rng, [step for step in (-100, -20, -10, -1, 1, 10, 20, 100) if 0 <= number + step < 1000])
    return in_words(number + off)


IN_WORDS = Family(
    re.compile(r"How is the number (\d{1,3}) written in words\?"),
    _ask_in_words,
    lambda found: in_words(int(found[1])),
    _misread,
    lambda found: len(found[1]) - 1,
)

# -- time -------------------------------------------------------------------------------------------


def _ask_weekday(rng: Rng, level: int) -> str:
    return f"What day of the week is it {int(rng.integers(1, 3 * level**2 + 2))} days after a {one(rng, DAYS)}?"


def _weekday(found: Found) -> str:
    return DAYS[(DAYS.index(found[2]) + int(found[1])) % 7]


WEEKDAY = Family(
    re.compile(rf"What day of the week is it (\d+) days after a ({'|'.join(DAYS)})\?"),
    _ask_weekday,
    _weekday,
    lambda rng, found: str(one(rng, [day for day in DAYS if day != _weekday(found)])),
    lambda found: min(LEVELS, 1 + int(found[1]) // 7),
)


def _ask_month(rng: Rng, level: int) -> str:
    return f"Which month comes {int(rng.integers(1, level + 2))} months after {one(rng, MONTHS)}?"


def _month(found: Found) -> str:
    return MONTHS[(MONTHS.index(found[2]) + int(found[1])) % 12]


MONTH = Family(
    re.compile(rf"Which month comes (\d+) months after ({'|'.join(MONTHS)})\?"),
    _ask_month,
    _month,
    lambda rng, found: str(one(rng, [month for month in MONTHS if month != _month(found)])),
    lambda found: min(LEVELS, int(found[1])),
)


def _ask_date(rng: Rng, level: int) -> str:
    start = datetime.date(int(rng.integers(1990, 2030)), 1, 1) + datetime.timedelta(int(rng.integers(300)))
    day = f"{start.day} {MONTHS[start.month - 1]} {start.year}"
    return f"Which date comes {int(rng.integers(1, 12 * level))} days after {day}?"


def _date(found: Found, off: int = 0) -> str | None:
    try:
        start = datetime.date(int(found[4]), MONTHS.index(found[3]) + 1, int(found[2]))
        end = start + datetime.timedelta(int(found[1]) + off)
    except (ValueError, OverflowError):
        return None
    return f"{end.day} {MONTHS[end.month - 1]} {end.year}"


DATE = Family(
    re.compile(rf"Which date comes (\d+) days after (\d+) ({'|'.join(MONTHS)}) (\d{{4}})\?"),
    _ask_date,
    _date,
    lambda rng, found: str(_date(found, one(rng, (-2, -1, 1, 2)))),
    lambda found: min(LEVELS, 2 + int(found[1]) // 15),
)
