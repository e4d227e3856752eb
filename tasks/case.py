"""What a case is, and what a task is: everything the agent may see, and nothing else.

Gold labels are not here. They live in :mod:`askew.tasks.gold`, which the agent may not import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

NonEmpty = Annotated[str, Field(min_length=1)]


class Split(StrEnum):
    """Which part a case plays. ``WEAK`` trains the weak supervisor and is disjoint from all others."""

    WEAK = "weak"
    POOL = "pool"
    VALIDATION = "validation"
    TEST = "test"
    WRITTEN = "written"
    """Not in the task: written or edited by the strong model during a run."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input with K options. It carries no gold label: it has no field for one."""

    id: str
    text: str
    options: tuple[str, ...]
    split: Split = Split.POOL


Attribute = Callable[[Case], Sequence[float]]
"""A deterministic measurement of a case, higher = more of it: K numbers, one per option, or where the options
are class names and the text is what is measured, one number."""

Validator = Callable[[Case], str | None]
"""Why a case written by a model can't be used for the task, or ``None`` when it can."""


def no_objection(case: Case) -> str | None:
    """The default validator: refuse only empty text and repeated options."""
    if not case.text.strip():
        return "empty text"
    if len(set(case.options)) < len(case.options):
        return "options repeat"
    return None


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Pattern:
    """One way of asking: how a text is continued, and for each option a word that may come next."""

    cue: NonEmpty
    words: tuple[NonEmpty, ...]


@dataclass(frozen=True)
class Task:
    """A set of cases and how to talk about them.

    ``question`` is what is asked of every case, in words ("Is this movie review positive or negative?").
    ``noun`` is what the text of a case is called in a prompt ("review"). When ``options_vary`` the options
    are the things judged (two answers, two moves) and differ from case to case; otherwise every case has
    the same options (class names). ``recorded`` holds labels that raters gave before, by rater and case id.
    """

    name: str
    question: str
    noun: str
    cases: tuple[Case, ...]
    cue: str = ""
    """How a text is continued so that the next word is the answer; by default the question itself."""
    patterns: tuple[Pattern, ...] = ()
    """Other ways of asking than by the cue: what the strong model says to all of them is its opinion."""
    options_vary: bool = False
    recorded: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    manner_matters: bool = False
    """Whether how something is said may be what makes it right (a taste, say): then no edit keeps the truth."""
    editable: bool = True
    """Whether harmless words around a text leave its truth as it is; not so of grammar, or of texts in parts."""
    balanced: bool = True
    """Whether each class is right about equally often, as in every built-in task: the student is then held to it."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much it matters that a case's label is right, by case id; 1 where nothing is said."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    validator: Validator = no_objection
    fingerprint: str = ""
    """Digest of the cases as loaded; recorded with every run, so that a resumed run is the same task."""

    @cached_property
    def _by_split(self) -> dict[Split, tuple[Case, ...]]:
        groups: dict[Split, list[Case]] = {split: [] for split in Split}
        for case in self.cases:
            groups[case.split].append(case)
        return {split: tuple(members) for split, members in groups.items()}

    def split(self, split: Split) -> tuple[Case, ...]:
        """The cases of one split, in the task's order."""
        return self._by_split[split]

    def weights_of(self, cases: Sequence[Case]) -> list[float]:
        """How much each case matters."""
        return [self.weights.get(case.id, 1.0) for case in cases]

    @property
    def edits_keep_truth(self) -> bool:
        """Whether a minimal edit shares the truth of the case it was made of."""
        return self.editable and not self.manner_matters

    @property
    def n_options(self) -> int:
        """K, the number of options (the same for every case of a task)."""
        return len(self.cases[0].options)
