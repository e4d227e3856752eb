"""The strong model read the other way round: what it says of a text it might have written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import BAD, GOOD, ScriptedModel, rows, run_loop
from numpy.typing import NDArray
from tiny import make_llama

from askew.agent.channel import beginnings, channel_likelihood
from askew.agent.conditional_logit import Array, class_columns
from askew.agent.config import Settings
from askew.agent.models.local import LocalModel
from askew.agent.truth import Known, fit_unasked
from askew.tasks.case import Case, Split
from askew.tasks.load import load_task


def read(truth_N: NDArray[np.int64], k: int, signal: float, rng: np.random.Generator) -> Array:
    """Log-probabilities of texts of very different lengths, one option being likelier whatever the text."""
    said_N_K = signal * np.eye(k)[truth_N] + rng.standard_normal((len(truth_N), k))
    return np.asarray(said_N_K - rng.uniform(20, 200, len(truth_N))[:, None] + np.linspace(0.0, 5.0, k))


@pytest.mark.parametrize("k", [2, 3, 5])
def test_a_reading_counts_as_far_as_the_opinion_goes_with_it(k: int) -> None:
    rng = np.random.default_rng(k)
    truth_N = rng.integers(k, size=3000)
    opinion_N_K = 1.0 * np.eye(k)[truth_N] + rng.standard_normal((3000, k))
    opinion_N_K -= opinion_N_K.mean(axis=1, keepdims=True)
    telling_N_K, noise_N_K, wrong_N_K = (
        channel_likelihood(read(truth_N, k, signal, rng), opinion_N_K) for signal in (1.5, 0.0, -1.5)
    )
    assert (telling_N_K.argmax(axis=1) == truth_N).mean() > 1.25 / k
    assert np.allclose(np.median(telling_N_K, axis=0), 0.0, atol=0.1)
    assert np.abs(noise_N_K).max() < 0.3 < np.abs(telling_N_K).max()
    assert not wrong_N_K.any()  # what contradicts the opinion tells nothing, rather than the opposite
    assert not channel_likelihood(np.zeros((9, k)), opinion_N_K[:9]).any()


def test_a_student_learns_from_what_it_reads_the_other_way_round() -> None:
    rng = np.random.default_rng(0)
    features_N_D = rng.standard_normal((1200, 6))
    truth_N = (features_N_D[:, :3].sum(axis=1) > 0).astype(np.int64)
    opinion_N_K = 0.7 * np.eye(2)[truth_N] + rng.standard_normal((1200, 2))
    opinion_N_K -= opinion_N_K.mean(axis=1, keepdims=True)
    columns_N_K_D, variance_D = class_columns(features_N_D, 2), np.full(6, 0.3)
    loglik_N_Y = channel_likelihood(read(truth_N, 2, 1.0, rng), opinion_N_K)
    right = []
    for likelihood_N_Y in (np.zeros((600, 2)), loglik_N_Y[:600]):
        unasked = fit_unasked(Known(columns_N_K_D[:600], opinion_N_K[:600], likelihood_N_Y), variance_D)
        believed_N_K = unasked.of(columns_N_K_D[600:], opinion_N_K[600:])  # cases that were not read so
        right.append((believed_N_K.argmax(axis=1) == truth_N[600:]).mean())
    assert right[1] > right[0] + 0.03, right


def test_a_text_is_as_probable_as_its_tokens(tmp_path: Path) -> None:
    model = LocalModel("tiny", make_llama(tmp_path / "llama"))
    model.network = model.speaker = model.network.float()
    words = [*GOOD, *BAD, "film", "the", "and"]
    rng = np.random.default_rng(0)
    texts = [f" {' '.join(rng.choice(words, size=n))}" for n in (1, 2, 3, 7, 8, 20, 20, 30, 30)]
    starts = ["the film\npositive:", "the film and the film is\nnegative:"]
    logprobs_N_B = model.text_logprobs(texts, starts, 1000)
    expected_B_N = model.option_logprobs(starts, [texts, texts])
    assert np.allclose(logprobs_N_B, expected_B_N.T, atol=1e-3)
    assert np.array_equal(model.text_logprobs(texts[2:4], starts, 1000), logprobs_N_B[2:4])
    long_N_B = model.text_logprobs([texts[7], texts[7] + " and" * 50], starts, 12)
    assert np.array_equal(long_N_B[0], long_N_B[1]) and (long_N_B[0] > logprobs_N_B[7]).all()
    assert model.text_logprobs([], starts, 10).shape == (0, 2)


class Writer(ScriptedModel):
    """Its opinion is mostly noise, but it knows what it would write."""

    def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
        noise_N = [np.random.default_rng(zlib.crc32(row.tobytes())).normal(0.0, 0.6) for row in features_N_D]
        return np.stack([np.zeros(len(features_N_D)), super().read_out(features_N_D, words)[:, -1] + noise_N], axis=1)

    def text_logprobs(self, texts: Sequence[str], beginnings: Sequence[str], longest: int) -> NDArray[np.float64]:
        good_N = np.array([sum(w in text for w in GOOD) - sum(w in text for w in BAD) for text in texts], dtype=float)
        return np.stack([good_N * (1 if "positive\n" in before else -1) - 30.0 for before in beginnings], axis=1)


class Rater:
    """Says no to everything."""

    def label(self, cases: list[Case]) -> list[int | None]:
        return [0 for _ in cases]


def test_a_run_starts_from_what_is_read_the_other_way_round(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    path = str(cases_file(rows(400)))
    loaded = load_task(path, 0)
    assert [before.rstrip().splitlines()[-2] for before in beginnings(loaded.task)] == ["negative", "positive"]
    start = {}
    for channel in (0, 1000):
        settings = Settings(
            task=path, supervisor="rater", student="scripted", budget=8, rounds=1, chains_first=0, chains=0, written=0,
            written_first=0, proposed=0, alternatives=0, annotated=0, channel=channel,
        )  # fmt: skip
        events = run_loop(settings, Rater(), tmp_path / str(channel) / "run", Writer(), loaded.task)
        first = next(e for e in events if e.kind == "prediction" and e.data["split"] == Split.TEST)
        p_N_K = np.array(first.data["truth"])
        gold_N = np.array([loaded.gold[case.id] for case in loaded.task.split(Split.TEST)])
        start[channel] = float(p_N_K[np.arange(len(gold_N)), gold_N].mean())
    assert start[1000] > start[0], start
