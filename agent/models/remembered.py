"""A model that samples nothing twice: the same request gives the same completions, at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from askew.agent.models.base import Completion, Heard, LanguageModel, SamplingRequest, unheard
from askew.agent.models.samples import Samples


class Remembering:
    """``model``, with its samples kept in ``samples`` by its weights and the request (which holds the seed)."""

    def __init__(self, model: LanguageModel, samples: Samples) -> None:
        self._model = model
        self._samples = samples
        self.name, self.fingerprint, self.version = model.name, model.fingerprint, model.version
        self.parameters: int = getattr(model, "parameters", 0)
        self._student = ""
        """Digest of the student that was published, if one was."""

    @property
    def answers_aside(self) -> bool:
        """As the model does."""
        return self._model.answers_aside

    def sample(self, request: SamplingRequest, heard: Heard = unheard) -> list[list[Completion]]:
        """Completions of the request, sampled once."""
        weights = self.fingerprint + self._student
        fresh = False

        def sample() -> list[list[Completion]]:
            nonlocal fresh
            fresh = True
            return self._model.sample(request, heard)

        completions = self._samples.completions(weights, request, sample)
        if not fresh:
            for index, own in enumerate(completions):
                heard(index, own)
        return completions

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """As the model has them."""
        return self._model.option_logprobs(prompts, options)

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As the model has them."""
        return self._model.features(texts)

    def readings(self, texts: Sequence[str], endings: Sequence[str]) -> NDArray[np.float32]:
        """As the model has them."""
        return self._model.readings(texts, endings)

    def text_logprobs(self, texts: Sequence[str], beginnings: Sequence[str], longest: int) -> NDArray[np.float64]:
        """As the model has them."""
        return self._model.text_logprobs(texts, beginnings, longest)

    def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
        """As the model has them."""
        return self._model.read_out(features_N_D, words)

    def publish(self, weights: Path) -> str:
        """Another student writes from now on; its samples are kept apart."""
        self._student = "".join(
            hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(weights.glob("*.safetensors"))
        )
        self.version = self._model.publish(weights)
        return self.version

    def withdraw(self) -> None:
        """The first student writes again."""
        self._student = ""
        self._model.withdraw()
        self.version = self._model.version

    def close(self) -> None:
        """Close the model."""
        self._model.close()
