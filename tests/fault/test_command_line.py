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
        (("run", "--backend", "vllm"), "use --backend local"),
        (("run", "missing.toml"), "no configuration file"),
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
