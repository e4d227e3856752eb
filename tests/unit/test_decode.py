"""Continuing prompts where the weights are on another device than this process works on."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny import make_llama

from askew.agent.models.base import SamplingRequest
from askew.agent.models.decode import Decoder
from askew.agent.models.local import LocalModel


def test_everything_that_the_network_reads_is_on_its_device(tmp_path: Path) -> None:
    model = LocalModel("tiny", make_llama(tmp_path))
    request = SamplingRequest(("film is good", "film is bad", "the"), n=1, max_tokens=4)
    # The device whose tensors have no values: torch refuses to mix it with others, and there need be no GPU.
    model.speaker = model.network.to("meta")
    model.speaker.set_attn_implementation("eager")  # another looks into the mask
    with torch.inference_mode():
        decoder = Decoder(model, request, request.prompts, torch.Generator())
        cache, mask, logits = decoder._prefill()
        assert {mask.device.type, logits.device.type} == {"meta"}
        cache.batch_select_indices(torch.tensor([0, 2]))
        logits, mask = decoder._go_on([3, 4], cache, mask[[0, 2]])
        assert logits.shape[0] == 2 and {mask.device.type, logits.device.type} == {"meta"}
