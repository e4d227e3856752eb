"""The loop with a student that is really finetuned: tiny weights, a scripted pen, and everything else as it is."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import ScriptedModel, embed
from test_loop import Rater
from tiny import make_llama

from askew.agent.config import Settings
from askew.agent.journal import EVENTS, Journal, read_events
from askew.agent.lab import Lab
from askew.agent.learners.examples import label_words, truth_examples
from askew.agent.learners.finetune import finetune_labels
from askew.agent.learners.recipe import Recipe
from askew.agent.learners.saving import read_card
from askew.agent.learners.student import LEAST_STEPS, due
from askew.agent.models.base import Completion, Heard, SamplingRequest, unheard
from askew.agent.models.local import LocalModel
from askew.agent.representation import Representation
from askew.errors import RunError
from askew.evals.methods import METHODS
from askew.tasks.case import Split
from askew.tasks.load import load_task


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("llama"))


def run(
    cases: Path,
    llama: Path,
    folder: Path,
    model: ScriptedModel | None = None,
    fine: dict[str, float] | None = None,
    **more: object,
) -> Lab:
    chosen = Settings(
        task=str(cases), supervisor="test", student=str(llama), chains=12, written=4, written_first=8,
        finetune={"r": 4, "epochs": 2, "learning_rate": 5e-3, "precision": "no", **(fine or {})},
        **{"learner": "lora", "retrain_every": 2, "budget": 40, "rounds": 3, **more},
    )  # fmt: skip
    loaded = load_task(chosen.task, chosen.seed)
    task = loaded.task
    representation = Representation(task, LocalModel("tiny", llama), folder.parent / "cache")
    with Journal(folder) as journal:
        lab = Lab(
            settings=chosen, task=task, supervisor=Rater(), model=model or ScriptedModel(),
            representation=representation, embed=embed, journal=journal, folder=folder,
        )  # fmt: skip
        METHODS[chosen.method].run(lab, loaded)
    return lab


def trainings(folder: Path) -> list[dict[str, object]]:
    return [event.data for event in read_events(folder) if event.kind == "training"]


@pytest.mark.parametrize("learner", ["lora", "full"])
def test_the_student_is_retrained_and_published(
    learner: str, cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    lab = run(cases_file(), llama, tmp_path / "run", learner=learner)
    made = trainings(tmp_path / "run")
    assert [event.get("learner") for event in made] == [None, None, learner, learner]
    # The next round's chains come from the new student.
    chains = [event for event in read_events(tmp_path / "run") if event.kind == "chain"]
    assert {chain.data["model_version"] for chain in chains if chain.round == 3} == {made[2]["model_version"]}
    assert lab.model.version == made[3]["model_version"] != "scripted@0"
    for number in (2, 3):
        card = read_card(tmp_path / "run" / "student" / f"round-{number}" / learner, verify=True)
        assert card["files"] == made[number]["weights"] and card["recipe"]["r"] == 4
    # Whole weights are kept for the last student alone, and load anywhere.
    assert not (tmp_path / "run" / "student" / "round-2" / "weights").exists()
    LocalModel("last", tmp_path / "run" / "student" / "round-3" / ("weights" if learner == "lora" else "full")).close()
    predictions = [event.data for event in read_events(tmp_path / "run") if event.kind == "prediction"]
    assert all(np.allclose(np.sum(p["truth"], axis=1), 1, atol=1e-4) for p in predictions)
    assert all(np.allclose(np.sum(p["weak"], axis=1), 1, atol=1e-4) for p in predictions)


class ElsewhereModel(ScriptedModel):
    """Answers from another device, and notes which chains were written while a student was being trained."""

    def __init__(self) -> None:
        super().__init__(answers_aside=True)
        self.early: list[bool] = []

    def sample(self, request: SamplingRequest, heard: Heard = unheard) -> list[list[Completion]]:
        if request.grammar is not None:
            self.early.append(threading.current_thread() is not threading.main_thread())
        return super().sample(request, heard)


def test_where_the_student_answers_elsewhere_chains_are_written_while_it_is_retrained(
    cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    path, model = cases_file(), ElsewhereModel()
    run(path, llama, tmp_path / "run", model=model)
    assert model.early == [False, False, True]
    chains = [event for event in read_events(tmp_path / "run") if event.kind == "chain"]
    # What asks one student is answered by it, also when the next one is published meanwhile.
    assert {chain.data["model_version"] for chain in chains if chain.round == 3} == {"scripted@0"}
    assert model.version != "scripted@0"
    run(path, llama, tmp_path / "run", model=ElsewhereModel())  # resumed: the log is complete
    # Cut off among chains that were written ahead: the rest are about the cases that were chosen then.
    log = tmp_path / "run" / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: next(chain.n for chain in chains if chain.round == 3) + 1]))
    resumed = ElsewhereModel()
    run(path, llama, tmp_path / "run", model=resumed)
    again = [event for event in read_events(tmp_path / "run") if event.kind == "chain"]
    assert resumed.early == [False] and len({chain.data["model_version"] for chain in again if chain.round == 3}) == 2
    assert [chain.data["case"] for chain in again] == [chain.data["case"] for chain in chains]


def test_a_run_with_retraining_resumes_to_the_same_log(
    cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    path = cases_file()
    run(path, llama, tmp_path / "whole")
    log = (tmp_path / "whole" / EVENTS).read_bytes()
    lines = log.splitlines(keepends=True)
    last_training = max(n for n, line in enumerate(lines) if b'"kind": "training"' in line)
    for name, cut, lost in (("before", last_training - 2, True), ("after", last_training + 1, False)):
        folder = tmp_path / name
        shutil.copytree(tmp_path / "whole", folder)
        (folder / EVENTS).write_bytes(b"".join(lines[:cut]))
        if lost:  # stopped while it was being trained: the folder has no card yet
            shutil.rmtree(folder / "student" / "round-3")
        run(path, llama, folder)
        assert (folder / EVENTS).read_bytes() == log


def test_other_weights_than_the_logged_ones_are_refused(
    cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    path = cases_file()
    run(path, llama, tmp_path / "run")
    lines = (tmp_path / "run" / EVENTS).read_text(encoding="utf-8").splitlines(keepends=True)
    damaged = [line.replace('"adapter_model.safetensors": "', '"adapter_model.safetensors": "0') for line in lines]
    (tmp_path / "run" / EVENTS).write_text("".join(damaged), encoding="utf-8")
    with pytest.raises(RunError, match="not the one"):
        run(path, llama, tmp_path / "run")


def test_a_run_that_ends_early_is_learned_from(cases_file: Callable[..., Path], llama: Path, tmp_path: Path) -> None:
    run(cases_file(), llama, tmp_path / "run", budget=2, rounds=5, retrain_every=5, fine={"confidence": 0.5})
    assert [event.get("learner") for event in trainings(tmp_path / "run")] == [None, None, None, "lora"]
    card = read_card(tmp_path / "run" / "student" / "round-3" / "lora", verify=True)
    assert card["recipe"]["confidence"] == 0.5


def test_when_a_student_is_due() -> None:
    settings = Settings(learner="lora", retrain_every=2, rounds=5)
    assert [number for number in range(6) if due(settings, number, last=number == 5)] == [2, 4, 5]
    assert due(settings, 3, last=True) and not due(settings, 3, last=False)
    assert not any(due(Settings(), number, last=True) for number in range(6))
    with pytest.raises(ValueError, match="epochs"):
        Settings(finetune={"epochs": 0})


@pytest.mark.parametrize(
    ("method", "rounds_that_train"),
    [
        ("passive-naive", [2, 3]),
        ("passive-confidence", [2, 3]),
        ("passive-early-stop", [2, 3]),
        ("passive-bootstrap", [2, 3]),
        ("uncertainty", [2, 3]),
        ("self-generated", [0]),
        ("coherence", [0]),
        ("gold-same-budget", [0]),
        ("ceiling", [0]),
        ("zero-shot", []),
    ],
)
def test_rivals_and_bounds_are_finetuned_as_the_method_is(
    method: str, rounds_that_train: list[int], cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    path, folder = cases_file(), tmp_path / "run"
    run(path, llama, folder, method=method)
    made = [event for event in read_events(folder) if event.kind == "training"]
    assert [event.round for event in made if event.data.get("learner") == "lora"] == rounds_that_train
    for number in rounds_that_train:
        kept = folder / "student" / f"round-{number}"
        card = read_card(kept / "lora", verify=True)
        assert (card["recipe"]["r"], card["recipe"]["least_steps"]) == (4, LEAST_STEPS)
        assert card["steps"] >= LEAST_STEPS
        assert bool(card["looks"]) == (method == "passive-early-stop")
        assert not (kept / "weights").exists()
    log = (folder / EVENTS).read_bytes()
    lines = log.splitlines(keepends=True)
    # Stopped when the last student was trained and not all that it predicts was recorded.
    (folder / EVENTS).write_bytes(b"".join(lines[:-3]))
    run(path, llama, folder, method=method)
    assert (folder / EVENTS).read_bytes() == log


def test_a_finetuned_ceiling_is_what_finetuning_on_gold_gives(
    cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    run(cases_file(), llama, tmp_path / "run", method="ceiling")
    loaded = load_task(str(cases_file()), 0)
    pool, test = loaded.task.split(Split.POOL), loaded.task.split(Split.TEST)
    examples = truth_examples(loaded.task, pool, np.eye(2)[loaded.gold.of(pool)])
    recipe = Recipe(**read_card(tmp_path / "run" / "student" / "round-0" / "lora")["recipe"])
    alone = finetune_labels(llama, examples, label_words(loaded.task), recipe)
    expected_N_K = alone.probabilities(
        [one.texts for one in truth_examples(loaded.task, test, np.eye(2)[[0] * len(test)])]
    )
    (seen,) = (e.data for e in read_events(tmp_path / "run") if e.kind == "prediction" and e.data["split"] == "test")
    np.testing.assert_allclose(seen["truth"], expected_N_K, atol=2e-3)


def test_a_loss_of_its_own_is_what_a_rival_is_finetuned_by(
    cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    path = cases_file()
    run(path, llama, tmp_path / "naive", method="passive-naive")
    run(path, llama, tmp_path / "confident", method="passive-confidence")
    naive, confident = (read_card(tmp_path / name / "student" / "round-3" / "lora") for name in ("naive", "confident"))
    assert naive["data"] == confident["data"] and naive["files"] != confident["files"]


def test_a_log_of_another_learner_is_not_continued(
    cases_file: Callable[..., Path], llama: Path, tmp_path: Path
) -> None:
    path, folder = cases_file(), tmp_path / "run"
    run(path, llama, folder, method="passive-naive", learner="probe")
    with pytest.raises(RunError, match="not the one"):
        run(path, llama, folder, method="passive-naive")
