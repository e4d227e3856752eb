"""Taking texts apart: words, sentences, and the opinion that a text states."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from askew.tasks.case import Case

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\d)[^.!?\n]*)*[.!?]*")  # a dot inside a number ends nothing
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|" + WORD.pattern)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?")
_OPINION = re.compile(
    r"\b(?:i|i'm|i’m|we|my|our|me)\b[^.?!]{0,200}"
    r"\b(?:think|believe|guess|feel|sure|certain|bet|say|opinion|view|answer|reckon|suspect|prefer|favou?r|hunch|doubt)\b"
    r"|\bin my (?:opinion|view)\b|\bif you ask me\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:not|never|no(?!\s+(?:doubt|question|idea))|isn['’]t|wasn['’]t|don['’]t|doesn['’]t|can['’]t be|wrong"
    r"|(?<!no )doubt)\b",
    re.IGNORECASE,
)
_FUNCTION_WORDS = ENGLISH_STOP_WORDS - {
    "one", "two", "three", "four", "five", "six", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty",
    "forty", "fifty", "sixty", "hundred", "none", "nothing", "never", "always", "no", "not", "first", "last", "more",
    "most", "less", "least", "top", "bottom", "front", "back", "up", "down",
}  # fmt: skip
"""Words that any two sentences may share without saying the same; those that an answer may consist of stay."""


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
    """How far each option says what an opinion stated in the case's text says; below 0 where it is denied.

    Of what an opinion says and not all options do, each option's share counts: so that neither a long option nor
    words that any sentence has agree with it.
    """
    stated = opinions(case.text)
    own = [distinctive - _FUNCTION_WORDS for distinctive in _distinctive(case.options)]
    scores = [0.0] * len(case.options)
    for sentence in stated:
        sign = -1.0 if _DENIAL.search(sentence) else 1.0
        held = tokens(sentence) & set().union(*own)
        for index, distinctive in enumerate(own):
            scores[index] += sign * len(held & distinctive) / max(1, len(held))
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
