"""Learners on tiny networks with random weights, made here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import BAD, GOOD
from tiny import make_bert, make_llama

from askew.agent.learners.batches import epoch_batches, passes
from askew.agent.learners.examples import Example, Passage
from askew.agent.learners.finetune import Learner, finetune_labels, finetune_texts, load_learner
from askew.agent.learners.job import Job, launch, run_job, write_job
from askew.agent.learners.losses import confidence, hardened, soft_cross_entropy
from askew.agent.learners.recipe import Recipe
from askew.agent.learners.saving import read_card
from askew.agent.learners.student import Lesson, divided, train
from askew.agent.models.local import LocalModel
from askew.errors import InputError, RunError
from askew.tasks.case import Case, Task

WORDS = (" bad", " good")
QUICK = Recipe(r=4, learning_rate=5e-3, epochs=6, batch=8, precision="no")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp("bert"))


def examples(n: int = 32, seed: int = 0, *, per_option: bool = False) -> list[Example]:
    rng = np.random.default_rng(seed)
    made = []
    for index in range(n):
        label = index % 2
        filler = " the" * int(rng.integers(0, 8))
        good, bad = (f"{filler} film is {rng.choice(words)}" for words in (GOOD, BAD))
        texts = ((bad, good) if label else (good, bad)) if per_option else ((good if label else bad),)
        made.append(Example(texts, (0.1, 0.9) if label else (0.9, 0.1)))
    return made


def accuracy(learner: Learner, seen: list[Example]) -> float:
    p_N_K = learner.probabilities([example.texts for example in seen])
    return float((p_N_K.argmax(1) == [np.argmax(example.target_K) for example in seen]).mean())


@pytest.mark.parametrize("kind", ["lora", "full"])
@pytest.mark.parametrize("per_option", [False, True])
@pytest.mark.parametrize("body", ["llama", "bert"])
def test_every_network_learns_labels(kind: str, per_option: bool, body: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(body)
    recipe = QUICK.model_copy(update={"learner": kind, "epochs": 24, "learning_rate": 1e-2})
    learner = finetune_labels(folder, examples(per_option=per_option), WORDS, recipe)
    assert accuracy(learner, examples(seed=1, per_option=per_option)) > 0.9


def test_same_seed_same_weights_and_the_outside_generator_is_left_alone(llama: Path) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, second, other = (
        finetune_labels(llama, examples(), WORDS, QUICK.model_copy(update={"epochs": 1, "seed": seed}))
        for seed in (0, 0, 1)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first.fitted.state[name], second.fitted.state[name]) for name in first.fitted.state)
    assert any(not torch.equal(first.fitted.state[name], other.fitted.state[name]) for name in first.fitted.state)


def test_order_of_cases_when_predicting_changes_nothing(llama: Path) -> None:
    learner = finetune_labels(llama, examples(), WORDS, QUICK)
    texts = [example.texts for example in examples(20, seed=3)]
    p_N_K = learner.probabilities(texts)
    assert np.allclose(p_N_K.sum(axis=1), 1)
    assert np.allclose(learner.probabilities(texts[::-1])[::-1], p_N_K, atol=1e-5)
    assert learner.probabilities([]).shape == (0, 2)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_merged_weights_predict_what_the_learner_does(kind: str, llama: Path, tmp_path: Path) -> None:
    recipe = QUICK.model_copy(update={"learner": kind})
    learner = finetune_labels(llama, examples(), WORDS, recipe, name="tiny")
    learner.merge(tmp_path / "student")
    model = LocalModel("tiny", tmp_path / "student")
    texts = [example.texts[0] for example in examples(12, seed=2)]
    logprobs_N_K = model.option_logprobs(texts, [WORDS] * len(texts))
    p_N_K = np.exp(logprobs_N_K) / np.exp(logprobs_N_K).sum(axis=1, keepdims=True)
    # The backend computes in bf16.
    assert np.allclose(p_N_K, learner.probabilities([(text,) for text in texts]), atol=0.05)
    assert model.fingerprint != LocalModel("tiny", llama).fingerprint
    card = read_card(tmp_path / "student", verify=True)
    assert card["model"] == "tiny" and card["recipe"] == recipe.model_dump() and card["steps"] == 24
    assert str(llama.parent) not in "".join(path.read_text() for path in (tmp_path / "student").rglob("*.json"))
    assert {file.suffix for file in (tmp_path / "student").rglob("*") if "model" in file.name} <= {
        ".safetensors",
        ".json",
    }


def test_a_damaged_or_foreign_result_is_refused(llama: Path, bert: Path, tmp_path: Path) -> None:
    from askew.agent.learners.saving import merge_adapter

    finetune_labels(llama, examples(), WORDS, QUICK).save(tmp_path / "adapter")
    with pytest.raises(InputError, match="other weights"):
        merge_adapter(bert, tmp_path / "adapter", tmp_path / "merged")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="not the file"):
        read_card(tmp_path / "adapter", verify=True)
    with pytest.raises(InputError, match="no finished training run"):
        read_card(tmp_path)


def test_training_stops_on_agreement_with_weak_labels_and_keeps_the_best(llama: Path) -> None:
    # The held-out labels say the opposite: every step agrees less, so the first look is the best one.
    turned = [Example(example.texts, example.target_K[::-1]) for example in examples(16, seed=1)]
    recipe = QUICK.model_copy(update={"epochs": 12, "patience": 2})
    learner = finetune_labels(llama, examples(), WORDS, recipe, validation=turned)
    looks = learner.fitted.looks
    assert len(looks) < 12
    best = max(range(len(looks)), key=lambda i: (looks[i].agreement, -looks[i].loss))
    assert len(looks) - 1 - best == 2
    seen = learner.probabilities([example.texts for example in turned])
    agreeing = (seen.argmax(1) == [np.argmax(example.target_K) for example in turned]).mean()
    assert np.isclose(agreeing, looks[best].agreement)


def test_answers_are_kept_apart_to_stop_by_where_they_are_enough_to_tell_and_none_is_lost() -> None:
    said = [Example((f"text {index}",), (1.0, 0.0)) for index in range(500)]
    kept, held_out = divided(said)
    assert len(held_out) == 100
    assert sorted(kept + held_out, key=said.index) == said
    assert divided(said[:499]) == (said[:499], [])


def test_weights_count_and_zero_weights_are_as_good_as_absent(llama: Path) -> None:
    turned = [Example(example.texts, example.target_K[::-1], 0.0) for example in examples(seed=1)]
    recipe = QUICK.model_copy(update={"epochs": 1})
    alone = finetune_labels(llama, examples(), WORDS, recipe)
    beside = finetune_labels(llama, examples() + turned, WORDS, recipe)
    assert all(torch.equal(alone.fitted.state[name], beside.fitted.state[name]) for name in alone.fitted.state)
    with pytest.raises(InputError, match="nothing to learn"):
        finetune_labels(llama, turned, WORDS, recipe)


def test_passes_of_any_size_give_the_same_step(llama: Path) -> None:
    recipe = QUICK.model_copy(update={"epochs": 1})
    whole = finetune_labels(llama, examples(), WORDS, recipe)
    cut = finetune_labels(llama, examples(), WORDS, recipe.model_copy(update={"tokens_at_once": 16}))
    for name, value in whole.fitted.state.items():
        assert torch.allclose(value, cut.fitted.state[name], atol=1e-4), name


def test_texts_are_learned_token_by_token(llama: Path) -> None:
    passages = [Passage(" is good", before=" the film"), Passage(" is bad", before=" film", weight=0.0)]
    learner = finetune_texts(llama, passages, QUICK.model_copy(update={"epochs": 60, "learner": "full"}))
    assert learner.fitted.loss < 0.1 and learner.fitted.steps == 60
    assert learner.card.words == ()
    with pytest.raises(ValueError, match="trained on texts"):
        learner.probabilities([(" film",)])


def test_what_stands_before_a_text_is_not_learned(llama: Path) -> None:
    from askew.agent.learners.finetune import TextObjective
    from askew.agent.learners.networks import load_causal, load_tokenizer

    tokenizer, network = load_tokenizer(llama), load_causal(llama, QUICK).eval()
    both = [Passage(" is good", before=" the film"), Passage(" is")]
    objective = TextObjective(tokenizer, both, 64)
    losses_B = objective.losses(network, [0, 1], 0.0)
    ids = tokenizer(" the film is good", add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    logp = network(torch.tensor([ids])).logits[0].log_softmax(-1)
    before = len(tokenizer(" the film", add_special_tokens=False)["input_ids"])
    expected = -torch.stack([logp[place - 1, ids[place]] for place in range(before, len(ids))]).mean()
    assert torch.allclose(losses_B[0], expected, atol=1e-5)


def test_what_is_given_in_a_text_is_not_learned_either(llama: Path) -> None:
    from askew.agent.learners.finetune import TextObjective
    from askew.agent.learners.networks import load_causal, load_tokenizer

    tokenizer, network = load_tokenizer(llama), load_causal(llama, QUICK).eval()
    text = " the film is good, the film is bad"
    objective = TextObjective(tokenizer, [Passage(text, given=((0, 12), (18, 30))), Passage(text)], 64)
    losses_B = objective.losses(network, [0, 1], 0.0)
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = [*found["input_ids"], tokenizer.eos_token_id]
    logp = network(torch.tensor([[tokenizer.eos_token_id, *ids]])).logits[0].log_softmax(-1)
    lost = [-logp[place, one] for place, one in enumerate(ids)]
    inside = [i for i, (a, b) in enumerate(found["offset_mapping"]) if a >= 12 and (b <= 18 or a >= 30)]
    learned = [*inside, len(ids) - 1]
    assert 2 < len(learned) < len(ids) - 2
    assert torch.allclose(losses_B[0], torch.stack([lost[i] for i in learned]).mean(), atol=1e-5)
    assert torch.allclose(losses_B[1], torch.stack(lost).mean(), atol=1e-5)


def test_encoders_dont_write_and_labels_have_to_differ(llama: Path, bert: Path) -> None:
    with pytest.raises(InputError, match="no causal language model"):
        finetune_texts(bert, [Passage(" good")], QUICK)
    with pytest.raises(InputError, match="same token"):
        finetune_labels(llama, examples(), (" good film", " good"), QUICK)


def test_a_loss_that_is_no_number_is_an_error(llama: Path) -> None:
    from askew.errors import RunError

    def broken(scores_B_K: torch.Tensor, target_B_K: torch.Tensor, done: float) -> torch.Tensor:
        return soft_cross_entropy(scores_B_K, target_B_K, done) * float("nan")

    with pytest.raises(RunError, match="not a number"):
        finetune_labels(llama, examples(), WORDS, QUICK, loss=broken)


def test_a_recipe_may_ask_for_the_confidence_loss(llama: Path) -> None:
    flipped = [Example(e.texts, e.target_K[::-1]) if i < 6 else e for i, e in enumerate(examples())]
    plain, sure, same = (
        finetune_labels(llama, flipped, WORDS, recipe, loss=loss).fitted.loss
        for recipe, loss in (
            (QUICK, None),
            (QUICK.model_copy(update={"confidence": 0.5}), None),
            (QUICK, confidence(0.5)),
        )
    )
    assert sure == same != plain


def test_confidence_loss_rises_to_its_weight_and_stays() -> None:
    scores_B_K = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.0, 1.0], [0.0, 0.5]])
    target_B_K = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    loss = confidence(alpha=0.5, warm_up=0.2)
    assert torch.allclose(loss(scores_B_K, target_B_K, 0.0), soft_cross_entropy(scores_B_K, target_B_K, 0.0))
    values = [float(loss(scores_B_K, target_B_K, done).sum()) for done in np.linspace(0.0, 1.0, 11)]
    steps = np.diff(values)
    assert np.allclose(steps[:2], steps[0], atol=1e-5) and np.allclose(steps[2:], 0, atol=1e-5)
    # As many of each class as the weak labels have.
    assert hardened(scores_B_K, target_B_K).sum(0).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("seed", range(5))
def test_batches_cover_everything_once_and_passes_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths, rows = [int(n) for n in rng.integers(1, 60, 123)], [int(n) for n in rng.integers(1, 4, 123)]
    batches = epoch_batches(lengths, 8, rng)
    assert sorted(i for batch in batches for i in batch) == list(range(123))
    for batch in batches:
        parts = list(passes(batch, lengths, rows, 128))
        assert sorted(i for part in parts for i in part) == sorted(batch)
        for part in parts:
            size = sum(rows[i] for i in part) * max(lengths[i] for i in part)
            assert size <= 128 or len(part) == 1


@pytest.mark.parametrize("kind", ["lora", "full"])
@pytest.mark.parametrize("body", ["llama", "bert"])
def test_what_was_saved_predicts_the_same(kind: str, body: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(body)
    learner = finetune_labels(folder, examples(), WORDS, QUICK.model_copy(update={"learner": kind}))
    learner.save(tmp_path / "saved")
    texts = [example.texts for example in examples(12, seed=2)]
    again = load_learner(folder, tmp_path / "saved")
    assert np.allclose(again.probabilities(texts), learner.probabilities(texts), atol=1e-6)
    assert again.card == learner.card


def test_two_processes_train_what_one_does(llama: Path, tmp_path: Path) -> None:
    recipe = QUICK.model_copy(update={"epochs": 1})
    job = Job(base=llama, words=WORDS, recipe=recipe)
    folder = write_job(tmp_path / "job", job, examples(), examples(8, seed=1))
    launch(folder, None, ["--cpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"])
    together = load_learner(llama, folder / "trained")
    alone = finetune_labels(llama, examples(), WORDS, recipe, validation=examples(8, seed=1))
    assert together.card.data == alone.card.data and together.card.looks[0]["step"] == 4
    for name, value in alone.fitted.state.items():
        assert torch.allclose(value, together.fitted.state[name], atol=1e-4), name


def test_a_job_that_fails_says_why(llama: Path, tmp_path: Path) -> None:
    from askew.errors import RunError

    with pytest.raises(InputError, match="no training job"):
        run_job(tmp_path)
    with pytest.raises(InputError, match="no accelerate configuration"):
        launch(tmp_path, tmp_path / "none.yaml")
    folder = write_job(tmp_path / "job", Job(base=llama, words=(" good film", " good")), examples())
    with pytest.raises(InputError, match="begin with the same token"):
        run_job(folder)
    with pytest.raises(RunError, match="no-such-option"):
        launch(folder, None, ["--no-such-option"])


def test_a_student_that_the_log_names_is_never_overwritten(llama: Path, tmp_path: Path) -> None:
    logged: dict[str, object] = {}
    lab = SimpleNamespace(
        task=Task("t", "Is it good?", "text", (Case("c", "x", ("bad", "good")),)),
        settings=SimpleNamespace(student="tiny", accelerate=None),
        journal=SimpleNamespace(upcoming=lambda: logged or None),
    )
    place = tmp_path / "round-1" / "lora"

    def teach(lesson: Lesson) -> bytes:
        train(llama, place, lesson, QUICK.model_copy(update={"epochs": 1}), lab)  # type: ignore[arg-type]
        return (place / "adapter_model.safetensors").read_bytes()

    first, second = (Lesson(examples(seed=seed), []) for seed in (0, 1))
    learned = teach(first)
    assert teach(first) == learned, "what was made from this lesson is taken as it is"
    logged["weights"] = read_card(place)["files"]
    with pytest.raises(RunError, match="nothing was overwritten"):
        teach(second)
    assert (place / "adapter_model.safetensors").read_bytes() == learned
    logged.clear()
    assert teach(second) != learned, "what no log names was left by a run that was cut off"
