"""Whose preference? Which of two lines fits a house style that nobody could know in advance.

Two lines of equal length from the same kind of text (the packaged reviews, editorials and tweets), of which the house
prints one. What it prints follows a rule drawn by the seed from some thousands, like "mentions a place or a number,
unless it says no": consistent, learnable, and not to be guessed by anyone who hasn't seen the house decide. So the
strong model's own opinion is near chance here, and all there is to know comes from the supervisor. With seed 0, whose
house refuses a line that has a name in it or speaks of people, unless it speaks of stories, a row is::

    text     Two lines of one kind: movie review.
    options  "An empty, ugly exercise in druggy trance noir and trumped up street credibility."
             "Serving Sara is little more than a mall movie designed to kill time."
    gold     0

The rule of a seed is told to the person who loads the task (as a note), never to the agent. Each line is used once,
so no line is in two splits. Supervisors follow the rule as they follow any truth, each wrong in its own way:
``model:minilm``, ``planted:word-length@0.7``, ``simulated:unsure@0.7``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from askew.seeds import stream
from askew.tasks.case import Case, Task
from askew.tasks.gold import Gold, LoadedTask
from askew.tasks.sentiment import SOURCES, read_rated
from askew.tasks.splits import SIZES, balanced_splits, fingerprint, first_of_each

NAME = "house-style"
WORDS = range(6, 31)
"""How many words a line may have."""
LEAST_SHARE = 0.16
"""Share of all lines that a rule must hold for, and must not: there are to be enough pairs."""

_WHOLE_WORDS = {
    "names a place": r"america\w*|u\.s\.|washington|new york|california|texas|london|paris|hollywood|chin(?:a|ese)|"
    r"europe\w*|brit\w+|english|french|france|german\w*|russia\w*|ira[qn]\w*|israel\w*|japan\w*|africa\w*|"
    r"mexic\w+|cit(?:y|ies)|towns?|villages?|countr(?:y|ies)|streets?|states?|world|home|house",
    "has a number": r"\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|hundreds?|thousands?|millions?|"
    r"billions?|dozens?|half|twice|first|second|third",
    "says I": "i|me|my|mine|myself|i'm|i've|i'd|i'll",
    "says you": "you|your|yours|yourself|you're|you've|you'll",
    "says no or not": r"no|not|never|none|nothing|nobody|nor|neither|without|cannot|\w*n't",
    "speaks of a man": "he|his|him|himself|m[ae]n|boys?|guys?|fathers?|sons?|husbands?|brothers?|mr|kings?",
    "speaks of a woman": "she|her|hers|herself|wom[ae]n|girls?|mothers?|daughters?|wi(?:fe|ves)|sisters?|mrs|ms",
    "speaks of people": "people|persons?|folks|audiences?|viewers?|voters?|child(?:ren)?|kids?|famil(?:y|ies)|"
    "citizens?|everyone|everybody|anyone|public|fans?|friends?|we|us|our",
    "speaks of time": "times?|years?|days?|weeks?|months?|hours?|minutes?|decades?|centur(?:y|ies)|today|now|ago|"
    "yesterday|tomorrow|tonight|morning|night",
    "speaks of size or age": "big|small|large|huge|tiny|long|short|little|great|high|low|new|old|young",
    "speaks of money": r"money|prices?|pric\w+|costs?|pay\w*|dollars?|cheap|tax\w*|budgets?|banks?|bought|buy\w*|"
    r"s[eo]ll\w*|sold|worth|compan(?:y|ies)|business\w*|econom\w+|free",
    "speaks of stories": "stor(?:y|ies)|plots?|scripts?|tales?|books?|novels?|characters?|dramas?|comed(?:y|ies)",
    "speaks of pictures": r"films?|movies?|shows?|scenes?|pictures?|screens?|cameras?|photos?|videos?|watch\w*|"
    r"see(?:n|s|ing)?|saw|look\w*",
    "speaks of sound": r"music\w*|songs?|sounds?|hear\w*|voices?|loud\w*|noise|earphones?|listen\w*|play\w*",
    "speaks of work or use": r"work\w*|us(?:e|es|ed|ing)|jobs?|mak(?:e|es|ing)|made|tr(?:y|ies|ied|ying)",
    "speaks of power": r"presidents?|govern\w+|laws?|courts?|congress|senat\w+|elect\w+|vot\w+|polic\w+|war|militar\w+",
}
_MARKS = {
    "has a colon or a dash": r"[:;]|\s-+\s|--|—",
    "asks or exclaims": r"[?!]",
    "has a name in it": r"(?<=[a-z,] )[A-Z][a-z]+",
    "has a quotation or brackets": r"[\"“(]|''|``",
}
CONCEPTS = {name: re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) for name, words in _WHOLE_WORDS.items()} | {
    name: re.compile(marks) for name, marks in _MARKS.items()
}
"""What a rule may be about: each can be seen in a line by code."""


@dataclass(frozen=True)
class Rule:
    """A line is ``liked`` when it has one of ``either`` and doesn't have ``unless``; ``turned``, when it isn't so."""

    either: tuple[str, str]
    unless: str
    turned: bool

    def holds(self, line: str) -> bool:
        """Whether the house prints this line."""
        has = any(CONCEPTS[name].search(line) for name in self.either) and not CONCEPTS[self.unless].search(line)
        return has != self.turned

    def __str__(self) -> str:
        verb = "refuses" if self.turned else "prints"
        return f"{verb} a line that {self.either[0]} or {self.either[1]}, unless it {self.unless}"


def load_house_style(seed: int, test: int = 0, folder: Path | None = None) -> LoadedTask:
    """The task with the rule and the splits of ``seed``, the test split of ``test`` or more.

    ``folder`` holds the extracted data (fetched by default).
    """
    if folder is None:
        from askew.tasks.data import data_folder

        folder = data_folder("hutto-2014")
    lines = read_lines(folder)
    rule = draw_rule(stream(seed, NAME, "rule"), lines)
    items = list(_pairs(lines, rule, stream(seed, NAME, "pairs")))
    drawn = balanced_splits([label for *_, label in items], SIZES, stream(seed, "splits", NAME), test)
    cases = tuple(
        Case(f"line-{index + 1}", f"Two lines of one kind: {items[index][0]}.", items[index][1], split)
        for index, split in drawn
    )
    task = Task(
        name=NAME,
        question="Which of the two lines fits the house style better?",
        noun="pair of lines",
        cases=cases,
        options_vary=True,
        manner_matters=True,
        fingerprint=fingerprint(cases),
    )
    gold = Gold({f"line-{index + 1}": items[index][2] for index, _ in drawn})
    return LoadedTask(task, gold, notes=(f"The house of seed {seed} {rule}.",), truth=lambda case: decided(rule, case))


def decided(rule: Rule, case: Case) -> int | None:
    """The only option that the house prints; ``None`` where it would print several, or none."""
    printed = [index for index, option in enumerate(case.options) if rule.holds(option)]
    return printed[0] if len(printed) == 1 else None


def draw_rule(rng: np.random.Generator, lines: Sequence[tuple[str, str]]) -> Rule:
    """A rule that splits the lines into two parts of which neither is small."""
    sample = [lines[int(index)][1] for index in rng.permutation(len(lines))[:2000]]
    while True:
        first, second, unless = (str(name) for name in rng.choice(list(CONCEPTS), size=3, replace=False))
        rule = Rule((first, second), unless, turned=bool(rng.random() < 0.5))
        if LEAST_SHARE <= np.mean([rule.holds(line) for line in sample]) <= 1 - LEAST_SHARE:
            return rule


@cache
def read_lines(folder: Path) -> tuple[tuple[str, str], ...]:
    """(kind of text, line) of every line of a fitting length, each said once."""
    lines = [(source.described, item.text) for source in SOURCES.values() for item in read_rated(folder, source)]
    once = [lines[index] for index in first_of_each([line for _, line in lines])]
    return tuple((kind, line) for kind, line in once if len(line.split()) in WORDS)


def _pairs(
    lines: Sequence[tuple[str, str]], rule: Rule, rng: np.random.Generator
) -> Iterator[tuple[str, tuple[str, str], int]]:
    """(kind, two lines with as many words, which of them the house prints)."""
    alike: dict[tuple[str, int], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for index in rng.permutation(len(lines)):
        kind, line = lines[int(index)]
        alike[kind, len(line.split())][rule.holds(line)].append(line)
    for (kind, _), (refused, printed) in sorted(alike.items()):
        for worse, better in zip(refused, printed, strict=False):
            label = int(rng.integers(2))
            yield kind, (worse, better) if label else (better, worse), label
