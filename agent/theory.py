"""The truth model and the mistake theory, kept apart and fitted together (step 6).

The truth of a case is hidden. Three things bear on it, weighed by expectation-maximisation (Dawid & Skene
1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm"), with the student as
the prior of each case:

* the student: the model's own opinion plus a Bayesian logit on its features;
* the supervisor's answer w: log-odds(w = k) = competence·1[y = k] + Σ_S β_S φ_S(x, k) + bias_k, where
  the β are what it likes beside the truth — the mistake theory;
* the label a written case was meant to have: right with a probability that is estimated, never gold.

Two cases that share their truth by construction (a case and its minimal edit) share one hidden label.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from askew.agent.conditional_logit import Array, Logit, fit_logit

ROUNDS_OF_EM = 10
COMPETENCE_START = 0.6
"""Prior mean of competence in log-odds: right 65% of the time with two options."""
COMPETENCE_VARIANCE = 0.1
WEAK_BIAS_VARIANCE = 0.5
INTENT_START = 0.62
"""Prior mean of P(a written case has the label it was meant to have), worth INTENT_WEIGHT cases."""
INTENT_WEIGHT = 100.0
NONE = -1


@dataclass(frozen=True)
class Evidence:
    """All that bears on the truth of N cases; ``NONE`` where a case has no answer or intended label."""

    columns_N_K_D: Array
    opinion_N_K: Array
    effects_N_K_S: Array
    """φ_S(x, k) of every hypothesis set: what the supervisor may like, beside the truth."""
    weak_N: NDArray[np.int64]
    intended_N: NDArray[np.int64]
    group_N: NDArray[np.int64]
    """Cases with the same number share their truth."""


@dataclass(frozen=True)
class Priors:
    """Prior variances: of truth columns (features, biases), and of effects in the truth and on the weak label."""

    columns_D: Array
    better_S: Array
    liked_S: Array


@dataclass(frozen=True)
class Theory:
    """What is believed after the evidence: the truth model, the mistake theory, and the denoised targets."""

    truth: Logit
    weak: Logit
    intent: float
    targets_N_K: Array
    n_effects: int = field(default=0)

    @property
    def competence(self) -> float:
        """Log-odds with which the supervisor prefers the true option to another, all else equal."""
        return COMPETENCE_START + float(self.weak.theta_D[0])

    def mistakes(self) -> tuple[Array, Array]:
        """weight_S and sd_S of what the supervisor likes beside the truth."""
        effects = slice(1, 1 + self.n_effects)
        return self.weak.theta_D[effects], self.weak.deviations()[effects]

    def truth_of(self, columns_N_K_D: Array, opinion_N_K: Array, effects_N_K_S: Array) -> Array:
        """p_N_K: the student's prediction of the truth."""
        return self.truth.probabilities(np.concatenate([columns_N_K_D, effects_N_K_S], axis=2), opinion_N_K)

    def weak_given_truth(self, effects_N_K_S: Array, bias_N_K_J: Array, theta_J: Array | None = None) -> Array:
        """p_N_Y_K: the supervisor's answer k for each possible truth y, at the mode or at ``theta_J``."""
        theta_J = self.weak.theta_D if theta_J is None else theta_J
        p_N_Y_K: Array = softmax(_weak_scores(theta_J, effects_N_K_S, bias_N_K_J), axis=2)
        return p_N_Y_K

    def weak_of(self, truth_N_K: Array, effects_N_K_S: Array, bias_N_K_J: Array) -> Array:
        """p_N_K: the prediction of the supervisor's answer, the truth marginalised."""
        weak_N_Y_K = self.weak_given_truth(effects_N_K_S, bias_N_K_J)
        p_N_K: Array = np.einsum("ny,nyk->nk", truth_N_K, weak_N_Y_K)
        return p_N_K


def fit_theory(
    evidence: Evidence,
    priors: Priors,
    bias_N_K_J: Array,
    rounds: int = ROUNDS_OF_EM,
    start: Theory | None = None,
    anchor_N_K: Array | None = None,
) -> Theory:
    """Expectation-maximisation; deterministic.

    How reliable a source is must not be judged by a student that has learned from that source: it would
    find itself confirmed, trust the source more, and learn its mistakes. So the supervisor is judged by
    ``anchor_N_K``, and the intended labels by the model's own opinion.

    Args:
        evidence: all cases that bear on the truth.
        priors: prior variances.
        bias_N_K_J: columns for what the supervisor answers whatever the case.
        rounds: rounds of expectation-maximisation.
        start: the last theory; it only speeds up the search.
        anchor_N_K: the truth as predicted before any answer; the model's own opinion by default.
    """
    truth_columns_N_K_D = np.concatenate([evidence.columns_N_K_D, evidence.effects_N_K_S], axis=2)
    variance_D = np.concatenate([priors.columns_D, priors.better_S])
    n_effects = evidence.effects_N_K_S.shape[2]
    labelled_L = np.flatnonzero(evidence.weak_N != NONE)
    weak_variance_J = np.concatenate(
        [[COMPETENCE_VARIANCE], priors.liked_S, np.full(bias_N_K_J.shape[2], WEAK_BIAS_VARIANCE)]
    )
    weak_columns = _weak_columns(evidence.effects_N_K_S[labelled_L], bias_N_K_J[labelled_L])
    weak_logit = Logit(np.zeros(len(weak_variance_J)), np.diag(1 / np.sqrt(weak_variance_J)))
    student_N_K = softmax(evidence.opinion_N_K, axis=1)
    anchor_N_K = student_N_K if anchor_N_K is None else anchor_N_K
    intent = _intent_accuracy(student_N_K, evidence.intended_N)
    truth_logit: Logit | None = start.truth if start and len(start.truth.theta_D) == len(variance_D) else None
    if truth_logit is not None:
        student_N_K = truth_logit.probabilities(truth_columns_N_K_D, evidence.opinion_N_K)
    targets_N_K = student_N_K
    intended_N_Y = _intended_likelihood(evidence, intent)
    for _ in range(rounds):
        answers_N_Y = _answer_likelihood(evidence, weak_logit, bias_N_K_J)
        targets_N_K = _posterior(student_N_K, answers_N_Y + intended_N_Y, evidence.group_N)
        if len(labelled_L):
            judged_N_K = _posterior(anchor_N_K, answers_N_Y, evidence.group_N)
            weak_logit = _fit_weak(weak_columns, judged_N_K[labelled_L], evidence.weak_N[labelled_L], weak_variance_J)
        truth_logit = fit_logit(
            truth_columns_N_K_D,
            targets_N_K,
            variance_D,
            offset_N_K=evidence.opinion_N_K,
            start_D=truth_logit.theta_D if truth_logit else None,
        )
        student_N_K = truth_logit.probabilities(truth_columns_N_K_D, evidence.opinion_N_K)
    assert truth_logit is not None
    return Theory(truth_logit, weak_logit, intent, targets_N_K, n_effects)


def _posterior(student_N_K: Array, likelihood_N_K: Array, group_N: NDArray[np.int64]) -> Array:
    """targets_N_K: the student's belief times what the answers say, pooled over cases that share a truth."""
    _, member_N = np.unique(group_N, return_inverse=True)
    sizes_G = np.bincount(member_N)
    pooled_G_K = np.zeros((len(sizes_G), student_N_K.shape[1]))
    np.add.at(pooled_G_K, member_N, likelihood_N_K)
    prior_G_K = np.zeros_like(pooled_G_K)
    np.add.at(prior_G_K, member_N, np.log(np.maximum(student_N_K, 1e-12)))
    # One truth has one prior: the members' predictions of it are averaged, their answers are added up.
    posterior_G_K: Array = softmax(prior_G_K / sizes_G[:, None] + pooled_G_K, axis=1)
    return posterior_G_K[member_N]


def _intended_likelihood(evidence: Evidence, intent: float) -> Array:
    """loglik_N_Y of the label each case was meant to have; 0 where it was meant for none."""
    k = evidence.opinion_N_K.shape[1]
    loglik_N_Y = np.zeros(evidence.opinion_N_K.shape)
    meant_I = np.flatnonzero(evidence.intended_N != NONE)
    loglik_N_Y[meant_I] = np.log((1 - intent) / (k - 1))
    loglik_N_Y[meant_I, evidence.intended_N[meant_I]] = np.log(intent)
    return loglik_N_Y


def _answer_likelihood(evidence: Evidence, weak: Logit, bias_N_K_J: Array) -> Array:
    """loglik_N_Y of the supervisor's answers; 0 where there is none."""
    loglik_N_Y = np.zeros(evidence.opinion_N_K.shape)
    labelled_L = np.flatnonzero(evidence.weak_N != NONE)
    scores_L_Y_K = _weak_scores(weak.theta_D, evidence.effects_N_K_S[labelled_L], bias_N_K_J[labelled_L])
    logp_L_Y_K = log_softmax(scores_L_Y_K, axis=2)
    loglik_N_Y[labelled_L] += np.take_along_axis(logp_L_Y_K, evidence.weak_N[labelled_L][:, None, None], axis=2)[..., 0]
    return loglik_N_Y


def _intent_accuracy(opinion_N_K: Array, intended_N: NDArray[np.int64]) -> float:
    """P(a written case has the label it was meant to have): how often the model, asked plainly, says so too."""
    meant_I = np.flatnonzero(intended_N != NONE)
    right = (opinion_N_K[meant_I].argmax(axis=1) == intended_N[meant_I]).sum()
    chance = 1.0 / opinion_N_K.shape[1]
    mean = (right + INTENT_START * INTENT_WEIGHT) / (len(meant_I) + INTENT_WEIGHT)
    return float(np.clip(mean, chance, 0.98))


def _weak_columns(effects_L_K_S: Array, bias_L_K_J: Array) -> Array:
    """columns_L_Y_K_J of the supervisor's answer for each possible truth y: competence, effects, biases."""
    n, k, _ = bias_L_K_J.shape
    right_L_Y_K_1 = np.broadcast_to(np.eye(k)[None, :, :, None], (n, k, k, 1))
    liked_L_Y_K_J = np.broadcast_to(
        np.concatenate([effects_L_K_S, bias_L_K_J], axis=2)[:, None],
        (n, k, k, effects_L_K_S.shape[2] + bias_L_K_J.shape[2]),
    )
    return np.concatenate([right_L_Y_K_1, liked_L_Y_K_J], axis=3)


def _weak_scores(theta_J: Array, effects_N_K_S: Array, bias_N_K_J: Array) -> Array:
    """scores_N_Y_K of each answer k for each possible truth y."""
    k = bias_N_K_J.shape[1]
    scores: Array = _weak_columns(effects_N_K_S, bias_N_K_J) @ theta_J + COMPETENCE_START * np.eye(k)
    return scores


def _fit_weak(columns_L_Y_K_J: Array, targets_L_Y: Array, weak_L: NDArray[np.int64], variance_J: Array) -> Logit:
    """The mistake theory, each labelled case counted once for each possible truth, by its probability."""
    n, k, _, j = columns_L_Y_K_J.shape
    answers_L_Y_K = np.broadcast_to(np.eye(k)[weak_L][:, None], (n, k, k))
    return fit_logit(
        columns_L_Y_K_J.reshape(n * k, k, j),
        answers_L_Y_K.reshape(n * k, k),
        variance_J,
        weights_N=targets_L_Y.ravel(),
        offset_N_K=np.tile(COMPETENCE_START * np.eye(k), (n, 1)),
    )
