"""What goes wrong while a run is going on: nothing recorded is lost, and resuming gives the same log."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from askew.agent.cli import main
from askew.agent.journal import EVENTS, TIMINGS, Journal, read_timings
from askew.agent.lines import append_line, read_lines
from askew.agent.supervisors.base import checked_labels
from askew.errors import InputError, RunError, SupervisorError
from askew.evals import protocol
from askew.tasks.case import Case, Split
from askew.tasks.load import load_task

CASES = [Case("a", "one", ("no", "yes")), Case("b", "two", ("no", "yes"))]


class Says:
    """A supervisor that gives one prepared answer."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def label(self, _: Sequence[Case]) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([0], "1 answers to 2 cases"),
        ([0, 1, 1], "3 answers to 2 cases"),
        ([0, 2], "answered 2 to case 'b'"),
        ([-1, 0], "answered -1 to case 'a'"),
        ([0, "yes"], "answered 'yes' to case 'b'"),
        ([0.0, 1], "answered 0.0 to case 'a'"),
        ([True, 1], "answered True to case 'a'"),
        (None, "raised TypeError"),
    ],
)
def test_answers_that_are_no_labels_are_refused(answer: object, message: str) -> None:
    with pytest.raises(SupervisorError, match=message):
        checked_labels(Says(answer), CASES)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "run"), pytest.raises(InputError, match="in use by another askew process"):
        Journal(tmp_path / "run")


def test_a_newer_schema_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(tmp_path) as journal:
        journal.note("round-started", round=1)
    line = json.loads((tmp_path / EVENTS).read_text())
    (tmp_path / EVENTS).write_text(json.dumps({**line, "v": 99}) + "\n")
    with pytest.raises(SystemExit) as stop:
        main(["inspect", str(tmp_path)])
    assert stop.value.code == 2
    assert "Upgrade askew" in capsys.readouterr().err


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """No file can grow beyond ``size`` bytes, as on a disk that is full; the signal that comes with it is ignored."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing_and_the_run_goes_on_later(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.note("round-started", round=1)
        size = (tmp_path / EVENTS).stat().st_size
        with full_after(size + 10):
            with pytest.raises(RunError, match=r"can't write.*askew resume"):
                journal.note("round-started", round=2)
            journal.close()  # while the disk is still full: no other error, and the folder is free again
            with Journal(tmp_path) as again:
                assert [event.data["round"] for event in again._recorded] == [1]
    with Journal(tmp_path) as journal:
        assert journal.fact("round-started", dict)["round"] == 1
        assert not journal.replaying


def test_people_s_answers_survive_a_full_disk(tmp_path: Path) -> None:
    append_line(tmp_path / "labels.jsonl", {"item": "a"})
    size = (tmp_path / "labels.jsonl").stat().st_size
    with full_after(size + 3), pytest.raises(RunError, match="Free some space"):
        append_line(tmp_path / "labels.jsonl", {"item": "b"})
    append_line(tmp_path / "labels.jsonl", {"item": "c"})
    assert [record["item"] for record in read_lines(tmp_path / "labels.jsonl")] == ["a", "c"]


@pytest.mark.parametrize("damaged", [b"not json\n", b"[1]\n", b"\xff\xfe\n"])
def test_a_damaged_line_is_named_and_a_damaged_clock_takes_nothing(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"item": "a"}\n' + damaged)
    with pytest.raises(InputError, match=r"labels\.jsonl, line 2"):
        read_lines(path)
    with Journal(tmp_path / "run") as journal, journal.timed("ask"):
        pass
    with (tmp_path / "run" / TIMINGS).open("ab") as file:
        file.write(damaged)
    assert [record["stage"] for record in read_timings(tmp_path / "run")] == ["ask"]


def test_a_stage_that_is_cut_off_has_taken_its_time(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal, pytest.raises(KeyboardInterrupt), journal.timed("ask"):
        raise KeyboardInterrupt
    assert [record["stage"] for record in read_timings(tmp_path)] == ["ask"]


def test_too_little_space_is_found_before_anything_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SMALLEST_FREE_SPACE", 10**18)
    with pytest.raises(RunError, match="Free some space"):
        protocol.check_space(tmp_path / "runs" / "new")


@pytest.fixture(scope="module")
def real_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of real reviews, so that a run on real models takes seconds."""
    loaded = load_task("movie-reviews", 0)
    lines = []
    for split, n in ((Split.POOL, 60), (Split.TEST, 30), (Split.WEAK, 40)):
        for case in loaded.task.split(split)[:n]:
            weak = {"reader": int(len(case.text) > 90)}
            row = {"id": case.id, "text": case.text, "options": list(case.options), "gold": loaded.gold[case.id]}
            lines.append(json.dumps({**row, "split": str(split), "weak": weak}))
    path = tmp_path_factory.mktemp("real") / "reviews.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def command(task: Path, out: Path) -> list[str]:
    return [
        "run", "--task", str(task), "--supervisor", "model:minilm", "--budget", "12", "--rounds", "2",
        "--chains", "6", "--written", "8", "--written-first", "8", "--out", str(out), "--with", "weak",
    ]  # fmt: skip


@pytest.mark.models
@pytest.mark.timeout(1500)  # a minute on an idle machine; three runs of real models on a busy one
def test_a_killed_run_on_real_models_resumes_to_the_same_log(
    real_cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(command(real_cases, tmp_path / "whole"))
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "scientific" in shown and "weak" in shown
    whole = (tmp_path / "whole" / EVENTS).read_bytes()
    kinds = [json.loads(line)["kind"] for line in whole.splitlines()]
    assert kinds.count("answer") == 12 and kinds.count("chain") == 12 and "written" in kinds

    log = tmp_path / "killed" / EVENTS
    program = "from askew.agent.cli import main; import sys; main(sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", program, *command(real_cases, tmp_path / "killed")],
                               stdout=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if log.exists() and log.read_bytes().count(b'"kind": "answer"') >= 6:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert log.read_bytes() != whole
    with pytest.raises(SystemExit) as stop:
        main(["resume", str(tmp_path / "killed")])
    assert stop.value.code == 0
    assert log.read_bytes() == whole
    for name in ("report.html", "curve.png", "results.json", "student/heads.safetensors"):
        assert (tmp_path / "killed" / name).stat().st_size > 0


@pytest.mark.models
def test_the_default_supervisor_and_cue_are_better_than_chance() -> None:
    from askew.agent.config import Settings

    workbench = protocol.Workbench(Settings())
    test = workbench.loaded.task.split(Split.TEST)[:200]
    gold = workbench.loaded.gold.of(test)
    answers = workbench.supervisor.label(test)
    assert sum(int(a == g) for a, g in zip(answers, gold, strict=True)) > 120
