"""The networks that are trained, how they read texts, and how labels are scored on them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from askew.agent.learners.batches import padded
from askew.agent.learners.recipe import Recipe
from askew.agent.models.local import quietly
from askew.agent.models.merge import older_names
from askew.agent.models.tokens import framed_ids, token_ids
from askew.errors import InputError

HEAD = "head.safetensors"


class Reader(Protocol):
    """Turns texts into tokens, and tokens into scores of labels."""

    def ids(self, text: str) -> list[int]:
        """Token ids of one text, cut to what the network can take."""
        ...

    def scores(self, network: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """scores_R_W of each row: of the K labels, or a single one where each option has a row of its own."""
        ...


@dataclass(frozen=True)
class CausalReader:
    """Labels are words after the prompt: their first tokens' logits are the scores.

    ``per_option``: there are two words, right and wrong, and a row's score is the log-odds between them.
    """

    tokenizer: Any
    label_ids: tuple[int, ...]
    per_option: bool
    max_tokens: int

    def ids(self, text: str) -> list[int]:
        """The last tokens of the prompt: the end is where the question stands."""
        return token_ids(self.tokenizer, text)[-self.max_tokens :] or [pad_id(self.tokenizer)]

    def scores(self, network: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Padded on the left, so that every row ends where the label begins."""
        ids_R_T, mask_R_T = padded(rows, pad_id(self.tokenizer), device_of(network), left=True)
        logits_R_1_V = network(
            input_ids=ids_R_T,
            attention_mask=mask_R_T,
            position_ids=(mask_R_T.cumsum(1) - 1).clamp(min=0),
            use_cache=False,
            logits_to_keep=1,
        ).logits
        scores_R_W: torch.Tensor = logits_R_1_V[:, -1, list(self.label_ids)].float()
        return scores_R_W[:, :1] - scores_R_W[:, 1:] if self.per_option else scores_R_W


@dataclass(frozen=True)
class EncoderReader:
    """Labels are the outputs of a classification head."""

    tokenizer: Any
    max_tokens: int

    def ids(self, text: str) -> list[int]:
        """The first tokens of the text, with the tokenizer's special ones."""
        return framed_ids(self.tokenizer, [text], self.max_tokens)[0]

    def scores(self, network: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """What the head says."""
        ids_R_T, mask_R_T = padded(rows, pad_id(self.tokenizer), device_of(network))
        scores_R_W: torch.Tensor = network(ids_R_T, mask_R_T).float()
        return scores_R_W


class EncoderClassifier(nn.Module):
    """An encoder's mean state over the tokens, standardised, then a linear head."""

    def __init__(self, body: Any, outputs: int) -> None:
        super().__init__()
        self.body = body
        self._no_split_modules = getattr(body, "_no_split_modules", None)
        """Which layers stay whole when the network is sharded."""
        width = body.config.hidden_size
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.head = nn.Linear(width, outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids_R_T: torch.Tensor, mask_R_T: torch.Tensor) -> torch.Tensor:
        """scores_R_W."""
        states_R_T_D = self.body(input_ids=ids_R_T, attention_mask=mask_R_T).last_hidden_state
        weight_R_T_1 = mask_R_T[..., None].to(states_R_T_D.dtype)
        pooled_R_D = (states_R_T_D * weight_R_T_1).sum(1) / weight_R_T_1.sum(1)
        scores_R_W: torch.Tensor = self.head(self.norm(pooled_R_D))
        return scores_R_W


def is_causal(folder: Path) -> bool:
    """Whether the model in ``folder`` continues texts; any other kind is taken for an encoder."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no readable config.json ({error}): expected a transformers model.") from error
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.get("architectures") or [])


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def load_causal(folder: Path, recipe: Recipe) -> Any:
    """A language model to be trained by ``recipe``: with a fresh adapter, or with all its weights."""
    from transformers import AutoModelForCausalLM

    with quietly():
        network = AutoModelForCausalLM.from_pretrained(
            folder, dtype=_dtype(recipe), use_safetensors=True, attn_implementation=_attention()
        )
    if recipe.checkpointing:
        network.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return _adapted(network, recipe, "CAUSAL_LM")


def load_encoder(folder: Path, recipe: Recipe, outputs: int) -> EncoderClassifier:
    """An encoder to be trained by ``recipe``, under a fresh head with ``outputs`` scores."""
    from transformers import AutoModel

    with quietly():
        body = AutoModel.from_pretrained(folder, dtype=_dtype(recipe), use_safetensors=True)
    network = EncoderClassifier(_adapted(body, recipe, "FEATURE_EXTRACTION"), outputs)
    # The pooler is not used here; a weight that gets no gradient stops training on several devices.
    for name, weight in network.named_parameters():
        if ".pooler." in name:
            weight.requires_grad_(False)
    return network


def adapter_config(recipe: Recipe, task_type: str) -> Any:
    """LoRA on every linear layer except the output embedding; effect scaled so that r doesn't change its size."""
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.r,
        lora_alpha=2 * recipe.r,
        target_modules="all-linear",
        task_type=task_type,
    )


def label_ids(tokenizer: Any, words: Sequence[str]) -> tuple[int, ...]:
    """The first token of each label; raises ``InputError`` where two labels begin alike."""
    first = tuple(token_ids(tokenizer, word)[0] for word in words)
    if len(set(first)) < len(first):
        raise InputError(
            f"labels {', '.join(map(repr, words))} begin with the same token, so a language model can't be taught them "
            "apart at the end of a prompt. Give the options names whose first words differ."
        )
    return first


def pad_id(tokenizer: Any) -> int:
    """What fills a row; it is masked, so any token will do."""
    padding = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id or 0) if padding is None else int(padding)


def device_of(network: Any) -> torch.device:
    """Where the network's weights are."""
    device: torch.device = next(network.parameters()).device
    return device


@contextmanager
def head_reads(network: Any, places_B_T: torch.Tensor) -> Iterator[None]:
    """In this context a language model's logits are logits_L_V: of the L places that are true, row by row.

    With a large vocabulary logits cost the most, and of the other places nobody wants them.
    """
    from accelerate.utils import extract_model_from_parallel

    head = extract_model_from_parallel(network).get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, given: (given[0][places_B_T],))
    try:
        yield
    finally:
        hook.remove()


def _attention() -> str | None:
    """How attention is computed: for short texts on a CPU the plain way is faster, and most of all backwards."""
    return None if torch.cuda.is_available() else "eager"


def _dtype(recipe: Recipe) -> torch.dtype:
    """Of the weights in memory: frozen ones may be as coarse as the arithmetic.

    Trained ones may not: in bf16 a small step is rounded away.
    """
    return torch.bfloat16 if recipe.learner == "lora" and recipe.precision == "bf16" else torch.float32


def _adapted(network: Any, recipe: Recipe, task_type: str) -> Any:
    if recipe.learner == "full":
        return network
    from peft import get_peft_model

    with older_names():
        return get_peft_model(network, adapter_config(recipe, task_type))
