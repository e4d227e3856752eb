"""The simulation trap: every text ends with what the supervisor will say, so that imitating it takes no thought.

Burns et al. 2023, "Weak-to-strong generalization", append the weak label to the prompt to see how a student fares
when its supervisor is easy to imitate: naive finetuning learns to copy the opinion instead of the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from askew.agent.supervisors.base import Supervisor, answers_new_cases, batch_size, checked_labels
from askew.agent.write import parent_of
from askew.tasks.case import Case
from askew.tasks.gold import LoadedTask
from askew.tasks.text import LETTERS

TRAP = "trap"


@dataclass(frozen=True)
class Trapped:
    """The supervisor behind the trap: it sees the texts as they were, without the opinion."""

    inner: Supervisor
    original: dict[str, Case]
    opinions: dict[str, str]
    """What was put at the end of each case's text."""

    @property
    def name(self) -> str:
        """As on the command line."""
        return f"{TRAP}:{getattr(self.inner, 'name', type(self.inner).__name__)}"

    @property
    def answers_new_cases(self) -> bool:
        """As the one behind the trap."""
        return answers_new_cases(self.inner)

    @property
    def batch_size(self) -> int:
        """As the one behind the trap."""
        return batch_size(self.inner)

    def label(self, cases: Sequence[Case]) -> Sequence[int | None]:
        """Its answers to the texts without the opinion."""
        return self.inner.label([self._as_it_was(case) for case in cases])

    def _as_it_was(self, case: Case) -> Case:
        if case.id in self.original:
            return self.original[case.id]
        # An edit of a case of the task has the opinion in it too, somewhere.
        said = self.opinions.get(parent_of(case.id))
        return case if said is None else replace(case, text=case.text.replace(said, "", 1))


def set_trap(loaded: LoadedTask, supervisor: Supervisor) -> tuple[LoadedTask, Supervisor]:
    """The task with the supervisor's answer at the end of every text, and the supervisor behind it.

    Raises ``SupervisorError`` when it can't answer the task's own cases.
    """
    cases = loaded.task.cases
    said = checked_labels(supervisor, cases)
    opinions = {
        case.id: f" {opinion(case, label, loaded.task.options_vary)}" for case, label in zip(cases, said, strict=True)
    }
    trapped = tuple(replace(case, text=case.text + opinions[case.id]) for case in cases)
    # The fingerprint stays that of the cases as loaded: by it a run is graded, with the trap or without.
    behind = Trapped(supervisor, {case.id: case for case in cases}, opinions)
    return replace(loaded, task=replace(loaded.task, cases=trapped)), behind


def opinion(case: Case, label: int | None, options_vary: bool) -> str:
    """The answer as an opinion in words."""
    if label is None:
        return "I am not sure what to say here."
    return f"I think the answer is {LETTERS[label] if options_vary else case.options[label]}."
