"""What finetuning will take: memory on each device and time, before anything is loaded.

The network is built without memory (on torch's meta device), so the counts of weights, trained weights and saved
activations are exact; what bytes and seconds they stand for is a model of the machine, good to about a third.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from askew.agent.learners.networks import adapter_config
from askew.agent.learners.recipe import Recipe
from askew.agent.models.merge import older_names
from askew.agent.models.pull import MODELS, model_folder
from askew.errors import InputError

USE = 0.35
"""Share of a device's matrix speed that training reaches; attention, norms and the optimiser take the rest."""
ADAM = 8
"""Bytes of optimiser state a trained weight has: two moments in float32."""
WORKSPACE = 0.5e9
"""What a process needs beside all that: code, buffers, the allocator's slack."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a network, and of the adapter that a recipe puts on it."""

    weights: int
    trained: int
    layers: int
    saved_per_token: int
    """Numbers that the backward pass needs of each token, over all layers."""
    widest_layer: int
    """The same for the largest layer alone."""
    hidden: int
    vocabulary: int


@dataclass(frozen=True)
class Estimate:
    """Gigabytes on each device, and seconds."""

    model: str
    learner: str
    devices: int
    parameters: int
    trained: int
    weights_gb: float
    gradients_gb: float
    optimizer_gb: float
    activations_gb: float
    total_gb: float
    replicated_gb: float
    """Without sharding: every device holds all weights."""
    available_gb: float
    tokens: int
    tokens_per_second: float
    seconds: float

    @property
    def fits(self) -> bool:
        """Whether a device has the memory when the weights are sharded."""
        return self.total_gb <= self.available_gb

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "fits": self.fits}


def estimate(
    model: str,
    recipe: Recipe,
    tokens: int,
    devices: int = 1,
    *,
    texts: bool = False,
    memory_gb: float | None = None,
    tflops: float | None = None,
) -> Estimate:
    """Memory and time of training ``model`` on ``tokens`` tokens an epoch with ``devices`` devices.

    Args:
        model: a built-in name, a folder (its config.json is enough), or a name on a reachable hub.
        recipe: how it is trained.
        tokens: of all examples together.
        devices: over which weights, gradients and optimiser are sharded and passes are divided.
        texts: whether every token is learned, and not only a label at the end.
        memory_gb: of each device; by default this machine's.
        tflops: 10¹² operations a second of each device in matrix products of the recipe's precision; measured here by
            default.

    Raises ``InputError`` when the model's configuration can't be had.
    """
    shape = shape_of(model, recipe)
    wide = 2 if recipe.precision == "bf16" else 4
    frozen = shape.weights - shape.trained
    held = frozen * wide + shape.trained * (4 if recipe.precision == "no" else 4 + wide)
    at_once = -(-recipe.tokens_at_once // devices)
    per_token = shape.saved_per_token
    if recipe.checkpointing:
        per_token = shape.layers * shape.hidden + shape.widest_layer
    # Logits of every learned token: in the arithmetic's type, in float32, and their gradient.
    activations = at_once * (per_token * wide + texts * shape.vocabulary * (wide + 8))
    parts = [held / devices, shape.trained * 4 / devices, shape.trained * ADAM / devices, activations]
    speed = (tflops or measured_tflops(torch.bfloat16 if recipe.precision == "bf16" else torch.float32)) * 1e12 * USE
    # A weight takes 2 operations forward, 2 for the gradient of its input, and 2 for its own where it is trained.
    operations = shape.weights * (4 + 2 * (recipe.learner == "full") + 2 * recipe.checkpointing)
    rate = speed * devices / operations
    return Estimate(
        model=model,
        learner=recipe.learner,
        devices=devices,
        parameters=frozen if recipe.learner == "lora" else shape.weights,
        trained=shape.trained,
        weights_gb=parts[0] / 1e9,
        gradients_gb=parts[1] / 1e9,
        optimizer_gb=parts[2] / 1e9,
        activations_gb=activations / 1e9,
        total_gb=(sum(parts) + WORKSPACE) / 1e9,
        replicated_gb=(sum(parts[:3]) * devices + activations + WORKSPACE) / 1e9,
        available_gb=memory_gb or available_memory() / 1e9,
        tokens=tokens * recipe.epochs,
        tokens_per_second=rate,
        seconds=tokens * recipe.epochs / rate,
    )


def shape_of(model: str, recipe: Recipe) -> Shape:
    """Sizes of the network that ``recipe`` would train, without making it."""
    from transformers import AutoModel, AutoModelForCausalLM

    config = _config(model)
    text = config.get_text_config()
    causal = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or [])
    with torch.device("meta"):
        kind: Any = AutoModelForCausalLM if causal else AutoModel
        network: Any = kind.from_config(config)
        if recipe.learner == "lora":
            from peft import get_peft_model

            with older_names():
                network = get_peft_model(
                    network, adapter_config(recipe, "CAUSAL_LM" if causal else "FEATURE_EXTRACTION")
                )
    saved: dict[str, int] = {}
    for name, module in network.named_modules():
        # Each linear layer keeps its input; what follows it (a gate, attention, a norm) keeps its output.
        if isinstance(module, torch.nn.Linear) and "lora_" not in name and "lm_head" not in name:
            layer = next((part for part in name.split(".") if part.isdigit()), "")
            saved[layer] = saved.get(layer, 0) + module.in_features + module.out_features
    hidden = text.hidden_size
    # Two norms a layer keep their input in float32.
    per_layer = {layer: numbers + 4 * hidden for layer, numbers in saved.items()}
    return Shape(
        weights=sum(weight.numel() for weight in network.parameters()),
        trained=sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        layers=len(per_layer),
        saved_per_token=sum(per_layer.values()),
        widest_layer=max(per_layer.values(), default=0),
        hidden=hidden,
        vocabulary=text.vocab_size if causal else 0,
    )


def available_memory() -> float:
    """Bytes of one device of this machine: the smallest GPU's, or the main memory's."""
    if torch.cuda.is_available():
        return float(min(torch.cuda.mem_get_info(index)[1] for index in range(torch.cuda.device_count())))
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def measured_tflops(dtype: torch.dtype, size: int = 1024, seconds: float = 0.5) -> float:
    """10¹² operations a second that this machine does in one device's matrix products of a type."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    _ = left @ right
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        (left @ right).float().sum().item()  # waits for the device
        done += 1
    return 2 * size**3 * done / (time.perf_counter() - start) / 1e12


def _config(model: str) -> Any:
    from transformers import AutoConfig

    source = model_folder(model) if model in MODELS else model
    try:
        return AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no configuration of {model!r}: {str(error).splitlines()[0]} Expected one of "
            f"{', '.join(MODELS)}, a folder with a config.json, or a model on a reachable hub."
        ) from None
