"""What the agent knows so far, as arrays: the cases that bear on the truth, the sets, and the theory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from askew.agent import belief as beliefs
from askew.agent.belief import SetBelief
from askew.agent.conditional_logit import Array
from askew.agent.design import Candidate, Outlook
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding, HypothesisSet, Kind
from askew.agent.representation import Representation, biases
from askew.agent.theory import NONE, Evidence, Priors, Theory, fit_theory
from askew.tasks.case import Case

EFFECT_VARIANCE = 1.0
"""Prior variance of the effect of a subject that certainly matters; scaled by how probable that is."""
LEAST_VARIANCE = 1e-4
DRAWS = 64


@dataclass
class Notebook:
    """The agent's knowledge. ``theory`` is refitted to all of it; ``start`` is the label-free theory."""

    representation: Representation
    grounder: Grounder
    sets: list[HypothesisSet] = field(default_factory=list)
    beliefs: dict[str, SetBelief] = field(default_factory=dict)
    written: dict[str, Candidate] = field(default_factory=dict)
    answers: dict[str, int | None] = field(default_factory=dict)
    asked: dict[str, Candidate] = field(default_factory=dict)
    theory: Theory | None = None
    start: Theory | None = None

    # -- what is known --------------------------------------------------------------------------------

    @property
    def groundings(self) -> list[Grounding]:
        """The measure of each set's subject, in the order of the sets."""
        return [hypothesis_set.grounding for hypothesis_set in self.sets]

    def answered(self) -> list[Case]:
        """The cases that the supervisor answered with a label, in the order they were asked."""
        return [self.asked[case_id].case for case_id, weak in self.answers.items() if weak is not None]

    def weak_labels(self) -> list[int]:
        """The labels of :meth:`answered`."""
        return [weak for weak in self.answers.values() if weak is not None]

    def record(self, candidate: Candidate, weak: int | None) -> None:
        """Keep an answer."""
        self.asked[candidate.case.id] = candidate
        self.answers[candidate.case.id] = weak

    def learn(self) -> Theory:
        """Refit the truth model and the mistake theory to everything that is known."""
        known = {**self.written, **{case.id: self.asked[case.id] for case in self.answered()}}
        cases = [candidate.case for candidate in known.values()]
        effects_N_K_S = self.grounder.effects(self.groundings, cases)
        # An edit shares the truth of its parent, so both stand in one group, named by the parent.
        roots = [candidate.parent or candidate.case.id for candidate in known.values()]
        number = {root: index for index, root in enumerate(dict.fromkeys(roots))}
        evidence = Evidence(
            columns_N_K_D=self.representation.columns(cases),
            opinion_N_K=self.representation.opinion(cases),
            effects_N_K_S=effects_N_K_S,
            weak_N=np.array([_index(self.answers.get(case.id)) for case in cases]),
            intended_N=np.array([_index(candidate.intended) for candidate in known.values()]),
            group_N=np.array([number[root] for root in roots]),
        )
        anchor_N_K = None if self.start is None else self.unasked_truth(cases)
        self.theory = fit_theory(evidence, self._priors(), self.bias(cases), start=self.theory, anchor_N_K=anchor_N_K)
        self.start = self.start or self.theory
        return self.theory

    def _priors(self) -> Priors:
        return Priors(
            columns_D=self.representation.variances(),
            better_S=np.array([self._variance(s, Kind.BETTER) for s in self.sets]),
            liked_S=np.array([self._variance(s, Kind.LIKED) for s in self.sets]),
        )

    def _variance(self, hypothesis_set: HypothesisSet, kind: Kind) -> float:
        belief = self.beliefs.get(hypothesis_set.id)
        probability = belief.probability(kind, hypothesis_set) if belief else 0.1
        return LEAST_VARIANCE + EFFECT_VARIANCE * probability

    # -- predictions ----------------------------------------------------------------------------------

    def bias(self, cases: Sequence[Case]) -> Array:
        """bias_N_K_J: columns for what the supervisor answers whatever the case."""
        return biases(len(cases), self.representation.task.n_options)

    def truth(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the truth, as the student predicts it; its own opinion before it has learned."""
        opinion_N_K = self.representation.opinion(cases)
        if self.theory is None:
            return np.asarray(softmax(opinion_N_K, axis=1))
        effects_N_K_S = self.grounder.effects(self.groundings[: self.theory.n_effects], cases)
        return self.theory.truth_of(self.representation.columns(cases), opinion_N_K, effects_N_K_S)

    def unasked_truth(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the truth as predicted before any answer: what the supervisor's answers are judged by."""
        assert self.start is not None
        start = self.start
        no_effects_N_K_S = np.zeros((len(cases), self.representation.task.n_options, start.n_effects))
        return start.truth_of(self.representation.columns(cases), self.representation.opinion(cases), no_effects_N_K_S)

    def weak(self, cases: Sequence[Case], truth_N_K: Array) -> Array:
        """p_N_K of the supervisor's answer."""
        if self.theory is None:
            return truth_N_K
        effects_N_K_S = self.grounder.effects(self.groundings[: self.theory.n_effects], cases)
        return self.theory.weak_of(truth_N_K, effects_N_K_S, self.bias(cases))

    def set_predictions(self, hypothesis_set: HypothesisSet, cases: Sequence[Case]) -> tuple[Array, Array]:
        """q_H_N_K and r_H_N_K of a set's hypotheses, on top of everything believed without the set.

        The truth without the set is the label-free one: the student's present one has learned from the
        answers that the hypotheses are to be judged by.
        """
        assert self.theory is not None
        theory, truth_N_K = self.theory, self.unasked_truth(cases)
        groundings = self.groundings[: theory.n_effects]
        effects_N_K_S = self.grounder.effects(groundings, cases)
        own = [s for s, grounding in enumerate(groundings) if grounding == hypothesis_set.grounding]
        effects_N_K_S[:, :, own] = 0.0
        weak_N_Y_K = theory.weak_given_truth(effects_N_K_S, self.bias(cases))
        effect_N_K = self.grounder.effects([hypothesis_set.grounding], cases)[:, :, 0]
        return beliefs.predictions(hypothesis_set, truth_N_K, weak_N_Y_K, effect_N_K)

    def update_beliefs(self) -> None:
        """The posterior of every set, over the whole history of answers."""
        cases, weak_L = self.answered(), np.array(self.weak_labels(), dtype=np.int64)
        for hypothesis_set in self.sets:
            q_H_L_K, _ = self.set_predictions(hypothesis_set, cases)
            self.beliefs[hypothesis_set.id] = beliefs.update(hypothesis_set, q_H_L_K, weak_L)

    def outlook(self, candidates: Sequence[Candidate], targets: Sequence[Case], rng: np.random.Generator) -> Outlook:
        """What is expected of every candidate, by the joint posterior and by each set."""
        assert self.theory is not None
        cases = [candidate.case for candidate in candidates]
        truth_C_K = self.truth(cases)
        groundings = self.groundings[: self.theory.n_effects]
        effects_C_K_S = self.grounder.effects(groundings, cases)
        weak_C_Y_K = self.theory.weak_given_truth(effects_C_K_S, self.bias(cases))
        truth_M_J = self.theory.truth.draws(DRAWS, rng)
        weak_M_J = self.theory.weak.draws(DRAWS, rng)
        r_M_C_K = self._truth_draws(cases, effects_C_K_S, truth_M_J)
        r_M_T_K = self._truth_draws(targets, self.grounder.effects(groundings, targets), truth_M_J)
        q_M_C_K = np.stack(
            [
                np.einsum("cy,cyk->ck", r_C_K, self.theory.weak_given_truth(effects_C_K_S, self.bias(cases), weak_J))
                for r_C_K, weak_J in zip(r_M_C_K, weak_M_J, strict=True)
            ]
        )
        return Outlook(
            truth_C_K=truth_C_K,
            weak_C_K=np.einsum("cy,cyk->ck", truth_C_K, weak_C_Y_K),
            reliability_C=np.einsum("cy,cyy->c", truth_C_K, weak_C_Y_K),
            q_M_C_K=q_M_C_K,
            r_M_T_K=r_M_T_K,
            q_by_set={s.id: self.set_predictions(s, cases)[0] for s in self.sets},
        )

    def _truth_draws(self, cases: Sequence[Case], effects_N_K_S: Array, theta_M_J: Array) -> Array:
        columns_N_K_J = np.concatenate([self.representation.columns(cases), effects_N_K_S], axis=2)
        scores_M_N_K = np.moveaxis(columns_N_K_J @ theta_M_J.T, 2, 0) + self.representation.opinion(cases)
        r_M_N_K: Array = softmax(scores_M_N_K, axis=2)
        return r_M_N_K


def _index(label: int | None) -> int:
    return NONE if label is None else label
