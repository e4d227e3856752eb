"""Estimates of memory and time, against networks that are really made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import make_bert, make_llama

from askew.agent.cli import main
from askew.agent.learners.estimate import estimate, shape_of
from askew.agent.learners.networks import load_causal, load_encoder
from askew.agent.learners.recipe import Recipe
from askew.errors import InputError


@pytest.mark.parametrize("learner", ["lora", "full"])
def test_counts_are_those_of_the_network(learner: str, tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"learner": learner, "r": 4})
    for made, network in (
        (make_llama(tmp_path / "llama"), lambda folder: load_causal(folder, recipe)),
        (make_bert(tmp_path / "bert"), lambda folder: load_encoder(folder, recipe, 2).body),
    ):
        shape, real = shape_of(str(made), recipe), network(made)
        assert shape.weights == sum(weight.numel() for weight in real.parameters())
        pooler = sum(w.numel() for n, w in real.named_parameters() if ".pooler." in f".{n}" and not w.requires_grad)
        trained = sum(weight.numel() for weight in real.parameters() if weight.requires_grad)
        assert trained <= shape.trained <= trained + pooler


def test_more_devices_need_less_each_and_take_less_time(tmp_path: Path) -> None:
    folder = str(make_llama(tmp_path / "llama"))
    one, four = (estimate(folder, Recipe(r=1), 10_000, n, memory_gb=80, tflops=1.0) for n in (1, 4))
    assert four.total_gb < one.total_gb and four.seconds == pytest.approx(one.seconds / 4)
    full = estimate(folder, Recipe(learner="full"), 10_000, memory_gb=80, tflops=1.0)
    assert full.optimizer_gb > one.optimizer_gb and full.seconds > one.seconds and full.fits
    saved = estimate(folder, Recipe(r=1, checkpointing=True), 10_000, memory_gb=80, tflops=1.0)
    assert saved.activations_gb < one.activations_gb and saved.seconds > one.seconds
    assert estimate(folder, Recipe(), 10_000, texts=True, memory_gb=80, tflops=1.0).activations_gb > one.activations_gb


def test_the_command_prints_what_it_found_and_names_what_it_cant_find(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_llama(tmp_path / "llama")
    for name in (*folder.glob("*.safetensors"), folder / "tokenizer.json"):
        name.unlink()  # its configuration is enough
    given = ["learners", "estimate", str(folder), "--devices", "2", "--memory-gb", "0.1", "--tflops", "1"]
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 0 and "does not fit" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*given, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["devices"] == 2 and found["fits"] is False
    with pytest.raises(InputError, match="no configuration"):
        estimate(str(tmp_path / "nothing"), Recipe(), 10)
