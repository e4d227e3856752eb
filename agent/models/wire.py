"""Requests to an OpenAI-compatible server: many at once, bounded, tried again where that can help.

What can't be mended by trying again (a wrong key, a prompt that is too long, a grammar the server doesn't know)
raises ``ModelError`` and says what to do. A server that is gone or hangs raises :class:`ServerGoneError`: what was
answered before is kept, and the caller decides whether to start it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from askew.agent.models.server import KEY, Address
from askew.errors import ModelError

ATTEMPTS = 5
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
"""Seconds between two attempts, whatever the server asks for."""
RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}
SHOWN = 300
"""Characters of a server's own words that an error repeats."""

Json = dict[str, Any]


class ServerGoneError(Exception):
    """The server can't be reached, broke off, or gave no answer in time."""


class _TryAgainError(Exception):
    """A failure that may pass. ``wait`` is what the server asked for, in seconds."""

    def __init__(self, problem: str, wait: float = 0.0) -> None:
        super().__init__(problem)
        self.wait = wait


def get_models(address: Address, timeout: float = 30.0) -> dict[str, Json]:
    """What a server serves, by name. Raises ``ModelError`` or :class:`ServerGoneError`."""
    return {str(model["id"]): model for model in asyncio.run(_one(address, "GET", "/v1/models", None, timeout))["data"]}


def post(address: Address, path: str, body: Json, timeout: float) -> Any:
    """One request, tried again where that can help."""
    return asyncio.run(_one(address, "POST", path, body, timeout))


def post_all(
    address: Address,
    path: str,
    bodies: Mapping[int, Json],
    arrived: Callable[[int, Json], None],
    at_once: int,
    timeout: float,
) -> None:
    """Post ``bodies`` in their order, ``at_once`` of them at a time; ``arrived`` gets each answer as it comes.

    ``arrived`` raises ``ValueError`` for an answer that makes no sense: it is asked for again.

    Raises:
        ModelError: the server refused a request, or failed it every time.
        ServerGoneError: it is gone, or silent for ``timeout`` seconds.
    """
    asyncio.run(_post_all(address, path, iter(bodies.items()), arrived, at_once, timeout))


async def _post_all(
    address: Address,
    path: str,
    bodies: Iterator[tuple[int, Json]],
    arrived: Callable[[int, Json], None],
    at_once: int,
    timeout: float,
) -> None:
    async with _client(address, timeout, at_once) as client:

        async def work() -> None:
            # Workers take from one iterator, so requests leave in order and neighbours share their cached prefix.
            for index, body in bodies:
                await _asked(client, "POST", path, body, partial(arrived, index))

        workers = [asyncio.create_task(work()) for _ in range(at_once)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


async def _one(address: Address, method: str, path: str, body: Json | None, timeout: float) -> Any:
    found: list[Any] = []
    async with _client(address, timeout, 1) as client:
        await _asked(client, method, path, body, found.append)
    return found[0]


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _client(address: Address, timeout: float, at_once: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    patience = httpx.Timeout(timeout, connect=min(timeout, 10.0), pool=None)
    # trust_env: a proxy that is set for the outside world must not get what is said on loopback.
    return httpx.AsyncClient(
        base_url=address.url, headers=address.headers(), timeout=patience, limits=limits,
        trust_env=not is_loopback(address.url),
    )  # fmt: skip


async def _asked(
    client: httpx.AsyncClient, method: str, path: str, body: Json | None, take: Callable[[Any], None]
) -> None:
    """One request until ``take`` accepts its answer."""
    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS), wait=_wait, retry=retry_if_exception_type(_TryAgainError), reraise=True
    )

    async def attempt() -> None:
        answer = await _answer(client, method, path, body)
        try:
            take(answer)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise _TryAgainError(f"its answer makes no sense ({error})") from error

    try:
        await retrying(attempt)
    except _TryAgainError as error:
        raise ModelError(
            f"the vLLM server {client.base_url} failed {ATTEMPTS} times: {error}. What was recorded is kept: see to "
            "the server (its log says more), then run 'askew resume'."
        ) from None


async def _answer(client: httpx.AsyncClient, method: str, path: str, body: Json | None) -> Any:
    try:
        reply = await client.request(method, path, json=body)
    except httpx.TimeoutException as error:
        raise ServerGoneError(f"no answer within {client.timeout.read} s ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise ServerGoneError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    if reply.status_code in RETRIED:
        raise _TryAgainError(f"status {reply.status_code}: {_words(reply)}", _asked_wait(reply))
    if reply.status_code != 200:
        raise refusal(str(client.base_url), reply.status_code, _words(reply), body)
    if path.endswith("lora_adapter"):
        return reply.text  # a sentence
    try:
        return reply.json()
    except ValueError:
        raise _TryAgainError(f"its answer is not JSON: {reply.text[:80]!r}") from None


def refusal(url: str, status: int, words: str, body: Json | None) -> ModelError:
    """What a server's refusal means, and how to mend it."""
    lowered = words.lower()
    if status in {401, 403}:
        return ModelError(f"the vLLM server {url} refused the key: set {KEY} to the one it was started with.")
    if status == 404 and body and "model" in body:
        return ModelError(f"the vLLM server {url} has no model {body['model']!r}: {words}")
    if "context length" in lowered or "max_model_len" in lowered or "maximum model length" in lowered:
        return ModelError(
            f"a prompt is too long for the vLLM server {url}: {words} Serve with a larger max_length, or use shorter "
            "cases."
        )
    if any(text in lowered for text in ("grammar", "structured", "schema", "guided", "lark")):
        return ModelError(
            f"the vLLM server {url} can't follow the grammar of this request: {words} A server "
            'that isn\'t ours needs --structured-outputs-config \'{"backend": "guidance"}\'.'
        )
    return ModelError(f"the vLLM server {url} refused a request with status {status}: {words}")


def _words(reply: httpx.Response) -> str:
    """A server's own words about an error, cut short, on one line."""
    try:
        data = reply.json()
        error = data.get("error", data) if isinstance(data, dict) else data
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except ValueError:
        text = reply.text
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _asked_wait(reply: httpx.Response) -> float:
    try:
        return min(float(reply.headers.get("Retry-After", 0)), LONGEST_WAIT)
    except ValueError:
        return 0.0


def _wait(state: RetryCallState) -> float:
    backoff = wait_exponential_jitter(multiplier=FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT)
    error = state.outcome.exception() if state.outcome else None
    return max(backoff(state), getattr(error, "wait", 0.0))
