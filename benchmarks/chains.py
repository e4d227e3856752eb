"""Seconds for 200 chains of thought under their grammar: in process, and through vLLM's server.

Run: python benchmarks/chains.py [PYTHON of vLLM]. The cases are 50 of movie-reviews, four chains each; first by the
shipped reasoner (its chains have some 42 tokens), then by the bare model's prompt. Goals on two cores, for chains of 60
tokens: 90 s through vLLM, 240 s in process. What a rate would make of 60 tokens a chain is printed beside what was
measured. Loading, the start of a server and the first request of each are left out.
"""

import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from askew.agent.config import Serving
from askew.agent.hypothesise import PROMPT, SHORT_PROMPT, sample_chains
from askew.agent.models.base import LanguageModel
from askew.agent.models.local import LocalModel
from askew.agent.models.pull import model_folder
from askew.agent.models.vllm import served_student
from askew.agent.reasoner import ADAPTERS, warmed_weights
from askew.evals.throughput import Timed
from askew.tasks.case import Case, Split, Task
from askew.tasks.load import load_task

STUDENT, CASES, CHAINS, GOAL_TOKENS = "smollm2-135m", 50, 4, 60


def measure(what: str, model: LanguageModel, prompt: str, task: Task, cases: list[Case]) -> None:
    """Warm the model up on another case, then time 200 chains."""
    sample_chains(model, prompt, task, task.split(Split.VALIDATION)[:1], 1, 1.0, 1)
    timed = Timed(model)
    start = time.perf_counter()
    chains = sample_chains(timed, prompt, task, cases, CHAINS, 1.0, 0)
    seconds, tokens = time.perf_counter() - start, sum(timed.tally.tokens)
    malformed = sum(chain.malformed is not None for chain in chains)
    reckoned = seconds * GOAL_TOKENS * len(chains) / tokens
    made = f"{len(chains)} chains, {tokens / len(chains):.1f} tokens each, {malformed} malformed"
    rate = f"{seconds:.1f} s, {tokens / seconds:.0f} tokens/s; at {GOAL_TOKENS} tokens {reckoned:.1f} s"
    print(f"{what:<36} {made}: {rate}", flush=True)


def main() -> None:
    """Both models, both backends, one after the other."""
    base = model_folder(STUDENT)
    folders = {
        "the shipped reasoner": (warmed_weights(base, ADAPTERS / STUDENT, STUDENT), SHORT_PROMPT),
        "the bare model": (base, PROMPT),
    }
    task = load_task("movie-reviews", 0).task
    pool = task.split(Split.POOL)
    cases = [pool[int(i)] for i in np.random.default_rng(0).choice(len(pool), CASES, replace=False)]
    options = Serving(python=sys.argv[1] if len(sys.argv) > 1 else None)
    for name, (folder, prompt) in folders.items():
        measure(f"{name}, in process", LocalModel(STUDENT, folder), prompt, task, cases)
        with TemporaryDirectory() as logs, closing(served_student(STUDENT, folder, options, Path(logs))) as model:
            measure(f"{name}, vLLM", model, prompt, task, cases)


if __name__ == "__main__":
    main()
