"""A simulated supervisor that can be asked about itself, in words, and knows itself only so well.

``planted:…+askable@P``: to a question whether a subject matters for what is right it gives the true answer with
probability P. It is a person who knows the matter: what matters is what goes with the truth over the task's cases, what
sways people is what was planted, and of anything else it says "neither".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from askew.agent.clarify import NOTHING_TO_DO, SWAYS_PEOPLE, makes_right
from askew.agent.conditions import read
from askew.errors import InputError
from askew.evals.simulated import MISTAKES, PlantedSupervisor, and_level, mistake_pick
from askew.seeds import stream
from askew.tasks.attributes import keyword
from askew.tasks.gold import LoadedTask

MATTERS, SWAYS, NEITHER = range(3)
_REASONS = {SWAYS: SWAYS_PEOPLE, NEITHER: NOTHING_TO_DO}
ASKED = 400
"""Cases over which it is seen whether a subject goes with the truth."""
GOES_WITH = 4.0
"""Standard errors from chance at which a subject goes with the truth."""
_SUBJECT = re.compile(r"has (?:more )?'(?P<subject>.+?)'(?: than the other)?:")


@dataclass(frozen=True)
class AskableSupervisor(PlantedSupervisor):
    """A planted supervisor that answers questions in words."""

    known: Callable[[str], tuple[int, str]] = lambda _: (NEITHER, _REASONS[NEITHER])
    """What is true of a subject: an index of the answers to a question, and the reason that is given for a choice."""
    honesty: float = 0.8

    def clarify(self, name: str, question: str, options: Sequence[str]) -> tuple[int | None, str]:
        """The true answer with probability ``honesty``, another one otherwise; unsure about what it can't place."""
        found = _SUBJECT.search(question)
        if found is None:
            return None, ""
        rng = stream(self.seed, "askable", name)
        known, reason = self.known(found["subject"])
        right: int | None = known
        if len(options) <= NEITHER:  # two ways to judge a case: the one with the true reason, if either has
            right = next((index for index, option in enumerate(options) if option.endswith(reason)), None)
        if right is None:
            return None, ""
        if rng.random() < self.honesty:
            return right, ""
        return int((right + rng.integers(1, len(options))) % len(options)), ""


def askable(base: PlantedSupervisor, argument: str, honesty: float, loaded: LoadedTask) -> AskableSupervisor:
    """``base``, planted by ``argument``, that can be asked about itself."""
    swaying = {_plain(_called(and_level(term.partition("@")[0].strip())[0])) for term in argument.split("+")}
    cases = [case for case in loaded.task.cases if case.id in loaded.gold][:ASKED]

    def known(subject: str) -> tuple[int, str]:
        parts = read(subject)
        if parts.above is not None:  # from however much on, it is the same subject
            subject = parts.subject
        if _plain(subject) in swaying:
            return SWAYS, _REASONS[SWAYS]
        try:
            pick = mistake_pick(subject if parts.above is None else f"{subject}>{parts.above}", loaded.task)
            picks = [(pick(case, 0), loaded.gold[case.id]) for case in cases]
        except InputError:  # nothing that is known by that name
            return NEITHER, _REASONS[NEITHER]
        sign = _goes_together(picks, loaded.task.n_options)
        if sign == 0:
            return NEITHER, _REASONS[NEITHER]
        return MATTERS, makes_right(loaded.task, loaded.task.n_options - 1, sign)

    fields = {name: getattr(base, name) for name in ("name", "mistakes", "truth", "right", "seed")}
    return AskableSupervisor(**fields, known=known, honesty=honesty)


def _goes_together(picks: Sequence[tuple[int | None, int]], n_options: int) -> int:
    """1 where the option that has more of a subject is right more often than chance would have it, -1 where less."""
    agreed = [pick == gold for pick, gold in picks if pick is not None]
    if not agreed:
        return 0
    chance = 1.0 / n_options
    errors = float(np.mean(agreed) - chance) / np.sqrt(chance * (1.0 - chance) / len(agreed))
    return int(np.sign(errors)) if abs(errors) > GOES_WITH else 0


def _called(name: str) -> str:
    """What the agent calls a planted mistake: keywords by the name of their attribute."""
    words = name.strip().removeprefix("-").partition("keyword=")[2]
    return keyword(*(word.strip() for word in words.split(","))).name if words else name


def _plain(name: str) -> str:
    """A name of a mistake as its attribute is called."""
    name = name.strip().removeprefix("-")
    return MISTAKES.get(name, name).removeprefix("-").replace("-", " ")
