"""Words by what they mean: families of them, and how near those of a text are to a subject.

Families are found in a task's own texts, so there may be some among them that no bank of attributes has thought of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from askew.agent.cluster import Embed, group_by_meaning
from askew.agent.conditional_logit import Array
from askew.tasks.passages import words_of

FARTHEST = 0.5
"""Cosine distance that the words of a family have on average (average linkage)."""
MOST_WORDS = 2000
"""The commonest words, of which families are made: time and memory grow with their square."""
LARGEST = 12
"""Words of a family: its commonest, so that it can be read."""
NEAR = 0.5
"""Cosine similarity to a subject from which a word speaks of it."""


def tells(word: str) -> bool:
    """Whether a word has a meaning of its own."""
    return word not in ENGLISH_STOP_WORDS


def families(said: Sequence[str], embed: Embed) -> list[tuple[str, ...]]:
    """Disjoint families of two and more words, each in alphabetic order.

    Args:
        said: the words of every case, each once a case: a word that more cases have stands here more often.
        embed: vectors of words.
    """
    often = Counter(said)
    words = sorted(sorted(often, key=lambda word: (-often[word], word))[:MOST_WORDS])
    members: dict[int, list[str]] = {}
    for word, number in zip(words, group_by_meaning(words, embed, FARTHEST, "average"), strict=True):
        members.setdefault(number, []).append(word)
    commonest = (sorted(own, key=lambda word: (-often[word], word))[:LARGEST] for own in members.values())
    return sorted(tuple(sorted(own)) for own in commonest if len(own) > 1)


class Nearness:
    """How near texts are to a subject in meaning. Every text is taken apart once, every word embedded once."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._row_of: dict[str, int] = {}
        self._vectors_V_D: NDArray[np.float32] | None = None
        self._said: dict[str, NDArray[np.int64]] = {}

    def words(self, subject: str, texts: Sequence[str]) -> Array:
        """nearness_N of each text's nearest word, counted from where words begin to speak of the subject; often 0."""
        said_N = self._rows_of(texts)
        near_N = np.zeros(len(texts))
        full = [n for n, said in enumerate(said_N) if len(said)]
        if full:
            assert self._vectors_V_D is not None
            near_V = np.maximum(self._vectors_V_D @ self._embed([subject])[0] - NEAR, 0.0)
            first_F = np.cumsum([0, *(len(said_N[n]) for n in full[:-1])])
            near_N[full] = np.maximum.reduceat(near_V[np.concatenate([said_N[n] for n in full])], first_F)
        return near_N

    def texts(self, subject: str, texts: Sequence[str]) -> Array:
        """nearness_N of each text as a whole, a cosine."""
        nearness_N: Array = (self._embed(texts) @ self._embed([subject])[0]).astype(np.float64)
        return nearness_N

    def _rows_of(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The numbers of the words of each text that have a meaning of their own, each once."""
        said = {text: sorted(filter(tells, set(words_of(text)))) for text in texts if text not in self._said}
        fresh = sorted({word for words in said.values() for word in words} - self._row_of.keys())
        if fresh:
            known = [] if self._vectors_V_D is None else [self._vectors_V_D]
            self._vectors_V_D = np.concatenate([*known, self._embed(fresh)])
            self._row_of |= {word: len(self._row_of) + index for index, word in enumerate(fresh)}
        self._said |= {text: np.array([self._row_of[w] for w in words], dtype=np.int64) for text, words in said.items()}
        return [self._said[text] for text in texts]
