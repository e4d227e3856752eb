"""``askew bench throughput``: tokens a second of the agent's own requests, against vLLM's offline engine on the same.

The agent's own code asks (chains of thought under their grammar, cases written for a label) and every request is
kept as it was sent; then the offline engine, and on demand the in-process backend and transformers' ``generate``, get
the very same requests.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from askew.agent.config import Serving, Settings
from askew.agent.hypothesise import PROMPT, sample_chains
from askew.agent.models import offline
from askew.agent.models.base import Completion, Heard, LanguageModel, SamplingRequest, unheard
from askew.agent.models.engine import CPU_BLOCK, Engine, environment, find_engine
from askew.agent.models.local import LocalModel
from askew.agent.models.pull import model_folder
from askew.agent.models.vllm import served_student
from askew.agent.write import write_cases
from askew.errors import ModelError
from askew.tasks.case import Split, Task
from askew.tasks.load import load_task

KINDS = ("chains", "cases", "chains again")
"""What the agent asks for, in order: chains under their grammar, cases for a label, and the same chains once more."""
RIVALS = ("offline", "local", "generate", "no-prefix-cache")
GENERATED_ROWS = 12
"""Sequences that ``generate`` continues at once."""
CHAINS, CHAINS_PER_CASE, WRITTEN, SEED = 48, 6, 160, 0


@dataclass
class Tally:
    """How fast requests were answered; ``requests`` are kept so that others can be given the same."""

    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def rate(self) -> float:
        """Tokens a second over all requests."""
        return sum(self.tokens) / max(sum(self.seconds), 1e-9)


class Timed:
    """A language model whose sampling is timed and whose requests are remembered."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.tally = Tally()
        self.requests: list[SamplingRequest] = []
        self.name, self.fingerprint, self.version = model.name, model.fingerprint, model.version
        self.option_logprobs, self.read_out = model.option_logprobs, model.read_out
        self.features, self.readings, self.text_logprobs = model.features, model.readings, model.text_logprobs
        self.publish, self.withdraw, self.close = model.publish, model.withdraw, model.close

    @property
    def answers_aside(self) -> bool:
        """As the model does."""
        return self.model.answers_aside

    def sample(self, request: SamplingRequest, heard: Heard = unheard) -> list[list[Completion]]:
        """As the model does."""
        start = time.perf_counter()
        completions = self.model.sample(request, heard)
        self.tally.seconds.append(time.perf_counter() - start)
        self.tally.tokens.append(sum(one.tokens for several in completions for one in several))
        self.requests.append(request)
        return completions


def measure(options: Serving, rivals: Sequence[str], say: Callable[[str], None]) -> dict[str, Any]:
    """Rates of the agent and of ``rivals`` on the same requests, one after the other.

    Rivals: ``offline`` (vLLM without a server), ``local`` (the in-process backend), ``generate`` (transformers' own,
    with no grammar and no beginnings computed once), ``no-prefix-cache`` (the agent again, the server without its
    prefix cache). Raises ``InputError`` without vLLM, ``ModelError`` when it fails.
    """
    settings = Settings()
    engine, folder = find_engine(options), model_folder(settings.student)
    task = load_task(settings.task, SEED).task
    say("the agent, through vLLM's server")
    asked = _agent(settings.student, folder, options, task)
    tallies = {"agent": asked.tally}
    if "offline" in rivals:
        say("vLLM's offline engine")
        tallies["offline"] = offline_work(engine, options, folder, asked.requests)
    if "no-prefix-cache" in rivals:
        say("the agent, through a server without prefix cache")
        uncached = options.model_copy(update={"prefix_cache": False})
        tallies["no-prefix-cache"] = _agent(settings.student, folder, uncached, task).tally
    if "local" in rivals:
        say("the in-process backend")
        tallies["local"] = local_work(LocalModel(settings.student, folder), asked.requests)
    if "generate" in rivals:
        say("transformers' generate")
        tallies["generate"] = generate_work(LocalModel(settings.student, folder), asked.requests)
    return _summary(tallies, engine)


def _agent(name: str, folder: Path, options: Serving, task: Task) -> Timed:
    with TemporaryDirectory() as logs, closing(served_student(name, folder, options, Path(logs))) as model:
        return agent_work(model, task)


def _summary(tallies: dict[str, Tally], engine: Engine) -> dict[str, Any]:
    agent = tallies["agent"]
    rows = [
        {
            "what": name,
            "rates": {kind: n / s for kind, n, s in zip(KINDS, tally.tokens, tally.seconds, strict=True)},
            "rate": tally.rate(),
            "ratio": "" if name == "agent" else f"{agent.rate() / tally.rate():.2f}x",
            "tokens": tally.tokens,
            "seconds": tally.seconds,
        }
        for name, tally in tallies.items()
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"kinds": list(KINDS), "rows": rows, "notes": [f"vLLM {engine.version}, {cores} cores"]}


def agent_work(model: LanguageModel, task: Task) -> Timed:
    """Let the agent think and write about a task as in a run, once the server is warm."""
    model.sample(SamplingRequest(("Warm up.",), max_tokens=8))
    timed = Timed(model)
    rng = np.random.default_rng(SEED)
    pool = task.split(Split.POOL)
    cases = [pool[int(i)] for i in rng.choice(len(pool), CHAINS // CHAINS_PER_CASE, replace=False)]
    sample_chains(timed, PROMPT, task, cases, CHAINS_PER_CASE, 1.0, SEED)
    write_cases(timed, task, rng.dirichlet(np.ones(task.n_options), len(pool)), WRITTEN, rng, set())
    sample_chains(timed, PROMPT, task, cases, CHAINS_PER_CASE, 1.0, SEED + 1)
    return timed


def offline_work(engine: Engine, options: Serving, folder: Path, requests: Sequence[SamplingRequest]) -> Tally:
    """The same requests through vLLM's offline engine, in a process of its own."""
    arguments: dict[str, Any] = {
        "model": str(folder), "dtype": options.dtype, "enable_prefix_caching": options.prefix_cache,
        "tensor_parallel_size": options.tensor_parallel, "generation_config": "vllm",
        "structured_outputs_config": {"backend": "guidance"}, "disable_log_stats": True,
        "enforce_eager": engine.on_cpu if options.eager is None else options.eager,
    }  # fmt: skip
    if engine.on_cpu:
        arguments["block_size"] = CPU_BLOCK
    else:
        arguments["gpu_memory_utilization"] = options.memory_fraction
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def tokens(prompt: str) -> list[int]:
        ids: list[int] = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return ids

    job = {"engine": arguments, "requests": [sent(tokens, request) for request in requests]}
    with TemporaryDirectory() as work:
        ask, answer, log = Path(work, "job.json"), Path(work, "result.json"), Path(work, "log")
        ask.write_text(json.dumps(job), encoding="utf-8")
        # Isolated: beside the script lies our own module called vllm.
        command = [str(engine.python), "-I", offline.__file__, str(ask), str(answer)]
        with log.open("wb") as stream:
            done = subprocess.run(  # noqa: S603
                command, stdout=stream, stderr=stream, env=environment(engine, options), check=False
            )
        if done.returncode != 0:
            raise ModelError(f"vLLM's offline engine failed: {log.read_text(errors='replace')[-600:]}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    return Tally([int(n) for n in found["tokens"]], found["seconds"])


def local_work(model: LocalModel, requests: Sequence[SamplingRequest]) -> Tally:
    """The same requests in this process."""
    timed = Timed(model)
    for request in requests:
        timed.sample(request)
    return timed.tally


def generate_work(model: LocalModel, requests: Sequence[SamplingRequest]) -> Tally:
    """The same requests through transformers' ``generate``."""
    tally = Tally()
    tokenizer = AutoTokenizer.from_pretrained(model.folder, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    for request in requests:
        start = time.perf_counter()
        prompts = [prompt for prompt in request.prompts for _ in range(request.n)]
        tokens = 0
        for first in range(0, len(prompts), GENERATED_ROWS):
            batch = tokenizer(prompts[first : first + GENERATED_ROWS], return_tensors="pt", padding=True)
            ids_B_T = model.network.generate(
                **batch.to(model.network.device), do_sample=True, temperature=request.temperature, top_p=request.top_p,
                max_new_tokens=request.max_tokens, pad_token_id=tokenizer.pad_token_id,
                stop_strings=list(request.stop) or None, tokenizer=tokenizer,
            )  # fmt: skip
            tokens += int((ids_B_T[:, batch["input_ids"].shape[1] :] != tokenizer.pad_token_id).sum())
        tally.seconds.append(time.perf_counter() - start)
        tally.tokens.append(tokens)
    return tally


def sent(tokens: Callable[[str], list[int]], request: SamplingRequest) -> dict[str, Any]:
    """A request as the offline engine reads it."""
    return {
        "prompts": [tokens(prompt) for prompt in request.prompts], "n": request.n,
        "max_tokens": request.max_tokens, "temperature": request.temperature, "top_p": request.top_p,
        "stop": list(request.stop), "grammar": request.grammar,
    }  # fmt: skip
