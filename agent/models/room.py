"""A cache of keys and values that grows and shrinks in place, for prompts that are continued token by token.

The cache of transformers is copied whole with every token that is added to it and every sequence that leaves it: a
third of the time that sampling takes on a CPU. Here there is room for the tokens to come, and a sequence that leaves
makes room for the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer: views of the part in use of tensors that were made once."""

    def __init__(self, layer: DynamicLayer, rows_B: torch.Tensor, room: int) -> None:
        """Rows ``rows_B`` of what ``layer`` holds, with ``room`` for so many more tokens."""
        super().__init__()  # type: ignore[no-untyped-call]
        assert layer.keys is not None and layer.values is not None
        self._all_keys, self._all_values = _with_room(layer.keys, rows_B, room), _with_room(layer.values, rows_B, room)
        self.dtype, self.device, self.is_initialized = layer.dtype, layer.device, True
        self._use(len(rows_B), layer.get_seq_length())

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add tokens; gives all keys and values in use. There has to be room for them."""
        del args, kwargs
        rows, start = self._rows, self.get_seq_length()
        end = start + key_states.shape[-2]
        self._all_keys[:rows, :, start:end] = key_states
        self._all_values[:rows, :, start:end] = value_states
        return self._use(rows, end)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows ``indices``, in their order; only rows that change their place are copied."""
        places = torch.arange(len(indices), device=indices.device)
        moved = indices != places
        tokens = self.get_seq_length()
        for whole in (self._all_keys, self._all_values):
            whole[places[moved], :, :tokens] = whole[indices[moved], :, :tokens]
        self._use(len(indices), tokens)

    def _use(self, rows: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self._all_keys[:rows, :, :tokens], self._all_values[:rows, :, :tokens]
        self._rows, self.keys, self.values = rows, keys, values
        return keys, values


def closed_up(kept: Sequence[int]) -> list[int]:
    """The rows that are kept, ascending, in an order in which few change their place: the last ones fill the gaps."""
    staying = {row for row in kept if row < len(kept)}
    movers = iter(row for row in kept if row >= len(kept))
    return [place if place in staying else next(movers) for place in range(len(kept))]


def _with_room(tensor_P_H_S_D: torch.Tensor, rows_B: torch.Tensor, room: int) -> torch.Tensor:
    _, heads, tokens, width = tensor_P_H_S_D.shape
    made_B_H_T_D = tensor_P_H_S_D.new_empty(len(rows_B), heads, tokens + room, width)
    made_B_H_T_D[:, :, :tokens] = tensor_P_H_S_D[rows_B]
    return made_B_H_T_D
