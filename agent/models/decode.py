"""Continue prompts token by token.

Its own loop rather than ``generate``: what prompts begin with together is computed once, every sequence is masked by
its grammar, and finished sequences leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import DynamicCache

from askew.agent.models.base import Completion, SamplingRequest
from askew.agent.models.room import RoomyLayer, closed_up
from askew.agent.models.trunks import trunks_of

if TYPE_CHECKING:
    from askew.agent.models.local import LocalModel

NUCLEUS = 512
"""Tokens among which top-p sampling chooses."""


class Decoder:
    """One batch of sequences being continued, token by token."""

    def __init__(
        self, model: LocalModel, request: SamplingRequest, prompts: Sequence[str], generator: torch.Generator
    ) -> None:
        self.model = model
        self.request = request
        self.generator = generator
        self.device = model.speaker.device
        self.ids_B = [model.tokens(prompt) for prompt in prompts]
        self.written_B: list[list[int]] = [[] for _ in prompts]
        self.finished_B = [False for _ in prompts]
        prototype = model.matcher(request.grammar) if request.grammar else None
        self.matchers_B: list[Any] = [prototype.deep_copy() if prototype else None for _ in prompts]

    @torch.inference_mode()
    def run(self) -> list[Completion]:
        """Sample until every sequence has ended or has ``max_tokens`` tokens."""
        active = list(range(len(self.ids_B)))
        cache, mask_A_T, logits_A_V = self._prefill()
        for step in range(self.request.max_tokens):
            tokens_A = self._choose(active, logits_A_V)
            going_on = [
                row
                for row, (index, token) in enumerate(zip(active, tokens_A, strict=True))
                if not self._accept(index, token)
            ]
            if not going_on or step + 1 == self.request.max_tokens:
                break
            keep = closed_up(going_on)
            if len(keep) < len(active):
                cache.batch_select_indices(torch.tensor(keep, device=self.device))
                mask_A_T = mask_A_T[keep]
                active = [active[row] for row in keep]
            logits_A_V, mask_A_T = self._go_on([tokens_A[row] for row in keep], cache, mask_A_T)
        return [self._completion(index) for index in range(len(self.ids_B))]

    def _prefill(self) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Run each trunk that prompts share once, then what each distinct prompt adds to it, padded on the left."""
        distinct = {tuple(ids): row for row, ids in enumerate(dict.fromkeys(map(tuple, self.ids_B)))}
        ids_P = list(distinct)
        trunks, trunk_of_P = trunks_of(ids_P)
        cache = DynamicCache()
        mask_P_S = self._no_mask(len(ids_P))
        if all(trunks):  # a row that is nothing but padding has no attention to pay
            _, cache, mask_G_S = self._extend(trunks, cache, self._no_mask(len(trunks)))
            rows_P = torch.tensor(trunk_of_P, device=self.device)
            cache.batch_select_indices(rows_P)
            mask_P_S = mask_G_S[rows_P]
        else:
            trunks = [() for _ in trunks]
        rest_P = [ids[len(trunks[group]) :] for ids, group in zip(ids_P, trunk_of_P, strict=True)]
        logits_P_V, cache, mask_P_T = self._extend(rest_P, cache, mask_P_S)
        rows_B = torch.tensor([distinct[tuple(ids)] for ids in self.ids_B], device=self.device)
        cache.layers = [RoomyLayer(layer, rows_B, self.request.max_tokens) for layer in cache.layers]
        return cache, mask_P_T[rows_B], logits_P_V[rows_B]

    def _extend(
        self, ids_P: Sequence[Sequence[int]], cache: Any, mask_P_S: torch.Tensor
    ) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Logits after tokens that follow what is in the cache; the cache and the mask with them."""
        network = self.model.speaker
        width = max(map(len, ids_P))
        ids_P_W = torch.full((len(ids_P), width), self.model.pad_id)
        mask_P_W = torch.zeros(len(ids_P), width, dtype=torch.long)
        for row, ids in enumerate(ids_P):
            ids_P_W[row, width - len(ids) :] = torch.tensor(ids, dtype=torch.long)
            mask_P_W[row, width - len(ids) :] = 1
        mask_P_T = torch.cat([mask_P_S, mask_P_W.to(self.device)], dim=1)
        positions_P_W = (mask_P_T.cumsum(1) - 1).clamp(min=0)[:, -width:]
        output = network.model(
            ids_P_W.to(self.device),
            attention_mask=mask_P_T,
            position_ids=positions_P_W,
            past_key_values=cache,
            use_cache=True,
        )
        return network.lm_head(output.last_hidden_state[:, -1]).float(), output.past_key_values, mask_P_T

    def _go_on(self, tokens_A: list[int], cache: Any, mask_A_T: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits after one more token of each active sequence; the mask with it."""
        mask_A_T = torch.nn.functional.pad(mask_A_T, (0, 1), value=1)
        hidden_A_1_D = self.model.speaker.model(
            torch.tensor(tokens_A, device=self.device)[:, None],
            attention_mask=mask_A_T,
            position_ids=mask_A_T.sum(1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self.model.speaker.lm_head(hidden_A_1_D[:, -1]).float(), mask_A_T

    def _no_mask(self, rows: int) -> torch.Tensor:
        """The mask of an empty cache."""
        return torch.zeros(rows, 0, dtype=torch.long, device=self.device)

    def _choose(self, active: list[int], logits_A_V: torch.Tensor) -> list[int]:
        """Draw one token for each active sequence, within its grammar, on the CPU: its generator is the same anywhere.

        The sequences draw in the order of the prompts, wherever their rows are by now.
        """
        order_A = np.argsort(active)
        drawn_A = self._drawn([active[row] for row in order_A], logits_A_V[torch.from_numpy(order_A)])
        return [drawn_A[place] for place in np.argsort(order_A)]

    def _drawn(self, active: list[int], logits_A_V: torch.Tensor) -> list[int]:
        if self.request.grammar:
            logits_A_V.masked_fill_(~self._allowed(active, logits_A_V.shape[1]).to(logits_A_V.device), -torch.inf)
        if self.request.temperature == 0.0:
            return [int(token) for token in logits_A_V.argmax(1)]
        probabilities_A_V = (logits_A_V / self.request.temperature).softmax(-1)
        if self.request.top_p == 1.0:
            return torch.multinomial(probabilities_A_V.cpu(), 1, generator=self.generator)[:, 0].tolist()
        # The nucleus lies within the likeliest few hundred tokens; sorting the whole vocabulary is slow.
        ordered_A_W, tokens_A_W = (found.cpu() for found in probabilities_A_V.topk(NUCLEUS, dim=1))
        ordered_A_W[ordered_A_W.cumsum(1) - ordered_A_W > self.request.top_p] = 0.0
        drawn_A_1 = torch.multinomial(ordered_A_W, 1, generator=self.generator)
        return tokens_A_W.gather(1, drawn_A_1)[:, 0].tolist()

    def _allowed(self, active: list[int], n_tokens: int) -> torch.Tensor:
        """allowed_A_V: the tokens with which each active sequence may go on."""
        from llguidance import numpy as bitmasks

        # Not llguidance's own masking of torch tensors: it is compiled when first used, which takes a C++ compiler.
        mask_A_I = bitmasks.allocate_token_bitmask(len(active), n_tokens)
        for row, index in enumerate(active):
            bitmasks.fill_next_token_bitmask(self.matchers_B[index], mask_A_I, row)
        bytes_A_I4 = mask_A_I.astype("<i4", copy=False).view(np.uint8)
        return torch.from_numpy(np.unpackbits(bytes_A_I4, axis=1, count=n_tokens, bitorder="little").view(np.bool_))

    def _accept(self, index: int, token: int) -> bool:
        """Add a token; whether the sequence has come to its end."""
        if token == self.model.pad_id:
            self.finished_B[index] = True
            return True
        self.written_B[index].append(token)
        matcher = self.matchers_B[index]
        if matcher is not None:
            matcher.consume_token(token)
            self.finished_B[index] = matcher.is_stopped()
        if self.request.stop:
            tail = self.model.tokenizer.decode(self.written_B[index][-8:])
            self.finished_B[index] |= any(stop in tail for stop in self.request.stop)
        return self.finished_B[index]

    def _completion(self, index: int) -> Completion:
        text = self.model.tokenizer.decode(self.written_B[index], skip_special_tokens=True)
        for stop in self.request.stop:
            text = text.split(stop, 1)[0]
        return Completion(text, len(self.written_B[index]), self.finished_B[index], self.model.version)
