"""The strong student behind vLLM's server: it writes and scores there, its eyes stay in this process.

The server is one of our own (a GPU, or the CPU build) or somebody else's. Prompts travel as tokens, so both backends
read exactly the same; those with the same beginning travel together, so that the server's prefix cache holds what
they share; n continuations are one request. A server that dies is started again, and only what it hadn't answered is
asked again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from askew.agent.config import Serving
from askew.agent.models import wire
from askew.agent.models.base import Completion, Heard, SamplingRequest, unheard
from askew.agent.models.engine import find_engine
from askew.agent.models.server import Address, OwnServer, Server, known_server
from askew.agent.models.tokens import token_ids
from askew.agent.models.wire import Json, ServerGoneError
from askew.errors import ModelError
from askew.progress import Advance, progress
from askew.seeds import stream_seed

if TYPE_CHECKING:
    from askew.agent.models.local import LocalModel

REVIVALS = 4
"""How often a server may go away in one call before the call fails."""
ENDED = {"stop", "length"}
"""How a continuation may end: any other way (aborted, failed) is no answer."""

T = TypeVar("T")


class VllmModel:
    """A language model that ``server`` answers for. ``folder`` holds the same weights, for the features.

    Args:
        name: what the model is called in records.
        folder: its weights and tokenizer.
        server: where it is served.
        options: how.
        served: what the server calls it; ``None`` for the only model that it has.
        swaps: whether the server takes adapters while it runs.
        seeds: whether it takes a seed with each request.
        adapter: what the server has to be given before it knows ``served``.
    """

    def __init__(
        self, name: str, folder: Path, server: Server, options: Serving, *,
        served: str | None = None, swaps: bool = False, seeds: bool = False, adapter: Path | None = None,
    ) -> None:  # fmt: skip
        from askew.agent.models.local import features_fingerprint

        self.name, self.folder, self.version = name, folder, f"{name}@0"
        self.fingerprint = features_fingerprint(folder)
        self.server, self.options = server, options
        # Of this model alone: other runs may have adapters at the same server, and left some there.
        self._mark = secrets.token_hex(4)
        if adapter is not None:
            served = f"{served}-{self._mark}"
        self._served, self._first, self.swaps, self.seeds = served, served, swaps, seeds
        self._adapter = adapter
        self._published = 0
        self._work: TemporaryDirectory[str] | None = None

    @property
    def answers_aside(self) -> bool:
        """Whether the server has a device to itself: it is not ours, or it is on a GPU."""
        on_cpu = isinstance(self.server, OwnServer) and self.server.engine.on_cpu
        return not on_cpu if self.options.overlap is None else self.options.overlap

    # -- in this process ----------------------------------------------------------------------------

    @cached_property
    def tokenizer(self) -> Any:
        """Text to tokens, as in the server."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder)

    @cached_property
    def _eyes(self) -> LocalModel:
        from askew.agent.models.local import LocalModel

        return LocalModel(self.name, self.folder)

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """features_N_D, computed in this process."""
        return self._eyes.features(texts)

    def readings(self, texts: Sequence[str], endings: Sequence[str]) -> NDArray[np.float32]:
        """features_N_E_D, computed in this process."""
        return self._eyes.readings(texts, endings)

    def text_logprobs(self, texts: Sequence[str], beginnings: Sequence[str], longest: int) -> NDArray[np.float64]:
        """logprobs_N_B of texts after each beginning, computed in this process."""
        return self._eyes.text_logprobs(texts, beginnings, longest)

    def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
        """logprobs_N_V of each word's first token, computed in this process."""
        return self._eyes.read_out(features_N_D, words)

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text."""
        return token_ids(self.tokenizer, text) or [self.tokenizer.eos_token_id]

    # -- at the server ------------------------------------------------------------------------------

    def sample(self, request: SamplingRequest, heard: Heard = unheard) -> list[list[Completion]]:
        """``n`` completions of each prompt, in the order of the prompts. Raises ``ModelError``."""
        bodies = [self._sampling_body(request, index) for index in range(len(request.prompts))]
        with progress(f"{self.name} writes", len(bodies) * request.n) as advance:
            return self._answers(bodies, lambda answer: self._completions(answer, request.n), request.n, advance, heard)

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """logprobs_N_K: summed log-probability of each option's tokens after its prompt."""
        rows = [
            (self.tokens(prompt), self.tokens(option))
            for prompt, choices in zip(prompts, options, strict=True)
            for option in choices
        ]
        bodies: list[Json] = [
            {"prompt": [*before, *target], "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
            for before, target in rows
        ]
        lengths = [len(target) for _, target in rows]
        with progress(f"{self.name} weighs", len(bodies)) as advance:
            scores = self._answers(bodies, _prompt_logprobs, 1, advance)
        summed = [
            sum(position[token] for position, token in zip(found[-n:], body["prompt"][-n:], strict=True))
            for found, body, n in zip(scores, bodies, lengths, strict=True)
        ]
        return np.array(summed).reshape(len(prompts), -1)

    def publish(self, weights: Path) -> str:
        """Let the student in ``weights`` write and score from now on; its version.

        An adapter is swapped in where the server takes one while it runs; elsewhere it is merged, and the server
        started anew, which goes on while the caller does. Either way a version is a name of its own at the server:
        what asks for one student is never answered by another.
        """
        from askew.agent.models.merge import is_adapter

        version = f"{self.name}@{self._published + 1}"
        served = version
        if is_adapter(weights) and self.swaps:
            served = f"{version}-{self._mark}"
            self._swap(weights, served)
        elif isinstance(self.server, OwnServer):
            self._serve_anew(self.server, weights, version)
        else:
            raise ModelError(
                "this vLLM server is not ours to restart with other weights: start it with --enable-lora and "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and set publish = 'swap' under [vllm], or let askew start one."
            )
        self._published += 1
        self._served, self.version = served, version
        return version

    def withdraw(self) -> None:
        """Let the first student write and score again; a server with other weights is started anew when it is asked."""
        if not self._published:
            return
        if self._adapter is not None:
            last, self._adapter = self._served, None
            if self._runs():
                self._surviving(lambda: self._unload_adapter(last))
        elif isinstance(self.server, OwnServer):
            self.server.serve(self.folder, f"{self.name}@0", soon=False)
        self._published, self._served, self.version = 0, self._first, f"{self.name}@0"

    def close(self) -> None:
        """End the server, if it is ours, or take the adapter away from it; forget the weights. Safe to call twice."""
        if self._adapter is not None and not isinstance(self.server, OwnServer):
            self._adapter = None
            with suppress(ModelError, ServerGoneError):  # a server that is gone has nothing of ours
                self._unload_adapter(self._served)
        self.server.close()
        if "_eyes" in self.__dict__:
            self._eyes.close()
            del self.__dict__["_eyes"]
        if self._work is not None:
            self._work.cleanup()
            self._work = None

    def _swap(self, adapter: Path, served: str) -> None:
        """Load the next adapter before the last one goes, so that there is always a whole student."""
        last = self._served if self._adapter else None

        def swap() -> None:
            address = self._connected()
            self._load_adapter(address, adapter, served)
            if last:
                self._unload_adapter(last)

        if self._runs():
            self._surviving(swap)
        self._adapter = adapter

    def _serve_anew(self, server: OwnServer, weights: Path, version: str) -> None:
        from askew.agent.models.merge import is_adapter, merged, refuse_what_is_no_student

        refuse_what_is_no_student(self.folder, weights)
        last, self._work = self._work, TemporaryDirectory(prefix="askew-student-")
        if is_adapter(weights):
            weights = merged(self.folder, weights, Path(self._work.name))
        server.serve(weights, version)
        self._adapter = None
        if last is not None:
            last.cleanup()

    def _runs(self) -> bool:
        """Whether there is a server to tell; one that starts later is given its adapter then."""
        return not isinstance(self.server, OwnServer) or self.server.alive()

    def _load_adapter(self, address: Address, adapter: Path, served: str) -> None:
        body = {"lora_name": served, "lora_path": str(adapter.absolute())}
        if served not in wire.get_models(address):
            wire.post(address, "/v1/load_lora_adapter", body, self.options.timeout)

    def _unload_adapter(self, served: str | None) -> None:
        address = self.server.address()
        if served in wire.get_models(address):
            wire.post(address, "/v1/unload_lora_adapter", {"lora_name": served}, self.options.timeout)

    def _connected(self) -> Address:
        """The server's address, once it has the student that is to answer."""
        address = self.server.address()
        served = wire.get_models(address)
        if self._served is None:
            bases = [name for name, model in served.items() if not model.get("parent")]
            self._served = bases[0] if len(bases) == 1 else self.name
        if self._served not in served and self._adapter:
            self._load_adapter(address, self._adapter, self._served)  # it was started anew since
        elif self._served not in served:
            raise ModelError(
                f"the vLLM server {address.url} has no model {self._served!r}: it serves "
                f"{', '.join(sorted(served)) or 'nothing'}."
            )
        return address

    def _sampling_body(self, request: SamplingRequest, index: int) -> Json:
        body: Json = {
            "prompt": self.tokens(request.prompts[index]), "n": request.n, "max_tokens": request.max_tokens,
            "temperature": request.temperature, "top_p": request.top_p, "return_token_ids": True,
        }  # fmt: skip
        if request.stop:
            body["stop"] = list(request.stop)
        if request.grammar:
            body["structured_outputs"] = {"grammar": request.grammar}
        if self.seeds:
            body["seed"] = stream_seed(request.seed, "prompt", index) % 2**31
        return body

    def _answers(
        self,
        bodies: Sequence[Json],
        read: Callable[[Json], T],
        sequences: int,
        advance: Advance,
        heard: Callable[[int, T], None] = lambda _, __: None,
    ) -> list[T]:
        """What ``read`` makes of the answer to each body; survives a server that dies on the way."""
        answers: dict[int, T] = {}
        order = sorted(range(len(bodies)), key=lambda index: bodies[index]["prompt"])

        def arrived(index: int, answer: Json) -> None:
            answers[index] = self._checked(answer, read)
            advance(sequences)
            heard(index, answers[index])

        def unfinished() -> None:
            address = self._connected()
            left = {index: {**bodies[index], "model": self._served} for index in order if index not in answers}
            at_once = max(1, min(len(left), self.options.concurrency // sequences))
            wire.post_all(address, "/v1/completions", left, arrived, at_once, self.options.timeout)

        self._surviving(unfinished)
        return [answers[index] for index in range(len(bodies))]

    def _surviving(self, act: Callable[[], None]) -> None:
        """Do ``act``, again where the server went away: after a restart if it is ours, after a wait if it isn't."""
        wait = wait_exponential(multiplier=wire.FIRST_WAIT, max=wire.LONGEST_WAIT)
        retrying = Retrying(
            stop=stop_after_attempt(REVIVALS), wait=wait, retry=retry_if_exception_type(ServerGoneError), reraise=True
        )

        def attempt() -> None:
            try:
                act()
            except ServerGoneError:
                self.server.give_up()
                raise

        try:
            retrying(attempt)
        except ServerGoneError as error:
            raise ModelError(
                f"the vLLM server went away {REVIVALS} times: {error}. What was recorded is kept: see to the server "
                "(its log says more), then run 'askew resume'."
            ) from error

    def _checked(self, answer: Json, read: Callable[[Json], T]) -> T:
        """What ``read`` makes of an answer of the student that was asked; ``ValueError`` for any other."""
        if answer["model"] != self._served:
            raise ValueError(f"{answer['model']!r} answered and {self._served!r} was asked")
        return read(answer)

    def _completions(self, answer: Json, n: int) -> list[Completion]:
        choices = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
        if len(choices) != n:
            raise ValueError(f"{len(choices)} continuations, expected {n}")
        return [self._completion(choice) for choice in choices]

    def _completion(self, choice: Json) -> Completion:
        if choice["finish_reason"] not in ENDED:
            raise ValueError(f"a continuation ended by {choice['finish_reason']!r}")
        tokens = len(choice["token_ids"])
        if not tokens:
            raise ValueError("a continuation without a token")
        return Completion(str(choice["text"]), tokens, choice["finish_reason"] == "stop", self.version)


def _prompt_logprobs(answer: Json) -> list[dict[int, float]]:
    """For each token of the prompt the log-probabilities that the server gives there, by token."""
    (choice,) = answer["choices"]
    return [
        {int(token): float(entry["logprob"]) for token, entry in (position or {}).items()}
        for position in choice["prompt_logprobs"]
    ]


def served_student(name: str, folder: Path, options: Serving, logs: Path) -> VllmModel:
    """The student behind the server that ``options`` name, or behind one of our own, which logs to ``logs``.

    Nothing is started yet. Raises ``InputError`` when there is neither a server nor vLLM.
    """
    if options.server:
        known = known_server(options.server)
        return VllmModel(
            name, folder, known, options, swaps=options.publish == "swap", seeds=bool(options.seeds)
        )  # fmt: skip
    engine = find_engine(options)
    swaps = options.publish == "swap" or (options.publish == "auto" and not engine.on_cpu)
    seeds = (not engine.on_cpu) if options.seeds is None else options.seeds
    own = OwnServer(engine, folder, f"{name}@0", options, logs, swaps=swaps)
    return VllmModel(name, folder, own, options, served=own.served, swaps=swaps, seeds=seeds)


def served_reasoner(student: VllmModel, name: str, folder: Path, adapter: Path, logs: Path) -> VllmModel | None:
    """The student with a warm-up ``adapter``, whose sum is in ``folder``: it samples the chains, the student the rest.

    A server that takes adapters gets this one beside the student; another server of our own serves the sum on a CPU.
    ``None`` where neither can be had: somebody else's server that takes no adapters.
    """
    options, served = student.options, f"{name}@0"
    if student.swaps:
        return VllmModel(
            name, folder, student.server, options, served=served, seeds=student.seeds, adapter=adapter
        )  # fmt: skip
    if not isinstance(student.server, OwnServer):
        return None
    own = OwnServer(student.server.engine, folder, served, options, logs)
    return VllmModel(name, folder, own, options, served=served, seeds=student.seeds)
