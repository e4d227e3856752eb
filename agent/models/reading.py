"""A text and several endings of it in one row of tokens, read in one pass: an ending sees the text and itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import torch


@dataclass(frozen=True)
class Reading:
    """A text and its endings, in tokens, one behind the other."""

    text: tuple[int, ...]
    endings: tuple[tuple[int, ...], ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """The row."""
        return (*self.text, *chain.from_iterable(self.endings))

    @property
    def parts(self) -> list[int]:
        """Where each token belongs: 0 is the text, then come the endings."""
        return [part for part, ids in enumerate((self.text, *self.endings)) for _ in ids]

    @property
    def positions(self) -> list[int]:
        """Every ending begins where the text ends."""
        first = len(self.text)
        return [*range(first), *(first + place for ids in self.endings for place in range(len(ids)))]

    @property
    def last(self) -> list[int]:
        """The place of each ending's last token."""
        return [end - 1 for end in accumulate(map(len, self.endings), initial=len(self.text))][1:]


def kept_apart(batch: Sequence[Reading], rows: int, length: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What keeps the endings of a text from each other, as a network takes it; nothing where there is one.

    ``position_ids`` (rows x length), and ``attention_mask`` (rows x 1 x length x length): what is added to the scores
    of attention, in ``dtype``. Padding sees only padding and the text before it.
    """
    if len(batch[0].endings) == 1:
        # Causal attention: what is padded on the right never reaches the last real token.
        return {}
    part_B_T = torch.full((rows, length), -1)
    positions_B_T = torch.zeros(rows, length, dtype=torch.long)
    for row, reading in enumerate(batch):
        part_B_T[row, : len(reading.ids)] = torch.tensor(reading.parts)
        positions_B_T[row, : len(reading.ids)] = torch.tensor(reading.positions)
    sees_B_T_T = (part_B_T[:, None, :] == 0) | (part_B_T[:, None, :] == part_B_T[:, :, None])
    sees_B_T_T &= torch.ones(length, length, dtype=torch.bool).tril()
    mask_B_T_T = torch.zeros(sees_B_T_T.shape, dtype=dtype).masked_fill(~sees_B_T_T, torch.finfo(dtype).min)
    return {"attention_mask": mask_B_T_T[:, None], "position_ids": positions_B_T}
