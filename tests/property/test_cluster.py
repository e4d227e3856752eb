"""Clusters don't depend on the order in which chains were sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import fisher_exact, hypergeom

from askew.agent.cluster import BY_CHANCE, claims_of, cluster_subjects, exclusive
from askew.agent.hypothesise import Chain, Step

SUBJECTS = ("length", "Length", "how long it is", "praise", "kind words", "exclamation marks")
MEANS = {"length": 0, "how long it is": 0, "praise": 1, "kind words": 1, "exclamation marks": 2}


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """What means the same points the same way, but for a little of its own."""
    own = [sorted(MEANS).index(text) for text in texts]
    vectors = np.eye(3)[[MEANS[text] for text in texts]] @ np.eye(3, 8) + 0.1 * np.eye(5, 8, 3)[own]
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


STEPS = st.builds(Step, st.sampled_from(SUBJECTS), st.sampled_from(("it is there", "much of it")), st.integers(0, 1))


@st.composite
def some_chains(draw: st.DrawFn) -> list[tuple[int, Chain]]:
    made = draw(
        st.lists(
            st.tuples(
                st.sampled_from("abcd"), st.lists(STEPS, max_size=3), st.integers(0, 1), st.integers(0, 1)
            ),
            min_size=1, max_size=14,
        )
    )  # fmt: skip
    return [
        (n, Chain(case, f"chain {n}", tuple(steps), weak, truth, None, "", "", ""))
        for n, (case, steps, weak, truth) in enumerate(made)
    ]


@settings(max_examples=60, deadline=None)
@given(some_chains(), st.randoms(use_true_random=False))
def test_the_order_of_the_chains_changes_nothing(chains: list[tuple[int, Chain]], random: object) -> None:
    shuffled = chains.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cluster_subjects(claims_of(shuffled), embed) == cluster_subjects(claims_of(chains), embed)


COUNTED = st.integers(1, 8).flatmap(lambda n: st.tuples(*[st.sets(st.integers(0, n - 1), min_size=1)] * 2, st.just(n)))


@given(COUNTED)
def test_of_one_case_exclusion_is_what_fishers_test_says(counted: tuple[set[int], set[int], int]) -> None:
    first, second, n = counted
    both = len(first & second)
    table = [[both, len(first) - both], [len(second) - both, n - len(first | second)]]
    mid_p = fisher_exact(table, "less").pvalue - hypergeom.pmf(both, n, len(first), len(second)) / 2
    assert exclusive([(first, second, set(range(n)))]) == (mid_p <= BY_CHANCE)


def test_single_chains_that_differ_tell_nothing_of_one_case_and_something_of_many() -> None:
    once = ({0}, {1}, set(range(6)))
    assert not exclusive([once]) and exclusive([once] * 20)
    assert exclusive([({0, 1, 2}, {3, 4, 5}, set(range(6)))])  # half the chains say so, the other half the opposite
    assert exclusive([({0, 1, 2, 3}, {4, 5}, set(range(6)))]) and not exclusive([({0, 1, 2, 3, 4}, {5}, set(range(6)))])
    assert not exclusive([({0, 1, 2}, {2, 3, 4}, set(range(6)))])
    assert not exclusive([])


def test_a_subject_is_torn_where_half_of_the_chains_speak_for_another_option() -> None:
    def claimed(case: str, *favours: int) -> list[Chain]:
        return [
            Chain(case, f"{i}", (Step("praise", "much", k),), 0, 1, None, "", "", "") for i, k in enumerate(favours)
        ]

    chains = [*claimed("a", 0, 0, 0, 1, 1, 1), *claimed("b", 0, 0, 0, 0, 0, 0), *claimed("c", 0, 0, 0, 0, 0, 1)]
    (praise,) = cluster_subjects(claims_of(list(enumerate(chains))), embed)
    assert praise.torn == ("a", "c")
    alone = [chain for chain in chains if chain.case != "a"]
    assert cluster_subjects(claims_of(list(enumerate(alone))), embed)[0].torn == ()
