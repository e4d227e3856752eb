"""A broad bank of things that can be measured about any text, each with a name that a claim can be matched to.

The bank is general on purpose: it holds manners, subjects, punctuation and form, and is not a list of the
mistakes that supervisors are known to make. A hypothesis in words ("prefers long answers") is grounded by
finding the attribute with the nearest name and measuring it.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from askew.registry import Registry
from askew.tasks.case import Attribute, Case
from askew.tasks.passages import (
    WORD,
    agreement,
    comes_first,
    comes_last,
    numbers_of,
    overlap,
    sentences,
    tokens,
    words_of,
)

Edit = Callable[[str], str | None]
"""The text with a little more of an attribute and the same truth, or ``None`` where that can't be done."""
Edited = tuple[str, tuple[str, ...]]
"""What an edit leaves of a case: its text and its options."""


@dataclass(frozen=True)
class TextAttribute:
    """Something measured about a text by itself.

    Attributes:
        name: a few words.
        description: completes "the text …".
        value: the measurement; higher is more of it.
        add: the minimal edit that raises ``value`` and keeps what the text says, where there is one.
    """

    name: str
    description: str
    value: Callable[[str], float]
    add: Edit | None = None


@dataclass(frozen=True)
class OptionAttribute:
    """Something measured about each option in view of the whole case: its position, say.

    ``varying_only`` marks those that mean nothing where the options are class names.
    """

    name: str
    description: str
    values: Callable[[Case], Sequence[float]]
    varying_only: bool = True
    add: Callable[[Case, int], Edited | None] | None = None
    """The minimal edit that makes a little more of the attribute for one option, the truth unchanged."""


JUDGING = ("good words", "bad words", "swearing")
"""Manners in which a text says what it thinks: to add a word of theirs would change what is said."""

ATTRIBUTES: Registry[TextAttribute] = Registry("attribute")
OPTION_ATTRIBUTES: Registry[OptionAttribute] = Registry("option attribute")


def measure(attribute: TextAttribute | OptionAttribute, case: Case, options_vary: bool) -> tuple[float, ...]:
    """What ``attribute`` is for ``case``: K numbers, one an option, or one number about the text.

    An option is measured where options are what is judged (``options_vary``) or the attribute is about
    options; otherwise the text of the case is.
    """
    if isinstance(attribute, OptionAttribute):
        return tuple(float(value) for value in attribute.values(case))
    if options_vary:
        return tuple(float(attribute.value(option)) for option in case.options)
    return (float(attribute.value(case.text)),)


def bank(options_vary: bool) -> dict[str, Attribute]:
    """Every attribute that applies to a task, as functions of a case; see :func:`measure`."""
    applying: list[tuple[str, TextAttribute | OptionAttribute]] = [*ATTRIBUTES.items()]
    applying += [item for item in OPTION_ATTRIBUTES.items() if options_vary or not item[1].varying_only]
    return {name: partial(measure, attribute, options_vary=options_vary) for name, attribute in applying}


@lru_cache(maxsize=4096)  # every edit and every check of one finds its words by name
def keyword(*words: str) -> TextAttribute:
    """The attribute of containing a word or phrase (whole words, any case), or any of several.

    It has an edit unless one of them says what a text thinks of its subject.
    """
    quoted = ", ".join(map(repr, words))
    name = f"the word {quoted}" if len(words) == 1 else f"any of the words {quoted}"
    judging = any(ATTRIBUTES[manner].value(word) for word in words for manner in JUDGING)
    # Two of a family: one alone would be the edit of that word. Without a comma, which may be what is liked.
    add = None if judging else closing(f" ({' '.join(words[:2])})")
    return TextAttribute(name, f"contains {name}", count_phrases([*map(re.escape, words)]), add)


_QUOTED = r"""(?:'[^']+'|"[^"]+")"""
_WORDS_NAME = re.compile(rf"(?:the word|any of the words) ({_QUOTED}(?:, {_QUOTED})*)")


def is_of_words(name: str) -> bool:
    """Whether an attribute of that name is one of words (:func:`keyword`) and none of the bank."""
    return name not in ATTRIBUTES and _WORDS_NAME.fullmatch(name) is not None


def find(name: str) -> TextAttribute | OptionAttribute | None:
    """The attribute of that name, in the bank or of words; ``None`` where there is none."""
    if name in ATTRIBUTES:
        return ATTRIBUTES[name]
    if name in OPTION_ATTRIBUTES:
        return OPTION_ATTRIBUTES[name]
    words = _WORDS_NAME.fullmatch(name)
    return keyword(*(quoted[1:-1] for quoted in re.findall(_QUOTED, words[1]))) if words else None


def replaced(case: Case, place: int, option: str) -> tuple[str, ...]:
    """The case's options with another one in a place."""
    return (*case.options[:place], option, *case.options[place + 1 :])


# -- edits ------------------------------------------------------------------------------------------


def opening(words: str) -> Edit:
    """Put ``words`` before the text."""
    return lambda text: words + text


def closing(words: str) -> Edit:
    """Put ``words`` after the text."""
    return lambda text: text.rstrip() + words


def ending(mark: str) -> Edit:
    """End the text with ``mark`` in place of its full stop."""
    return lambda text: text.rstrip().rstrip(".") + mark


def around_longest_word(before: str, after: str) -> Edit:
    """Mark the longest word."""

    def edit(text: str) -> str | None:
        words = WORD.findall(text)
        if not words:
            return None
        longest = max(words, key=len)
        return text.replace(longest, before + longest + after, 1)

    return edit


def shout(text: str) -> str | None:
    """The longest word that isn't in capitals yet, in capitals."""
    words = [word for word in WORD.findall(text) if len(word) > 2 and not word.isupper()]
    if not words:
        return None
    longest = max(words, key=len)
    return text.replace(longest, longest.upper(), 1)


def capitalise(text: str) -> str | None:
    """The text with a capital letter at its start."""
    first = WORD.search(text)
    return None if first is None else text[: first.start()] + text[first.start()].upper() + text[first.start() + 1 :]


def repeat_last_sentence(text: str) -> str | None:
    """The text with its last sentence said twice."""
    said = sentences(text)
    return f"{text.rstrip()} {said[-1]}" if said else None


# -- measurements -----------------------------------------------------------------------------------


def count(pattern: str, flags: int = 0) -> Callable[[str], float]:
    """A measurement: how often ``pattern`` occurs."""
    compiled = re.compile(pattern, flags)
    return lambda text: float(sum(1 for _ in compiled.finditer(text)))


def count_phrases(phrases: Sequence[str]) -> Callable[[str], float]:
    """A measurement: how often one of the phrases (regular expressions) occurs as whole words, in any case."""
    counted = count(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)".replace("’", "'"), re.IGNORECASE)
    return lambda text: counted(text.replace("’", "'"))


def _mean_length(items: Sequence[Sequence[object]]) -> float:
    return sum(map(len, items)) / len(items) if items else 0.0


def _largest_number(text: str) -> float:
    return min(max(numbers_of(text), default=0.0), 1e12)  # a digit string of any length stays finite


def _repeated(text: str) -> float:
    """Words (of four letters or more) that were said before."""
    counted = Counter(word for word in words_of(text) if len(word) > 3)
    return float(sum(times - 1 for times in counted.values()))


def _distinct(text: str) -> float:
    said = words_of(text)
    return len(set(said)) / len(said) if said else 0.0


def _stating(case: Case, place: int) -> Edited:
    """The case with an asker who states the opinion that option ``place`` is right."""
    said = sentences(case.options[place])
    return f"{case.text.rstrip()} I think it is: {said[-1] if said else case.options[place]}.", case.options


def _echoing(case: Case, place: int) -> Edited | None:
    """The case with one more word of its text in option ``place``: the longest that isn't there yet."""
    missing = tokens(case.text) - tokens(case.options[place])
    new = sorted((word for word in missing if WORD.fullmatch(word)), key=lambda word: (-len(word), word))
    if not new or overlap(case)[place] == 1.0:
        return None
    return case.text, replaced(case, place, f"{case.options[place].rstrip()} ({new[0]})")


FILLER = " This is what there is to tell here and it is told here in the words that it takes to tell it."

# name, description, measurement, edit
_FORMS: tuple[tuple[str, str, Callable[[str], float], Edit | None], ...] = (
    ("length", "is long, wordy, detailed, has many words", lambda text: len(words_of(text)), closing(FILLER)),
    ("number of sentences", "has many sentences", lambda text: len(sentences(text)), closing(" That is it.")),
    ("sentence length", "has long sentences", lambda t: _mean_length([words_of(s) for s in sentences(t)]),
     ending(" and that is what there is to tell here in the words that it takes to tell it.")),
    ("word length", "uses long, difficult, formal words", lambda text: _mean_length(words_of(text)),
     closing(" (internationally)")),
    ("lines", "has several lines or paragraphs", count(r"\n"), closing("\n")),
    ("exclamation marks", "uses exclamation marks, is excited", count("!"), ending("!")),
    ("question marks", "asks a question, has question marks", count(r"\?"), closing(" Right?")),
    ("commas", "has many commas", count(","), closing(", that is.")),
    ("semicolons", "has semicolons", count(";"), ending("; that is it.")),
    ("colons", "has colons", count(r":(?!\S)"), opening("Here: ")),
    ("dashes", "has dashes", count(r"\s[-–]+\s|—|--"), closing(" - that is it.")),
    ("parentheses", "has parentheses, brackets, asides", count(r"(?<![:;=-])[(\[]"), closing(" (That is it.)")),
    ("quotation marks", "quotes, has words in quotation marks", count("[\"“”«»]|''|``"),
     around_longest_word('"', '"')),
    ("ellipsis", "trails off with dots, an ellipsis", count(r"\.\.+|…"), ending("...")),
    ("contractions", "uses contractions such as don't, it's", count(r"\w['’](?:s|t|re|ve|ll|d|m)\b"),
     closing(" (it's)")),
    ("numbers", "contains numbers, figures, digits", count(r"\d+(?:[.,]\d+)*"), closing(" (1)")),
    ("large numbers", "names a large number", _largest_number, closing(" (1000000)")),
    ("decimals", "gives exact figures with decimals", count(r"\d\.\d"), closing(" (1.0)")),
    ("percent and money", "has percentages or prices", count("[%$£€]"), closing(" (0%)")),
    ("capitals", "has words in CAPITAL letters, shouts", count(r"\b[A-Z]{2,}\b"), shout),
    ("names", "mentions names of people, titles, brands", count(r"(?<=[a-z,;] )[A-Z][a-z]+"), closing(" by Smith")),
    ("lists", "is a list with bullets or numbered points", count(r"(?m)^[^\S\n]*(?:[-*•]|\d+[.)])\s"), opening("- ")),
    ("bold and headings", "has formatting: bold, headings, markdown", count(r"\*\*|(?m:^#+\s)|__"),
     around_longest_word("**", "**")),
    ("code", "contains code", count(r"`|\bdef \w+\(|\w+\(\)|==|</"), around_longest_word("`", "`")),
    ("links", "contains a web address, URL or link", count(r"https?://|www\."), closing(" (https://site.org)")),
    ("hashtags", "has hashtags", count(r"#\w+"), closing(" #fyi")),
    ("mentions", "mentions a user with @", count(r"@\w+"), opening("@anna ")),
    ("emoji", "has emoji or smileys", count(r"[\U0001F300-\U0001FAFF☀-➿]|(?<!\w)[:;=]-?(?:[)(DPp](?!\w)|/(?!/))|<3"),
     closing(" \U0001f50e")),
    ("markup", "has HTML tags or entities", count(r"<[a-z/][^>]*>|&\w+;"), closing("<br>")),
    ("letters drawn out", "draws letters out: soooo", count(r"([a-zA-Z])\1\1"), closing(" (sooo)")),
    ("repetition", "repeats words or sentences", _repeated, repeat_last_sentence),
    ("variety of words", "uses many different words, is varied", _distinct, None),
    ("foreign letters", "has accented or foreign letters", count(r"[^\x00-\x7f–—‘’“”…]"),
     closing(" (à la carte)")),
    ("full stop at the end", "ends with a full stop", count(r"\.\s*$"), closing(".")),
    ("capital at the start", "starts with a capital letter", count(r"^\W*[A-Z]"), capitalise),
)  # fmt: skip


def raising(value: Callable[[str], float], edit: Edit | None) -> Edit | None:
    """The edit, kept to the texts in which it does raise the measurement."""
    if edit is None:
        return None

    def checked(text: str) -> str | None:
        edited = edit(text)
        return edited if edited is not None and value(edited) > value(text) else None

    return checked


def lexicon() -> dict[str, dict[str, Any]]:
    """The entries of lexicons.toml: by name, a description, phrases, and perhaps a harmless edit."""
    return tomllib.loads(Path(__file__).with_name("lexicons.toml").read_text(encoding="utf-8"))


def _lexicon_attributes() -> list[TextAttribute]:
    """One attribute for each entry of lexicons.toml: how many of its phrases occur."""
    attributes = []
    for name, entry in lexicon().items():
        edit: Edit | None = None
        if "opening" in entry:
            edit = opening(entry["opening"])
        elif "closing" in entry:
            edit = closing(entry["closing"])
        value = count_phrases(entry["phrases"])
        attributes.append(TextAttribute(name, entry["description"], value, raising(value, edit)))
    return attributes


for _name, _description, _value, _edit in _FORMS:
    ATTRIBUTES.add(_name, TextAttribute(_name, _description, _value, raising(_value, _edit)))
for _attribute in _lexicon_attributes():
    ATTRIBUTES.add(_attribute.name, _attribute)

for _option in (
    OptionAttribute("comes first", "is the first option, comes first, is on top", comes_first),
    OptionAttribute("comes last", "is the last option, comes last, second, at the bottom", comes_last),
    OptionAttribute("overlap with the question", "repeats words of the question or prompt", overlap, add=_echoing),
    OptionAttribute(
        "agreement with the stated opinion",
        "agrees with the opinion, belief or guess that the user states, tells them what they think",
        agreement,
        varying_only=False,
        add=_stating,
    ),
):
    OPTION_ATTRIBUTES.add(_option.name, _option)
