"""How a row of a public data set becomes a case with two options and a gold label, the conversion of Burns et al. 2023.

A classification set is read as it is: a text and a label that is 0 or 1. A question with several answers becomes one
text with one of them, drawn at random: the right one half of the time, and the label says whether it is
("Weak-to-strong generalization", appendix A.1). Classes are balanced later, by leaving out what is too many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Record = Mapping[str, Any]
Column = str | Callable[[Record], Any]
"""A column by name, or worked out from the row."""
NO_YES = ("no", "yes")


@dataclass(frozen=True)
class Example:
    """One converted row: the text, its gold label, and what it shares with other rows (a passage), if anything."""

    text: str
    label: int
    group: str | None = None


@dataclass(frozen=True)
class Definition:
    """One public set.

    Attributes:
        repository: its name on the hub.
        question: what is asked of every case.
        text: a template over the row's columns, and ``{answer}`` where one is drawn.
        label: the column that says which class it is, where rows have one label.
        answers: the column with the possible answers, where rows have several.
        right: the index of the right answer, or ``None`` in a row that has none.
        options: the classes; label 1 is the second.
        config: the configuration, where the repository has several.
        train: the split that weak, pool and validation cases are drawn from.
        test: the split that test cases are drawn from.
        group: the column of what several rows share; they stay in one split.
        noun: what a text is called.
        cue: how a text is continued so that the next word is the answer.
        editable: whether harmless words around a text leave its truth as it is.
    """

    repository: str
    question: str
    text: str
    label: Column | None = None
    answers: Column | None = None
    right: Column | None = None
    options: tuple[str, str] = NO_YES
    config: str | None = None
    train: str = "train"
    test: str = "validation"
    group: str | None = None
    noun: str = "text"
    cue: str = ""
    editable: bool = True

    def convert(self, row: Record, rng: np.random.Generator) -> Example | None:
        """The example that a row becomes, or ``None`` for one without a label.

        Raises ``KeyError``, ``TypeError``, ``ValueError`` or ``IndexError`` on a row of another schema.
        """
        group = None if self.group is None else str(row[self.group])
        if self.answers is None:
            label = int(_value(row, self.label))
            return Example(self._said(row), label, group) if label in {0, 1} else None
        answers: Sequence[str] = list(_value(row, self.answers))
        index = _value(row, self.right)
        label = 0 if index is None else int(rng.random() < 0.5)
        wrong = [answer for place, answer in enumerate(answers) if index is None or place != int(index)]
        answer = answers[int(index)] if label else wrong[int(rng.integers(len(wrong)))]
        return Example(self._said({**row, "answer": answer}), label, group)

    def _said(self, columns: Record) -> str:
        """The text; a column that is a list (the turns of a dialogue) is one line each."""
        return self.text.format_map(
            {n: "\n".join(map(str, v)) if isinstance(v, list) else v for n, v in columns.items()}
        )


def _value(row: Record, column: Column | None) -> Any:
    if column is None:
        raise ValueError("a definition without a label needs answers and the right one")
    return row[column] if isinstance(column, str) else column(row)
