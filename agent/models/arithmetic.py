"""What a model computes in: bfloat16 where the device multiplies it in units made for it, float32 elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@cache
def fast_bfloat16() -> bool:
    """Whether the GPU here, or where there is none the CPU, has matrix units for bfloat16.

    Without them a product of bfloat16 matrices takes up to twice as long as of float32 ones. Vector instructions for
    bfloat16, which many CPUs have, are no such units; AMX is.
    """
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def arithmetic() -> torch.dtype:
    """The type in which models are loaded to be read, scored and sampled from."""
    import torch

    return torch.bfloat16 if fast_bfloat16() else torch.float32
