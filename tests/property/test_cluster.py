"""Clusters don't depend on the order in which chains were sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from askew.agent.cluster import claims_of, cluster_subjects
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
