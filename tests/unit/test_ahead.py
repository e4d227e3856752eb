"""Subjects are embedded while chains arrive, and what is begun early is given once."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from askew.agent.ahead import TOGETHER, Early, EarlyEmbedding
from askew.agent.hypothesise import Chain, Step


def chain(*subjects: str) -> Chain:
    return Chain("c", "", tuple(Step(s, "it is so", 0) for s in subjects), 0, 0, None, "p", "sha", "m@0")


class Embedding:
    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.threads: set[int] = set()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        self.threads.add(threading.get_ident())
        return np.zeros((len(texts), 2), dtype=np.float32)


def test_subjects_are_embedded_once_in_batches_beside_the_caller() -> None:
    embed = Embedding()
    with EarlyEmbedding(embed, aside=True) as embedding:
        for number in range(2 * TOGETHER):
            embedding.hear(chain(f"subject {number}", "Length"))
        embedding.hear(chain("length", "subject 1"))
    assert [len(asked) for asked in embed.asked] == [TOGETHER, TOGETHER]
    assert len({text for asked in embed.asked for text in asked}) == 2 * TOGETHER
    assert threading.get_ident() not in embed.threads


def test_nothing_is_embedded_early_where_the_model_samples_in_this_process() -> None:
    embed = Embedding()
    with EarlyEmbedding(embed, aside=False) as embedding:
        for number in range(2 * TOGETHER):
            embedding.hear(chain(f"subject {number}"))
    assert not embed.asked


def test_what_goes_wrong_while_embedding_is_told() -> None:
    def broken(texts: Sequence[str]) -> NDArray[np.float32]:
        raise RuntimeError(f"no {len(texts)}")

    with pytest.raises(RuntimeError, match=f"no {TOGETHER}"), EarlyEmbedding(broken, aside=True) as embedding:
        embedding.hear(chain(*(f"subject {number}" for number in range(TOGETHER))))


def test_what_is_begun_early_is_waited_for_and_given_once() -> None:
    early, go = Early(), threading.Event()
    assert early.take() is None
    early.settle()

    def sample() -> list[Chain]:
        go.wait(5)
        return [chain("length")]

    early.begin(sample)
    go.set()
    early.settle()
    planned = early.take()
    assert planned is not None and planned() == [chain("length")]
    assert early.take() is None


def test_what_failed_early_fails_when_it_is_taken() -> None:
    def fail() -> list[Chain]:
        raise ValueError("gone")

    early = Early()
    early.begin(fail)
    early.settle()
    planned = early.take()
    assert planned is not None
    with pytest.raises(ValueError, match="gone"):
        planned()


def test_what_is_only_planned_is_sampled_when_it_is_needed_and_forgotten_when_it_isnt() -> None:
    sampled: list[int] = []

    def sample() -> list[Chain]:
        sampled.append(1)
        return [chain("length")]

    early = Early()
    early.plan(sample)
    early.settle()
    planned = early.take()
    assert planned is not None and not sampled
    assert planned() == [chain("length")] and early.take() is None
