"""Prompts don't change without a new version."""

from __future__ import annotations

import json

import pytest

from askew.prompts.loader import LOCK, current_lock, load_prompt


def test_the_lock_matches_the_templates() -> None:
    assert json.loads(LOCK.read_text(encoding="utf-8")) == current_lock()


def test_variables_are_the_declared_ones() -> None:
    with pytest.raises(ValueError, match="takes"):
        load_prompt("judge").render(noun="review")
