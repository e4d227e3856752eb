"""The training loop: one for every network, objective and number of devices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from askew.agent.learners.batches import epoch_batches, passes
from askew.agent.learners.recipe import Recipe
from askew.errors import RunError
from askew.progress import progress
from askew.seeds import stream

State = dict[str, torch.Tensor]


class Objective(Protocol):
    """Examples in tokens, and what is lost on them."""

    lengths: list[int]
    """Tokens of each example's longest text."""
    rows: list[int]
    """Texts of each example."""
    weights: list[float]

    def losses(self, network: Any, indices: Sequence[int], done: float) -> torch.Tensor:
        """losses_B of some examples, ``done`` being the share of the training behind."""
        ...


Check = Callable[[Any], tuple[float, float]]
"""Agreement of the network with the validation labels, and minus its loss on them."""


@dataclass(frozen=True)
class Look:
    """What was seen when the validation labels were looked at."""

    step: int
    agreement: float
    loss: float


@dataclass(frozen=True)
class Fitted:
    """The weights that were trained, as they were when they agreed best, and how it went."""

    state: State
    steps: int
    tokens: int
    loss: float
    """Mean loss over the last epoch."""
    looks: tuple[Look, ...]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Every random number of torch in this context comes from ``seed``; outside nothing changes."""
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        torch.manual_seed(seed % 2**63)
        yield


def trained_state(network: Any, recipe: Recipe) -> State:
    """What is trained: the adapter and the head, or everything."""
    whole = network.state_dict()
    return {name: whole[name].detach().cpu().clone() for name in _trained(network, recipe) if name in whole}


def _trained(network: Any, recipe: Recipe) -> set[str]:
    return {name for name, weight in network.named_parameters() if weight.requires_grad or recipe.learner == "full"}


def accelerator_for(recipe: Recipe) -> Any:
    """The devices that ``accelerate launch`` was told of, or the one at hand."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # One process holds one such state; another precision than the last needs a new one.
    if AcceleratorState._shared_state:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=recipe.precision)


def fit(network: Any, objective: Objective, recipe: Recipe, check: Check | None = None) -> Fitted:
    """Train ``network`` in place.

    Every device sees the same batches and takes its share of each pass, so the result does not depend on
    how many there are, up to rounding.

    Raises:
        RunError: the loss is not a number any more.
    """
    from peft.helpers import disable_input_dtype_casting

    run = _Run(network, objective, recipe, check)
    try:
        # Autocast makes an adapter's input as coarse as the arithmetic: made float32 before, it is only copied twice.
        with disable_input_dtype_casting(network, active=recipe.precision == "bf16"):
            return run.fit()
    finally:
        run.accelerator.free_memory()


class _Run:
    """One training run: network and optimiser on their devices, and the best weights so far."""

    def __init__(self, network: Any, objective: Objective, recipe: Recipe, check: Check | None) -> None:
        from transformers import get_cosine_schedule_with_warmup

        self.objective, self.recipe, self.check = objective, recipe, check
        self.accelerator = accelerator_for(recipe)
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=recipe.peak_rate, weight_decay=recipe.weight_decay, fused=True)
        self.kept = _trained(network, recipe)
        self.network, self.optimizer = self.accelerator.prepare(network, optimizer)
        self.per_epoch = -(-len(objective.lengths) // recipe.batch)
        self.epochs = max(recipe.epochs, -(-recipe.least_steps // self.per_epoch))
        self.total = self.per_epoch * self.epochs
        # Not prepared: a prepared schedule advances once for each device.
        self.schedule: Any = get_cosine_schedule_with_warmup(
            self.optimizer.optimizer, round(recipe.warm_up * self.total), self.total
        )
        self.step = self.tokens = self.unimproved = 0
        self.looks: list[Look] = []
        self.best: tuple[float, float] | None = None
        self.state: State = {}

    def fit(self) -> Fitted:
        """All epochs, or fewer where looking says so."""
        # As many looks as were asked for, also where epochs were added: each of few steps would stop it at once.
        every = max(1, self.total // (self.recipe.epochs * self.recipe.checks_per_epoch))
        rng = stream(self.recipe.seed, "finetune")
        losses: list[float] = []
        with progress("finetunes", self.total) as advance:
            for _ in range(self.epochs):
                losses.clear()
                for batch in epoch_batches(self.objective.lengths, self.recipe.batch, rng):
                    losses.append(self._step(batch))
                    advance(1)
                    if self.check and self.step % every == 0 and self._stop():
                        return self._fitted(losses)
        if self.check and self.step % every:
            self._stop()
        return self._fitted(losses)

    def _step(self, batch: Sequence[int]) -> float:
        """One step of the optimiser on one batch, in as many passes as memory asks for."""
        objective, accelerator = self.objective, self.accelerator
        self.network.train()
        total = sum(objective.weights[index] for index in batch)
        cut = list(passes(batch, objective.lengths, objective.rows, self.recipe.tokens_at_once))
        value = 0.0
        for number, part in enumerate(cut, start=1):
            # Each device takes its share; one that gets nothing reads a row that counts for nothing, since the devices
            # have to do the same number of passes.
            own = part[accelerator.process_index :: accelerator.num_processes]
            weights = [objective.weights[index] for index in own] or [0.0]
            with accelerator.no_sync(self.network) if number < len(cut) else nullcontext():
                losses_B = objective.losses(self.network, own or part[:1], self.step / self.total)
                weight_B = torch.tensor(weights, device=losses_B.device)
                # Gradients are averaged over the devices, hence the factor.
                loss = (losses_B * weight_B).sum() / total * accelerator.num_processes
                accelerator.backward(loss)
            value += float(accelerator.reduce(loss.detach(), reduction="mean"))
            self.tokens += sum(objective.lengths[index] * objective.rows[index] for index in part)
        if math.isnan(value):
            raise RunError(
                f"finetuning failed at step {self.step + 1}: the loss is not a number. "
                f"Use a smaller learning rate than {self.recipe.peak_rate:g}, or precision 'no'."
            )
        accelerator.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.step += 1
        return value

    def _stop(self) -> bool:
        """Look at the validation labels, keep the weights if they agree better, and say whether to stop."""
        assert self.check is not None
        self.network.eval()
        with torch.no_grad():
            seen = self.check(self.network)
        self.looks.append(Look(self.step, seen[0], -seen[1]))
        if self.best is None or seen > self.best:
            self.best, self.state, self.unimproved = seen, self._weights(), 0
            return False
        self.unimproved += 1
        return self.unimproved >= self.recipe.patience

    def _weights(self) -> State:
        """A copy of what is trained, gathered from all devices."""
        whole = self.accelerator.get_state_dict(self.network)
        return {name: whole[name].detach().cpu().clone() for name in self.kept if name in whole}

    def _fitted(self, losses: Sequence[float]) -> Fitted:
        from accelerate.utils import DistributedType

        # Not by whether there are any: with FSDP the gathered weights are on the first device alone.
        state = self._weights() if self.best is None else self.state
        if self.accelerator.distributed_type is not DistributedType.FSDP:
            self.accelerator.unwrap_model(self.network, keep_fp32_wrapper=False).load_state_dict(state, strict=False)
        return Fitted(state, self.step, self.tokens, sum(losses) / len(losses), tuple(self.looks))
