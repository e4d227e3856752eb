"""Adapters and the weights they make when they are merged."""

from __future__ import annotations

import ctypes
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from askew.agent.models.arithmetic import arithmetic
from askew.agent.models.local import quietly
from askew.errors import ModelError

ADAPTER = "adapter_config.json"


@contextmanager
def older_names() -> Iterator[None]:
    """Keeps quiet about peft 0.21, which asks for a property under the name it had before transformers 5.23."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        yield


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a whole model."""
    return (folder / ADAPTER).is_file()


def refuse_what_is_no_student(base: Path, weights: Path) -> None:
    """Raise ``ModelError`` for a folder with neither an adapter nor a whole model."""
    if not is_adapter(weights) and not ((weights / "config.json").is_file() and any(weights.glob("*.safetensors"))):
        raise _unpublishable(base, weights, "there is neither.")


def _unpublishable(base: Path, weights: Path, why: str) -> ModelError:
    return ModelError(
        f"the student in {weights} can't be published: {why} Expected a folder with an adapter for {base.name}, "
        "or with a whole model, as safetensors."
    )


def merged(base: Path, adapter: Path, into: Path) -> Path:
    """The folder ``into``, filled with ``base`` plus ``adapter``: a model that any backend loads.

    Raises ``ModelError`` when they don't fit.
    """
    with quietly():
        published(base, adapter, torch.device("cpu")).save_pretrained(into)
    give_memory_back()
    for file in base.iterdir():
        if file.is_file() and file.suffix in {".json", ".txt", ".model", ".jinja"} and not (into / file.name).exists():
            shutil.copy2(file, into / file.name)
    return into


def published(base: Path, weights: Path, device: torch.device) -> Any:
    """The network of a student: ``base`` with the adapter in ``weights`` added, or the whole model that is there.

    Raises ``ModelError`` when it can't be loaded.
    """
    try:
        with quietly():
            network = _sum(base, weights) if is_adapter(weights) else _loaded(weights, arithmetic())
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise _unpublishable(base, weights, " ".join(str(error).split())[:300]) from error
    return network.to(device).eval()


def _sum(base: Path, adapter: Path) -> Any:
    """Made in float32, then rounded to what models compute in here."""
    from peft import PeftModel

    with older_names():
        whole = PeftModel.from_pretrained(_loaded(base, torch.float32), str(adapter)).merge_and_unload()
    return whole.to(arithmetic())


def _loaded(folder: Path, dtype: torch.dtype) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True)


def give_memory_back() -> None:
    """Return to the system what was freed: glibc keeps it, which is more than a network once several were loaded."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
