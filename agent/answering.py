"""The likelihood behind the joint posterior: how probable answers are if the supervisor is like this or like that.

    p(w) = Σ_y p(y) [(1 - ε) softmax_k(c·1[k = y] + Σ likings φ(k) + bias_k)[w] + ε/K],

in which what makes an option *better* moves p(y), what is *liked* moves the answer, and what *misleads* takes away from
the competence c. A case and its edits share one truth, and what is better is read off the case that was edited: that is
how a pair tells liking from truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import Kind
from askew.agent.infogain import Array32
from askew.agent.worlds import Worlds


@dataclass(frozen=True)
class Evidence:
    """L answers and all that bears on them."""

    prior_L_K: Array
    """The truth as believed before any answer."""
    effects_L_K_S: Array
    """φ of each set's subject in the case that was asked."""
    origin_L_K_S: Array
    """φ of each set's subject in the case of which it is an edit (in itself, where it is none)."""
    presence_L_S: Array
    """How much of the subject there is in the case as a whole, 0 to 1."""
    weak_L: NDArray[np.int64]
    group_L: NDArray[np.int64]
    """Cases with the same number share their truth (a case and its edits)."""

    def __len__(self) -> int:
        return len(self.weak_L)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Evidence:
        """Some of the answers."""
        return Evidence(
            self.prior_L_K[rows],
            self.effects_L_K_S[rows],
            self.origin_L_K_S[rows],
            self.presence_L_S[rows],
            self.weak_L[rows],
            self.group_L[rows],
        )


@dataclass(frozen=True)
class Pull:
    """What V ways of the world do to L answers: what is liked, what is better, and the share of competence kept.

    What is the same in all V ways has one row.
    """

    liking_K_V_L: Array32
    better_K_V_L: Array32
    kept_V_L: Array32

    def __add__(self, other: Pull) -> Pull:
        return Pull(
            self.liking_K_V_L + other.liking_K_V_L,
            self.better_K_V_L + other.better_K_V_L,
            self.kept_V_L * other.kept_V_L,
        )


class Answering:
    """L answers, ready to be held against many ways the world may be."""

    def __init__(self, evidence: Evidence) -> None:
        n, k = evidence.prior_L_K.shape
        self._member_L_G = np.float32(evidence.group_L[:, None] == np.unique(evidence.group_L))
        self._sizes_G = self._member_L_G.sum(axis=0)
        self._prior_K_1_L = single(np.log(np.maximum(evidence.prior_L_K, 1e-12)).T[:, None])
        self._effects_K_S_L = single(np.moveaxis(evidence.effects_L_K_S, (1, 2), (0, 1)))
        self._origin_K_S_L = single(np.moveaxis(evidence.origin_L_K_S, (1, 2), (0, 1)))
        self._presence_S_L = single(evidence.presence_L_S.T)
        self._said_Y_1_L = np.eye(k, dtype=np.float32)[:, None, evidence.weak_L]
        nothing_K_1_L = np.zeros((k, 1, n), dtype=np.float32)
        self.nothing = Pull(nothing_K_1_L, nothing_K_1_L, np.ones((1, n), dtype=np.float32))

    def pull_of(self, kind: Kind | None, sets_V: NDArray[np.int64], amount_V: Array) -> Pull:
        """What each of V subjects does by itself, all in one sense; ``None`` does nothing."""
        none, amount_V_1 = self.nothing, single(amount_V[:, None])
        if kind is None:
            return none
        if kind is Kind.LIKED:
            return Pull(amount_V_1 * self._effects_K_S_L[:, sets_V], none.better_K_V_L, none.kept_V_L)
        if kind is Kind.BETTER:
            return Pull(none.liking_K_V_L, amount_V_1 * self._origin_K_S_L[:, sets_V], none.kept_V_L)
        return Pull(none.liking_K_V_L, none.better_K_V_L, 1.0 - amount_V_1 * self._presence_S_L[sets_V])

    def pull_of_worlds(self, worlds: Worlds) -> Pull:
        """What all subjects together do, in each of T worlds, biases left out."""
        liking_T_S, better_T_S, misled_T_S = (single(worlds.amounts(kind)) for kind in Kind)
        kept_T_L = np.ones((len(misled_T_S), self._presence_S_L.shape[1]), dtype=np.float32)
        for s in np.flatnonzero(misled_T_S.any(axis=0)):
            kept_T_L *= 1.0 - misled_T_S[:, s, None] * self._presence_S_L[s]
        return Pull(liking_T_S @ self._effects_K_S_L, better_T_S @ self._origin_K_S_L, kept_T_L)

    def loglik(self, pull: Pull, bias_V_K: Array, competence_V: Array, slip_V: Array, sharp_V: Array) -> Array:
        """loglik_V of all answers for V ways the world may be; axes of length 1 broadcast.

        The options come first: with few of them that is where numpy adds up fastest.

        Args:
            pull: what the subjects do.
            bias_V_K: log-odds of each option whatever the case.
            competence_V: log-odds with which the true option is preferred.
            slip_V: chance that an answer has nothing to do with the case.
            sharp_V: how much surer (or less sure) the belief of the truth is to be taken.
        """
        c_V_1, slip_V_1, sharp_V_1 = (single(one_V[:, None]) for one_V in (competence_V, slip_V, sharp_V))
        k = len(self._said_Y_1_L)
        liking_K_V_L = pull.liking_K_V_L + single(bias_V_K.T[:, :, None])
        weight_K_V_L = np.exp(liking_K_V_L - liking_K_V_L.max(axis=0))
        # Of the softmax, the true option's weight is exp(competence) times what it would be otherwise.
        boost_V_L = np.expm1(c_V_1 * pull.kept_V_L)
        said_V_L = np.einsum("kvl,kl->vl", weight_K_V_L, self._said_Y_1_L[:, 0])
        answered_Y_V_L = said_V_L * (1.0 + boost_V_L * self._said_Y_1_L)
        answered_Y_V_L = answered_Y_V_L / (weight_K_V_L.sum(axis=0) + weight_K_V_L * boost_V_L)
        answered_Y_V_L = np.log((1 - slip_V_1) * answered_Y_V_L + slip_V_1 / k)
        # One truth has one prior: the members' predictions of it are averaged, their answers are added up.
        prior_Y_V_G = self._pooled(sharp_V_1 * self._prior_K_1_L + pull.better_K_V_L) / self._sizes_G
        joint_Y_V_G = self._pooled(answered_Y_V_L) + prior_Y_V_G
        loglik_V: Array = (_logsumexp(joint_Y_V_G) - _logsumexp(prior_Y_V_G)).sum(axis=1, dtype=np.float64)
        return loglik_V

    def _pooled(self, values_Y_V_L: Array32) -> Array32:
        """Sums over the cases that share a truth."""
        if len(self._sizes_G) == values_Y_V_L.shape[2]:
            return values_Y_V_L
        pooled_Y_V_G: Array32 = values_Y_V_L @ self._member_L_G
        return pooled_Y_V_G


def single(values: Array) -> Array32:
    """In single precision: exponentials and logarithms are what all this consists of, and take half the time."""
    return np.ascontiguousarray(values, dtype=np.float32)


def _logsumexp(values_Y_V_G: Array32) -> Array32:
    """Over the first axis, like ``np.logaddexp.reduce`` of it in a fifth of the time."""
    top_V_G = values_Y_V_G.max(axis=0)
    total_V_G: Array32 = top_V_G + np.log(np.exp(values_Y_V_G - top_V_G).sum(axis=0))
    return total_V_G
