"""Texts as tokens. A text is data: what looks like a control token in it is spelt out like any other word."""

from __future__ import annotations

from typing import Any


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text, with nothing before or after it."""
    ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids


def token_places(tokenizer: Any, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """The same, and where in the text each token begins and ends."""
    found = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    return found["input_ids"], found["offset_mapping"]


def framed_ids(tokenizer: Any, texts: list[str], longest: int) -> list[list[int]]:
    """The first ``longest`` token ids of each text, in the frame that the tokenizer of an encoder puts around it."""
    ids_N: list[list[int]] = tokenizer(texts, truncation=True, max_length=longest, split_special_tokens=True)[
        "input_ids"
    ]
    return ids_N
