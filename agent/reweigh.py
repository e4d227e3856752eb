"""Step 6, between two samplings: the joint posterior after a few more answers, at a cost that grows with these alone.

The draws of :mod:`askew.agent.joint` stay where they are, and each counts as much as it makes of the new answers
(iterated batch importance sampling: Chopin 2002, "A sequential particle filter method for static models"). A set's
states have exact probabilities given the rest of the world that each was drawn with, and these are weighed too, so that
what was hardly ever drawn is heard like anything else. Where too few draws are left that count, or what counts now was
hardly ever drawn, the posterior has to be sampled anew from the whole history.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from askew.agent.answering import Answering, Evidence, Pull
from askew.agent.conditional_logit import Array
from askew.agent.joint import Draws, Joint, State, summed_up
from askew.agent.worlds import Worlds

ENOUGH = 0.5
"""Least share of the draws that has to count for as much as all did (effective sample size)."""
APART = 0.15
"""How far a set's probability of mattering may be from the share of the draws in which it does: of what was hardly ever
drawn no draw says what else would be so."""


def reweigh(joint: Joint, evidence: Evidence, new_L: NDArray[np.bool_]) -> Joint | None:
    """The posterior after more answers; ``None`` where the draws can't tell, and it has to be sampled anew.

    Args:
        joint: the posterior before them.
        evidence: the new answers, and those it knows already to cases that share their truth with one of the new.
        new_L: which of these are new.
    """
    answers = _News(joint.draws, evidence, new_L)
    log_weight_T = joint.draws.log_weight_T + answers.loglik_of_worlds()
    if _effective(log_weight_T) < ENOUGH * len(log_weight_T):
        return None
    log_p_T_V = tuple(
        before_T_V + answers.loglik_of_states(s, own)
        for s, (own, before_T_V) in enumerate(zip(joint.draws.states, joint.draws.log_p_T_V, strict=True))
    )
    draws = replace(joint.draws, log_weight_T=log_weight_T, log_p_T_V=log_p_T_V)
    if np.abs(_left_out(draws)).max(initial=0.0) > APART:
        return None
    return summed_up(draws, draws.worlds[_as_often_as_it_counts(log_weight_T)])


def _left_out(draws: Draws) -> Array:
    """left_S: by how much each set is likelier to matter than the draws show."""
    counting_T = np.exp(draws.log_weight_T - logsumexp(draws.log_weight_T))
    drawn_S = counting_T @ draws.worlds.amount_T_S_M.any(axis=2)
    matters_S = [1.0 - np.exp(logsumexp(p_T_V[:, 0]) - logsumexp(p_T_V)) for p_T_V in draws.log_p_T_V]
    left_S: Array = np.array(matters_S) - drawn_S
    return left_S


class _News:
    """How probable new answers are in each of T draws, given those to the same truths that were known before."""

    def __init__(self, draws: Draws, evidence: Evidence, new_L: NDArray[np.bool_]) -> None:
        self._draws = draws
        # log p(new | known) = log p(new and known) - log p(known); mostly nothing of the kind is known.
        self._signed = [(1.0, Answering(evidence))]
        if not new_L.all():
            self._signed.append((-1.0, Answering(evidence[~new_L])))

    def loglik_of_worlds(self) -> Array:
        """loglik_T of the worlds as they were drawn."""
        worlds = self._draws.worlds
        loglik_T: Array = np.sum(
            [sign * self._loglik(answers, answers.pull_of_worlds(worlds)) for sign, answers in self._signed], axis=0
        )
        return loglik_T

    def loglik_of_states(self, s: int, states: tuple[State, ...]) -> Array:
        """loglik_T_V of the states of set ``s``, given the rest that each was drawn with."""
        rest = self._draws.rest(s)
        loglik_T_V: Array = np.sum(
            [sign * self._of_states(answers, rest, s, states) for sign, answers in self._signed], axis=0
        )
        return loglik_T_V

    def _of_states(self, answers: Answering, rest: Worlds, s: int, states: tuple[State, ...]) -> Array:
        others, here = answers.pull_of_worlds(rest), np.array([s])
        pulls = [answers.pull_of(state.kind, here, np.array([state.amount])) for state in states]
        return np.stack([self._loglik(answers, others + pull) for pull in pulls], axis=1)

    def _loglik(self, answers: Answering, pull: Pull) -> Array:
        draws = self._draws
        return answers.loglik(pull, draws.worlds.bias_T_K, draws.worlds.competence_T, draws.slip_T, draws.sharp_T)


def _effective(log_weight_T: Array) -> float:
    """Effective sample size, 1/Σp²."""
    return float(np.exp(2 * logsumexp(log_weight_T) - logsumexp(2 * log_weight_T)))


def _as_often_as_it_counts(log_weight_T: Array) -> NDArray[np.int64]:
    """Indices of T draws, each as often as it counts (systematic resampling, from the middle of each step)."""
    cumulative_T = np.cumsum(np.exp(log_weight_T - logsumexp(log_weight_T)))
    steps_T = (np.arange(len(log_weight_T)) + 0.5) / len(log_weight_T)
    return np.minimum(np.searchsorted(cumulative_T, steps_T), len(log_weight_T) - 1)
