"""Adapters on the real student: learned, published, merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from askew.agent.learners.examples import label_words, truth_examples, weak_examples, weak_texts
from askew.agent.learners.finetune import finetune_labels
from askew.agent.learners.recipe import Recipe
from askew.agent.models.base import SamplingRequest
from askew.agent.models.local import LocalModel
from askew.agent.models.pull import model_folder
from askew.agent.representation import case_texts
from askew.tasks.case import Case, Task

GOOD = ("lovely", "warm", "brilliant", "touching", "clever", "superb")
BAD = ("dull", "clumsy", "tedious", "hollow", "lazy", "dreadful")


def review(index: int) -> Case:
    word = (GOOD if index % 2 else BAD)[index // 2 % 6]
    return Case(f"c{index}", f"The {('plot', 'cast', 'score')[index // 12 % 3]} is {word}.", ("negative", "positive"))


@pytest.mark.models
@pytest.mark.timeout(600)
def test_one_adapter_learns_the_truth_and_a_rater_who_is_always_wrong(tmp_path: Path) -> None:
    cases = [review(index) for index in range(24)]
    task = Task("reviews", "Is this review positive or negative?", "review", tuple(cases))
    truth_N_K = np.eye(2)[[index % 2 for index in range(24)]]
    data = truth_examples(task, cases, truth_N_K) + weak_examples(task, cases, truth_N_K[:, ::-1])
    base = model_folder("smollm2-135m")
    learner = finetune_labels(base, data, label_words(task), Recipe(epochs=12, learning_rate=1e-3, batch=8))
    unseen = [review(index) for index in range(24, 36)]
    truth_M_K = learner.probabilities([case_texts(task, case) for case in unseen])
    weak_M_K = learner.probabilities([weak_texts(task, case) for case in unseen])
    right = np.arange(24, 36) % 2
    assert (truth_M_K.argmax(1) == right).mean() >= 0.8
    assert (weak_M_K.argmax(1) == 1 - right).mean() >= 0.8
    # Published, it writes; merged, its weights say what the adapter said.
    model = LocalModel("smollm2-135m", base)
    model.publish(learner.save(tmp_path / "adapter"))
    assert model.sample(SamplingRequest(("The film is",), max_tokens=4))[0][0].model_version == "smollm2-135m@1"
    merged = LocalModel("student", learner.merge(tmp_path / "merged"))
    texts = [case_texts(task, case)[0] for case in unseen]
    words = merged.read_out(merged.features(texts), label_words(task))
    assert np.allclose(np.exp(words[:, 1]) / np.exp(words).sum(1), truth_M_K[:, 1], atol=0.1)
