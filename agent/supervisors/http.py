"""A weak supervisor behind any HTTP endpoint: ``http:URL``.

One POST for each case, with a JSON body and an ``Idempotency-Key`` header that is the same whenever the same case is
asked in the same run (so a retry, or a resumed run, can't be charged twice)::

    → {"id": "movie-3", "question": "Is this …?", "text": "…", "options": ["negative", "positive"]}
    ← {"label": 1}                 the index of an option, or null for "unsure"

Settings follow the address as a fragment, which is never sent: ``http:https://host/label#rate=2&timeout=30`` (at most
two requests a second, thirty seconds each). A bearer token is taken from the environment variable ``ASKEW_HTTP_TOKEN``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urldefrag, urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from askew.agent.secret import secret
from askew.errors import InputError, SupervisorError
from askew.tasks.case import Case

TOKEN = "ASKEW_HTTP_TOKEN"  # noqa: S105 (the variable's name, not a secret)
ATTEMPTS = 5
LONGEST_WAIT = 30.0
"""Seconds between two attempts, whatever the server asks for."""
TIMEOUT = 30.0
LARGEST_ANSWER = 100_000
RETRIED = {408, 425, 429, 500, 502, 503, 504}


class _TryAgainError(Exception):
    """A failure that may pass. ``wait`` is what the server asked for, in seconds."""

    def __init__(self, problem: str, wait: float = 0.0) -> None:
        super().__init__(problem)
        self.wait = wait


class HttpSupervisor:
    """Asks an endpoint, one case a request. Raises ``SupervisorError`` when it can't be had or makes no sense."""

    batch_size = 1

    def __init__(self, address: str, question: str, seed: int, first_wait: float = 0.5) -> None:
        self._url, options = _address(address)
        self._pause = 1.0 / options["rate"] if options["rate"] else 0.0
        self._question, self._seed = question, seed
        self._last = -1e9
        parts = urlsplit(self._url)
        self.name = f"http:{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
        token = secret(TOKEN)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(timeout=options["timeout"], headers=headers, follow_redirects=False)
        self._backoff = wait_exponential_jitter(multiplier=first_wait, max=LONGEST_WAIT, jitter=first_wait)

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The endpoint's answers."""
        return [self._ask(case) for case in cases]

    def _ask(self, case: Case) -> int | None:
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            retry=retry_if_exception_type(_TryAgainError),
            reraise=True,
        )
        try:
            answer = retrying(self._post, case)
        except _TryAgainError as error:
            raise SupervisorError(
                f"{self.name} gave no answer to case {case.id!r} in {ATTEMPTS} attempts: {error}. Answers so far "
                "are kept: see to the endpoint, then run 'askew resume'."
            ) from None
        if not isinstance(answer, dict) or "label" not in answer:
            raise SupervisorError(
                f'{self.name} answered {str(answer)[:120]!r} to case {case.id!r}: expected {{"label": 0}}, the index '
                "of an option, or null for unsure."
            )
        label: Any = answer["label"]
        return label  # type: ignore[no-any-return]  # checked, with every other supervisor's, at the desk

    def _post(self, case: Case) -> Any:
        time.sleep(max(0.0, self._last + self._pause - time.monotonic()))
        self._last = time.monotonic()
        body = {"id": case.id, "question": self._question, "text": case.text, "options": list(case.options)}
        headers = {"Idempotency-Key": self._key(case)}
        try:
            with self._client.stream("POST", self._url, json=body, headers=headers) as response:
                if response.status_code in RETRIED:
                    raise _TryAgainError(f"status {response.status_code}", _retry_after(response))
                if response.status_code != httpx.codes.OK:
                    raise SupervisorError(
                        f"{self.name} answered with status {response.status_code} to case {case.id!r}: expected 200. "
                        f"Check the address{', and ' + TOKEN if response.status_code in (401, 403) else ''}."
                    )
                return _json(self.name, case, response)
        except httpx.HTTPError as error:
            raise _TryAgainError(f"{type(error).__name__}: {error}") from None

    def _key(self, case: Case) -> str:
        content = "\0".join([str(self._seed), case.id, case.text, *case.options])
        return hashlib.sha256(content.encode()).hexdigest()

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, _TryAgainError) else 0.0
        return min(LONGEST_WAIT, max(asked, self._backoff(state)))


def _json(name: str, case: Case, response: httpx.Response) -> Any:
    content = b""
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise SupervisorError(f"{name} answered more than {LARGEST_ANSWER:,} bytes to case {case.id!r}: refused.")
    try:
        return httpx.Response(200, content=content).json()
    except ValueError:
        shown = content[:80].decode("utf-8", errors="replace")
        raise SupervisorError(
            f'{name} answered {shown!r} to case {case.id!r}: that is not JSON, expected {{"label": 0}}.'
        ) from None


def _retry_after(response: httpx.Response) -> float:
    """Seconds a busy server asks to be left alone for; a date is left to the backoff."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


def _address(given: str) -> tuple[str, dict[str, float]]:
    """URL and settings. Raises ``InputError`` naming what can't be used."""
    options = {"rate": 0.0, "timeout": TIMEOUT}
    try:
        url, fragment = urldefrag(given)
        # 'http:http://…' and the plain 'http://…', of which the kind has taken the first part.
        url = f"http:{url}" if url.startswith("//") else url
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"supervisor http:{given}: expected http:URL, as in http:https://example.org/label.")
    if "@" in parts.netloc:
        raise InputError(
            f"supervisor http: the address is kept in the run folder, so it can't hold a password: set {TOKEN} instead."
        )
    for name, value in parse_qsl(fragment, keep_blank_values=True):
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if name not in options or not 0 < number < 1e6:
            raise InputError(f"supervisor http: setting {name}={value!r}: expected rate or timeout, a number above 0.")
        options[name] = number
    return url, options
