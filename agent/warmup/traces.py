"""Chains of thought whose steps are true of their case, by construction, and whose verdicts are drawn at random.

A text is a plain sentence with a little of one to three subjects put into it: phrases and edits of the attribute bank,
and words on subjects that the bank doesn't have. A trace names what the text has more of than the plain sentence had,
as the bank measures it and in the order in which it comes, and nothing else. Which option a subject speaks for, what
the rater says and what is true are coin flips, so no mistake is favoured and no label of any task is in it; most traces
end before the verdicts, since of a coin flip there is nothing to learn. Nothing that is evaluated is used.

Most of a trace is form. What it takes more to learn is what to notice, so that is shown in *briefs* too: a text or a
pair as traces have it and the subjects in it, several to a passage, each a third as long as a trace.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from askew.agent.hypothesise import SHORT_PROMPT
from askew.prompts.loader import load_prompt
from askew.tasks.attributes import (
    ATTRIBUTES,
    TextAttribute,
    closing,
    count,
    count_phrases,
    ending,
    lexicon,
    opening,
    raising,
)
from askew.tasks.text import LETTERS

NUMBERS = (0.3, 0.35, 0.35)
"""How many traces have one, two and three subjects."""
MOST_SUBJECTS = len(NUMBERS)
VERDICTS = 0.15
"""Share of the traces that go on to the verdicts and in which options are learned: enough to know the form, which a
grammar keeps anyway, and that options are even."""
UNTOLD = {
    "length", "number of sentences", "sentence length", "word length", "variety of words", "repetition", "names",
    "full stop at the end", "capital at the start",
}  # fmt: skip
"""What every text has some of, or gets by any change: traces are silent about it."""
EDITS = {"opening": opening, "closing": closing, "ending": ending}
"""The ways in which as_learned.toml may put words into a text."""
PAIRED = 0.5
"""Share of the traces about two options that differ; the others are about one text."""
BRIEF_NUMBERS = (0.1, 0.3, 0.6)
"""How many briefs have one, two and three subjects: it is of three that some are missed."""
BRIEF_PAIRED = 0.4
"""Share of the briefs about two options."""
ENTRIES = 8
"""Briefs, or lines of the glossary, in one passage."""
LEAD = "It"
"""A word that speaks of nothing."""
HEARD = 0.8
"""How often the rater follows the first step."""
TEST_EVERY = 5
"""Every fifth phrase of a subject is kept from what is learned."""
_PLAIN = re.compile(r"[a-z][a-z' ]+")


@dataclass(frozen=True, slots=True)
class Subject:
    """Something a text may have: its name, what is said of a text that has it, and how much of it is in a text.

    It is put in by a phrase or an edit; where there is neither, it only comes along with others.
    """

    name: str
    claim: str
    value: Callable[[str], float]
    phrases: tuple[str, ...] = ()
    edit: Callable[[str], str | None] | None = None


Brief = tuple[str, list[Subject]]
"""What is shown, in lines, and the subjects in it."""
Places = tuple[tuple[int, int], ...]
"""Where in a text is what is only read, and not to be learned."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One chain: the prompt, its continuation, the subjects that are truly there, and the verdict that was drawn."""

    prompt: str
    text: str
    subjects: frozenset[str]
    truth: str
    given: Places = ()
    """Places in the text of what was drawn, where it is not to be learned."""


@cache
def carriers() -> dict[str, Any]:
    """The material of carriers.toml."""
    return tomllib.loads(Path(__file__).with_name("carriers.toml").read_text(encoding="utf-8"))


@cache
def as_learned() -> dict[str, Any]:
    """The material of as_learned.toml."""
    return tomllib.loads(Path(__file__).with_name("as_learned.toml").read_text(encoding="utf-8"))


@cache
def subjects() -> tuple[Subject, ...]:
    """All subjects that a trace may name."""
    phrases = {name: tuple(p for p in entry["phrases"] if _PLAIN.fullmatch(p)) for name, entry in lexicon().items()}
    known = [
        Subject(name, _claim(attribute), attribute.value, phrases[name])
        if len(phrases.get(name, ())) >= MOST_SUBJECTS
        else Subject(name, _claim(attribute), attribute.value, edit=attribute.add)
        for name, attribute in ((name, _as_learned(name)) for name in ATTRIBUTES)
        if name not in UNTOLD
    ]
    for name, words in carriers()["subjects"].items():
        known.append(Subject(name, f"is about {name}", count_phrases(words), tuple(words)))
    return tuple(known)


def _as_learned(name: str) -> TextAttribute:
    """An attribute as the shipped reasoner learned it: by as_learned.toml, where the bank differs by now."""
    attribute, learned = ATTRIBUTES[name], as_learned()
    measure, edits = learned["measures"].get(name), learned["edits"].get(name, {})
    value = attribute.value if measure is None else count(measure)
    edit = None if name in learned["unedited"] else attribute.add
    for how, words in edits.items():
        edit = raising(value, EDITS[how](words))
    return replace(attribute, value=value, add=edit)


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
    traces: list[Trace] = []
    while len(traces) < n:
        trace = _pair(rng, made) if rng.random() < PAIRED else _single(rng, made)
        if 0 < len(trace.subjects) <= MOST_SUBJECTS:  # a phrase may speak of more than the subject it was taken for
            traces.append(trace)
    return traces


def make_briefs(n: int, rng: np.random.Generator) -> list[tuple[str, Places]]:
    """``n`` briefs in passages, and what of these is only read."""
    briefs: list[Brief] = []
    while len(briefs) < n:
        chosen = _draw(rng, BRIEF_NUMBERS)
        if rng.random() < BRIEF_PAIRED:
            written = _options(chosen, rng, Made.TO_LEARN)
            shown = "".join(f'{letter}: "{text}"\n' for letter, (text, _) in zip(LETTERS, written, strict=False))
            there = [subject for _, found in written for subject in found]
        else:
            text, there = _with(_carrier(rng, Made.TO_LEARN), chosen, rng, Made.TO_LEARN)
            shown = _quoted(text)
        if 0 < len({subject.name for subject in there}) <= MOST_SUBJECTS:
            briefs.append((shown, there))
    return _passages(briefs)


def make_glossary(rng: np.random.Generator) -> list[tuple[str, Places]]:
    """Every phrase that is learned from, alone or beside another, with what it speaks of; and what is only read.

    A phrase costs a fraction of the words here that it does in a trace.
    """
    phrases = sorted({p for subject in subjects() for p in _kept(subject.phrases, Made.TO_LEARN)})
    order = [phrases[int(index)] for index in rng.permutation(len(phrases))]
    briefs: list[Brief] = []
    while order:
        shown = [order.pop() for _ in range(min(len(order), 1 + int(rng.integers(2))))]
        # To the model a word within a sentence is another word than one that begins it.
        said = " ".join(f"{LEAD} {one}." if rng.integers(2) else f"{one.capitalize()}." for one in shown)
        briefs.append((_quoted(said), _in_order(said)))
    return _passages(briefs)


def _quoted(text: str) -> str:
    return f'Text: "{text}"\n'


def _passages(briefs: Sequence[Brief]) -> list[tuple[str, Places]]:
    made: list[tuple[str, Places]] = []
    for first in range(0, len(briefs), ENTRIES):
        text, given = "", []
        for shown, there in briefs[first : first + ENTRIES]:
            given.append((len(text), len(text) + len(shown)))
            text += shown + "".join(f"- {subject.name}\n" for subject in there)
        made.append((text, tuple(given)))
    return made


def _single(rng: np.random.Generator, made: Made) -> Trace:
    question, *options = _one(rng, carriers()["asked"]["questions"])
    noun = str(_one(rng, carriers()["asked"]["nouns"]))
    text, there = _with(_carrier(rng, made), _draw(rng, NUMBERS), rng, made)
    steps = [f"{s.name}: the {noun} {s.claim} -> " for s in there]
    prompt = load_prompt(SHORT_PROMPT).render(
        noun=noun, question=question, choices=", ".join(options), text=text, shown=""
    )
    return _trace(prompt, steps, options, there, rng)


def _pair(rng: np.random.Generator, made: Made) -> Trace:
    written = _options(_draw(rng, NUMBERS), rng, made)
    steps = [f"{s.name}: {LETTERS[k]} {s.claim} -> " for k in (0, 1) for s in written[k][1]]
    prompt = load_prompt(SHORT_PROMPT).render(
        noun="text",
        question=_one(rng, carriers()["asked"]["pair_questions"]),
        choices="A, B",
        text=_one(rng, carriers()["asked"]["about"]),
        shown=f"\nA: {written[0][0]}\nB: {written[1][0]}",
    )
    return _trace(prompt, steps, ["A", "B"], [s for _, there in written for s in there], rng)


def _trace(prompt: str, steps: list[str], options: list[str], there: list[Subject], rng: np.random.Generator) -> Trace:
    """Which option each step speaks for is drawn; the rater mostly follows the first, the truth follows nothing."""
    favoured = [int(k) for k in rng.integers(len(options), size=len(steps))]
    rater = favoured[0] if favoured and rng.random() < HEARD else int(rng.integers(len(options)))
    truth = options[int(rng.integers(len(options)))]
    verdicts = f" {options[rater]}\nTruth: {truth}" if rng.random() < VERDICTS else ""
    text, drawn = "", []
    for step, k in zip(steps, favoured, strict=True):
        text += ("\n- " if text else " ") + step
        drawn.append((len(text), len(text) + len(options[k])))
        text += options[k]
    text += "\nRater:" + verdicts
    return Trace(prompt, text, frozenset(s.name for s in there), truth, () if verdicts else tuple(drawn))


def _draw(rng: np.random.Generator, numbers: Sequence[float]) -> list[Subject]:
    known = [subject for subject in subjects() if subject.phrases or subject.edit]
    number = 1 + int(rng.choice(MOST_SUBJECTS, p=numbers))
    return [known[int(i)] for i in rng.permutation(len(known))[:number]]


def _options(chosen: Sequence[Subject], rng: np.random.Generator, made: Made) -> list[tuple[str, list[Subject]]]:
    """Two texts, each with some of the subjects put into it, and those it has now."""
    sides = rng.integers(2, size=len(chosen))
    return [
        _with(_carrier(rng, made), [s for s, side in zip(chosen, sides, strict=True) if side == k], rng, made)
        for k in (0, 1)
    ]


def _with(plain: str, chosen: Sequence[Subject], rng: np.random.Generator, made: Made) -> tuple[str, list[Subject]]:
    """The text with the subjects put into it, and those it has now, as they come."""
    text = plain
    for subject in chosen:
        if subject.phrases:
            text = _worded(text, str(_one(rng, _kept(subject.phrases, made) or subject.phrases)), rng)
    for subject in chosen:
        text = (subject.edit(text) if subject.edit is not None else None) or text
    return text, _in_order(text, plain)


def _in_order(text: str, plain: str = "") -> list[Subject]:
    """The subjects that the text has more of than the plain one, in the order in which a reader comes upon them."""
    words = text.split(" ")
    read = [" ".join(words[:n]) for n in range(1, len(words) + 1)]

    def place(subject: Subject) -> int:
        usual = subject.value(plain)
        return next(n for n, beginning in enumerate(read) if subject.value(beginning) > usual)

    there = [subject for subject in subjects() if subject.value(text) > subject.value(plain)]
    return sorted(there, key=lambda subject: (place(subject), subject.name))


def _kept(phrases: Sequence[str], made: Made) -> list[str]:
    """Those of a subject's phrases that are learned from, or those of the test with other words."""
    return [p for i, p in enumerate(phrases) if (i % TEST_EVERY == TEST_EVERY - 1) == (made is Made.OTHER_WORDS)]


def _worded(text: str, phrase: str, rng: np.random.Generator) -> str:
    """The text with a phrase somewhere in it, and nothing else that could be named."""
    words = text.rstrip(".").split(" ")
    place = int(rng.integers(len(words) + 1))
    if place == 0:
        words[0] = words[0][0].lower() + words[0][1:]
        phrase = phrase.capitalize()
    return " ".join([*words[:place], phrase, *words[place:]]) + "."


def _carrier(rng: np.random.Generator, made: Made) -> str:
    parts = carriers()["learned" if made is Made.TO_LEARN else "held_out"]
    sentence = " ".join(str(_one(rng, parts[part])) for part in ("who", "does", "where"))
    return sentence[0].upper() + sentence[1:] + "."


def _one(rng: np.random.Generator, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]
