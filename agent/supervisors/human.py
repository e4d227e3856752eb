"""A person at the terminal: sees the case and its options, never a prediction, a hypothesis or a score."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from askew.errors import SupervisorError
from askew.tasks.case import Case
from askew.tasks.text import printable

UNSURE, STOP = {"u", "unsure", "?"}, {"q", "quit"}


class HumanSupervisor:
    """Asks one case at a time. Every answer is on disk before the next question, so stopping loses nothing."""

    name = "human"
    batch_size = 1

    def __init__(self, question: str, keys: TextIO | None = None, screen: TextIO | None = None) -> None:
        self._question = question
        self._keys, self._screen = keys, screen
        self._asked = 0

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The person's answers; raises ``SupervisorError`` when the person stops."""
        return [self._ask(case) for case in cases]

    def _ask(self, case: Case) -> int | None:
        keys, screen = self._keys or sys.stdin, self._screen or sys.stderr
        self._asked += 1
        options = "\n".join(f"  {number}  {printable(option)}" for number, option in enumerate(case.options, start=1))
        screen.write(f"\n[{self._asked}] {self._question}\n\n{printable(case.text)}\n\n{options}\n")
        while True:
            screen.write(f"1-{len(case.options)}, u for unsure, q to stop: ")
            screen.flush()
            line = keys.readline()
            answer = line.strip().lower()
            if not line or answer in STOP:
                raise SupervisorError("the person stopped. Go on another day with 'askew resume': no answer is lost.")
            if answer in UNSURE:
                return None
            if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(case.options):
                return int(answer) - 1
