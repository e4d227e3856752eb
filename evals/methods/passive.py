"""Passive finetuning on the weak labels of random pool cases, in every variant of the literature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent.conditional_logit import Array, Logit, class_columns, fit_logit
from askew.agent.lab import Lab
from askew.agent.representation import Representation
from askew.evals.methods.registry import method
from askew.evals.methods.shared import fit_labels, fit_targets, one_hot, predictor, run_passive
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask

ALPHA = 0.5
"""Weight of the student's own hardened prediction at the end of warm-up (0.5 for small students)."""
WARM_UP = 0.2
"""Share of training over which the weight rises linearly from 0."""
STEPS = 40
ITERATIONS_A_STEP = 4
SURE = 0.5
"""Share of the weak labels that confident-only training keeps."""


@method("passive-naive", "finetune on the weak labels of random pool cases")
def passive_naive(lab: Lab, _: LoadedTask) -> None:
    """The student trained on what the supervisor said, as it said it."""
    run_passive(lab, lambda cases, labels_N: fit_labels(lab.representation, cases, labels_N))


@method("passive-confidence", "passive finetuning with the auxiliary confidence loss")
def passive_confidence(lab: Lab, _: LoadedTask) -> None:
    """(1−α)·CE(f, w) + α·CE(f, f̂_t), α rising linearly to its maximum (Burns et al. 2023, appendix A.4)."""
    k = lab.task.n_options
    run_passive(lab, lambda cases, labels_N: confident_fit(lab.representation, cases, one_hot(labels_N, k)))


def confident_fit(representation: Representation, cases: Sequence[Case], weak_N_K: Array) -> Logit:
    """Train with the confidence loss.

    Cross-entropy is linear in its target, so the two terms are one cross-entropy against the mixture of
    the weak label and the student's hardened prediction.
    """
    columns_N_K_D, variance_D = representation.columns(cases), representation.variances()
    student: Logit | None = None
    for step in range(STEPS):
        alpha = ALPHA * min(1.0, step / (WARM_UP * STEPS))
        own_N_K = weak_N_K if student is None else hardened(student.probabilities(columns_N_K_D), weak_N_K)
        student = fit_logit(
            columns_N_K_D,
            (1 - alpha) * weak_N_K + alpha * own_N_K,
            variance_D,
            start_D=None if student is None else student.theta_D,
            iterations=ITERATIONS_A_STEP,
        )
    assert student is not None
    return student


def hardened(p_N_K: Array, weak_N_K: Array) -> Array:
    """f̂_t: predictions made hard with thresholds t for which the classes are as common as in the weak labels."""
    logp_N_K = np.log(np.maximum(p_N_K, 1e-12))
    share_K = (weak_N_K.sum(axis=0) + 0.5) / (len(weak_N_K) + 0.5 * weak_N_K.shape[1])
    shift_K = np.zeros(p_N_K.shape[1])
    # Shifting each class until its hardened share fits; for two classes this is a quantile threshold.
    if len(shift_K) == 2:
        shift_K[1] = -np.quantile(logp_N_K[:, 1] - logp_N_K[:, 0], share_K[0])
    else:
        for _ in range(50):
            now_K = np.bincount((logp_N_K + shift_K).argmax(axis=1), minlength=len(shift_K)) + 0.5
            shift_K += 0.5 * (np.log(share_K) - np.log(now_K / now_K.sum()))
    return one_hot((logp_N_K + shift_K).argmax(axis=1), p_N_K.shape[1])


@method("passive-confident-only", "passive finetuning on the weak labels that a first student is surest of")
def passive_confident_only(lab: Lab, _: LoadedTask) -> None:
    """Train, keep the half of the weak labels that the student finds likeliest, train again on those."""

    def learn(cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Logit:
        first = predictor(lab, fit_labels(lab.representation, cases, labels_N))
        likely_N = first(cases)[np.arange(len(cases)), labels_N]
        kept = np.argsort(-likely_N, kind="stable")[: max(1, int(SURE * len(cases)))]
        return fit_labels(lab.representation, [cases[int(i)] for i in kept], labels_N[kept])

    run_passive(lab, learn)


@method("passive-bootstrap", "passive finetuning through intermediate students (early exits of the strong model)")
def passive_bootstrap(lab: Lab, _: LoadedTask) -> None:
    """The weak labels teach a smaller student, which labels the pool for the next larger one.

    The smaller student is the strong model cut at two thirds of its depth; Burns et al. (2023, section
    4.3.1) use smaller models of one family.
    """
    pool = lab.task.split(Split.POOL)
    smaller = EarlyExit(lab.representation)
    pool_N_K_D = smaller.columns(pool)

    def learn(cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Logit:
        return fit_targets(lab.representation, pool, smaller.fit(cases, labels_N).probabilities(pool_N_K_D))

    run_passive(lab, learn)


class EarlyExit:
    """A probe on the middle layer alone: a smaller model of the same family."""

    def __init__(self, representation: Representation) -> None:
        self._representation = representation
        flat = self._middle(representation.task.split(Split.POOL))
        flat = flat.reshape(-1, flat.shape[-1])
        self._mean_D, self._scale_D = flat.mean(axis=0), flat.std(axis=0) + 1e-6

    def columns(self, cases: Sequence[Case]) -> Array:
        """columns_N_K_D of the middle layer's features, standardised over the pool."""
        standardised = (self._middle(cases) - self._mean_D) / self._scale_D
        if self._representation.task.options_vary:
            centred: Array = standardised - standardised.mean(axis=1, keepdims=True)
            return centred
        return class_columns(standardised, self._representation.task.n_options)

    def fit(self, cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Logit:
        """A Bayesian logit on these columns; the prior spreads the log-odds over all of them."""
        columns_N_K_D = self.columns(cases)
        variance_D = np.full(columns_N_K_D.shape[2], 1.0 / columns_N_K_D.shape[2])
        return fit_logit(columns_N_K_D, one_hot(labels_N, columns_N_K_D.shape[1]), variance_D)

    def _middle(self, cases: Sequence[Case]) -> Array:
        raw = self._representation.features(cases)
        return raw[..., raw.shape[-1] // 2 :].astype(np.float64)


@method("passive-probe", "passive finetuning of an ordinary linear probe, its ridge chosen by cross-validation")
def passive_probe(lab: Lab, _: LoadedTask) -> None:
    """scikit-learn's logistic regression on the raw features; the weak labels choose its penalty."""
    run_passive(lab, lambda cases, labels_N: _Probe(lab.representation, cases, labels_N))


class _Probe:
    """Scores of each option from one weight vector (options vary) or one a class."""

    def __init__(self, representation: Representation, cases: Sequence[Case], labels_N: NDArray[np.int64]) -> None:
        from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._representation = representation
        self._vary = representation.task.options_vary
        # Answers of one class teach a probe of classes nothing; where options vary they still tell options apart.
        one_class = len(set(labels_N.tolist())) == 1 and not self._vary
        self._only = int(labels_N[0]) if one_class else None
        x, y = self._rows(cases), labels_N
        if self._vary:
            k = representation.task.n_options
            y = one_hot(labels_N, k).astype(np.int64).ravel()
        if self._only is None:
            folds = int(min(5, np.bincount(y)[np.unique(y)].min()))
            probe: Any = LogisticRegression(C=1e-2, max_iter=500)
            if folds > 1:  # a class that was answered once can't be both learned from and held out
                probe = LogisticRegressionCV(
                    Cs=np.logspace(-5, 0, 6), cv=folds, scoring="neg_log_loss", max_iter=500,
                    l1_ratios=(0.0,), use_legacy_attributes=False,
                )  # fmt: skip
            self._model = make_pipeline(StandardScaler(), probe).fit(x, y)
            self._classes = [int(c) for c in np.unique(y)]

    def __call__(self, cases: Sequence[Case]) -> Array:
        k = self._representation.task.n_options
        if self._only is not None:
            return np.tile(np.eye(k)[self._only], (len(cases), 1))
        logp = self._model.predict_log_proba(self._rows(cases))
        if self._vary:
            scores_N_K = (logp[:, 1] - logp[:, 0]).reshape(len(cases), k)
            return np.asarray(softmax(scores_N_K, axis=1))
        p_N_K = np.zeros((len(cases), k))
        p_N_K[:, self._classes] = np.exp(logp)
        return p_N_K

    def _rows(self, cases: Sequence[Case]) -> NDArray[np.float32]:
        raw = self._representation.features(cases)
        return raw.reshape(-1, raw.shape[-1])
