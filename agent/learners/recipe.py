"""How to finetune: everything that a training run depends on beside the model and the data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from askew.agent.models.arithmetic import fast_bfloat16

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
LEARNING_RATES = {"lora": 5e-4, "full": 3e-5}
"""Where the recipe gives none: adapters start at zero effect and bear a larger step than the weights themselves."""


class Recipe(BaseModel):
    """One way of finetuning. The same recipe, data and model give the same weights on the same machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learner: Literal["lora", "full"] = "lora"
    r: Positive = 16
    """Rank of the adapter of every linear layer."""
    learning_rate: Annotated[float, Field(gt=0.0)] | None = None
    """At its highest; by default what :data:`LEARNING_RATES` says for the learner."""
    epochs: Positive = 2
    least_steps: Annotated[int, Field(ge=0)] = 0
    """Of few examples more epochs are made, until there are so many steps of the optimiser."""
    batch: Positive = 16
    """Examples of one optimiser step."""
    tokens_at_once: Positive = 2048
    """Padded tokens of one forward pass on all devices together; a step takes as many passes as it needs."""
    max_tokens: Positive = 512
    """Longer texts keep their end where a language model reads them, their beginning where an encoder does."""
    warm_up: Share = 0.1
    """Share of the steps over which the learning rate rises; then it falls along a cosine."""
    clip: Annotated[float, Field(gt=0.0)] = 1.0
    """Largest norm of the gradient."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    checks_per_epoch: Positive = 1
    """How often the validation labels are looked at, where there are any."""
    patience: Positive = 2
    """Training stops after so many looks without better agreement, and the best weights are kept."""
    confidence: Share = 0.0
    """α of the confidence loss (:func:`losses.confidence`): how far the student may hold to its own prediction against
    a label; 0 is plain cross-entropy. Of labels alone, not of texts."""
    precision: Literal["bf16", "no"] = Field(default_factory=lambda: "bf16" if fast_bfloat16() else "no")
    """Of the arithmetic ("no" is float32), by default what is faster here; what is trained is in float32 either way."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: a third more time, a fraction of the memory."""
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def peak_rate(self) -> float:
        """The learning rate after warm-up."""
        return self.learning_rate or LEARNING_RATES[self.learner]
