"""Chains of thought whose steps are true of their case, by construction, and whose verdicts are drawn at random.

A text is a plain sentence with a little of one to three subjects put into it: phrases and edits of the attribute bank,
and words on subjects that the bank doesn't have. A trace names those subjects in the order in which they come, and
nothing else. Which option a subject speaks for, what the rater says and what is true are coin flips, so no mistake is
favoured and no label of any task is in it; most traces end before the verdicts, since of a coin flip there is nothing
to learn. Nothing that is evaluated is used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from askew.agent.hypothesise import SHORT_PROMPT
from askew.prompts.loader import load_prompt
from askew.tasks.attributes import ATTRIBUTES, TextAttribute, lexicon
from askew.tasks.text import LETTERS

NUMBERS = (0.2, 0.3, 0.5)
"""How many traces have one, two and three subjects."""
MOST_SUBJECTS = len(NUMBERS)
VERDICTS = 0.15
"""Share of the traces that go on to the verdicts: enough to know the form, which a grammar keeps anyway."""
PAIRED = 0.5
"""Share of the traces about two options that differ; the others are about one text."""
HEARD = 0.8
"""How often the rater follows the first step."""
TEST_EVERY = 5
"""Every fifth phrase of a subject is kept from what is learned."""
_PLAIN = re.compile(r"[a-z][a-z' ]+")


@dataclass(frozen=True, slots=True)
class Subject:
    """Something a text may have: what it is called, what is said of a text that has it, and how to put it in."""

    name: str
    claim: str
    phrases: tuple[str, ...] = ()
    edit: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One chain: the prompt, its continuation, the subjects that are truly there, and the verdict that was drawn."""

    prompt: str
    text: str
    subjects: frozenset[str]
    truth: str


@cache
def carriers() -> dict[str, Any]:
    """The material of carriers.toml."""
    return tomllib.loads(Path(__file__).with_name("carriers.toml").read_text(encoding="utf-8"))


@cache
def subjects() -> tuple[Subject, ...]:
    """All subjects that can be put into a text."""
    phrases = {name: tuple(p for p in entry["phrases"] if _PLAIN.fullmatch(p)) for name, entry in lexicon().items()}
    known = []
    for name, attribute in ATTRIBUTES.items():
        if len(phrases.get(name, ())) >= MOST_SUBJECTS:
            known.append(Subject(name, _claim(attribute), phrases[name]))
        elif attribute.add is not None:
            known.append(Subject(name, _claim(attribute), edit=attribute.add))
    known += [Subject(name, f"is about {name}", tuple(words)) for name, words in carriers()["subjects"].items()]
    return tuple(known)


def _claim(attribute: TextAttribute) -> str:
    """The first words of the description, as a claim that the grammar of a chain admits."""
    claim = re.split(r"[,:]", attribute.description)[0]
    return re.sub(r"[^a-zA-Z0-9',. !?-]", "", claim).strip()


class Made(StrEnum):
    """What traces are for: to learn from, to test on other cases, or to test on other cases and other words."""

    TO_LEARN = "to learn"
    OTHER_CASES = "other cases"
    OTHER_WORDS = "other words"


def make_traces(n: int, rng: np.random.Generator, made: Made = Made.TO_LEARN) -> list[Trace]:
    """``n`` traces. Those of a test have sentences, and if wanted phrases for a subject, that no other trace has."""
    return [_pair(rng, made) if rng.random() < PAIRED else _single(rng, made) for _ in range(n)]


def _single(rng: np.random.Generator, made: Made) -> Trace:
    question, *options = _one(rng, carriers()["questions"])
    noun = str(_one(rng, carriers()["nouns"]))
    chosen = _draw(rng)
    text, put = _with(_carrier(rng, made), chosen, rng, made)
    steps = [f"{s.name}: the {noun} {s.claim} -> " for s in put]
    prompt = load_prompt(SHORT_PROMPT).render(
        noun=noun, question=question, choices=", ".join(options), text=text, shown=""
    )
    return _trace(prompt, steps, options, put, rng)


def _pair(rng: np.random.Generator, made: Made) -> Trace:
    chosen = _draw(rng)
    sides = rng.integers(2, size=len(chosen))
    carrier = _carrier(rng, made), _carrier(rng, made)
    sides_put = [
        _with(carrier[k], [s for s, side in zip(chosen, sides, strict=True) if side == k], rng, made) for k in (0, 1)
    ]
    put = [(s, k) for k in (0, 1) for s in sides_put[k][1]]
    steps = [f"{s.name}: {LETTERS[k]} {s.claim} -> " for s, k in put]
    prompt = load_prompt(SHORT_PROMPT).render(
        noun="text",
        question=_one(rng, carriers()["pair_questions"]),
        choices="A, B",
        text=_one(rng, carriers()["about"]),
        shown=f"\nA: {sides_put[0][0]}\nB: {sides_put[1][0]}",
    )
    return _trace(prompt, steps, ["A", "B"], [s for s, _ in put], rng)


def _trace(prompt: str, steps: list[str], options: list[str], put: list[Subject], rng: np.random.Generator) -> Trace:
    """Which option each step speaks for is drawn; the rater mostly follows the first, the truth follows nothing."""
    favoured = [int(k) for k in rng.integers(len(options), size=len(steps))]
    rater = favoured[0] if favoured and rng.random() < HEARD else int(rng.integers(len(options)))
    lines = [step + options[k] for step, k in zip(steps, favoured, strict=True)]
    truth = options[int(rng.integers(len(options)))]
    verdicts = f" {options[rater]}\nTruth: {truth}" if rng.random() < VERDICTS else ""
    text = " " + "\n- ".join(lines) + "\nRater:" + verdicts
    return Trace(prompt, text, frozenset(s.name for s in put), truth)


def _draw(rng: np.random.Generator) -> list[Subject]:
    known = subjects()
    number = 1 + int(rng.choice(MOST_SUBJECTS, p=NUMBERS))
    return [known[int(i)] for i in rng.permutation(len(known))[:number]]


def _with(text: str, chosen: list[Subject], rng: np.random.Generator, made: Made) -> tuple[str, list[Subject]]:
    """The text with the subjects put into it, and those that could be: as they come, then what the whole text has."""
    said: dict[str, Subject] = {}
    whole = []
    for subject in chosen:
        if subject.edit is not None:
            continue
        kept = [
            p for i, p in enumerate(subject.phrases) if (i % TEST_EVERY == TEST_EVERY - 1) == (made is Made.OTHER_WORDS)
        ]
        phrase = str(_one(rng, kept or subject.phrases))
        text = _worded(text, phrase, rng)
        said[phrase.lower()] = subject
    for subject in chosen:
        changed = subject.edit(text) if subject.edit is not None else None
        if changed is not None:
            text = changed
            whole.append(subject)
    lowered = text.lower()
    ordered = sorted(said, key=lowered.find)
    return text, [said[phrase] for phrase in ordered] + sorted(whole, key=lambda subject: subject.name)


def _worded(text: str, phrase: str, rng: np.random.Generator) -> str:
    """The text with a phrase somewhere in it."""
    words = text.split(" ")
    place = int(rng.integers(1, len(words)))
    ways = (
        " ".join([*words[:place], phrase, *words[place:]]),
        f"{text.rstrip()} And {phrase}.",
        f"{phrase.capitalize()}, {text[0].lower()}{text[1:]}",
        f"{text.rstrip('.')}, {phrase}.",
    )
    return str(ways[int(rng.integers(len(ways)))])


def _carrier(rng: np.random.Generator, made: Made) -> str:
    material = carriers()
    if made is not Made.TO_LEARN:
        sentence = str(_one(rng, material["held_out"]))
    else:
        sentence = " ".join(str(_one(rng, material[part])) for part in ("who", "does", "where"))
    return sentence[0].upper() + sentence[1:] + "."


def _one(rng: np.random.Generator, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]
