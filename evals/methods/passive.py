"""Passive finetuning on the weak labels of random pool cases, in every variant of the literature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent.conditional_logit import Array, Logit, class_columns, fit_logit
from askew.agent.lab import Lab
from askew.agent.representation import Representation
from askew.agent.supervisors.model import case_features
from askew.evals.methods.registry import method
from askew.evals.methods.shared import (
    SoftLabels,
    Taught,
    gives_probabilities,
    heads,
    on_labels,
    one_hot,
    run_passive,
)
from askew.tasks.case import Case, Split, Task
from askew.tasks.gold import LoadedTask

SURE = 0.5
"""Share of the weak labels that confident-only training keeps."""
FOLDS = 5
"""Parts in turn judged by a student of the others."""


@method("passive-naive", "finetune on the weak labels of random pool cases")
def passive_naive(lab: Lab, _: LoadedTask) -> None:
    """The student trained on what the supervisor said, as it said it."""
    run_passive(lab, lambda cases, labels_N: on_labels(lab, cases, labels_N))


@method("passive-confident-only", "passive finetuning on the half of the weak labels that are surest")
def passive_confident_only(lab: Lab, _: LoadedTask) -> None:
    """The supervisor's own confidence decides where it has any, else that of students which didn't see the label."""
    soft = SoftLabels(lab) if gives_probabilities(lab.supervisor) else None

    def learn(cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Taught:
        p_N_K = held_out(lab, cases, labels_N) if soft is None else soft(cases)
        sure_N = p_N_K[np.arange(len(cases)), labels_N]
        kept = np.argsort(-sure_N, kind="stable")[: max(1, int(SURE * len(cases)))]
        return on_labels(lab, [cases[int(i)] for i in kept], labels_N[kept])

    run_passive(lab, learn)


def held_out(lab: Lab, cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Array:
    """p_N_K of each case by a student trained on the labels of the other parts of :data:`FOLDS`."""
    fold_N = np.arange(len(cases)) % FOLDS
    p_N_K = np.full((len(cases), lab.task.n_options), 1 / lab.task.n_options)
    for fold in range(FOLDS if len(cases) > 1 else 0):
        seen = [case for case, where in zip(cases, fold_N, strict=True) if where != fold]
        asked = [case for case, where in zip(cases, fold_N, strict=True) if where == fold]
        if seen and asked:
            student = heads(lab, on_labels(lab, seen, labels_N[fold_N != fold])).predict
            p_N_K[fold_N == fold] = student(asked)
    return p_N_K


@method("passive-bootstrap", "passive finetuning through students of growing size, each the next one's teacher")
def passive_bootstrap(lab: Lab, _: LoadedTask) -> None:
    """The weak labels teach the smallest student, which labels the pool for the next larger one, and so on.

    The sizes are MiniLM (22M), the strong model cut at two thirds of its depth, and the whole. Burns et al. (2023,
    section 4.3.1) use models of one family, of which there is only one size at hand.
    """
    pool, representation = lab.task.split(Split.POOL), lab.representation

    def embedded(cases: Sequence[Case]) -> NDArray[np.float32]:
        return case_features(cases, lab.embed, lab.task.options_vary)

    def cut(cases: Sequence[Case]) -> NDArray[np.float32]:
        whole = representation.features(cases)
        return whole[..., whole.shape[-1] // 2 :]

    smaller = [Smaller(lab.task, features) for features in (embedded, cut)]

    def learn(cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Taught:
        taught, targets_N_K = cases, one_hot(labels_N, lab.task.n_options)
        for student in smaller:
            targets_N_K = student.fit(taught, targets_N_K).probabilities(student.pool_N_K_D)
            taught = pool
        return Taught(pool, targets_N_K)

    run_passive(lab, learn)


class Smaller:
    """A Bayesian logit on the features of a smaller model."""

    def __init__(self, task: Task, features: Callable[[Sequence[Case]], NDArray[np.float32]]) -> None:
        self._task, self._features = task, features
        pool = task.split(Split.POOL)
        raw = features(pool).astype(np.float64)
        flat = raw.reshape(-1, raw.shape[-1])
        self._mean_D, self._scale_D = flat.mean(axis=0), flat.std(axis=0) + 1e-6
        self.pool_N_K_D = self._columns(raw)

    def fit(self, cases: Sequence[Case], targets_N_K: Array) -> Logit:
        """The student of (soft) labels; its prior spreads the log-odds over all columns."""
        variance_D = np.full(self.pool_N_K_D.shape[2], 1.0 / self.pool_N_K_D.shape[2])
        if not cases:
            return fit_logit(self.pool_N_K_D[:0], targets_N_K, variance_D)
        return fit_logit(self._columns(self._features(cases).astype(np.float64)), targets_N_K, variance_D)

    def _columns(self, raw: Array) -> Array:
        standardised: Array = (raw - self._mean_D) / self._scale_D
        if self._task.options_vary:
            centred: Array = standardised - standardised.mean(axis=1, keepdims=True)
            return centred
        return class_columns(standardised, self._task.n_options)


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
        k, answered = representation.task.n_options, set(labels_N.tolist())
        self._constant_K: Array | None = None
        if not answered:
            self._constant_K = np.full(k, 1.0 / k)
        elif len(answered) == 1 and not self._vary:
            # Answers of one class teach a probe of classes nothing; where options vary they still tell options apart.
            self._constant_K = np.eye(k)[labels_N[0]]
        if self._constant_K is not None:
            return
        x, y = self._rows(cases), labels_N
        if self._vary:
            y = one_hot(labels_N, k).astype(np.int64).ravel()
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
        if self._constant_K is not None:
            return np.tile(self._constant_K, (len(cases), 1))
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
