"""Weak supervisors simulated from the truth: planted mistakes, and error patterns of equal accuracy.

``planted:NAME@STRENGTH+NAME@STRENGTH`` follows the truth except for named mistakes. A name is a short name in
:data:`MISTAKES`, ``keyword=WORD,WORD``, or any attribute of the bank (blanks as hyphens); a minus sign before it
turns the preference round, and ``>AMOUNT`` after it says from how much on it counts, where a text is judged as a whole
(``length>30``; by default more than the median case has). One more term, ``competence@P``, makes it wrong on 1-P of
the cases where no mistake decides, more often on difficult ones. ``askable@P`` lets it be asked about itself, in
words, right that often.

``simulated:PATTERN@ACCURACY`` has the same accuracy whatever its pattern of errors: random flips, errors on
the longest or shortest texts, and errors where a model trained on gold is unsure, or is sure (Burns et al.
2023, "Weak-to-strong generalization", section on simulated errors), or a probe that sees only the first
features of the strong model.

Every answer depends on the case's content and the seed alone: not on its id, order, or how often it is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from askew.agent.supervisors.base import Supervisor
from askew.agent.supervisors.head import fit_head
from askew.agent.supervisors.model import Features, ModelSupervisor, case_features
from askew.errors import InputError
from askew.evals.truth import Truth
from askew.seeds import stream_seed
from askew.tasks.attributes import ATTRIBUTES, OPTION_ATTRIBUTES, OptionAttribute, TextAttribute, keyword, measure
from askew.tasks.case import Case, Split, Task
from askew.tasks.gold import LoadedTask

MISTAKES = {
    "sycophancy": "agreement with the stated opinion",
    "praise": "praise of the reader",
    "length": "length",
    "position": "comes first",
    "confidence": "confidence",
    "authority": "authority",
    "hedging": "-hedging",
}
"""Short names of mistakes; a minus sign means that the supervisor dislikes it."""

ASKABLE = "askable"
"""The term that makes a planted supervisor answer questions about itself (:mod:`askew.evals.askable`)."""
STRENGTH = 0.8
"""How often a mistake decides where it applies, when the name gives no strength."""


def chance(seed: int, purpose: str, case: Case) -> float:
    """A number in [0, 1) fixed by the seed, the purpose and the content of the case."""
    return stream_seed(seed, purpose, case.text, *case.options) / 2**63


@dataclass(frozen=True)
class Mistake:
    """One way of being wrong: which option it picks (``None`` where it doesn't apply), and how often."""

    name: str
    strength: float
    pick: Callable[[Case, int], int | None]
    """From the case and the true option to the option that the mistake prefers."""


@dataclass(frozen=True)
class PlantedSupervisor:
    """Follows the truth except for its mistakes. Where several act on a case, their strengths add up for an option."""

    name: str
    mistakes: tuple[Mistake, ...]
    truth: Callable[[Case], int | None]
    right: Callable[[Case], float]
    """Chance of answering truly where no mistake decides."""
    seed: int
    batch_size: int = 32

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The true option, unless a mistake or a lapse decides; ``None`` where nothing tells the truth."""
        return [self._answer(case) for case in cases]

    def _answer(self, case: Case) -> int | None:
        true = self.truth(case)
        if true is None:
            return None
        votes: Counter[int] = Counter()
        for mistake in self.mistakes:
            picked = mistake.pick(case, true)
            if picked is not None and chance(self.seed, mistake.name, case) < mistake.strength:
                votes[picked] += round(1000 * mistake.strength)
        ranked = votes.most_common(2)
        if len(ranked) == 1 or (len(ranked) == 2 and ranked[0][1] > ranked[1][1]):
            return ranked[0][0]
        return true if chance(self.seed, "lapse", case) < self.right(case) else other_option(self.seed, case, true)


def other_option(seed: int, case: Case, true: int) -> int:
    """A wrong option, fixed by the content of the case."""
    step = 1 + int(chance(seed, "which wrong option", case) * (len(case.options) - 1))
    return (true + step) % len(case.options)


# -- planted mistakes -------------------------------------------------------------------------------


def planted(argument: str, loaded: LoadedTask, truth: Truth, seed: int) -> PlantedSupervisor:
    """The supervisor that ``planted:ARGUMENT`` names. Raises ``InputError`` naming the unusable term."""
    mistakes = []
    competence = 1.0
    for term in argument.split("+"):
        name, strength = _term(term, "planted", STRENGTH)
        if name == "competence":
            competence = strength
        elif name == ASKABLE:
            continue
        else:
            mistakes.append(Mistake(name, strength, mistake_pick(name, loaded.task)))
    right = _competence(competence, loaded.task, truth) if competence < 1 else lambda case: 1.0
    return PlantedSupervisor(f"planted:{argument}", tuple(mistakes), truth, right, seed)


def honesty_of(argument: str) -> float | None:
    """How often a supervisor is right about itself when it is asked in words; ``None`` where it can't be asked."""
    terms = dict(_term(term, "planted", STRENGTH) for term in argument.split("+"))
    return terms.get(ASKABLE)


def _term(term: str, kind: str, default: float) -> tuple[str, float]:
    name, marked, number = term.strip().partition("@")
    try:
        value = float(number) if marked else default
    except ValueError:
        value = -1.0
    if not name or not 0 <= value <= 1:
        raise InputError(f"{kind}: can't read {term!r}, expected NAME@NUMBER with a number from 0 to 1.")
    return name, value


def mistake_pick(name: str, task: Task) -> Callable[[Case, int], int | None]:
    """What a mistake prefers in a case; see the top of this file for the names."""
    name, above = and_level(name)
    if name == "negation" and not task.options_vary:
        negation, least = ATTRIBUTES["negation"], above or 0.0
        return lambda case, true: (true + 1) % len(case.options) if negation.value(case.text) > least else None
    name = MISTAKES.get(name, name)
    sign = -1.0 if name.startswith("-") else 1.0
    attribute = _attribute(name.removeprefix("-"))
    if isinstance(attribute, OptionAttribute) or task.options_vary:
        if above is not None:
            raise InputError(f"planted: {name}>{above:g} has a level, but options are held against each other here.")
        return lambda case, true: _most(measure(attribute, case, task.options_vary), sign)
    usual = float(np.median([measure(attribute, case, False)[0] for case in task.cases]))
    threshold = usual if above is None else above

    def pick(case: Case, true: int) -> int | None:
        more = measure(attribute, case, False)[0] > threshold
        return (len(case.options) - 1 if sign > 0 else 0) if more else None

    return pick


def and_level(name: str) -> tuple[str, float | None]:
    """A mistake's name, and the amount above which it counts, if it says so; a keyword may have any character.

    Raises ``InputError`` where what follows the mark is no number.
    """
    found = re.fullmatch(r"(.+)>(-?\d+(?:\.\d+)?)", name)
    if found is not None:
        return found[1], float(found[2])
    if ">" in name and not name.removeprefix("-").startswith("keyword="):
        raise InputError(f"planted: can't read {name!r}, expected NAME>NUMBER.")
    return name, None


def _attribute(name: str) -> TextAttribute | OptionAttribute:
    if name.startswith("keyword="):
        words = [word.strip() for word in name.removeprefix("keyword=").split(",")]
        if not all(words):
            raise InputError(f"planted: {name!r} has an empty word, expected keyword=WORD or keyword=WORD,WORD.")
        return keyword(*words)
    for registry in (OPTION_ATTRIBUTES, ATTRIBUTES):
        for known, attribute in registry.items():
            if name in (known, known.replace(" ", "-")):
                return attribute
    offered = ", ".join([*MISTAKES, "negation", "keyword=WORD,WORD"])
    raise InputError(
        f"planted: unknown mistake {name!r}, expected {offered}, or an attribute of the bank: "
        + ", ".join(known.replace(" ", "-") for known in (*ATTRIBUTES, *OPTION_ATTRIBUTES))
        + "."
    )


def _most(values: Sequence[float], sign: float) -> int | None:
    """The one option with the most (or least) of an attribute, or ``None`` when two share that."""
    signed = [sign * value for value in values]
    best = max(signed)
    return signed.index(best) if signed.count(best) == 1 else None


def _competence(mean: float, task: Task, truth: Truth) -> Callable[[Case], float]:
    """Chance of being right by difficulty: ``mean`` on average, falling from the easiest to the hardest case.

    A case is as difficult as a head trained on gold finds it, ranked among the task's cases.
    """
    least = 1 / task.n_options
    reach = min(mean - least, 1 - mean)
    if reach < 0:
        raise InputError(f"planted: competence@{mean} is below guessing ({least:.2f}). Expected more than that.")
    easiness = np.sort([truth.surety(case) for case in task.cases])

    def right(case: Case) -> float:
        sure = truth.surety(case)
        places = np.searchsorted(easiness, sure, side="left") + np.searchsorted(easiness, sure, side="right")
        return mean + reach * (float(places) / len(easiness) - 1)  # ranks from -1 to 1, ties in the middle

    return right


# -- patterns of equal accuracy ---------------------------------------------------------------------

PATTERNS = ("flips", "longest", "shortest", "unsure", "sure", "features")


def simulated(argument: str, loaded: LoadedTask, truth: Truth, strong: Features, seed: int) -> Supervisor:
    """The supervisor that ``simulated:ARGUMENT`` names, wrong on the same share of cases for every pattern."""
    pattern, accuracy = _term(argument, "simulated", 0.7)
    if pattern not in PATTERNS:
        raise InputError(f"simulated: unknown pattern {pattern!r}, expected one of {', '.join(PATTERNS)}.")
    if pattern == "features":
        return _first_features(loaded, strong, accuracy)
    criterion = _criterion(pattern, truth, seed)
    known = [case for case in loaded.task.cases if case.id in loaded.gold]
    threshold = float(np.quantile([criterion(case) for case in known], accuracy))

    def err(case: Case, true: int) -> int | None:
        return other_option(seed, case, true) if criterion(case) > threshold else None

    mistake = Mistake(pattern, 1.0, err)
    return PlantedSupervisor(f"simulated:{argument}", (mistake,), truth, lambda case: 1.0, seed)


def _criterion(pattern: str, truth: Truth, seed: int) -> Callable[[Case], float]:
    """Errors go to the cases where this is highest. A little noise by content breaks ties evenly."""

    def size(case: Case) -> float:
        return len(case.text) + chance(seed, "tie", case)

    def sure(case: Case) -> float:
        known = truth.held_out.get(case.id)
        true = truth(case)
        p_K = truth.oracle([case])[0] if known is None else known
        return float(p_K[true]) if true is not None else 0.0

    criteria: dict[str, Callable[[Case], float]] = {
        "flips": lambda case: chance(seed, "flip", case),
        "longest": size,
        "shortest": lambda case: -size(case),
        "sure": sure,
        "unsure": lambda case: -sure(case),
    }
    return criteria[pattern]


def _first_features(loaded: LoadedTask, strong: Features, accuracy: float) -> ModelSupervisor:
    """A probe, trained on gold, that sees the first k features: k is the one whose accuracy is nearest."""
    train = [case for case in loaded.task.split(Split.WEAK) if case.id in loaded.gold]
    held = [case for case in loaded.task.split(Split.VALIDATION) if case.id in loaded.gold]
    inputs, held_inputs = (case_features(cases, strong, loaded.task.options_vary) for cases in (train, held))
    labels_N, held_labels_N = loaded.gold.of(train), loaded.gold.of(held)
    best = (np.inf, 1)
    for k in np.unique(np.geomspace(1, inputs.shape[-1], 12).astype(int)):
        head = fit_head(inputs[..., :k], labels_N, loaded.task.n_options)
        right = float((head.probabilities(held_inputs[..., :k]).argmax(1) == held_labels_N).mean())
        best = min(best, (abs(right - accuracy), int(k)))
    k = best[1]
    return ModelSupervisor.train(
        [(case, int(label)) for case, label in zip(train, labels_N, strict=True)],
        lambda texts: strong(texts)[:, :k],
        loaded.task.options_vary,
        name=f"simulated:features (the first {k})",
    )
