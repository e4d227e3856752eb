"""Step 6, within a set: the posterior over mutually exclusive hypotheses, and whether the set is resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import beta

from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import NONE_OF_THESE, HypothesisSet, Kind

STRENGTHS = (1.0, 2.0)
"""Log-odds per standard deviation of the subject; a hypothesis doesn't say how strong the habit is."""
SLIPS_E = np.array([0.02, 0.08, 0.18, 0.32])
"""Grid over ε, the chance that an answer has nothing to do with the hypothesis; Beta(1, 9) prior."""
CLARIFIED: tuple[Kind | None, ...] = (Kind.BETTER, Kind.LIKED, None)
"""What each answer to a clarifying question says: it matters for the truth, it is only liked, it does neither."""
KNOWS_ITSELF = 0.8
"""How often a person is right about what sways people: more often than not, and far from always."""
_LOG_PRIOR_E = np.log(beta.pdf(SLIPS_E, 1, 9) / beta.pdf(SLIPS_E, 1, 9).sum())


@dataclass(frozen=True, slots=True)
class SetBelief:
    """Posterior of one set's hypotheses; ``h0`` ("none of these") comes last in the arrays."""

    set_id: str
    names: tuple[str, ...]
    p_H: Array
    log_e: float
    """Log e-value of the leading hypothesis against the runner-up."""
    answers_for: int
    answers_against: int

    def probability(self, kind: Kind, hypothesis_set: HypothesisSet) -> float:
        """How probable it is that the subject matters in the sense of ``kind``."""
        kinds = [hypothesis.kind for hypothesis in hypothesis_set.hypotheses]
        return float(sum(p for p, k in zip(self.p_H, kinds, strict=False) if k is kind))

    @property
    def none(self) -> float:
        """Probability of ``h0``."""
        return float(self.p_H[-1])


def predictions(
    hypothesis_set: HypothesisSet, truth_N_K: Array, weak_N_Y_K: Array, effect_N_K: Array
) -> tuple[Array, Array]:
    """What each hypothesis of a set, and ``h0``, predicts for N cases.

    Args:
        hypothesis_set: its hypotheses say in which direction the subject works, and on what.
        truth_N_K: the truth as believed without this set.
        weak_N_Y_K: the supervisor's answer for each possible truth, without this set.
        effect_N_K: φ(x, k) of the set's subject.

    Returns:
        q_H_N_K, the predicted weak label, and r_H_N_K, the predicted truth; ``h0`` is last.
    """
    q_H, r_H = [], []
    for hypothesis in hypothesis_set.hypotheses:
        q_S, r_S = [], []
        for strength in STRENGTHS:
            shift_N_K = hypothesis.direction * strength * effect_N_K
            if hypothesis.kind is Kind.BETTER:
                r_N_K = softmax(np.log(np.maximum(truth_N_K, 1e-12)) + shift_N_K, axis=1)
                answers_N_Y_K = weak_N_Y_K
            else:
                r_N_K = truth_N_K
                answers_N_Y_K = softmax(np.log(np.maximum(weak_N_Y_K, 1e-12)) + shift_N_K[:, None], axis=2)
            r_S.append(r_N_K)
            q_S.append(np.einsum("ny,nyk->nk", r_N_K, answers_N_Y_K))
        q_H.append(np.mean(q_S, axis=0))
        r_H.append(np.mean(r_S, axis=0))
    q_H.append(np.einsum("ny,nyk->nk", truth_N_K, weak_N_Y_K))
    r_H.append(truth_N_K)
    return np.stack(q_H), np.stack(r_H)


def update(
    hypothesis_set: HypothesisSet, q_H_L_K: Array, weak_L: NDArray[np.int64], told: int | None = None
) -> SetBelief:
    """The posterior after L answers: exact, with ε marginalised on a grid.

    The whole history is scored each time, so a hypothesis born late meets the same evidence as the others.
    ``told`` is what a person answered to the clarifying question (an index of :data:`CLARIFIED`).
    """
    prior_H = np.array([h.prior for h in hypothesis_set.hypotheses] + [hypothesis_set.prior_none])
    names = (*(h.id for h in hypothesis_set.hypotheses), NONE_OF_THESE)
    n_options = q_H_L_K.shape[2]
    answered_H_L = np.take_along_axis(q_H_L_K, weak_L[None, :, None], axis=2)[..., 0]
    mixed_E_H_L = (1 - SLIPS_E[:, None, None]) * answered_H_L + SLIPS_E[:, None, None] / n_options
    evidence_H = logsumexp(np.log(mixed_E_H_L).sum(axis=2) + _LOG_PRIOR_E[:, None], axis=0)
    if told is not None:
        kinds = [*(hypothesis.kind for hypothesis in hypothesis_set.hypotheses), None]
        meant_H = np.array([kind is CLARIFIED[told] for kind in kinds])
        evidence_H = evidence_H + np.log(np.where(meant_H, KNOWS_ITSELF, (1 - KNOWS_ITSELF) / 2))
    p_H = np.exp(log_softmax(np.log(prior_H) + evidence_H))
    leader, runner_up = np.argsort(-p_H)[:2]
    # An answer counts for the leader when the leader expected it more than "none of these" did.
    rival = runner_up if leader == len(names) - 1 else len(names) - 1
    lead_L = np.log(answered_H_L[leader]) - np.log(answered_H_L[rival])
    return SetBelief(
        set_id=hypothesis_set.id,
        names=names,
        p_H=p_H,
        log_e=float(evidence_H[leader] - evidence_H[runner_up]),
        answers_for=int((lead_L > 0.05).sum()),
        answers_against=int((lead_L < -0.05).sum()),
    )


def priors(support: Sequence[int], none: float = 0.3, alpha: float = 1.0) -> list[float]:
    """p(h) ∝ (support + α)^½ with ``none`` kept for h0: sampled frequencies are overconfident."""
    weight_H = np.sqrt(np.asarray(support, dtype=np.float64) + alpha)
    return [float(p) for p in (1.0 - none) * weight_H / weight_H.sum()]
