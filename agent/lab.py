"""What a method works with: the task, the supervisor's desk, the student's eyes, and the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from askew.agent.ahead import Early
from askew.agent.cluster import Embed
from askew.agent.conditional_logit import Array
from askew.agent.config import Settings
from askew.agent.journal import Data, Journal
from askew.agent.models.base import LanguageModel
from askew.agent.representation import Representation
from askew.agent.supervisors.base import Supervisor, batch_size, checked_labels
from askew.errors import InputError
from askew.tasks.case import Case, Split, Task

PREDICTED = (Split.TEST, Split.VALIDATION)


@dataclass
class Lab:
    """Everything a method may touch. There is no truth in here."""

    settings: Settings
    task: Task
    supervisor: Supervisor
    model: LanguageModel
    representation: Representation
    embed: Embed
    journal: Journal
    folder: Path
    say: Callable[[str], None] = lambda _: None
    """Where progress goes, for a person who watches."""
    warmed: Callable[[], LanguageModel | None] = lambda: None
    """The student taught to ground its steps; none where prompts alone have to do."""
    early: Early = field(default_factory=Early)
    """Chains that are sampled while the student is retrained."""
    labels_used: int = 0

    def start(self) -> None:
        """Record what is about to run; on resume, refuse another task or other settings."""
        settings = self.settings
        case = self.task.cases[0]
        expected = {
            "task": settings.task, "supervisor": settings.supervisor, "student": settings.student,
            "method": settings.method, "seed": settings.seed, "budget": settings.budget,
            "rounds": settings.rounds, "task_fingerprint": self.task.fingerprint,
            "n_options": self.task.n_options, "options_vary": self.task.options_vary,
            "options": None if self.task.options_vary else list(case.options),
            "question": self.task.question,
        }  # fmt: skip
        recorded = self.journal.fact("run-started", lambda: expected)
        for name, value in expected.items():
            if recorded.get(name) != value:
                raise InputError(
                    f"{self.folder} was started with {name} = {recorded.get(name)!r}, now it is {value!r}. "
                    "Resume with the task and settings it was started with, or choose another --out."
                )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tell whoever watches what is going on, and record how long it took."""
        self.say(f"round {self.journal.round}/{self.settings.rounds} ▸ {name}")
        with self.journal.timed(name):
            yield

    def begin_round(self, number: int) -> None:
        """Record that a round starts."""
        self.journal.round = number
        self.journal.note("round-started", round=number)

    def propose(self, case: Case, data: Data) -> Data:
        """Record why a case is asked, before it is.

        Raises ``RunError`` when the log holds another case here: its answer would be taken for this one's.
        """
        experiment = self.journal.note("experiment", **data)
        self.journal.require_same("case", experiment["case"]["id"], case.id)
        return experiment

    def ask(self, experiments: Sequence[Data]) -> list[int | None]:
        """Put cases to the supervisor, in the given order, each answer recorded before the next is used.

        Raises ``SupervisorError``; what was answered before it is on disk.
        """
        answers: list[int | None] = []
        size = batch_size(self.supervisor)
        for start in range(0, len(experiments), size):
            answers += self._ask_together(experiments[start : start + size])
        return answers

    def _ask_together(self, experiments: Sequence[Data]) -> list[int | None]:
        """One call of the supervisor, for those of the cases whose answer isn't recorded yet."""
        fresh: list[int | None] = []
        answers: list[int | None] = []
        for index, experiment in enumerate(experiments):

            def answer(index: int = index, experiment: Data = experiment) -> Data:
                if not fresh:
                    cases = [case_from(later["case"]) for later in experiments[index:]]
                    fresh.extend(checked_labels(self.supervisor, cases))
                weak = fresh[index - len(experiments)]
                return {
                    "experiment": experiment["id"],
                    "case": experiment["case"]["id"],
                    "weak": weak,
                    "labels_used": self.labels_used + 1,
                }

            data = self.journal.fact("answer", answer)
            self.labels_used = data["labels_used"]
            answers.append(data["weak"])
        return answers

    def predict(self, version: str, truth: dict[Split, Array], weak: dict[Split, Array] | None) -> None:
        """Record what the student predicts; ``evals`` grades it later."""
        for split in PREDICTED:
            if self.task.split(split):
                self.journal.note(
                    "prediction",
                    student_version=version,
                    labels_used=self.labels_used,
                    split=str(split),
                    truth=rounded(truth[split]),
                    weak=rounded(weak[split]) if weak else None,
                )

    def save_heads(self, arrays: dict[str, Array]) -> None:
        """Keep a student's heads as safetensors, with what turns features into what they read."""
        folder = self.folder / "student"
        folder.mkdir(exist_ok=True)
        whole = {**arrays, **self.representation.arrays()}
        save_file({name: np.ascontiguousarray(array) for name, array in whole.items()}, folder / "heads.safetensors")

    def finish(self, why: str) -> None:
        """Record that the run is over."""
        self.journal.note("run-finished", labels_used=self.labels_used, why=why)


def case_data(case: Case) -> Data:
    """A case as a record of the log: as the supervisor sees it, and not where it comes from."""
    return {"id": case.id, "text": case.text, "options": list(case.options)}


def case_from(data: Data, split: Split = Split.POOL) -> Case:
    """The case in a record of the log."""
    return Case(data["id"], data["text"], tuple(data["options"]), split)


def rounded(array: Array) -> list[list[float]]:
    """Probabilities as they stand in the log: six digits."""
    return [[round(float(p), 6) for p in row] for row in array]
