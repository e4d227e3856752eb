"""How the student sees a case: its opinion is what it says to every way of asking."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import GOOD, ScriptedModel, rows
from numpy.typing import NDArray
from tiny import make_llama

from askew.agent.conditional_logit import Array
from askew.agent.models import vectors
from askew.agent.models.local import LocalModel
from askew.agent.representation import OPINION_SCALE, Representation
from askew.errors import InputError
from askew.tasks.case import Pattern
from askew.tasks.load import load_task


class Wavering(ScriptedModel):
    """To each way of asking it says what it knows and something of its own; some words it says louder, or oftener."""

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        known_N = [float(any(word in text for word in GOOD)) for text in texts]
        own_N = [zlib.crc32(text.encode()) / 2**32 for text in texts]
        return np.stack([known_N, own_N], axis=1).astype(np.float32)

    def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
        own_N = [np.random.default_rng(zlib.crc32(row.tobytes() + words[-1].encode())).normal() for row in features_N_D]
        said_N = features_N_D[:, 0] + np.array(own_N)
        loud, usual = (100.0, -40.0) if words[-1] == " great" else (1.0, 0.0)
        return np.stack([0.0 * said_N, loud * said_N + usual], axis=1)


def test_more_ways_of_asking_make_a_truer_opinion(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    loaded = load_task(str(cases_file(rows(400))), 0)
    task, gold_N = loaded.task, np.array([loaded.gold[case.id] for case in loaded.task.cases])

    def opinion(*patterns: Pattern) -> Array:
        asked = replace(task, patterns=patterns)
        return Representation(asked, Wavering(), tmp_path).opinion(task.cases)

    def accuracy(opinion_N_K: Array) -> float:
        return float((opinion_N_K.argmax(axis=1) == gold_N).mean())

    another = Pattern(" In short, it is", ("terrible", "great"))
    more = (another, Pattern(" I call it", ("bad", "good")), Pattern(" It deserves", ("scorn", "praise")))
    ways_of_asking = [accuracy(opinion(*more[:n])) for n in range(4)]
    assert ways_of_asking[0] < ways_of_asking[1] - 0.03 < ways_of_asking[3] - 0.06, ways_of_asking
    # Words that are said with more force, or are more common, count no more than others.
    both_N_K = opinion(another)
    alone_N_K = opinion()
    assert 0.6 < np.corrcoef(both_N_K[:, 1], alone_N_K[:, 1])[0, 1] < 0.95
    assert Representation(replace(task, patterns=more), Wavering(), tmp_path).ways == 4
    pool = np.array([case.split == "pool" for case in task.cases])
    for opinion_N_K in (alone_N_K, both_N_K):
        apart_N = opinion_N_K[pool, 1] - opinion_N_K[pool, 0]
        assert abs(np.median(apart_N)) < 1e-6 and abs(apart_N.std() - OPINION_SCALE) < 1e-3


def test_patterns_of_a_file_are_asked(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    path = cases_file()
    with path.with_suffix(".toml").open("a", encoding="utf-8") as wording:
        wording.write('[[patterns]]\ncue = " In short, it was"\nwords = ["terrible", "great"]\n')
    task = load_task(str(path), 0).task
    assert task.patterns == (Pattern(" In short, it was", ("terrible", "great")),)
    read: list[str] = []

    class Listening(ScriptedModel):
        def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
            read.extend(texts)
            return super().features(texts)

    Representation(task, Listening(), tmp_path)
    assert sum(text.endswith(" In short, it was") for text in read) == len(read) / 2 > 0


def test_words_that_begin_alike_are_no_way_of_asking(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    class Alike(Wavering):
        def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
            """Of every word, what stands before a hyphen."""
            heard = [word.partition("-")[0] for word in words]
            said_N_V = super().read_out(features_N_D, [" no", " yes"])
            return said_N_V[:, [heard.index(word) for word in heard]]

    task = load_task(str(cases_file()), 0).task
    Representation(replace(task, patterns=(Pattern(" It is", ("bad", "good")),)), Alike(), tmp_path)
    with pytest.raises(InputError, match=r"begin with the same token.*begin differently"):
        Representation(replace(task, patterns=(Pattern(" It is", ("un-sound", "un-usual")),)), Alike(), tmp_path)


def test_what_is_read_in_one_pass_is_what_is_read_one_by_one(tmp_path: Path) -> None:
    model = LocalModel("tiny", make_llama(tmp_path / "llama"))
    model.network = model.network.float()  # so that only rounding of float32 is left
    words = [*GOOD, "film", "is", "the", "and"]
    rng = np.random.default_rng(0)
    texts = [f" {' '.join(rng.choice(words, size=n))}" for n in (1, 2, 3, 7, 8, 20, 20, 200)]
    endings = [" the film is", " good", " and the film and the film is bad"]
    read_N_E_D = model.readings(texts, endings)
    for e, ending in enumerate(endings):
        assert np.allclose(read_N_E_D[:-1, e], model.features([text + ending for text in texts[:-1]]), atol=1e-4)
        alone_1_E_D = model.readings([texts[3]], [ending])
        assert np.allclose(alone_1_E_D[0, 0], read_N_E_D[3, e], atol=1e-4)
    assert np.array_equal(model.readings(texts[2:4], endings), read_N_E_D[2:4])  # whatever else is in the call
    assert model.readings([], endings).shape == (0, 3, 64) and model.features([]).shape == (0, 64)
    assert np.isfinite(read_N_E_D[-1]).all()  # longer than the context: its beginning gives way
    assert not np.allclose(read_N_E_D[0, 0], read_N_E_D[0, 1], atol=1e-2)


def test_what_was_read_before_an_interruption_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "PORTION", 3)
    texts, calls = [f"text {i}" for i in range(8)], list[list[str]]()

    def read(some: list[str], until: int = 9) -> NDArray[np.float32]:
        if len(calls) == until:
            raise KeyboardInterrupt
        calls.append(some)
        return np.array([[float(text[-1])] for text in some], dtype=np.float32)

    with pytest.raises(KeyboardInterrupt):
        vectors.VectorCache(tmp_path / "kept.sqlite", "eyes").vectors(texts, lambda some: read(some, until=1))
    read_N_1 = vectors.VectorCache(tmp_path / "kept.sqlite", "eyes").vectors(texts, read)
    assert read_N_1[:, 0].tolist() == list(range(8))
    assert calls == [texts[:3], texts[3:6], texts[6:]]
