"""Finetune any language model or encoder: the one way in.

    learner = finetune_labels(folder, examples, words, Recipe(), validation=held_out)
    learner.probabilities(texts)          # p_N_K
    learner.save(place)                   # adapter or weights as safetensors, with a card
    learner.merge(place)                  # plain weights, which any backend loads

A causal language model scores label words at the end of a prompt; an encoder gets a head. Both predictions of a
student, the truth and the weak label, come from one adapter: the examples of one are read under another prompt.
Early stopping looks at agreement with *weak* labels that were held out. There is no gold label in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from askew.agent.conditional_logit import Array
from askew.agent.learners.batches import padded, passes
from askew.agent.learners.examples import Example, Passage, digest
from askew.agent.learners.losses import Loss, confidence, soft_cross_entropy
from askew.agent.learners.networks import (
    CausalReader,
    EncoderReader,
    Reader,
    device_of,
    head_reads,
    is_causal,
    label_ids,
    load_causal,
    load_encoder,
    load_tokenizer,
    pad_id,
)
from askew.agent.learners.recipe import Recipe
from askew.agent.learners.saving import Card, load_into, merge_adapter, read_card, save_learner
from askew.agent.learners.trainer import Fitted, Look, fit, seeded, trained_state
from askew.agent.models.fixed import weights_fingerprint
from askew.agent.models.tokens import token_ids, token_places
from askew.errors import InputError


@dataclass
class Learner:
    """A finetuned model and how it reads."""

    base: Path
    network: Any
    tokenizer: Any
    reader: Reader | None
    """How labels are scored; ``None`` after training on texts alone."""
    recipe: Recipe
    fitted: Fitted
    card: Card

    def probabilities(self, texts: Sequence[Sequence[str]]) -> Array:
        """p_N_K of the labels, from the texts of each case (one, or one an option)."""
        if self.reader is None:
            raise ValueError("this learner was trained on texts: it has no labels to score")
        if not texts:
            return np.zeros((0, self.card.n_labels))
        objective = LabelObjective(self.reader, [Example(tuple(own), ()) for own in texts])
        self.network.eval()
        precise = self.recipe.precision == "no"
        with torch.inference_mode(), torch.autocast(device_of(self.network).type, torch.bfloat16, enabled=not precise):
            scores_N_K = objective.all_scores(self.network, self.recipe.tokens_at_once)
        p_N_K: Array = scores_N_K.double().softmax(-1).cpu().numpy()
        return p_N_K

    def save(self, folder: Path) -> Path:
        """Adapter or weights (and the head of an encoder) as safetensors, beside ``card.json``."""
        return save_learner(folder, self.base, self.network, self.tokenizer, self.fitted.state, self.card)

    def merge(self, folder: Path) -> Path:
        """A language model's plain weights with what was learned in them, and its tokenizer."""
        return merge_adapter(self.base, self.save(folder / "adapter"), folder)


def finetune_labels(
    base: Path,
    examples: Sequence[Example],
    words: Sequence[str],
    recipe: Recipe,
    *,
    validation: Sequence[Example] = (),
    loss: Loss | None = None,
    name: str = "",
) -> Learner:
    """Train the model in ``base`` to predict (soft) labels.

    Args:
        base: a folder that transformers loads, with safetensors.
        examples: what is learned; weights of 0 are left out.
        words: what is scored at the end of a prompt (``examples.label_words``); an encoder only counts them.
        recipe: how.
        validation: held-out weak labels; training stops when agreement with them no longer grows.
        loss: of a batch of scores, instead of cross-entropy or what the recipe's ``confidence`` makes of it.
        name: what the card calls the model; by default the folder's name.

    Raises:
        InputError: nothing to learn, labels that begin alike, or a model that can't be read.
        RunError: the loss stopped being a number.
    """
    learned = [example for example in examples if example.weight > 0]
    if not learned:
        raise InputError("nothing to learn from: expected at least one example with a weight above 0.")
    per_option = len(learned[0].texts) > 1
    with seeded(recipe.seed):
        network, reader = _network(base, is_causal(base), recipe, words, per_option)
        assert reader is not None
        told = confidence(recipe.confidence) if recipe.confidence else soft_cross_entropy
        objective = LabelObjective(reader, learned, loss or told)
        held_out = LabelObjective(reader, validation)

        def check(now: Any) -> tuple[float, float]:
            return held_out.agreement(now, recipe.tokens_at_once)

        fitted = fit(network, objective, recipe, check if validation else None)
    card = Card.of(
        base,
        name,
        recipe,
        digest(learned),
        fitted,
        words=words,
        n_labels=len(learned[0].target_K),
        per_option=per_option,
    )
    return Learner(base, network, load_tokenizer(base), reader, recipe, fitted, card)


def load_learner(base: Path, folder: Path) -> Learner:
    """The learner that :meth:`Learner.save` left in ``folder``; ``base`` is the model it was trained on.

    Raises ``InputError`` where there is none, or it was trained on another model.
    """
    card = read_card(folder, verify=True)
    if card["base_fingerprint"] != weights_fingerprint(base):
        raise InputError(f"{folder} was trained on other weights than those in {base}: load it with {card['model']}.")
    recipe, written = Recipe(**card["recipe"]), Card.read(card)
    weights = folder if recipe.learner == "full" else base
    network, reader = _network(weights, is_causal(base), recipe, written.words, written.per_option)
    load_into(network, folder, recipe)
    state = trained_state(network, recipe)
    fitted = Fitted(state, card["steps"], card["tokens"], card["loss"], tuple(Look(**look) for look in card["looks"]))
    return Learner(base, network, load_tokenizer(base), reader, recipe, fitted, written)


def finetune_texts(base: Path, passages: Sequence[Passage], recipe: Recipe, *, name: str = "") -> Learner:
    """Train the language model in ``base`` to continue texts: chains of thought, or a task's texts without labels.

    Raises ``InputError`` when there is nothing to learn or the model is not a language model.
    """
    learned = [passage for passage in passages if passage.weight > 0 and passage.text]
    if not learned:
        raise InputError("nothing to learn from: expected at least one text with a weight above 0.")
    if not is_causal(base):
        raise InputError(f"{base} is no causal language model: an encoder can't be trained to continue texts.")
    with seeded(recipe.seed):
        tokenizer, network = load_tokenizer(base), load_causal(base, recipe)
        fitted = fit(network, TextObjective(tokenizer, learned, recipe.max_tokens), recipe)
    return Learner(base, network, tokenizer, None, recipe, fitted, Card.of(base, name, recipe, digest(learned), fitted))


def _network(
    weights: Path, causal: bool, recipe: Recipe, words: Sequence[str], per_option: bool
) -> tuple[Any, Reader | None]:
    """A network to be trained, and how labels are scored on it (not at all where there are no words)."""
    tokenizer = load_tokenizer(weights)
    if not causal:
        encoder = load_encoder(weights, recipe, 1 if per_option else len(words))
        longest = encoder.body.config.max_position_embeddings
        return encoder, EncoderReader(tokenizer, min(recipe.max_tokens, longest))
    network = load_causal(weights, recipe)
    if not words:
        return network, None
    return network, CausalReader(tokenizer, label_ids(tokenizer, words), per_option, recipe.max_tokens)


@dataclass
class LabelObjective:
    """Examples in tokens and the loss of their labels."""

    reader: Reader
    examples: Sequence[Example]
    loss: Loss = soft_cross_entropy
    lengths: list[int] = field(init=False)
    rows: list[int] = field(init=False)
    weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._ids_N_P = [[self.reader.ids(text) for text in example.texts] for example in self.examples]
        self.lengths = [max(map(len, ids)) for ids in self._ids_N_P]
        self.rows = [len(ids) for ids in self._ids_N_P]
        self.weights = [example.weight for example in self.examples]

    def scores(self, network: Any, indices: Sequence[int]) -> torch.Tensor:
        """scores_B_K of some examples."""
        rows = [ids for index in indices for ids in self._ids_N_P[index]]
        return self.reader.scores(network, rows).reshape(len(indices), -1)

    def losses(self, network: Any, indices: Sequence[int], done: float) -> torch.Tensor:
        """losses_B of some examples."""
        scores_B_K = self.scores(network, indices)
        return self.loss(scores_B_K, self._targets(indices).to(scores_B_K.device), done)

    def all_scores(self, network: Any, tokens: int) -> torch.Tensor:
        """scores_N_K of every example, in order."""
        parts = list(passes(range(len(self.examples)), self.lengths, self.rows, tokens))
        scores = torch.cat([self.scores(network, part) for part in parts])
        order = torch.tensor([index for part in parts for index in part], device=scores.device)
        return scores[order.argsort()]

    def agreement(self, network: Any, tokens: int) -> tuple[float, float]:
        """The share of examples whose label is the network's, and minus the loss."""
        scores_N_K = self.all_scores(network, tokens).cpu()
        targets_N_K = self._targets(range(len(self.examples)))
        agreeing = (scores_N_K.argmax(-1) == targets_N_K.argmax(-1)).double().mean()
        return float(agreeing), -float(soft_cross_entropy(scores_N_K, targets_N_K, 1.0).mean())

    def _targets(self, indices: Sequence[int]) -> torch.Tensor:
        return torch.tensor([self.examples[index].target_K for index in indices], dtype=torch.float32)


@dataclass
class TextObjective:
    """Passages in tokens and the loss of each next token; every learned token counts the same."""

    tokenizer: Any
    passages: Sequence[Passage]
    max_tokens: int
    lengths: list[int] = field(init=False)
    rows: list[int] = field(init=False)
    weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        end = [] if self.tokenizer.eos_token_id is None else [int(self.tokenizer.eos_token_id)]
        self._ids_N: list[list[int]] = []
        self._learned_N: list[list[int]] = []
        for passage in self.passages:
            before = token_ids(self.tokenizer, passage.before) or end
            text, learned = self._text(passage)
            text, learned = [*text, *end][: self.max_tokens - 1], [*learned, *(True for _ in end)]
            # What stands before gives way where both don't fit, its beginning first.
            ids = [*before[-(self.max_tokens - len(text)) :], *text]
            first = len(ids) - len(text)
            self._ids_N.append(ids)
            self._learned_N.append([first + i for i, one in enumerate(learned[: len(text)]) if one and first + i > 0])
        self.lengths = [len(ids) for ids in self._ids_N]
        self.rows = [1] * len(self._ids_N)
        self.weights = [p.weight * len(places) for p, places in zip(self.passages, self._learned_N, strict=True)]

    def _text(self, passage: Passage) -> tuple[list[int], list[bool]]:
        """The tokens of a passage's text, and which of them are learned."""
        if not passage.given:
            ids = token_ids(self.tokenizer, passage.text)
            return ids, [True] * len(ids)
        ids, places = token_places(self.tokenizer, passage.text)
        return ids, [not any(a < to and b > at for at, to in passage.given) for a, b in places]

    def losses(self, network: Any, indices: Sequence[int], done: float) -> torch.Tensor:
        """losses_B: the mean over the learned tokens of each passage."""
        del done
        rows = [self._ids_N[index] for index in indices]
        ids_B_T, mask_B_T = padded(rows, pad_id(self.tokenizer), device_of(network))
        learned_B_T = torch.zeros_like(ids_B_T, dtype=torch.bool)
        for row, index in enumerate(indices):
            learned_B_T[row, self._learned_N[index]] = True
        with head_reads(network, learned_B_T.roll(-1, dims=1)):
            logits_L_V = network(input_ids=ids_B_T, attention_mask=mask_B_T, use_cache=False).logits
        logp = torch.nn.functional.cross_entropy(logits_L_V.float(), ids_B_T[learned_B_T], reduction="none")
        losses_B = torch.zeros(len(indices), device=logp.device, dtype=logp.dtype)
        owner = learned_B_T.nonzero()[:, 0]
        return losses_B.index_add(0, owner, logp) / learned_B_T.sum(1).clamp(min=1)
