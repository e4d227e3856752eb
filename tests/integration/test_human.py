"""A person at the terminal, and the commands that follow a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from askew.agent.cli import main
from askew.agent.journal import Journal
from askew.agent.supervisors.desk import Desk
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
    person = HumanSupervisor("Is it?", keys=io.StringIO("7\n2\nu\nq\n"), screen=screen)
    assert person.label(CASES[:2]) == [1, None]
    with pytest.raises(SupervisorError, match="askew resume"):
        person.label(CASES[2:])
    shown = screen.getvalue()
    assert "\x1b" not in shown and "Is it?" in shown
    assert not any(word in shown.lower() for word in ("predict", "hypothes", "epig", "right"))


def test_at_the_terminal_answers_can_wait_and_be_taken_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    person = HumanSupervisor("Is it?", desk, io.StringIO("s\n1\nz\n2\n1\n2\n"), io.StringIO())
    # The first waits; the second is answered 1, taken back and answered 2; then the third and the first.
    assert person.label(CASES) == [1, 1, 0]


def test_stopping_in_the_middle_of_a_round_keeps_what_was_answered(tmp_path: Path) -> None:
    with pytest.raises(SupervisorError):
        HumanSupervisor("Is it?", Desk(tmp_path), io.StringIO("2\n1\nq\n"), io.StringIO()).label(CASES)
    assert HumanSupervisor("Is it?", Desk(tmp_path), io.StringIO("u\n"), io.StringIO()).label(CASES) == [1, 0, None]


def test_a_question_in_words_at_the_terminal() -> None:
    person = HumanSupervisor("Is it?", None, io.StringIO("2\nIt Flatters\n"), io.StringIO())
    assert person.clarify("clarify-S1", "Does praise matter?", ["yes", "no"]) == (1, "It Flatters")


def test_no_input_at_all_is_stopping() -> None:
    with pytest.raises(SupervisorError):
        HumanSupervisor("Is it?", keys=io.StringIO(""), screen=io.StringIO()).label(CASES[:1])


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
