"""What the student believes is true: its own label-free belief, and the supervisor heard as a second witness.

Two witnesses, each with its own weight:

* the student *unasked*: the model's own opinion plus a Bayesian logit on its features, learned by
  expectation-maximisation (Dawid & Skene 1979, "Maximum likelihood estimation of observer error-rates using the
  EM algorithm") from what else the model knows: the cases it wrote itself, where the label a case was meant to have
  is right with a probability that is estimated, never gold; and cases of the pool as it reads them the other way round
  (:mod:`askew.agent.channel`). No answer of the supervisor enters;
* the supervisor's *leaning*: what it tends to say, as predicted from its answers alone by a second head on the same
  features. A single answer is little; how firmly its answers lean on cases like this one says how likely it is
  right here. What it is believed to merely like is taken out of its answers first.

truth log-odds = trust · unasked + worth · leaning + again + balance. ``trust`` is the probability that the own
opinion has anything to do with what the supervisor answers; ``worth`` is how much the leaning tells the student, by
its unasked belief, about the truth, and less as long as few answers tell what the leaning is (ADR 4). Neither needs a
gold label. Where a taste is judged nobody but the supervisor can say what is right: the own opinion is one more thing
to be weighed by the answers, and does not judge them.

Where options are classes, what it believes of the unlabelled pool it learns *again*, as one head on its features, once
the cases have said of one another what they are (:mod:`askew.agent.coherence`): its opinions of single cases are
noisier than what they have in common.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from askew.agent.belief import answers_by
from askew.agent.coherence import cohere
from askew.agent.conditional_logit import Array, Logit, balance, class_columns, fit_logit

ROUNDS_OF_EM = 10
INTENT_START = 0.62
"""Prior mean of P(a written case has the label it was meant to have), worth INTENT_WEIGHT cases."""
INTENT_WEIGHT = 100.0
TRUST_PRIOR = 0.8
"""Prior probability that the model's own opinion bears on the truth of this task."""
TASTE_VARIANCE = 0.1
"""Prior variance of how many log-odds of somebody's taste one of the own opinion stands for: a few tenths at most."""
COMPETENT = np.linspace(0.6, 0.95, 8)
"""How often a supervisor worth asking is right: a grid with equal prior mass."""
WORTH_START, WORTH_VARIANCE = 1.0, 0.06
"""Prior of the worth of a leaning: taken at its face value where the student has no opinion to judge it by."""


@dataclass(frozen=True)
class Known:
    """Cases of which the model knows something beside its opinion, without any label."""

    columns_N_K_D: Array
    opinion_N_K: Array
    """The model's own log-odds; a fixed part of the student's score."""
    loglik_N_Y: Array
    """Log-likelihood of what else is known, for each possible truth."""

    def and_also(self, other: Known) -> Known:
        """These and others."""
        return Known(
            np.concatenate([self.columns_N_K_D, other.columns_N_K_D]),
            np.concatenate([self.opinion_N_K, other.opinion_N_K]),
            np.concatenate([self.loglik_N_Y, other.loglik_N_Y]),
        )


@dataclass(frozen=True)
class Unasked:
    """The student before any answer, and how often written cases have the label they were meant to have."""

    logit: Logit
    intent: float
    ways: int = 1
    """In how many ways the model was asked, or read: each is a witness that reads the same words as the supervisor."""

    def of(self, columns_N_K_D: Array, opinion_N_K: Array, trust: float = 1.0) -> Array:
        """p_N_K of the truth, as far as the own opinion is trusted: what the supervisor is judged by."""
        p_N_K: Array = softmax(trust * (columns_N_K_D @ self.logit.theta_D + opinion_N_K), axis=1)
        return p_N_K


@dataclass(frozen=True)
class Truth:
    """The student's truth model: heads on one body, and the weights they are heard with."""

    unasked: Unasked
    leaning: Logit
    trust: float
    worth: float
    """Of the leaning as far as it is known."""
    worth_once_known: float
    """The same of a leaning that is known."""
    again_D: Array
    """Coefficients of what it learned of its own belief of the pool; 0 where it learned nothing of it."""
    balance_K: Array

    def of(self, columns_N_K_D: Array, opinion_N_K: Array, better_N_K: Array | float = 0.0) -> Array:
        """p_N_K: the student's prediction of the truth; ``better_N_K`` is what hypothesis sets add to its log-odds."""
        p_N_K: Array = softmax(self.scores(columns_N_K_D, opinion_N_K) + better_N_K, axis=1)
        return p_N_K

    def scores(self, columns_N_K_D: Array, opinion_N_K: Array) -> Array:
        """scores_N_K of the truth by what is known of the leaning."""
        return self._scores(columns_N_K_D, opinion_N_K, self.worth * self.leaning.theta_D)

    def scores_if(self, columns_N_K_D: Array, opinion_N_K: Array, leaning_D: Array) -> Array:
        """scores_N_K of the truth if the leaning were known to have the coefficients ``leaning_D``."""
        return self._scores(columns_N_K_D, opinion_N_K, self.worth_once_known * leaning_D)

    def _scores(self, columns_N_K_D: Array, opinion_N_K: Array, told_D: Array) -> Array:
        own_N_K = self.trust * (columns_N_K_D @ self.unasked.logit.theta_D + opinion_N_K)
        scores_N_K: Array = own_N_K + columns_N_K_D @ (told_D + self.again_D) + self.balance_K
        return scores_N_K


@dataclass(frozen=True)
class Heard:
    """The supervisor's L answers, and its mistakes as they are believed: those are taken out before it is heard."""

    columns_L_K_D: Array
    weak_L: NDArray[np.int64]
    liking_L_K: Array
    """What it merely likes in the cases, in log-odds."""
    kept_L: Array
    """How much of its competence the case leaves it, 1 to -1: below 0 it has the case the wrong way round."""
    counting_L: Array
    """How much each answer counts."""


@dataclass(frozen=True)
class Pool:
    """The unlabelled cases on which the leaning is weighed and the classes are balanced."""

    columns_N_K_D: Array
    opinion_N_K: Array


def meant(columns_N_K_D: Array, opinion_N_K: Array, intended_N: NDArray[np.int64]) -> tuple[Known, float]:
    """Written cases, by the label that each was meant to have, and how often that is right; there may be none."""
    intent = _intent_accuracy(opinion_N_K, intended_N)
    return Known(columns_N_K_D, opinion_N_K, intended_likelihood(opinion_N_K.shape[1], intended_N, intent)), intent


def fit_unasked(known: Known, variance_D: Array, intent: float = INTENT_START, ways: int = 1) -> Unasked:
    """The student from what the model knows of cases without any label.

    Args:
        known: the cases; there may be none.
        variance_D: prior variance of each coefficient.
        intent: how often written cases have the label they were meant to have.
        ways: in how many ways the model was asked, or read.
    """
    scores_N_K = known.opinion_N_K
    logit: Logit | None = None
    for _ in range(ROUNDS_OF_EM):
        targets_N_K = softmax(scores_N_K + known.loglik_N_Y, axis=1)
        start_D = None if logit is None else logit.theta_D
        logit = fit_logit(known.columns_N_K_D, targets_N_K, variance_D, offset_N_K=known.opinion_N_K, start_D=start_D)
        scores_N_K = known.columns_N_K_D @ logit.theta_D + known.opinion_N_K
    assert logit is not None
    return Unasked(logit, intent, ways)


def hear(
    unasked: Unasked,
    trust: float,
    heard: Heard,
    pool: Pool,
    variance_D: Array,
    *,
    balanced: bool,
    taste: bool = False,
    face_value: bool = False,
) -> Truth:
    """The truth after the supervisor's answers.

    Args:
        unasked: the student before them.
        trust: how far its own opinion is trusted (:func:`trust_in`, :func:`taste_for`).
        heard: the answers; there may be none.
        pool: the unlabelled cases.
        variance_D: prior variance of the leaning's coefficients.
        balanced: whether every option is right equally often over the pool (fixed classes of a balanced task); only
            there is the own belief learned again.
        taste: whether only the supervisor can say what is right: its leaning counts at face value.
        face_value: take the leaning for the truth where it speaks, whatever the student thinks of it (a control).
    """
    k = heard.columns_L_K_D.shape[1]
    # An answer is softmax(kept · leaning + liking): what misleads turns round the leaning alone, and not the liking.
    leaning = fit_logit(
        heard.kept_L[:, None, None] * heard.columns_L_K_D,
        np.eye(k)[heard.weak_L],
        variance_D,
        weights_N=heard.counting_L,
        offset_N_K=heard.liking_L_K,
    )
    # Two worlds, averaged in log-odds: the own opinion bears on the truth and can judge the leaning, or it doesn't.
    own_N_K = unasked.of(pool.columns_N_K_D, pool.opinion_N_K)
    # All witnesses read the same words: beside those of a trusted opinion the leaning is one more, and counts as one.
    judged = worth_of(pool.columns_N_K_D @ leaning.theta_D, own_N_K) / (1 + unasked.ways)
    if taste or face_value:
        worth = once_known = WORTH_START
    else:
        known = reliability(leaning, pool.columns_N_K_D)
        worth, once_known = (share * (trust * judged + (1.0 - trust) * WORTH_START) for share in (known, 1.0))
    if face_value:
        trust = 1.0
    truth = Truth(unasked, leaning, trust, worth, once_known, np.zeros(len(variance_D)), np.zeros(k))
    return _learned_again(truth, pool, variance_D) if balanced else truth


def _learned_again(truth: Truth, pool: Pool, variance_D: Array) -> Truth:
    """The truth model after it has learned its own belief of the pool, made coherent."""
    scores_N_K = truth.scores(pool.columns_N_K_D, pool.opinion_N_K)
    again = fit_logit(pool.columns_N_K_D, cohere(scores_N_K, pool.columns_N_K_D, variance_D), variance_D)
    return _balanced(replace(truth, again_D=again.theta_D), pool)


def _balanced(truth: Truth, pool: Pool) -> Truth:
    """Every option is right equally often over the pool."""
    return replace(truth, balance_K=balance(truth.scores(pool.columns_N_K_D, pool.opinion_N_K)))


def trust_in(own_L_K: Array, weak_L: NDArray[np.int64], liking_L_K: Array, kept_L: Array) -> float:
    """The probability that the student's own belief bears on what the supervisor answers.

    If it does, the supervisor agrees with the truth, of which ``own_L_K`` is a belief, as often as a competent
    one would; if it does not, every answer is as likely as any other. The supervisor was chosen by a person as
    better than chance: when answers and opinion have nothing in common, it is the opinion that is off the point; unless
    the answers are to something else than the truth.

    Args:
        own_L_K: the student's own belief of the cases that were answered.
        weak_L: the answers.
        liking_L_K: what the supervisor is believed to merely like in them, in log-odds.
        kept_L: how much of its competence each case leaves it, 1 to -1.
    """
    k = own_L_K.shape[1]
    competence_A = np.log(COMPETENT * (k - 1) / (1 - COMPETENT))
    answers_A_L_Y_K = np.stack([answers_by(competence * kept_L, liking_L_K) for competence in competence_A])
    said_A_L_Y = np.take_along_axis(answers_A_L_Y_K, weak_L[None, :, None, None], axis=3)[..., 0]
    bears, chance = (
        logsumexp(np.log((said_A_L_Y * truth_L_Y).sum(axis=2)).sum(axis=1)) + np.log(prior)
        for truth_L_Y, prior in ((own_L_K, TRUST_PRIOR), (np.full((1, k), 1.0 / k), 1.0 - TRUST_PRIOR))
    )
    return float(np.exp(bears - np.logaddexp(bears, chance)))


def taste_for(own_L_K: Array, weak_L: NDArray[np.int64]) -> float:
    """Log-odds of the supervisor's answer for each of the own belief, 0 to 1: a logistic regression on the answers."""
    log_odds_L_K_1 = np.log(np.maximum(own_L_K, 1e-12))[:, :, None]
    fitted = fit_logit(log_odds_L_K_1, np.eye(own_L_K.shape[1])[weak_L], np.array([TASTE_VARIANCE]))
    return float(np.clip(fitted.theta_D[0], 0.0, 1.0))


def worth_of(leaning_N_K: Array, anchor_N_K: Array) -> float:
    """Log-odds of truth for each unit of the leaning, by the unasked belief of cases that it is sure of.

    A logistic regression of the belief on the leaning. A case counts by how sure the belief is, (K·Σp² − 1)/(K − 1),
    so where there is no opinion the prior stands: the leaning at its face value. Never below 0.
    """
    k = anchor_N_K.shape[1]
    # Rounding may take an even belief a hair below 0, and a weight must not be negative.
    certainty_N = np.maximum(0.0, (k * (anchor_N_K**2).sum(axis=1) - 1.0) / (k - 1.0))
    centred_N_K_1 = (leaning_N_K - leaning_N_K.mean(axis=1, keepdims=True))[:, :, None]
    columns_N_K_J = np.concatenate([centred_N_K_1, class_columns(np.ones((len(leaning_N_K), 1)), k)], axis=2)
    variance_J = np.array([WORTH_VARIANCE, *[1.0] * (columns_N_K_J.shape[2] - 1)])
    fitted = fit_logit(
        columns_N_K_J, anchor_N_K, variance_J, weights_N=certainty_N, offset_N_K=WORTH_START * centred_N_K_1[:, :, 0]
    )
    return float(max(0.0, WORTH_START + fitted.theta_D[0]))


def reliability(leaning: Logit, columns_N_K_D: Array) -> float:
    """The share of a leaning's variance over N cases that is known: 0 before any answer, towards 1 with many.

    What it says of the cases varies by as much as its posterior mean does, and is unsure by as much as its posterior
    varies: reliability in the sense of classical test theory (Lord & Novick 1968, "Statistical theories of mental test
    scores").
    """
    centred_N_K_D = columns_N_K_D - columns_N_K_D.mean(axis=1, keepdims=True)
    # What is said of every case alike tells no case from another, however well it is known.
    centred_N_K_D = centred_N_K_D - centred_N_K_D.mean(axis=0)
    known = float((centred_N_K_D @ leaning.theta_D).var())
    unsure = float(leaning.variances(centred_N_K_D).mean())
    return known / max(known + unsure, 1e-12)


def intended_likelihood(k: int, intended_N: NDArray[np.int64], intent: float) -> Array:
    """loglik_N_Y of the label each case was meant to have."""
    loglik_N_Y = np.full((len(intended_N), k), np.log((1 - intent) / (k - 1)))
    loglik_N_Y[np.arange(len(intended_N)), intended_N] = np.log(intent)
    return loglik_N_Y


def _intent_accuracy(opinion_N_K: Array, intended_N: NDArray[np.int64]) -> float:
    """P(a written case has the label it was meant to have): how often the model, asked plainly, says so too."""
    right = (opinion_N_K.argmax(axis=1) == intended_N).sum()
    mean = (right + INTENT_START * INTENT_WEIGHT) / (len(intended_N) + INTENT_WEIGHT)
    return float(np.clip(mean, 1.0 / opinion_N_K.shape[1], 0.98))
