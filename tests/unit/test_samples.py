"""What is sampled once is never sampled again, and what prompts share is computed once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import make_llama

from askew.agent.models.base import Completion, SamplingRequest
from askew.agent.models.local import LocalModel
from askew.agent.models.samples import Samples
from askew.agent.models.table import Table
from askew.agent.models.trunks import trunks_of
from askew.errors import RunError


def test_samples_are_kept_by_weights_and_request(tmp_path: Path) -> None:
    calls: Counter[str] = Counter()

    def sampled(weights: str, request: SamplingRequest) -> list[list[Completion]]:
        def sample() -> list[list[Completion]]:
            calls[weights] += 1
            return [[Completion(f"{weights} {prompt}", 2, True, "m@0")] for prompt in request.prompts]

        return Samples(tmp_path / "samples.sqlite").completions(weights, request, sample)

    first = SamplingRequest(("a", "b"), stop=("\n",), seed=1)
    assert sampled("w", first) == sampled("w", SamplingRequest(("a", "b"), stop=("\n",), seed=1))
    assert calls == {"w": 1}
    assert sampled("v", first)[0][0].text == "v a"
    sampled("w", SamplingRequest(("a", "b"), stop=("\n",), seed=2))
    assert calls == {"w": 2, "v": 1}
    (tmp_path / "samples.sqlite").write_bytes(b"damaged" * 200)
    sampled("w", first)
    assert calls == {"w": 3, "v": 1}


def test_a_table_is_given_up_where_it_is_damaged_and_never_where_it_is_only_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "values.sqlite"
    values = {n.to_bytes(4, "big"): bytes(900) for n in range(3000)}
    Table(path, "kept", "BLOB").write(values)
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda where, timeout: real(where, timeout=0.1))
    with closing(real(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RunError, match="database is locked"):
            Table(path, "kept", "BLOB")
    table = Table(path, "kept", "BLOB")
    assert len(table.read(list(values))) == 3000
    with path.open("r+b") as file:  # beyond the first page
        file.seek(20_000)
        file.write(b"\xff" * 2_000_000)
    assert table.read(list(values)) == {}
    table.write({b"key": b"value"})
    assert table.read([b"key"]) == {b"key": b"value"}


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8).map(tuple), min_size=1, max_size=8, unique=True))
def test_trunks_begin_their_rows_and_save_tokens(rows: list[tuple[int, ...]]) -> None:
    trunks, trunk_of_R = trunks_of(rows)
    assert len(trunk_of_R) == len(rows) and set(trunk_of_R) == set(range(len(trunks)))
    for row, group in zip(rows, trunk_of_R, strict=True):
        assert row[: len(trunks[group])] == trunks[group] and len(trunks[group]) < len(row)
    computed = sum(map(len, trunks)) + sum(len(row) - len(trunks[g]) for row, g in zip(rows, trunk_of_R, strict=True))
    assert computed <= sum(map(len, rows))


def test_two_prompts_of_one_trunk_cost_the_trunk_once() -> None:
    one, two = tuple(range(10)), tuple(range(20, 30))
    trunks, groups = trunks_of([(*one, 50), (*one, 51), (*two, 50), (*two, 51)])
    assert trunks == [one, two] and groups == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "prompts",
    [
        ("the film is", "the film is good and", "the film is bad", "plot and the film are", "plot and the film is"),
        ("the", "the film is good"),
    ],
)
def test_a_prompt_goes_on_the_same_in_any_company(prompts: tuple[str, ...], tmp_path: Path) -> None:
    model = LocalModel("tiny", make_llama(tmp_path / "llama"))
    model.network.to(torch.float32)
    together = model.sample(SamplingRequest(prompts, n=2, max_tokens=8, temperature=0.0))
    for prompt, (first, second) in zip(prompts, together, strict=True):
        ((alone,),) = model.sample(SamplingRequest((prompt,), max_tokens=8, temperature=0.0))
        assert first == second == alone


def test_options_score_the_same_in_any_company(tmp_path: Path) -> None:
    model = LocalModel("tiny", make_llama(tmp_path / "llama"))
    model.network.to(torch.float32)
    prompts = ("the film is good and", "the film is bad and the plot is", "the film is")
    options = [[" good", " bad and the"]] * 3
    together_N_K = model.option_logprobs(prompts, options)
    assert together_N_K.shape == (3, 2) and (together_N_K < 0).all()
    for prompt, choices, together_K in zip(prompts, options, together_N_K, strict=True):
        ids = model.tokens(prompt)
        for option, together in zip(choices, together_K, strict=True):
            target = model.tokens(option)
            with torch.inference_mode():
                logprobs_T_V = model.network(torch.tensor([[*ids, *target]])).logits[0].log_softmax(-1)
            alone = sum(float(logprobs_T_V[len(ids) - 1 + place, token]) for place, token in enumerate(target))
            assert together == pytest.approx(alone, abs=1e-4)
