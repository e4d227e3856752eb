"""Supervisors behind real servers on loopback: well-behaved, busy, slow, lying, malformed and gone."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from conftest import rows
from loopback import Reply, completion, reply, server

from askew.agent.cli import main
from askew.agent.config import Settings
from askew.agent.journal import EVENTS
from askew.agent.supervisors import http as endpoint
from askew.agent.supervisors.base import checked_labels
from askew.agent.supervisors.chat import ChatSupervisor
from askew.agent.supervisors.http import HttpSupervisor
from askew.agent.supervisors.resolve import resolve_supervisor
from askew.errors import InputError, SupervisorError
from askew.tasks.case import Case, Task

CASES = [Case(f"c{index}", f"text {index}", ("no", "yes")) for index in range(4)]
TASK = Task("t", "Is it?", "text", tuple(CASES))


def supervisor(address: str) -> HttpSupervisor:
    return HttpSupervisor(address, "Is it?", seed=0, first_wait=0.01)


def test_answers_and_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(endpoint.TOKEN, "s3cret")
    seen: list[tuple[dict[str, Any], dict[str, str]]] = []

    def answer(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        seen.append((body, headers))
        return reply({"label": None if body["id"] == "c3" else int(body["id"][1]) % 2})

    with server(answer) as address:
        asked = supervisor(address)
        assert checked_labels(asked, CASES) == [0, 1, 0, None]
        assert asked.label(CASES[:1]) == [0]
    body, headers = seen[0]
    assert body == {"id": "c0", "question": "Is it?", "text": "text 0", "options": ["no", "yes"]}
    assert headers["authorization"] == "Bearer s3cret" and "s3cret" not in asked.name
    keys = [headers["idempotency-key"] for _, headers in seen]
    assert len(set(keys)) == 4 and keys[0] == keys[4]


def test_a_busy_server_is_asked_again_and_a_dead_one_is_not_asked_for_ever() -> None:
    calls: list[str] = []

    def busy(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        calls.append(headers["idempotency-key"])
        return reply({}, 503) if len(calls) < 3 else reply({"label": 1})

    with server(busy) as address:
        assert supervisor(address).label(CASES[:1]) == [1]
    assert len(calls) == 3 and len(set(calls)) == 1
    with (
        server(lambda *_: reply({}, 500)) as address,
        pytest.raises(SupervisorError, match=r"5 attempts: status 500.*resume"),
    ):
        supervisor(address).label(CASES[:1])


@pytest.mark.parametrize(
    ("answered", "message"),
    [
        (reply({"label": 7}), "expected 0 to 1"),
        (reply({"label": "yes"}), "expected the index of an option"),
        (reply({"answer": 1}), "expected"),
        (reply([1]), "expected"),
        ((200, b"<html>hello</html>", {}), "not JSON"),
        ((200, b'{"label": ' + b" " * 200_000 + b"1}", {}), "refused"),
        (reply({}, 404), "status 404"),
        (reply({}, 401), endpoint.TOKEN),
        (reply({}, 302, Location="http://127.0.0.1:1/"), "status 302"),
    ],
)
def test_an_answer_that_makes_no_sense(answered: Reply, message: str) -> None:
    with server(lambda *_: answered) as address, pytest.raises(SupervisorError, match=message):
        checked_labels(supervisor(address), CASES[:1])


def test_a_slow_or_absent_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "ATTEMPTS", 2)
    gate = threading.Event()

    def slow(*_: object) -> Reply:
        gate.wait(5)
        return reply({"label": 0})

    with server(slow) as address:
        with pytest.raises(SupervisorError, match="ReadTimeout"):
            supervisor(f"{address}#timeout=0.1").label(CASES[:1])
        gate.set()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SupervisorError, match="ConnectError"):
        supervisor(f"http://127.0.0.1:{port}/").label(CASES[:1])


def test_requests_are_spaced_out() -> None:
    import time

    with server(lambda *_: reply({"label": 0})) as address:
        start = time.monotonic()
        supervisor(f"{address}#rate=20").label(CASES)
        assert time.monotonic() - start >= 0.15


@pytest.mark.parametrize("address", ["", "ftp://x/", "https://", "http://x/#rate=fast", "http://x/#speed=1"])
def test_an_unusable_address(address: str) -> None:
    with pytest.raises(InputError):
        HttpSupervisor(address, "Is it?", seed=0)


def test_both_spellings_of_the_address() -> None:
    settings = Settings()
    for spec in ("http:http://127.0.0.1:1/label", "http://127.0.0.1:1/label"):
        assert resolve_supervisor(spec, TASK, settings).name == "http:http://127.0.0.1:1/label"  # type: ignore[attr-defined]


def test_a_run_whose_endpoint_fails_goes_on_where_it_stopped(
    cases_file: Callable[..., Any], tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "ATTEMPTS", 1)
    asked: list[str] = []

    def answer(body: dict[str, Any], _: dict[str, str]) -> Reply:
        asked.append(body["id"])
        return reply({"label": int("!" in body["text"])}, 500 if len(asked) == 6 else 200)

    out = tmp_path / "run"
    with server(answer) as address:
        run = ["run", "--task", str(cases_file(rows())), "--supervisor", f"http:{address}", "--budget", "12"]
        codes = []
        for arguments in (
            [*run, "--method", "passive-naive", "--with", "weak", "--out", str(out)],
            ["resume", str(out)],
        ):
            with pytest.raises(SystemExit) as stop:
                main(arguments)
            codes.append(stop.value.code)
    shown = capsys.readouterr()
    assert codes == [1, 0] and "status 500" in shown.err and "Traceback" not in shown.err
    kinds = [json.loads(line)["kind"] for line in (out / EVENTS).read_text().splitlines()]
    assert kinds.count("answer") == 12


# -- a chat model -----------------------------------------------------------------------------------


def chat(address: str) -> ChatSupervisor:
    return ChatSupervisor(f"tiny@{address.removesuffix('/label')}/v1", TASK)


def test_a_chat_model_labels() -> None:
    seen: list[dict[str, Any]] = []
    replies = iter(['{"answer": "B"}', "A", '{"answer": "unsure"}', '{"answer": "A"}'])

    def answer(body: dict[str, Any], _: dict[str, str]) -> Reply:
        seen.append(body)
        return completion(next(replies))

    with server(answer) as address:
        assert checked_labels(chat(address), CASES) == [1, 0, None, 0]
    assert "text 0" in seen[0]["messages"][0]["content"] and seen[0]["temperature"] == 0.0
    schema = seen[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["A", "B", "unsure"]


@pytest.mark.parametrize(
    ("answered", "message"),
    [
        (completion("I would rather not."), "expected one of A, B"),
        (completion('{"answer": "Z"}'), "expected one of A, B"),
        (completion('{"answer": ""}'), "expected one of A, B"),
        (completion('{"answer": "AB"}'), "expected one of A, B"),
        (completion("AB"), "expected one of A, B"),
        (completion(""), "expected one of A, B"),
        (reply({"error": {"message": "bad key"}}, 401), "AuthenticationError"),
    ],
)
def test_a_chat_model_that_answers_something_else(answered: Reply, message: str) -> None:
    with server(lambda *_: answered) as address, pytest.raises(SupervisorError, match=message):
        chat(address).label(CASES[:1])


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (completion(None, refusal="I can't judge that."), None),
        (completion(None, ended="content_filter"), None),
        (completion("Unsure."), None),
        (completion('{"answer": "Unsure"}'), None),
        (completion("b"), 1),
    ],
)
def test_a_refusal_is_no_answer_and_letters_come_in_any_case(answered: Reply, said: int | None) -> None:
    with server(lambda *_: answered) as address:
        assert chat(address).label(CASES[:1]) == [said]


def test_no_secret_is_repeated_or_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="can't hold a password"):
        ChatSupervisor("gpt@http://me:s3cret@host/v1", TASK)
    for value in ("s3cret\x01", "s3crét"):
        monkeypatch.setenv(endpoint.TOKEN, value)
        with pytest.raises(InputError, match="ASKEW_HTTP_TOKEN") as refused:
            endpoint.HttpSupervisor("http://127.0.0.1:1/label", "?", 0)
        assert "s3cr" not in str(refused.value)
    monkeypatch.setenv(endpoint.TOKEN, "s3cret\n")
    heard: list[dict[str, str]] = []

    def answer(_: dict[str, Any], headers: dict[str, str]) -> Reply:
        heard.append({name.lower(): value for name, value in headers.items()})
        return reply({"label": 1})

    with server(answer) as address:
        assert endpoint.HttpSupervisor(address, "?", 0).label(CASES[:1]) == [1]
    assert heard[0]["authorization"] == "Bearer s3cret"


def test_a_chat_model_without_a_key_or_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        ChatSupervisor("gpt", TASK)
    with pytest.raises(InputError, match="openai:MODEL"):
        ChatSupervisor("", TASK)
