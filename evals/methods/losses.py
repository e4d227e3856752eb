"""Losses of the open replications that the learners don't have: divergence, and entropy in place of confidence.

Like those of :mod:`askew.agent.learners.losses` they take scores_B_K, labels_B_K (hard or soft) and the share of
training that is done, and give losses_B. Sources: the loss files of ``openai/weak-to-strong`` and ``EleutherAI/w2s``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from askew.agent.learners.losses import Loss, rising, soft_cross_entropy

REPLICATION_WARM_UP = 0.1
"""Share of training over which the replications' weight rises; the paper has 0.2."""


def divergence(scores_B_K: Tensor, weak_B_K: Tensor, done: float) -> Tensor:
    """KL(f_weak ‖ f) = CE − H(f_weak). The labels are fixed, so its gradient is that of the cross-entropy."""
    label_entropy_B = -torch.special.xlogy(weak_B_K, weak_B_K).sum(dim=1)
    loss_B: Tensor = soft_cross_entropy(scores_B_K, weak_B_K, done) - label_entropy_B
    return loss_B


def low_entropy(alpha_max: float, warm_up: float = REPLICATION_WARM_UP) -> Loss:
    """(1−α)·CE(f, f_weak) + α·H(f): be sure, without a threshold ("log-entropy" of ``EleutherAI/w2s``)."""

    def loss(scores_B_K: Tensor, weak_B_K: Tensor, done: float) -> Tensor:
        alpha = rising(alpha_max, warm_up, done)
        logp_B_K = scores_B_K.log_softmax(dim=1)
        own_B = -(logp_B_K.exp() * logp_B_K).sum(dim=1)
        return (1 - alpha) * soft_cross_entropy(scores_B_K, weak_B_K, done) + alpha * own_B

    return loss
