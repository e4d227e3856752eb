"""Internal coherence maximisation: labels that make each other predictable, found without any supervision.

After Wen et al. 2025, "Unsupervised elicitation of language models". There, P(y_i | x_i, the other labels) is what
a language model says when the other labelled cases stand in its prompt. A small student can't read hundreds of
examples, so here the others speak through the student's head: P is the softmax of the model's own opinion of x_i
plus the leave-one-out prediction of a ridge regression on the student's features. What also differs: the paper's
logical consistency needs cases that contradict each other, which single texts don't; what keeps all labels from
becoming the same is a penalty on classes that are not equally common. The schedule and the weight of predictability
are the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, xlogy

from askew.agent.coherence import Others, left_out
from askew.agent.conditional_logit import Array
from askew.agent.lab import Lab
from askew.evals.methods.registry import method
from askew.evals.methods.shared import on_labels, publish
from askew.seeds import stream
from askew.tasks.case import Split
from askew.tasks.gold import LoadedTask

PREDICTABILITY = 50.0
"""α: weight of the mean log-probability of a label given the others."""
HOTTEST, COLDEST, COOLING = 10.0, 0.01, 0.99
"""T = max(COLDEST, HOTTEST / (1 + COOLING · ln n)) at step n."""
FIRST = 8
"""Cases that start with a random label."""
SWEEPS = 4
"""Times that each case is looked at again after all have a label."""
STEEPNESS = 6.0
"""Log-odds for one unit of the regression's margin: a case it places where its target is gets 6."""


@method("coherence", "internal coherence maximisation: labels that predict each other, no weak label")
def coherence(lab: Lab, _: LoadedTask) -> None:
    """Label the pool so that the labels cohere, then train the student on them."""
    lab.start()
    pool = lab.task.split(Split.POOL)
    with lab.stage("cohere"):
        columns_N_K_D, opinion_N_K = lab.representation.columns(pool), lab.representation.opinion(pool)
        search = Search.over(columns_N_K_D, lab.representation.variances(), opinion_N_K)
        labels_N = search.run(stream(lab.settings.seed, "coherence"))
    publish(lab, on_labels(lab, pool, labels_N))
    lab.finish("nothing to ask")


@dataclass
class Search:
    """Simulated annealing over label_N (−1: none yet). ``scores_N_K`` is kept up to date, one label at a time.

    The regression is :class:`Others`; to it a case without a label counts as undecided (its target is 0).
    """

    others: Others
    opinion_N_K: Array
    labels_N: NDArray[np.int64]
    scores_N_K: Array

    @classmethod
    def over(cls, columns_N_K_D: Array, variance_D: Array, opinion_N_K: Array) -> Search:
        """Nothing is labelled yet."""
        n, k, _ = columns_N_K_D.shape
        others = Others.over(columns_N_K_D, variance_D)
        return cls(others, opinion_N_K, np.full(n, -1), np.zeros((n, k)))

    def run(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """label_N: first every case gets one, in random order, then all are looked at again."""
        n, k = self.scores_N_K.shape
        order = [int(i) for i in rng.permutation(n)]
        for case in order[:FIRST]:
            self.set(case, int(rng.integers(k)))
        visits = [*order[FIRST:], *(int(i) for _ in range(SWEEPS) for i in rng.permutation(n))]
        for step, case in enumerate(visits, start=1):
            temperature = max(COLDEST, HOTTEST / (1 + COOLING * np.log(step)))
            self.visit(case, temperature, rng)
        return self.labels_N

    def visit(self, case: int, temperature: float, rng: np.random.Generator) -> None:
        """Propose the label that the others make likeliest; keep it if the whole gets better, or with some luck."""
        before, proposed = int(self.labels_N[case]), int(self.log_probabilities(np.array([case]))[0].argmax())
        if proposed == before:
            return
        value = self.coherence()
        self.set(case, proposed)
        worse = value - self.coherence()
        if before >= 0 and worse > 0 and rng.random() >= np.exp(-worse / temperature):
            self.set(case, before)

    def set(self, case: int, label: int) -> None:
        """Give a case another label; all scores follow."""
        k = self.scores_N_K.shape[1]
        change_K = _target(label, k) - _target(int(self.labels_N[case]), k)
        root_N_K_D = self.others.root_N_K_D
        self.scores_N_K += root_N_K_D @ (root_N_K_D[case].T @ change_K)
        self.labels_N[case] = label

    def log_probabilities(self, cases: NDArray[np.int64]) -> Array:
        """logp_B_K of the cases' labels, given all labels but their own."""
        k = self.scores_N_K.shape[1]
        target_B_K = np.stack([_target(int(label), k) for label in self.labels_N[cases]])
        left_out_B_K = left_out(self.others.own_N_K_K[cases], self.scores_N_K[cases], target_B_K)
        logp_B_K: Array = log_softmax(self.opinion_N_K[cases] + STEEPNESS * left_out_B_K, axis=1)
        return logp_B_K

    def coherence(self) -> float:
        """α · mean log P(label | the others) − N · KL(classes ‖ uniform)."""
        k = self.scores_N_K.shape[1]
        known = np.flatnonzero(self.labels_N >= 0)
        logp = self.log_probabilities(known)[np.arange(len(known)), self.labels_N[known]]
        share_K = np.bincount(self.labels_N[known], minlength=k) / len(known)
        imbalance = float(xlogy(share_K, share_K * k).sum())
        return PREDICTABILITY * float(logp.mean()) - len(known) * imbalance


def _target(label: int, k: int) -> Array:
    """A centred one-hot row; zero for no label."""
    return np.zeros(k) if label < 0 else np.eye(k)[label] - 1.0 / k
