"""Conditional logit with Gaussian priors: the one statistical model behind the student and its theories.

Every option k of a case has columns φ(x, k); its score is θ·φ(x, k) plus an offset, and the options'
scores go through a softmax. Classes with fixed names, answers that differ from case to case, effects of
hypotheses and biases towards a position are all just columns (McFadden 1974, "Conditional logit analysis
of qualitative choice behavior"). The posterior over θ is Gaussian by Laplace's approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

Array = NDArray[np.float64]

ITERATIONS = 200
SETTLED = 1e-7
"""A step of balancing, in log-odds, that changes nothing any more."""


@dataclass(frozen=True)
class Logit:
    """A fitted conditional logit: ``theta_D`` and the Cholesky factor of the posterior precision."""

    theta_D: Array
    precision_factor_D_D: Array

    def probabilities(self, columns_N_K_D: Array, offset_N_K: Array | None = None) -> Array:
        """p_N_K of the options, at the posterior mode; the offset is 0 by default."""
        scores_N_K = columns_N_K_D @ self.theta_D
        p_N_K: Array = softmax(scores_N_K if offset_N_K is None else scores_N_K + offset_N_K, axis=1)
        return p_N_K

    def draws(self, n: int, rng: np.random.Generator) -> Array:
        """theta_M_D: ``n`` draws from the posterior."""
        noise_D_M = rng.standard_normal((len(self.theta_D), n))
        spread_D_M = solve_triangular(self.precision_factor_D_D, noise_D_M, lower=True, trans="T")
        theta_M_D: Array = self.theta_D + spread_D_M.T
        return theta_M_D

    def variances(self, columns_N_K_D: Array) -> Array:
        """var_N_K: posterior variance of the scores of some options."""
        n, k, d = columns_N_K_D.shape
        white_D_NK = solve_triangular(self.precision_factor_D_D, columns_N_K_D.reshape(n * k, d).T, lower=True)
        var_N_K: Array = (white_D_NK**2).sum(axis=0).reshape(n, k)
        return var_N_K

    def deviations(self) -> Array:
        """sd_D: posterior standard deviation of each coefficient."""
        covariance_D_D = cho_solve((self.precision_factor_D_D, True), np.eye(len(self.theta_D)))
        sd_D: Array = np.sqrt(np.diag(covariance_D_D))
        return sd_D


def fit_logit(
    columns_N_K_D: Array,
    targets_N_K: Array,
    variance_D: Array,
    *,
    weights_N: Array | None = None,
    offset_N_K: Array | None = None,
    start_D: Array | None = None,
    iterations: int = ITERATIONS,
) -> Logit:
    """The posterior of θ given soft targets.

    Args:
        columns_N_K_D: φ of every option.
        targets_N_K: the probability that each option is the right one; rows sum to 1.
        variance_D: prior variance of each coefficient; priors are centred at 0.
        weights_N: how much each case counts (1 by default).
        offset_N_K: a fixed part of the score: prior knowledge in log-odds (0 by default).
        start_D: where to start the search, for instance the last fit.
        iterations: at most so many steps of the search; fewer than it takes give a partly trained student.
    """
    n, k, d = columns_N_K_D.shape
    flat_NK_D = columns_N_K_D.reshape(n * k, d)
    weight_N_1 = np.ones((n, 1)) if weights_N is None else weights_N[:, None]
    offset_N_K = np.zeros((n, k)) if offset_N_K is None else offset_N_K
    precision_D = 1.0 / variance_D

    def loss(theta_D: Array) -> tuple[float, Array]:
        logp_N_K = log_softmax((flat_NK_D @ theta_D).reshape(n, k) + offset_N_K, axis=1)
        residual_N_K = weight_N_1 * (np.exp(logp_N_K) - targets_N_K)
        value = -(weight_N_1 * targets_N_K * logp_N_K).sum() + 0.5 * (precision_D * theta_D**2).sum()
        return float(value), flat_NK_D.T @ residual_N_K.ravel() + precision_D * theta_D

    start_D = np.zeros(d) if start_D is None else start_D
    theta_D = minimize(loss, start_D, jac=True, method="L-BFGS-B", options={"maxiter": iterations}).x
    p_N_K = softmax((flat_NK_D @ theta_D).reshape(n, k) + offset_N_K, axis=1)
    mean_N_1_D = np.einsum("nk,nkd->nd", p_N_K, columns_N_K_D)[:, None]
    scaled_NK_D = ((columns_N_K_D - mean_N_1_D) * np.sqrt(weight_N_1 * p_N_K)[..., None]).reshape(n * k, d)
    factor_D_D, _ = cho_factor(scaled_NK_D.T @ scaled_NK_D + np.diag(precision_D), lower=True)
    return Logit(theta_D, np.tril(factor_D_D))


def balance(scores_N_K: Array, rounds: int = 1000) -> Array:
    """shift_K that makes every option equally probable over the N cases."""
    n, k = scores_N_K.shape
    shift_K = np.zeros(k)
    for _ in range(rounds):
        # In logarithms: of a student that is sure no option's share may become 0.
        step_K = logsumexp(log_softmax(scores_N_K + shift_K, axis=1), axis=0) + np.log(k / n)
        shift_K = shift_K - step_K
        if np.abs(step_K).max() < SETTLED:
            break
    centred: Array = shift_K - shift_K.mean()
    return centred


def flat_logit(variance_D: Array) -> Logit:
    """The prior: nothing learned."""
    return Logit(np.zeros(len(variance_D)), np.diag(1 / np.sqrt(variance_D)))


def class_columns(features_N_D: Array, k: int) -> Array:
    """columns_N_K_J of features of the case as a whole: each class gets its own coefficients.

    With two classes one coefficient a feature is enough (J = D); otherwise J = K·D, centred over classes.
    """
    if k == 2:
        return np.stack([-features_N_D / 2, features_N_D / 2], axis=1)
    contrast_K_K = np.eye(k) - 1.0 / k
    n, d = features_N_D.shape
    columns_N_K_J: Array = np.einsum("nd,jk->njkd", features_N_D, contrast_K_K).reshape(n, k, k * d)
    return columns_N_K_J
