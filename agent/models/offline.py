"""vLLM's offline engine on given prompts, timed: what a server is measured against.

Run by the interpreter that has vLLM, where askew isn't installed: ``python offline.py JOB.json RESULT.json``. A job is
``{"engine": {arguments of vllm.LLM}, "requests": [{"prompts": [[token, ...], ...], "n", "max_tokens", "temperature",
"top_p", "stop", "grammar"}, ...]}``; the result ``{"seconds": [...], "tokens": [...]}``, one entry a request.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def measure(job: dict[str, Any]) -> dict[str, list[float]]:
    """Seconds and tokens of each request, in order, on one engine that is warm."""
    import vllm
    from vllm.sampling_params import StructuredOutputsParams

    engine = vllm.LLM(**job["engine"])
    engine.generate([{"prompt_token_ids": [1, 2, 3]}], vllm.SamplingParams(max_tokens=8), use_tqdm=False)
    seconds: list[float] = []
    tokens: list[float] = []
    for request in job["requests"]:
        grammar = request["grammar"]
        parameters = vllm.SamplingParams(
            n=request["n"],
            max_tokens=request["max_tokens"],
            temperature=request["temperature"],
            top_p=request["top_p"],
            stop=request["stop"],
            structured_outputs=StructuredOutputsParams(grammar=grammar) if grammar else None,
        )
        prompts = [{"prompt_token_ids": ids} for ids in request["prompts"]]
        start = time.perf_counter()
        outputs = engine.generate(prompts, parameters, use_tqdm=False)
        seconds.append(time.perf_counter() - start)
        tokens.append(sum(len(one.token_ids) for output in outputs for one in output.outputs))
    return {"seconds": seconds, "tokens": tokens}


if __name__ == "__main__":
    # vLLM starts its workers by importing this file again: only the first run measures.
    Path(sys.argv[2]).write_text(json.dumps(measure(json.loads(Path(sys.argv[1]).read_text()))), encoding="utf-8")
