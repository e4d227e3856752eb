"""The strong student in this process, through transformers: the default backend, on CPU or GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer

from askew.agent.models.arithmetic import arithmetic, fast_bfloat16
from askew.agent.models.base import Completion, Heard, SamplingRequest, unheard
from askew.agent.models.decode import Decoder
from askew.agent.models.fixed import fixed_batches, weights_fingerprint
from askew.agent.models.reading import Reading, kept_apart
from askew.agent.models.tokens import token_ids
from askew.agent.models.trunks import common_trunk
from askew.progress import progress

FEATURE_ROWS = 8
LENGTH_BUCKET = 8
"""One fixed shape for each length: no larger, so that little of a batch is padding."""
DECODE_ROWS = 64


class LocalModel:
    """A causal language model held in memory. ``folder`` is a local folder with safetensors weights.

    Raises ``ValueError`` or ``OSError`` where there is none.
    """

    answers_aside = False
    """It samples in this process."""

    def __init__(self, name: str, folder: Path, device: str | None = None) -> None:
        self.name = name
        self.version = f"{name}@0"
        self.fingerprint = features_fingerprint(folder)
        self.folder = folder
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        with quietly():
            network: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=arithmetic(), use_safetensors=True)
        if not (hasattr(network, "model") and hasattr(network, "lm_head")) or self.tokenizer.eos_token_id is None:
            raise ValueError(f"{type(network).__name__} is not built as a body and a head that gives the next word")
        self.network: Any = network.to(self._device).eval()
        """The weights that give the features."""
        self.speaker: Any = self.network
        """The weights that write and score: others than the network's once a student was published."""
        self._published = 0
        self.pad_id: int = self.tokenizer.eos_token_id
        self._grammar_tokenizer: Any = None

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return int(self.network.num_parameters())

    def close(self) -> None:
        """Forget the weights."""
        self.network = self.speaker = None

    def publish(self, weights: Path) -> str:
        """Let the student in ``weights`` write and score; the features stay what they are."""
        from askew.agent.models.merge import give_memory_back, published

        self.speaker = published(self.folder, weights, self._device)
        give_memory_back()
        self._published += 1
        self.version = f"{self.name}@{self._published}"
        return self.version

    def withdraw(self) -> None:
        """Let the first student write and score again."""
        self.speaker, self.version, self._published = self.network, f"{self.name}@0", 0

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, the last ones where it is longer than the context."""
        return token_ids(self.tokenizer, text)[-self.network.config.max_position_embeddings :] or [self.pad_id]

    def _padded(self, ids_B: Sequence[Sequence[int]], length: int) -> torch.Tensor:
        """ids_B_T, padded on the right, in a batch of one shape whatever there is of it."""
        ids_B_T = torch.full((FEATURE_ROWS, length), self.pad_id)
        for row, ids in enumerate(ids_B):
            ids_B_T[row, : len(ids)] = torch.tensor(ids)
        return ids_B_T.to(self._device)

    # -- features -----------------------------------------------------------------------------------

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """features_N_D: each text's last token in the final layer, then at two thirds of the depth.

        The middle layer adds what the final one, busy with the next word, has already dropped. Texts run
        in batches of one fixed shape per length bucket, so the arithmetic done for a text (and with it
        the last bit of its features) is the same whatever else is in the call.
        """
        return self._read([Reading(tuple(self.tokens(text)), ((),)) for text in texts], 1)[:, 0]

    def readings(self, texts: Sequence[str], endings: Sequence[str]) -> NDArray[np.float32]:
        """features_N_E_D of each text continued by each ending: one pass, in which an ending sees the text and itself.

        Other batches than those of :meth:`features`, so the last bit may differ from what it gives.
        """
        ends = tuple(tuple(self.tokens(ending)) for ending in endings)
        room = self.network.config.max_position_embeddings - max(map(len, ends))
        return self._read([Reading(tuple(self.tokens(text)[-room:]), ends) for text in texts], len(ends))

    @torch.inference_mode()
    def _read(self, readings: Sequence[Reading], n_endings: int) -> NDArray[np.float32]:
        width = self.network.config.hidden_size
        middle = round(self.network.config.num_hidden_layers * 2 / 3)
        features_N_E_D = np.zeros((len(readings), n_endings, 2 * width), dtype=np.float32)
        with progress(f"{self.name} reads", len(readings)) as advance:
            for length, batch in _batches([len(reading.ids) for reading in readings]):
                ids_B_T = self._padded([readings[index].ids for index in batch], length)
                apart = kept_apart([readings[index] for index in batch], FEATURE_ROWS, length, self.network.dtype)
                output = self.network.model(
                    ids_B_T,
                    use_cache=False,
                    output_hidden_states=True,
                    **{name: tensor.to(self._device) for name, tensor in apart.items()},
                )
                for row, index in enumerate(batch):
                    last_E = readings[index].last
                    features_N_E_D[index, :, :width] = output.last_hidden_state[row, last_E].float().cpu().numpy()
                    features_N_E_D[index, :, width:] = output.hidden_states[middle][row, last_E].float().cpu().numpy()
                advance(len(batch))
        return features_N_E_D

    @torch.inference_mode()
    def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
        """logprobs_N_V of each word's first token, from the final layer's half of the features."""
        first = [self.tokens(word)[0] for word in words]
        hidden_N_D = torch.tensor(features_N_D[:, : self.network.config.hidden_size]).to(self.network.dtype)
        logprobs_N_V = np.zeros((len(features_N_D), len(words)))
        # Batches of one shape, so that a case's log-probabilities don't depend on the others of the call.
        for start in range(0, len(hidden_N_D), FEATURE_ROWS):
            rows_B_D = hidden_N_D[start : start + FEATURE_ROWS]
            padded_B_D = torch.nn.functional.pad(rows_B_D, (0, 0, 0, FEATURE_ROWS - len(rows_B_D)))
            scores_B_V = self.network.lm_head(padded_B_D.to(self._device)).float().log_softmax(-1)
            logprobs_N_V[start : start + FEATURE_ROWS] = scores_B_V[: len(rows_B_D), first].double().cpu().numpy()
        return logprobs_N_V

    # -- what is said after what ----------------------------------------------------------------------

    def text_logprobs(self, texts: Sequence[str], beginnings: Sequence[str], longest: int) -> NDArray[np.float64]:
        """logprobs_N_B of the first ``longest`` tokens of each text after each beginning, by the frozen weights."""
        ids_N = [self.tokens(text)[:longest] for text in texts]
        logprobs_N_B = np.zeros((len(texts), len(beginnings)))
        with progress(f"{self.name} weighs", logprobs_N_B.size) as advance:
            for b, beginning in enumerate(beginnings):
                before = self.tokens(beginning)
                logprobs_N_B[:, b] = self._said(self.network, [(before, ids) for ids in ids_N], advance)
        return logprobs_N_B

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """logprobs_N_K: summed log-probability of each option's tokens after its prompt, by the published weights."""
        rows = [
            (self.tokens(prompt), self.tokens(option))
            for prompt, choices in zip(prompts, options, strict=True)
            for option in choices
        ]
        return self._said(self.speaker, rows).reshape(len(prompts), -1)

    @torch.inference_mode()
    def _said(
        self, network: Any, rows: Sequence[tuple[list[int], list[int]]], advance: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.float64]:
        """logprobs_R of the target of each row (prompt, target). What all prompts begin with is read once."""
        trunk = common_trunk([tuple(prompt) for prompt, _ in rows]) if rows else ()
        ids_R = [[*prompt[len(trunk) :], *target] for prompt, target in rows]
        read = network.model(torch.tensor([trunk], device=self._device)).past_key_values if trunk else None
        logprobs_R = np.zeros(len(rows))
        for length, batch in _batches([len(ids) for ids in ids_R]):
            ids_B_T = self._padded([ids_R[index] for index in batch], length)
            cache = deepcopy(read)
            if cache is not None:
                cache.batch_repeat_interleave(FEATURE_ROWS)
            hidden_B_T_D = network.model(ids_B_T, past_key_values=cache, use_cache=cache is not None).last_hidden_state
            for row, index in enumerate(batch):
                end = len(ids_R[index])
                start = end - len(rows[index][1])
                scores_T_V = network.lm_head(hidden_B_T_D[row, start - 1 : end - 1]).float()
                chosen_T = scores_T_V.gather(1, ids_B_T[row, start:end, None])[:, 0]
                logprobs_R[index] = (chosen_T - scores_T_V.logsumexp(1)).sum().item()
            advance(len(batch))
        return logprobs_R

    # -- sampling -----------------------------------------------------------------------------------

    def sample(self, request: SamplingRequest, heard: Heard = unheard) -> list[list[Completion]]:
        """``n`` completions of each prompt. The same request gives the same text on the same machine."""
        generator = torch.Generator().manual_seed(request.seed)
        completions: list[list[Completion]] = [[] for _ in request.prompts]
        owners = [index for index in range(len(request.prompts)) for _ in range(request.n)]
        with progress(f"{self.name} writes", len(owners)) as advance:
            for start in range(0, len(owners), DECODE_ROWS):
                batch = owners[start : start + DECODE_ROWS]
                texts = Decoder(self, request, [request.prompts[index] for index in batch], generator).run()
                for index, completion in zip(batch, texts, strict=True):
                    completions[index].append(completion)
                    if len(completions[index]) == request.n:
                        heard(index, completions[index])
                advance(len(batch))
        return completions

    def matcher(self, grammar: str) -> Any:
        """A fresh llguidance matcher for one sequence; raises ``ValueError`` on a wrong grammar."""
        import llguidance
        import llguidance.hf

        if self._grammar_tokenizer is None:
            self._grammar_tokenizer = llguidance.hf.from_tokenizer(
                self.tokenizer, n_vocab=self.network.config.vocab_size
            )
        matcher = llguidance.LLMatcher(self._grammar_tokenizer, llguidance.LLMatcher.grammar_from_lark(grammar))
        if matcher.is_error():
            raise ValueError(f"unusable grammar: {matcher.get_error()}")
        return matcher


@contextmanager
def quietly() -> Iterator[None]:
    """Without the loading bar: a weight file that is read in a second needs none."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def features_fingerprint(folder: Path) -> str:
    """Digest of a model folder's weights and tokenizer, and of how features are taken from them."""
    exact = "" if fast_bfloat16() else "/float32"
    return weights_fingerprint(folder, f"final+middle/{FEATURE_ROWS}/{LENGTH_BUCKET}{exact}")


def _batches(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Batches of at most ``FEATURE_ROWS`` indices, with the length that they are padded to."""
    return fixed_batches(lengths, LENGTH_BUCKET, lambda _: FEATURE_ROWS)
