"""Hypotheses and the sets they form: frozen data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NONE_OF_THESE = "h0"
"""The catch-all of every set: the supervisor does not care about the subject."""


class Kind(StrEnum):
    """Which theory a reason belongs to (flattery is liked without making an answer better)."""

    LIKED = "liked"
    """It moves the supervisor's answer and leaves the truth alone."""
    BETTER = "better"
    """It moves the truth, and the supervisor's answer with it."""
    MISLED = "misled"
    """Where there is more of it, the supervisor judges worse, or takes things for their opposite."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """What a subject is measured by: an attribute of the bank, or by what the subject means (``concept``).

    ``option`` is the option that more of it speaks for, where the measure is about the text as a whole.
    ``trust`` in 0..1 says how surely the measure is what the words mean.
    """

    measure: str
    concept: bool
    option: int
    trust: float

    @property
    def measured(self) -> tuple[str, bool, int]:
        """What is measured and what it speaks for, however far it is trusted."""
        return self.measure, self.concept, self.option


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One alternative of a set. ``direction`` is +1 when more of the subject is favoured, else -1."""

    id: str
    statement: str
    kind: Kind
    direction: int
    prior: float


@dataclass(frozen=True, slots=True)
class HypothesisSet:
    """Mutually exclusive alternatives on one subject, plus ``h0``, whose prior is what is left over."""

    id: str
    subject: str
    grounding: Grounding
    hypotheses: tuple[Hypothesis, ...]
    cases: tuple[str, ...]
    why: str
    parents: tuple[str, ...] = ()
    """The set that this one is a narrower reading of, if any."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of its hypotheses, ``h0`` last."""
        return (*(hypothesis.id for hypothesis in self.hypotheses), NONE_OF_THESE)

    @property
    def prior_none(self) -> float:
        """Prior probability of ``h0``."""
        return 1.0 - sum(hypothesis.prior for hypothesis in self.hypotheses)
