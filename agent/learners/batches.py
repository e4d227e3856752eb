"""Batches: examples of like length together, cut into passes that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

WINDOW = 16
"""Batches whose examples are sorted by length together: like lengths meet, and the order stays random."""


def epoch_batches(lengths: Sequence[int], size: int, rng: np.random.Generator) -> list[list[int]]:
    """All indices once, in batches of ``size``; the lengths within a batch are alike."""
    order = rng.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), size * WINDOW):
        window = sorted((int(i) for i in order[start : start + size * WINDOW]), key=lambda i: (lengths[i], i))
        batches += [window[first : first + size] for first in range(0, len(window), size)]
    return [batches[int(i)] for i in rng.permutation(len(batches))]


def passes(indices: Sequence[int], lengths: Sequence[int], rows: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Cut indices, the longest first, so that (rows × longest text) of each part is at most ``tokens``.

    Args:
        indices: what is cut.
        lengths: tokens of each item's longest text.
        rows: texts of each item.
        tokens: the limit; an item that alone is larger stands alone.
    """
    part: list[int] = []
    height = width = 0
    for index in sorted(indices, key=lambda i: (-lengths[i], i)):
        if part and (height + rows[index]) * width > tokens:
            yield part
            part, height = [], 0
        if not part:
            width = lengths[index]
        part.append(index)
        height += rows[index]
    if part:
        yield part


def padded(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device, *, left: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """ids_R_T and mask_R_T of token rows of different length."""
    width = max(map(len, rows))
    ids_R_T = torch.full((len(rows), width), pad)
    mask_R_T = torch.zeros(len(rows), width, dtype=torch.long)
    for index, row in enumerate(rows):
        span = slice(width - len(row), width) if left else slice(0, len(row))
        ids_R_T[index, span] = torch.tensor(row)
        mask_R_T[index, span] = 1
    return ids_R_T.to(device), mask_R_T.to(device)
