"""Step 2: from the steps of many chains to subjects on which the model is torn.

Steps are blocked by subject, and subjects that mean the same are put together across cases. Two claims on one subject
are *alternatives* when they are incompatible, in that they speak for different options, and exclusive in occurrence:
they come in the same chains less often than chance would have it. The result doesn't depend on the order of the chains.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom
from sklearn.cluster import AgglomerativeClustering

from askew.agent.hypothesise import Chain, Step

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

SAME_SUBJECT = 0.5
"""Cosine distance within which all the subjects of a cluster lie (complete linkage)."""
FEWEST_CASES, MANY_ALIKE = 4, 8
"""Of fewer cases it can't be said that chains are the same whatever the case, unless so many are and no other is."""
BY_CHANCE = 0.05
"""Claims are exclusive in occurrence where chance would keep them apart as much with no more than this probability."""


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
    counted = Counter(text for _, text in {(chain.case, chain.text) for chain in chains if not chain.malformed})
    if len(cases) < FEWEST_CASES:
        # Two may be alike. That all they were given, again and again, is one chain is no accident.
        return set(counted) if len(cases) > 1 and len(counted) == 1 and len(chains) >= MANY_ALIKE else set()
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


def exclusive(occurring: Iterable[tuple[set[int], set[int], set[int]]]) -> bool:
    """Whether two claims come together in fewer chains than chance would have it.

    Given how many chains of a case make either claim, the number that make both is hypergeometric by chance. The half a
    dozen chains of one case seldom tell, so it is its sum over all cases that is tested, one-sided: the exact version
    of the test of Mantel & Haenszel (1959), "Statistical aspects of the analysis of data from retrospective studies of
    disease", by its mid-p-value (Lancaster 1961, "Significance tests in discrete distributions").

    Args:
        occurring: of every case the chains that make the first claim, the second, and all there are.
    """
    together, chance_B = 0, np.ones(1)
    for first, second, chains in occurring:
        both_B = np.arange(min(len(first), len(second)) + 1)
        chance_B = np.convolve(chance_B, hypergeom.pmf(both_B, len(chains), len(first), len(second)))
        together += len(first & second)
    return bool(chance_B[:together].sum() + chance_B[together] / 2 <= BY_CHANCE)


def _torn_cases(members: Sequence[Claim], chains_of: Mapping[str, set[int]]) -> tuple[str, ...]:
    """The cases in which claims on this subject, exclusive in occurrence, speak for different options.

    ``chains_of`` has all chains of each case: those that don't speak of the subject tell what chance would do.
    """
    favouring: dict[int, dict[str, set[int]]] = {}
    for claim in members:
        favouring.setdefault(claim.favours, {}).setdefault(claim.case, set()).add(claim.chain)
    torn: set[str] = set()
    for first, second in itertools.combinations(favouring.values(), 2):
        shared = first.keys() & second.keys()
        if exclusive((first[case], second[case], chains_of[case]) for case in shared):
            torn |= {case for case in shared if not (first[case] <= second[case] or second[case] <= first[case])}
    return tuple(sorted(torn))


def _commonest(subjects: Iterable[str]) -> str:
    """The commonest subject; of equally common ones the shortest, then the first in the alphabet."""
    return min(Counter(subjects).items(), key=lambda item: (-item[1], len(item[0]), item[0]))[0]
