"""Labels and beliefs that make each other predictable, on features whose classes are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from askew.agent.coherence import cohere
from askew.agent.conditional_logit import balance, class_columns
from askew.evals.methods.coherence import Search


def problem(k: int, n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns with one strong direction a class, the classes, and an opinion that is right 65% of the time."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % k)
    features = rng.standard_normal((n, 12))
    features[:, :k] += 3.0 * np.eye(k)[truth]
    said = np.where(rng.random(n) < 0.65, truth, (truth + 1) % k)
    return class_columns(features - features.mean(0), k), truth, 0.5 * np.eye(k)[said]


@pytest.mark.parametrize("k", [2, 3])
def test_labels_that_cohere_are_righter_than_the_opinion_they_began_with(k: int) -> None:
    columns, truth, opinion = problem(k)
    search = Search.over(columns, np.full(columns.shape[2], 0.05), opinion)
    labels = search.run(np.random.default_rng(0))
    assert (labels == truth).mean() > 0.9 > (opinion.argmax(axis=1) == truth).mean() + 0.15
    assert np.bincount(labels, minlength=k).min() > 240 / k * 0.7


def test_leaving_one_out_is_what_refitting_without_it_gives() -> None:
    columns, truth, opinion = problem(3, 30)
    variance = np.full(columns.shape[2], 0.05)
    search = Search.over(columns, variance, np.zeros_like(opinion))
    for case, label in enumerate(truth[:20]):  # the rest stays undecided
        search.set(case, int(label))
    target = np.where(np.arange(30)[:, None] < 20, np.eye(3)[truth] - 1 / 3, 0.0)
    for left in (0, 7, 25):
        keep = np.arange(30) != left
        a = np.einsum("nkd,nke->de", columns[keep], columns[keep]) + np.diag(1 / variance)
        theta = np.linalg.solve(a, np.einsum("nkd,nk->d", columns[keep], target[keep]))
        expected = 6.0 * columns[left] @ theta
        got = search.log_probabilities(np.array([left]))[0]
        assert np.allclose(got - got[0], expected - expected[0])


def test_all_labels_alike_is_not_coherent() -> None:
    columns, truth, opinion = problem(2)
    both = [Search.over(columns, np.full(columns.shape[2], 0.05), opinion) for _ in range(2)]
    for case, label in enumerate(truth):
        both[0].set(case, int(label))
        both[1].set(case, 0)
    assert both[0].coherence() > both[1].coherence()


@pytest.mark.parametrize("k", [2, 3])
def test_beliefs_that_cohere_are_righter_than_those_of_single_cases_and_as_sure(k: int) -> None:
    columns, truth, opinion = problem(k)
    believed = cohere(opinion, columns, np.full(columns.shape[2], 0.05))
    alone = softmax(opinion + balance(opinion), axis=1)
    assert (believed.argmax(axis=1) == truth).mean() > 0.9 > (alone.argmax(axis=1) == truth).mean() + 0.15
    assert believed.max(axis=1).mean() == pytest.approx(alone.max(axis=1).mean(), abs=1e-6)
    assert np.allclose(believed.sum(axis=1), 1.0) and np.allclose(believed.mean(axis=0), 1 / k, atol=0.03)


def test_where_nothing_is_believed_nothing_comes_of_what_cases_have_in_common() -> None:
    columns, _, opinion = problem(2)
    believed = cohere(1e-3 * opinion, columns, np.full(columns.shape[2], 0.05))
    assert np.abs(believed - 0.5).max() < 0.01
    assert np.allclose(cohere(0.0 * opinion, columns, np.full(columns.shape[2], 0.05)), 0.5)


def test_columns_that_have_nothing_to_do_with_the_belief_take_nothing_from_it() -> None:
    rng = np.random.default_rng(0)
    truth = rng.permutation(np.arange(600) % 2)
    opinion = 0.75 * ((2 * truth - 1) + 1.1 * rng.standard_normal(600))[:, None] * np.array([-1.0, 1.0])
    columns = class_columns(rng.standard_normal((600, 60)) * np.linspace(8.0, 1.0, 60), 2)
    believed = cohere(opinion, columns, np.full(60, 0.05))
    right = [float((p.argmax(axis=1) == truth).mean()) for p in (opinion, believed)]
    assert right[1] > right[0] - 0.02, right


def test_which_option_comes_first_makes_no_difference() -> None:
    columns, _, opinion = problem(3)
    order = np.array([2, 0, 1])
    variance = np.full(columns.shape[2], 0.05)
    turned = cohere(opinion[:, order], columns[:, order], variance)
    assert np.allclose(turned, cohere(opinion, columns, variance)[:, order], atol=1e-6)
