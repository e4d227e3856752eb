"""What goes wrong at a vLLM server: a scripted one over real HTTP, and processes that die."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from askew.agent.config import Serving
from askew.agent.models import server as serving
from askew.agent.models import wire
from askew.agent.models.base import SamplingRequest
from askew.agent.models.engine import Engine, environment
from askew.agent.models.server import Address, ForeignServer, OwnServer, known_server, start_error, write_state
from askew.agent.models.vllm import VllmModel, served_reasoner, served_student
from askew.errors import InputError, ModelError

Reply = tuple[int, Any, dict[str, str]]
KEY = "the-right-key"
EMPTY = {"index": 0, "text": "", "token_ids": [], "finish_reason": "stop"}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(wire, "LONGEST_WAIT", 0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a tokenizer of words and weights that nobody loads."""
    import numpy as np

    place = tmp_path / "tiny"
    place.mkdir()
    words = {"<end>": 0, **{word: index for index, word in enumerate(["a", "b", "c", "d", "e", "f", "g"], start=1)}}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<end>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(place / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<end>"}
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    save_file({"weight": np.zeros(2, dtype=np.float32)}, place / "model.safetensors")
    return place


class Script:
    """A server with vLLM's manners: what it serves, and how it answers the i-th completion request."""

    def __init__(self) -> None:
        self.models = ["tiny"]
        self.faults: list[Reply | str] = []
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.busy = self.most = 0
        self.gate = threading.Event()
        self.lock = threading.Lock()

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Reply | str:
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"error": "Unauthorized"}, {}
        if path == "/v1/models":
            return 200, {"data": [{"id": name, "parent": "tiny" if "@" in name else None} for name in self.models]}, {}
        if path == "/v1/load_lora_adapter":
            self.models.append(body["lora_name"])
            return 200, "Success: loaded", {}
        if path == "/v1/unload_lora_adapter":
            self.models.remove(body["lora_name"])
            return 200, "Success: removed", {}
        with self.lock:
            self.bodies.append(body)
            self.busy += 1
            self.most = max(self.most, self.busy)
            fault = self.faults.pop(0) if self.faults else None
        time.sleep(0.02)
        with self.lock:
            self.busy -= 1
        return fault or (200, completion(body), {})


def completion(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What vLLM answers: the prompt's tokens as text, so that a test sees which prompt was answered."""
    text = "-".join(map(str, body["prompt"]))
    choices = [
        {"index": index, "text": f"{text}#{index}", "token_ids": [1, 2], "finish_reason": "stop",
         "prompt_logprobs": [None, *({str(token): {"logprob": -float(token)}} for token in body["prompt"][1:])]}
        for index in range(body.get("n", 1))
    ]  # fmt: skip
    return {"model": body["model"], "choices": choices[::-1], **changes}


@contextmanager
def scripted(script: Script) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            script.paths.append(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            reply = script.answer(self.path, body, {name.lower(): value for name, value in self.headers.items()})
            if isinstance(reply, str):
                if reply == "hang":
                    script.gate.wait(10)
                self.close_connection = True
                return
            status, data, headers = reply
            content = data if isinstance(data, bytes) else json.dumps(data).encode()
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                return  # the client has given up

        def log_message(self, *_: object) -> None:
            """Quiet."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that gives up is no news
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_address[1]}"
    finally:
        script.gate.set()
        served.shutdown()
        served.server_close()
        thread.join()


def student(folder: Path, url: str, key: str = KEY, **options: Any) -> VllmModel:
    return VllmModel("tiny", folder, ForeignServer(url, key), Serving(**options), swaps=True)


ASKED = SamplingRequest(("c b", "a b", "a a"), n=2, max_tokens=5)


def texts(model: VllmModel, request: SamplingRequest = ASKED) -> list[list[str]]:
    return [[one.text for one in several] for several in model.sample(request)]


EXPECTED = [["3-2#0", "3-2#1"], ["1-2#0", "1-2#1"], ["1-1#0", "1-1#1"]]


# -- what is sent ------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_prompts_and_requests_leave_by_their_beginnings(folder: Path) -> None:
    script = Script()
    with scripted(script) as url:
        model = student(folder, url, concurrency=2)
        assert texts(model) == EXPECTED
        assert model.sample(ASKED)[0][0].model_version == "tiny@0"
        scores = model.option_logprobs(["a b", "c"], [["d", "e f"], ["g", "a"]])
    assert [body["prompt"] for body in script.bodies[:3]] == [[1, 1], [1, 2], [3, 2]]
    assert script.bodies[0]["n"] == 2 and "seed" not in script.bodies[0]
    assert scores.tolist() == [[-4.0, -11.0], [-7.0, -1.0]]


def test_no_more_sequences_are_under_way_than_allowed(folder: Path) -> None:
    script = Script()
    request = SamplingRequest(tuple(f"a {letter}" for letter in "abcdefg" * 4), n=2)
    with scripted(script) as url:
        student(folder, url, concurrency=6).sample(request)
    assert 2 <= script.most <= 3


def test_seeds_differ_by_prompt_and_repeat_by_request(folder: Path) -> None:
    script = Script()
    with scripted(script) as url:
        model = VllmModel("tiny", folder, ForeignServer(url, KEY), Serving(concurrency=1), seeds=True)
        model.sample(ASKED)
        model.sample(ASKED)
    seeds = [body["seed"] for body in script.bodies]
    assert seeds[:3] == seeds[3:] and len(set(seeds)) == 3


# -- what is tried again -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        (429, {"error": {"message": "slow down"}}, {"Retry-After": "0"}),
        (500, {"error": {"message": "EngineCore encountered an issue"}}, {}),
        (503, b"", {}),
        (200, b"<html>", {}),
        (200, {"model": "tiny", "choices": []}, {}),
        (200, {"model": "tiny@7", "choices": []}, {}),
        (200, {"model": "tiny", "choices": [EMPTY, EMPTY]}, {}),
        (200, {"model": "tiny", "choices": [{**EMPTY, "token_ids": [1], "finish_reason": "abort"}] * 2}, {}),
        "drop",
    ],
)  # fmt: skip
def test_a_failure_that_passes_costs_only_the_request(folder: Path, fault: Reply | str) -> None:
    script = Script()
    script.faults = [fault]
    with scripted(script) as url:
        assert texts(student(folder, url)) == EXPECTED
    assert len(script.bodies) <= 6
    prompts = [tuple(body["prompt"]) for body in script.bodies]
    assert max(prompts.count(prompt) for prompt in set(prompts)) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((500, {"error": {"message": "out of luck"}}, {}), "failed 5 times: status 500: out of luck.*askew resume"),
        ((429, {"error": "busy"}, {"Retry-After": "9999"}), "failed 5 times: status 429: busy"),
        ((200, {"model": "other", "choices": []}, {}), "'other' answered and 'tiny' was asked"),
        ((200, {"model": "tiny", "choices": []}, {}), "0 continuations, expected 2"),
        ("drop", "went away 4 times"),
    ],
)  # fmt: skip
def test_a_failure_that_stays_is_an_error(folder: Path, fault: Reply | str, message: str) -> None:
    script = Script()
    script.faults = [fault] * 100
    with scripted(script) as url, pytest.raises(ModelError, match=message):
        student(folder, url).sample(ASKED)
    assert len(script.bodies) <= 20


def test_a_server_that_hangs_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import askew.agent.models.vllm as client

    monkeypatch.setattr(client, "REVIVALS", 2)
    script = Script()
    script.faults = ["hang"] * 100
    with scripted(script) as url, pytest.raises(ModelError, match=r"no answer within 0.2 s \(ReadTimeout\)"):
        student(folder, url, timeout=0.2).sample(ASKED)


# -- what is not tried again -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((400, {"error": {"message": "This model's maximum context length is 8 tokens."}}, {}), "too long.*max_length"),
        ((400, {"error": {"message": "Grammar error: unknown name"}}, {}), "can't follow the grammar"),
        ((404, {"error": {"message": "The model does not exist."}}, {}), "has no model 'tiny'"),
        ((400, {"error": {"message": "n must be at least 1"}}, {}), "refused a request with status 400: n must be"),
        ((403, {}, {}), "refused the key: set ASKEW_VLLM_KEY"),
        ((301, b"", {"Location": "http://127.0.0.1:1/"}), "status 301"),
    ],
)
def test_a_refusal_is_told_at_once(folder: Path, fault: Reply, message: str) -> None:
    script = Script()
    script.faults = [fault] * 100
    with scripted(script) as url, pytest.raises(ModelError, match=message):
        student(folder, url, concurrency=1).sample(SamplingRequest(("a b",)))
    assert len(script.bodies) == 1


def test_wrong_key_missing_model_and_nobody_there(folder: Path) -> None:
    script = Script()
    with scripted(script) as url:
        with pytest.raises(ModelError, match="refused the key") as caught:
            student(folder, url, key="guess").sample(ASKED)
        assert "guess" not in str(caught.value)
        script.models = ["one", "two"]
        with pytest.raises(ModelError, match="has no model 'tiny': it serves one, two"):
            student(folder, url).sample(ASKED)
    with pytest.raises(ModelError, match="went away 4 times: ConnectError"):
        student(folder, url).sample(ASKED)


# -- publishing --------------------------------------------------------------------------------------


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    place = tmp_path / "adapter"
    place.mkdir()
    (place / "adapter_config.json").write_text("{}")
    return place


def test_students_are_swapped_and_a_server_that_forgot_one_is_given_it_again(folder: Path, adapter: Path) -> None:
    script = Script()
    with scripted(script) as url:
        model = student(folder, url)
        assert model.sample(ASKED)[0][0].model_version == "tiny@0"
        assert model.publish(adapter) == "tiny@1"
        (_, first) = script.models
        assert first.startswith("tiny@1-")
        assert model.sample(ASKED)[0][0].model_version == "tiny@1" and script.bodies[-1]["model"] == first
        model.publish(adapter)
        (_, second) = script.models  # the last student is unloaded
        assert second.startswith("tiny@2-")
        script.models = ["tiny"]  # as after a restart
        assert model.sample(ASKED)[0][0].model_version == "tiny@2" and script.bodies[-1]["model"] == second
        with pytest.raises(ModelError, match="not ours to restart"):
            model.publish(folder)
        model.withdraw()
        assert script.models == ["tiny"] and model.sample(ASKED)[0][0].model_version == "tiny@0"
        assert model.publish(adapter) == "tiny@1"


def test_runs_at_one_server_never_hear_each_other_s_students(folder: Path, adapter: Path) -> None:
    script = Script()
    with scripted(script) as url:
        one, other = student(folder, url), student(folder, url)
        for model in (one, other):
            assert model.publish(adapter) == "tiny@1"
        for model in (one, other):
            assert model.sample(ASKED)[0][0].model_version == "tiny@1"
        assert len({body["model"] for body in script.bodies}) == 2
        one.close()
        assert other.sample(ASKED)[0][0].model_version == "tiny@1"
        other.close()
        assert script.models == ["tiny"], "nothing is left behind"


def test_what_is_said_on_loopback_goes_past_any_proxy() -> None:
    for url in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "http://127.1.2.3"):
        assert wire.is_loopback(url)
    for url in (
        "http://10.0.0.5:8000",
        "https://example.org",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
    ):
        assert not wire.is_loopback(url)


def test_a_reasoner_is_an_adapter_of_the_same_server_or_has_one_of_its_own(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    script = Script()
    with scripted(script) as url:
        first = student(folder, url)
        reasoner = served_reasoner(first, "tiny+warm-up", folder, adapter, tmp_path)
        assert reasoner is not None
        assert reasoner.sample(ASKED)[0][0].model_version == "tiny+warm-up@0"
        assert first.sample(ASKED)[0][0].model_version == "tiny@0"
        (_, name) = script.models
        assert name.startswith("tiny+warm-up@0-")
        assert [body["model"] for body in script.bodies] == [name] * 3 + ["tiny"] * 3
    plain = VllmModel("tiny", folder, ForeignServer(url, KEY), Serving())
    assert served_reasoner(plain, "tiny+warm-up", folder, adapter, tmp_path) is None
    own_one = VllmModel("tiny", folder, own(tmp_path, folder), Serving(), served="tiny@0")
    with closing(own_one):
        apart = served_reasoner(own_one, "tiny+warm-up", folder, adapter, tmp_path / "reasoner")
        assert apart is not None and apart.server is not own_one.server
        with closing(apart):
            assert apart.sample(SamplingRequest(("a",)))[0][0].model_version == "tiny+warm-up@0"


# -- processes ---------------------------------------------------------------------------------------

FAKE = """
import http.server, json, os, subprocess, sys, time
port, name = int(sys.argv[sys.argv.index("--port") + 1]), sys.argv[sys.argv.index("--served-model-name") + 1]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("Resolved architecture", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.reply({"data": [{"id": name}]})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if os.path.exists("DIE"):
            os.unlink("DIE"); os._exit(9)
        choice = {"text": str(body["prompt"]), "token_ids": [1], "finish_reason": "stop"}
        self.reply({"model": name, "choices": [{**choice, "index": i} for i in range(body["n"])]})
    def reply(self, data):
        good = self.headers["Authorization"] == "Bearer " + os.environ["VLLM_API_KEY"]
        content = json.dumps(data).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def fake(tmp_path: Path, code: str) -> Engine:
    """An interpreter that runs ``code`` for whatever module it is asked to run."""
    python = tmp_path / "python"
    (tmp_path / "fake.py").write_text(code.replace('"DIE"', repr(str(tmp_path / "DIE"))))
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S {tmp_path / "fake.py"} "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return Engine(python, "0", on_cpu=True)


def dies(words: str) -> str:
    return f"print({words!r}); raise SystemExit(1)"


def own(tmp_path: Path, folder: Path, code: str = FAKE, **options: Any) -> OwnServer:
    return OwnServer(fake(tmp_path, code), folder, "tiny@0", Serving(**options), tmp_path / "logs")


def family(server: OwnServer) -> list[psutil.Process]:
    assert server._keeper is not None
    keeper = psutil.Process(server._keeper.pid)
    return [keeper, *keeper.children(recursive=True)]


def gone(processes: list[psutil.Process], within: float = 10.0) -> bool:
    return not psutil.wait_procs(processes, timeout=within)[1]


def test_a_server_is_started_once_and_ended_with_everything_it_started(tmp_path: Path, folder: Path) -> None:
    server = own(tmp_path, folder)
    address = server.address()
    assert server.address() is address and address.url.startswith("http://127.0.0.1:")
    processes = family(server)
    assert len(processes) == 3
    assert not any(address.key in " ".join(process.cmdline()) for process in processes)
    assert address.key not in (tmp_path / "logs" / "server.log").read_text() and address.key not in repr(address)
    server.close()
    server.close()
    assert gone(processes)
    # Work that still goes on in a thread starts no other.
    assert not server.give_up()
    with pytest.raises(ModelError, match="was closed"):
        server.address()
    assert not server.alive()


def test_a_server_that_dies_costs_only_what_it_had_not_answered(tmp_path: Path, folder: Path) -> None:
    server = own(tmp_path, folder, concurrency=1)
    model = VllmModel("tiny", folder, server, server.options, served="tiny@0")
    assert len(model.sample(SamplingRequest(("a",)))) == 1
    first = family(server)
    (tmp_path / "DIE").touch()
    request = SamplingRequest(tuple("abcdefg"), n=2)
    assert [several[1].text for several in model.sample(request)] == [f"[{index}]" for index in range(1, 8)]
    assert gone(first) and server.alive()
    model.close()
    assert not server.alive()


def test_no_server_outlives_the_process_that_started_it(tmp_path: Path, folder: Path) -> None:
    fake(tmp_path, FAKE)
    starts = f"""
import time
from pathlib import Path
from askew.agent.config import Serving
from askew.agent.models.engine import Engine
from askew.agent.models.server import OwnServer
place = Path({str(tmp_path)!r})
server = OwnServer(Engine(place / "python", "0", True), place / "tiny", "tiny@0", Serving(), place / "logs")
server.address()
print(server._keeper.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        keeper = psutil.Process(int(run.stdout.readline()))
        processes = [keeper, *keeper.children(recursive=True)]
        assert len(processes) == 3
        run.kill()
    assert gone(processes)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (dies("ValueError: Free memory on device is less than desired"), "out of memory.*Lower"),
        (dies("RuntimeError: No available memory for the cache blocks"), "out of memory.*Lower"),
        (dies("OSError: [Errno 98] Address already in use"), "port was taken"),
        (dies("(APIServer pid=1) ValueError: unknown dtype"), "ready: ValueError: unknown dtype"),
        ("import time; time.sleep(60)", "not ready within 1 s"),
    ],
)  # fmt: skip
def test_a_server_that_can_not_start_says_why(tmp_path: Path, folder: Path, code: str, message: str) -> None:
    server = own(tmp_path, folder, code, start_timeout=1 if "sleep" in code else 60)
    with pytest.raises(ModelError, match=message):
        server.address()
    assert not server.alive()


def test_a_given_port_that_is_taken(tmp_path: Path, folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = OwnServer(fake(tmp_path, FAKE), folder, "tiny@0", Serving(), tmp_path / "logs", port)
        with pytest.raises(ModelError, match=f"127.0.0.1:{port}.*Choose another --port"):
            server.address()


def test_somebody_else_on_the_port_is_not_taken_for_ours(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script()
    script.models = ["tiny@0"]
    with scripted(script) as url:
        monkeypatch.setattr(serving, "free_port", lambda: int(url.rpartition(":")[2]))
        server = own(tmp_path, folder, start_timeout=20)
        with pytest.raises(ModelError, match="port was taken"):
            server.address()


# -- finding one -------------------------------------------------------------------------------------


def test_a_served_folder_is_known_by_its_private_state(tmp_path: Path) -> None:
    path = tmp_path / serving.STATE
    write_state(path, Address("http://127.0.0.1:7", "k"), os.getpid())
    assert path.stat().st_mode & 0o077 == 0
    assert known_server(str(tmp_path)).address() == Address("http://127.0.0.1:7", "k")
    path.write_text("{")
    with pytest.raises(InputError, match="no vLLM server at"):
        known_server(str(tmp_path))


def test_the_key_of_a_foreign_server_is_in_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(serving.KEY, KEY)
    with scripted(Script()) as url:
        model = served_student("tiny", folder, Serving(server=f"{url}/v1/"), folder)
        assert texts(model) == EXPECTED


def test_secrets_of_others_do_not_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    given = environment(fake(tmp_path, FAKE), Serving(cache_gb=3), "ours")
    assert "theirs" not in given.values() and given["VLLM_API_KEY"] == "ours"
    assert given["VLLM_CPU_KVCACHE_SPACE"] == "3"


def test_options_for_gpus_reach_the_command_line(tmp_path: Path, folder: Path) -> None:
    options = Serving(
        tensor_parallel=4, data_parallel=2, dtype="float16", memory_fraction=0.5, quantisation="fp8", max_length=99
    )
    server = OwnServer(Engine(Path("python"), "0.32.0", False), folder, "tiny@0", options, tmp_path, swaps=True)
    line = " ".join(serving.server_command(server, 1))
    for text in (
        "--tensor-parallel-size 4", "--data-parallel-size 2", "--dtype float16", "--gpu-memory-utilization 0.5",
        "--quantization fp8", "--max-model-len 99", "--enable-lora", "--host 127.0.0.1",
    ):  # fmt: skip
        assert text in line
    assert "--enforce-eager" not in line


def test_an_unknown_death_names_the_log(tmp_path: Path) -> None:
    assert str(tmp_path) in str(start_error("", tmp_path)) and "it wrote nothing" in str(start_error("", tmp_path))
