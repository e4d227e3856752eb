"""Hypothesis sets through a run: born from torn chains or from surprising answers, merged, and killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from askew.agent.belief import priors
from askew.agent.cluster import SubjectCluster
from askew.agent.conditional_logit import Array
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding, Hypothesis, HypothesisSet, Kind
from askew.tasks.case import Case, Task

SAME_BEHAVIOUR = 0.9
"""Subjects whose effects correlate more than this over the pool can't be told apart by any query."""
SURPRISE_LEVEL = 0.01
"""Family-wise level at which an attribute must explain the surprises to become a hypothesis."""
LARGEST_NUMBER_OF_SETS = 16


@dataclass(frozen=True, slots=True)
class Proposal:
    """A subject that may become a set: its measure, and the votes for (direction, kind)."""

    subject: str
    grounding: Grounding
    votes: Mapping[tuple[int, Kind], int]
    cases: tuple[str, ...]
    why: str


def from_cluster(cluster: SubjectCluster, grounder: Grounder, cases: Mapping[str, Case]) -> Proposal | None:
    """The alternatives that a cluster's claims speak for, or ``None`` when they can't be measured.

    A claim votes for the direction in which its subject, in its case, speaks for the option it favours;
    and for *liked* when the chain says the supervisor will follow it, *better* when it says it is true.
    """
    grounding = grounder.ground(cluster.subject)
    if not grounder.varies(grounding):
        return None
    effects_N_K = grounder.effects([grounding], [cases[claim.case] for claim in cluster.claims])[:, :, 0]
    votes: Counter[tuple[int, Kind]] = Counter()
    for claim, effect_K in zip(cluster.claims, effects_N_K, strict=True):
        direction = -1 if effect_K[claim.favours] < 0 else 1
        if claim.favours == claim.weak_label:
            votes[direction, Kind.LIKED] += 1
        if claim.favours == claim.true_label:
            votes[direction, Kind.BETTER] += 1
    why = f"{len(cluster.claims)} claims in {len(cluster.cases)} cases, torn in {len(cluster.torn)}"
    return Proposal(cluster.subject, grounding, votes, cluster.torn or cluster.cases, why) if votes else None


def from_surprises(
    grounder: Grounder, cases: Sequence[Case], weak_L_K: Array, predicted_L_K: Array, known: Sequence[Grounding]
) -> list[Proposal]:
    """Attributes that explain where the supervisor departed from the prediction.

    For each attribute of the bank a score test on the residuals of the answers (Rao 1948); the level is
    divided by the number of attributes tried. What known sets already explain is not proposed again.
    """
    if len(cases) < 8:
        return []
    tried = [g for g in grounder.attributes() if g not in known]
    effects_L_K_A = grounder.effects(tried, cases)
    residual_L_K = weak_L_K - predicted_L_K
    score_A = np.einsum("lk,lka->a", residual_L_K, effects_L_K_A)
    mean_L_1_A = np.einsum("lk,lka->la", predicted_L_K, effects_L_K_A)[:, None]
    variance_A = np.einsum("lk,lka->a", predicted_L_K, (effects_L_K_A - mean_L_1_A) ** 2)
    z_A = score_A / np.sqrt(variance_A + 1e-9)
    bar = norm.isf(SURPRISE_LEVEL / 2 / max(1, len(tried)))
    proposals = []
    for a in np.argsort(-np.abs(z_A))[:3]:
        if np.abs(z_A[a]) > bar:
            direction = int(np.sign(z_A[a]))
            pull_L = (residual_L_K * effects_L_K_A[:, :, a]).sum(axis=1) * direction
            told_by = tuple(cases[i].id for i in np.argsort(-pull_L)[:5])
            votes = {(direction, Kind.LIKED): 2, (direction, Kind.BETTER): 1, (-direction, Kind.LIKED): 0}
            why = f"surprising answers: z = {z_A[a]:+.1f} over {len(cases)} answers"
            proposals.append(Proposal(tried[a].measure, tried[a], votes, told_by, why))
    return proposals


def make_set(proposal: Proposal, number: int, task: Task) -> HypothesisSet:
    """The proposal as a set: one hypothesis for each alternative that has a vote."""
    alternatives = sorted(proposal.votes.items())
    set_id = f"S{number}"
    chances = priors([votes for _, votes in alternatives])
    hypotheses = tuple(
        Hypothesis(
            id=f"{set_id}.{index}",
            statement=statement(proposal.subject, proposal.grounding, direction, kind, task),
            kind=kind,
            direction=direction,
            prior=chance,
        )
        for index, (((direction, kind), _), chance) in enumerate(zip(alternatives, chances, strict=True), start=1)
    )
    return HypothesisSet(set_id, proposal.subject, proposal.grounding, hypotheses, proposal.cases, proposal.why)


def statement(subject: str, grounding: Grounding, direction: int, kind: Kind, task: Task) -> str:
    """The hypothesis in words."""
    measure = "" if grounding.measure == subject else f" ({grounding.measure})"
    how = "more" if direction > 0 else "less"
    if task.options_vary:
        favoured = f"an option with {how} '{subject}'{measure}"
    else:
        option = task.cases[0].options[grounding.option]
        favoured = f"'{option}' for a {task.noun} with {how} '{subject}'{measure}"
    if kind is Kind.BETTER:
        return f"{favoured} is right, and the supervisor says so"
    return f"the supervisor leans to {favoured}, which makes it no truer"


def duplicate_of(effect_N_K: Array, others_N_K_S: Array) -> int | None:
    """Index of a set that no query could separate from this effect, or ``None``."""
    for s in range(others_N_K_S.shape[2]):
        first, second = effect_N_K.ravel(), others_N_K_S[:, :, s].ravel()
        if abs(np.corrcoef(first, second)[0, 1]) > SAME_BEHAVIOUR:
            return s
    return None
