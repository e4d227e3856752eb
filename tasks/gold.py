"""The gold store: the truth, by case id. Only ``askew.evals`` opens it; the import lint enforces that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from askew.tasks.case import Case, Task


class Gold(Mapping[str, int]):
    """Gold labels by case id. Read-only; printing it shows only how many labels it holds."""

    def __init__(self, labels: Mapping[str, int]) -> None:
        self._labels = dict(labels)

    def __getitem__(self, case_id: str) -> int:
        return self._labels[case_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __repr__(self) -> str:
        return f"Gold({len(self)} labels)"

    def of(self, cases: Sequence[Case]) -> NDArray[np.int64]:
        """labels_N of the given cases; raises ``KeyError`` when one has no gold label."""
        return np.array([self._labels[case.id] for case in cases], dtype=np.int64)


@dataclass(frozen=True)
class LoadedTask:
    """What a loader returns: the task (for the agent) and its gold labels (for evals alone)."""

    task: Task
    gold: Gold
    notes: tuple[str, ...] = ()
    """What the loader decided by itself and a person should hear of (splits it drew, characters it dropped)."""
    truth: Callable[[Case], int | None] | None = None
    """Decides the truth of cases that have no gold label, for tasks where code can (arithmetic, chess)."""
    difficulty: Callable[[Case], float] | None = None
    """How hard a case is to judge (higher is harder), for tasks that grade it."""
