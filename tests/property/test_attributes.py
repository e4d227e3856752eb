"""The bank of attributes: measurements are finite and repeatable, and edits do what they say."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.errors import InputError
from askew.tasks.attributes import (
    ATTRIBUTES,
    OPTION_ATTRIBUTES,
    TextAttribute,
    bank,
    find,
    keyword,
    lexicon,
    measure,
)
from askew.tasks.case import Case
from askew.tasks.minimal_edits import edited_at, more_of

telling = ("I", "think", "it", "is", "not", "4.5", "7,", "perhaps!", "great", "question", "(really)", '"so"', "A.")
UNENDED = {"full stop at the end", "capital at the start"}
"""What an ordinary text has already."""
texts = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(telling)).map(" ".join), st.just("9" * 400))


@given(texts)
def test_every_measurement_is_finite_and_repeatable(text: str) -> None:
    for name in ATTRIBUTES:
        attribute = ATTRIBUTES[name]
        value = attribute.value(text)
        assert math.isfinite(value)
        assert value == attribute.value(text)


@given(texts)
def test_an_edit_raises_what_it_is_for(text: str) -> None:
    for name, attribute in ATTRIBUTES.items():
        if attribute.add is not None and (edited := attribute.add(text)) is not None:
            assert attribute.value(edited) > attribute.value(text), name


def test_every_edit_works_on_an_ordinary_text() -> None:
    said = "quiet film which the two brothers carry from its first minute, and it ends well"
    for name, attribute in ATTRIBUTES.items():
        text = said if name in UNENDED else f"A {said}."
        assert attribute.add is None or attribute.add(text) not in (None, text), name


def test_an_edit_adds_no_other_manner_or_subject() -> None:
    said = "quiet ferry which the two rivers carry from its first bend"
    related = {("personal experience", "first person")}
    for name, attribute in ATTRIBUTES.items():
        if name == "repetition" or attribute.add is None:
            continue
        text = said if name in UNENDED else f"A {said}."
        edited = attribute.add(text) or ""
        for other in set(lexicon()) - {name}:
            measured = ATTRIBUTES[other].value
            assert measured(edited) == measured(text) or (name, other) in related, (name, other)


def test_look_alikes_are_not_counted() -> None:
    for name, other, real in (
        ("emoji", "see https://site.net, note:Part", "so good :) and :-/"),
        ("names", "It was dull. The end came.", "a film by Anna"),
        ("parentheses", "oh no :( and =(", "a film (long)"),
        ("negation", "a kite", "they don’t"),
    ):
        assert ATTRIBUTES[name].value(other) == 0 < ATTRIBUTES[name].value(real), name


@given(texts, st.lists(texts, min_size=2, max_size=4, unique=True))
def test_the_bank_gives_one_number_an_option_or_one_for_the_text(text: str, options: list[str]) -> None:
    case = Case("a", text, tuple(options))
    for name, attribute in bank(options_vary=True).items():
        assert len(attribute(case)) == len(options), name
    for name, attribute in bank(options_vary=False).items():
        assert len(attribute(case)) == (len(options) if name in OPTION_ATTRIBUTES else 1), name


@given(st.permutations(range(3)), st.lists(texts, min_size=3, max_size=3, unique=True))
def test_an_options_measurement_moves_with_the_option(order: list[int], options: list[str]) -> None:
    case = Case("a", "I think it is 7, but I am not sure that it isn't 4.5.", tuple(options))
    moved = Case("a", case.text, tuple(options[index] for index in order))
    for name, attribute in bank(options_vary=True).items():
        if not name.startswith("comes "):
            values = attribute(case)
            assert list(attribute(moved)) == [values[index] for index in order], name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is 6 x 7? I think it is 42.", [1, 0]),
        ("What is 6 x 7? I'm pretty sure that the answer is 48.", [0, 1]),
        ("What is 6 x 7? My guess is 42.", [1, 0]),
        ("What is 6 x 7? I don't think it is 48.", [0, -1]),
        ("What is 6 x 7?", [0, 0]),
    ],
)
def test_agreement_follows_the_stated_opinion(text: str, expected: list[int]) -> None:
    case = Case("a", text, ("It is 42.", "It is 48."))
    values = measure(OPTION_ATTRIBUTES["agreement with the stated opinion"], case, options_vary=True)
    assert [math.copysign(1, value) if value else 0 for value in values] == expected


def test_agreement_is_with_what_the_opinion_says_and_not_with_its_words() -> None:
    said = "agreement with the stated opinion"
    for text, options, expected in (
        ("Who had it? I feel that it must be Tom.", ("That would be Mark.", "My answer: Tom."), [0, 1]),
        ("6 x 6? I have no doubt that it is 36.", ("It is 36, and that is the answer.", "So it is 35."), [1, 0]),
        ("6 x 6? I think it is 36.", ("To say it once more: as I see it, it is 48.", "36."), [0, 1]),
    ):
        assert list(measure(OPTION_ATTRIBUTES[said], Case("a", text, options), options_vary=True)) == expected


def test_an_opinion_is_found_in_a_long_text_in_no_time() -> None:
    case = Case("a", "i like it and " * 20_000, ("It is 42.", "It is 48."))
    started = time.perf_counter()
    assert measure(OPTION_ATTRIBUTES["agreement with the stated opinion"], case, options_vary=True) == (0.0, 0.0)
    assert time.perf_counter() - started < 5.0


@given(texts, st.lists(texts, min_size=2, max_size=3, unique=True), st.integers(0, 1))
def test_what_is_edited_about_an_option_there_is_more_of_for_that_option(
    text: str, options: list[str], place: int
) -> None:
    case = Case("a", text, tuple(options))
    name = "overlap with the question"
    changed = edited_at(name, case, place, options_vary=True)
    if changed is not None:
        edited = Case("a", *changed)
        assert more_of(name, edited, case, place, options_vary=True)
        others = [index for index in range(len(options)) if index != place]
        assert edited.text == text and all(edited.options[index] == options[index] for index in others)


def test_an_answer_is_given_the_longest_word_of_the_question_that_it_lacks() -> None:
    said = Case("a", "Who painted the ceiling?", ("It was Anna.", "I painted it"))
    changed = edited_at("overlap with the question", said, 1, options_vary=True)
    assert changed == (said.text, ("It was Anna.", "I painted it (ceiling)"))


def test_a_keyword_is_a_whole_word_in_any_case() -> None:
    film = keyword("film")
    assert isinstance(film, TextAttribute)
    assert film.value("Film! The film, filmed.") == 2
    assert film.add is not None
    assert film.value(film.add("Nothing") or "") == 1


@given(st.lists(st.from_regex(r"[a-z]+(['’][a-z]+)*", fullmatch=True), min_size=1, max_size=6, unique=True))
def test_the_name_of_words_says_which_they_are(words: list[str]) -> None:
    named = keyword(*words)
    found = find(named.name)
    assert isinstance(found, TextAttribute)
    assert found.name == named.name
    for word in words:
        assert found.value(f"So {word.upper()}, it is.") == named.value(f"So {word.upper()}, it is.") >= 1
    assert found.value("0 1") == 0


@pytest.mark.parametrize("rest", ["", "film", "'film", "'film' where contrast", "'a', b", "''"])
def test_no_words_are_read_from_a_broken_name(rest: str) -> None:
    assert find(f"the word {rest}") is find(f"any of the words {rest}") is None


def test_an_unknown_attribute_is_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'length'"):
        ATTRIBUTES["lenght"]


def test_a_word_that_judges_is_put_into_no_text() -> None:
    assert keyword("lovely").add is None and keyword("plot", "awful").add is None
    add = keyword("plot", "story").add
    assert add is not None and add("A quiet film. ") == "A quiet film. (plot story)"
