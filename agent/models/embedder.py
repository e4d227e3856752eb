"""Sentence embeddings from an encoder model: for clustering, similarity, and the default weak supervisor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askew.agent.models.fixed import fixed_batches, weights_fingerprint
from askew.agent.models.tokens import framed_ids
from askew.agent.models.vectors import VectorCache

TOKENS = 128
"""In one forward pass: as many texts as that takes, the same number for each length whatever there is to embed, so that
a text's arithmetic never depends on its neighbours. Few, since most calls are for a handful of texts."""
LENGTH_BUCKET = 2
"""Subjects of chains are a few tokens long: most of a longer bucket would be padding."""
MAX_TOKENS = 256
"""Longer texts are cut, as in the model's training."""


class Embedder:
    """Mean-pooled, L2-normalised final hidden states of the encoder in ``folder``.

    The weights are loaded when a text is embedded that ``cache`` (a file of vectors) doesn't hold.
    """

    def __init__(self, folder: Path, cache: Path | None = None, device: str | None = None) -> None:
        self.folder = folder
        self._cache_path = cache
        self._device = device

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """embeddings_N_D of the texts, each of length 1. The same text always gives the same numbers."""
        if not texts:
            return np.zeros((0, self.width), dtype=np.float32)
        if self._cache is None:
            return self._compute(list(texts))
        return self._cache.vectors(texts, self._compute)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the weights and of how they are used."""
        return weights_fingerprint(self.folder, f"mean-pool/{TOKENS}/{LENGTH_BUCKET}/{MAX_TOKENS}")

    @cached_property
    def width(self) -> int:
        """D, the size of an embedding."""
        from transformers import AutoConfig

        return int(AutoConfig.from_pretrained(self.folder).hidden_size)

    @cached_property
    def _cache(self) -> VectorCache | None:
        return None if self._cache_path is None else VectorCache(self._cache_path, self.fingerprint)

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        device = torch.device(self._device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = AutoModel.from_pretrained(self.folder, use_safetensors=True).to(device).eval()
        return AutoTokenizer.from_pretrained(self.folder), network, device

    def _compute(self, texts: list[str]) -> NDArray[np.float32]:
        tokenizer, _, _ = self._loaded
        ids_N = framed_ids(tokenizer, texts, MAX_TOKENS)
        embeddings_N_D = np.zeros((len(texts), self.width), dtype=np.float32)
        for length, batch in fixed_batches([len(ids) for ids in ids_N], LENGTH_BUCKET, _rows):
            embeddings_N_D[batch] = self._forward([ids_N[index] for index in batch], length)
        return embeddings_N_D

    def _forward(self, ids_B: list[list[int]], length: int) -> NDArray[np.float32]:
        """embeddings_B_D of some texts, run as the number of rows that their length always has."""
        import torch

        tokenizer, network, device = self._loaded
        rows = _rows(length)
        tokens_R_T = torch.full((rows, length), tokenizer.pad_token_id)
        mask_R_T = torch.zeros((rows, length), dtype=torch.long)
        for row in range(rows):
            ids = ids_B[row % len(ids_B)]  # rows left over repeat texts: an empty row would have no mean
            tokens_R_T[row, : len(ids)] = torch.tensor(ids)
            mask_R_T[row, : len(ids)] = 1
        with torch.inference_mode():
            hidden_R_T_D = network(
                input_ids=tokens_R_T.to(device), attention_mask=mask_R_T.to(device)
            ).last_hidden_state
            weight_R_T_1 = mask_R_T.to(device).unsqueeze(-1).float()
            mean_R_D = (hidden_R_T_D * weight_R_T_1).sum(1) / weight_R_T_1.sum(1)
            unit_R_D = torch.nn.functional.normalize(mean_R_D, dim=1)
        return unit_R_D[: len(ids_B)].float().cpu().numpy()


def _rows(length: int) -> int:
    """How many texts of ``length`` tokens one forward pass takes."""
    return max(1, TOKENS // length)
