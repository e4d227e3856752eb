"""Losses for weak labels, as the paper and its open replications have them.

A loss takes logits_B_K of a batch of B cases with K options, weak_B_K (labels, hard or soft) and the share
of training that is behind (0 to 1), and gives the mean over the batch. Sources: Burns et al. 2023,
"Weak-to-strong generalization", section 4.3.2 and appendix A.4; the loss files of ``openai/weak-to-strong``
and ``EleutherAI/w2s``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Loss = Callable[[Tensor, Tensor, float], Tensor]

PAPER_WARM_UP = 0.2
"""Share of training over which the paper's weight rises from 0."""
REPLICATION_WARM_UP = 0.1
"""The same in the open reimplementations."""
SHIFTS = 50
"""Steps of the search for thresholds, for more than two classes."""


def weak_only(logits_B_K: Tensor, weak_B_K: Tensor, _: float) -> Tensor:
    """CE(f, f_weak): naive finetuning, on hard or soft labels."""
    loss: Tensor = cross_entropy(logits_B_K, weak_B_K)
    return loss


def divergence(logits_B_K: Tensor, weak_B_K: Tensor, _: float) -> Tensor:
    """KL(f_weak ‖ f) = CE − H(f_weak). The labels are fixed, so its gradient is that of the cross-entropy."""
    label_entropy_B = -torch.special.xlogy(weak_B_K, weak_B_K).sum(dim=1)
    loss: Tensor = cross_entropy(logits_B_K, weak_B_K) - label_entropy_B.mean()
    return loss


def confidence(alpha_max: float, warm_up: float = PAPER_WARM_UP) -> Loss:
    """(1−α)·CE(f, f_weak) + α·CE(f, f̂_t): the student's own prediction, made hard, is a second label.

    α rises linearly from 0 to ``alpha_max`` over the first ``warm_up`` of training. The thresholds t are those of the
    batch: the hardened classes are as common in it as the weak labels are. With a warm-up of 0.1 this is the
    reimplementations' "logconf"; ``openai/weak-to-strong`` lets α grow only to a tenth of its maximum and then jump.
    """

    def loss(logits_B_K: Tensor, weak_B_K: Tensor, progress: float) -> Tensor:
        alpha = rising(alpha_max, warm_up, progress)
        own_B_K = hardened(logits_B_K.detach(), weak_B_K)
        # Cross-entropy is linear in its target: the two terms are one, against the mixture.
        return cross_entropy(logits_B_K, (1 - alpha) * weak_B_K + alpha * own_B_K)

    return loss


def low_entropy(alpha_max: float, warm_up: float = REPLICATION_WARM_UP) -> Loss:
    """(1−α)·CE(f, f_weak) + α·H(f): be sure, without a threshold ("log-entropy" of ``EleutherAI/w2s``)."""

    def loss(logits_B_K: Tensor, weak_B_K: Tensor, progress: float) -> Tensor:
        alpha = rising(alpha_max, warm_up, progress)
        logp_B_K = logits_B_K.log_softmax(dim=1)
        own = -(logp_B_K.exp() * logp_B_K).sum(dim=1).mean()
        return (1 - alpha) * cross_entropy(logits_B_K, weak_B_K) + alpha * own

    return loss


def rising(alpha_max: float, warm_up: float, progress: float) -> float:
    """α: linear from 0 to ``alpha_max`` over the first ``warm_up`` of training, without a jump."""
    return alpha_max * min(1.0, progress / warm_up)


def hardened(logits_B_K: Tensor, weak_B_K: Tensor) -> Tensor:
    """f̂_t as one-hot rows: thresholds t for which the classes are as common in the batch as in its weak labels.

    For two classes the cases with the highest scores get the second class, as many as there is mass of it in the
    labels, rounded; ties go to the earlier case. For more classes each class is shifted until its share fits.
    """
    n, k = logits_B_K.shape
    logp_B_K = logits_B_K.log_softmax(dim=1)
    if k == 2:
        second = round(float(weak_B_K[:, 1].sum()))
        margin_B = logp_B_K[:, 1] - logp_B_K[:, 0]
        label_B = torch.zeros(n, dtype=torch.long)
        label_B[torch.argsort(margin_B, descending=True, stable=True)[:second]] = 1
    else:
        share_K = (weak_B_K.mean(dim=0) + 0.5 / n) / (1 + 0.5 * k / n)
        shift_K = torch.zeros(k, dtype=logp_B_K.dtype)
        for step in range(SHIFTS):
            now_K = torch.bincount((logp_B_K + shift_K).argmax(dim=1), minlength=k) + 0.5
            shift_K += (share_K.log() - (now_K / now_K.sum()).log()) / (1 + 0.2 * step)
        label_B = (logp_B_K + shift_K).argmax(dim=1)
    return torch.nn.functional.one_hot(label_B, k).to(logits_B_K.dtype)
