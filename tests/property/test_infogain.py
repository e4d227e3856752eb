"""Information gain: against brute-force enumeration, and the laws it has to obey."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.agent import infogain
from askew.agent.design import shares


def beliefs(draw_seed: int, h: int, c: int, k: int, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw_seed)
    p_H = rng.dirichlet(np.ones(h))
    q_H_C_K = rng.dirichlet(np.full(k, 0.5), size=(h, c))
    r_H_T_K = rng.dirichlet(np.full(k, 0.5), size=(h, t))
    if draw_seed % 3 == 0:  # certain predictions: p can be exactly 0
        q_H_C_K = np.eye(k)[q_H_C_K.argmax(axis=2)]
    return p_H, q_H_C_K, r_H_T_K


shapes = st.tuples(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 6), st.integers(2, 4), st.integers(1, 5))


@settings(max_examples=60, deadline=None)
@given(shapes)
def test_eig_is_mutual_information(shape: tuple[int, int, int, int, int]) -> None:
    p_H, q_H_C_K, _ = beliefs(*shape)
    for c in range(q_H_C_K.shape[1]):
        joint_H_K = p_H[:, None] * q_H_C_K[:, c]
        independent = p_H[:, None] * joint_H_K.sum(0)[None]
        mask = joint_H_K > 0
        brute = (joint_H_K[mask] * np.log(joint_H_K[mask] / independent[mask])).sum()
        assert np.isclose(infogain.eig(p_H, q_H_C_K)[c], brute, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(shapes)
def test_epig_is_bounded_by_eig_and_matches_enumeration(shape: tuple[int, int, int, int, int]) -> None:
    p_H, q_H_C_K, r_H_T_K = beliefs(*shape)
    epig_C = infogain.epig(p_H, q_H_C_K, r_H_T_K)
    eig_C = infogain.eig(p_H, q_H_C_K)
    assert (epig_C >= 0).all()
    assert (epig_C <= eig_C + 1e-5).all()  # float32 products
    for c in range(q_H_C_K.shape[1]):
        brute = []
        for t in range(r_H_T_K.shape[1]):
            joint = np.einsum("h,hk,hy->ky", p_H, q_H_C_K[:, c], r_H_T_K[:, t])
            independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
            mask = joint > 0
            brute.append((joint[mask] * np.log(joint[mask] / independent[mask])).sum())
        assert np.isclose(epig_C[c], np.mean(brute), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(shapes, st.randoms(use_true_random=False))
def test_scores_ignore_names_and_order(shape: tuple[int, int, int, int, int], random: object) -> None:
    p_H, q_H_C_K, r_H_T_K = beliefs(*shape)
    rng = np.random.default_rng(shape[0])
    hypotheses, labels = rng.permutation(len(p_H)), rng.permutation(q_H_C_K.shape[2])
    moved = (p_H[hypotheses], q_H_C_K[hypotheses][:, :, labels], r_H_T_K[hypotheses][:, :, labels])
    assert np.allclose(infogain.eig(p_H, q_H_C_K), infogain.eig(*moved[:2]), atol=1e-9)
    assert np.allclose(infogain.epig(p_H, q_H_C_K, r_H_T_K), infogain.epig(*moved), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 3))
def test_nuisance_only_takes_information_away(seed: int, k: int) -> None:
    """Of a nuisance that has nothing to do with the hypotheses; one that has may tell of them by itself."""
    rng = np.random.default_rng(seed)
    p_H, p_M = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(2))
    q_H_M_C_K = rng.dirichlet(np.ones(k), size=(3, 2, 5))
    known_C = p_M @ np.stack([infogain.eig(p_H, q_H_M_C_K[:, m]) for m in range(2)])
    unknown_C = infogain.eig(p_H, infogain.summed_out(np.broadcast_to(p_M, (3, 2)), q_H_M_C_K))
    assert (unknown_C <= known_C + 1e-9).all()
    assert (unknown_C < known_C - 1e-6).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_batch_never_repeats_and_its_gain_is_at_most_the_sum(seed: int) -> None:
    p_H, q_H_C_K, _ = beliefs(seed, 4, 6, 2, 2)
    eig_C = infogain.eig(p_H, q_H_C_K)
    batch = infogain.joint_batch(p_H, q_H_C_K, 4, eig_C + 1e-9, np.random.default_rng(0))
    assert len(set(batch)) == len(batch) == 4
    joint = 0.0
    for answers in itertools.product(range(2), repeat=4):
        p_H_answers = np.prod([q_H_C_K[:, c, a] for c, a in zip(batch, answers, strict=True)], axis=0)
        total = p_H @ p_H_answers
        for h, p in enumerate(p_H):
            if p * p_H_answers[h] > 0:
                joint += p * p_H_answers[h] * np.log(p_H_answers[h] / total)
    assert joint <= eig_C[batch].sum() + 1e-9


def test_a_copy_of_a_chosen_case_is_worth_less_than_another_case() -> None:
    # Two candidates that ask exactly the same thing without noise, and a third that asks something else.
    p_H = np.full(4, 0.25)
    same = np.eye(2)[[0, 0, 1, 1]]
    other = np.eye(2)[[0, 1, 0, 1]]
    q_H_C_K = np.stack([same, same, other], axis=1)
    batch = infogain.joint_batch(p_H, q_H_C_K, 2, np.array([1.0, 0.99, 0.5]), np.random.default_rng(0))
    assert batch == [0, 2]


def test_power_sampling_takes_over_where_the_joint_no_longer_fits() -> None:
    p_H, q_H_C_K, _ = beliefs(1, 5, 40, 2, 2)
    batch = infogain.joint_batch(p_H, q_H_C_K, 30, np.ones(40), np.random.default_rng(0), exact_states=16)
    assert len(set(batch)) == 30


def test_value_and_flips_of_a_set() -> None:
    p_H = np.array([0.6, 0.4])
    r_H_N_K = np.array([[[0.9, 0.1], [0.9, 0.1]], [[0.9, 0.1], [0.1, 0.9]]])
    u_N = np.ones(2)
    assert np.isclose(infogain.expected_flips(p_H, r_H_N_K, u_N), 0.4)
    assert np.isclose(infogain.value_of_resolution(p_H, r_H_N_K, u_N), 0.9 - 0.58)
    assert infogain.value_of_resolution(np.array([1.0, 0.0]), r_H_N_K, u_N) == 0.0


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(1, 40))
def test_blocks_and_weights_of_targets(shape: tuple[int, int, int, int, int], block: int) -> None:
    p_H, q_H_C_K, r_H_T_K = beliefs(*shape)
    u_T = np.random.default_rng(shape[0]).random(r_H_T_K.shape[1]) + 0.01
    whole_C = infogain.epig(p_H, q_H_C_K, r_H_T_K, u_T)
    by_target = [infogain.epig(p_H, q_H_C_K, r_H_T_K[:, [t]]) for t in range(len(u_T))]
    assert np.allclose(whole_C, u_T @ np.array(by_target) / u_T.sum(), atol=1e-5)
    usual, infogain.BLOCK = infogain.BLOCK, block
    try:
        assert np.allclose(infogain.epig(p_H, q_H_C_K, r_H_T_K, u_T), whole_C, atol=1e-6)
    finally:
        infogain.BLOCK = usual


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 3))
def test_information_beside_a_nuisance_is_mutual_information(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    p_H, p_H_M = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(2), size=3)
    q_H_M_C_K = rng.dirichlet(np.full(k, 0.5), size=(3, 2, 4))
    for c, score in enumerate(infogain.eig(p_H, infogain.summed_out(p_H_M, q_H_M_C_K))):
        joint_H_K = np.einsum("h,hm,hmk->hk", p_H, p_H_M, q_H_M_C_K[:, :, c])
        independent = joint_H_K.sum(1, keepdims=True) * joint_H_K.sum(0, keepdims=True)
        mask = joint_H_K > 0
        assert np.isclose(score, (joint_H_K[mask] * np.log(joint_H_K[mask] / independent[mask])).sum(), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 3))
def test_the_greedy_batch_is_the_one_that_enumeration_finds(seed: int, k: int) -> None:
    p_H, q_H_C_K, _ = beliefs(3 * seed + 1, 4, 6, k, 2)
    eig_C = np.maximum(infogain.eig(p_H, q_H_C_K), 1e-12)
    batch = infogain.joint_batch(p_H, q_H_C_K, 3, eig_C, np.random.default_rng(0))
    chosen: list[int] = []
    for index in batch:
        gains = {c: _information(p_H, q_H_C_K[:, [*chosen, c]]) for c in range(6) if c not in chosen}
        assert np.isclose(gains[index], max(gains.values()), atol=1e-9)
        chosen.append(index)


def _information(p_H: np.ndarray, q_H_B_K: np.ndarray) -> float:
    """I(answers of the batch; h) by enumerating all answers."""
    total = 0.0
    for answers in itertools.product(range(q_H_B_K.shape[2]), repeat=q_H_B_K.shape[1]):
        given_H = q_H_B_K[:, range(q_H_B_K.shape[1]), answers].prod(axis=1)
        mask = given_H > 0
        total += float((p_H[mask] * given_H[mask] * np.log(given_H[mask] / (p_H @ given_H))).sum())
    return total


def test_power_sampling_draws_in_proportion_to_the_score() -> None:
    p_H, q_H_C_K = np.ones(1), np.full((1, 4, 2), 0.5)
    score_C = np.array([1.0, 2.0, 3.0, 4.0])
    rng = np.random.default_rng(0)
    first = [infogain.joint_batch(p_H, q_H_C_K, 1, score_C, rng, exact_states=1)[0] for _ in range(4000)]
    assert np.allclose(np.bincount(first, minlength=4) / 4000, score_C / 10, atol=0.03)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_evidence_is_the_mean_log_likelihood_ratio_of_answers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q_H_C_K = rng.dirichlet(np.ones(3), size=(4, 5))
    evidence_H_C = infogain.evidence_expected(q_H_C_K)
    assert evidence_H_C.shape == (3, 5) and (evidence_H_C >= 0).all()
    for h, c in itertools.product(range(3), range(5)):
        ratio_K = np.log(q_H_C_K[h, c] / q_H_C_K[3, c])
        assert np.isclose(evidence_H_C[h, c], q_H_C_K[h, c] @ ratio_K)
    assert np.allclose(infogain.evidence_expected(np.repeat(q_H_C_K[3:], 4, axis=0)), 0)


def test_screening_turns_to_what_is_covered_least() -> None:
    p_H, free_C = np.full(3, 0.02), np.ones(4, dtype=bool)
    evidence_H_C = np.array([[3.0, 3.0, 0.0, 0.1], [0.0, 0.0, 2.0, 0.1], [0.0, 0.0, 0.0, 1.5]])
    screened = infogain.screening_batch(evidence_H_C, p_H, free_C, 3)
    assert screened == [0, 2, 3], "a copy of the first tells little more"
    rare_H = np.array([1e-5, 0.02, 0.02])
    assert infogain.screening_batch(evidence_H_C, rare_H, free_C, 2) == [2, 3], "the first is out of the question"
    likely_H = np.array([0.02, 0.02, 0.2])
    assert infogain.screening_batch(evidence_H_C, likely_H, free_C, 2) == [3, 0], "the last gains by the answers so far"
    assert infogain.screening_batch(evidence_H_C, p_H, np.array([False, True, False, True]), 9) == [1, 3]
    assert infogain.screening_batch(np.zeros((0, 4)), np.zeros(0), free_C, 2) == []
    told = infogain.screening_batch(np.zeros((3, 4)), p_H, free_C, 2)
    assert told == [], "these are better spent on the truth"
    assert free_C.all(), "what it is given stays as it is"


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_screening_ignores_the_order_of_hypotheses_and_finds_the_best_single_case(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p_H, evidence_H_C = rng.uniform(0, 1, 6), rng.exponential(size=(6, 12))
    chosen = infogain.screening_batch(evidence_H_C, p_H, np.ones(12, dtype=bool), 5)
    missed_H_C = np.exp(-evidence_H_C / infogain.NOTICED)
    assert len(set(chosen)) == 5 and chosen[0] == int((p_H @ missed_H_C).argmin()), "the best single case comes first"
    order = rng.permutation(6)
    again = infogain.screening_batch(evidence_H_C[order], p_H[order], np.ones(12, dtype=bool), 5)
    assert again == chosen


@given(st.lists(st.floats(0.0, 10.0), max_size=8), st.integers(0, 30))
def test_labels_are_shared_out_by_what_they_settle(gains: list[float], labels: int) -> None:
    given_S = shares(gains, labels)
    assert sum(given_S) == (labels if gains else 0)
    worth_next_S = [gain / ((1 + given) * (2 + given)) for gain, given in zip(gains, given_S, strict=True)]
    worth_last_S = [gain / (given * (1 + given)) for gain, given in zip(gains, given_S, strict=True) if given]
    assert not worth_last_S or max(worth_next_S) <= min(worth_last_S), "no label would settle more elsewhere"
