"""The truth and the supervisor's habits are told apart, on data whose truth is known."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from askew.agent.conditional_logit import Array
from askew.agent.representation import biases
from askew.agent.theory import Answers, Theory, fit_theory


def weak_of(theory: Theory, truth_N_K: Array, effects_N_K_S: Array, habits_N_K_J: Array) -> Array:
    answers_N_K: Array = np.einsum("ny,nyk->nk", truth_N_K, theory.weak_given_truth(effects_N_K_S, habits_N_K_J))
    return answers_N_K


def answers(n: int = 400, habit: float = 2.5, seed: int = 0) -> tuple[Answers, np.ndarray]:
    """A supervisor that leans to option 1 where the attribute is high, and what a decent student believes."""
    rng = np.random.default_rng(seed)
    truth_N = rng.integers(2, size=n)
    attribute_N = rng.choice([-1.0, 1.0], size=n)
    effects_N_K_1 = np.stack([-attribute_N / 2, attribute_N / 2], axis=1)[:, :, None]
    weak_N = (rng.random(n) < expit(1.5 * (2 * truth_N - 1) + habit * attribute_N)).astype(np.int64)
    belief_N = expit(1.5 * ((2 * truth_N - 1) + rng.standard_normal(n)))
    anchor_N_K = np.stack([1 - belief_N, belief_N], axis=1)
    return Answers(anchor_N_K, effects_N_K_1, biases(n, 2), weak_N, np.arange(n)), truth_N


def fitted(made: Answers, liked: float = 1.0) -> Theory:
    return fit_theory(made, np.array([liked]), np.array([0.5]))


def test_the_habit_is_found() -> None:
    made, _ = answers()
    (weight,), (sd,) = fitted(made).mistakes()
    assert weight > 4 * sd


def test_a_supervisor_without_the_habit_is_not_accused() -> None:
    made, _ = answers(habit=0.0)
    (weight,), (sd,) = fitted(made).mistakes()
    assert abs(weight) < 3 * sd


def test_knowing_the_habit_predicts_the_answers_better() -> None:
    made, _ = answers()
    aware, blind = (fitted(made, liked) for liked in (1.0, 1e-6))

    def surprise(theory: Theory) -> float:
        weak_N_K = weak_of(theory, made.anchor_L_K, made.effects_L_K_S, made.habits_L_K_J)
        return float(-np.log(weak_N_K[np.arange(len(made.weak_L)), made.weak_L]).mean())

    assert surprise(aware) < surprise(blind) - 0.05


def test_a_pair_with_one_truth_shows_the_habit_even_where_the_student_knows_nothing() -> None:
    """Edits of one case share their truth: what moves the answer within a pair is not the truth."""
    rng = np.random.default_rng(0)
    n = 300
    attribute_N = np.tile([-1.0, 1.0], n // 2)
    weak_N = (rng.random(n) < expit(1.5 * attribute_N)).astype(np.int64)
    effects_N_K_1 = np.stack([-attribute_N / 2, attribute_N / 2], axis=1)[:, :, None]
    clueless = np.full((n, 2), 0.5)
    paired = Answers(clueless, effects_N_K_1, biases(n, 2), weak_N, np.arange(n) // 2)
    (weight,), (sd,) = fitted(paired).mistakes()
    assert weight > 4 * sd


def test_no_answer_at_all_is_a_theory_too() -> None:
    empty = Answers(
        np.zeros((0, 2)), np.zeros((0, 2, 1)), np.zeros((0, 2, 1)), np.zeros(0, np.int64), np.zeros(0, np.int64)
    )
    theory = fitted(empty)
    predicted = weak_of(theory, np.array([[0.1, 0.9]]), np.zeros((1, 2, 1)), np.zeros((1, 2, 1)))
    assert predicted[0, 1] > predicted[0, 0]
