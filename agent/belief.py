"""Step 6, within a set: what each of its mutually exclusive hypotheses predicts, and whether the set is resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import HypothesisSet, Kind

STRENGTHS = (1.0, 3.0)
"""Log-odds for each unit of the subject's effect; a hypothesis doesn't say how strong the habit is.

Fewer than the joint posterior weighs: what is asked is chosen by predictions for thousands of candidates.
"""
TAKEN = 0.6
"""Share of the competence that a misleading subject takes away, for each unit of strength."""
KNOWS_ITSELF = 0.8
"""How often a person is right about what sways people: more often than not, and far from always."""
SPEAKS = 0.05
"""Log-likelihood ratio from which an answer speaks for a hypothesis or against it."""
SENSE_DOUBTED = 0.2
"""Share of the belief in a subject whose sense is doubted as long as no edit has tested it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a person answered to a question in words about a set, of a ``kind`` (:mod:`askew.agent.clarify`)."""

    kind: str
    says: Mapping[str, int]
    """By hypothesis: the option that is the true answer if it is."""
    options: int
    answer: int | None
    """``None`` where they were unsure."""


@dataclass(frozen=True, slots=True)
class SetBelief:
    """Posterior of one set's hypotheses; ``h0`` ("none of these") comes last in the arrays."""

    set_id: str
    names: tuple[str, ...]
    p_H: Array
    log_e: float
    """Log e-value for what leads: the hypotheses against "none of these", or that against each of them."""
    answers_for: int
    answers_against: int
    decided_by: int | None
    """Which answer speaks most for what leads; ``None`` where none does."""

    def probability(self, kind: Kind, hypothesis_set: HypothesisSet) -> float:
        """How probable it is that the subject matters in the sense of ``kind``."""
        kinds = [hypothesis.kind for hypothesis in hypothesis_set.hypotheses]
        return float(sum(p for p, k in zip(self.p_H, kinds, strict=False) if k is kind))

    @property
    def none(self) -> float:
        """Probability of ``h0``."""
        return float(self.p_H[-1])

    @property
    def doubted(self) -> bool:
        """Whether the subject is as likely as not, or less, to matter."""
        return self.none >= 0.5

    def resolved(self, alpha: float) -> bool:
        """Whether the e-value for what leads passes 1/alpha: valid whenever it is looked at, and asking may stop."""
        return self.log_e > -float(np.log(alpha))


def unsure_in_which_sense(hypothesis_set: HypothesisSet, p_H: Array, tests: int) -> Array:
    """p_H to choose experiments by: whether a subject matters is taken as believed, in which sense is doubted.

    Before it was ``tests``-ed by edits, answers may have told one sense from another by what the student wrongly thinks
    is true, and nothing would be asked about what is sure. A share of what is believed goes back to the priors
    (Cromwell's rule: Lindley 1985, "Making Decisions").
    """
    prior_H = np.array([hypothesis.prior for hypothesis in hypothesis_set.hypotheses])
    doubt, matters = SENSE_DOUBTED / (1 + tests), p_H[:-1].sum()
    doubted_H = (1.0 - doubt) * p_H[:-1] + doubt * matters * prior_H / prior_H.sum()
    return np.append(doubted_H, p_H[-1])


def predictions(
    hypothesis_set: HypothesisSet,
    truth_N_K: Array,
    weak_N_Y_K: Array,
    effect_N_K: Array,
    origin_N_K: Array,
    presence_N: Array,
) -> tuple[Array, Array]:
    """What each hypothesis of a set, and ``h0``, predicts for N cases.

    Args:
        hypothesis_set: its hypotheses say in which direction the subject works, and on what.
        truth_N_K: the truth as believed without this set.
        weak_N_Y_K: the supervisor's answer for each possible truth, without this set.
        effect_N_K: φ(x, k) of the set's subject.
        origin_N_K: the same in the case of which x is an edit: an edit doesn't change the truth.
        presence_N: how much of the subject there is in the case as a whole, 0 to 1.

    Returns:
        q_H_N_K, the predicted weak label, and r_H_N_K, the predicted truth; ``h0`` is last.
    """
    q_H, r_H = [], []
    for hypothesis in hypothesis_set.hypotheses:
        q_S, r_S = [], []
        for strength in STRENGTHS:
            r_N_K, answers_N_Y_K = truth_N_K, weak_N_Y_K
            amount = hypothesis.direction * strength
            if hypothesis.kind is Kind.BETTER:
                r_N_K = moved(truth_N_K, amount * origin_N_K)
            elif hypothesis.kind is Kind.LIKED:
                liked_N_1_K = amount * effect_N_K[:, None]
                answers_N_Y_K = softmax(np.log(np.maximum(weak_N_Y_K, 1e-12)) + liked_N_1_K, axis=2)
            else:
                answers_N_Y_K = misled(weak_N_Y_K, 1.0 - TAKEN * strength * presence_N)
            r_S.append(r_N_K)
            q_S.append(np.einsum("ny,nyk->nk", r_N_K, answers_N_Y_K))
        q_H.append(np.mean(q_S, axis=0))
        r_H.append(np.mean(r_S, axis=0))
    q_H.append(np.einsum("ny,nyk->nk", truth_N_K, weak_N_Y_K))
    r_H.append(truth_N_K)
    return np.stack(q_H), np.stack(r_H)


def moved(truth_N_K: Array, better_N_K: Array) -> Array:
    """p_N_K of the truth with ``better_N_K`` added to its log-odds."""
    moved_N_K: Array = softmax(np.log(np.maximum(truth_N_K, 1e-12)) + better_N_K, axis=1)
    return moved_N_K


def answers_by(right_N: Array, liking_N_K: Array) -> Array:
    """p_N_Y_K of the answer for each possible truth: in log-odds that is preferred by ``right_N``."""
    answers_N_Y_K: Array = softmax(liking_N_K[:, None] + right_N[:, None, None] * np.eye(liking_N_K.shape[1]), axis=2)
    return answers_N_Y_K


def kept(presence_N_S: Array, misled_S: Array) -> Array:
    """kept_N: the share of its competence that a case leaves the supervisor, -1 to 1.

    Args:
        presence_N_S: how much of each subject there is in a case.
        misled_S: the share of the competence that each subject's presence takes away.
    """
    kept_N: Array = (1.0 - presence_N_S * misled_S).prod(axis=1)
    return np.clip(kept_N, -1.0, 1.0)


def kept_by_others(presence_N_S: Array, misled_S: Array) -> Array:
    """kept_N_S: :func:`kept` by all subjects but one, for each."""
    left_N_S = 1.0 - presence_N_S * misled_S
    before_N_S, after_N_S = np.ones_like(left_N_S), np.ones_like(left_N_S)
    # Not by division: a subject may take all of it away.
    before_N_S[:, 1:] = left_N_S[:, :-1].cumprod(axis=1)
    after_N_S[:, :-1] = left_N_S[:, :0:-1].cumprod(axis=1)[:, ::-1]
    return np.clip(before_N_S * after_N_S, -1.0, 1.0)


def misled(weak_N_Y_K: Array, kept_N: Array) -> Array:
    """The supervisor's answers where it keeps only a share of its competence: 0 is guessing, -1 the wrong way round."""
    k = weak_N_Y_K.shape[1]
    turned_N_Y_K = (weak_N_Y_K.sum(axis=1, keepdims=True) - weak_N_Y_K) / (k - 1)
    taken_N_1_1 = np.clip((1.0 - kept_N) * (k - 1) / k, 0.0, 1.0)[:, None, None]
    answers_N_Y_K: Array = (1.0 - taken_N_1_1) * weak_N_Y_K + taken_N_1_1 * turned_N_Y_K
    return answers_N_Y_K


def told_likelihood(names: Sequence[str], told: Sequence[Told]) -> Array:
    """loglik_H of what a person answered; a hypothesis under which no option is the true answer expects any of them."""
    loglik_H = np.zeros(len(names))
    for one in told:
        if one.answer is not None:
            wrong = (1 - KNOWS_ITSELF) / (one.options - 1)
            for h, name in enumerate(names):
                right = KNOWS_ITSELF if one.says.get(name) == one.answer else wrong
                loglik_H[h] += np.log(right if name in one.says else 1.0 / one.options)
    return loglik_H


def believe(
    hypothesis_set: HypothesisSet, p_H: Array, score_H: Array, q_H_L_K: Array, weak_L: NDArray[np.int64]
) -> SetBelief:
    """The belief in one set.

    Args:
        hypothesis_set: the set.
        p_H: its posterior, ``h0`` last, from the joint posterior of all sets.
        score_H: Σ log q_h(w) of predictions made *before* each answer since the set was born, edits left out: one
            truth is behind a case and its edits, so given the one the other is no news. Ratios of the exponentials
            are e-processes: valid whenever one stops (Ramdas et al. 2023, "Game-theoretic statistics and safe
            anytime-valid inference"), as far as the predictions that are held against each other are calibrated.
            They are made with the competence that is expected of the supervisor, so before much is known of it a
            much worse one than usual passes for evidence. Which hypothesis leads is seen from the answers, so "none
            of these" is held against all others, mixed by their priors; and where it leads itself, the likeliest
            other against it.
        q_H_L_K: what each hypothesis makes of the L cases answered so far.
        weak_L: the answers.
    """
    answered_H_L = np.take_along_axis(q_H_L_K, weak_L[None, :, None], axis=2)[..., 0]
    leader, runner_up = np.argsort(-p_H, kind="stable")[:2]
    # An answer counts for the leader when the leader expected it more than "none of these" did.
    rival = runner_up if leader == len(p_H) - 1 else len(p_H) - 1
    lead_L = np.log(answered_H_L[leader]) - np.log(answered_H_L[rival])
    return SetBelief(
        set_id=hypothesis_set.id,
        names=hypothesis_set.names,
        p_H=p_H,
        log_e=evidence_against_none(hypothesis_set, score_H) if leader < len(p_H) - 1 else evidence_for_none(score_H),
        answers_for=int((lead_L > SPEAKS).sum()),
        answers_against=int((lead_L < -SPEAKS).sum()),
        decided_by=int(lead_L.argmax()) if lead_L.max(initial=0.0) > SPEAKS else None,
    )


def evidence_against_none(hypothesis_set: HypothesisSet, score_H: Array) -> float:
    """Log e of "none of these" against the mixture of the hypotheses.

    At most 1 is expected of e where none is true and its predictions are calibrated (:func:`believe`).
    """
    prior_H = np.array([hypothesis.prior for hypothesis in hypothesis_set.hypotheses])
    return float(logsumexp(score_H[:-1], b=prior_H / prior_H.sum()) - score_H[-1])


def evidence_for_none(score_H: Array) -> float:
    """Log e of every hypothesis against "none of these": the least of them."""
    return float(score_H[-1] - score_H[:-1].max())


def priors(support: Sequence[float], matters: float) -> list[float]:
    """p(h) ∝ support^½ with 1 - ``matters`` kept for h0: sampled frequencies are overconfident."""
    weight_H = np.sqrt(np.asarray(support, dtype=np.float64))
    return [float(p) for p in matters * weight_H / weight_H.sum()]
