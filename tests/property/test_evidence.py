"""What the log calls evidence is an e-value: nobody is misled by it more often than it says."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.agent.belief import believe, evidence_against_none, evidence_for_none


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4), st.integers(2, 3))
def test_e_is_expected_to_be_one_at_most_where_its_hypothesis_is_true(seed: int, h: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    q_H_N_K = rng.dirichlet(np.ones(k), size=(h + 1, n))
    some_set = SimpleNamespace(hypotheses=[SimpleNamespace(prior=float(p)) for p in rng.dirichlet(np.ones(h)) * 0.3])
    expected_against = 0.0
    expected_for_H = np.zeros(h)
    for answers in itertools.product(range(k), repeat=n):
        p_H = q_H_N_K[:, range(n), answers].prod(axis=1)
        expected_against += p_H[-1] * np.exp(evidence_against_none(some_set, np.log(p_H)))  # type: ignore[arg-type]
        expected_for_H += p_H[:-1] * np.exp(evidence_for_none(np.log(p_H)))
    assert np.isclose(expected_against, 1.0)
    assert (expected_for_H <= 1.0 + 1e-9).all()


def test_the_answer_that_decided_is_named() -> None:
    some_set = SimpleNamespace(id="S1", hypotheses=[SimpleNamespace(id="S1.1", prior=0.1)], names=("S1.1", "h0"))
    liked_L_K, plain_L_K = np.tile([0.1, 0.9], (3, 1)), np.tile([0.5, 0.5], (3, 1))
    q_H_L_K = np.stack([liked_L_K, plain_L_K])

    def decided(p_liked: float, weak: list[int]) -> int | None:
        p_H = np.array([p_liked, 1.0 - p_liked])
        return believe(some_set, p_H, np.zeros(2), q_H_L_K, np.array(weak)).decided_by  # type: ignore[arg-type]

    assert decided(0.9, [0, 1, 0]) == 1, "the answer that the leader expected"
    assert decided(0.1, [1, 1, 0]) == 2, "the answer that speaks against it, where none of these leads"
    assert decided(0.9, [0, 0, 0]) is None
