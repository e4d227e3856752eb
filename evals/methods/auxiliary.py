"""Passive finetuning with other losses than cross-entropy, on hard or soft labels, and with early stopping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from askew.agent.lab import Lab
from askew.evals.methods.registry import method
from askew.evals.methods.shared import SoftLabels, Taught, needs_probabilities, one_hot, run_passive
from askew.tasks.case import Case
from askew.tasks.gold import LoadedTask

if TYPE_CHECKING:
    from askew.agent.learners.losses import Loss

ALPHA_LARGE, ALPHA_SMALL = 0.75, 0.5
LARGE = 1_000_000_000
"""Parameters from which a student counts as large (the paper doesn't say how large its own large ones are)."""
PAPER_WARM_UP = 0.2
"""Share of training over which the weight rises."""
ALPHA_ENTROPY = 0.75
HELD_OUT = 0.2
"""Share of the weak labels that early stopping keeps to stop by; they are part of the budget."""


def alpha_max(lab: Lab) -> float:
    """Largest weight of the student's own opinion: 0.75 for large students, 0.5 otherwise (Burns et al. 2023)."""
    return ALPHA_LARGE if getattr(lab.model, "parameters", 0) >= LARGE else ALPHA_SMALL


def loss_of(lab: Lab) -> Loss | None:
    """The loss by which the run's method trains; cross-entropy where it has none of its own."""
    from askew.agent.learners.losses import confidence
    from askew.evals.methods.losses import REPLICATION_WARM_UP, divergence, low_entropy

    return {
        "passive-confidence": confidence(alpha_max(lab), PAPER_WARM_UP),
        "passive-logconf": confidence(ALPHA_SMALL, REPLICATION_WARM_UP),
        "passive-entropy": low_entropy(ALPHA_ENTROPY),
        "passive-kl": divergence,
        "passive-early-stop": None,
    }[lab.settings.method]


def _on_hard_labels(lab: Lab, held: Callable[[int], int] = lambda _: 0) -> None:
    def learn(cases: Sequence[Case], labels_N: NDArray[np.int64]) -> Taught:
        return Taught(cases, one_hot(labels_N, lab.task.n_options), loss_of(lab), held(len(cases)))

    run_passive(lab, learn)


@method("passive-confidence", "passive finetuning with the auxiliary confidence loss")
def passive_confidence(lab: Lab, _: LoadedTask) -> None:
    """As the paper has it: warm-up over the first 20% of training, thresholds chosen for every batch."""
    _on_hard_labels(lab)


@method("passive-logconf", "the confidence loss as the open reimplementation has it, without its jump")
def passive_logconf(lab: Lab, _: LoadedTask) -> None:
    """Warm-up over 10% and weight 0.5, as in ``openai/weak-to-strong``; the weight doesn't jump afterwards."""
    _on_hard_labels(lab)


@method("passive-entropy", "passive finetuning with a reward for being sure")
def passive_entropy(lab: Lab, _: LoadedTask) -> None:
    """The student's entropy in the place of its own hardened label (``EleutherAI/w2s``)."""
    _on_hard_labels(lab)


@method("passive-early-stop", "passive finetuning, stopped where held-out weak labels are predicted best")
def passive_early_stop(lab: Lab, _: LoadedTask) -> None:
    """A fifth of the answers is kept apart; what is learned after they are predicted best is dropped."""
    # The cases were asked in random order, so the last ones are a random part.
    _on_hard_labels(lab, lambda n: max(0, min(int(np.ceil(HELD_OUT * n)), n - 1)))


@method(
    "passive-soft",
    "passive finetuning on the supervisor's probabilities instead of its answers",
    needs=needs_probabilities,
)
def passive_soft(lab: Lab, _: LoadedTask) -> None:
    """Soft labels, fitted like hard ones. A soft label costs as much as an answer."""
    soft = SoftLabels(lab)
    run_passive(lab, lambda cases, _: Taught(cases, soft(cases)))


@method(
    "passive-kl",
    "passive finetuning on soft labels by Kullback-Leibler divergence, in mini-batches",
    needs=needs_probabilities,
)
def passive_kl(lab: Lab, _: LoadedTask) -> None:
    """KL(f_weak ‖ f): up to its optimiser the same student as passive-soft, as theory says it should be."""
    soft = SoftLabels(lab)
    run_passive(lab, lambda cases, _: Taught(cases, soft(cases), loss_of(lab)))
