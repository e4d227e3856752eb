"""A weak supervisor whose answers exist already: one rater of the task's recorded labels."""

from __future__ import annotations

from collections.abc import Sequence

from askew.errors import InputError, SupervisorError
from askew.tasks.case import Case, Task


class ColumnSupervisor:
    """Answers with the labels that ``rater`` gave before; ``None`` where the rater gave none."""

    answers_new_cases = False
    batch_size = 64

    def __init__(self, task: Task, rater: str) -> None:
        if rater not in task.recorded:
            known = ", ".join(task.recorded) or "none at all"
            raise InputError(
                f"task {task.name!r} has no recorded labels {rater!r}: it has {known}. "
                'In a file of cases they are the key "weak": {"NAME": label}.'
            )
        self.name = f"column:{rater}"
        self._labels = task.recorded[rater]
        self._known = {case.id for case in task.cases}

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The recorded label of each case. Raises ``SupervisorError`` on a case that is not the task's."""
        for case in cases:
            if case.id not in self._known:
                raise SupervisorError(
                    f"{self.name} was asked case {case.id!r}, which is not in the task: "
                    "it can only give answers that were recorded."
                )
        return [self._labels.get(case.id) for case in cases]
