"""What several prompts begin with, in tokens: computed once, whoever reads or continues them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby, pairwise
from operator import itemgetter


def trunks_of(rows: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """Beginnings to be computed once: the trunks, and which of them each row grows from.

    Neighbours whose common beginning has at least a certain length share a trunk; of all such lengths the one that
    leaves the fewest tokens to compute is taken. Every row keeps a token of its own, to take the first logits from.
    """
    common = [_shared_length(pair) for pair in pairwise(rows)]
    best: tuple[int, list[tuple[int, ...]], list[int]] | None = None
    for least in {0, *common}:
        group_of_R = [0, *accumulate(int(length < least) for length in common)]
        groups = [
            [row for row, _ in members] for _, members in groupby(zip(rows, group_of_R, strict=True), itemgetter(1))
        ]
        trunks = [common_trunk(members) for members in groups]
        tokens = sum(map(len, trunks)) + sum(len(row) - len(trunks[g]) for row, g in zip(rows, group_of_R, strict=True))
        if best is None or tokens < best[0]:
            best = tokens, trunks, group_of_R
    assert best is not None
    return best[1], best[2]


def common_trunk(members: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all members begin with, but for a last token of each."""
    return members[0][: min(_shared_length(members), min(map(len, members)) - 1)]


def _shared_length(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens at the start are the same in every row."""
    return next(
        (place for place, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1),
        min(len(row) for row in rows),
    )
