"""Step 6, across sets: one posterior over what every set says at once, since mistakes add up.

A set's alternatives exclude each other; those of different sets don't, and subjects that go together in the cases
(length and the number of sentences) compete for the same answers. So the sets are weighed jointly. Each is in one
*state*: none of these, or one of its hypotheses at one strength. Given the states an answer has an exact likelihood
(:mod:`askew.agent.answering`). The posterior is sampled by Gibbs over the states, with a second move that hands an
effect from one subject to another (stochastic search variable selection: George & McCulloch 1993, "Variable selection
via Gibbs sampling"). Probabilities are averages of the exact conditional ones, not counts. A few more answers are heard
by weighing the draws anew (:mod:`askew.agent.reweigh`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from askew.agent.answering import Answering, Evidence, Pull
from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import HypothesisSet, Kind
from askew.agent.worlds import Worlds

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
ONE_ANSWER = 4.0
"""Bias, in log-odds, of a supervisor that has one answer for nearly everything."""
BIASES = np.array([-ONE_ANSWER, *np.linspace(-1.5, 1.5, 7), ONE_ANSWER])
LOG_BIASES = log_softmax([np.log(0.03), *(-0.5 * (BIASES[1:-1] / 0.6) ** 2), np.log(0.03)])
"""A bell, and beside it 3% of its top for either such supervisor. With more between them, what all edits have more of
(length) would be a bias."""
SWEEPS, BURN_IN = 140, 40
"""Sweeps, and how many of them, the first ones, are not counted."""
LONGER, SETTLED = 5, 0.05
"""Where some probability's standard error is still larger, so many times as many sweeps are counted at most."""
BATCH = 20
"""Sweeps in a row whose mean counts as one draw: effects that make up for one another stay for a dozen sweeps."""
_KINDS = (None, *Kind)
TOGETHER = 24
"""Idle sets that are looked at together."""


@dataclass(frozen=True)
class State:
    """What one set may say: a hypothesis (its index in the set, -1 for none of these) at one strength."""

    hypothesis: int
    kind: Kind | None
    amount: float
    log_prior: float


@dataclass(frozen=True)
class Draws:
    """T draws of everything that is unsure, and how much each counts by the answers that came after."""

    states: tuple[tuple[State, ...], ...]
    """Every state of each set, none of these first."""
    worlds: Worlds
    slip_T: Array
    sharp_T: Array
    log_weight_T: Array
    rest_T_S: tuple[NDArray[np.int16], ...]
    """For each set the states that all sets had when it was looked at; its own there says nothing."""
    log_p_T_V: tuple[Array, ...]
    """For each set the log-probability of its states given that rest, times how much that counts, up to a constant."""

    def rest(self, s: int) -> Worlds:
        """The worlds of which set ``s`` was drawn, but for that set."""
        kinds = list(Kind)
        amount_T_S_M = np.zeros((len(self.log_weight_T), len(self.states), len(kinds)))
        active_T, active_S = np.nonzero(self.rest_T_S[s])
        for t, other in zip(active_T, active_S, strict=True):
            state = self.states[other][self.rest_T_S[s][t, other]]
            if other != s and state.kind is not None:
                amount_T_S_M[t, other, kinds.index(state.kind)] = state.amount
        return replace(self.worlds, amount_T_S_M=amount_T_S_M)


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
    worlds: Worlds
    """Draws of it; competence and biases are in these alone."""
    draws: Draws
    """What was sampled, with all that more answers are held against."""


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
        sweeps: Gibbs sweeps; more, up to ``LONGER`` times as many, where the posterior isn't known well by then.
        burn_in: how many of them, the first ones, are not counted.
    """
    told = list(log_told) or [None] * len(sets)
    states = [_states_of(one, said) for one, said in zip(sets, told, strict=True)]
    sampler = _Sampler(states, evidence, biased, rng)
    matters_T_S: list[list[float]] = []
    worlds: list[tuple[Array, float, Array, float, float]] = []
    conditional_T_S: list[list[Array]] = []
    rest_T_S: list[list[NDArray[np.int16]]] = []
    for _ in range(burn_in):
        sampler.sweep()
    wanted, counted, settled = sweeps - burn_in, 0, False
    while counted < wanted or (counted < LONGER * wanted and not settled):
        conditional_S = sampler.sweep()
        worlds.append(sampler.world())
        conditional_T_S.append(conditional_S)
        rest_T_S.append(list(sampler.rest_S))
        matters_T_S.append([1.0 - p_V[0] for p_V in conditional_S])
        counted += 1
        if counted == wanted or (counted > wanted and counted % BATCH == 0):
            settled = _settled(np.array(matters_T_S))
    amount_T_S_M, competence_T, bias_T_K, slip_T, sharp_T = map(np.array, zip(*worlds, strict=True))
    drawn = Worlds(amount_T_S_M, competence_T, bias_T_K)
    with np.errstate(divide="ignore"):
        log_p_T_V = tuple(np.log(np.array(p_T_V)) for p_T_V in zip(*conditional_T_S, strict=True))
    rest = tuple(map(np.array, zip(*rest_T_S, strict=True)))
    return summed_up(Draws(tuple(states), drawn, slip_T, sharp_T, np.zeros(counted), rest, log_p_T_V), drawn)


def _settled(matters_T_S: Array) -> bool:
    """Whether the mean of each of S probabilities over T sweeps is known to within ``SETTLED``.

    By the standard error of batch means (Flegal and Jones 2010, "Batch means and spectral variance estimators in
    Markov chain Monte Carlo").
    """
    whole = len(matters_T_S) // BATCH
    if whole < 2 or not matters_T_S.size:
        return True
    mean_B_S = matters_T_S[: whole * BATCH].reshape(whole, BATCH, -1).mean(axis=1)
    return bool((mean_B_S.std(axis=0, ddof=1) / np.sqrt(whole)).max() <= SETTLED)


def _states_of(hypothesis_set: HypothesisSet, told_H: Array | None) -> tuple[State, ...]:
    """Every state of a set, none of these first."""
    told_H = np.zeros(len(hypothesis_set.hypotheses) + 1) if told_H is None else told_H
    states = [State(-1, None, 0.0, float(np.log(hypothesis_set.prior_none) + told_H[-1]))]
    for index, hypothesis in enumerate(hypothesis_set.hypotheses):
        amounts = DEGREES if hypothesis.kind is Kind.MISLED else STRENGTHS
        log_prior = float(np.log(hypothesis.prior / len(amounts)) + told_H[index])
        states += [State(index, hypothesis.kind, hypothesis.direction * amount, log_prior) for amount in amounts]
    return tuple(states)


def summed_up(draws: Draws, worlds: Worlds) -> Joint:
    """The posterior by its draws; ``worlds`` are the same, each as often as it counts."""
    p_S = []
    liking_S, better_S, misled_S = np.zeros((3, len(draws.states)))
    for s, (own, log_p_T_V) in enumerate(zip(draws.states, draws.log_p_T_V, strict=True)):
        mean_V = np.exp(log_p_T_V - log_p_T_V.max()).sum(axis=0)
        p_H = np.zeros(max(state.hypothesis for state in own) + 2)
        for state, p in zip(own, mean_V / mean_V.sum(), strict=True):
            p_H[state.hypothesis] += p
            liking_S[s] += p * state.amount * (state.kind is Kind.LIKED)
            better_S[s] += p * state.amount * (state.kind is Kind.BETTER)
            misled_S[s] += p * state.amount * (state.kind is Kind.MISLED)
        p_S.append(p_H / p_H.sum())
    return Joint(tuple(p_S), liking_S, better_S, misled_S, worlds, draws)


class _Sampler:
    """The present state of the world, and the moves that change it.

    The states of all sets stand in one row of V; a set in its first one is *idle*.
    """

    def __init__(
        self, states: Sequence[Sequence[State]], evidence: Evidence, biased: bool, rng: np.random.Generator
    ) -> None:
        k = evidence.prior_L_K.shape[1]
        self._rng = rng
        self._answering = Answering(evidence)
        # Of two options one bias is enough. Of many each has its own, or one answer for everything would cost the first
        # option more than any other.
        self._biased = range(1 if k == 2 else 0, k) if biased else range(0)
        self._set_V = np.repeat(np.arange(len(states)), [len(own) for own in states])
        self._first_S = np.searchsorted(self._set_V, np.arange(len(states) + 1))
        every = [state for own in states for state in own]
        self._amount_V = np.array([state.amount for state in every])
        self._log_prior_V = np.array([state.log_prior for state in every])
        self._log_odds_V = self._log_prior_V - self._log_prior_V[self._first_S[self._set_V]]
        self._kind_V = np.array([_KINDS.index(state.kind) for state in every], dtype=np.int64)
        self._now_S = self._first_S[:-1].copy()
        self.competence, self._slip, self._sharp = len(COMPETENCE) // 2, 0, 1
        self.bias_K = np.full(k, len(BIASES) // 2)
        self.rest_S = [np.zeros(0, dtype=np.int16)] * len(states)
        """For each set the states of all, as they were when it was last looked at."""

    def sweep(self) -> list[Array]:
        """Draw everything once, given all else; the conditional probabilities p_V of every set's states."""
        self._draw_nuisance()
        conditional_S = self._draw_states()
        self._hand_over_all()
        return conditional_S

    def world(self) -> tuple[Array, float, Array, float, float]:
        """The present state: amount_S_M, competence, bias_K, slips and sharpness."""
        amount_S_M = np.zeros((len(self._now_S), len(Kind)))
        active_S = np.flatnonzero(self._active())
        now_V = self._now_S[active_S]
        amount_S_M[active_S, self._kind_V[now_V] - 1] = self._amount_V[now_V]
        nuisance = float(COMPETENCE[self.competence]), BIASES[self.bias_K], SLIPS[self._slip], SHARPNESS[self._sharp]
        return amount_S_M, *nuisance

    def _active(self) -> NDArray[np.bool_]:
        """active_S: which sets are in a state that does anything."""
        active_S: NDArray[np.bool_] = self._now_S > self._first_S[:-1]
        return active_S

    # -- moves ----------------------------------------------------------------------------------------

    def _draw_states(self) -> list[Array]:
        """Draw the state of every set, one after the other.

        As long as idle sets stay idle the rest of the world is the same to all of them, so they are looked at many at
        a time: the same draws as one by one, in half the time.
        """
        conditional_S: list[Array] = [np.zeros(0)] * len(self._now_S)
        waiting = [int(s) for s in self._rng.permutation(len(self._now_S))]
        while waiting:
            idle_S = ~self._active()
            looked_at = list(takewhile(idle_S.item, waiting[:TOGETHER])) or waiting[:1]
            rest_S = (self._now_S - self._first_S[:-1]).astype(np.int16)
            for s, log_p_V in zip(looked_at, self._conditionals(looked_at), strict=True):
                waiting.pop(0)
                conditional_S[s], self.rest_S[s] = _softmax(log_p_V), rest_S
                self._now_S[s] = self._first_S[s] + self._pick(conditional_S[s])
                if self._now_S[s] > self._first_S[s]:
                    break
        return conditional_S

    def _conditionals(self, looked_at: Sequence[int]) -> list[Array]:
        """log_p_V, up to a constant, of the states of each of some sets, none or one of which is active."""
        bounds = [(self._first_S[s], self._first_S[s + 1]) for s in looked_at]
        chosen_V = np.concatenate([np.arange(first, last) for first, last in bounds])
        log_p_V = self._loglik_of(chosen_V, self._all_but(looked_at[0])) + self._log_prior_V[chosen_V]
        return np.split(log_p_V, np.cumsum([last - first for first, last in bounds])[:-1])

    def _hand_over_all(self) -> None:
        """As many effects as there are, each time of whichever set has one then.

        In a fixed order the first sets would give and the last ones take.
        """
        for _ in range(int(self._active().sum())):
            self._hand_over(int(self._rng.choice(np.flatnonzero(self._active()))))

    def _hand_over(self, s: int) -> None:
        """Give the effect of set s to whichever idle set bears it out best, s itself included."""
        mine = self._now_S[s]
        # What is liked may turn out to be better, and the other way round, elsewhere: between them there is no way but
        # through a state that answers may speak against.
        misleads_V = self._kind_V == _KINDS.index(Kind.MISLED)
        alike_V = (misleads_V == misleads_V[mine]) & (np.abs(self._amount_V) == abs(self._amount_V[mine]))
        free_S = ~self._active()
        free_S[s] = True
        offered_V = np.flatnonzero(alike_V & free_S[self._set_V])
        taken = offered_V[self._draw(self._loglik_of(offered_V, self._all_but(s)) + self._log_odds_V[offered_V])]
        self._now_S[s] = self._first_S[s]
        self._now_S[self._set_V[taken]] = taken

    def _draw_nuisance(self) -> None:
        """Draw competence, slips, sharpness and biases."""
        pull = self._all_but(None)
        self.competence = self._draw(self._loglik(pull, competence_V=COMPETENCE) + LOG_COMPETENCE)
        self._slip = self._draw(self._loglik(pull, slip_V=SLIPS) + LOG_SLIPS)
        self._sharp = self._draw(self._loglik(pull, sharp_V=SHARPNESS) + LOG_SHARPNESS)
        for k in self._biased:
            shift_K_V_1 = np.zeros((len(self.bias_K), len(BIASES), 1), dtype=np.float32)
            shift_K_V_1[k, :, 0] = BIASES - BIASES[self.bias_K[k]]
            shifted = Pull(pull.liking_K_V_L + shift_K_V_1, pull.better_K_V_L, pull.kept_V_L)
            self.bias_K[k] = self._draw(self._loglik(shifted) + LOG_BIASES)

    def _draw(self, log_p_V: Array) -> int:
        return self._pick(_softmax(log_p_V))

    def _pick(self, p_V: Array) -> int:
        """One of V by probability: what ``Generator.choice`` picks, without its checks, which take longer."""
        cumulative_V = p_V.cumsum()
        return int(np.searchsorted(cumulative_V / cumulative_V[-1], self._rng.random(), side="right"))

    # -- likelihood -----------------------------------------------------------------------------------

    def _pull_of(self, chosen_V: NDArray[np.int64], kind: Kind | None) -> Pull:
        """What some states, all of one kind, do to every answer."""
        return self._answering.pull_of(kind, self._set_V[chosen_V], self._amount_V[chosen_V])

    def _all_but(self, left_out: int | None) -> Pull:
        """What all sets but one do in their present states."""
        active_S = self._active()
        if left_out is not None:
            active_S[left_out] = False
        active_V = self._now_S[active_S]
        _, liked, better, misled = (
            self._pull_of(active_V[self._kind_V[active_V] == number], kind) for number, kind in enumerate(_KINDS)
        )
        return Pull(
            liked.liking_K_V_L.sum(axis=1, keepdims=True),
            better.better_K_V_L.sum(axis=1, keepdims=True),
            misled.kept_V_L.prod(axis=0, keepdims=True),
        )

    def _loglik_of(self, chosen_V: NDArray[np.int64], rest: Pull) -> Array:
        """loglik_V of all answers for some states, ``rest`` being what the other sets do."""
        loglik_V = np.zeros(len(chosen_V))
        for number, kind in enumerate(_KINDS):
            here_V = self._kind_V[chosen_V] == number
            if here_V.any():
                loglik_V[here_V] = self._loglik(rest + self._pull_of(chosen_V[here_V], kind))
        return loglik_V

    def _loglik(
        self, pull: Pull, competence_V: Array | None = None, slip_V: Array | None = None, sharp_V: Array | None = None
    ) -> Array:
        """loglik_V of all answers for V ways the world may be; what isn't given is as it is at present."""
        return self._answering.loglik(
            pull,
            BIASES[self.bias_K][None],
            COMPETENCE[[self.competence]] if competence_V is None else competence_V,
            SLIPS[[self._slip]] if slip_V is None else slip_V,
            SHARPNESS[[self._sharp]] if sharp_V is None else sharp_V,
        )


def _softmax(log_p_V: Array) -> Array:
    """As scipy's, without the checks that take longer than the softmax of a few numbers."""
    weight_V = np.exp(log_p_V - log_p_V.max())
    p_V: Array = weight_V / weight_V.sum()
    return p_V
