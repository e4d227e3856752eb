"""What every backend of the strong student can do. The loop knows only this interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SamplingRequest:
    """``n`` continuations of every prompt.

    ``grammar`` is a Lark grammar (llguidance dialect) that the continuation has to follow, or ``None``.
    ``seed`` makes sampling repeatable where the backend supports it. ``stop`` strings end a continuation
    and are not part of it.
    """

    prompts: tuple[str, ...]
    n: int = 1
    max_tokens: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled continuation. ``finished`` is false when it ran into ``max_tokens``."""

    text: str
    tokens: int
    finished: bool
    model_version: str


Heard = Callable[[int, list[Completion]], None]
"""Told the number of a prompt and its completions as soon as it has them all, in whatever order they come."""


def unheard(index: int, completions: list[Completion]) -> None:
    """Nobody listens."""
    del index, completions


@runtime_checkable
class LanguageModel(Protocol):
    """The strong model: samples text, scores labels, and gives features."""

    name: str
    fingerprint: str
    """Digest of the weights that give the features: part of the key under which they are cached."""
    version: str
    """Changes with every publish; each completion records the version that gave it."""

    @property
    def answers_aside(self) -> bool:
        """Whether it samples on a device of its own, so that something else may be done meanwhile."""
        ...

    def sample(self, request: SamplingRequest, heard: Heard = unheard) -> list[list[Completion]]:
        """``n`` completions for each prompt, in the order of the prompts. Raises ``ModelError``."""
        ...

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """logprobs_N_K: log-probability of each option's tokens as the continuation of its prompt."""
        ...

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """features_N_D: hidden states of each text's last token, the final layer's first.

        A text's features do not depend on the other texts of the call.
        """
        ...

    def readings(self, texts: Sequence[str], endings: Sequence[str]) -> NDArray[np.float32]:
        """features_N_E_D: of each text continued by each ending, at little more than the cost of one of them."""
        ...

    def text_logprobs(self, texts: Sequence[str], beginnings: Sequence[str], longest: int) -> NDArray[np.float64]:
        """logprobs_N_B: log-probability of the first ``longest`` tokens of each text after each beginning.

        By the weights that give the features. A text's do not depend on the other texts of the call.
        """
        ...

    def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
        """logprobs_N_V: log-probability of each word's first token as the next one, given the features."""
        ...

    def publish(self, weights: Path) -> str:
        """Let the student in ``weights`` (an adapter's folder, or a whole model's) write and score from now on.

        Gives its version, which every completion of it carries. Features and read-outs stay those of the weights
        that ``fingerprint`` names. Raises ``ModelError`` where it can't be had.
        """
        ...

    def withdraw(self) -> None:
        """Let the first student write and score again, for another experiment."""
        ...

    def close(self) -> None:
        """Free what the backend holds (memory, a server). Safe to call twice."""
        ...
