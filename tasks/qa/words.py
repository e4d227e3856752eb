"""Question families about words and things that are commonly known."""

from __future__ import annotations

import re

from askew.tasks.qa.family import LEVELS, Family, Found, Rng, knowledge, one

# -- words ------------------------------------------------------------------------------------------


def _ask_alphabet(rng: Rng, level: int) -> str:
    chosen = rng.choice(knowledge()["words"], size=2 + level // 2, replace=False)
    return f"Which word comes first in the alphabet: {', '.join(chosen)}?"


ALPHABET = Family(
    re.compile(r"Which word comes first in the alphabet: ([a-z]+(?:, [a-z]+)+)\?"),
    _ask_alphabet,
    lambda found: min(found[1].split(", ")),
    lambda rng, found: str(one(rng, sorted(found[1].split(", "))[1:])),
    lambda found: min(LEVELS, found[1].count(",") + 1),
)


def _ask_letters(rng: Rng, level: int) -> str:
    words = sorted(knowledge()["words"], key=len)
    return f"How many letters are there in the word '{one(rng, words[: 20 * level])}'?"


LETTERS = Family(
    re.compile(r"How many letters are there in the word '([a-z]+)'\?"),
    _ask_letters,
    lambda found: str(len(found[1])),
    lambda rng, found: str(len(found[1]) + one(rng, (-2, -1, 1, 2))),
    lambda found: min(LEVELS, max(1, len(found[1]) - 3)),
)

# -- general knowledge ------------------------------------------------------------------------------


def table(name: str, wording: str) -> Family:
    """A family that looks answers up: ``wording`` holds {} for the thing asked about."""

    def ask(rng: Rng, level: int) -> str:
        rows = knowledge()[name]
        return wording.format(one(rng, rows[: max(8, len(rows) * level // LEVELS)])[0])

    def solve(found: Found) -> str | None:
        return dict(knowledge()[name]).get(found[1])

    def mislead(rng: Rng, found: Found) -> str:
        return str(one(rng, [answer for _, answer in knowledge()[name] if answer != solve(found)]))

    def level(found: Found) -> int:
        asked = [row[0] for row in knowledge()[name]]
        return 1 + LEVELS * asked.index(found[1]) // len(asked) if found[1] in asked else LEVELS

    pattern = re.escape(wording).replace(re.escape("{}"), "([A-Za-z ]+)")
    return Family(re.compile(pattern), ask, solve, mislead, level)


def _ask_category(rng: Rng, level: int) -> str:
    names = [str(name) for name in rng.choice(list(knowledge()["categories"]), size=2, replace=False)]
    members = [one(rng, knowledge()["categories"][name]) for name in names]
    shown = members if rng.random() < 0.5 else members[::-1]
    return f"Which of these is {names[0]}: {shown[0]} or {shown[1]}?"


def _sorted_by_category(found: Found) -> tuple[list[str], list[str]]:
    members = knowledge()["categories"].get(found[1], [])
    shown = [found[2], found[3]]
    return [word for word in shown if word in members], [word for word in shown if word not in members]


CATEGORY = Family(
    re.compile(r"Which of these is (an? [a-z ]+): (\w+) or (\w+)\?"),
    _ask_category,
    lambda found: sides[0][0] if all(map(len, sides := _sorted_by_category(found))) else None,
    lambda rng, found: _sorted_by_category(found)[1][0],
    lambda found: 1,
)


def _ask_odd(rng: Rng, level: int) -> str:
    usual, other = (str(name) for name in rng.choice(list(knowledge()["categories"]), size=2, replace=False))
    alike = rng.choice(knowledge()["categories"][usual], size=1 + min(level, 4), replace=False)
    shown = rng.permutation([*alike, one(rng, knowledge()["categories"][other])])
    return f"Which one doesn't belong: {', '.join(shown)}?"


def _odd(found: Found) -> str | None:
    """The only word that is outside a category which holds all the others."""
    shown = found[1].split(", ")
    outside = [[word for word in shown if word not in members] for members in knowledge()["categories"].values()]
    odd = {words[0] for words in outside if len(words) == 1}
    return odd.pop() if len(odd) == 1 else None


ODD_ONE = Family(
    re.compile(r"Which one doesn't belong: (\w+(?:, \w+){2,})\?"),
    _ask_odd,
    _odd,
    lambda rng, found: str(one(rng, [word for word in found[1].split(", ") if word != _odd(found)])),
    lambda found: min(LEVELS, found[1].count(",")),
)


def _ask_size(rng: Rng, level: int) -> str:
    sizes = knowledge()["sizes"]
    gap = max(1, 12 - 2 * level)
    low = int(rng.integers(len(sizes) - gap))
    pair = [sizes[low], sizes[low + int(rng.integers(gap, len(sizes) - low))]]
    return f"Which is usually {one(rng, ('bigger', 'smaller'))}, {' or '.join(rng.permutation(pair))}?"


def _by_size(found: Found) -> list[str] | None:
    """The wrong thing, then the right one."""
    sizes = knowledge()["sizes"]
    pair = [found[2], found[3]]
    if not set(pair) <= set(sizes) or pair[0] == pair[1]:
        return None
    return sorted(pair, key=sizes.index, reverse=found[1] == "smaller")


SIZE = Family(
    re.compile(r"Which is usually (bigger|smaller), ((?:an?|the) [a-z]+) or ((?:an?|the) [a-z]+)\?"),
    _ask_size,
    lambda found: pair[1] if (pair := _by_size(found)) else None,
    lambda rng, found: (_by_size(found) or ["?"])[0],
    lambda found: 2,
)


def _ask_kind(rng: Rng, level: int) -> str:
    return f"What kind of thing is '{one(rng, one(rng, list(knowledge()['categories'].values())))}'?"


def _kinds(word: str) -> tuple[list[str], list[str]]:
    """The categories that hold a word, and those that don't."""
    sides: tuple[list[str], list[str]] = ([], [])
    for name, members in knowledge()["categories"].items():
        sides[word not in members].append(name)
    return sides


KIND = Family(
    re.compile(r"What kind of thing is '(\w+)'\?"),
    _ask_kind,
    lambda found: names[0] if len(names := _kinds(found[1])[0]) == 1 else None,
    lambda rng, found: str(one(rng, _kinds(found[1])[1])),
    lambda found: 1,
)


def _ask_first_letter(rng: Rng, level: int) -> str:
    return f"Which letter does the word '{one(rng, knowledge()['words'])}' begin with?"


FIRST_LETTER = Family(
    re.compile(r"Which letter does the word '([a-z]+)' begin with\?"),
    _ask_first_letter,
    lambda found: f"'{found[1][0]}'",
    lambda rng, found: f"'{one(rng, [letter for letter in 'abcdefghlmnoprst' if letter != found[1][0]])}'",
    lambda found: 1,
)


def _ask_capitals(rng: Rng, level: int) -> str:
    return f"How is the word '{one(rng, knowledge()['words'])}' written in capital letters?"


CAPITALS = Family(
    re.compile(r"How is the word '([a-z]+)' written in capital letters\?"),
    _ask_capitals,
    lambda found: f"'{found[1].upper()}'",
    lambda rng, found: f"'{one(rng, [word for word in knowledge()['words'] if word != found[1]]).upper()}'",
    lambda found: 1,
)
