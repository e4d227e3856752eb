"""vLLM's OpenAI-compatible server for the student: one of our own, or one that runs already.

Our own runs on loopback under :mod:`askew.agent.models.keeper`, on a free port, with a key that is made for it and
handed over in its environment (never on a command line or in a log). It is started when it is first needed, and
again when it has died; what it writes goes to ``server.log``.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from askew.agent.config import Serving
from askew.agent.models import keeper
from askew.agent.models.engine import CPU_BLOCK, Engine, environment
from askew.agent.secret import secret
from askew.errors import InputError, ModelError
from askew.progress import progress

KEY = "ASKEW_VLLM_KEY"
STATE = "server.json"
"""Where a server that is to be found by others says how."""
LOG = "server.log"
MILESTONES = (
    "Resolved architecture",
    "Initializing a V1",
    "Starting to load model",
    "init engine",
    "Starting vLLM server",
)
"""What the log says on the way to a server that is ready."""
STARTS = 3
"""Attempts at a start whose free port was taken by somebody else in between."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server answers, and with which key."""

    url: str
    key: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """What goes with each request."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


class Server(Protocol):
    """What answers for the student."""

    def address(self) -> Address:
        """Where it answers, once it does; starts what isn't running. Raises ``ModelError``."""
        ...

    def give_up(self) -> bool:
        """It doesn't answer any more: end it, if it is ours. Whether :meth:`address` will start another."""
        ...

    def close(self) -> None:
        """End it, if it is ours. Safe to call twice."""
        ...


class ForeignServer:
    """A server that somebody else runs; its key is in the environment variable ``ASKEW_VLLM_KEY``."""

    def __init__(self, url: str, key: str | None = None) -> None:
        url = url.rstrip("/").removesuffix("/v1")
        self._address = Address(url, (secret(KEY) or "") if key is None else key)

    def address(self) -> Address:
        """Where it is said to be."""
        return self._address

    def give_up(self) -> bool:
        """It isn't ours to restart."""
        return False

    def close(self) -> None:
        """It isn't ours to end."""


class OwnServer:
    """A server of our own for the weights in ``folder``, which it calls ``served``."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        served: str,
        options: Serving,
        logs: Path,
        port: int = 0,
        swaps: bool = False,
    ) -> None:
        self.engine, self.options, self.logs = engine, options, logs
        self.folder, self.served, self._port, self.swaps = folder, served, port, swaps
        self._keeper: subprocess.Popen[bytes] | None = None
        self._address = Address("", secrets.token_urlsafe(32))
        self._ready = self._over = False
        self._log_start = 0

    def address(self) -> Address:
        """Where it answers; raises ``ModelError`` when it can't be started, or was closed."""
        if self._over:
            raise ModelError("this vLLM server was closed: nothing is asked of it any more.")
        if not self.alive():
            self.launch()
        if not self._ready:
            self._wait()
        return self._address

    def serve(self, folder: Path, served: str, soon: bool = True) -> None:
        """Serve other weights, under another name: at once if it runs and ``soon``, else when it is asked."""
        runs = self.alive()
        self._end()
        self.folder, self.served = folder, served
        if runs and soon:
            self.launch()

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._keeper is not None and self._keeper.poll() is None

    def give_up(self) -> bool:
        """End what is left of it, so that :meth:`address` starts another."""
        self._end()
        return not self._over

    def close(self) -> None:
        """End it and everything it started, for good: work that still goes on in a thread starts no other."""
        self._over = True
        self._end()

    def _end(self) -> None:
        held, self._keeper, self._ready = self._keeper, None, False
        if held is None:
            return
        assert held.stdin is not None
        held.stdin.close()
        try:
            held.wait(keeper.GRACE + 10.0)
        except subprocess.TimeoutExpired:
            held.kill()
            held.wait()

    def launch(self) -> None:
        """Start its process without waiting for it; what is left of the last one is ended first."""
        self._end()
        if self._port:
            _check_port(self._port)
        port = self._port or free_port()
        self._address = Address(f"http://127.0.0.1:{port}", self._address.key)
        self.logs.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-I", "-S", keeper.__file__, *server_command(self, port)]
        with (self.logs / LOG).open("ab") as log:
            self._log_start = log.tell()
            self._keeper = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                env=environment(self.engine, self.options, self._address.key, self.swaps),
            )  # fmt: skip

    def _wait(self) -> None:
        """Until it answers for the right model; milestones of its log are the progress."""
        deadline = time.monotonic() + self.options.start_timeout
        starts, reached = 1, 0
        with progress(f"vLLM loads {self.served}", len(MILESTONES) + 1) as advance:
            while not self._answers():
                if not self.alive():
                    if port_was_taken(self.log_tail()) and not self._port and starts < STARTS:
                        starts += 1
                        self.launch()
                        continue
                    self._end()
                    raise start_error(self.log_tail(), self.logs / LOG)
                if time.monotonic() > deadline:
                    self._end()
                    raise ModelError(
                        f"vLLM was not ready within {self.options.start_timeout:.0f} s. It was ended; its log is "
                        f"{self.logs / LOG}. Raise start_timeout under [vllm] if the model is that large."
                    )
                seen = sum(text in self.log_tail() for text in MILESTONES)
                advance(max(0, seen - reached))
                reached = max(seen, reached)
                time.sleep(0.25)
            advance(len(MILESTONES) + 1 - reached)
        self._ready = True

    def _answers(self) -> bool:
        """Whether it is up, is ours, and has the weights that are wanted."""
        try:
            # trust_env: a proxy is for the outside world, and is not told the key.
            url, headers = f"{self._address.url}/v1/models", self._address.headers()
            answer = httpx.get(url, headers=headers, timeout=5.0, trust_env=False)
            return answer.status_code == 200 and self.served in {model["id"] for model in answer.json()["data"]}
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False

    def log_tail(self) -> str:
        """What it wrote since it was started, the last part of it."""
        with (self.logs / LOG).open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - 60_000))
            return log.read().decode("utf-8", errors="replace")


def server_command(server: OwnServer, port: int) -> list[str]:
    """The command line of a server. The key isn't on it: anybody on the machine can read command lines."""
    options, engine = server.options, server.engine
    command = [
        str(engine.python), "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(server.folder), "--served-model-name", server.served,
        "--host", "127.0.0.1", "--port", str(port),
        "--tensor-parallel-size", str(options.tensor_parallel), "--data-parallel-size", str(options.data_parallel),
        "--dtype", options.dtype, "--generation-config", "vllm",
        "--structured-outputs-config", json.dumps({"backend": "guidance"}),
        "--enable-prefix-caching" if options.prefix_cache else "--no-enable-prefix-caching",
    ]  # fmt: skip
    if engine.on_cpu:
        # The CPU build's own 128 tokens a block leave most of what prompts share uncached.
        command += ["--block-size", str(CPU_BLOCK)]
    else:
        command += ["--gpu-memory-utilization", str(options.memory_fraction)]
    if options.eager or (options.eager is None and engine.on_cpu):
        command.append("--enforce-eager")
    if options.quantisation:
        command += ["--quantization", options.quantisation]
    if options.max_length:
        command += ["--max-model-len", str(options.max_length)]
    if server.swaps:
        # Places for a reasoner, a student, and the next student, which is loaded before the last one is unloaded.
        command += ["--enable-lora", "--max-loras", "3", "--max-lora-rank", str(options.max_lora_rank)]
    return command


def known_server(given: str) -> ForeignServer:
    """The server at an address, or the one that ``askew serve`` runs in a folder."""
    if given.startswith(("http://", "https://")):
        return ForeignServer(_usable(given))
    try:
        state = json.loads((Path(given) / STATE).read_text(encoding="utf-8"))
        return ForeignServer(state["url"], state["key"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"no vLLM server at {given!r}: expected http://HOST:PORT, or the folder of a running 'askew serve'."
        ) from None


def _usable(given: str) -> str:
    try:
        parts = urlsplit(given)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"no usable address of a vLLM server: expected http://HOST:PORT, its key in {KEY}.")
    return given


def write_state(path: Path, address: Address, pid: int) -> None:
    """How others find a server, for nobody's eyes but the user's; ``pid`` is the process that keeps it."""
    import psutil

    state = {"url": address.url, "key": address.key, "pid": pid, "since": psutil.Process(pid).create_time()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(state, file)


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ModelError(f"can't listen on 127.0.0.1:{port}: {error.strerror}. Choose another --port.") from error


def port_was_taken(log: str) -> bool:
    """Whether a server says that it couldn't listen."""
    return "address already in use" in log.lower()


def start_error(log: str, path: Path) -> ModelError:
    """What a server that ended before it was ready died of, and how to mend it."""
    lowered = log.lower()
    if port_was_taken(log):
        return ModelError(f"vLLM's port was taken by another process. Try again, or choose another --port. Log: {path}")
    memory = ("out of memory", "outofmemory", "cannot allocate memory", "no available memory", "memory on device",
              "can't allocate memory", "kv cache is needed", "larger than the available kv cache")  # fmt: skip
    if any(text in lowered for text in memory):
        mend = "Lower max_length or memory_fraction, quantise, or spread it over more devices (tensor_parallel)."
        return ModelError(f"vLLM ran out of memory at start: {_cause(log)} {mend} Log: {path}")
    return ModelError(f"vLLM ended before it was ready: {_cause(log)} Its log is {path}.")


def _cause(log: str) -> str:
    """The line of a log that says most about why it ends there."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if "Error: " in line and "Engine core initialization failed" not in line]
    line = (telling or lines or ["it wrote nothing."])[-1]
    return line[line.find(") ") + 2 if line.startswith("(") else 0 :][:400]
