"""A weak supervisor that is a whole model finetuned on the weak split: ``model:NAME:lora`` or ``model:NAME:full``.

Any encoder or causal language model will do (see :mod:`askew.agent.learners`). A fifth of the examples is held out:
training stops when agreement with them no longer grows, and the temperature of the soft labels is chosen on them (Guo
et al. 2017, "On calibration of modern neural networks"). The finetuned model is kept in the cache folder, so that a run
that is resumed, or the next one of a bench, asks the same supervisor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from askew.agent.conditional_logit import Array
from askew.agent.learners.examples import Example, digest, label_words, plain_examples, truth_examples
from askew.agent.models.fixed import weights_fingerprint
from askew.agent.supervisors.model import check_examples
from askew.packages import cache_folder
from askew.seeds import stream
from askew.tasks.case import Case, Task

if TYPE_CHECKING:  # torch and peft are heavy: they are imported when a model is trained
    from askew.agent.learners.finetune import Learner
    from askew.agent.learners.recipe import Recipe

HELD_OUT = 0.2
"""Share of the examples that is not trained on."""
COLDEST, HOTTEST = 0.25, 16.0
"""Bounds of the temperature."""
STEPS = {"epochs": 12, "batch": 8, "patience": 3}
"""There are few examples: many passes over them, in small steps."""
TEMPERATURE = "temperature.json"


class TunedSupervisor:
    """Answers with the likeliest option under a finetuned model."""

    batch_size = 32

    def __init__(self, name: str, task: Task, learner: Learner, temperature: float, causal: bool) -> None:
        self.name = name
        self.temperature = temperature
        self._task, self._learner, self._causal = task, learner, causal

    @classmethod
    def train(
        cls, examples: Sequence[tuple[Case, int]], task: Task, base: Path, name: str, recipe: Recipe
    ) -> TunedSupervisor:
        """Finetune the model in ``base`` on (case, right option) pairs, or take it from the cache.

        Raises ``InputError`` where the examples can't teach it, or ``base`` holds no model.
        """
        from askew.agent.learners.finetune import finetune_labels, load_learner
        from askew.agent.learners.networks import is_causal

        labels_N = check_examples(examples, name)
        causal = is_causal(base)
        made = _read(task, [case for case, _ in examples], np.eye(task.n_options)[labels_N], causal)
        place = _place(base, made, recipe, label_words(task))
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_suffix(".lock")):
            if (place / TEMPERATURE).is_file():
                kept = json.loads((place / TEMPERATURE).read_text(encoding="utf-8"))
                return cls(name, task, load_learner(base, place), float(kept["temperature"]), causal)
            learned, held = _divided(labels_N, recipe.seed)
            kept_out = [made[i] for i in held]
            learner = finetune_labels(
                base, [made[i] for i in learned], label_words(task), recipe, validation=kept_out, name=name
            )
            temperature = calibrated(learner.probabilities([one.texts for one in kept_out]), labels_N[held])
            learner.save(place)
            # Whole or not at all: where it is, everything is.
            written = place / f"{TEMPERATURE}.part"
            written.write_text(json.dumps({"temperature": temperature}), encoding="utf-8")
            written.replace(place / TEMPERATURE)
        # As it was saved, so that a resumed run asks the same one to the last digit.
        return cls(name, task, load_learner(base, place), temperature, causal)

    def probabilities(self, cases: Sequence[Case]) -> Array:
        """p_N_K: its soft labels, at the temperature that fits held-out examples best."""
        read = _read(self._task, cases, np.zeros((len(cases), self._task.n_options)), self._causal)
        p_N_K = self._learner.probabilities([one.texts for one in read])
        scaled: Array = np.exp(log_softmax(_logs(p_N_K) / self.temperature, axis=1))
        return scaled

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The likeliest option of each case."""
        return [int(index) for index in self.probabilities(cases).argmax(axis=1)] if cases else []


def calibrated(p_N_K: Array, labels_N: Any) -> float:
    """The temperature at which the labels are likeliest."""

    def loss(log_temperature: float) -> float:
        scores_N_K = _logs(p_N_K) / np.exp(log_temperature)
        picked_N = scores_N_K[np.arange(len(labels_N)), labels_N]
        return float((logsumexp(scores_N_K, axis=1) - picked_N).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def _read(task: Task, cases: Sequence[Case], targets_N_K: Array, causal: bool) -> list[Example]:
    """The cases as a model reads them: in a prompt where it is a language model, bare where it is an encoder."""
    return (truth_examples if causal else plain_examples)(task, cases, targets_N_K)


def _logs(p_N_K: Array) -> Array:
    return np.log(np.maximum(p_N_K, 1e-12))


def _divided(labels_N: Any, seed: int) -> tuple[list[int], list[int]]:
    """Indices to learn from and to hold out, with as many of each class as the whole has."""
    held: list[int] = []
    rng = stream(seed, "tuned", "held out")
    for label in np.unique(labels_N):
        of_class = rng.permutation(np.flatnonzero(labels_N == label))
        held += [int(index) for index in of_class[: max(1, round(HELD_OUT * len(of_class)))]]
    return [index for index in range(len(labels_N)) if index not in held], sorted(held)


def _place(base: Path, examples: Sequence[Example], recipe: Recipe, words: Sequence[str]) -> Path:
    """Where the finetuned model is kept: named by all that it depends on."""
    known = [weights_fingerprint(base), recipe.model_dump(), digest(examples), list(words)]
    name = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "supervisors" / name[:20]
