"""A person at the terminal: sees the case and its options, never what is predicted or a score."""

from __future__ import annotations

import getpass
import sys
from typing import TextIO

from askew.agent.supervisors.desk import Desk, DeskSupervisor, Item, labeller_name
from askew.errors import InputError, SupervisorError
from askew.tasks.text import printable

UNSURE, SKIP, UNDO, STOP = {"u", "unsure", "?"}, {"s", "skip"}, {"z", "undo"}, {"q", "quit"}


class HumanSupervisor(DeskSupervisor):
    """Asks one case at a time. Every answer is on disk before the next question, so stopping loses nothing."""

    def __init__(
        self, question: str, desk: Desk | None = None, keys: TextIO | None = None, screen: TextIO | None = None
    ) -> None:
        super().__init__(desk or Desk(None), question)
        self._keys, self._screen = keys, screen
        self._who = _who()

    def _attend(self) -> None:
        """Ask until the desk is answered; raises ``SupervisorError`` when the person stops."""
        while (item := self._desk.next(self._who)) is not None:
            self._ask(item)
        self._desk.hand_in()

    def _ask(self, item: Item) -> None:
        screen = self._screen or sys.stderr
        done, total = self._desk.progress()
        options = "\n".join(f"  {number}  {printable(option)}" for number, option in enumerate(item.options, start=1))
        text = f"{printable(item.text)}\n\n" if item.text else ""
        screen.write(f"\n[{done + 1} of {total}] {printable(item.question)}\n\n{text}{options}\n")
        while True:
            answer = self._read(f"1-{len(item.options)}, u unsure, s later, z undo, q stop: ")
            if answer in UNDO:
                self._desk.undo(self._who)
                return
            if answer in SKIP:
                self._desk.skip(self._who, item.id)
                return
            number = int(answer) if answer.isascii() and answer.isdigit() else 0
            if answer in UNSURE or 1 <= number <= len(item.options):
                comment = self._read("In your own words, or nothing: ", command=False) if item.clarifies else ""
                self._desk.answer(self._who, item.id, None if answer in UNSURE else number - 1, comment)
                return

    def _read(self, prompt: str, command: bool = True) -> str:
        screen, keys = self._screen or sys.stderr, self._keys or sys.stdin
        screen.write(prompt)
        screen.flush()
        line = keys.readline()
        answer = line.strip()
        if not line or (command and answer.lower() in STOP):
            raise SupervisorError("the person stopped. Go on another day with 'askew resume': no answer is lost.")
        return answer.lower() if command else answer


def _who() -> str:
    """The labeller's name: the account's, as far as it has one."""
    try:
        return labeller_name(getpass.getuser())
    except (OSError, KeyError, InputError):
        return "me"
