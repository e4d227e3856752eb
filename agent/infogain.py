"""Information gain, in nats: pure functions on arrays of probabilities.

H hypotheses, M nuisance states, C candidates, T target cases, N cases, K options, X sets. ``p`` are
beliefs, ``q`` predicted weak labels, ``r`` predicted truths.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
BLOCK = 200_000
"""(candidate, target) pairs worked on at once: few enough to stay in the processor's cache."""
TINY = np.float32(1e-30)
NOTICED = 2.0
"""Evidence in nats by which one of many improbable hypotheses stands out, so that it gets labels of its own."""


def entropy(p: Array) -> Array:
    """Entropy over the last axis; 0·log 0 is 0."""
    total: Array = -xlogy(p, p).sum(axis=-1)
    return total


def expected_flips(p_H: Array, r_H_N_K: Array, u_N: Array) -> float:
    """F(S): how many predicted truths would change if the set were resolved, weighed by ``u``."""
    now_N = np.einsum("h,hnk->nk", p_H, r_H_N_K).argmax(axis=1)
    changes_H_N = r_H_N_K.argmax(axis=2) != now_N
    return float(u_N @ (p_H @ changes_H_N))


def value_of_resolution(p_H: Array, r_H_N_K: Array, u_N: Array) -> float:
    """V(S): expected value of perfect information about the set, in correct predictions."""
    resolved_N = np.einsum("h,hn->n", p_H, r_H_N_K.max(axis=2))
    unresolved_N = np.einsum("h,hnk->nk", p_H, r_H_N_K).max(axis=1)
    return float(np.maximum(u_N @ (resolved_N - unresolved_N), 0.0))


def eig(p_H: Array, q_H_C_K: Array) -> Array:
    """eig_C: information of each candidate's answer about the hypothesis (nuisance already marginalised)."""
    mixture_C_K = np.einsum("h,hck->ck", p_H, q_H_C_K)
    return np.maximum(entropy(mixture_C_K) - p_H @ entropy(q_H_C_K), 0.0)


def summed_out(p_H_M: Array, q_H_M_C_K: Array) -> Array:
    """q_H_C_K whatever the supervisor's state m, of which p(m|h) is believed.

    :func:`eig` of it is information about h alone: I(w; h), and nothing for what an answer tells of m.
    """
    q_H_C_K: Array = np.einsum("hm,hmck->hck", p_H_M, q_H_M_C_K)
    return q_H_C_K


def epig(p_H: Array, q_H_C_K: Array, r_H_T_K: Array, u_T: Array | None = None) -> Array:
    """epig_C: expected information of each candidate's answer about the truth of the target cases.

    H[w̄] + E_u H[ȳ*] − E_u H[Σ_h p_h q_h(w|x) r_h(y|x*)] (Bickford Smith et al. 2023, "Prediction-oriented
    Bayesian active learning"), the joint as one matrix product for each chunk of candidates.
    """
    c, k = q_H_C_K.shape[1:]
    t, y = r_H_T_K.shape[1:]
    u_T = np.full(t, 1.0 / t) if u_T is None else u_T / u_T.sum()
    answers_C_K, truths_T_Y = np.einsum("h,hck->ck", p_H, q_H_C_K), np.einsum("h,hty->ty", p_H, r_H_T_K)
    target = float(u_T @ entropy(truths_T_Y))
    q_K_C_H = np.ascontiguousarray(q_H_C_K.transpose(2, 1, 0), dtype=np.float32)
    weighted_Y_H_T = np.ascontiguousarray((p_H[:, None, None] * r_H_T_K).transpose(2, 0, 1), dtype=np.float32)
    answers_K_C_1 = answers_C_K.T[:, :, None].astype(np.float32)
    truths_Y_1_T = truths_T_Y.T[:, None].astype(np.float32)
    joint_C = np.empty(c)
    step = max(1, BLOCK // t)
    for start in range(0, c, step):
        rows = slice(start, start + step)
        products = ((q_K_C_H[i, rows] @ weighted_Y_H_T[j] for j in range(y - 1)) for i in range(k - 1))
        joint_C[rows] = _joint_entropy(products, answers_K_C_1[:, rows], truths_Y_1_T, u_T)
    return np.maximum(entropy(answers_C_K) + target - joint_C, 0.0)


def _joint_entropy(
    products: Iterable[Iterable[Array32]], answers_K_B_1: Array32, truths_Y_1_T: Array32, u_T: Array
) -> Array:
    """Entropy_B of (answer, truth) pairs, averaged over the targets by ``u``.

    ``products`` are p(w = i, y = j)_B_T for all answers and truths but the last; what is left to the known marginals
    is p(w = i, last) and p(last, y = j), so one product in K·Y, for two labels, is all that has to be computed.
    """
    total_B = np.zeros(answers_K_B_1.shape[1])
    left_Y = [np.broadcast_to(truths_1_T, (answers_K_B_1.shape[1], truths_1_T.shape[1])) for truths_1_T in truths_Y_1_T]
    for answer_B_1, row in zip(answers_K_B_1, products, strict=False):
        rest_B_T = np.broadcast_to(answer_B_1, left_Y[-1].shape)
        for j, joint_B_T in enumerate(row):
            rest_B_T = rest_B_T - joint_B_T
            left_Y[j] = left_Y[j] - joint_B_T
            total_B += _minus_plogp(joint_B_T) @ u_T
        left_Y[-1] = left_Y[-1] - rest_B_T
        total_B += _minus_plogp(rest_B_T) @ u_T
    for left_B_T in left_Y:
        total_B += _minus_plogp(left_B_T) @ u_T
    return total_B


def _minus_plogp(p: Array32) -> Array32:
    """−p·log p in float32, ten times as fast as xlogy; what rounding left a hair below 0 counts as 0."""
    floored = np.maximum(p, TINY)
    floored *= np.log(floored)
    return np.negative(floored, out=floored)


def joint_batch(
    p_H: Array, q_H_C_K: Array, size: int, score_C: Array, rng: np.random.Generator, exact_states: int = 1024
) -> list[int]:
    """Greedy batch that never asks the same thing twice.

    Each choice maximises the candidate's own score times the share of its information that the batch
    doesn't have yet: I(w; h | batch) / I(w; h), by exact joint entropy over the batch's K^b answers while
    they fit in ``exact_states``. Beyond that the rest is drawn by power sampling (Kirsch et al. 2021,
    "Stochastic batch acquisition"), score × Gumbel noise, which needs no joint.
    """
    h, c, k = q_H_C_K.shape
    alone_C = np.maximum(eig(p_H, q_H_C_K), 1e-12)
    conditional_C = np.einsum("h,hc->c", p_H, entropy(q_H_C_K))
    chosen: list[int] = []
    batch_H_J = np.ones((h, 1))
    available_C = score_C > 0
    while len(chosen) < min(size, int((score_C > 0).sum())) and batch_H_J.shape[1] * k <= exact_states:
        weighted_J_H = (p_H[:, None] * batch_H_J).T
        joint_J_C_K = (weighted_J_H @ q_H_C_K.reshape(h, -1)).reshape(-1, c, k)
        before = float(entropy(weighted_J_H.sum(axis=1)))
        fresh_C = -xlogy(joint_J_C_K, joint_J_C_K).sum(axis=(0, 2)) - before - conditional_C
        gain_C = np.where(available_C, score_C * np.clip(fresh_C / alone_C, 0.0, 1.0), -np.inf)
        best = int(gain_C.argmax())
        chosen.append(best)
        available_C[best] = False
        batch_H_J = (batch_H_J[:, :, None] * q_H_C_K[:, best][:, None]).reshape(h, -1)
    rest = np.flatnonzero(available_C)
    if len(chosen) < size and len(rest):
        noisy = np.log(score_C[rest]) + rng.gumbel(size=len(rest))
        chosen += [int(index) for index in rest[np.argsort(-noisy)][: size - len(chosen)]]
    return chosen


def evidence_expected(q_H_C_K: Array) -> Array:
    """evidence_H_C: the log-likelihood ratio that an answer is expected to give a hypothesis, if it is true.

    In nats, against the last one: KL(q_h ‖ q_last), by which Chernoff (1959, "Sequential design of experiments") ranks
    experiments. The last has no row.
    """
    evidence_H_C: Array = rel_entr(q_H_C_K[:-1], q_H_C_K[-1]).sum(axis=2)
    return evidence_H_C


def screening_batch(evidence_H_C: Array, p_H: Array, allowed_C: NDArray[np.bool_], size: int) -> list[int]:
    """At most ``size`` of C cases by which most of what is true would be noticed, best first; none that tells nothing.

    A true hypothesis is taken to be missed with probability exp(-evidence / NOTICED). What was asked before is in its
    probability: one that was put to the test in vain has little left to be noticed. Where a case has something of many
    subjects, many hypotheses gain: adaptive group testing (Dorfman 1943, "The detection of defective members of large
    populations").

    Args:
        evidence_H_C: of each case for each of H hypotheses, of many sets, as :func:`evidence_expected`.
        p_H: the probability of each.
        allowed_C: which cases may be chosen.
        size: how many.
    """
    missed_H, allowed_C = p_H, allowed_C.copy()
    noticed_H_C = -np.expm1(-evidence_H_C / NOTICED)
    chosen: list[int] = []
    while noticed_H_C.size and len(chosen) < size:
        gain_C = (missed_H @ noticed_H_C) * allowed_C
        best = int(gain_C.argmax())
        if gain_C[best] <= 0:
            break
        chosen.append(best)
        allowed_C[best] = False
        missed_H = missed_H * (1.0 - noticed_H_C[:, best])
    return chosen
