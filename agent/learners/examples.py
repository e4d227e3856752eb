"""What can be learned from: labelled cases as a model reads them, and texts to be continued word by word."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from askew.agent.conditional_logit import Array
from askew.agent.representation import RIGHT, WRONG, case_texts
from askew.prompts.loader import load_prompt
from askew.tasks.case import Case, Task


@dataclass(frozen=True, slots=True)
class Example:
    """One case with a soft label.

    Either one text after which each of the K labels is scored, or K texts, one an option, of which each is
    scored as right or wrong.
    """

    texts: tuple[str, ...]
    target_K: tuple[float, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that is learned token by token; what stands before it is read and not learned."""

    text: str
    before: str = ""
    weight: float = 1.0
    given: tuple[tuple[int, int], ...] = ()
    """Parts of the text, from character to character, that are read and not learned either."""


def truth_examples(
    task: Task, cases: Sequence[Case], targets_N_K: Array, weights_N: Sequence[float] | None = None
) -> list[Example]:
    """Examples of the truth, read exactly as the student reads a case for its opinion."""
    return _examples([case_texts(task, case) for case in cases], targets_N_K, weights_N)


def weak_examples(
    task: Task, cases: Sequence[Case], targets_N_K: Array, weights_N: Sequence[float] | None = None
) -> list[Example]:
    """Examples of what the supervisor answers: the same cases under another prompt."""
    return _examples([weak_texts(task, case) for case in cases], targets_N_K, weights_N)


def plain_examples(
    task: Task, cases: Sequence[Case], targets_N_K: Array, weights_N: Sequence[float] | None = None
) -> list[Example]:
    """Examples for an encoder: the text alone, or the text with each option where options vary."""
    texts = [[f"{c.text}\n{o}" for o in c.options] if task.options_vary else [c.text] for c in cases]
    return _examples(texts, targets_N_K, weights_N)


def weak_texts(task: Task, case: Case) -> list[str]:
    """What the student reads to predict the supervisor: one text, or one an option where options vary."""
    if task.options_vary:
        prompt = load_prompt("rate_option")
        return [prompt.render(question=task.question, text=case.text, option=o) for o in case.options]
    return [load_prompt("rate").render(question=task.question, noun=task.noun, text=case.text)]


def label_words(task: Task) -> tuple[str, ...]:
    """The words that are scored at the end of a text: the labels, or right and wrong where options vary."""
    return (RIGHT, WRONG) if task.options_vary else tuple(f" {option}" for option in task.cases[0].options)


def digest(data: Sequence[Example] | Sequence[Passage]) -> str:
    """sha256 of the data in its order: what a card names it by."""
    sha = hashlib.sha256()
    for item in data:
        sha.update(json.dumps(asdict(item), sort_keys=True).encode() + b"\n")
    return sha.hexdigest()


def _examples(texts: Sequence[Sequence[str]], targets_N_K: Array, weights_N: Sequence[float] | None) -> list[Example]:
    weights = [1.0] * len(texts) if weights_N is None else [float(weight) for weight in weights_N]
    return [
        Example(tuple(own), tuple(float(p) for p in target_K), weight)
        for own, target_K, weight in zip(texts, targets_N_K, weights, strict=True)
    ]
