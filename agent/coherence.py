"""What the labels of many cases make of one another: each is predicted from all the others.

A ridge regression of the centred labels on the cases' columns predicts scores = C A⁻¹ Cᵀ t, with C the columns of all
options and A = Cᵀ C + prior precision. Without case i itself its scores are (I − B_i)⁻¹ (scores_i − B_i t_i),
B_i = C_i A⁻¹ C_iᵀ: no regression has to be fitted anew.

:func:`cohere` turns a belief of single cases into one that holds together. It is the mean field of the labels whose
mutual predictability internal coherence maximisation looks for by annealing (Wen et al. 2025, "Unsupervised elicitation
of language models"): every case is believed by what is known of it alone and by what the beliefs of the others say of
it, again and again. It stops early, before all that is stationary, which is as right or righter (see LOG.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

from askew.agent.conditional_logit import Array, balance, fit_logit

PULL = 2.0
"""How much more others count than they are seen to tell at first, when they are less sure (see LOG.md)."""
PULL_VARIANCE = 1e4
"""Prior variance of what others tell, in log-odds for one unit of the regression's margin: next to no prior."""
ROUNDS, STEP, UNCHANGED = 60, 0.5, 1e-3
"""At most so many rounds, each half of the way, until no belief changes by more than this."""


@dataclass(frozen=True)
class Others:
    """The regression of N cases' labels on their columns, ready to leave any of them out."""

    root_N_K_D: Array
    """C A^(−1/2)."""
    own_N_K_K: Array
    """B of every case."""

    @classmethod
    def over(cls, columns_N_K_D: Array, variance_D: Array) -> Others:
        """Of the columns, and the prior variance of each coefficient."""
        n, k, d = columns_N_K_D.shape
        flat_NK_D = columns_N_K_D.reshape(n * k, d)
        root_D_D = cholesky(flat_NK_D.T @ flat_NK_D + np.diag(1.0 / variance_D), lower=True)
        root_N_K_D = solve_triangular(root_D_D, flat_NK_D.T, lower=True).T.reshape(n, k, d)
        return cls(root_N_K_D, np.einsum("nkd,njd->nkj", root_N_K_D, root_N_K_D))

    def scores(self, target_N_K: Array) -> Array:
        """scores_N_K that the centred labels give every case, its own among them."""
        scores_N_K: Array = self.root_N_K_D @ np.einsum("nkd,nk->d", self.root_N_K_D, target_N_K)
        return scores_N_K


def left_out(own_B_K_K: Array, scores_B_K: Array, target_B_K: Array) -> Array:
    """scores_B_K of cases without their own labels."""
    k = target_B_K.shape[1]
    rest_B_K = scores_B_K - np.einsum("bkj,bj->bk", own_B_K_K, target_B_K)
    left_out_B_K: Array = np.linalg.solve(np.eye(k) - own_B_K_K, rest_B_K[..., None])[..., 0]
    return left_out_B_K


def cohere(score_N_K: Array, columns_N_K_D: Array, variance_D: Array) -> Array:
    """p_N_K: a belief in which cases say of one another what their options are; every option equally probable.

    Others count as far as what they say of a case is seen to go with what is believed of it alone: not at all where
    columns have nothing to do with the belief. The result is at most as sure as what it is made of, over all cases
    together: that others lean with a case says which way, and not how firmly.

    Args:
        score_N_K: log-odds by which each case is believed alone.
        columns_N_K_D: of the cases.
        variance_D: prior variance of each coefficient.
    """
    others = Others.over(columns_N_K_D, variance_D)
    k = score_N_K.shape[1]
    alone_N_K = score_N_K + balance(score_N_K)
    p_N_K = np.asarray(softmax(alone_N_K, axis=1))
    sure, shift_K = float(p_N_K.max(axis=1).mean()), np.zeros(k)

    def said_by_others() -> Array:
        return left_out(others.own_N_K_K, others.scores(p_N_K - 1.0 / k), p_N_K - 1.0 / k)

    told = fit_logit(said_by_others()[:, :, None], p_N_K, np.array([PULL_VARIANCE])).theta_D[0]
    pull = PULL * max(0.0, float(told))
    for _ in range(ROUNDS):
        held_N_K = alone_N_K + pull * said_by_others()
        shift_K = shift_K + balance(held_N_K + shift_K)
        moved_N_K = STEP * (softmax(held_N_K + shift_K, axis=1) - p_N_K)
        p_N_K = p_N_K + moved_N_K
        if np.abs(moved_N_K).max() < UNCHANGED:
            break
    return _as_sure_as(sure, np.log(np.maximum(p_N_K, 1e-12)))


def _as_sure_as(sure: float, log_p_N_K: Array) -> Array:
    """p_N_K made less sure by one power, so that the likeliest options have the mean probability ``sure``."""

    def excess(power: float) -> float:
        return float(softmax(power * log_p_N_K, axis=1).max(axis=1).mean()) - sure

    power = brentq(excess, 0.0, 1.0) if excess(1.0) > 0.0 > excess(0.0) else 1.0
    p_N_K: Array = np.exp(log_softmax(power * log_p_N_K, axis=1))
    return p_N_K
