"""The losses for weak labels, and the mini-batch student that they train."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, one_hot

from askew.agent.conditional_logit import class_columns, fit_logit
from askew.agent.learners.losses import confidence, hardened, rising, soft_cross_entropy
from askew.evals.methods.gradient import HeldOut, train
from askew.evals.methods.losses import divergence, low_entropy


def batch(seed: int, n: int = 24, k: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, generator=generator, dtype=torch.float64)
    return logits, one_hot(torch.randint(k, (n,), generator=generator), k).double()


def test_alpha_rises_without_a_jump() -> None:
    alphas = [rising(0.75, 0.2, step / 1000) for step in range(1001)]
    assert alphas[0] == 0.0
    assert alphas[200] == alphas[-1] == 0.75
    assert max(np.diff(alphas)) <= 0.75 / 200 + 1e-9
    assert min(np.diff(alphas)) >= 0.0


@given(st.integers(0, 10_000), st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_hardened_classes_are_as_common_in_the_batch_as_the_weak_labels(seed: int, n: int) -> None:
    logits, weak = batch(seed, n)
    hard = hardened(logits, weak)
    assert hard.sum(dim=0).tolist() == weak.sum(dim=0).tolist()
    # The threshold: whoever got the second class has at least the score of whoever did not.
    margin = logits[:, 1] - logits[:, 0]
    first, second = margin[hard[:, 0] == 1], margin[hard[:, 1] == 1]
    if len(first) and len(second):
        assert second.min() >= first.max()


def test_hardened_classes_of_three_are_about_as_common_as_the_weak_labels() -> None:
    logits, weak = batch(1, 300, 3)
    logits[:, 0] += 3.0  # the student leans to one class
    share = hardened(logits, weak).mean(dim=0) - weak.mean(dim=0)
    assert share.abs().max() < 0.05


def test_the_confidence_loss_is_the_formula_of_the_paper() -> None:
    logits, weak = batch(2)
    own = hardened(logits, weak)
    for progress, alpha in ((0.0, 0.0), (0.1, 0.375), (0.2, 0.75), (1.0, 0.75)):
        expected = (1 - alpha) * cross_entropy(logits, weak) + alpha * cross_entropy(logits, own)
        assert confidence(0.75)(logits, weak, progress).mean().item() == pytest.approx(expected.item())


def test_the_students_own_label_passes_no_gradient_and_its_entropy_does() -> None:
    logits, weak = batch(3)
    logits.requires_grad_()
    own = hardened(logits.detach(), weak)
    (gradient,) = torch.autograd.grad(confidence(0.5)(logits, weak, 1.0).mean(), logits)
    target = 0.5 * weak + 0.5 * own
    assert torch.allclose(gradient, (logits.softmax(1) - target) / len(weak))
    (sure,) = torch.autograd.grad(low_entropy(1.0)(logits, weak, 1.0).mean(), logits)
    after = (logits - sure).softmax(1)
    before = logits.softmax(1)
    assert (after * after.log()).sum() > (before * before.log()).sum()


def test_divergence_has_the_gradient_of_cross_entropy_and_is_zero_at_the_labels() -> None:
    logits, _ = batch(4)
    soft = batch(5)[0].softmax(1)
    logits.requires_grad_()
    (one,) = torch.autograd.grad(divergence(logits, soft, 0.0).mean(), logits)
    (other,) = torch.autograd.grad(soft_cross_entropy(logits, soft, 0.0).mean(), logits)
    assert torch.allclose(one, other)
    assert divergence(soft.log(), soft, 0.0).abs().max() < 1e-9
    hard = one_hot(torch.tensor([0, 1]), 2).double()
    assert torch.isfinite(divergence(torch.zeros(2, 2, dtype=torch.float64), hard, 0.0)).all()


def problem(n: int, d: int, flipped: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scale = np.linspace(6, 0.3, d)
    x, weights = rng.standard_normal((n, d)) * scale, rng.standard_normal(d) * 0.08
    y = (rng.random(n) < 1 / (1 + np.exp(-x @ weights))).astype(int)
    y = np.where(rng.random(n) < flipped, 1 - y, y)
    return class_columns(x, 2), y, np.full(d, 3e-3)


def test_mini_batches_lead_to_the_student_that_is_fitted_exactly() -> None:
    columns, y, variance = problem(150, 60, 0.0)
    exact = fit_logit(columns, np.eye(2)[y], variance)
    theta = train(columns, np.eye(2)[y], variance, soft_cross_entropy, np.random.default_rng(1))
    logits = columns @ theta
    p = np.exp(logits - np.logaddexp(*logits.T)[:, None])
    assert np.abs(p - exact.probabilities(columns)).max() < 0.02


def test_training_is_a_function_of_its_generator_and_copes_with_no_label() -> None:
    columns, y, variance = problem(40, 10, 0.2)
    one, two = (
        train(columns, np.eye(2)[y], variance, confidence(0.5), np.random.default_rng(3), epochs=5) for _ in range(2)
    )
    assert np.array_equal(one, two)
    none = train(columns[:0], np.eye(2)[y[:0]], variance, soft_cross_entropy, np.random.default_rng(0))
    assert none.tolist() == [0.0] * 10


def test_early_stopping_keeps_a_student_that_predicts_held_out_labels_no_worse() -> None:
    columns, y, _ = problem(120, 60, 0.35, seed=4)
    variance = np.full(60, 1.0)  # a weak prior: training on is overfitting
    held = HeldOut(columns[80:], y[80:])
    kwargs = {"epochs": 30}
    stopped = train(
        columns[:80], np.eye(2)[y[:80]], variance, soft_cross_entropy, np.random.default_rng(0), held, **kwargs
    )
    last = train(columns[:80], np.eye(2)[y[:80]], variance, soft_cross_entropy, np.random.default_rng(0), **kwargs)

    def missed(theta: np.ndarray) -> float:
        return float(cross_entropy(torch.tensor(held.columns_N_K_D @ theta), torch.tensor(held.labels_N)))

    assert missed(stopped) < missed(last) - 0.1
