"""From words to numbers: what a hypothesis about any subject predicts for any case.

A subject is grounded by the attribute of the bank whose description is nearest in meaning; where none is
near, by how near each text is to the subject in meaning. Either way the result is an *effect*,
φ(x, k): how much the subject speaks for option k of case x, in standard deviations over the pool.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from askew.agent.cluster import Embed
from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import Grounding
from askew.tasks.attributes import bank, describe
from askew.tasks.case import Case, Split, Task

NEAR_ENOUGH = 0.45
"""Cosine similarity from which a subject is taken to mean an attribute."""
CONCEPT_TRUST = 0.5
CLIP = 2.5
"""Effects are clipped at this many standard deviations, so that one odd case can't decide."""


class Grounder:
    """Measures subjects on the cases of one task. Scales come from the pool's texts; no labels."""

    def __init__(self, task: Task, embed: Embed) -> None:
        self.task = task
        self._embed = embed
        self._attributes = {**bank(task.options_vary), **task.attributes}
        self._pool = task.split(Split.POOL)
        self._scales: dict[Grounding, tuple[Array, float]] = {}
        self._measured: dict[tuple[Grounding, Case], Array] = {}
        names = list(self._attributes)
        described = [describe(name) if name not in task.attributes else name for name in names]
        self._names, self._described_A_D = names, embed(described)

    def ground(self, subject: str) -> Grounding:
        """The measure that a subject's words mean, with how far it can be trusted."""
        similarity_A = self._described_A_D @ self._embed([subject])[0]
        best = int(similarity_A.argmax())
        last = self.task.n_options - 1
        if similarity_A[best] >= NEAR_ENOUGH:
            return Grounding(self._names[best], False, last, round(float(min(1.0, similarity_A[best])), 3))
        return Grounding(subject, True, last, CONCEPT_TRUST)

    def attributes(self) -> list[Grounding]:
        """Every attribute of the bank that differs between the cases of the pool."""
        last = self.task.n_options - 1
        groundings = [Grounding(name, False, last, 1.0) for name in self._names]
        return [grounding for grounding in groundings if self.varies(grounding)]

    def varies(self, grounding: Grounding) -> bool:
        """Whether the measure tells any cases of the pool apart."""
        return self._scale(grounding)[1] > 1e-9

    def effects(self, groundings: Sequence[Grounding], cases: Sequence[Case]) -> Array:
        """effects_N_K_S of the cases under each grounding; rows are centred over the options."""
        effects_N_K_S = np.zeros((len(cases), self.task.n_options, len(groundings)))
        for s, grounding in enumerate(groundings):
            centre, scale = self._scale(grounding)
            if scale > 1e-9 and cases:
                raw = np.stack(self._measure(grounding, cases))
                effects_N_K_S[:, :, s] = self._oriented((raw - centre) / scale, grounding.option)
        return effects_N_K_S

    def _oriented(self, raw: Array, option: int) -> Array:
        """A measure of the text speaks for ``option``; measures of the options speak for themselves."""
        k = self.task.n_options
        clipped = np.clip(raw, -CLIP, CLIP)
        if raw.shape[1] == 1:
            effect_N_K: Array = clipped * (np.eye(k)[option] - 1.0 / k)
        else:
            effect_N_K = clipped - clipped.mean(axis=1, keepdims=True)
        return effect_N_K

    def _scale(self, grounding: Grounding) -> tuple[Array, float]:
        """Centre and spread over the pool. Options are compared with each other, so they need no centre."""
        if grounding not in self._scales:
            raw = np.stack(self._measure(grounding, self._pool))
            if raw.shape[1] == 1:
                self._scales[grounding] = (np.median(raw, axis=0), float(raw.std()))
            else:
                apart = raw - raw.mean(axis=1, keepdims=True)
                self._scales[grounding] = (np.zeros(raw.shape[1]), float(np.sqrt(2.0) * apart.std()))
        return self._scales[grounding]

    def _measure(self, grounding: Grounding, cases: Sequence[Case]) -> list[Array]:
        """One number, or one an option, for each case; measured once."""
        missing = [case for case in dict.fromkeys(cases) if (grounding, case) not in self._measured]
        if grounding.concept:
            values = self._nearness(grounding.measure, missing)
        else:
            measure = self._attributes[grounding.measure]
            values = [np.asarray(measure(case), dtype=np.float64) for case in missing]
        self._measured |= {(grounding, case): value for case, value in zip(missing, values, strict=True)}
        return [self._measured[grounding, case] for case in cases]

    def _nearness(self, subject: str, cases: Sequence[Case]) -> list[Array]:
        if not cases:
            return []
        vary = self.task.options_vary
        texts = [option for case in cases for option in case.options] if vary else [c.text for c in cases]
        nearness: NDArray[np.float32] = self._embed(texts) @ self._embed([subject])[0]
        return list(nearness.astype(np.float64).reshape(len(cases), -1))
