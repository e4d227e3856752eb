"""A weak supervisor that is a smaller model: a head finetuned on the weak split's examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from askew.agent.supervisors.head import LogisticHead, fit_head
from askew.errors import InputError
from askew.tasks.case import Case

Features = Callable[[Sequence[str]], NDArray[np.float32]]
"""features_N_D of N texts."""

Example = tuple[Case, int]


def case_features(cases: Sequence[Case], features: Features, options_vary: bool) -> NDArray[np.float32]:
    """features_N_D of the cases' texts, or where options vary, features_N_K_D of text and option together."""
    if not options_vary:
        return features([case.text for case in cases])
    joined = [f"{case.text}\n{option}" for case in cases for option in case.options]
    return features(joined).reshape(len(cases), -1, features(joined[:1]).shape[1])


class ModelSupervisor:
    """Answers with the likeliest option under a logistic head on frozen features (a probe)."""

    batch_size = 32

    def __init__(self, name: str, features: Features, head: LogisticHead, options_vary: bool) -> None:
        self.name = name
        self._features = features
        self._head = head
        self._options_vary = options_vary

    @classmethod
    def train(
        cls, examples: Sequence[Example], features: Features, options_vary: bool, name: str = "model"
    ) -> ModelSupervisor:
        """Fit the head to (case, right option) pairs. Raises ``InputError`` where they can't teach it."""
        labels_N = check_examples(examples, name)
        cases = [case for case, _ in examples]
        inputs = case_features(cases, features, options_vary)
        head = fit_head(inputs, labels_N, len(cases[0].options))
        return cls(name, features, head, options_vary)

    def probabilities(self, cases: Sequence[Case]) -> NDArray[np.float64]:
        """p_N_K: its soft labels, calibrated by the choice of penalty on held-out examples."""
        return self._head.probabilities(case_features(cases, self._features, self._options_vary))

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The likeliest option of each case."""
        return [int(index) for index in self.probabilities(cases).argmax(axis=1)] if cases else []


def check_examples(examples: Sequence[Example], name: str) -> NDArray[np.int64]:
    """The labels, when there are enough to learn from."""
    labels_N = np.array([label for _, label in examples], dtype=np.int64)
    if len(labels_N) < 4 or len(np.unique(labels_N)) < 2:
        raise InputError(
            f"{name} is trained on the labelled cases of the weak split, which has {len(labels_N)}, with labels "
            f"{np.unique(labels_N).tolist()}: expected at least 4, of two classes. Put more cases into split "
            "'weak', or use another supervisor (column:NAME, human, …)."
        )
    return labels_N
