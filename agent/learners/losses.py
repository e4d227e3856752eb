"""Losses on labels: what a batch's scores are compared with."""

from __future__ import annotations

from collections.abc import Callable

import torch

Loss = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
"""From scores_B_K, targets_B_K and the share of the training that is done to losses_B."""


def soft_cross_entropy(scores_B_K: torch.Tensor, target_B_K: torch.Tensor, done: float) -> torch.Tensor:
    """losses_B against soft labels."""
    del done
    return -(target_B_K * scores_B_K.log_softmax(-1)).sum(-1)


def confidence(alpha: float = 0.5, warm_up: float = 0.2) -> Loss:
    """(1−α)·CE(f, w) + α·CE(f, f̂_t): the student may disagree with a label it is sure is wrong.

    f̂_t is its own prediction made hard, with a threshold at which the classes of the batch are as common as
    in the weak labels; α rises linearly over the first ``warm_up`` of training and then stays
    (Burns et al. 2023, "Weak-to-strong generalization", appendix A.4). Cross-entropy is linear in its target,
    so both terms are one.
    """

    def loss(scores_B_K: torch.Tensor, target_B_K: torch.Tensor, done: float) -> torch.Tensor:
        now = alpha * (min(1.0, done / warm_up) if warm_up > 0 else 1.0)
        mixed_B_K = (1 - now) * target_B_K + now * hardened(scores_B_K.detach(), target_B_K)
        return soft_cross_entropy(scores_B_K, mixed_B_K, done)

    return loss


def hardened(scores_B_K: torch.Tensor, target_B_K: torch.Tensor) -> torch.Tensor:
    """One-hot predictions; with two classes, so many of each as the targets have."""
    k = scores_B_K.shape[1]
    if k == 2:
        margin_B = scores_B_K[:, 1] - scores_B_K[:, 0]
        positives = int(target_B_K[:, 1].sum().round())
        chosen_B = torch.zeros(len(margin_B), dtype=torch.long, device=margin_B.device)
        chosen_B[margin_B.argsort(descending=True, stable=True)[:positives]] = 1
    else:
        chosen_B = scores_B_K.argmax(-1)
    return torch.nn.functional.one_hot(chosen_B, k).to(target_B_K.dtype)
