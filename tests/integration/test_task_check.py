"""A built-in task through the real check: its tokenizer, its sentence embeddings, its table."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from askew.agent.cli.app import app
from askew.evals.protocol import embedder
from askew.evals.task_check import near_duplicates

REWORDED = (
    "wow. Very impressed with my Clemson Tigers so far. love it. :-)",
    "wow! Impressed with my Clemson Tigers so far! love it! :-)",
)


@pytest.mark.models
@pytest.mark.parametrize("name", ["tweets", "qa-preference"])
def test_the_check_of_a_built_in_task_holds(name: str) -> None:
    """Tweets are human and few are alike; sums are from one mould and none is another one reworded."""
    result = CliRunner().invoke(app, ["tasks", "check", name, "--json"])
    assert result.exit_code == 0, result.output
    assert all(row["holds"] == "yes" for row in json.loads(result.stdout))


@pytest.mark.models
def test_a_text_said_in_other_words_is_a_near_duplicate() -> None:
    plain = [f"Unrelated sentence {index} on a topic of its own {index * 7}." for index in range(200)]
    others = [*plain, REWORDED[1]]
    assert near_duplicates([REWORDED[0], plain[0][:20]], others, embedder().embed) == [(0, 200)]
