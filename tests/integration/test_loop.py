"""The real loop, driven by a scripted strong model: the firewall, resuming, and what the log holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import rows, run_loop

from askew.agent.config import Settings
from askew.agent.journal import EVENTS, Journal, read_events
from askew.agent.runlog import read_run
from askew.agent.supervisors.column import ColumnSupervisor
from askew.errors import InputError, SupervisorError
from askew.tasks.case import Case
from askew.tasks.load import load_task


class Rater:
    """Calls anything loud positive, and counts what it was asked."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.asked: list[str] = []
        self.stop_after = stop_after

    def label(self, cases: list[Case]) -> list[int | None]:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise RuntimeError("gone home")
        self.asked += [case.id for case in cases]
        return [None if "pace" in c.text else int("!" in c.text or "warm" in c.text) for c in cases]


def settings(path: Path) -> Settings:
    return Settings(
        task=str(path),
        supervisor="test",
        student="scripted",
        budget=24,
        rounds=3,
        chains=24,
        written=8,
        written_first=16,
    )


def run(path: Path, folder: Path, supervisor: object) -> None:
    run_loop(settings(path), supervisor, folder)


def test_gold_outside_the_supervisor_changes_nothing(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    made = rows()
    run(cases_file(made), tmp_path / "honest", Rater())
    rng = np.random.default_rng(1)
    shuffled = [
        {**row, "gold": int(gold)} for row, gold in zip(made, rng.permutation([r["gold"] for r in made]), strict=True)
    ]
    run(cases_file(shuffled), tmp_path / "shuffled", Rater())
    assert (tmp_path / "honest" / EVENTS).read_bytes() == (tmp_path / "shuffled" / EVENTS).read_bytes()


def test_a_run_cut_off_anywhere_resumes_to_the_same_log(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    path = cases_file()
    whole = Rater()
    run(path, tmp_path / "whole", whole)
    log = (tmp_path / "whole" / EVENTS).read_bytes()
    assert len(whole.asked) == len(set(whole.asked)) == 24
    lines = log.splitlines(keepends=True)
    for cut in (1, len(lines) // 3, len(lines) // 2, len(lines) - 3):
        folder = tmp_path / f"cut-{cut}"
        shutil.copytree(tmp_path / "whole", folder)
        # A crash may also leave half a line behind.
        (folder / EVENTS).write_bytes(b"".join(lines[:cut]) + lines[cut][: len(lines[cut]) // 2])
        answered = {event.data["case"] for event in read_events(folder) if event.kind == "answer"}
        again = Rater()
        run(path, folder, again)
        assert (folder / EVENTS).read_bytes() == log
        assert not answered & set(again.asked)


def test_a_supervisor_that_gives_up_loses_nothing(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    path = cases_file()
    run(path, tmp_path / "whole", Rater())
    with pytest.raises(SupervisorError, match="gone home"):
        run(path, tmp_path / "broken", Rater(stop_after=10))
    assert sum(event.kind == "answer" for event in read_events(tmp_path / "broken")) == 10
    run(path, tmp_path / "broken", Rater())
    assert (tmp_path / "broken" / EVENTS).read_bytes() == (tmp_path / "whole" / EVENTS).read_bytes()


def test_the_log_tells_what_was_believed_and_why(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    run(cases_file(), tmp_path / "run", Rater())
    log = read_run(tmp_path / "run")
    view = log.view
    assert view.finished is not None and len(view.rounds) == 3
    assert view.counts["answer"] == 24
    assert any(group.chain["malformed"] for group in log.chains())
    for experiment in log.experiments():
        assert 0 <= experiment["reliability"] <= 1 and experiment["epig"] >= 0
        assert np.isclose(sum(experiment["predicted_weak"]), 1, atol=1e-5)
    for hypothesis_set in view.sets.values():
        for belief in hypothesis_set.history:
            assert np.isclose(sum(belief["posterior"].values()), 1, atol=1e-4)


def test_recorded_raters_are_asked_only_what_they_answered(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    path = cases_file()
    run(path, tmp_path / "run", ColumnSupervisor(load_task(str(path), 0).task, "loud-lover"))
    assert {e["source"] for e in read_run(tmp_path / "run").experiments()} == {"pool"}


def test_a_folder_is_used_by_one_run_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "run"), pytest.raises(InputError, match="in use"):
        Journal(tmp_path / "run")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / EVENTS).write_text('{"v": 99, "n": 0, "round": 0, "kind": "x", "data": {}}\n', encoding="utf-8")
    with pytest.raises(InputError, match="schema 99"):
        Journal(tmp_path)
