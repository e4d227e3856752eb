"""What the log calls evidence is an e-value: nobody is misled by it more often than it says."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.agent.belief import evidence_against_none, evidence_for_none


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
