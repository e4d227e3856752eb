"""A person at the terminal, and the commands that follow a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from askew.agent.cli import main
from askew.agent.journal import Journal
from askew.agent.supervisors.human import HumanSupervisor
from askew.errors import SupervisorError
from askew.tasks.case import Case

CASES = [
    Case("a", "one \x1b[31mred", ("no", "yes")),
    Case("b", "two", ("no", "yes")),
    Case("c", "three", ("no", "yes")),
]


def test_a_person_answers_is_unsure_and_stops() -> None:
    screen = io.StringIO()
    person = HumanSupervisor("Is it?", io.StringIO("7\n2\nu\nq\n"), screen)
    assert person.label(CASES[:2]) == [1, None]
    with pytest.raises(SupervisorError, match="askew resume"):
        person.label(CASES[2:])
    shown = screen.getvalue()
    assert "\x1b" not in shown and "Is it?" in shown
    assert not any(word in shown.lower() for word in ("predict", "hypothes", "epig", "right"))


def test_no_input_at_all_is_stopping() -> None:
    with pytest.raises(SupervisorError):
        HumanSupervisor("Is it?", io.StringIO(""), io.StringIO()).label(CASES[:1])


def test_follow_tells_what_happened_until_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(tmp_path) as journal:
        journal.note("experiment", id="E0", set=None, case={"id": "a", "text": "one", "options": ["no", "yes"]})
        journal.note("answer", experiment="E0", case="a", weak=None, labels_used=1)
        journal.note("run-finished", labels_used=1, why="the rounds are over")
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path), "--follow"])
    shown = capsys.readouterr().out
    assert "asks E0 about the truth: one" in shown
    assert "E0 answered: unsure" in shown
    assert "finished: the rounds are over" in shown
