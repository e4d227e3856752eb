"""Preference rows as people publish them: a prompt or none, and answers that are text or turns of a conversation."""

from __future__ import annotations

import itertools
import re
from typing import Any

BEGINNINGS = re.compile(r"\n|: ")
"""Where an answer may begin, if what comes before is shared by both."""


def with_prompt(row: dict[str, Any]) -> dict[str, Any]:
    """A preference row with its ``text``: the prompt, or what both answers begin with."""
    said = {key: _one_text(row[key]) for key in ("prompt", "chosen", "rejected") if row.get(key) is not None}
    if not {"chosen", "rejected"} <= said.keys():
        raise ValueError("expected both chosen and rejected")
    if not all(isinstance(one, str) for one in said.values()):
        raise ValueError("expected prompt, chosen and rejected to be text, or turns of a conversation")
    if "prompt" in said:
        return row | said | {"text": said["prompt"]}
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(said["chosen"], said["rejected"], strict=False))
    shared = "".join(letter for letter, _ in same)
    shared = shared[: max((found.end() for found in BEGINNINGS.finditer(shared)), default=0)]
    if not shared.strip():
        raise ValueError("no text or prompt, and chosen and rejected begin differently: give each row a prompt")
    return row | {"text": shared.strip(), **{key: said[key][len(shared) :] for key in ("chosen", "rejected")}}


def _one_text(value: Any) -> Any:
    """Turns of a conversation as one text; anything else as it is."""
    if not isinstance(value, list):
        return value
    if not all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in value):
        raise ValueError('expected text, or turns like [{"role": "user", "content": "…"}]')
    return "\n\n".join(f"{turn.get('role', 'user')}: {turn['content']}" for turn in value)
