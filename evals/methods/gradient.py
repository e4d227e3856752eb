"""The shared student trained by mini-batches: for losses that are defined on a batch, or that stop early.

It is the student of :func:`askew.evals.methods.shared.fit_heads`, same columns and same prior. There the
posterior's mode is found exactly; here by Adam, which for plain cross-entropy leads to the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent.conditional_logit import Array
from askew.agent.lab import Lab
from askew.agent.learners.losses import Loss, soft_cross_entropy
from askew.evals.methods.shared import Heads, Taught
from askew.seeds import stream

EPOCHS = 60
BATCH = 32
RATE = 0.1
"""Adam's first step size, on coefficients in units of their prior's standard deviation; it falls to 0 by a cosine."""


@dataclass(frozen=True)
class HeldOut:
    """Weak labels that are not trained on, to stop by."""

    columns_N_K_D: Array
    labels_N: NDArray[np.int64]


def trained_heads(lab: Lab, taught: Taught) -> Heads:
    """A probe that has learned what is taught in mini-batches, by cross-entropy where it names no loss."""
    columns_N_K_D = lab.representation.columns(taught.cases)
    seen = len(taught.cases) - taught.held
    kept = HeldOut(columns_N_K_D[seen:], taught.targets_N_K[seen:].argmax(axis=1)) if taught.held else None
    rng = stream(lab.settings.seed, "mini-batches", lab.settings.method, str(lab.journal.round))
    loss = taught.loss or soft_cross_entropy
    theta_D = train(columns_N_K_D[:seen], taught.targets_N_K[:seen], lab.representation.variances(), loss, rng, kept)
    return Heads(theta_D, lambda asked: np.asarray(softmax(lab.representation.columns(asked) @ theta_D, axis=1)))


def train(
    columns_N_K_D: Array,
    targets_N_K: Array,
    variance_D: Array,
    loss: Loss,
    rng: np.random.Generator,
    held_out: HeldOut | None = None,
    epochs: int = EPOCHS,
) -> Array:
    """theta_D after ``epochs`` passes, or with ``held_out`` after the pass whose held-out cross-entropy was lowest.

    Args:
        columns_N_K_D: what the student sees of every option.
        targets_N_K: weak labels, hard or soft.
        variance_D: prior variance of each coefficient; the prior's weight is that of the whole data once a pass.
        loss: of a batch (see :mod:`askew.agent.learners.losses`).
        rng: the order of the cases.
        held_out: to stop by; none of it is trained on.
        epochs: passes over the data.
    """
    n = len(columns_N_K_D)
    if n == 0:  # every answer was "unsure": the prior is all there is
        return np.zeros(len(variance_D))
    sd_D = torch.tensor(np.sqrt(variance_D))
    columns, targets = torch.tensor(columns_N_K_D), torch.tensor(targets_N_K)
    z_D = torch.zeros(len(sd_D), dtype=torch.float64, requires_grad=True)
    steps_an_epoch = -(-n // BATCH)
    total = epochs * steps_an_epoch
    optimiser = torch.optim.Adam([z_D], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    best, kept_D = float("inf"), np.zeros(len(sd_D))
    for step in range(total):
        if step % steps_an_epoch == 0:
            order_N = torch.tensor(rng.permutation(n))
        batch = order_N.tensor_split(steps_an_epoch)[step % steps_an_epoch]
        value = loss(columns[batch] @ (sd_D * z_D), targets[batch], step / total).mean() + 0.5 * (z_D**2).sum() / n
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if held_out is not None and (step + 1) % steps_an_epoch == 0:
            theta_D = (sd_D * z_D).detach().numpy()
            missed = _cross_entropy(theta_D, held_out)
            if missed < best:
                best, kept_D = missed, theta_D.copy()
    return kept_D if held_out is not None else np.asarray((sd_D * z_D).detach().numpy())


def _cross_entropy(theta_D: Array, held_out: HeldOut) -> float:
    logits = torch.tensor(held_out.columns_N_K_D @ theta_D)
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(held_out.labels_N)))
