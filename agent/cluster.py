"""Step 2: from the steps of many chains to subjects on which the model is torn.

Within a case, steps are blocked by subject; two claims are *alternatives* when they speak for different
options and occur in the same chains no more often than chance would have it. Across cases, subjects
that mean the same are put together. The result doesn't depend on the order of the chains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from sklearn.cluster import AgglomerativeClustering

from askew.agent.hypothesise import Chain, Step

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

SAME_SUBJECT = 0.5
"""Cosine distance within which all the subjects of a cluster lie (complete linkage)."""
FEWEST_CASES = 4
"""Of fewer cases it can't be said that chains are the same whatever the case."""
TOGETHER_BY_CHANCE = 0.05
"""Claims that occur in the same chains more often than chance at this level are not alternatives."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One step with where it came from: the case, the chain (its event number), and the verdicts."""

    case: str
    chain: int
    step: int
    subject: str
    claim: str
    favours: int
    weak_label: int
    true_label: int


@dataclass(frozen=True, slots=True)
class SubjectCluster:
    """Claims from several cases on one subject. ``torn`` are the cases where they are alternatives."""

    subject: str
    claims: tuple[Claim, ...]
    torn: tuple[str, ...]

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases the claims are about, each once, sorted."""
        return tuple(sorted({claim.case for claim in self.claims}))


def subject_of(step: Step) -> str:
    """A step's subject as it is compared with others."""
    return step.subject.lower()


def said_whatever_the_case(chains: Sequence[Chain]) -> set[str]:
    """The texts of well-formed chains that more than half of the cases were given: they say nothing of any case."""
    cases = {chain.case for chain in chains}
    if len(cases) < FEWEST_CASES:
        return set()
    counted = Counter(text for _, text in {(chain.case, chain.text) for chain in chains if not chain.malformed})
    return {text for text, n in counted.items() if 2 * n > len(cases)}


def one_label_for_all(chains: Sequence[Chain]) -> bool:
    """Whether all well-formed chains of several cases give one label, as what is said and as what is true."""
    said = [chain for chain in chains if not chain.malformed]
    labels = {label for chain in said for label in (chain.weak_label, chain.true_label)}
    return len({chain.case for chain in said}) >= FEWEST_CASES and len(labels) == 1


def counting_for_nothing(chains: Sequence[Chain]) -> list[str]:
    """In words, what of the chains :func:`claims_of` leaves out since it tells no case from another."""
    told = [
        f"one chain was sampled for more than half of the cases, and counts for nothing: {said.strip()[:80]!r}"
        for said in sorted(said_whatever_the_case(chains))
    ]
    if not told and one_label_for_all(chains):
        told.append("every chain of the round gives one and the same label, whatever the case: none counts")
    return told


def claims_of(chains: Sequence[tuple[int, Chain]]) -> list[Claim]:
    """The claims of the well-formed chains, given with their event numbers; repeats in a chain count once.

    What is said whatever the case is no claim; nor is any reason for a label that every case gets.
    """
    claims: list[Claim] = []
    if one_label_for_all([chain for _, chain in chains]):
        return claims
    empty = said_whatever_the_case([chain for _, chain in chains])
    for number, chain in chains:
        if chain.malformed or chain.weak_label is None or chain.true_label is None or chain.text in empty:
            continue
        seen = set()
        for index, step in enumerate(chain.steps):
            key = (subject_of(step), step.favours)
            if key not in seen:
                seen.add(key)
                claims.append(
                    Claim(
                        chain.case, number, index, step.subject, step.claim, step.favours,
                        chain.weak_label, chain.true_label,
                    )
                )  # fmt: skip
    return claims


def cluster_subjects(claims: Sequence[Claim], embed: Embed) -> list[SubjectCluster]:
    """Clusters of claims on one subject, the most supported first."""
    if not claims:
        return []
    ordered = sorted(claims, key=lambda c: (c.subject.lower(), c.claim, c.case, c.chain, c.step))
    subjects = sorted({claim.subject.lower() for claim in ordered})
    cluster_of = dict(zip(subjects, group_by_meaning(subjects, embed), strict=True))
    groups: dict[int, list[Claim]] = {}
    for claim in ordered:
        groups.setdefault(cluster_of[claim.subject.lower()], []).append(claim)
    chains_of: dict[str, set[int]] = {}
    for claim in claims:
        chains_of.setdefault(claim.case, set()).add(claim.chain)
    clusters = [
        SubjectCluster(_commonest(c.subject.lower() for c in members), tuple(members), _torn_cases(members, chains_of))
        for members in groups.values()
    ]
    return sorted(clusters, key=lambda c: (-len(c.torn), -len(c.cases), -len(c.claims), c.subject))


def group_by_meaning(
    texts: Sequence[str], embed: Embed, distance: float = SAME_SUBJECT, linkage: str = "complete"
) -> list[int]:
    """A cluster number for each of the texts, by the cosine distance between their embeddings."""
    if len(texts) < 2:
        return [0] * len(texts)
    embeddings_N_D = embed(texts).astype(np.float64)
    apart_N_N = np.clip(1.0 - embeddings_N_D @ embeddings_N_D.T, 0.0, 2.0)
    np.fill_diagonal(apart_N_N, 0.0)
    clustering = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage=linkage, distance_threshold=distance
    )
    return [int(label) for label in clustering.fit_predict(apart_N_N)]


def alternatives(first: set[int], second: set[int], chains: set[int]) -> bool:
    """Whether two claims are exclusive in occurrence: not in the same chains more often than chance.

    The test is Fisher's, one-sided, over the chains of the case.
    """
    both = len(first & second)
    if not first or not second:
        return False
    table = [[both, len(first) - both], [len(second) - both, len(chains) - len(first | second)]]
    _, p_together = fisher_exact(table, alternative="greater")
    return bool(both < min(len(first), len(second)) and p_together > TOGETHER_BY_CHANCE)


def _torn_cases(members: Sequence[Claim], chains_of: Mapping[str, set[int]]) -> tuple[str, ...]:
    """The cases in which claims on this subject speak for different options, in different chains.

    ``chains_of`` has all chains of each case: those that don't speak of the subject tell what chance would do.
    """
    torn = []
    for case in sorted({claim.case for claim in members}):
        here = [claim for claim in members if claim.case == case]
        favouring = {
            option: {claim.chain for claim in here if claim.favours == option}
            for option in {claim.favours for claim in here}
        }
        options = sorted(favouring)
        pairs = [(a, b) for i, a in enumerate(options) for b in options[i + 1 :]]
        if any(alternatives(favouring[a], favouring[b], chains_of[case]) for a, b in pairs):
            torn.append(case)
    return tuple(torn)


def _commonest(subjects: Iterable[str]) -> str:
    """The commonest subject; of equally common ones the shortest, then the first in the alphabet."""
    return min(Counter(subjects).items(), key=lambda item: (-item[1], len(item[0]), item[0]))[0]
