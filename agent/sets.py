"""Hypothesis sets through a run: born from torn chains or from surprising answers, merged, and killed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from askew.agent.belief import priors
from askew.agent.cluster import SubjectCluster
from askew.agent.conditional_logit import Array
from askew.agent.conditions import having, parts_of
from askew.agent.correlation import correlation
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding, Hypothesis, HypothesisSet, Kind
from askew.tasks.case import Case, Split, Task

SAME_BEHAVIOUR = 0.9
"""Subjects whose effects correlate more than this over the pool can't be told apart by any query."""
SURPRISING = 2.0
"""Least |z| with which a subject must explain the surprises to become a set; its prior pays for the search."""
SURPRISES = 4
"""Attributes, and as many words or families of words, that surprises may propose at a time."""
FEWEST_ANSWERS = 8
"""Answers before which nothing is surprising."""
SPLITTING = 3.0
"""Least |z| with which a condition must explain what a set leaves over: many are tried."""
CONDITIONAL = 0.05
"""How many of a subject's conditions are expected to be what matters, where the subject does: mostly none."""
ELSEWHERE = 0.3
"""Prior probability that one of a subject's levels is what matters, where the subject does, and not the whole."""
GRADED = 1.5
"""How much greater, in quadrature, the z of one of a set's levels must be than that of the set."""
LEAST_HELD = 4
"""Answered cases in which what a set is narrowed to must hold, and in which it must not."""
RAREST_WORD = 4
"""Answered cases in which a word must occur to be tried."""
COMMON = 0.025
"""Share of the pool's cases in which a word or one of a family must occur to be tried before anything is known."""
COMMONEST_WORDS, COMMONEST_FAMILIES = 96, 48
"""How many of these words, and of families of words, at most."""
LARGEST_NUMBER_OF_SETS = 16
SUSPECTED, REFUTED = 0.2, 0.02
"""A set that has mattered with the first probability and now does with the second is killed: answers refuted it."""
EXPECTED_MISTAKES = 1.5
"""Systematic mistakes that a supervisor is expected to have before anything is known."""
OF_WORDS = 0.5
"""How many of them are expected to be about a word or a family of words that no attribute measures."""
NAMED = 1.5
"""How much likelier it is that a subject matters which chains name than one that nobody thought of (see LOG.md)."""
MOST_EXPECTED = 0.5
"""Where little is tried: the largest prior probability that one measure matters."""
SUPPORT = {Kind.LIKED: 4.0, Kind.BETTER: 0.5, Kind.MISLED: 1.0}
"""Votes that every alternative of a kind starts with: most of what sways a rater doesn't make it truer."""
SUPPORT_OF_MANNERS = {Kind.LIKED: 0.5, Kind.BETTER: 4.0, Kind.MISLED: 0.5}
"""The same where the manner is what is judged."""
KNOWN = 60.0
"""Votes that a subject gets for making an option better where it is all that the student judges by."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A subject that may become a set: its measure, the votes for (direction, kind), and a prior that it matters."""

    subject: str
    grounding: Grounding
    votes: Mapping[tuple[int, Kind], int]
    matters: float
    cases: tuple[str, ...]
    why: str
    parents: tuple[str, ...] = ()
    """The set that this one is a narrower reading of."""
    said: str = ""
    """What chains called it, where they did."""


def from_cluster(
    cluster: SubjectCluster, grounder: Grounder, cases: Mapping[str, Case], *, bank: bool = True
) -> Proposal | None:
    """The alternatives that a cluster's claims speak for, or ``None`` when they can't be measured.

    A claim votes for the direction in which its subject, in its case, speaks for the option it favours; for *better*
    when the chain says that option is true, for *liked* when it says only that the supervisor will choose it. Where its
    case has no more of the subject than others have, it votes for nothing.

    Chains have not seen an answer, so nothing is to be paid for having looked; but where the whole ``bank`` is tried
    what they name is one of many.
    """
    grounding = grounder.ground(cluster.subject)
    if grounder.many_classes:
        favoured = Counter(claim.favours for claim in cluster.claims)
        grounding = replace(grounding, option=max(sorted(favoured), key=lambda k: favoured[k]))
    if not grounder.varies(grounding):
        return None
    effects_N_K = grounder.effects([grounding], [cases[claim.case] for claim in cluster.claims])[:, :, 0]
    votes: Counter[tuple[int, Kind]] = Counter()
    for claim, effect_K in zip(cluster.claims, effects_N_K, strict=True):
        direction = int(np.sign(effect_K[claim.favours]))
        if direction == 0:
            continue
        if claim.favours == claim.true_label:
            votes[direction, Kind.BETTER] += 1
        elif claim.favours == claim.weak_label:
            votes[direction, Kind.LIKED] += 1
    n, torn = len(cluster.claims), len(cluster.torn)
    why = f"{n} claims about {cluster.subject!r} in {len(cluster.cases)} cases, torn in {torn}"
    # What is measured is what is tested and asked about, whatever a chain called it.
    subject = cluster.subject if grounding.concept else grounding.measure
    if bank:
        beside = max(1, len(grounder.for_each_option(grounder.attributes())))
        matters = _one_of(beside, NAMED * (EXPECTED_MISTAKES - OF_WORDS)) * grounding.trust
        if not grounding.concept:
            # Chains may mean something else, but the measure itself is as likely as if nobody had named anything.
            matters = max(matters, _one_of(beside, EXPECTED_MISTAKES - OF_WORDS))
    else:
        matters = _one_of(LARGEST_NUMBER_OF_SETS, EXPECTED_MISTAKES) * grounding.trust
    return Proposal(subject, grounding, votes, matters, cluster.torn or cluster.cases, why, said=cluster.subject)


def enumerated(grounder: Grounder) -> list[Proposal]:
    """Every attribute that differs between cases and the commonest words and families, thought of by nobody."""
    pool = grounder.task.split(Split.POOL)
    least = max(RAREST_WORD, int(COMMON * len(pool)))
    attributes = grounder.for_each_option(grounder.attributes())
    words = grounder.for_each_option(
        [*grounder.words(pool, least, COMMONEST_WORDS), *grounder.families(pool, least, COMMONEST_FAMILIES)]
    )
    why = "every attribute and the commonest words are tried"
    return [
        Proposal(grounding.measure, grounding, {}, _one_of(len(known), expected), (), why)
        for known, expected in ((attributes, EXPECTED_MISTAKES - OF_WORDS), (words, OF_WORDS))
        for grounding in known
    ]


def _one_of(tried: int, expected: float) -> float:
    """Prior probability that one of so many measures matters, of which ``expected`` do."""
    return min(MOST_EXPECTED, expected / tried)


@dataclass(frozen=True)
class Surprise:
    """L answers (edits left out), what was expected of them, and the measures that were tried before."""

    grounder: Grounder
    cases: Sequence[Case]
    weak_L_K: Array
    predicted_L_K: Array
    known: Sequence[Grounding]

    def untried(self, groundings: Sequence[Grounding]) -> list[Grounding]:
        """Those that measure something else than what is known."""
        known = {grounding.measured for grounding in self.known}
        return [grounding for grounding in groundings if grounding.measured not in known]

    def explained(self, tried: Sequence[Grounding]) -> Array:
        """z_A: how well each measure explains where the supervisor departed from what was expected.

        A score test on the residuals of the answers (Rao 1948), for what is liked and for what misleads.
        """
        liked_A, misled_A = self.explained_by_kind(tried)
        z_A: Array = np.where(np.abs(misled_A) > np.abs(liked_A), misled_A, liked_A)
        return z_A

    def explained_by_kind(self, tried: Sequence[Grounding]) -> Array:
        """z_2_A of what is liked and of what misleads; the signs of the two don't say the same."""
        return self._scored(self._ways(tried))

    def _ways(self, tried: Sequence[Grounding]) -> Array:
        """way_2_L_K_A: where each measure moves the answers, if it is liked and if it misleads."""
        # What misleads moves answers against the truth as the student sees it, wherever there is more of it.
        against_L_K = -self.predicted_L_K + self.predicted_L_K.mean(axis=1, keepdims=True)
        misleading_L_K_A = self.grounder.presence(tried, self.cases)[:, None] * against_L_K[:, :, None]
        return np.stack([self.grounder.effects(tried, self.cases), misleading_L_K_A])

    def _scored(self, way_2_L_K_A: Array) -> Array:
        """z_2_A of ways in which measures may move the answers."""
        liked_L_K_A, misleading_L_K_A = way_2_L_K_A
        residual_L_K = self.weak_L_K - self.predicted_L_K
        liked_A = _scores(residual_L_K, self.predicted_L_K, liked_L_K_A, biased=not self.grounder.task.options_vary)
        misled_A = _scores(residual_L_K, self.predicted_L_K, misleading_L_K_A, biased=False)
        return np.stack([liked_A, misled_A])

    def holding(self, groundings: Sequence[Grounding]) -> NDArray[np.int64]:
        """n_A: in how many of the cases each measure speaks for something."""
        effects_L_K_A = self.grounder.effects(groundings, self.cases)
        n_A: NDArray[np.int64] = (np.abs(effects_L_K_A).max(axis=1) > 0).sum(axis=0)
        return n_A

    def narrower(self, offered: Sequence[Grounding], among: int) -> list[Grounding]:
        """The untried ones that hold in enough of the cases, and in enough fewer than ``among``."""
        tried = self.untried(offered)
        holding = zip(tried, self.holding(tried), strict=True)
        return [grounding for grounding, n in holding if LEAST_HELD <= n <= among - LEAST_HELD]

    def told_by(self, grounding: Grounding) -> tuple[str, ...]:
        """The cases whose answers speak for the measure most, in the way that explains more of them."""
        way_2_L_K_A = self._ways([grounding])
        z_2 = self._scored(way_2_L_K_A)[:, 0]
        best = int(np.abs(z_2).argmax())
        residual_L_K = self.weak_L_K - self.predicted_L_K
        pull_L = (residual_L_K * way_2_L_K_A[best, :, :, 0]).sum(axis=1) * np.sign(z_2[best])
        return tuple(self.cases[i].id for i in np.argsort(-pull_L, kind="stable")[:5])


def from_surprises(surprise: Surprise) -> list[Proposal]:
    """Attributes, words and families of words that explain where the supervisor departed from the prediction.

    The answers that propose a set also weigh it, so its prior is what one of all measures of its kind has, known ones
    among them. What known sets already explain is not proposed again.
    """
    if len(surprise.cases) < FEWEST_ANSWERS:
        return []
    grounder = surprise.grounder
    attributes = grounder.for_each_option(grounder.attributes())
    words = grounder.words(surprise.cases, RAREST_WORD) + grounder.families(surprise.cases, RAREST_WORD)
    words = grounder.for_each_option(words)
    tried = surprise.untried([*attributes, *words])
    z_A = surprise.explained(tried)
    # Of a measure that may speak for any of several options the best one, the last where they are alike.
    option_A = np.array([grounding.option for grounding in tried], dtype=np.int64)
    best_of: dict[str, int] = {}
    for a in np.lexsort((-option_A, -np.abs(z_A))):
        best_of.setdefault(tried[a].measure, int(a))
    ranked = list(best_of.values())
    # Most measures have sets already: that few are left to be tried makes none of these likelier.
    named = {one.measured for one in attributes}
    unnamed = {one.measured for one in (*words, *surprise.known) if not one.concept} - named
    kinds = ((named, EXPECTED_MISTAKES - OF_WORDS), (unnamed, OF_WORDS))
    proposals = []
    for kind, expected in kinds:
        leading = [a for a in ranked if tried[a].measured in kind][:SURPRISES]
        surprising = (a for a in leading if np.abs(z_A[a]) > SURPRISING)
        proposals += [
            _surprising(surprise, tried[a], z_A[a], len(kind), _one_of(len(kind), expected)) for a in surprising
        ]
    return proposals


def split_off(surprise: Surprise, believed: Sequence[HypothesisSet]) -> list[Proposal]:
    """Where a believed set's subject matters with, or only without, something else: at most one such case of each set.

    What the whole set explains is expected already, so what is left over goes one way where the condition holds and
    the other way where it doesn't. The set stays: either may be what is true.
    """
    if len(surprise.cases) < FEWEST_ANSWERS:
        return []
    proposals = []
    for one in believed:
        (among,) = surprise.holding([one.grounding])
        tried = surprise.narrower(surprise.grounder.conditionals(one.grounding), among)
        if not tried:
            continue
        z_A = surprise.explained(tried)
        best = int(np.abs(z_A).argmax())
        if np.abs(z_A[best]) > SPLITTING:
            matters = _one_of(len(tried), CONDITIONAL)
            proposals.append(_surprising(surprise, tried[best], z_A[best], len(tried), matters, (one.id,)))
    return proposals


def graded(surprise: Surprise, one: HypothesisSet) -> list[Proposal]:
    """From how much on a set's subject matters, where that explains the answers better than the set does.

    At most one such level. ``surprise`` expects nothing of the set: other levels are alternatives to the whole of it,
    or to its own.
    """
    grounder = surprise.grounder
    offered = grounder.levels(one.grounding)
    tried = surprise.narrower(offered, len(surprise.cases))
    if len(surprise.cases) < FEWEST_ANSWERS or not tried:
        return []
    z_2_A = surprise.explained_by_kind([*tried, one.grounding])
    # Of each kind the way that the whole goes.
    towards_2_A = z_2_A[:, :-1] * np.sign(z_2_A[:, -1:])
    best = int(towards_2_A.max(axis=0).argmax())
    # Half the square of a score is about what it adds to the log-likelihood.
    if towards_2_A[:, best].max() < np.hypot(np.abs(z_2_A[:, -1]).max(), GRADED):
        return []
    pool = grounder.task.split(Split.POOL)
    best_N_K, whole_N_K = np.moveaxis(grounder.effects([tried[best], one.grounding], pool), 2, 0)
    if duplicate_of(best_N_K, [whole_N_K]) is not None:
        return []
    # Beside the whole; as likely as the set is, where that is one of the levels.
    apart = 1.0 if parts_of(one.grounding).above is not None else ELSEWHERE / (1.0 - ELSEWHERE) / len(offered)
    matters = (1.0 - one.prior_none) * apart
    z = float(z_2_A[towards_2_A[:, best].argmax(), best])
    return [_surprising(surprise, tried[best], z, len(tried), matters, (one.id,))]


def _surprising(
    surprise: Surprise, grounding: Grounding, z: float, tried: int, matters: float, parents: tuple[str, ...] = ()
) -> Proposal:
    """The best of ``tried`` measures, with its prior probability to matter."""
    why = f"surprising answers: z = {z:+.1f} over {len(surprise.cases)} answers, the best of {tried} tried"
    return Proposal(grounding.measure, grounding, {}, matters, surprise.told_by(grounding), why, parents)


def _scores(residual_L_K: Array, predicted_L_K: Array, effects_L_K_A: Array, *, biased: bool) -> Array:
    """z_A of the score test of each effect; ``biased`` takes out what a leaning to an option explains."""
    mean_L_A = np.einsum("lk,lka->la", predicted_L_K, effects_L_K_A)
    score_A = np.einsum("lk,lka->a", residual_L_K, effects_L_K_A)
    variance_A = np.einsum("lk,lka->a", predicted_L_K, effects_L_K_A**2) - (mean_L_A**2).sum(axis=0)
    if biased:
        rest_L_J = predicted_L_K[:, 1:]
        variance_J_J = np.diag(rest_L_J.sum(axis=0)) - rest_L_J.T @ rest_L_J
        covariance_J_A = np.einsum("lj,lja->ja", rest_L_J, effects_L_K_A[:, 1:] - mean_L_A[:, None])
        shared_J_A = np.linalg.pinv(variance_J_J) @ covariance_J_A
        score_A = score_A - residual_L_K[:, 1:].sum(axis=0) @ shared_J_A
        variance_A = variance_A - (covariance_J_A * shared_J_A).sum(axis=0)
    z_A: Array = score_A / np.sqrt(np.maximum(variance_A, 1e-9))
    return z_A


def make_set(proposal: Proposal, number: int, task: Task, known: float = 0.0) -> HypothesisSet:
    """The proposal as a set: all ways in which its subject may matter, however few speak for some of them.

    ``known`` is how far the subject goes with what the student holds to be true, -1 to 1: what it judges by itself is
    more likely to make an option better than to be merely liked.
    """
    support = SUPPORT_OF_MANNERS if task.manner_matters else SUPPORT
    votes = {**dict.fromkeys(itertools.product((1, -1), Kind), 0.0), **proposal.votes}
    votes[1 if known > 0 else -1, Kind.BETTER] += KNOWN * known**2
    # Only where the text as a whole is judged can something in it mislead about the case; whichever option is meant,
    # so that of the sets of one subject, one for each option, only the last has this way.
    misled = not task.options_vary and proposal.grounding.option == task.n_options - 1
    misleading = ((1, Kind.MISLED),) if misled else ()
    ways = [*((direction, kind) for kind in (Kind.LIKED, Kind.BETTER) for direction in (1, -1)), *misleading]
    chances = priors([support[kind] + votes[direction, kind] for direction, kind in ways], proposal.matters)
    set_id = f"S{number}"
    hypotheses = tuple(
        Hypothesis(
            id=f"{set_id}.{index}",
            statement=statement(proposal.subject, proposal.grounding, direction, kind, task),
            kind=kind,
            direction=direction,
            prior=chance,
        )
        for index, ((direction, kind), chance) in enumerate(zip(ways, chances, strict=True), start=1)
    )
    return HypothesisSet(
        set_id, proposal.subject, proposal.grounding, hypotheses, proposal.cases, proposal.why, proposal.parents
    )


def statement(subject: str, grounding: Grounding, direction: int, kind: Kind, task: Task) -> str:
    """The hypothesis in words; ``grounding`` says which option more of the subject speaks for, and from how much on."""
    amount = having(grounding, subject, direction)
    if kind is Kind.MISLED:
        return f"a {task.noun} {amount} misleads the supervisor about what is right"
    if task.options_vary:
        favoured = f"an option {amount}"
    else:
        favoured = f"'{task.cases[0].options[grounding.option]}' for a {task.noun} {amount}"
    if kind is Kind.BETTER:
        return f"{favoured} is right, and the supervisor says so"
    return f"the supervisor leans to {favoured}, which makes it no truer"


def duplicate_of(effect_N_K: Array, others: Sequence[Array]) -> int | None:
    """Index of the effect (each an array of shape N, K) that no query could separate from this one, or ``None``.

    By what differs between cases: what is in nearly all of them behaves like anything else that is.
    """
    effect_N_K = _differing(effect_N_K)
    alike = (abs(correlation(effect_N_K, _differing(other_N_K))) > SAME_BEHAVIOUR for other_N_K in others)
    return next((index for index, same in enumerate(alike) if same), None)


def _differing(effect_N_K: Array) -> Array:
    """What differs of an effect from case to case; all of it where nothing does (an option's place)."""
    centred_N_K = effect_N_K - effect_N_K.mean(axis=0)
    return centred_N_K if np.abs(centred_N_K).max(initial=0.0) > 1e-9 else effect_N_K
