"""The one statistical model, against a well-known implementation and numerical derivatives."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from askew.agent.conditional_logit import class_columns, fit_logit


def data(n: int = 120, d: int = 4, k: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features_N_D = rng.standard_normal((n, d))
    labels_N = (features_N_D @ rng.standard_normal((d, k)) + rng.gumbel(size=(n, k))).argmax(1)
    return features_N_D, labels_N


def test_two_classes_are_logistic_regression() -> None:
    features_N_D, labels_N = data()
    ours = fit_logit(class_columns(features_N_D, 2), np.eye(2)[labels_N], np.full(4, 0.5))
    theirs = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-8).fit(features_N_D, labels_N)
    assert np.allclose(ours.theta_D, theirs.coef_[0], atol=1e-3)


def test_three_classes_predict_like_multinomial_regression() -> None:
    features_N_D, labels_N = data(k=3)
    ours = fit_logit(class_columns(features_N_D, 3), np.eye(3)[labels_N], np.full(12, 1.0))
    theirs = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8).fit(features_N_D, labels_N)
    mine = ours.probabilities(class_columns(features_N_D, 3), np.zeros((120, 3)))
    assert np.abs(mine - theirs.predict_proba(features_N_D)).max() < 0.01


def test_draws_have_the_laplace_covariance() -> None:
    features_N_D, labels_N = data()
    columns = class_columns(features_N_D, 2)
    logit = fit_logit(columns, np.eye(2)[labels_N], np.full(4, 1.0))

    def negative_log_posterior(theta: np.ndarray) -> float:
        return float(-log_softmax(columns @ theta, axis=1)[np.arange(120), labels_N].sum() + 0.5 * theta @ theta)

    step, d = 1e-3, 4
    hessian = np.empty((d, d))
    for i in range(d):
        for j in range(d):
            e_i, e_j = np.eye(d)[i] * step, np.eye(d)[j] * step
            theta = logit.theta_D
            hessian[i, j] = (
                negative_log_posterior(theta + e_i + e_j)
                - negative_log_posterior(theta + e_i - e_j)
                - negative_log_posterior(theta - e_i + e_j)
                + negative_log_posterior(theta - e_i - e_j)
            ) / (4 * step**2)
    covariance = np.linalg.inv(hessian)
    assert np.allclose(logit.deviations() ** 2, np.diag(covariance), rtol=0.02)
    drawn = np.cov(logit.draws(40_000, np.random.default_rng(0)).T)
    assert np.allclose(drawn, covariance, atol=0.05 * np.abs(covariance).max())


def test_an_offset_is_prior_knowledge() -> None:
    columns = np.zeros((2, 2, 1))
    offset_N_K = np.array([[0.0, 2.0], [0.0, -2.0]])
    logit = fit_logit(columns, np.full((2, 2), 0.5), np.ones(1), offset_N_K=offset_N_K)
    assert np.allclose(logit.probabilities(columns, offset_N_K)[:, 1], 1 / (1 + np.exp([-2.0, 2.0])))


def test_no_cases_leave_the_prior() -> None:
    logit = fit_logit(np.zeros((0, 2, 3)), np.zeros((0, 2)), np.array([1.0, 4.0, 9.0]))
    assert np.allclose(logit.theta_D, 0.0)
    assert np.allclose(logit.deviations(), [1.0, 2.0, 3.0])
