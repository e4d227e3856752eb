"""Free-form answers: what is right is decided by a function of the user's, not by a list of options.

Rows have ``answers``, as many as there are, and the file of words beside them names the function::

    {"id": "7", "text": "Name a prime above 20.", "answers": ["It is 23.", "21, I think.", "29"]}

    validator = "primes.py:valid"           # in cases.toml; valid("Name a prime above 20.", "It is 23.") -> True

A case is one right and one wrong answer, drawn by the seed. The function also decides the truth of cases that are
written or edited in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from askew.errors import InputError
from askew.tasks.case import Case
from askew.tasks.plugin import load_function

Judge = Callable[[str, str], bool]
"""Whether an answer is right, from the text and the answer."""


def load_judge(spec: str, folder: Path) -> Judge:
    """The user's validator, checked whenever it is called. Raises ``InputError`` when there is none such."""
    valid = load_function(spec, "validator", folder)

    def judge(text: str, answer: str) -> bool:
        try:
            verdict = valid(text, answer)
        except Exception as error:
            raise InputError(
                f"validator {spec} raised {type(error).__name__}: {error} for the text {text[:80]!r} and the answer "
                f"{answer[:80]!r}. It is called as valid(text, answer)."
            ) from error
        if not isinstance(verdict, bool | np.bool_):
            raise InputError(
                f"validator {spec} returned {verdict!r:.80} for the answer {answer[:80]!r}: expected True or False."
            )
        return bool(verdict)

    return judge


def draw_pair(
    judge: Judge, text: str, answers: Sequence[str], rng: np.random.Generator
) -> tuple[tuple[int, int], int] | None:
    """Indices of two answers, and which of the two is right; ``None`` where all are right, or none is."""
    verdicts = np.array([judge(text, answer) for answer in answers], dtype=bool)
    if verdicts.all() or not verdicts.any():
        return None
    right, wrong = (int(rng.choice(np.flatnonzero(which))) for which in (verdicts, ~verdicts))
    return ((right, wrong), 0) if rng.random() < 0.5 else ((wrong, right), 1)


def decided(judge: Judge, case: Case) -> int | None:
    """The only option that the validator takes for right, or ``None``."""
    right = [index for index, option in enumerate(case.options) if judge(case.text, option)]
    return right[0] if len(right) == 1 else None
