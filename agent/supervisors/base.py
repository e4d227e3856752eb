"""What a weak supervisor is, and the budgeted desk through which every method asks it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from askew.errors import SupervisorError
from askew.tasks.case import Case


@runtime_checkable
class Supervisor(Protocol):
    """Anything that answers cases.

    An answer is the index of the chosen option, or ``None`` for "unsure". A supervisor may set two more
    attributes: ``answers_new_cases = False`` when it only knows answers given earlier (it is then asked
    nothing but cases of the task), and ``batch_size`` when it prefers several cases a call (default 1, so
    that a killed run loses at most the answer it was waiting for).
    """

    def label(self, cases: Sequence[Case]) -> Sequence[int | None]:
        """One answer for each case, in order."""
        ...


@runtime_checkable
class Clarifies(Protocol):
    """A supervisor that can be asked about itself, in words: a person."""

    def clarify(self, name: str, question: str, options: Sequence[str]) -> tuple[int | None, str]:
        """The chosen option (``None``: unsure) and what was added in words; ``name`` identifies the question."""
        ...


SupervisorFactory = Callable[..., Supervisor]


def answers_new_cases(supervisor: Supervisor) -> bool:
    """Whether cases that the strong model wrote may be put to this supervisor."""
    return bool(getattr(supervisor, "answers_new_cases", True))


def batch_size(supervisor: Supervisor) -> int:
    """How many cases to put to the supervisor at a time."""
    return max(1, int(getattr(supervisor, "batch_size", 1)))


def checked_labels(supervisor: Supervisor, cases: Sequence[Case]) -> list[int | None]:
    """Ask, and refuse answers that can't be labels. Raises ``SupervisorError`` naming the case."""
    name = getattr(supervisor, "name", type(supervisor).__name__)
    try:
        answers = list(supervisor.label(list(cases)))
    except SupervisorError:
        raise
    except Exception as error:
        ids = ", ".join(case.id for case in cases[:3])
        raise SupervisorError(
            f"the supervisor {name} raised {type(error).__name__}: {error} (asked: {ids}). "
            "Mend it and run 'askew resume': answers given so far are kept. If it can only answer recorded "
            "cases, give it answers_new_cases = False."
        ) from error
    if len(answers) != len(cases):
        raise SupervisorError(
            f"the supervisor {name} gave {len(answers)} answers to {len(cases)} cases: expected one each, "
            "None for unsure. Answers given before this are kept; mend it and run 'askew resume'."
        )
    checked: list[int | None] = []
    for case, answer in zip(cases, answers, strict=True):
        if answer is None:
            checked.append(None)
            continue
        index = whole_number(answer)
        if index is None:
            raise SupervisorError(
                f"the supervisor {name} answered {repr(answer)[:80]} to case {case.id!r}: expected the index of an "
                f"option, 0 to {len(case.options) - 1}, or None."
            )
        if not 0 <= index < len(case.options):
            raise SupervisorError(
                f"the supervisor {name} answered {index} to case {case.id!r}: expected 0 to "
                f"{len(case.options) - 1} (its options), or None for unsure."
            )
        checked.append(index)
    return checked


def whole_number(answer: object) -> int | None:
    """The answer as an integer (also NumPy's), or ``None`` where it is something else, a truth value included."""
    try:
        return None if isinstance(answer, bool) else operator.index(answer)  # type: ignore[arg-type]
    except TypeError:
        return None
