"""A person at the terminal: sees the case and its options, never a prediction, a hypothesis or a score."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import TextIO

from askew.agent.supervisors.desk import Desk, Item, labeller_name
from askew.errors import InputError, SupervisorError
from askew.tasks.case import Case
from askew.tasks.text import printable

UNSURE, SKIP, UNDO, STOP = {"u", "unsure", "?"}, {"s", "skip"}, {"z", "undo"}, {"q", "quit"}


class HumanSupervisor:
    """Asks one case at a time. Every answer is on disk before the next question, so stopping loses nothing."""

    name = "human"
    batch_size = 1_000_000
    """A whole round lies on the desk, so that answers of the round can be taken back."""

    def __init__(
        self, question: str, desk: Desk | None = None, keys: TextIO | None = None, screen: TextIO | None = None
    ) -> None:
        self._question = question
        self._desk = desk or Desk(None)
        self._keys, self._screen = keys, screen
        self._who = _who()

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The person's answers; raises ``SupervisorError`` when the person stops."""
        items = [Item(case.id, self._question, case.text, case.options) for case in cases]
        return [label for label, _ in self._asked(items)]

    def clarify(self, name: str, question: str, options: Sequence[str]) -> tuple[int | None, str]:
        """The person's choice in a question about the supervisor itself, and what they add in words."""
        ((label, comment),) = self._asked([Item(name, question, "", tuple(options), clarifies=True)])
        return label, comment

    def _asked(self, items: Sequence[Item]) -> list[tuple[int | None, str]]:
        self._desk.lay_out(items)
        while (item := self._desk.next(self._who)) is not None:
            self._ask(item)
        self._desk.hand_in()
        return [(given.label, given.comment) for given in self._desk.take()]

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
