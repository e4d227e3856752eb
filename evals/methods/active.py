"""Active learning without hypotheses: which pool cases to ask, from the student's own uncertainty.

Every method starts with the same random round, then scores the pool by draws from the student's posterior.
The student, its prior and its training are those of passive-naive; only the choice of cases differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from askew.agent import infogain
from askew.agent.conditional_logit import Array, Logit
from askew.agent.lab import Lab
from askew.evals.methods.registry import METHODS, Method
from askew.evals.methods.shared import ask_plainly, batch_sizes, fit_labels, publish, random_pool
from askew.seeds import stream
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask

DRAWS = 128
TARGETS = 300


@dataclass(frozen=True)
class Views:
    """What an acquisition sees: C candidates, M draws of the student, T target cases of the pool."""

    size: int
    rng: np.random.Generator
    columns_C_K_D: Array
    p_C_K: Array
    p_M_C_K: Array
    target_M_T_K: Array

    @property
    def draw_weights(self) -> Array:
        """The weight of each draw."""
        return np.full(len(self.p_M_C_K), 1.0 / len(self.p_M_C_K))


Acquire = Callable[[Views], Sequence[int]]


def uncertainty(views: Views) -> Sequence[int]:
    """Smallest margin between the two likeliest options."""
    top_C_2 = np.sort(views.p_C_K, axis=1)[:, -2:]
    return _best(-(top_C_2[:, 1] - top_C_2[:, 0]), views.size)


def entropy(views: Views) -> Sequence[int]:
    """Largest predictive entropy."""
    return _best(infogain.entropy(views.p_C_K), views.size)


def bald(views: Views) -> Sequence[int]:
    """Largest information about the student's parameters (Houlsby et al. 2011), one by one."""
    return _best(infogain.eig(views.draw_weights, views.p_M_C_K), views.size)


def batchbald(views: Views) -> Sequence[int]:
    """Largest joint information about the parameters (Kirsch et al. 2019)."""
    score_C = infogain.eig(views.draw_weights, views.p_M_C_K)
    return infogain.joint_batch(views.draw_weights, views.p_M_C_K, views.size, score_C, views.rng).indices


def epig(views: Views) -> Sequence[int]:
    """Largest information about predictions on the pool (Bickford Smith et al. 2023)."""
    return _best(infogain.epig(views.draw_weights, views.p_M_C_K, views.target_M_T_K), views.size)


def badge(views: Views) -> Sequence[int]:
    """k-means++ over gradients for the predicted label (Ash et al. 2020): sure to be both large and diverse."""
    from sklearn.cluster import kmeans_plusplus

    hard_C = views.p_C_K.argmax(axis=1)
    mean_C_D = np.einsum("ck,ckd->cd", views.p_C_K, views.columns_C_K_D)
    gradient_C_D = mean_C_D - views.columns_C_K_D[np.arange(len(hard_C)), hard_C]
    size = min(views.size, len(gradient_C_D))
    _, chosen = kmeans_plusplus(gradient_C_D, size, random_state=int(views.rng.integers(2**31)))
    return _distinct([int(i) for i in chosen], len(gradient_C_D), size)


def typical(views: Views) -> Sequence[int]:
    """The most typical case of each of as many clusters as there are labels (Hacohen et al. 2022)."""
    from sklearn.cluster import KMeans
    from sklearn.neighbors import NearestNeighbors

    features_C_D = views.columns_C_K_D[:, -1]
    size = min(views.size, len(features_C_D))
    clusters_C = KMeans(size, n_init=1, random_state=int(views.rng.integers(2**31))).fit_predict(features_C_D)
    near = min(20, len(features_C_D) - 1)
    distances_C_B, _ = NearestNeighbors(n_neighbors=near + 1).fit(features_C_D).kneighbors(features_C_D)
    typicality_C = 1.0 / (distances_C_B[:, 1:].mean(axis=1) + 1e-9)
    chosen = []
    for cluster in range(size):
        members = np.flatnonzero(clusters_C == cluster)
        if len(members):
            chosen.append(int(members[typicality_C[members].argmax()]))
    return _distinct(chosen, len(features_C_D), size)


def thompson(views: Views) -> Sequence[int]:
    """A bandit's choice: for each label a draw of the student, and the case that draw is least sure of."""
    chosen: list[int] = []
    for _ in range(min(views.size, len(views.p_C_K))):
        p_C_K = views.p_M_C_K[int(views.rng.integers(len(views.p_M_C_K)))]
        doubt_C = infogain.entropy(p_C_K)
        doubt_C[chosen] = -np.inf
        chosen.append(int(doubt_C.argmax()))
    return chosen


def _best(score_C: Array, size: int) -> list[int]:
    return [int(i) for i in np.argsort(-score_C, kind="stable")[:size]]


def _distinct(chosen: Sequence[int], n: int, size: int) -> list[int]:
    """Each index once; clustering can return a case twice when cases coincide."""
    once = list(dict.fromkeys(chosen))
    rest = (i for i in range(n) if i not in set(once))
    return [*once, *(next(rest) for _ in range(size - len(once)))]


def run_active(lab: Lab, acquire: Acquire) -> None:
    """Ask round by round what ``acquire`` chooses, retraining in between."""
    lab.start()
    pool = lab.task.split(Split.POOL)
    rng = stream(lab.settings.seed, "active", lab.settings.method)
    targets = [pool[int(i)] for i in rng.permutation(len(pool))[:TARGETS]]
    asked: dict[str, Case] = {}
    answers: dict[str, int] = {}
    student: Logit | None = None
    for number, size in enumerate(batch_sizes(lab), start=1):
        lab.begin_round(number)
        if student is None:
            batch = random_pool(lab)[:size]
        else:
            free = [case for case in pool if case.id not in asked]
            with lab.stage("acquire"):
                batch = [free[i] for i in acquire(look(lab, student, free, targets, size, rng))]
        for case, weak in ask_plainly(lab, batch):
            asked[case.id] = case
            if weak is not None:
                answers[case.id] = weak
        cases = [asked[case_id] for case_id in answers]
        student = fit_labels(lab.representation, cases, np.array(list(answers.values()), dtype=np.int64))
        publish(lab, student)
    lab.finish("the budget is spent")


def look(
    lab: Lab, student: Logit, free: Sequence[Case], targets: Sequence[Case], size: int, rng: np.random.Generator
) -> Views:
    """Predictions of the student and of draws from its posterior."""
    columns_C_K_D, columns_T_K_D = lab.representation.columns(free), lab.representation.columns(targets)
    theta_M_D = student.draws(DRAWS, rng)
    return Views(
        size=size,
        rng=rng,
        columns_C_K_D=columns_C_K_D,
        p_C_K=student.probabilities(columns_C_K_D),
        p_M_C_K=softmax(np.moveaxis(columns_C_K_D @ theta_M_D.T, 2, 0), axis=2),
        target_M_T_K=softmax(np.moveaxis(columns_T_K_D @ theta_M_D.T, 2, 0), axis=2),
    )


ACQUISITIONS: dict[str, Acquire] = {
    "uncertainty": uncertainty,
    "entropy": entropy,
    "bald": bald,
    "batchbald": batchbald,
    "epig": epig,
    "badge": badge,
    "typical": typical,
    "thompson": thompson,
}


def _runner(acquire: Acquire) -> Callable[[Lab, LoadedTask], None]:
    return lambda lab, _: run_active(lab, acquire)


for _name, _acquire in ACQUISITIONS.items():
    _line = (_acquire.__doc__ or "").split("\n", 1)[0].rstrip(".")
    METHODS.add(_name, Method(f"active: {_line[0].lower()}{_line[1:]}", _runner(_acquire)))
