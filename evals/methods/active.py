"""Active learning without hypotheses: which pool cases to ask, from the student's own uncertainty.

Every method starts with the same random round, then scores the pool by draws from the student's posterior.
The student, its prior and its training are those of passive-naive; only the choice of cases differs. It is chosen
by the probe, also where the student is finetuned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent import infogain
from askew.agent.conditional_logit import Array, Logit
from askew.agent.lab import Lab
from askew.evals.methods.registry import METHODS, Method
from askew.evals.methods.shared import ask_plainly, batch_sizes, fit_heads, on_labels, publish, random_pool
from askew.seeds import stream
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask

DRAWS = 128
TARGETS = 300
MOST_CLUSTERS, SMALLEST_CLUSTER, NEIGHBOURS = 500, 5, 20
"""Limits of TypiClust, as its authors set them."""


@dataclass(frozen=True)
class Views:
    """What an acquisition sees: C candidates, A cases asked before, M draws of the student, T target cases."""

    size: int
    rng: np.random.Generator
    columns_C_K_D: Array
    asked_A_K_D: Array
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
    return infogain.joint_batch(views.draw_weights, views.p_M_C_K, views.size, score_C, views.rng)


def epig(views: Views) -> Sequence[int]:
    """Largest information about predictions on the pool (Bickford Smith et al. 2023)."""
    return _best(infogain.epig(views.draw_weights, views.p_M_C_K, views.target_M_T_K), views.size)


def badge(views: Views) -> Sequence[int]:
    """Gradients for the predicted label, spread by k-means++ (Ash et al. 2020): large ones and different ones."""
    return spread(gradients(views), views.size, views.rng)


def gradients(views: Views) -> Array:
    """gradient_C_D of each candidate's loss, were the likeliest option its label."""
    hard_C = views.p_C_K.argmax(axis=1)
    mean_C_D = np.einsum("ck,ckd->cd", views.p_C_K, views.columns_C_K_D)
    gradient_C_D: Array = mean_C_D - views.columns_C_K_D[np.arange(len(hard_C)), hard_C]
    return gradient_C_D


def spread(points_C_D: Array, size: int, rng: np.random.Generator) -> list[int]:
    """k-means++ as BADGE's authors run it: the longest point first, then by squared distance to the chosen ones."""
    distance_C = (points_C_D**2).sum(axis=1)
    chosen = [int(distance_C.argmax())]
    while len(chosen) < min(size, len(points_C_D)):
        nearer_C = ((points_C_D - points_C_D[chosen[-1]]) ** 2).sum(axis=1)
        distance_C = nearer_C if len(chosen) == 1 else np.minimum(distance_C, nearer_C)
        distance_C[chosen] = 0.0
        if distance_C.sum() == 0.0:  # what is left coincides with what was chosen
            distance_C = np.ones(len(points_C_D))
            distance_C[chosen] = 0.0
        chosen.append(int(rng.choice(len(points_C_D), p=distance_C / distance_C.sum())))
    return chosen


def typical(views: Views) -> Sequence[int]:
    """The most typical case of the largest clusters without a label (TypiClust, Hacohen et al. 2022)."""
    from sklearn.cluster import KMeans

    free_C_D = views.columns_C_K_D.reshape(len(views.columns_C_K_D), -1)
    asked_A_D = views.asked_A_K_D.reshape(len(views.asked_A_K_D), -1)
    size = min(views.size, len(free_C_D))
    clusters = min(len(asked_A_D) + size, MOST_CLUSTERS)
    model = KMeans(clusters, n_init=1, random_state=int(views.rng.integers(2**31)))
    cluster_N = model.fit_predict(np.concatenate([free_C_D, asked_A_D]))
    cluster_C, covered = cluster_N[: len(free_C_D)], cluster_N[len(free_C_D) :]
    labels_J = np.bincount(covered, minlength=clusters)
    sizes_J = np.bincount(cluster_C, minlength=clusters)
    # Clusters with the fewest labels first, among those the largest; a second case of one only when all had a turn, and
    # of a handful of cases, which nothing is typical of, only where there is nothing else.
    small_J = sizes_J + labels_J <= SMALLEST_CLUSTER
    order = [int(j) for j in np.lexsort((-sizes_J, labels_J, small_J)) if sizes_J[j]]
    waiting = {j: typicality_order(free_C_D, np.flatnonzero(cluster_C == j)) for j in order}
    chosen: list[int] = []
    while len(chosen) < size:
        large = [j for j in order if waiting[j] and not small_J[j]]
        chosen += [waiting[j].pop(0) for j in large or order if waiting[j]][: size - len(chosen)]
    return chosen


def typicality_order(points_C_D: Array, members: NDArray[np.int64]) -> list[int]:
    """Members of a cluster, those with the nearest neighbours within it first."""
    from sklearn.neighbors import NearestNeighbors

    if len(members) == 1:
        return [int(members[0])]
    near = min(NEIGHBOURS, len(members) - 1)
    inside = NearestNeighbors(n_neighbors=near + 1).fit(points_C_D[members])
    distances_B_J, _ = inside.kneighbors(points_C_D[members])
    return [int(i) for i in members[np.argsort(distances_B_J.sum(axis=1), kind="stable")]]


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
            most = min(size, len(free))
            with lab.stage("acquire"):
                chosen = acquire(look(lab, student, free, list(asked.values()), targets, most, rng)) if most else []
            batch = [free[i] for i in chosen]
        for case, weak in ask_plainly(lab, batch):
            asked[case.id] = case
            if weak is not None:
                answers[case.id] = weak
        cases = [asked[case_id] for case_id in answers]
        taught = on_labels(lab, cases, np.array(list(answers.values()), dtype=np.int64))
        student = fit_heads(lab.representation, cases, taught.targets_N_K)
        publish(lab, taught, last=number == lab.settings.rounds)
    lab.finish("the budget is spent")


def look(
    lab: Lab,
    student: Logit,
    free: Sequence[Case],
    asked: Sequence[Case],
    targets: Sequence[Case],
    size: int,
    rng: np.random.Generator,
) -> Views:
    """Predictions of the student and of draws from its posterior."""
    columns_C_K_D, columns_T_K_D = lab.representation.columns(free), lab.representation.columns(targets)
    theta_M_D = student.draws(DRAWS, rng)
    return Views(
        size=size,
        rng=rng,
        columns_C_K_D=columns_C_K_D,
        asked_A_K_D=lab.representation.columns(asked),
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
