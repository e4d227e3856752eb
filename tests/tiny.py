"""Real networks, tiny and with random weights: a language model and an encoder over one small vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from conftest import BAD, GOOD, WORDS

SIZES = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "dtype": "float32",
}  # fmt: skip


def make_tokenizer() -> Any:
    """One token a word; a word that it doesn't know is the end token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [
        *GOOD,
        *BAD,
        *WORDS,
        "bad",
        "good",
        "film",
        "is",
        "are",
        "the",
        "and",
        "negative",
        "positive",
        "right",
        "wrong",
    ]
    vocabulary = ["<end>", "!!!", ".", *words, *(f"Ġ{word}" for word in words)]
    tokens = Tokenizer(models.WordLevel({token: index for index, token in enumerate(vocabulary)}, unk_token="<end>"))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="<end>", pad_token="<end>", unk_token="<end>")


def make_llama(folder: Path, seed: int = 0) -> Path:
    """A causal language model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LlamaConfig(
            **SIZES, num_key_value_heads=2, max_position_embeddings=128, bos_token_id=0, eos_token_id=0
        )
        LlamaForCausalLM(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def make_bert(folder: Path, seed: int = 0) -> Path:
    """An encoder."""
    from transformers import BertConfig, BertModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(BertConfig(**SIZES, max_position_embeddings=128)).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
