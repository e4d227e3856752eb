"""Steps 3 and 4: rank the sets by what resolving them is worth, and choose the cases to ask.

Some of a round's labels decide between the hypotheses of the sets that matter most, some screen all others
together, and the rest buy information about the truth of the pool directly (EPIG over draws from the joint
posterior of the truth model and the mistake theory); where a taste is judged all of them do. Either way the
supervisor has to be expected to get the case right, unless the case is a minimal edit: then its mistake is what
the experiment is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from askew.agent import infogain
from askew.agent.belief import SetBelief
from askew.agent.conditional_logit import Array
from askew.agent.hypotheses import HypothesisSet
from askew.agent.write import key
from askew.tasks.case import Case

FIRST_LABELS = 100
SET_SHARE, LATER_SHARE = 0.8, 0.4
"""Share of a round's labels that goes to telling hypotheses apart, among a run's first labels and later; the rest goes
to the truth."""
SCREENING = 0.5
"""Least share of these that screens all other sets together; the rest is for the leading ones, if there are any."""
SETS_A_ROUND = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A case that could be asked, and where it comes from; ``about`` are the sets that an edit was made for.

    An edit is ``combined`` where it raises what several subjects are measured by: it can't tell these apart by itself.
    """

    case: Case
    source: str
    intended: int | None = None
    parent: str | None = None
    about: tuple[str, ...] = ()
    combined: bool = False


@dataclass(frozen=True, slots=True)
class Priority:
    """What resolving a set would be worth, in cases of the pool, each weighed by how much it matters."""

    set_id: str
    flips: float
    evpi: float
    resolvable: bool
    why: str
    gain: float
    """What the best candidate is expected to settle of it, in the same cases."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is predicted for C candidates: by M draws of the joint posterior, and by each set."""

    truth_C_K: Array
    weak_C_K: Array
    reliability_C: Array
    q_M_C_K: Array
    r_M_T_K: Array
    q_by_set: dict[str, Array]
    r_M_C_K: Array
    """What each draw holds to be the truth of the candidates."""
    weight_T: Array
    """How much each target case matters."""
    tells_by_set: dict[str, NDArray[np.bool_]]
    """tells_C of each set: which candidates tell of it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A candidate that was chosen, with the reasons."""

    candidate: int
    set_id: str | None
    eig: float
    epig: float
    flips: float | None = None
    """Predicted labels of the pool that would change if the set were resolved."""
    q_H_K: Array | None = None
    """What each hypothesis of the set was taken to predict."""


def prioritise(
    sets: Sequence[HypothesisSet],
    beliefs: dict[str, SetBelief],
    r_by_set: dict[str, Array],
    candidates: Sequence[Candidate],
    outlook: Outlook,
    weight_N: Array,
) -> list[Priority]:
    """The sets by expected value of perfect information, discounted when none of the candidates could resolve them.

    ``r_by_set`` is r_H_N_K of the pool, ``weight_N`` how much each of its cases matters; only ratios count.
    """
    u_N = weight_N / weight_N.mean()
    ranked = []
    for hypothesis_set in sets:
        belief = beliefs[hypothesis_set.id]
        r_H_N_K = r_by_set[hypothesis_set.id]
        eig_C = infogain.eig(belief.p_H, outlook.q_by_set[hypothesis_set.id])
        best = float((eig_C * apart(candidates, hypothesis_set.id)).max(initial=0.0))
        uncertainty = float(infogain.entropy(belief.p_H))
        resolvable = best > 0.01
        value = infogain.value_of_resolution(belief.p_H, r_H_N_K, u_N)
        # A set about liking alone changes no prediction by itself, yet answers can't be read without it:
        # its worth is the labels it would have us misread, so what is unsure about it counts as well.
        worth = (value + uncertainty) * (1.0 if resolvable else 0.1)
        why = f"best candidate tells {best:.3f} nats of the {uncertainty:.2f} that are unsure"
        flips = infogain.expected_flips(belief.p_H, r_H_N_K, u_N)
        gain = worth * best / max(uncertainty, best, 1e-12)
        ranked.append((worth, Priority(hypothesis_set.id, flips, value, resolvable, why, gain)))
    ranked.sort(key=lambda item: (-item[0], item[1].set_id))
    return [priority for _, priority in ranked]


def leading(priorities: Sequence[Priority]) -> list[Priority]:
    """The sets that get labels of their own this round."""
    return [priority for priority in priorities if priority.resolvable][:SETS_A_ROUND]


def choose(
    candidates: Sequence[Candidate],
    outlook: Outlook,
    priorities: Sequence[Priority],
    beliefs: dict[str, SetBelief],
    size: int,
    for_sets: int,
    a_min: float,
    tau: float,
    rng: np.random.Generator,
) -> list[Choice]:
    """The round's batch: ``for_sets`` for each leading set and for all others together, the rest for the truth.

    Empty where none of the cases tells ``tau`` nats about the truth.
    """
    m = len(outlook.q_M_C_K)
    p_M = np.full(m, 1.0 / m)
    epig_C = infogain.epig(p_M, outlook.q_M_C_K, outlook.r_M_T_K, outlook.weight_T)
    edited_C = np.array([candidate.source == "edited" for candidate in candidates])
    free_C = gate(outlook.reliability_C, edited_C, a_min, size)
    if (epig_C * free_C).max(initial=0.0) < tau:
        return []
    eig_by_set = {
        name: infogain.eig(beliefs[name].p_H, q_H_C_K) * outlook.tells_by_set[name]
        for name, q_H_C_K in outlook.q_by_set.items()
    }
    flips_by_set = {priority.set_id: round(priority.flips, 3) for priority in priorities}
    chosen: list[Choice] = []

    def take(index: int, about: str) -> None:
        free_C[index] = False
        eig = float(eig_by_set[about][index])
        predicted_H_K = outlook.q_by_set[about][:, index]
        chosen.append(Choice(index, about, eig, float(epig_C[index]), flips_by_set[about], predicted_H_K))

    ahead = leading(priorities)
    given = shares([priority.gain for priority in ahead], for_sets - int(SCREENING * for_sets))
    for priority, share in zip(ahead, given, strict=True):
        p_H, q_H_C_K = beliefs[priority.set_id].p_H, outlook.q_by_set[priority.set_id]
        score_C = eig_by_set[priority.set_id] * free_C * apart(candidates, priority.set_id)
        for index in infogain.joint_batch(p_H, q_H_C_K, share, score_C, rng):
            take(index, priority.set_id)
    # What has labels of its own needs no screening. Before anything is suspected no set leads: then all is screening.
    others = sorted(eig_by_set.keys() - {choice.set_id for choice in chosen})
    for index in screen(others, outlook, beliefs, free_C, for_sets - len(chosen)):
        take(index, max(others, key=lambda s: eig_by_set[s][index]))
    score_C = epig_C * outlook.reliability_C * free_C * ~edited_C
    for index in infogain.joint_batch(p_M, outlook.q_M_C_K, size - len(chosen), score_C, rng):
        eig = max((float(eig_C[index]) for eig_C in eig_by_set.values()), default=0.0)
        chosen.append(Choice(index, None, eig, float(epig_C[index])))
    return [chosen[int(i)] for i in rng.permutation(len(chosen))]


def labels_for_sets(size: int, labels_used: int, *, taste: bool) -> int:
    """How many of a round's ``size`` labels tell hypotheses apart.

    None where a ``taste`` is judged: what is liked there is what is better, so no mistake has to be known before an
    answer can be read, and what is better is in the draws that the truth of the pool is asked about with (ADR 19).
    """

    def by_then(labels: int) -> int:
        """Of the first so many labels; counted from the start, so that rounds of one label have their part too."""
        return int(SET_SHARE * min(labels, FIRST_LABELS) + LATER_SHARE * max(0, labels - FIRST_LABELS) + 1e-9)

    return 0 if taste else by_then(labels_used + size) - by_then(labels_used)


def shares(gains: Sequence[float], labels: int) -> list[int]:
    """How many of ``labels`` each set gets; ``gains`` is what the first would settle.

    What n labels leave unsettled is taken to fall as 1/(1 + n), so that the next one settles 1/((1 + n)(2 + n)) of it.
    """
    given = [0] * len(gains)
    for _ in range(labels if gains else 0):
        next_S = [gain / ((1 + n) * (2 + n)) for gain, n in zip(gains, given, strict=True)]
        given[int(np.argmax(next_S))] += 1
    return given


def screen(
    sets: Sequence[str], outlook: Outlook, beliefs: dict[str, SetBelief], free_C: NDArray[np.bool_], size: int
) -> list[int]:
    """Cases for the hypotheses of many sets at once: those by which most of what is true would be noticed."""
    if not sets:
        return []
    evidence_H_C = np.concatenate(
        [infogain.evidence_expected(outlook.q_by_set[s]) * outlook.tells_by_set[s] for s in sets]
    )
    p_H = np.concatenate([beliefs[s].p_H[:-1] for s in sets])
    return infogain.screening_batch(evidence_H_C, p_H, free_C, size)


def unasked(candidates: Sequence[Candidate], asked: Sequence[Case]) -> list[Candidate]:
    """The candidates that were not asked, the first of those that are the same: whoever answered would repeat it."""
    taken, left = {key(case) for case in asked}, []
    for candidate in candidates:
        text = key(candidate.case)
        if text not in taken:
            taken.add(text)
            left.append(candidate)
    return left


def concerned(candidates: Sequence[Candidate], set_id: str) -> NDArray[np.bool_]:
    """concerned_C: which cases were not made for other sets alone."""
    return np.array([not one.about or set_id in one.about for one in candidates], dtype=np.bool_)


def apart(candidates: Sequence[Candidate], set_id: str) -> NDArray[np.bool_]:
    """apart_C: which cases may be asked for one set, since they tell it apart from others that an edit changes too."""
    single_C = np.array([not one.combined for one in candidates], dtype=np.bool_)
    return single_C & concerned(candidates, set_id)


def drawn_targets(weight_N: Array, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Array]:
    """Indices of at most ``n`` cases that the experiments are to inform, and weight_T of each.

    Where cases matter differently, and more of them matter than are drawn, they are drawn by how much they do.
    """
    index_T = rng.permutation(len(weight_N))
    index_T = index_T[weight_N[index_T] > 0.0]
    if len(index_T) > n and np.ptp(weight_N[index_T]) > 0.0:
        return rng.choice(index_T, n, p=weight_N[index_T] / weight_N[index_T].sum()), np.ones(n)
    return index_T[:n], weight_N[index_T[:n]]


def undesigned(candidates: Sequence[Candidate], source: str, size: int, rng: np.random.Generator) -> list[Choice]:
    """A control: candidates of one source at random, without any reason."""
    offered = [index for index, candidate in enumerate(candidates) if candidate.source == source]
    drawn = rng.permutation(offered)[:size]
    return [Choice(int(index), None, eig=0.0, epig=0.0) for index in drawn]


def without_noise(outlook: Outlook, truth_by_set: dict[str, Array]) -> Outlook:
    """A control: information gain that takes the supervisor's answer for the truth.

    ``truth_by_set`` is r_H_C_K of each set's hypotheses; one about liking alone says nothing of the truth.
    """
    reliability_C = np.ones(len(outlook.reliability_C))
    return replace(
        outlook,
        q_M_C_K=outlook.r_M_C_K,
        q_by_set=truth_by_set,
        reliability_C=reliability_C,
    )


def gate(reliability_C: Array, about_mistake_C: NDArray[np.bool_], a_min: float, size: int) -> NDArray[np.bool_]:
    """allowed_C: expected accuracy of at least ``a_min``, or the mistake itself is in question.

    Where too few cases pass, the likeliest to be answered right are let through, so that a round of a
    very weak supervisor is smaller in ambition and not in size.
    """
    allowed_C = reliability_C >= a_min
    if (allowed_C & ~about_mistake_C).sum() < 2 * size:
        allowed_C[np.argsort(np.where(about_mistake_C, np.inf, -reliability_C), kind="stable")[: 2 * size]] = True
    return allowed_C | about_mistake_C
