"""What a person gets for unusable input: one message, the right exit code, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import rows

from askew.agent.cli import main


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return int(stop.value.code or 0), shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--task", "no-such-task"), "unknown task 'no-such-task'"),
        (("run", "--method", "passive-naiv"), "Did you mean 'passive-naive'"),
        (("run", "--budget", "0"), "budget = 0"),
        (("run", "--backend", "cloud"), "backend = 'cloud'"),
        (("run", "--budget", "5000"), "budget 5000 is larger than the pool"),
        (("run", "--backend", "vllm", "--vllm-python", "no-python"), "no vLLM in no-python. 'make setup-vllm'"),
        (("run", "--backend", "vllm", "--vllm-server", "nowhere"), "no vLLM server at 'nowhere'"),
        (("serve", "smollm2-135m", "--vllm-python", "no-python"), "no vLLM in no-python. 'make setup-vllm'"),
        (("serve", "smollm2-135m", "--memory-fraction", "1.5"), "vllm.memory_fraction = 1.5"),
        (("serve", "smollm2-135m", "--stop"), "nothing to stop"),
        (("bench", "throughput", "--methods", "warp"), "unknown rival warp"),
        (("run", "missing.toml"), "no configuration file"),
        (("run", "."), "can't read .: Is a directory"),
        (("run", "--student", "gpt-17"), "unknown model 'gpt-17'"),
        (("run", "--supervisor", "column:nobody"), "no recorded labels 'nobody'"),
        (("run", "--supervisor", "http:ftp://x"), "expected http:URL"),
        (("run", "--supervisor", "http:http://host:99999/x"), "expected http:URL"),
        (("run", "--supervisor", "http:http://[::1/x"), "expected http:URL"),
        (("run", "--supervisor", "http:http://ann:secret@host/x"), "set ASKEW_HTTP_TOKEN instead"),
        (("run", "--student", "foo bar/x"), "neither a local folder nor a hub's name"),
        (("tasks", "check", "no-such-task"), "unknown task 'no-such-task'"),
        (("run", "--supervisor", "recorded:rater-1+rater-99"), "no recorded labels 'rater-99'"),
        (("run", "--supervisor", "recorded:rater-1+rater-1"), "a rater is named twice"),
        (("bench", "quick", "--workers", "many"), "expected a number of processes"),
        (("bench", "quick", "--methods", "passive-naiv"), "Did you mean 'passive-naive'"),
        (("bench", "quik"), "unknown suite 'quik'"),
        (("label", "nowhere"), "give --task and --budget"),
        (("view", "nowhere"), "no folder nowhere"),
        (("view", ".", "--host", "0.0.0.0"), "add --expose"),
        (("view", ".", "--host", "evil.example"), "add --expose"),
        (("view", ".", "--host", "::"), "add --expose"),
        (("label", "nowhere", "--budget", "4", "--host", "0.0.0.0"), "add --expose"),
        (("resume", "nowhere"), "not a run folder"),
        (("compare", "nowhere"), "not a run folder"),
        (("inspect", "nowhere"), "not a run folder"),
        (("models", "pull", "gpt-17"), "unknown model 'gpt-17'"),
        (("data", "pull", "everything"), "unknown data set 'everything'"),
    ],
)
def test_unusable_input(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, shown = outcome(capsys, *arguments)
    assert code == 2
    assert message in shown
    assert not list(tmp_path.iterdir())


def test_an_unknown_column_names_the_known_ones(
    cases_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = outcome(capsys, "run", "--task", str(cases_file()), "--supervisor", "column:nobody", "--budget", "40")
    assert code == 2
    assert "nobody" in shown and "loud-lover" in shown


def test_one_class_of_gold_is_refused(cases_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = cases_file([{**row, "gold": 1} for row in rows()])
    code, shown = outcome(capsys, "run", "--task", str(path), "--supervisor", "column:loud-lover", "--budget", "40")
    assert code == 2
    assert "gold" in shown


def test_a_truncated_line_is_named(cases_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = cases_file()
    path.write_bytes(path.read_bytes()[:-40])
    code, shown = outcome(capsys, "run", "--task", str(path), "--supervisor", "column:loud-lover", "--budget", "40")
    assert code == 2
    assert "line 160" in shown


def _rows(change: Callable[[list[dict[str, object]]], None]) -> list[dict[str, object]]:
    made = rows()
    change(made)
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: made[7].update(id=made[3]["id"]), "line 8"),
        (lambda made: made[5].update(options=["negative", "positive", "mixed"]), "line 6"),
        (lambda made: made[4].update(gold=5), "line 5"),
        (lambda made: made[2].update(options=["yes"]), "line 3"),
        (lambda made: made[1].update(split="train"), "line 2"),
        (lambda made: [row.update(split="test") for row in made], "pool is empty"),
    ],
)
def test_cases_that_cannot_be_used_are_named(
    change: Callable[[list[dict[str, object]]], None], message: str,
    cases_file: Callable[..., Path], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = cases_file(_rows(change))
    code, shown = outcome(capsys, "run", "--task", str(path), "--supervisor", "column:loud-lover", "--budget", "40")
    assert code == 2
    assert message in shown


def test_text_that_is_not_utf8_is_named(cases_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = cases_file()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[10] = lines[10].replace(b"the", b"th\xe9", 1)
    path.write_bytes(b"".join(lines))
    code, shown = outcome(capsys, "run", "--task", str(path), "--supervisor", "column:loud-lover", "--budget", "40")
    assert code == 2
    assert "line 11" in shown and "UTF-8" in shown


def test_a_table_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_text('vllm = "yes"\n')
    code, shown = outcome(capsys, "run", str(tmp_path / "mine.toml"), "--vllm-server", "here")
    assert code == 2 and "vllm = 'yes': expected a table" in shown


def test_a_damaged_run_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text("[]")
    code, shown = outcome(capsys, "resume", str(tmp_path))
    assert code == 2 and "config.json is damaged: expected a JSON object" in shown
    (tmp_path / "config.json").write_text('{"architectures": ["Llama"], "bos_token_id": 0}')
    code, shown = outcome(capsys, "compare", str(tmp_path))
    assert code == 2 and "no settings of a run of this version of askew (architectures: Extra inputs" in shown
    assert "bos_token_id" not in shown
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "events.jsonl").write_bytes(b'{"v": 1, "n": 0, "round": 0, "kind": "\xff", "data": {}}\n')
    code, shown = outcome(capsys, "compare", str(tmp_path))
    assert code == 2 and "events.jsonl, line 1: not an askew event" in shown
