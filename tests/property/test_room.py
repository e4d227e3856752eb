"""The cache that grows and shrinks in place holds what the cache of transformers would."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.cache_utils import DynamicLayer

from askew.agent.models.room import RoomyLayer, closed_up

HEADS, WIDTH = 2, 3


def tokens(rows: int, length: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    keys, values = torch.rand(2, rows, HEADS, length, WIDTH, generator=generator)
    return keys, values


@given(st.data())
def test_it_holds_what_the_cache_of_transformers_holds(data: st.DataObject) -> None:
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    prompts, steps = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    plain = DynamicLayer()
    plain.update(*tokens(prompts, data.draw(st.integers(1, 4)), generator))
    rows = torch.tensor(data.draw(st.lists(st.integers(0, prompts - 1), min_size=1, max_size=6)))
    roomy = RoomyLayer(plain, rows, room=steps)
    plain.batch_select_indices(rows)
    for _ in range(steps):
        kept = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, unique=True).map(sorted))
        order = torch.tensor(closed_up(kept))
        rows = rows[order]
        fresh = tokens(len(rows), 1, generator)
        for layer in (plain, roomy):
            layer.batch_select_indices(order)
        for expected, seen in zip(plain.update(*fresh), roomy.update(*fresh), strict=True):
            assert torch.equal(expected, seen)
        assert roomy.get_seq_length() == plain.get_seq_length()


@given(st.sets(st.integers(0, 20), min_size=1).map(sorted))
def test_few_rows_change_their_place(kept: list[int]) -> None:
    order = closed_up(kept)
    assert sorted(order) == kept
    assert sum(row != place for place, row in enumerate(order)) == sum(row >= len(kept) for row in kept)
