"""Asking a person in words: about the supervisor itself, or how what was said is meant to go on.

Labels alone rarely tell what is better from what is merely liked. A person can say which: does a subject matter, or
does it only sway people? And where two hypotheses would carry what was answered on to other cases in different ways, a
person can choose between the two *generalisations*, shown a case on which they part. Either answer is an experiment
like any other: it costs one label, it is recorded before it is used, and it moves the belief by a likelihood of its
own, since people know themselves only so well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from askew.agent.belief import Told
from askew.agent.conditional_logit import Array
from askew.agent.conditions import more_of
from askew.agent.hypotheses import Hypothesis, HypothesisSet, Kind
from askew.agent.journal import Data
from askew.agent.lab import Lab
from askew.agent.notebook import Notebook
from askew.agent.supervisors.base import Clarifies, whole_number
from askew.agent.update import update_beliefs
from askew.errors import RunError, SupervisorError
from askew.tasks.case import Case, Split, Task
from askew.tasks.text import LETTERS

MATTERS = 0.5
"""Least probability of the two answers together, for a question to be asked."""
UNDECIDED = 0.1
"""Least probability of each of the two."""
REASONS, GENERALISATIONS = "reasons", "generalisations"
SHOWN = 400
"""Characters of a text that a question shows."""
SWAYS_PEOPLE, NOTHING_TO_DO = "that only sways people", "that has nothing to do with it"
_ANSWERS = ("it matters for what is right", "it only sways people", "neither")
_TRUE_UNDER: Mapping[Kind, int] = {Kind.BETTER: 0, Kind.LIKED: 1, Kind.MISLED: 1}
"""People who say that something only sways people mean both that it is liked and that it misleads."""


@dataclass(frozen=True)
class Question:
    """A question in words about one set."""

    about: HypothesisSet
    kind: str
    words: str
    options: tuple[str, ...]
    says: Mapping[str, int]
    """By hypothesis: the option that is the true answer if it is."""
    matched: float
    """Probability of the less probable of the two answers that it is to decide between."""
    case: str | None = None
    """The case that it shows."""


def clarify(lab: Lab, notebook: Notebook) -> None:
    """Ask the question whose two answers are most evenly matched, if there is one and anyone to ask."""
    supervisor = lab.supervisor
    left = lab.settings.budget - lab.labels_used
    # A question may not take the last label: a round without a case would end the run.
    if not isinstance(supervisor, Clarifies) or left < 2 or not notebook.answered():
        return
    asked = max(questions(lab.task, notebook), key=lambda question: question.matched, default=None)
    if asked is None:
        return

    def answer() -> Data:
        name = f"clarify-{lab.settings.method}-{asked.about.id}-{asked.kind}"
        try:
            choice, words = supervisor.clarify(name, asked.words, asked.options)
        except RunError:
            raise
        except Exception as error:
            raise SupervisorError(f"the supervisor raised {type(error).__name__} at a question: {error}") from error
        number = None if choice is None else whole_number(choice)
        if choice is not None and (number is None or not 0 <= number < len(asked.options)):
            raise SupervisorError(
                f"the supervisor answered {choice!r} to a question: expected 0 to {len(asked.options) - 1}, or None."
            )
        return {
            "set": asked.about.id, "asks": asked.kind, "case": asked.case, "question": asked.words,
            "options": list(asked.options), "says": dict(asked.says), "answer": number, "words": str(words or ""),
            "labels_used": lab.labels_used + 1,
        }  # fmt: skip

    told = lab.journal.fact("clarification", answer)
    lab.journal.require_same("about", told["set"], asked.about.id)
    lab.journal.require_same("in words", told["question"], asked.words)
    lab.labels_used = told["labels_used"]
    heard = Told(asked.kind, asked.says, len(asked.options), told["answer"])
    notebook.told.setdefault(asked.about.id, []).append(heard)
    if told["answer"] is not None:
        update_beliefs(notebook)


def questions(task: Task, notebook: Notebook) -> Iterator[Question]:
    """Those worth asking, each kind of each set once; where both would decide the same, the reasons come first."""
    known = [one for one in notebook.sets if one.id in notebook.beliefs]
    for one in known:
        if not _was_asked(notebook, one, REASONS):
            better, liked = (notebook.beliefs[one.id].probability(kind, one) for kind in (Kind.BETTER, Kind.LIKED))
            if _worth_asking(better, liked):
                yield reasons(task, one, min(better, liked))
    parted = [one for one in known if not _was_asked(notebook, one, GENERALISATIONS) and _parted(notebook, one)]
    if parted:
        pool = [case for case in task.split(Split.POOL) if case.id not in notebook.asked]
        for one in parted:
            _, r_H_N_K = notebook.set_predictions(pool, [one])[one.id]
            question = generalisations(task, one, notebook.beliefs[one.id].p_H, r_H_N_K, pool)
            if question is not None:
                yield question


def reasons(task: Task, about: HypothesisSet, matched: float) -> Question:
    """Does the subject matter? In words that give no prediction away."""
    if task.options_vary:
        words = f"When one option has more '{about.subject}' than the other: does that make it the better one?"
    else:
        amount = more_of(about.grounding, about.subject)
        words = f"When a {task.noun} has {amount}: does that change what the right answer is?"
    says = {hypothesis.id: _TRUE_UNDER[hypothesis.kind] for hypothesis in about.hypotheses}
    return Question(about, REASONS, words, _ANSWERS, {**says, about.names[-1]: 2}, matched)


def generalisations(task: Task, about: HypothesisSet, p_H: Array, r_H_N_K: Array, cases: list[Case]) -> Question | None:
    """Which of the two likeliest hypotheses is meant, by the case on which they part most; ``None`` where none does.

    Args:
        task: the task.
        about: the set.
        p_H: its posterior, ``h0`` last.
        r_H_N_K: the truths that each hypothesis predicts for ``cases``.
        cases: N cases that were not asked.
    """
    pair = [int(h) for h in np.argsort(-p_H, kind="stable")[:2]]
    label_H_N = r_H_N_K.argmax(axis=2)
    apart_N = np.abs(r_H_N_K[pair[0]] - r_H_N_K[pair[1]]).sum(axis=1) * (label_H_N[pair[0]] != label_H_N[pair[1]])
    # What is cut off can't be judged: long cases only where no short one will do.
    short_N = np.array([_is_short(case) for case in cases], dtype=np.bool_)
    apart_N = np.where(short_N, apart_N, 0.0) if (apart_N * short_N).any() else apart_N
    if not apart_N.any():
        return None
    n = int(apart_N.argmax())
    pair = sorted(pair, key=lambda h: int(label_H_N[h, n]))  # by the label: which is likelier isn't shown
    labels = [int(label_H_N[h, n]) for h in pair]
    why = [_in_words(task, about, h) for h in pair]
    options = tuple(
        f"{_called(task, cases[n], label)}, since {reason}" for label, reason in zip(labels, why, strict=True)
    )
    meant = list(zip(labels, why, strict=True))
    judged = [(int(label), _in_words(task, about, h)) for h, label in enumerate(label_H_N[:, n])]
    says = {name: meant.index(one) for name, one in zip(about.names, judged, strict=True) if one in meant}
    one_has = "one option has" if task.options_vary else f"a {task.noun} has"
    amount = more_of(about.grounding, about.subject)
    words = f"When {one_has} {amount}: which of two ways to judge one like this is meant? {_shown(task, cases[n])}"
    return Question(about, GENERALISATIONS, words, options, says, float(p_H[pair].min()), cases[n].id)


def _worth_asking(first: float, second: float) -> bool:
    return first + second >= MATTERS and min(first, second) >= UNDECIDED


def _parted(notebook: Notebook, one: HypothesisSet) -> bool:
    """Whether the two likeliest hypotheses of the set share most of the belief, and one of them is about the truth."""
    p_H = notebook.beliefs[one.id].p_H
    first, second = (int(h) for h in np.argsort(-p_H, kind="stable")[:2])
    kinds = [hypothesis.kind for hypothesis in one.hypotheses]
    of_truth = [h < len(kinds) and kinds[h] is Kind.BETTER for h in (first, second)]
    # Who said whether it matters has told these apart already, but for two that say it matters.
    said = any(told.kind == REASONS and told.answer is not None for told in notebook.told.get(one.id, ()))
    return (all if said else any)(of_truth) and _worth_asking(float(p_H[first]), float(p_H[second]))


def _was_asked(notebook: Notebook, one: HypothesisSet, kind: str) -> bool:
    return any(told.kind == kind for told in notebook.told.get(one.id, ()))


def _in_words(task: Task, about: HypothesisSet, h: int) -> str:
    """A hypothesis of a set, or ``h0``, as a reason that a person may give."""
    if h == len(about.hypotheses):
        return NOTHING_TO_DO
    one: Hypothesis = about.hypotheses[h]
    if one.kind is not Kind.BETTER:
        return SWAYS_PEOPLE
    return makes_right(task, about.grounding.option, one.direction)


def makes_right(task: Task, option: int, direction: int) -> str:
    """That more of a subject, or less, makes an option right."""
    right = "an option" if task.options_vary else f"'{task.cases[0].options[option]}'"
    return f"{'more' if direction > 0 else 'less'} of it makes {right} right"


def _called(task: Task, case: Case, option: int) -> str:
    return LETTERS[option] if task.options_vary else f"'{case.options[option]}'"


def _is_short(case: Case) -> bool:
    """Whether a question shows the whole of the case."""
    return len(case.text) <= SHOWN and all(len(option) <= SHOWN // len(case.options) for option in case.options)


def _cut(text: str, length: int) -> str:
    """The text on one line, as far as it is shown."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[:length].rstrip()} …"


def _shown(task: Task, case: Case) -> str:
    """A case on one line; data, whatever it says."""
    shown = f'"{_cut(case.text, SHOWN)}"'
    if not task.options_vary:
        return shown
    each = SHOWN // len(case.options)
    options = (f"{letter}: {_cut(option, each)}" for letter, option in zip(LETTERS, case.options, strict=False))
    return f"{shown} {' '.join(options)}"
