"""A calibrated logistic head on frozen features: over classes, or over options that differ from case to case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Array = NDArray[np.float64]

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of the ridge penalty tried; the best by cross-entropy on held-out folds is kept."""
FOLDS = 5


@dataclass(frozen=True)
class LogisticHead:
    """Weights found by :func:`fit_head`.

    For classes, ``weights_D_K`` scores each class from a case's features. For varying options,
    ``weights_D_K`` has one column, which scores each option from that option's features.
    """

    weights_D_K: Array
    bias_K: Array

    def probabilities(self, features: NDArray[Any]) -> Array:
        """p_N_K from features_N_D (classes) or features_N_K_D (options)."""
        scores = np.asarray(features, dtype=np.float64) @ self.weights_D_K + self.bias_K
        logits_N_K = scores[..., 0] if np.ndim(features) == 3 else scores
        p_N_K: Array = np.exp(log_softmax(logits_N_K, axis=1))
        return p_N_K


def fit_head(features: NDArray[Any], labels_N: NDArray[np.int64], n_options: int) -> LogisticHead:
    """The head with the best held-out cross-entropy, fitted to all examples; deterministic.

    Args:
        features: features_N_D of cases, for a head over classes, or features_N_K_D of their options, for a
            head over options: a conditional logit, fitted on the differences between the right option and
            the others (exact for two options, composite likelihood beyond).
        labels_N: the right class or option.
        n_options: K.
    """
    inputs = np.asarray(features, dtype=np.float64)
    scores = [_held_out_loss(inputs, labels_N, n_options, penalty) for penalty in PENALTIES]
    return _fit(inputs, labels_N, n_options, PENALTIES[int(np.argmin(scores))])


def held_out_probabilities(features: NDArray[Any], labels_N: NDArray[np.int64], n_options: int) -> Array:
    """p_N_K of every example by a head that did not see it (``FOLDS`` folds)."""
    inputs = np.asarray(features, dtype=np.float64)
    p_N_K = np.zeros((len(labels_N), n_options))
    for held in _folds(labels_N):
        p_N_K[held] = fit_head(inputs[~held], labels_N[~held], n_options).probabilities(inputs[held])
    return p_N_K


def _folds(labels_N: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Masks of the held-out examples; every class is spread evenly over the folds."""
    fold_N = np.empty(len(labels_N), dtype=np.int64)
    fold_N[np.argsort(labels_N, kind="stable")] = np.arange(len(labels_N)) % FOLDS
    return [fold_N == fold for fold in range(min(FOLDS, len(labels_N)))]


def _held_out_loss(inputs: Array, labels_N: NDArray[np.int64], n_options: int, penalty: float) -> float:
    total = 0.0
    for held in _folds(labels_N):
        p_M_K = _fit(inputs[~held], labels_N[~held], n_options, penalty).probabilities(inputs[held])
        total -= float(np.log(np.maximum(p_M_K[np.arange(held.sum()), labels_N[held]], 1e-12)).sum())
    return total


def _fit(inputs: Array, labels_N: NDArray[np.int64], n_options: int, penalty: float) -> LogisticHead:
    if inputs.ndim == 3:
        return _fit_options(inputs, labels_N, penalty)
    return _fit_classes(inputs, labels_N, n_options, penalty)


def _fit_classes(inputs_N_D: Array, labels_N: NDArray[np.int64], n_options: int, penalty: float) -> LogisticHead:
    from sklearn.linear_model import LogisticRegression

    seen = np.unique(labels_N)
    width = inputs_N_D.shape[1]
    if len(seen) < 2:  # nothing to tell apart: all mass on the one class seen
        return LogisticHead(np.zeros((width, n_options)), np.where(np.isin(np.arange(n_options), seen), 5.0, 0.0))
    model = LogisticRegression(C=penalty, max_iter=2000).fit(inputs_N_D, labels_N)
    weights_D_K = np.zeros((width, n_options))
    bias_K = np.full(n_options, -30.0)  # a class without examples is (almost) never answered
    if len(seen) == 2:  # scikit-learn keeps one row for two classes: the log-odds of the second
        weights_D_K[:, seen[1]], bias_K[seen] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weights_D_K[:, seen], bias_K[seen] = model.coef_.T, model.intercept_
    return LogisticHead(weights_D_K, bias_K)


def _fit_options(inputs_N_K_D: Array, labels_N: NDArray[np.int64], penalty: float) -> LogisticHead:
    from sklearn.linear_model import LogisticRegression

    n, k, _ = inputs_N_K_D.shape
    right_N_1_D = inputs_N_K_D[np.arange(n), labels_N][:, None]
    others = np.arange(k)[None, :] != labels_N[:, None]
    gaps_M_D = (right_N_1_D - inputs_N_K_D)[others]
    both = np.concatenate([gaps_M_D, -gaps_M_D])
    sides = np.repeat([1, 0], len(gaps_M_D))
    model = LogisticRegression(C=penalty, max_iter=2000, fit_intercept=False).fit(both, sides)
    return LogisticHead(model.coef_.T, np.zeros(1))
