"""passive-generative on a tiny network with random weights: it reads, then learns, and a resumed run is the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import embed, rows
from tiny import make_llama

from askew.agent.config import Settings
from askew.agent.journal import read_events
from askew.agent.models.local import LocalModel
from askew.agent.representation import Representation
from askew.agent.supervisors.column import ColumnSupervisor
from askew.errors import RunError
from askew.evals.grade import grade
from askew.evals.methods.generative import written_out
from askew.evals.protocol import run_method, write_config
from askew.tasks.case import Case
from askew.tasks.load import load_task


class TinyBench:
    """A workbench around the tiny network."""

    warmed = None

    def __init__(self, settings: Settings, cache: Path) -> None:
        self.settings = settings
        self.loaded = load_task(settings.task, settings.seed)
        self.model = LocalModel(settings.student, Path(settings.student))
        self.representation = Representation(self.loaded.task, self.model, cache)
        self.supervisor = ColumnSupervisor(self.loaded.task, "loud-lover")
        self.embedder = type("Embedder", (), {"embed": staticmethod(embed)})()


def run(settings: Settings, folder: Path, cache: Path) -> bytes:
    write_config(settings, folder, ())
    run_method(settings, folder, TinyBench(settings, cache), lambda _: None)  # type: ignore[arg-type]
    return (folder / "events.jsonl").read_bytes()


def test_the_student_reads_the_texts_first_and_a_resumed_run_is_the_same(
    cases_file: Callable[..., Path], tmp_path: Path
) -> None:
    student = make_llama(tmp_path / "llama")
    settings = Settings(
        task=str(cases_file(rows())), supervisor="column:loud-lover", student=str(student), budget=20, rounds=2,
        method="passive-generative",
    )  # fmt: skip
    folder = tmp_path / "run"
    whole = run(settings, folder, tmp_path / "cache")
    events = list(read_events(folder))
    (reading,) = [event.data for event in events if event.kind == "reading"]
    assert reading["texts"] == len(load_task(settings.task, 0).task.split("pool"))  # type: ignore[arg-type]
    assert (folder / "student" / "generative" / "adapter" / "card.json").is_file()
    assert not (folder / "student" / "generative" / "weights").exists()
    assert grade(folder).queries == 20

    lines = whole.splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    assert run(settings, folder, tmp_path / "cache") == whole

    naive = run(settings.model_copy(update={"method": "passive-naive"}), tmp_path / "naive", tmp_path / "cache")
    assert naive.splitlines()[-2] != whole.splitlines()[-2]

    # Another student in the place of the one that the log was written with is not taken for it.
    (folder / "events.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]).replace(b'"tokens": ', b'"tokens": 1'))
    shutil.rmtree(folder / "student")
    with pytest.raises(RunError, match="not the one"):
        run(settings, folder, tmp_path / "cache")


def test_texts_are_read_without_a_label(cases_file: Callable[..., Path]) -> None:
    task = load_task(str(cases_file(rows())), 0).task
    case = task.cases[0]
    (text,) = written_out(task, case)
    assert case.text in text
    assert not any(option in text for option in case.options)
    varying = Case("x", "Which?", ("this", "that"))
    from dataclasses import replace

    both = written_out(replace(task, options_vary=True), varying)
    assert [text.endswith(option) for text, option in zip(both, varying.options, strict=True)] == [True, True]
