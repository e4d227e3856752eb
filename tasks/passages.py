"""Taking texts apart: words, sentences, and the opinion that a text states."""

from __future__ import annotations

import re
from collections.abc import Sequence

from askew.tasks.case import Case

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\d)[^.!?\n]*)*[.!?]*")  # a dot inside a number ends nothing
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|" + WORD.pattern)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?")
_OPINION = re.compile(
    r"\b(?:i|i'm|i’m|we|my|our|me)\b[^.?!]*"
    r"\b(?:think|believe|guess|feel|sure|certain|bet|say|opinion|view|answer|reckon|suspect|prefer|favou?r|hunch)\b"
    r"|\bin my (?:opinion|view)\b|\bif you ask me\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"\b(?:not|never|no|isn't|wasn't|don't|doesn't|can't be|wrong)\b", re.IGNORECASE)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [word.lower() for word in WORD.findall(text)]


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip(" .!?")]


def numbers_of(text: str) -> list[float]:
    """The numbers written in digits in a text."""
    return [float(found.replace(",", "")) for found in _NUMBER.findall(text)]


def tokens(text: str) -> set[str]:
    """The distinct words and numbers of a text."""
    return {token.casefold() for token in _TOKEN.findall(text)}


def opinions(text: str) -> list[str]:
    """The sentences in which someone says in the first person what they think."""
    return [sentence for sentence in sentences(text) if _OPINION.search(sentence)]


def _distinctive(options: Sequence[str]) -> list[set[str]]:
    """What each option says that the others don't."""
    said = [tokens(option) for option in options]
    return [
        own.difference(*(other for index, other in enumerate(said) if index != own_index))
        for own_index, own in enumerate(said)
    ]


def agreement(case: Case) -> list[float]:
    """How far each option says what an opinion stated in the case's text says; below 0 where it is denied."""
    stated = opinions(case.text)
    own = _distinctive(case.options)
    scores = [0.0] * len(case.options)
    for sentence in stated:
        sign = -1.0 if _DENIAL.search(sentence) else 1.0
        held = tokens(sentence)
        for index, distinctive in enumerate(own):
            scores[index] += sign * len(held & distinctive) / max(1, min(len(held), len(distinctive)))
    return scores


def overlap(case: Case) -> list[float]:
    """Share of each option's words that the case's text has too."""
    asked = tokens(case.text)
    return [len(said & asked) / max(1, len(said)) for said in map(tokens, case.options)]


def comes_first(case: Case) -> list[float]:
    """1 for the first option."""
    return [float(index == 0) for index in range(len(case.options))]


def comes_last(case: Case) -> list[float]:
    """1 for the last option."""
    return [float(index == len(case.options) - 1) for index in range(len(case.options))]
