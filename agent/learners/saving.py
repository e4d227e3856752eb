"""What is left of a training run: safetensors, and a card that says what they were made from."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from askew.agent.learners.networks import HEAD, EncoderClassifier
from askew.agent.learners.recipe import Recipe
from askew.agent.learners.trainer import Fitted, State
from askew.agent.models.fixed import weights_fingerprint
from askew.agent.models.local import quietly
from askew.agent.models.merge import merged
from askew.errors import InputError

CARD = "card.json"
VERSIONS = ("torch", "transformers", "peft", "accelerate")


@dataclass(frozen=True)
class Card:
    """Where weights come from: enough to make them again, and to see that they are the same."""

    model: str
    base_fingerprint: str
    recipe: dict[str, Any]
    data: str
    """sha256 of the examples in their order."""
    words: tuple[str, ...]
    n_labels: int
    per_option: bool
    steps: int
    tokens: int
    loss: float
    looks: tuple[dict[str, float], ...]
    command: str
    versions: dict[str, str]

    @classmethod
    def read(cls, data: dict[str, Any]) -> Card:
        """The card that :func:`read_card` read."""
        fields = {name: value for name, value in data.items() if name != "files"}
        return cls(**{**fields, "words": tuple(data["words"]), "looks": tuple(data["looks"])})

    @classmethod
    def of(
        cls,
        base: Path,
        name: str,
        recipe: Recipe,
        data: str,
        fitted: Fitted,
        words: Sequence[str] = (),
        n_labels: int = 0,
        per_option: bool = False,
    ) -> Card:
        """The card of a run that was just done."""
        return cls(
            model=name or base.name,
            base_fingerprint=weights_fingerprint(base),
            recipe=recipe.model_dump(),
            data=data,
            words=tuple(words),
            n_labels=n_labels,
            per_option=per_option,
            steps=fitted.steps,
            tokens=fitted.tokens,
            loss=round(fitted.loss, 6),
            looks=tuple(asdict(look) for look in fitted.looks),
            command=" ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            versions={name: importlib.metadata.version(name) for name in VERSIONS},
        )


def save_learner(folder: Path, base: Path, network: Any, tokenizer: Any, state: State, card: Card) -> Path:
    """Write weights and card into ``folder``; the card last, so that a folder with a card is whole.

    They are rounded to the type of the weights in ``base``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    body, state = _without_head(network, state, folder)
    dtype = published_dtype(base)
    rounded = {name: value.to(dtype) for name, value in state.items()}
    with warnings.catch_warnings():
        # peft wants to look the base model up on a hub, to see whether its vocabulary grew: ours doesn't.
        warnings.filterwarnings("ignore", message="Could not find a config file")
        warnings.filterwarnings("ignore", message="Unable to fetch remote file")
        if card.recipe["learner"] == "lora":
            # By its name: where it lies is nobody else's business, and an adapter travels.
            config = body.peft_config[body.active_adapter]
            config.base_model_name_or_path = card.model
            config.target_modules = sorted(config.target_modules)  # a set, of which the order would differ each time
            body.save_pretrained(folder, state_dict=rounded, save_embedding_layers=False)
            (folder / "README.md").unlink(missing_ok=True)  # peft's empty model card
        else:
            with quietly():
                body.to(dtype).save_pretrained(folder, state_dict=rounded)
            tokenizer.save_pretrained(folder)
    write_card(folder, card)
    return folder


def merge_adapter(base: Path, learned: Path, folder: Path) -> Path:
    """Plain weights of a finetuned language model in ``folder``, ready for any backend.

    ``learned`` is what :func:`save_learner` wrote: an adapter is added to the weights in ``base`` (in float32,
    then rounded to what they were in); full weights are copied.

    Raises ``InputError`` when ``learned`` was trained on other weights than those in ``base``.
    """
    card = read_card(learned)
    if card["base_fingerprint"] != weights_fingerprint(base):
        raise InputError(f"{learned} was trained on other weights than those in {base}: merge it into {card['model']}.")
    if card["recipe"]["learner"] == "full":
        folder.mkdir(parents=True, exist_ok=True)
        for file in learned.iterdir():
            if file.is_file() and file.name != CARD:
                shutil.copy2(file, folder / file.name)
    else:
        merged(base, learned, folder)
    write_card(folder, card)
    return folder


def write_card(folder: Path, card: Card | dict[str, Any]) -> None:
    """Write ``card.json`` with the digest of every weight file beside it."""
    data = asdict(card) if isinstance(card, Card) else dict(card)
    data["files"] = {path.name: _sha256(path) for path in sorted(folder.glob("*.safetensors"))}
    partial = folder / f".{CARD}.part"
    partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / CARD)


def read_card(folder: Path, *, verify: bool = False) -> dict[str, Any]:
    """The card in ``folder``; raises ``InputError`` when there is none or the weights aren't the ones it names."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no finished training run: no readable {CARD} ({error}).") from None
    for name, expected in card["files"].items() if verify else ():
        if not (folder / name).is_file() or _sha256(folder / name) != expected:
            raise InputError(f"{folder / name} is not the file that {CARD} names: train again, or restore it.")
    return card


def load_into(network: Any, folder: Path, recipe: Recipe) -> None:
    """Put the adapter that :func:`save_learner` wrote, and the head of an encoder, into a network of the same shape."""
    body = network
    if isinstance(network, EncoderClassifier):
        network.load_state_dict(load_file(folder / HEAD), strict=False)
        body = network.body
    if recipe.learner == "lora":
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(body, load_file(folder / "adapter_model.safetensors"))


def _without_head(network: Any, state: State, folder: Path) -> tuple[Any, State]:
    """An encoder's head goes to a file of its own; its body is then saved like any model."""
    if not isinstance(network, EncoderClassifier):
        return network, state
    save_file({n: state[n].contiguous() for n in state if n.startswith("head.")}, folder / HEAD)
    body = {name.removeprefix("body."): value for name, value in state.items() if name.startswith("body.")}
    return network.body, body


def published_dtype(base: Path) -> torch.dtype:
    """The type of the weights in ``base``."""
    from transformers import AutoConfig

    dtype: torch.dtype = AutoConfig.from_pretrained(base).dtype or torch.float32
    return dtype


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
