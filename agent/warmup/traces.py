"""Chains of thought whose steps are true of their case, by construction, and whose verdicts are drawn at random.

A text is a plain sentence with a little of one to three subjects put into it: phrases and edits of the attribute bank,
and words on subjects that the bank doesn't have. A trace names those subjects, and nothing else. Which option a
subject speaks for, what the rater says and what is true are coin flips, so no mistake is favoured and no label of any
task is in it. Nothing that is evaluated is used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from askew.agent.hypothesise import SHORT_PROMPT
from askew.prompts.loader import load_prompt
from askew.tasks.attributes import ATTRIBUTES, TextAttribute, lexicon
from askew.tasks.text import LETTERS

MOST_SUBJECTS = 3
PAIRED = 0.5
"""Share of the traces about two options that differ; the others are about one text."""
HEARD = 0.8
"""How often the rater follows the first step."""
TEST_EVERY = 5
"""Every fifth phrase of a subject is kept for the test of what was learned."""
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
    """One chain: the prompt, its continuation, and the subjects that are truly there."""

    prompt: str
    text: str
    subjects: frozenset[str]


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


def make_traces(n: int, rng: np.random.Generator, *, test: bool = False) -> list[Trace]:
    """``n`` traces; those of the ``test`` have carriers that the others don't, and phrases kept from them."""
    return [_pair(rng, test) if rng.random() < PAIRED else _single(rng, test) for _ in range(n)]


def _single(rng: np.random.Generator, test: bool) -> Trace:
    question, *options = _one(rng, carriers()["questions"])
    noun = str(_one(rng, carriers()["nouns"]))
    chosen = _draw(rng)
    text, put = _with(_carrier(rng, test), chosen, rng, test)
    steps = [f"{s.name}: the {noun} {s.claim} -> " for s in put]
    prompt = load_prompt(SHORT_PROMPT).render(
        noun=noun, question=question, choices=", ".join(options), text=text, shown=""
    )
    return _trace(prompt, steps, options, put, rng)


def _pair(rng: np.random.Generator, test: bool) -> Trace:
    chosen = _draw(rng)
    sides = rng.integers(2, size=len(chosen))
    carrier = _carrier(rng, test), _carrier(rng, test)
    made = [
        _with(carrier[k], [s for s, side in zip(chosen, sides, strict=True) if side == k], rng, test) for k in (0, 1)
    ]
    put = [(s, k) for k in (0, 1) for s in made[k][1]]
    put = [put[int(i)] for i in rng.permutation(len(put))]
    steps = [f"{s.name}: {LETTERS[k]} {s.claim} -> " for s, k in put]
    prompt = load_prompt(SHORT_PROMPT).render(
        noun="text",
        question=_one(rng, carriers()["pair_questions"]),
        choices="A, B",
        text=_carrier(rng, test),
        shown=f"\nA: {made[0][0]}\nB: {made[1][0]}",
    )
    return _trace(prompt, steps, ["A", "B"], [s for s, _ in put], rng)


def _trace(prompt: str, steps: list[str], options: list[str], put: list[Subject], rng: np.random.Generator) -> Trace:
    """Which option each step speaks for is drawn; the rater mostly follows the first, the truth follows nothing."""
    favoured = [int(k) for k in rng.integers(len(options), size=len(steps))]
    rater = favoured[0] if favoured and rng.random() < HEARD else int(rng.integers(len(options)))
    lines = [step + options[k] for step, k in zip(steps, favoured, strict=True)]
    verdicts = f"Rater: {options[rater]}\nTruth: {options[int(rng.integers(len(options)))]}"
    return Trace(prompt, " " + "\n- ".join(lines) + "\n" + verdicts, frozenset(s.name for s in put))


def _draw(rng: np.random.Generator) -> list[Subject]:
    known = subjects()
    return [known[int(i)] for i in rng.permutation(len(known))[: int(rng.integers(1, MOST_SUBJECTS + 1))]]


def _with(text: str, chosen: list[Subject], rng: np.random.Generator, test: bool) -> tuple[str, list[Subject]]:
    """The text with the subjects put into it, and those that could be."""
    put = []
    for subject in chosen:
        if subject.edit is not None:
            changed = subject.edit(text)
        else:
            kept = [p for i, p in enumerate(subject.phrases) if (i % TEST_EVERY == TEST_EVERY - 1) == test]
            changed = _worded(text, str(_one(rng, kept or subject.phrases)), rng)
        if changed is not None:
            text = changed
            put.append(subject)
    return text, put


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


def _carrier(rng: np.random.Generator, test: bool) -> str:
    material = carriers()
    if test:
        sentence = str(_one(rng, material["held_out"]))
    else:
        sentence = " ".join(str(_one(rng, material[part])) for part in ("who", "does", "where"))
    return sentence[0].upper() + sentence[1:] + "."


def _one(rng: np.random.Generator, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]
