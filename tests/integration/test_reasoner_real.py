"""The warm-up: the same call makes the same reasoner, and the one that is shipped names what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tiny import make_llama
from typer.testing import CliRunner

from askew.agent.cli.app import app
from askew.agent.learners.examples import digest
from askew.agent.learners.recipe import Recipe
from askew.agent.models.pull import model_folder
from askew.agent.reasoner import ADAPTER_WEIGHTS, ADAPTERS, load_warmed
from askew.agent.warmup.traces import Made
from askew.agent.warmup.train import QUALITY, RECIPE, TRACES, measure, passages, warm_up
from askew.agent.warmup.train import test_traces as traces_to_test

SHIPPED = ADAPTERS / "smollm2-135m"
CASES = 60


def test_the_same_call_leaves_the_same_adapter_and_a_card(tmp_path: Path) -> None:
    base = make_llama(tmp_path / "llama")
    recipe = RECIPE.model_copy(update={"r": 2})
    for name in ("one", "two"):
        warm_up(base, tmp_path / name, traces=12, recipe=recipe)
    first, second = ((tmp_path / name / ADAPTER_WEIGHTS).read_bytes() for name in ("one", "two"))
    assert first == second
    card = json.loads((tmp_path / "one" / "card.json").read_text(encoding="utf-8"))
    assert set(card) >= {"data", "recipe", "command", "files", "base_fingerprint", "versions"}


def test_what_is_shipped_is_small_and_says_nothing_of_the_machine_it_was_made_on() -> None:
    assert (SHIPPED / ADAPTER_WEIGHTS).stat().st_size < 10_000_000
    said = "".join(path.read_text(encoding="utf-8") for path in SHIPPED.glob("*.json"))
    assert not re.search(r'"/\w+|[A-Z]:\\\\', said)
    assert not list(SHIPPED.glob("*.bin")) and not list(SHIPPED.glob("*.p*t*"))


def test_what_is_shipped_was_learned_from_what_the_command_would_learn_from_today() -> None:
    card = json.loads((SHIPPED / "card.json").read_text(encoding="utf-8"))
    assert card["data"] == digest(passages(TRACES))
    precision = card["recipe"]["precision"]  # of the machine it was made on
    assert Recipe(**card["recipe"]) == RECIPE.model_copy(update={"precision": precision})


@pytest.mark.models
@pytest.mark.timeout(600)
def test_the_shipped_reasoner_is_as_good_as_its_card_says() -> None:
    model = load_warmed(model_folder("smollm2-135m"), SHIPPED, "smollm2-135m")
    claimed = {(q["on"], q["temperature"]): q for q in json.loads((SHIPPED / QUALITY).read_text(encoding="utf-8"))}
    quality = measure(model, traces_to_test(Made.OTHER_CASES, CASES), Made.OTHER_CASES, 0.0)
    said = claimed[Made.OTHER_CASES.value, 0.0]
    assert quality.precision >= said["precision"] - 0.06
    assert quality.recall >= said["recall"] - 0.06
    assert quality.malformed <= 0.02
    assert quality.truth_agreement < 0.65, "it knows no more of the truth than the coin that decided it"


@pytest.mark.models
@pytest.mark.warmup
@pytest.mark.timeout(3600)
def test_the_command_makes_a_reasoner_as_good_as_what_is_shipped(tmp_path: Path) -> None:
    """With the recipe and the traces as they are, from the weights of the base: nothing of what is shipped is used."""
    ran = CliRunner().invoke(app, ["warmup", "--out", str(tmp_path / "reasoner")])
    assert ran.exit_code == 0, ran.output
    qualities = json.loads((tmp_path / "reasoner" / QUALITY).read_text(encoding="utf-8"))
    sampled = {q["temperature"]: q for q in qualities if q["on"] == Made.OTHER_CASES.value}
    assert len(sampled) > 1, "greedily, and as chains are sampled"
    assert sampled[0.0]["precision"] >= 0.9 and sampled[0.0]["recall"] >= 0.9
    for quality in sampled.values():
        assert quality["precision"] >= 0.85 and quality["recall"] >= 0.85
        assert quality["malformed"] <= 0.02 and quality["truth_agreement"] < 0.65
