"""Families of words that mean alike, and how near a text's words are to a subject."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from conftest import rows
from numpy.typing import NDArray

from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding
from askew.agent.kindred import LARGEST, Nearness, families
from askew.agent.sets import Surprise, from_surprises
from askew.tasks.case import Split
from askew.tasks.load import load_task

MEANINGS = {"spool": 0, "skein": 0, "twine": 0, "shale": 1, "flint": 1, "chair": 2}
"""Which axis a word lies on; every other word has one of its own."""


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """One axis for each meaning; a text is the mean of its words."""
    vectors = np.zeros((len(texts), 400), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for word in text.lower().replace(".", "").split():
            row[MEANINGS.get(word, 10 + sum(map(ord, word)) % 390)] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def test_words_that_mean_alike_are_a_family_whatever_their_order() -> None:
    said = ["shale", "spool", "chair", "skein", "flint", "twine", "spool"]
    expected = [("flint", "shale"), ("skein", "spool", "twine")]
    assert families(said, embed) == expected
    for seed in range(3):
        random.Random(seed).shuffle(said)
        assert families(said, embed) == expected
    assert families(["spool"], embed) == families([], embed) == []


def test_of_a_large_family_the_commonest_words_are_kept() -> None:
    words = [f"w{index:02}" for index in range(LARGEST + 5)]
    said = [word for index, word in enumerate(words) for _ in range(index + 1)]
    (family,) = families(said, lambda texts: np.ones((len(texts), 2), dtype=np.float32) / np.sqrt(2))
    assert family == tuple(words[5:])


def test_a_text_is_as_near_as_its_nearest_word() -> None:
    near = Nearness(embed)
    texts = ["A spool in the shale.", "A chair.", "", "the of and"]
    assert np.allclose(near.words("twine", texts), [0.5, 0, 0, 0])
    assert np.allclose(near.words("twine", texts[::-1]), [0, 0, 0, 0.5]), "nothing depends on what was asked before"
    assert near.words("twine", []).shape == (0,)


def test_a_subject_is_measured_by_words_and_where_there_are_none_by_texts(cases_file: Callable[..., Path]) -> None:
    made = rows(60)
    for index, row in enumerate(made):
        row["text"] += " With a spool." if index % 3 == 0 else ""
    grounder = Grounder(load_task(str(cases_file(made)), 0).task, embed)
    pool = grounder.task.split(Split.POOL)
    twine_N = grounder.effects([Grounding("twine", True, 1, 0.5)], pool)[:, 1, 0]
    assert all((effect > 0.1) == ("spool" in case.text) for effect, case in zip(twine_N, pool, strict=True))
    assert not grounder.effects([Grounding("flint", True, 1, 0.5)], pool).any()
    assert grounder.varies(Grounding("spool chair weather of it all", True, 1, 0.5))


def test_surprising_answers_propose_a_family_where_none_of_its_words_is_enough(cases_file: Callable[..., Path]) -> None:
    made, rng = rows(240), np.random.default_rng(0)
    for row in made:
        word = rng.choice(["spool", "skein", "twine", "chair", "shale", "bench", "torch", "plate"])
        row["text"] = f"Number {row['id']} has {word}."
    grounder = Grounder(load_task(str(cases_file(made)), 0).task, embed)
    cases = grounder.task.split(Split.POOL)
    swayed = [any(word in case.text for word in ("spool", "skein", "twine")) for case in cases]
    answers = [1 if sways else int(rng.integers(2)) for sways in swayed]
    told = Surprise(grounder, cases, np.eye(2)[answers], np.full((len(cases), 2), 0.5), [])
    assert "any of the words 'skein', 'spool', 'twine'" in [proposal.subject for proposal in from_surprises(told)]


def test_what_is_left_to_be_tried_is_no_likelier_for_what_was_tried_before(cases_file: Callable[..., Path]) -> None:
    made, rng = rows(240), np.random.default_rng(0)
    for row in made:
        row["text"] = " ".join(["It", *rng.choice(["chair", "shale", "bench", "torch", "plate"], 2, replace=False)])
    grounder = Grounder(load_task(str(cases_file(made)), 0).task, embed)
    cases = grounder.task.split(Split.POOL)
    answers = [1 if "torch" in case.text else int(rng.integers(2)) for case in cases]
    others = [one for one in grounder.words(cases, 4) if one.measure != "the word 'torch'"]
    first, late = (
        next(one for one in from_surprises(told) if one.subject == "the word 'torch'")
        for told in (
            Surprise(grounder, cases, np.eye(2)[answers], np.full((len(cases), 2), 0.5), k) for k in ([], others)
        )
    )
    assert len(others) >= 4 and first.matters == late.matters


def test_a_family_that_an_attribute_has_a_name_for_is_left_out(cases_file: Callable[..., Path]) -> None:
    made = rows(240)
    for index, row in enumerate(made):
        word, other = ("spool", "skein", "chair", "chair")[index % 4], ("shale", "flint", "bench")[index % 3]
        row["text"] = f"A {word} and a {other}."
    task = load_task(str(cases_file(made)), 0).task
    pool = task.split(Split.POOL)
    sewn = replace(task, attributes={"sewing": lambda case: ["chair" not in case.text]})
    of_words = [[g.measure for g in Grounder(one, embed).families(pool, 4)] for one in (task, sewn)]
    assert of_words == [
        ["any of the words 'flint', 'shale'", "any of the words 'skein', 'spool'"],
        ["any of the words 'flint', 'shale'"],
    ]
