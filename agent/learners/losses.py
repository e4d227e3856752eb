"""Losses on labels: what a batch's scores are compared with."""

from __future__ import annotations

from collections.abc import Callable

import torch

Loss = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
"""From scores_B_K, targets_B_K and the share of the training that is done to losses_B."""
SHIFTS = 50
"""Steps of the search for thresholds, for more than two classes."""


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
        now = rising(alpha, warm_up, done)
        mixed_B_K = (1 - now) * target_B_K + now * hardened(scores_B_K.detach(), target_B_K)
        return soft_cross_entropy(scores_B_K, mixed_B_K, done)

    return loss


def rising(alpha: float, warm_up: float, done: float) -> float:
    """The weight of the auxiliary term: linear from 0 over the first ``warm_up`` of training, without a jump."""
    return alpha * (min(1.0, done / warm_up) if warm_up > 0 else 1.0)


def hardened(scores_B_K: torch.Tensor, target_B_K: torch.Tensor) -> torch.Tensor:
    """f̂_t: one-hot predictions with thresholds at which the classes are as common as in the targets.

    Of two classes the second goes to the cases with the highest margins, as many as the targets have; ties go to
    the earlier case. Of more, each is shifted until its share fits about.
    """
    n, k = scores_B_K.shape
    if k == 2:
        margin_B = scores_B_K[:, 1] - scores_B_K[:, 0]
        positives = int(target_B_K[:, 1].sum().round())
        chosen_B = torch.zeros(len(margin_B), dtype=torch.long, device=margin_B.device)
        chosen_B[margin_B.argsort(descending=True, stable=True)[:positives]] = 1
    else:
        logp_B_K = scores_B_K.log_softmax(-1)
        share_K = (target_B_K.mean(dim=0) + 0.5 / n) / (1 + 0.5 * k / n)
        shift_K = torch.zeros(k, dtype=logp_B_K.dtype, device=logp_B_K.device)
        for step in range(SHIFTS):
            now_K = torch.bincount((logp_B_K + shift_K).argmax(dim=1), minlength=k) + 0.5
            shift_K += (share_K.log() - (now_K / now_K.sum()).log()) / (1 + 0.2 * step)
        chosen_B = (logp_B_K + shift_K).argmax(-1)
    return torch.nn.functional.one_hot(chosen_B, k).to(target_B_K.dtype)
