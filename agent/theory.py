"""The mistake theory: why the supervisor answers as it does, given the truth (step 6).

log-odds(w = k) = competence·1[y = k] + Σ_S β_S φ_S(x, k) + habits, where the β are what it likes beside the truth and
the habits are leanings that no hypothesis explains: a bias towards an option, and a small departure along each
feature of the case. The truth y is hidden. It is judged by the *anchor*, the student's belief before any answer: a
student that has learned from a source finds that source confirmed (ADR 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from askew.agent.conditional_logit import Array, Logit, fit_logit

ROUNDS_OF_EM = 5
COMPETENCE_START = 0.6
"""Prior mean of competence in log-odds: right 65% of the time with two options."""
COMPETENCE_VARIANCE = 0.1


@dataclass(frozen=True)
class Answers:
    """L answered cases. ``group_L``: cases with the same number share their truth (a case and its edits)."""

    anchor_L_K: Array
    effects_L_K_S: Array
    habits_L_K_J: Array
    weak_L: NDArray[np.int64]
    group_L: NDArray[np.int64]


@dataclass(frozen=True)
class Theory:
    """What is believed about the supervisor: competence, then S effects, then habits."""

    weak: Logit
    n_effects: int

    @property
    def competence(self) -> float:
        """Log-odds with which the supervisor prefers the true option to another, all else equal."""
        return COMPETENCE_START + float(self.weak.theta_D[0])

    def mistakes(self) -> tuple[Array, Array]:
        """weight_S and sd_S of what the supervisor likes beside the truth."""
        effects = slice(1, 1 + self.n_effects)
        return self.weak.theta_D[effects], self.weak.deviations()[effects]

    def weak_given_truth(self, effects_N_K_S: Array, habits_N_K_J: Array) -> Array:
        """p_N_Y_K: the supervisor's answer k for each possible truth y."""
        p_N_Y_K: Array = softmax(_scores(self.weak.theta_D, effects_N_K_S, habits_N_K_J), axis=2)
        return p_N_Y_K


def fit_theory(answers: Answers, liked_S: Array, habits_J: Array) -> Theory:
    """Weigh competence, likings and habits by expectation-maximisation over the hidden truths.

    Args:
        answers: what was answered; there may be nothing.
        liked_S: prior variance of each set's effect.
        habits_J: prior variance of each habit.
    """
    variance_J = np.concatenate([[COMPETENCE_VARIANCE], liked_S, habits_J])
    weak = Logit(np.zeros(len(variance_J)), np.diag(1 / np.sqrt(variance_J)))
    columns_L_Y_K_J = _columns(answers.effects_L_K_S, answers.habits_L_K_J)
    n, k = answers.anchor_L_K.shape
    if n == 0:
        return Theory(weak, len(liked_S))
    said_LY_K = np.repeat(np.eye(k)[answers.weak_L], k, axis=0)
    offset_LY_K = np.tile(COMPETENCE_START * np.eye(k), (n, 1))
    for _ in range(ROUNDS_OF_EM):
        judged_L_Y = _judged(answers, weak.theta_D)
        weak = fit_logit(
            columns_L_Y_K_J.reshape(n * k, k, -1),
            said_LY_K,
            variance_J,
            weights_N=judged_L_Y.ravel(),
            offset_N_K=offset_LY_K,
            start_D=weak.theta_D,
        )
    return Theory(weak, len(liked_S))


def _judged(answers: Answers, theta_J: Array) -> Array:
    """p_L_Y: the hidden truths by the anchor and the answers, pooled over cases that share a truth."""
    logp_L_Y_K = log_softmax(_scores(theta_J, answers.effects_L_K_S, answers.habits_L_K_J), axis=2)
    answered_L_Y = np.take_along_axis(logp_L_Y_K, answers.weak_L[:, None, None], axis=2)[..., 0]
    _, member_L = np.unique(answers.group_L, return_inverse=True)
    sizes_G = np.bincount(member_L)
    answered_G_Y = np.zeros((len(sizes_G), answered_L_Y.shape[1]))
    prior_G_Y = np.zeros_like(answered_G_Y)
    np.add.at(answered_G_Y, member_L, answered_L_Y)
    np.add.at(prior_G_Y, member_L, np.log(np.maximum(answers.anchor_L_K, 1e-12)))
    # One truth has one prior: the members' predictions of it are averaged, their answers are added up.
    judged_G_Y: Array = softmax(prior_G_Y / sizes_G[:, None] + answered_G_Y, axis=1)
    return judged_G_Y[member_L]


def _columns(effects_N_K_S: Array, habits_N_K_J: Array) -> Array:
    """columns_N_Y_K_J of the answer for each possible truth y: competence, effects, habits."""
    n, k, _ = habits_N_K_J.shape
    right_N_Y_K_1 = np.broadcast_to(np.eye(k)[None, :, :, None], (n, k, k, 1))
    rest_N_1_K_J = np.concatenate([effects_N_K_S, habits_N_K_J], axis=2)[:, None]
    rest_N_Y_K_J = np.broadcast_to(rest_N_1_K_J, (n, k, *rest_N_1_K_J.shape[2:]))
    return np.concatenate([right_N_Y_K_1, rest_N_Y_K_J], axis=3)


def _scores(theta_J: Array, effects_N_K_S: Array, habits_N_K_J: Array) -> Array:
    """scores_N_Y_K of each answer k for each possible truth y."""
    k = habits_N_K_J.shape[1]
    liking_N_K = np.concatenate([effects_N_K_S, habits_N_K_J], axis=2) @ theta_J[1:]
    scores_N_Y_K: Array = liking_N_K[:, None] + (COMPETENCE_START + theta_J[0]) * np.eye(k)
    return scores_N_Y_K
