"""Step 6, across sets: one posterior over what every set says at once, since mistakes add up.

A set's alternatives exclude each other; those of different sets don't, and subjects that go together in the cases
(length and the number of sentences) compete for the same answers. So the sets are weighed jointly. Each is in one
*state*: none of these, or one of its hypotheses at one strength. Given the states an answer has an exact likelihood,

    p(w) = Σ_y p(y) [(1 - ε) softmax_k(c·1[k = y] + Σ likings φ(k) + bias_k)[w] + ε/K],

in which what makes an option *better* moves p(y), what is *liked* moves the answer, and what *misleads* takes away from
the competence c. A case and its edits share one truth, and what is better is read off the case that was edited: that is
how a pair tells liking from truth. The posterior is sampled by Gibbs over the states, with a second move that hands an
effect from one subject to another (stochastic search variable selection: George & McCulloch 1993, "Variable selection
via Gibbs sampling"). Probabilities are averages of the exact conditional ones, not counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import HypothesisSet, Kind

STRENGTHS = (0.8, 2.0, 5.0)
"""Log-odds that one unit of a subject's effect stands for; a hypothesis doesn't say how strong the habit is."""
DEGREES = (0.6, 1.0, 1.8)
"""How much competence a misleading subject takes away: most of it, all of it, or more, so that answers turn round."""
COMPETENCE = np.array([0.2, 0.5, 1.0, 1.5, 2.2, 3.5, 5.0])
"""Log-odds with which the supervisor prefers the true option, all else equal."""
LOG_COMPETENCE = np.log(np.array([1.0, 2.0, 3.0, 3.0, 2.0, 1.5, 1.0]) / 13.5)
SLIPS = np.array([0.01, 0.05, 0.15])
"""ε, the chance that an answer has nothing to do with the case."""
LOG_SLIPS = np.log(np.array([0.5, 0.35, 0.15]))
SHARPNESS = np.array([0.5, 1.0, 2.0, 4.0])
"""How much surer (or less sure) the student's belief should be: what it is right about may be more than it knows."""
LOG_SHARPNESS = np.log(np.array([0.2, 0.4, 0.25, 0.15]))
BIASES = np.linspace(-1.5, 1.5, 7)
LOG_BIASES = log_softmax(-0.5 * (BIASES / 0.6) ** 2)
SWEEPS, BURN_IN = 140, 40


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


@dataclass(frozen=True)
class Joint:
    """The posterior. ``p_S`` holds p_H of each set, h0 last; the others are means over everything that is unsure."""

    p_S: tuple[Array, ...]
    liking_S: Array
    """Log-odds of the answer for each unit of a subject's effect."""
    better_S: Array
    """Log-odds of the truth for each unit of a subject's effect."""
    misled_S: Array
    """Share of the competence that a subject's presence takes away; above 1, answers turn round."""
    competence: float


@dataclass(frozen=True)
class _State:
    """What one set may say: a hypothesis (its index in the set, -1 for none of these) at one strength."""

    hypothesis: int
    kind: Kind | None
    amount: float
    log_prior: float


@dataclass(frozen=True)
class _Pull:
    """What V ways of the world do to L answers: what is liked, what is better, and the share of competence kept."""

    liking_K_V_L: Array
    better_K_V_L: Array
    kept_V_L: Array

    def __add__(self, other: _Pull) -> _Pull:
        return _Pull(
            self.liking_K_V_L + other.liking_K_V_L,
            self.better_K_V_L + other.better_K_V_L,
            self.kept_V_L * other.kept_V_L,
        )

    def only(self, v: int) -> _Pull:
        """The pull of one of the V ways."""
        row = slice(v, v + 1)
        return _Pull(self.liking_K_V_L[:, row], self.better_K_V_L[:, row], self.kept_V_L[row])


def weigh(
    sets: Sequence[HypothesisSet],
    evidence: Evidence,
    rng: np.random.Generator,
    *,
    biased: bool,
    log_told: Sequence[Array | None] = (),
    sweeps: int = SWEEPS,
    burn_in: int = BURN_IN,
) -> Joint:
    """The joint posterior of S sets after L answers (there may be none of either).

    Args:
        sets: their hypotheses bring their priors with them.
        evidence: the answers.
        rng: drives the sampler; the same generator and evidence give the same posterior.
        biased: whether the supervisor may lean to an option whatever the case (fixed classes).
        log_told: for each set the log-likelihood_H (h0 last) of what a person said about it in words, if anything.
        sweeps: Gibbs sweeps.
        burn_in: how many of them, the first ones, are not counted.
    """
    told = list(log_told) or [None] * len(sets)
    states = [_states_of(one, said) for one, said in zip(sets, told, strict=True)]
    sampler = _Sampler(states, evidence, biased, rng)
    total_S = [np.zeros(len(own)) for own in states]
    competence = 0.0
    for sweep in range(sweeps):
        conditional_S = sampler.sweep()
        if sweep >= burn_in:
            competence += float(COMPETENCE[sampler.competence])
            total_S = [total_V + p_V for total_V, p_V in zip(total_S, conditional_S, strict=True)]
    counted = sweeps - burn_in
    return _summary(states, [total_V / counted for total_V in total_S], competence / counted)


def _states_of(hypothesis_set: HypothesisSet, told_H: Array | None) -> list[_State]:
    """Every state of a set, none of these first."""
    told_H = np.zeros(len(hypothesis_set.hypotheses) + 1) if told_H is None else told_H
    states = [_State(-1, None, 0.0, float(np.log(hypothesis_set.prior_none) + told_H[-1]))]
    for index, hypothesis in enumerate(hypothesis_set.hypotheses):
        amounts = DEGREES if hypothesis.kind is Kind.MISLED else STRENGTHS
        log_prior = float(np.log(hypothesis.prior / len(amounts)) + told_H[index])
        states += [_State(index, hypothesis.kind, hypothesis.direction * amount, log_prior) for amount in amounts]
    return states


def _summary(states: Sequence[Sequence[_State]], mean_S: Sequence[Array], competence: float) -> Joint:
    p_S = []
    liking_S, better_S, misled_S = np.zeros((3, len(states)))
    for s, (own, mean_V) in enumerate(zip(states, mean_S, strict=True)):
        p_H = np.zeros(max(state.hypothesis for state in own) + 2)
        for state, p in zip(own, mean_V, strict=True):
            p_H[state.hypothesis] += p
            liking_S[s] += p * state.amount * (state.kind is Kind.LIKED)
            better_S[s] += p * state.amount * (state.kind is Kind.BETTER)
            misled_S[s] += p * state.amount * (state.kind is Kind.MISLED)
        p_S.append(p_H / p_H.sum())
    return Joint(tuple(p_S), liking_S, better_S, misled_S, competence)


class _Sampler:
    """The present state of the world, and the moves that change it."""

    def __init__(
        self, states: Sequence[Sequence[_State]], evidence: Evidence, biased: bool, rng: np.random.Generator
    ) -> None:
        n, k = evidence.prior_L_K.shape
        self._states, self._evidence, self._rng = states, evidence, rng
        self._member_L_G = (evidence.group_L[:, None] == np.unique(evidence.group_L)).astype(np.float64)
        self._sizes_G = self._member_L_G.sum(axis=0)
        self._prior_K_1_L = np.log(np.maximum(evidence.prior_L_K, 1e-12)).T[:, None]
        self._effects_K_L_S = np.moveaxis(evidence.effects_L_K_S, 1, 0)
        self._origin_K_L_S = np.moveaxis(evidence.origin_L_K_S, 1, 0)
        self._said_Y_1_L = np.eye(k)[:, None, evidence.weak_L]
        self._biased = range(1, k) if biased else range(0)
        self._pulls = [self._pulls_of(s, own) for s, own in enumerate(states)]
        self._now = [0] * len(states)
        self._nothing = _Pull(np.zeros((k, 1, n)), np.zeros((k, 1, n)), np.ones((1, n)))
        self.competence, self._slip, self._sharp = len(COMPETENCE) // 2, 0, 1
        self._bias_K = np.full(k, len(BIASES) // 2)

    def sweep(self) -> list[Array]:
        """Draw everything once, given all else; the conditional probabilities p_V of every set's states."""
        self._draw_nuisance()
        conditional_S: list[Array] = [np.zeros(0)] * len(self._states)
        for s in self._rng.permutation(len(self._states)):
            conditional_S[int(s)] = self._draw_state(int(s))
        for s in [s for s, v in enumerate(self._now) if v]:
            if self._now[s]:
                self._hand_over(s)
        return conditional_S

    # -- moves ----------------------------------------------------------------------------------------

    def _draw_state(self, s: int) -> Array:
        p_V: Array = softmax(
            self._loglik(self._all_but(s) + self._pulls[s]) + [state.log_prior for state in self._states[s]]
        )
        self._now[s] = int(self._rng.choice(len(p_V), p=p_V))
        return p_V

    def _hand_over(self, s: int) -> None:
        """Give the effect of set s to whichever idle set bears it out best, s itself included."""
        mine = self._states[s][self._now[s]]
        offers = [
            (t, v)
            for t, own in enumerate(self._states)
            if t == s or self._now[t] == 0
            for v, state in enumerate(own)
            if state.kind is mine.kind and abs(state.amount) == abs(mine.amount)
        ]
        offered = [self._pulls[t].only(v) for t, v in offers]
        pull = _Pull(
            np.concatenate([one.liking_K_V_L for one in offered], axis=1),
            np.concatenate([one.better_K_V_L for one in offered], axis=1),
            np.concatenate([one.kept_V_L for one in offered]),
        )
        odds = [self._states[t][v].log_prior - self._states[t][0].log_prior for t, v in offers]
        t, v = offers[self._draw(self._loglik(self._all_but(s) + pull) + odds)]
        self._now[s] = 0
        self._now[t] = v

    def _draw_nuisance(self) -> None:
        """Draw competence, slips, sharpness and biases."""
        pull = self._all_but(None)
        self.competence = self._draw(self._loglik(pull, competence_V=COMPETENCE) + LOG_COMPETENCE)
        self._slip = self._draw(self._loglik(pull, slip_V=SLIPS) + LOG_SLIPS)
        self._sharp = self._draw(self._loglik(pull, sharp_V=SHARPNESS) + LOG_SHARPNESS)
        for k in self._biased:
            shift_K_V_1 = np.zeros((len(self._bias_K), len(BIASES), 1))
            shift_K_V_1[k, :, 0] = BIASES - BIASES[self._bias_K[k]]
            shifted = _Pull(pull.liking_K_V_L + shift_K_V_1, pull.better_K_V_L, pull.kept_V_L)
            self._bias_K[k] = self._draw(self._loglik(shifted) + LOG_BIASES)

    def _draw(self, log_p_V: Array) -> int:
        return int(self._rng.choice(len(log_p_V), p=softmax(log_p_V)))

    # -- likelihood -----------------------------------------------------------------------------------

    def _pulls_of(self, s: int, own: Sequence[_State]) -> _Pull:
        """What each of V states of set s does to every answer."""
        amount_V = {kind: np.array([x.amount if x.kind is kind else 0.0 for x in own]) for kind in Kind}
        return _Pull(
            amount_V[Kind.LIKED][:, None] * self._effects_K_L_S[:, None, :, s],
            amount_V[Kind.BETTER][:, None] * self._origin_K_L_S[:, None, :, s],
            1.0 - amount_V[Kind.MISLED][:, None] * self._evidence.presence_L_S[None, :, s],
        )

    def _all_but(self, left_out: int | None) -> _Pull:
        """What all sets but one do in their present states."""
        total = self._nothing
        for s, v in enumerate(self._now):
            if v and s != left_out:
                total = total + self._pulls[s].only(v)
        return total

    def _loglik(
        self, pull: _Pull, competence_V: Array | None = None, slip_V: Array | None = None, sharp_V: Array | None = None
    ) -> Array:
        """loglik_V of all answers for V ways the world may be; axes of length 1 broadcast.

        The options come first: with few of them that is where numpy adds up fastest, and this is nearly all the time
        that weighing takes.
        """
        c_V_1 = (COMPETENCE[[self.competence]] if competence_V is None else competence_V)[:, None]
        slip_V_1 = (SLIPS[[self._slip]] if slip_V is None else slip_V)[:, None]
        sharp_V_1 = (SHARPNESS[[self._sharp]] if sharp_V is None else sharp_V)[:, None]
        k = len(self._bias_K)
        liking_K_V_L = pull.liking_K_V_L + BIASES[self._bias_K][:, None, None]
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
        loglik_V_G = np.logaddexp.reduce(joint_Y_V_G, axis=0) - np.logaddexp.reduce(prior_Y_V_G, axis=0)
        loglik_V: Array = loglik_V_G.sum(axis=1)
        return loglik_V

    def _pooled(self, values_Y_V_L: Array) -> Array:
        """Sums over the cases that share a truth."""
        pooled_Y_V_G: Array = values_Y_V_L @ self._member_L_G
        return pooled_Y_V_G
