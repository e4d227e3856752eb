"""The real vLLM server with the real 135M model: one contract for both backends, and what servers go through.

Run by ``make test-vllm``. A start takes most of a minute on a CPU, so servers are shared.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from conftest import rows

from askew.agent.config import Serving
from askew.agent.hypothesise import chain_grammar, read_chain
from askew.agent.journal import EVENTS, read_events
from askew.agent.models.base import Completion, LanguageModel, SamplingRequest
from askew.agent.models.local import LocalModel
from askew.agent.models.pull import model_folder
from askew.agent.models.server import LOG, OwnServer
from askew.agent.models.vllm import VllmModel, served_student
from askew.errors import ModelError
from askew.evals import throughput
from askew.prompts.loader import load_prompt

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1200)]

NAME = "smollm2-135m"
PER_TOKEN = 0.35
"""Nats by which two backends in bfloat16 may differ on one token: their sums run in another order. In one process
bfloat16 is up to 0.16 from its own float32, so each side may be that far off."""
OPTIONS = ("negative", "positive")
EXACT = 0.01
"""The same in float32, where rounding doesn't hide whose weights answer: a published student is told from the first.
Nor does it decide between two words there: only in float32 have both to say the same."""
TEXTS = ("A dull, lifeless film.", "Lovely and warm from the first scene to the last!", "It tries hard. It fails.")
PROMPTS = tuple(
    load_prompt("chain").render(
        noun="review", question="Is this review positive or negative?", choices=", ".join(OPTIONS), text=text, shown=""
    )
    for text in TEXTS
)
SCORED = tuple(f'Review: "{text}" The sentiment of this review is' for text in TEXTS)
CONTINUED = [[" negative", " positive", " somewhat good, in parts"]] * len(SCORED)


def askew(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from askew.agent.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def folder() -> Path:
    return model_folder(NAME)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server as ``askew serve`` starts and stops it."""
    place = tmp_path_factory.mktemp("serve")
    started = askew("serve", NAME, "--background", "--out", str(place), "--max-length", "2048")
    assert started.returncode == 0, started.stderr
    assert f"--vllm-server {place}" in started.stdout
    again = askew("serve", NAME, "--background", "--out", str(place))
    assert again.returncode == 2 and "has a server already" in again.stderr
    vllm = [process for process in psutil.process_iter() if is_vllm(process, place)]
    yield place
    stopped = askew("serve", NAME, "--stop", "--out", str(place))
    assert stopped.returncode == 0, stopped.stderr
    assert not psutil.wait_procs(vllm, timeout=10)[1]


def is_vllm(process: psutil.Process, place: Path) -> bool:
    """Whether a process writes to the log of the server in ``place``."""
    try:
        return Path(f"/proc/{process.pid}/fd/1").resolve() == (place / LOG).resolve()
    except OSError:
        return False


@pytest.fixture(scope="session")
def models(served: Path, folder: Path) -> dict[str, LanguageModel]:
    return {
        "local": LocalModel(NAME, folder),
        "vllm": served_student(NAME, folder, Serving(server=str(served)), served),
    }


@pytest.fixture(params=["local", "vllm"])
def model(request: pytest.FixtureRequest, models: dict[str, LanguageModel]) -> LanguageModel:
    return models[request.param]


# -- one contract, two backends ------------------------------------------------------------------------


def test_samples_follow_the_grammar(model: LanguageModel) -> None:
    request = SamplingRequest(PROMPTS, n=4, max_tokens=72, top_p=0.95, grammar=chain_grammar(OPTIONS))
    completions = model.sample(request)
    assert [len(several) for several in completions] == [4, 4, 4]
    whole = [one for several in completions for one in several if one.finished]
    assert len(whole) >= 6
    assert all(read_chain(one, "c", OPTIONS, "chain", "sha").malformed is None for one in whole)
    assert len({one.text for one in whole}) > 1, "samples vary"


def test_what_a_completion_says_about_itself(model: LanguageModel) -> None:
    def sampled(**changes: Any) -> list[Completion]:
        return model.sample(SamplingRequest(("One, two, three, four,",), **{"temperature": 0.0, **changes}))[0]

    (cut,) = sampled(max_tokens=5)
    assert not cut.finished and cut.tokens == 5 and cut.model_version == model.version == f"{NAME}@0"
    (stopped,) = sampled(max_tokens=40, stop=(" seven",))
    assert stopped.finished and stopped.text.endswith(" six,")


def test_log_probabilities_of_the_same_weights_agree(models: dict[str, LanguageModel]) -> None:
    assert apart(models["local"], models["vllm"]) <= PER_TOKEN


def test_features_are_the_same_numbers(models: dict[str, LanguageModel]) -> None:
    local, vllm = models["local"], models["vllm"]
    assert local.fingerprint == vllm.fingerprint
    ours, theirs = (one.features(TEXTS) for one in (local, vllm))
    assert np.array_equal(ours, theirs)
    assert np.array_equal(local.read_out(ours, OPTIONS), vllm.read_out(theirs, OPTIONS))


def test_what_the_server_can_not_do_is_said(models: dict[str, LanguageModel]) -> None:
    vllm = models["vllm"]
    with pytest.raises(ModelError, match=r"too long.*max_length"):
        vllm.sample(SamplingRequest(("word " * 3000,)))
    with pytest.raises(ModelError, match="can't follow the grammar"):
        vllm.sample(SamplingRequest(("a",), grammar="start: nothing_like_that"))


def test_a_whole_run_on_a_server_that_runs_already(
    served: Path, cases_file: Callable[..., Path], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"""
task = {str(cases_file(rows()))!r}
supervisor = "column:loud-lover"
budget = 8
rounds = 1
chains_first = 12
chains = 12
written_first = 16
written = 4
[vllm]
server = {str(served)!r}
""")
    run = askew("run", str(config), "--backend", "vllm", "--with", "", "--out", str(tmp_path / "run"))
    assert run.returncode == 0, run.stderr
    chains = [event.data for event in read_events(tmp_path / "run") if event.kind == "chain"]
    assert len(chains) == 12 and {chain["model_version"] for chain in chains} == {f"{NAME}@0"}
    key = json.loads((served / "server.json").read_text())["key"]
    assert key not in (tmp_path / "run" / EVENTS).read_text() + (tmp_path / "run" / "config.json").read_text()
    assert key not in (served / LOG).read_text()


# -- a server of our own ---------------------------------------------------------------------------------


def test_kill_9_in_a_round_then_a_student_that_is_published(folder: Path, tmp_path: Path, adapter: Path) -> None:
    model = served_student(NAME, folder, Serving(concurrency=8, cache_gb=1, dtype="float32"), tmp_path)
    read: list[Any] = []
    honest = model._completions
    model._completions = lambda answer, n: read.append(answer) or honest(answer, n)  # type: ignore[method-assign, func-returns-value]
    assert isinstance(model.server, OwnServer)
    try:
        model.sample(SamplingRequest(("Warm up.",), max_tokens=2))
        read.clear()
        victims = processes_of(model.server)

        def kill() -> None:
            while len(read) < 4:
                time.sleep(0.02)
            for process in victims[1:]:  # the keeper lives: it is vLLM that dies
                os.kill(process.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        prompts = tuple(f"Number {index}:" for index in range(32))
        completions = model.sample(SamplingRequest(prompts, n=2, max_tokens=24, temperature=1.0))
        killer.join()
        assert [len(several) for several in completions] == [2] * 32
        assert all(one.tokens for several in completions for one in several)
        assert len(read) == 32, "what was answered before the server died is not asked again"
        assert not psutil.wait_procs(victims, timeout=10)[1] and model.server.alive()

        local = LocalModel(NAME, folder)
        before = model.option_logprobs(SCORED, CONTINUED)
        start = time.monotonic()
        assert model.publish(adapter) == local.publish(adapter) == f"{NAME}@1"
        assert model.sample(SamplingRequest(PROMPTS, max_tokens=4))[0][0].model_version == f"{NAME}@1"
        print(f"publish to first answer: {time.monotonic() - start:.0f} s")
        local.speaker.float()
        assert apart(local, model) <= EXACT
        assert said_by(local) == said_by(model)
        assert np.abs(model.option_logprobs(SCORED, CONTINUED) - before).max() > 10 * EXACT
    finally:
        victims = processes_of(model.server)
        model.close()
    assert not psutil.wait_procs(victims, timeout=10)[1]


def said_by(model: LanguageModel) -> list[str]:
    """Greedy continuations, one request each."""
    request = SamplingRequest(("The weather is", "A review:", "The answer to"), max_tokens=16, temperature=0.0)
    return [completion.text for (completion,) in model.sample(request)]


def test_adapters_are_swapped_without_a_restart_and_without_growth(folder: Path, tmp_path: Path, adapter: Path) -> None:
    model = served_student(
        NAME, folder, Serving(publish="swap", cache_gb=1, max_lora_rank=8, dtype="float32"), tmp_path
    )
    assert isinstance(model.server, OwnServer)
    sizes = []
    try:
        first = said_by(model)
        before = processes_of(model.server)
        for number in range(1, 21):
            assert model.publish(adapter) == f"{NAME}@{number}"
            (answer,) = model.sample(SamplingRequest(("a",), max_tokens=2))
            assert answer[0].model_version == f"{NAME}@{number}"
            sizes.append(sum(process.memory_info().rss for process in before))
        assert {process.pid for process in processes_of(model.server)} == {process.pid for process in before}
        # What it says has changed with the adapter, and is what it was when the first student is back. Scores
        # of options end vLLM's CPU engine while an adapter isn't merged; on a CPU they are merged unless one insists.
        swapped = said_by(model)
        model.withdraw()
        assert model.version == f"{NAME}@0"
        assert first == said_by(model) != swapped
    finally:
        model.close()
    print("MB after publishes 1, 5, 10, 20:", *(sizes[index] // 10**6 for index in (0, 4, 9, 19)))
    assert sizes[19] < 1.03 * sizes[4]


@pytest.mark.parametrize("kind", [LocalModel, VllmModel])
def test_publishing_again_and_again_takes_no_more_memory_here(
    kind: type[LanguageModel], folder: Path, tmp_path: Path, adapter: Path
) -> None:
    local = kind is LocalModel
    model: Any = LocalModel(NAME, folder) if local else served_student(NAME, folder, Serving(), tmp_path)
    sizes = []
    for _ in range(20):
        model.publish(adapter)
        sizes.append(psutil.Process().memory_info().rss)
    model.close()
    assert sizes[19] < 1.1 * max(sizes[2:8])


def test_what_can_not_be_published(folder: Path, tmp_path: Path) -> None:
    for model in (LocalModel(NAME, folder), served_student(NAME, folder, Serving(), tmp_path)):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(ModelError, match="can't be published"):
            model.publish(tmp_path / "empty")
        assert model.version == f"{NAME}@0"
        model.close()


def test_the_agent_is_measured_against_the_offline_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "CHAINS", 6)
    monkeypatch.setattr(throughput, "WRITTEN", 8)
    measured = throughput.measure(Serving(cache_gb=1), ("offline", "local", "generate"), lambda _: None)
    agent, offline, *_ = measured["rows"]
    assert [row["what"] for row in measured["rows"]] == ["agent", "offline", "local", "generate"]
    assert all(tokens > 0 for row in measured["rows"] for tokens in row["tokens"])
    assert offline["ratio"] == f"{agent['rate'] / offline['rate']:.2f}x"


@pytest.fixture(scope="session")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter that changes what the model says."""
    import warnings

    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    place = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        config = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM")
        student = get_peft_model(network, config)
        for name, weight in student.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.02)
        student.save_pretrained(place)
    return place


def apart(local: LanguageModel, vllm: LanguageModel) -> float:
    """Largest difference of the two, per token of an option."""
    tokens_K = np.array([len(vllm.tokens(option)) for option in CONTINUED[0]])  # type: ignore[attr-defined]
    ours, theirs = (model.option_logprobs(SCORED, CONTINUED) for model in (local, vllm))
    return float((np.abs(ours - theirs) / tokens_K).max())


def processes_of(server: OwnServer) -> list[psutil.Process]:
    """The keeper, then everything that runs under it."""
    assert server._keeper is not None
    keeper = psutil.Process(server._keeper.pid)
    return [keeper, *keeper.children(recursive=True)]
