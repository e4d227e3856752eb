"""Two witnesses of the truth, each with the weight it deserves, on data whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit, softmax

from askew.agent.conditional_logit import balance, class_columns, fit_logit
from askew.agent.truth import Heard, Pool, Truth, fit_unasked, hear, meant, reliability, taste_for, trust_in, worth_of


class World:
    """A truth that is linear in features, a student's opinion of it, and a supervisor with a taste."""

    def __init__(self, opinion: float, liking: float = 0.0, n: int = 600, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        features_N_D = rng.standard_normal((n, 6))
        score_N = features_N_D[:, :3].sum(axis=1)
        self.truth_N = (score_N > 0).astype(np.int64)
        taste_N = rng.choice([-1.0, 1.0], size=n)
        self.columns = class_columns(features_N_D, 2)
        self.effects = np.stack([-taste_N / 2, taste_N / 2], axis=1)
        self.weak_N = (rng.random(n) < expit(1.5 * score_N + liking * taste_N)).astype(np.int64)
        clue_N = opinion * score_N + rng.standard_normal(n)
        self.opinion = np.stack([-clue_N, clue_N], axis=1)
        self.variance_D = np.full(6, 0.3)

    def heard(self, labels: int, known_liking: float = 0.0, ways: int = 1) -> Truth:
        nothing = np.zeros(0, dtype=np.int64)
        unasked = fit_unasked(meant(self.columns[:0], self.opinion[:0], nothing)[0], self.variance_D, ways=ways)
        weak_L = self.weak_N[:labels]
        liking_L_K = known_liking * self.effects[:labels]
        own_L_K = unasked.of(self.columns[:labels], self.opinion[:labels])
        trust = trust_in(own_L_K, weak_L, liking_L_K, np.ones(labels))
        answers = Heard(self.columns[:labels], weak_L, liking_L_K, np.ones(labels), np.ones(labels))
        return hear(unasked, trust, answers, Pool(self.columns, self.opinion), self.variance_D, balanced=True)

    def accuracy(self, truth: Truth) -> float:
        predicted_N_K = truth.of(self.columns, self.opinion)
        return float((predicted_N_K.argmax(axis=1) == self.truth_N).mean())


def test_answers_add_to_what_a_decent_student_knows() -> None:
    world = World(opinion=0.5)
    assert world.accuracy(world.heard(200)) > world.accuracy(world.heard(0)) + 0.02


def test_where_the_student_knows_nothing_the_answers_carry_it() -> None:
    world = World(opinion=0.0)
    truth = world.heard(500)
    assert truth.trust < 0.5
    assert world.accuracy(truth) > 0.8


def test_what_is_only_liked_is_left_out_of_the_evidence() -> None:
    worlds = [World(opinion=0.5, liking=3.0, seed=seed) for seed in range(8)]
    known, unknown = ([w.accuracy(w.heard(200, known_liking=much)) for w in worlds] for much in (3.0, 0.0))
    assert np.mean(known) > np.mean(unknown) + 0.005


def test_what_opinions_have_in_common_is_learned_from_texts_without_a_label() -> None:
    for seed in range(5):
        world = World(opinion=0.5, n=1500, seed=seed)
        truth = world.heard(0)
        alone = replace(truth, again_D=np.zeros_like(truth.again_D))
        assert world.accuracy(truth) > world.accuracy(alone) + 0.05


def test_beside_a_trusted_opinion_the_leaning_counts_as_one_more_way_of_asking() -> None:
    knowing, ignorant = World(opinion=0.5), World(opinion=0.0)
    one, two = knowing.heard(200), knowing.heard(200, ways=2)
    assert one.trust > 0.999
    assert 0 < two.worth == pytest.approx(one.worth * 2 / 3, rel=0.01)
    # Where the opinion is off the point, how many ways it was asked for takes little from the answers.
    assert ignorant.heard(500, ways=2).worth > 0.8 * ignorant.heard(500).worth


def test_a_leaning_of_few_answers_counts_for_less_than_it_will() -> None:
    world = World(opinion=0.5)
    nothing, few, many = world.heard(0), world.heard(4), world.heard(400)
    assert nothing.worth == 0.0 < nothing.worth_once_known
    assert 0 < few.worth < 0.6 * few.worth_once_known
    assert 0.9 * many.worth_once_known < many.worth < many.worth_once_known, "what is known well has most of its worth"
    leaning_N_K = world.columns @ few.leaning.theta_D
    told_N_K = few.scores_if(world.columns, world.opinion, few.leaning.theta_D) - few.scores(
        world.columns, world.opinion
    )
    assert np.allclose(told_N_K, (few.worth_once_known - few.worth) * leaning_N_K)


def test_few_answers_that_go_by_something_else_leave_the_student_most_of_its_opinion() -> None:
    worlds = [World(opinion=0.5, liking=8.0, seed=seed) for seed in range(6)]
    heard = [world.heard(20) for world in worlds]
    assert np.mean([truth.trust for truth in heard]) < 0.7, "they speak against the opinion"
    before, after = (
        np.mean([w.accuracy(t) for w, t in zip(worlds, said, strict=True)])
        for said in ([world.heard(0) for world in worlds], heard)
    )
    assert after > before - 0.05, (before, after)


@pytest.mark.parametrize("labels", [15, 60, 240])
def test_how_well_a_leaning_is_known_is_how_well_it_predicts_itself(labels: int) -> None:
    """The mean squared correlation with the true one, over supervisors drawn from the prior."""
    rng, variance_D = np.random.default_rng(labels), np.full(30, 0.05)
    known, correlation = [], []
    for _ in range(40):
        columns = class_columns(rng.standard_normal((labels + 400, 30)), 2)
        score_N_K = columns @ (np.sqrt(variance_D) * rng.standard_normal(30))
        weak_N = (rng.random(labels + 400) < softmax(score_N_K, axis=1)[:, 1]).astype(np.int64)
        leaning = fit_logit(columns[:labels], np.eye(2)[weak_N[:labels]], variance_D)
        known.append(reliability(leaning, columns[labels:]))
        said_N_K = columns[labels:] @ leaning.theta_D
        correlation.append(np.corrcoef((said_N_K[:, 1] - said_N_K[:, 0]), np.diff(score_N_K[labels:])[:, 0])[0, 1] ** 2)
    assert np.mean(known) == pytest.approx(np.mean(correlation), abs=0.08)
    biased = np.concatenate([columns, class_columns(np.ones((len(columns), 1)), 2)], axis=2)
    one_answer = fit_logit(
        biased[:labels], np.eye(2)[np.ones(labels, dtype=np.int64)], np.append(1e-9 * variance_D, 1.0)
    )
    assert reliability(one_answer, biased[labels:]) < 0.01, "what is said of every case tells no case from another"
    flat = fit_logit(columns[:0], np.zeros((0, 2)), variance_D)
    assert reliability(flat, columns) == 0.0


def test_a_supervisor_that_agrees_earns_the_opinion_trust() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(2, size=200)
    own_N_K = softmax(np.eye(2)[truth_N] * 1.5 + rng.standard_normal((200, 2)), axis=1)
    weak_N = np.where(rng.random(200) < 0.7, truth_N, 1 - truth_N)
    nothing_N_K, all_N = np.zeros((200, 2)), np.ones(200)
    assert trust_in(own_N_K, weak_N, nothing_N_K, all_N) > 0.95
    assert trust_in(own_N_K, rng.integers(2, size=200), nothing_N_K, all_N) < 0.3
    assert trust_in(own_N_K[:0], weak_N[:0], nothing_N_K[:0], all_N[:0]) == pytest.approx(0.8)


def test_answers_to_what_is_liked_take_no_trust_from_the_opinion() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(2, size=200)
    own_N_K = softmax(np.eye(2)[truth_N] * 1.5 + rng.standard_normal((200, 2)), axis=1)
    swayed_N, all_N = rng.random(200) < 0.6, np.ones(200)
    weak_N = np.where(swayed_N, 1 - truth_N, truth_N)
    liking_N_K = 5.0 * swayed_N[:, None] * np.eye(2)[1 - truth_N]
    assert trust_in(own_N_K, weak_N, 0.0 * liking_N_K, all_N) < 0.3 < 0.9 < trust_in(own_N_K, weak_N, liking_N_K, all_N)
    turned = trust_in(own_N_K, 1 - truth_N, 0.0 * liking_N_K, -all_N)
    assert turned > 0.95 > 0.05 > trust_in(own_N_K, 1 - truth_N, 0.0 * liking_N_K, all_N), "it has all the wrong way"


def test_in_a_matter_of_taste_the_own_opinion_weighs_as_much_as_the_answers_say() -> None:
    rng = np.random.default_rng(0)
    own_N_K = rng.dirichlet((0.5, 0.5), 400)
    shared = (rng.random(400) < own_N_K[:, 1]).astype(int)
    assert taste_for(own_N_K, shared) > 0.5
    assert taste_for(own_N_K, rng.integers(2, size=400)) < 0.15
    assert taste_for(own_N_K[:0], shared[:0]) == 0.0


def test_a_leaning_is_worth_nothing_where_a_sure_student_sees_no_truth_in_it() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(2, size=1000)
    sure_N_K = softmax(4.0 * np.eye(2)[truth_N], axis=1)
    noise_N = rng.standard_normal(1000)
    about_N = noise_N + 2.0 * truth_N - 1.0

    def worth(leaning_N: np.ndarray) -> float:
        return worth_of(np.stack([-leaning_N / 2, leaning_N / 2], axis=1), sure_N_K)

    assert worth(noise_N) < 0.25 < 1.0 < worth(about_N)


def test_a_student_without_any_opinion_takes_the_leaning_at_its_face_value() -> None:
    leaning_N = np.random.default_rng(0).standard_normal(300)
    for k in (2, 3, 7):
        even_N_K = softmax(np.full((300, k), 0.1), axis=1)
        leaning_N_K = leaning_N[:, None] * np.linspace(-1, 1, k)
        assert worth_of(leaning_N_K, even_N_K) == pytest.approx(1.0, abs=1e-3)


def test_intended_labels_are_believed_as_far_as_the_student_agrees() -> None:
    world = World(opinion=0.5)
    rng = np.random.default_rng(1)
    accuracy = {}
    for name, intended in (("honest", world.truth_N), ("random", rng.integers(2, size=600))):
        accuracy[name] = meant(world.columns, world.opinion, intended)[1]
    assert accuracy["honest"] > 0.7 > 0.6 > accuracy["random"]


@given(arrays.arrays(np.float64, (40, 3), elements=st.floats(-4, 4)))
def test_balancing_makes_every_option_equally_probable(scores_N_K: np.ndarray) -> None:
    shift_K = balance(scores_N_K)
    assert np.allclose(softmax(scores_N_K + shift_K, axis=1).mean(axis=0), 1 / 3, atol=1e-3)
    assert abs(shift_K.sum()) < 1e-9


def test_what_misleads_turns_round_the_leaning_and_not_what_is_liked() -> None:
    rng = np.random.default_rng(0)
    x_N, kept_N = rng.normal(size=4000), rng.choice([1.0, 0.5, -1.0], 4000)
    columns_N_K_D = class_columns(x_N[:, None], 2)
    liking_N_K = np.stack([np.zeros(4000), np.where(rng.random(4000) < 0.5, 2.0, 0.0)], axis=1)
    p_N = expit(kept_N * 1.5 * x_N + liking_N_K[:, 1])
    weak_N = (rng.random(4000) < p_N).astype(np.int64)
    opinion_N_K, variance_D = np.zeros((4000, 2)), np.array([4.0])
    unasked = fit_unasked(meant(columns_N_K_D[:0], opinion_N_K[:0], weak_N[:0])[0], variance_D)
    answers = Heard(columns_N_K_D, weak_N, liking_N_K, kept_N, np.ones(4000))
    truth = hear(unasked, 0.0, answers, Pool(columns_N_K_D, opinion_N_K), variance_D, balanced=False)
    assert abs(truth.leaning.theta_D[0] - 1.5) < 0.15
