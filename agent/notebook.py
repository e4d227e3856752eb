"""What the agent knows so far, as arrays: the cases that bear on the truth, the sets, and the theory."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent import belief as beliefs
from askew.agent.belief import SetBelief, Told, kept, kept_by_others
from askew.agent.channel import channel_likelihood
from askew.agent.conditional_logit import Array
from askew.agent.design import Candidate
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding, HypothesisSet, Kind
from askew.agent.infogain import entropy
from askew.agent.joint import Joint
from askew.agent.representation import Representation
from askew.agent.theory import Theory
from askew.agent.truth import Known, Truth, Unasked, fit_unasked, meant
from askew.agent.worlds import Worlds
from askew.tasks.case import Case, Split

GOES_WITH_TRUTH = 0.15
"""How much surer than usual, on average, the student is of the option for which something speaks that is telling."""
FEW = 2.0
"""So many cases with a subject that are as usual are added to those there are: a few prove little."""
MOVED = 0.05
"""When believed truths have moved by so much in the mean, all answers have to be held against them once more."""


@dataclass(frozen=True, slots=True)
class Mattering:
    """How much a subject matters, in the mean: log-odds of the answer and of the truth, and competence it takes."""

    liking: float = 0.0
    better: float = 0.0
    misled: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """How much of S sets' subjects there is in N cases."""

    effects_N_K_S: Array
    """What each subject speaks for in the case."""
    origin_N_K_S: Array
    """The same in the case of which it is an edit (in itself, where it is none): the truth is read off that."""
    presence_N_S: Array
    """How much of it there is in the case as a whole, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A joint posterior, and what it was made of."""

    joint: Joint
    sets: tuple[HypothesisSet, ...]
    told: int
    """How many answers to questions in words."""
    truth_L_K: Array
    """The truths that each of L answers was held against."""

    def still_holds(self, sets: Sequence[HypothesisSet], told: int, truth_L_K: Array) -> bool:
        """Whether answers to cases are all that is new; ``truth_L_K`` are the truths as they are believed now."""
        known = len(self.truth_L_K)
        same_sets = len(sets) == len(self.sets) and all(map(operator.is_, sets, self.sets))
        moved = np.abs(truth_L_K[:known] - self.truth_L_K).mean() if known else np.inf
        return bool(same_sets and told == self.told and moved <= MOVED)


@dataclass
class Notebook:
    """The agent's knowledge. ``truth_model`` and ``theory`` are refitted to it (:mod:`askew.agent.update`)."""

    representation: Representation
    grounder: Grounder
    seed: int = 0
    face_value: bool = False
    """A control: take every answer for the truth."""
    channel: int = 0
    """How many cases of the pool are read the other way round."""
    sets: list[HypothesisSet] = field(default_factory=list)
    beliefs: dict[str, SetBelief] = field(default_factory=dict)
    written: dict[str, Candidate] = field(default_factory=dict)
    answers: dict[str, int | None] = field(default_factory=dict)
    asked: dict[str, Candidate] = field(default_factory=dict)
    told: dict[str, list[Told]] = field(default_factory=dict)
    """What a person answered to questions in words, by set."""
    scores: dict[str, Array] = field(default_factory=dict)
    """Σ log q_h(w) of predictions made before each answer, by set, edits left out: what e-values are made of."""
    origins: dict[str, Case] = field(default_factory=dict)
    """The case of which an edit was made, by the edit's id: an edit changes one thing, and that is not the truth."""
    given_up: list[Grounding] = field(default_factory=list)
    """Measures of the sets that were killed."""
    suspected: dict[str, float] = field(default_factory=dict)
    """The largest probability with which each set has ever mattered."""
    mattering: dict[str, Mattering] = field(default_factory=dict)
    """What is believed of each set's subject, by set, from the joint posterior."""
    competence: float = 1.0
    bias_K: Array | float = 0.0
    """Means of the joint posterior: log-odds of the true option, and with which it leans to each whatever the case."""
    worlds: Worlds | None = None
    """Draws of the joint posterior of all sets."""
    truth_model: Truth | None = None
    theory: Theory | None = None
    _unasked: tuple[int, Unasked] | None = None
    weighed: Weighed | None = None
    """The joint posterior as it was last made."""
    first: Representation | None = None
    """The eyes of the student before it was retrained; it judges sources, since the later ones learned from them."""

    # -- what is known --------------------------------------------------------------------------------

    @property
    def groundings(self) -> list[Grounding]:
        """The measure of each set's subject, in the order of the sets."""
        return [hypothesis_set.grounding for hypothesis_set in self.sets]

    def in_doubt(self) -> list[HypothesisSet]:
        """The sets, most in doubt first."""
        return sorted(self.sets, key=lambda one: (-float(entropy(self.beliefs[one.id].p_H)), one.id))

    def resolved(self, alpha: float) -> bool:
        """Whether some sets are believed to matter, and the e-value of each of these passes 1/alpha."""
        mattering = [belief for belief in self.beliefs.values() if not belief.doubted]
        return bool(mattering) and all(belief.resolved(alpha) for belief in mattering)

    def answered(self) -> list[Case]:
        """The cases that the supervisor answered with a label, in the order they were asked."""
        return [self.asked[case_id].case for case_id, weak in self.answers.items() if weak is not None]

    def distinct(self) -> list[int]:
        """Indices into :meth:`answered` of the cases that are no edits: edits of one case are not independent of it."""
        return [index for index, case in enumerate(self.answered()) if case.id not in self.origins]

    def weak_labels(self) -> list[int]:
        """The labels of :meth:`answered`."""
        return [weak for weak in self.answers.values() if weak is not None]

    def record(self, candidate: Candidate, weak: int | None, predicted: Mapping[str, Array]) -> None:
        """Keep an answer; ``predicted`` holds q_H_K of each set, as it stood before."""
        self.asked[candidate.case.id] = candidate
        self.answers[candidate.case.id] = weak
        if weak is not None and candidate.case.id not in self.origins:
            for set_id, q_H_K in predicted.items():
                self.scores[set_id] = self.scores.get(set_id, np.zeros(len(q_H_K))) + np.log(q_H_K[:, weak])

    def origin(self, case: Case) -> Case:
        """The case of which this is an edit; the case itself, where it is none."""
        return self.origins.get(case.id, case)

    def groups(self, cases: Sequence[Case]) -> NDArray[np.int64]:
        """group_N: an edit shares the truth of the case it was made from."""
        roots = [self.origin(case).id for case in cases]
        number = {root: index for index, root in enumerate(dict.fromkeys(roots))}
        return np.array([number[root] for root in roots], dtype=np.int64)

    def unasked(self) -> Unasked:
        """The student before any answer; refitted only when cases were written since."""
        if self._unasked is None or self._unasked[0] != len(self.written):
            first = self.first or self.representation
            intended_N = np.array([candidate.intended for candidate in self.written.values()], dtype=np.int64)
            cases = [candidate.case for candidate in self.written.values()]
            known, intent = meant(first.columns(cases), first.opinion(cases), intended_N)
            ways, read = first.ways, self._read_other_way_round
            if read is not None:
                known, ways = known.and_also(read), ways + 1
            self._unasked = len(self.written), fit_unasked(known, first.variances(), intent, ways)
        return self._unasked[1]

    @cached_property
    def _read_other_way_round(self) -> Known | None:
        """What the strong model says of the pool when it is read the other way round; ``None`` if that is nothing.

        By the first student, so the same in every round.
        """
        first = self.first or self.representation
        if first.task.options_vary or self.channel == 0:
            return None
        pool = first.task.split(Split.POOL)
        # In the pool's own order, so that which cases are read depends on nothing but how many.
        cases = [pool[i] for i in np.linspace(0, len(pool) - 1, min(self.channel, len(pool))).round().astype(int)]
        opinion_N_K = first.opinion(cases)
        loglik_N_Y = channel_likelihood(first.written_for(cases), opinion_N_K)
        return Known(first.columns(cases), opinion_N_K, loglik_N_Y) if loglik_N_Y.any() else None

    def seen(self, cases: Sequence[Case]) -> tuple[Array, Array]:
        """columns_N_K_D and opinion_N_K of the cases, edits seen as the cases they were made from.

        After retraining the opinion is all that the first student believed before it asked.
        """
        originals, first = [self.origin(case) for case in cases], self.first
        columns_N_K_D = self.representation.columns(originals)
        if first is None:
            return columns_N_K_D, self.representation.opinion(originals)
        learned_N_K = first.columns(originals) @ self.unasked().logit.theta_D
        return columns_N_K_D, learned_N_K + first.opinion(originals)

    def probability(self, hypothesis_set: HypothesisSet, kind: Kind) -> float:
        """How probable it is that a set's subject matters in the sense of ``kind``."""
        belief = self.beliefs.get(hypothesis_set.id)
        return belief.probability(kind, hypothesis_set) if belief else 0.1

    # -- predictions ----------------------------------------------------------------------------------

    def truth(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the truth, as the student predicts it; its own opinion before it has learned."""
        seen = self.seen(cases)
        if self.truth_model is None:
            return np.asarray(softmax(seen[1], axis=1))
        return self.truth_model.of(*seen, self.better(cases))

    def amounts(self, what: Literal["liking", "better", "misled"]) -> Array:
        """amount_S: how much each set's subject matters in one sense; 0 for sets that have not been weighed."""
        return np.array([getattr(self.mattering.get(s.id, Mattering()), what) for s in self.sets])

    def better(self, cases: Sequence[Case]) -> Array:
        """better_N_K: log-odds of the truth that the hypothesis sets add.

        Nothing where options are classes: what makes one of them right is in the answers, and so in the leaning, which
        the student hears already. Heard twice it did harm (LOG.md).
        """
        if not self.representation.task.options_vary:
            return np.zeros((len(cases), self.representation.task.n_options))
        originals = [self.origin(case) for case in cases]
        better_N_K: Array = self.grounder.effects(self.groundings, originals) @ self.amounts("better")
        return better_N_K

    def measured(self, cases: Sequence[Case]) -> Measured:
        """How much of every set's subject there is in the cases."""
        grounder, groundings, originals = self.grounder, self.groundings, [self.origin(case) for case in cases]
        return Measured(
            grounder.effects(groundings, cases),
            grounder.effects(groundings, originals),
            grounder.presence(groundings, cases),
        )

    def worlds_drawn(self, n: int, rng: np.random.Generator) -> Worlds:
        """``n`` draws of what is believed of the supervisor; of no set where none has been weighed."""
        if self.worlds is None:
            bias_N_K = np.zeros((n, self.representation.task.n_options)) + self.bias_K
            return Worlds(np.zeros((n, len(self.sets), len(Kind))), np.full(n, self.competence), bias_N_K)
        return self.worlds[rng.choice(len(self.worlds.competence_T), n)]

    def kept_in(self, cases: Sequence[Case]) -> Array:
        """kept_N: the share of its competence that a case leaves the supervisor, -1 to 1."""
        return kept(self.grounder.presence(self.groundings, cases), self.amounts("misled"))

    def unasked_truth(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the truth as predicted before any answer: what the supervisor's answers are judged by."""
        assert self.truth_model is not None
        return self.truth_model.unasked.of(*self.seen(cases), self.truth_model.trust)

    def weak(self, cases: Sequence[Case], truth_N_K: Array) -> Array:
        """p_N_K of the supervisor's answer."""
        if self.theory is None:
            return truth_N_K
        p_N_K: Array = np.einsum("ny,nyk->nk", truth_N_K, self.weak_given_truth(cases))
        return p_N_K

    def weak_given_truth(self, cases: Sequence[Case]) -> Array:
        """p_N_Y_K: the supervisor's answer for each possible truth."""
        assert self.theory is not None
        # Sets that came after the last fit are unknown to the theory; the next fit adds them.
        effects_N_K_S = self.grounder.effects(self.groundings[: self.theory.n_effects], cases)
        return beliefs.misled(self.theory.weak_given_truth(effects_N_K_S, self.seen(cases)[0]), self.kept_in(cases))

    def goes_with_truth(self, groundings: Sequence[Grounding]) -> NDArray[np.bool_]:
        """goes_S: whether a subject tells the student what is right; to add it to a case would change the truth."""
        pool = self.representation.task.split(Split.POOL)
        believed_N_K = self.unasked_truth(pool)
        effects_N_K_S = self.grounder.effects(groundings, pool)
        surer_S = np.einsum("nks,nk->s", effects_N_K_S, believed_N_K - believed_N_K.mean(axis=0))
        # Of two options what speaks for one speaks against the other; of many it speaks against each a little.
        k = believed_N_K.shape[1]
        speaking_S = np.abs(effects_N_K_S).sum(axis=(0, 1)) * k / (2 * (k - 1))
        goes_S: NDArray[np.bool_] = np.abs(surer_S) > GOES_WITH_TRUTH * (speaking_S + FEW)
        return goes_S

    def expected_answers(self, cases: Sequence[Case]) -> Array:
        """p_N_K of the supervisor's answer by competence and hypothesis sets alone: the rest is surprising."""
        liking_N_K = self.grounder.effects(self.groundings, cases) @ self.amounts("liking")
        origin_N_K_S = self.grounder.effects(self.groundings, [self.origin(case) for case in cases])
        truth_N_K = beliefs.moved(self.unasked_truth(cases), origin_N_K_S @ self.amounts("better"))
        answers_N_Y_K = self._plain_answers(liking_N_K, self.kept_in(cases))
        expected_N_K: Array = np.einsum("ny,nyk->nk", truth_N_K, answers_N_Y_K)
        return expected_N_K

    def _plain_answers(self, liking_N_K: Array, kept_N: Array) -> Array:
        """p_N_Y_K of the answer by competence, what is liked, and a leaning to an option whatever the case."""
        return beliefs.answers_by(self.competence * kept_N, liking_N_K + self.bias_K)

    def set_predictions(
        self, cases: Sequence[Case], wanted: Sequence[HypothesisSet] | None = None
    ) -> dict[str, tuple[Array, Array]]:
        """q_H_N_K and r_H_N_K of each ``wanted`` set's hypotheses (all by default), on top of the rest.

        The truth without the set is the label-free one and what the other sets make better: the student's present
        one has learned from the answers that the hypotheses are to be judged by.
        """
        truth_N_K, there = self.unasked_truth(cases), self.measured(cases)
        effects_N_K_S, origin_N_K_S, presence_N_S = there.effects_N_K_S, there.origin_N_K_S, there.presence_N_S
        liking_S, better_S, misled_S = (self.amounts(what) for what in ("liking", "better", "misled"))
        liked_N_K, better_N_K = effects_N_K_S @ liking_S, origin_N_K_S @ better_S
        kept_by_others_N_S = kept_by_others(presence_N_S, misled_S)
        predicted = {}
        for s, hypothesis_set in enumerate(self.sets):
            if wanted is not None and all(hypothesis_set is not one for one in wanted):
                continue
            weak_N_Y_K = self._plain_answers(liked_N_K - effects_N_K_S[:, :, s] * liking_S[s], kept_by_others_N_S[:, s])
            predicted[hypothesis_set.id] = beliefs.predictions(
                hypothesis_set,
                beliefs.moved(truth_N_K, better_N_K - origin_N_K_S[:, :, s] * better_S[s]),
                weak_N_Y_K,
                effects_N_K_S[:, :, s],
                origin_N_K_S[:, :, s],
                presence_N_S[:, s],
            )
        return predicted

    def forget(self, hypothesis_set: HypothesisSet) -> None:
        """Give a set up; what was learned with it stands until the next :func:`~askew.agent.update.learn`."""
        if self.worlds is not None:
            self.worlds = self.worlds.without(self.sets.index(hypothesis_set))
        self.sets.remove(hypothesis_set)
        self.given_up.append(hypothesis_set.grounding)
        for by_set in (self.beliefs, self.scores, self.suspected, self.mattering):
            by_set.pop(hypothesis_set.id, None)
