"""The truth and the supervisor's habits are told apart, on data whose truth is known."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from askew.agent.representation import biases
from askew.agent.theory import NONE, Evidence, Priors, fit_theory


def evidence(n: int = 400, habit: float = 2.5, seed: int = 0) -> tuple[Evidence, np.ndarray, np.ndarray]:
    """A supervisor that leans to option 1 where the attribute is high; the student's opinion is decent."""
    rng = np.random.default_rng(seed)
    truth_N = rng.integers(2, size=n)
    attribute_N = rng.choice([-1.0, 1.0], size=n)
    effects_N_K_1 = np.stack([-attribute_N / 2, attribute_N / 2], axis=1)[:, :, None]
    lean_N = 1.5 * (2 * truth_N - 1) + habit * attribute_N
    weak_N = (rng.random(n) < expit(lean_N)).astype(np.int64)
    clue_N = (2 * truth_N - 1) + rng.standard_normal(n)
    features_N_D = np.column_stack([clue_N + 0.5 * rng.standard_normal(n), attribute_N])
    columns = np.stack([-features_N_D / 2, features_N_D / 2], axis=1)
    opinion_N_K = np.stack([-clue_N, clue_N], axis=1) * 0.75
    made = Evidence(columns, opinion_N_K, effects_N_K_1, weak_N, np.full(n, NONE), np.arange(n))
    return made, truth_N, attribute_N


def priors(liked: float) -> Priors:
    return Priors(columns_D=np.full(2, 0.05), better_S=np.array([1e-4]), liked_S=np.array([liked]))


def test_the_habit_is_found_and_the_truth_is_not_bent_by_it() -> None:
    made, truth_N, _attribute_N = evidence()
    bias = biases(len(truth_N), 2)
    aware, blind = (fit_theory(made, priors(liked), bias) for liked in (1.0, 1e-6))
    (weight,), (sd,) = aware.mistakes()
    assert weight > 4 * sd
    right = (aware.targets_N_K.argmax(1) == truth_N).mean()
    assert right > (made.weak_N == truth_N).mean() + 0.05
    assert right > (blind.targets_N_K.argmax(1) == truth_N).mean()


def test_a_supervisor_without_the_habit_is_not_accused() -> None:
    made, truth_N, _ = evidence(habit=0.0)
    (weight,), (sd,) = fit_theory(made, priors(1.0), biases(len(truth_N), 2)).mistakes()
    assert abs(weight) < 3 * sd


def test_cases_that_share_their_truth_get_one_target() -> None:
    made, _truth_N, _ = evidence(n=40)
    group_N = np.arange(40) // 2
    paired = Evidence(made.columns_N_K_D, made.opinion_N_K, made.effects_N_K_S, made.weak_N, made.intended_N, group_N)
    targets = fit_theory(paired, priors(1.0), biases(40, 2)).targets_N_K
    assert np.allclose(targets[::2], targets[1::2])


def test_intended_labels_are_believed_as_far_as_the_student_agrees() -> None:
    made, truth_N, _ = evidence(n=300)
    none = np.full(300, NONE)
    rng = np.random.default_rng(1)
    honest = truth_N
    random = rng.integers(2, size=300)
    accuracy = {}
    for name, intended in (("honest", honest), ("random", random)):
        written = Evidence(made.columns_N_K_D, made.opinion_N_K, made.effects_N_K_S, none, intended, np.arange(300))
        accuracy[name] = fit_theory(written, priors(1e-4), biases(300, 2)).intent
    assert accuracy["honest"] > 0.75 > 0.6 > accuracy["random"]


def test_no_evidence_at_all_is_a_theory_too() -> None:
    empty = Evidence(
        np.zeros((0, 2, 3)), np.zeros((0, 2)), np.zeros((0, 2, 0)),
        np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64),
    )  # fmt: skip
    theory = fit_theory(empty, Priors(np.ones(3), np.zeros(0), np.zeros(0)), biases(0, 2))
    assert np.allclose(theory.truth_of(np.zeros((1, 2, 3)), np.zeros((1, 2)), np.zeros((1, 2, 0))), 0.5)
