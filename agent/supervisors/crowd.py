"""Several recorded raters behind one desk: each answer is one rater's, and each rater can be asked alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from askew.agent.supervisors.base import Supervisor
from askew.agent.supervisors.column import ColumnSupervisor
from askew.errors import InputError
from askew.tasks.case import Case, Task


@runtime_checkable
class Crowd(Protocol):
    """A supervisor of several labellers. Methods that weigh labellers ask its members one by one."""

    raters: tuple[str, ...]

    def member(self, rater: str) -> Supervisor:
        """One of ``raters``."""
        ...


class RecordedCrowd:
    """Who answers a case is drawn by the case's id, so that a case has one answer, whoever asks and when."""

    answers_new_cases = False
    batch_size = 64

    def __init__(self, task: Task, raters: Sequence[str]) -> None:
        if len(set(raters)) != len(raters):
            raise InputError(f"a rater is named twice in {'+'.join(raters)!r}: expected different raters.")
        self._members = {rater: ColumnSupervisor(task, rater) for rater in raters}
        self.raters = tuple(raters)
        self.name = f"recorded:{'+'.join(raters)}"

    def member(self, rater: str) -> ColumnSupervisor:
        """One of ``raters``."""
        return self._members[rater]

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """For each case the recorded label of the rater it falls to."""
        return [self._members[self._on_duty(case)].label([case])[0] for case in cases]

    def _on_duty(self, case: Case) -> str:
        return self.raters[int(hashlib.sha256(case.id.encode()).hexdigest(), 16) % len(self.raters)]
