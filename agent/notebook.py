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
from askew.agent.representation import Representation
from askew.agent.theory import Answers, Theory, fit_theory
from askew.agent.truth import Heard, Pool, Truth, Unasked, fit_unasked, hear, trust_in
from askew.tasks.case import Case, Split

EFFECT_VARIANCE = 1.0
"""Prior variance of the effect of a subject that certainly matters; scaled by how probable that is."""
LEAST_VARIANCE = 1e-4
DRAWS = 64


@dataclass
class Notebook:
    """The agent's knowledge. ``truth_model`` and ``theory`` are refitted to all of it."""

    representation: Representation
    grounder: Grounder
    face_value: bool = False
    """A control: take every answer for the truth."""
    sets: list[HypothesisSet] = field(default_factory=list)
    beliefs: dict[str, SetBelief] = field(default_factory=dict)
    written: dict[str, Candidate] = field(default_factory=dict)
    answers: dict[str, int | None] = field(default_factory=dict)
    asked: dict[str, Candidate] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """What a person answered to clarifying questions, by set."""
    truth_model: Truth | None = None
    theory: Theory | None = None
    _unasked: tuple[int, Unasked] | None = None

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

    def learn(self) -> None:
        """Refit the truth model and the mistake theory to everything that is known."""
        task, sets = self.representation.task, self.sets
        pool, cases = task.split(Split.POOL), self.answered()
        weak_L = np.array(self.weak_labels(), dtype=np.int64)
        variance_D, liked_S = self.representation.variances(), np.array([self._variance(s) for s in sets])
        unasked = self._fit_unasked()
        columns_L_K_D, opinion_L_K = self._seen(cases)
        trust = trust_in(unasked.of(columns_L_K_D, opinion_L_K), weak_L)
        # An edit shares the truth of its parent, so both stand in one group, named by the parent.
        roots = [self.asked[case.id].parent or case.id for case in cases]
        number = {root: index for index, root in enumerate(dict.fromkeys(roots))}
        effects_L_K_S = self.grounder.effects(self.groundings, cases)
        self.theory = fit_theory(
            Answers(
                unasked.of(columns_L_K_D, opinion_L_K, trust),
                effects_L_K_S,
                columns_L_K_D,
                weak_L,
                np.array([number[root] for root in roots], dtype=np.int64),
            ),
            liked_S,
            variance_D,
        )
        merely_liked_S = self.theory.mistakes()[0] * np.array([self._probability(s, Kind.LIKED) for s in sets])
        self.truth_model = hear(
            unasked,
            trust,
            Heard(columns_L_K_D, weak_L, effects_L_K_S @ merely_liked_S),
            Pool(*self._seen(pool)),
            variance_D,
            balanced=not task.options_vary,
            face_value=self.face_value,
        )

    def _fit_unasked(self) -> Unasked:
        """The student before any answer; refitted only when cases were written since."""
        if self._unasked is None or self._unasked[0] != len(self.written):
            meant = list(self.written.values())
            intended_N = np.array([candidate.intended for candidate in meant], dtype=np.int64)
            seen = self._seen([candidate.case for candidate in meant])
            fitted = fit_unasked(*seen, intended_N, self.representation.variances())
            self._unasked = len(self.written), fitted
        return self._unasked[1]

    def _seen(self, cases: Sequence[Case]) -> tuple[Array, Array]:
        """columns_N_K_D and opinion_N_K of the cases."""
        return self.representation.columns(cases), self.representation.opinion(cases)

    def _variance(self, hypothesis_set: HypothesisSet) -> float:
        """Prior variance of the effect of a set's subject: large when it is believed to matter."""
        return LEAST_VARIANCE + EFFECT_VARIANCE * self._probability(hypothesis_set, Kind.LIKED)

    def _probability(self, hypothesis_set: HypothesisSet, kind: Kind) -> float:
        """How probable it is that a set's subject matters in the sense of ``kind``."""
        belief = self.beliefs.get(hypothesis_set.id)
        return belief.probability(kind, hypothesis_set) if belief else 0.1

    # -- predictions ----------------------------------------------------------------------------------

    def truth(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the truth, as the student predicts it; its own opinion before it has learned."""
        if self.truth_model is None:
            return np.asarray(softmax(self.representation.opinion(cases), axis=1))
        return self.truth_model.of(*self._seen(cases))

    def unasked_truth(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the truth as predicted before any answer: what the supervisor's answers are judged by."""
        assert self.truth_model is not None
        return self.truth_model.unasked.of(*self._seen(cases), self.truth_model.trust)

    def weak(self, cases: Sequence[Case], truth_N_K: Array) -> Array:
        """p_N_K of the supervisor's answer."""
        if self.theory is None:
            return truth_N_K
        return self.theory.weak_of(truth_N_K, self._effects(cases), self.representation.columns(cases))

    def _effects(self, cases: Sequence[Case]) -> Array:
        """effects_N_K_S of the sets that the fitted theories know; later ones are added at the next fit."""
        assert self.theory is not None
        return self.grounder.effects(self.groundings[: self.theory.n_effects], cases)

    def set_predictions(self, hypothesis_set: HypothesisSet, cases: Sequence[Case]) -> tuple[Array, Array]:
        """q_H_N_K and r_H_N_K of a set's hypotheses, on top of everything believed without the set.

        The truth without the set is the label-free one: the student's present one has learned from the
        answers that the hypotheses are to be judged by.
        """
        assert self.theory is not None
        theory, truth_N_K = self.theory, self.unasked_truth(cases)
        effects_N_K_S = self._effects(cases)
        own = [s for s, known in enumerate(self.groundings[: theory.n_effects]) if known == hypothesis_set.grounding]
        effects_N_K_S[:, :, own] = 0.0
        weak_N_Y_K = theory.weak_given_truth(effects_N_K_S, self.representation.columns(cases))
        effect_N_K = self.grounder.effects([hypothesis_set.grounding], cases)[:, :, 0]
        return beliefs.predictions(hypothesis_set, truth_N_K, weak_N_Y_K, effect_N_K)

    def update_beliefs(self) -> None:
        """The posterior of every set, over the whole history of answers."""
        cases, weak_L = self.answered(), np.array(self.weak_labels(), dtype=np.int64)
        for hypothesis_set in self.sets:
            q_H_L_K, _ = self.set_predictions(hypothesis_set, cases)
            self.beliefs[hypothesis_set.id] = beliefs.update(
                hypothesis_set, q_H_L_K, weak_L, self.told.get(hypothesis_set.id)
            )

    def outlook(self, candidates: Sequence[Candidate], targets: Sequence[Case], rng: np.random.Generator) -> Outlook:
        """What is expected of every candidate, by the joint posterior and by each set."""
        assert self.theory is not None
        assert self.truth_model is not None
        cases = [candidate.case for candidate in candidates]
        seen_C, seen_T, truth_C_K = self._seen(cases), self._seen(targets), self.truth(cases)
        weak_C_Y_K = self.theory.weak_given_truth(self._effects(cases), seen_C[0])
        # What an answer may change is the leaning, and through it the truth.
        leaning_M_D = self.truth_model.leaning.draws(DRAWS, rng)

        def truth_draws(seen: tuple[Array, Array]) -> Array:
            assert self.truth_model is not None
            return np.stack([softmax(self.truth_model.scores_of(*seen, draw_D), axis=1) for draw_D in leaning_M_D])

        return Outlook(
            truth_C_K=truth_C_K,
            weak_C_K=np.einsum("cy,cyk->ck", truth_C_K, weak_C_Y_K),
            reliability_C=np.einsum("cy,cyy->c", truth_C_K, weak_C_Y_K),
            q_M_C_K=softmax(np.moveaxis(seen_C[0] @ leaning_M_D.T, 2, 0), axis=2),
            r_M_C_K=truth_draws(seen_C),
            r_M_T_K=truth_draws(seen_T),
            q_by_set={s.id: self.set_predictions(s, cases)[0] for s in self.sets},
        )
