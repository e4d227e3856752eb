"""The desk at which people label: what waits for an answer, who gave which, and how to take one back.

One thread, the run's, puts a round's cases on the desk and waits; others, the web page's, take answers. Every answer
is appended to ``labels.jsonl`` in the run folder before it counts, so a day's work survives whatever ends the
process. Answers of the round on the desk can be taken back until the round is handed in; after that they are used.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from askew.agent.lines import append_line, cut_torn_line, read_lines
from askew.errors import InputError
from askew.tasks.case import Case

LABELS = "labels.jsonl"
LONGEST_NAME = 40
LONGEST_COMMENT = 2000


@dataclass(frozen=True, slots=True)
class Item:
    """Something to answer: a case, or a clarifying question in words."""

    id: str
    question: str
    text: str
    options: tuple[str, ...]
    clarifies: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """One answer of one labeller; ``label`` is ``None`` for unsure."""

    item: str
    labeller: str
    label: int | None
    comment: str = ""


class Desk:
    """What waits, and the answers so far. Safe to use from several threads.

    Args:
        folder: where ``labels.jsonl`` is kept; ``None`` keeps nothing (for a run without a folder).
        needed: how many labellers answer each item; the majority counts, and without one it is "unsure".
    """

    def __init__(self, folder: Path | None, needed: int = 1) -> None:
        self._path = None if folder is None else folder / LABELS
        self._needed = needed
        self._changed = threading.Condition()
        self._waiting: dict[str, Item] = {}
        self._given: list[Given] = []
        self._skipped: Counter[tuple[str, str]] = Counter()
        self._shown: dict[tuple[str, str], float] = {}
        self._handed_in = False
        self.over = ""
        """What people are told once nothing more will be asked."""
        if self._path is not None:
            cut_torn_line(self._path)  # never counted
            for record in read_lines(self._path):
                self._apply(record)

    # -- the run's side -----------------------------------------------------------------------------

    def lay_out(self, items: Sequence[Item]) -> None:
        """Put items on the desk; answers that were given on another day count."""
        with self._changed:
            self._waiting = {item.id: item for item in items}
            self._handed_in = False
            self._changed.notify_all()

    def take(self) -> list[Given]:
        """Wait until people have answered everything on the desk and handed it in; the desk is empty then."""
        with self._changed:
            self._changed.wait_for(lambda: self._handed_in)
            combined = [self._combined(item) for item in self._waiting.values()]
            self._waiting = {}
            return combined

    def close(self, news: str) -> None:
        """Nothing more will be asked."""
        with self._changed:
            self.over = news

    # -- the people's side --------------------------------------------------------------------------

    def next(self, labeller: str) -> Item | None:
        """The item that this labeller should answer now: what was skipped comes last."""
        with self._changed:
            left = [item for item in self._waiting.values() if not self._is_done(item, labeller)]
            if not left:
                return None
            chosen = min(left, key=lambda item: self._skipped[labeller, item.id])
            self._shown.setdefault((labeller, chosen.id), time.monotonic())
            return chosen

    def progress(self) -> tuple[int, int]:
        """How many of the items on the desk are answered, and how many there are."""
        with self._changed:
            return sum(self._count(item) >= self._needed for item in self._waiting.values()), len(self._waiting)

    def state(self) -> str:
        """A text that changes whenever there is something new to show."""
        with self._changed:
            return f"{len(self._given)}-{len(self._waiting)}-{self._skipped.total()}-{self.over}"

    def answer(self, labeller: str, item_id: str, label: int | None, comment: str = "") -> None:
        """Keep an answer. Raises ``InputError`` when the item isn't on the desk or has no such option."""
        with self._changed:
            item = self._waiting.get(item_id)
            if item is None:
                raise InputError("that question is no longer on the desk: reload the page.")
            if label is not None and not 0 <= label < len(item.options):
                raise InputError(f"label {label}: expected 0 to {len(item.options) - 1}, or unsure.")
            if self._is_done(item, labeller):
                return  # answered already, in another window
            seconds = time.monotonic() - self._shown.get((labeller, item_id), time.monotonic())
            self._keep(
                {"item": item_id, "labeller": labeller, "label": label, "comment": comment[:LONGEST_COMMENT],
                 "seconds": round(seconds, 2)}
            )  # fmt: skip

    def skip(self, labeller: str, item_id: str) -> None:
        """Show this item again later."""
        with self._changed:
            self._skipped[labeller, item_id] += 1

    def undo(self, labeller: str) -> bool:
        """Take back this labeller's latest answer, if the run hasn't used it; whether there was one."""
        with self._changed:
            mine = [given for given in self._given if given.labeller == labeller and given.item in self._waiting]
            if self._handed_in or not mine:
                return False
            self._keep({"undo": mine[-1].item, "labeller": labeller})
            self._shown.pop((labeller, mine[-1].item), None)
            return True

    def hand_in(self) -> None:
        """Let the run have the answers, once there is one for every item."""
        with self._changed:
            if self._waiting and all(self._count(item) >= self._needed for item in self._waiting.values()):
                self._handed_in = True
                self._changed.notify_all()

    # -- inside -------------------------------------------------------------------------------------

    def _keep(self, record: dict[str, Any]) -> None:
        """On disk first."""
        if self._path is not None:
            append_line(self._path, record)
        self._apply(record)

    def _apply(self, record: dict[str, Any]) -> None:
        if "undo" in record:
            taken = max(
                i for i, g in enumerate(self._given) if (g.item, g.labeller) == (record["undo"], record["labeller"])
            )
            del self._given[taken]
        else:
            self._given.append(Given(record["item"], record["labeller"], record["label"], record["comment"]))

    def _answers(self, item: Item) -> list[Given]:
        return [given for given in self._given if given.item == item.id]

    def _count(self, item: Item) -> int:
        return len(self._answers(item))

    def _is_done(self, item: Item, labeller: str) -> bool:
        answers = self._answers(item)
        return len(answers) >= self._needed or any(given.labeller == labeller for given in answers)

    def _combined(self, item: Item) -> Given:
        answers = self._answers(item)
        votes = Counter(given.label for given in answers if given.label is not None).most_common(2)
        agreed = bool(votes) and (len(votes) == 1 or votes[0][1] > votes[1][1])
        comment = "\n".join(given.comment for given in answers if given.comment)
        return Given(item.id, ", ".join(given.labeller for given in answers), votes[0][0] if agreed else None, comment)


class DeskSupervisor:
    """People at a desk, as a supervisor: a whole round is laid out at once, so that its answers can be taken back."""

    name = "human"
    batch_size = 1_000_000

    def __init__(self, desk: Desk, question: str) -> None:
        self._desk, self._question = desk, question

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """What people answered; waits for them."""
        items = [Item(case.id, self._question, case.text, case.options) for case in cases]
        return [given.label for given in self._answers(items)]

    def clarify(self, name: str, question: str, options: Sequence[str]) -> tuple[int | None, str]:
        """A person's choice in a question about the supervisor itself, and what they add in words."""
        (given,) = self._answers([Item(name, question, "", tuple(options), clarifies=True)])
        return given.label, given.comment

    def _answers(self, items: Sequence[Item]) -> list[Given]:
        if not items:
            return []  # nobody hands in an empty desk
        self._desk.lay_out(items)
        self._attend()
        return self._desk.take()

    def _attend(self) -> None:
        """See that the desk is worked at: here people come by themselves."""


def labeller_name(text: str) -> str:
    """A name as it is kept, or ``InputError``."""
    name = " ".join("".join(c for c in text if c.isprintable()).split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise InputError(f"a name has 1 to {LONGEST_NAME} letters.")
    return name
