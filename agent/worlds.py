"""Ways the supervisor and the truth may be, as drawn from the joint posterior: what experiments are chosen over."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import Hypothesis, Kind


@dataclass(frozen=True)
class Worlds:
    """T draws of everything that is unsure."""

    amount_T_S_M: Array
    """How much each of S subjects matters, in each sense of ``Kind``; 0 in all but one of them."""
    competence_T: Array
    bias_T_K: Array

    def amounts(self, kind: Kind) -> Array:
        """amount_T_S in one sense."""
        amount_T_S: Array = self.amount_T_S_M[:, :, list(Kind).index(kind)]
        return amount_T_S

    def __getitem__(self, rows: NDArray[np.int64]) -> Worlds:
        """Some of the draws."""
        return Worlds(self.amount_T_S_M[rows], self.competence_T[rows], self.bias_T_K[rows])

    def having(self, s: int, hypothesis: Hypothesis | None) -> NDArray[np.int64]:
        """The draws in which a hypothesis of set ``s`` is true; without one, those in which none of the set is.

        All draws, where it was never drawn.
        """
        sense_T_M = np.sign(self.amount_T_S_M[:, s])
        if hypothesis is None:
            true_T = ~sense_T_M.any(axis=1)
        else:
            true_T = sense_T_M[:, list(Kind).index(hypothesis.kind)] == hypothesis.direction
        return np.flatnonzero(true_T if true_T.any() else np.ones_like(true_T))

    def but_for(self, s: int) -> Worlds:
        """The same worlds if set ``s`` did nothing in them."""
        amount_T_S_M = self.amount_T_S_M.copy()
        amount_T_S_M[:, s] = 0.0
        return replace(self, amount_T_S_M=amount_T_S_M)

    def without(self, left_out: int) -> Worlds:
        """The same of all sets but one."""
        return replace(self, amount_T_S_M=np.delete(self.amount_T_S_M, left_out, axis=1))
