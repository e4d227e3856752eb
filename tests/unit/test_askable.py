"""A simulated supervisor that can be asked about itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from conftest import ScriptedModel

from askew.agent.config import Settings
from askew.agent.supervisors.base import Clarifies
from askew.evals.askable import _goes_together
from askew.evals.supervisors import build_supervisor
from askew.tasks.load import load_task

OPTIONS = ["it matters for what is right", "it only sways people", "neither"]


def asked(path: Path, honesty: float, subject: str, mistake: str = "exclamation-marks") -> int | None:
    supervisor = f"planted:{mistake}@0.8+askable@{honesty}"
    loaded = load_task(str(path), 0)
    made = build_supervisor(Settings(supervisor=supervisor, student="x"), loaded, lambda _: ScriptedModel().features)
    assert isinstance(made, Clarifies)
    assert len(made.label(loaded.task.cases[:4])) == 4
    question = f"When a review has more '{subject}': does that change what the right answer is?"
    return made.clarify("clarify-S1", question, OPTIONS)[0]


def test_what_was_planted_sways_and_what_goes_with_the_truth_matters(cases_file: Callable[..., Path]) -> None:
    path = cases_file()
    assert asked(path, 1.0, "exclamation marks") == 1
    assert asked(path, 1.0, "exclamation marks above 1") == 1, "from how much on is another question"
    assert asked(path, 1.0, "good words above 0") == 0
    for subject in ("the word 'plot'", "the word 'plot' above 1"):
        assert asked(path, 1.0, subject, "keyword=plot>1") == 1
    assert asked(path, 1.0, "the word 'warm'") in (0, 2)
    assert asked(path, 1.0, "good words") == 0
    assert asked(path, 1.0, "length") == 2
    assert asked(path, 1.0, "no such thing") == 2


def test_chance_is_one_in_so_many_options() -> None:
    rng = np.random.default_rng(0)
    for k in (2, 4):
        gold_N = rng.integers(k, size=400)
        unrelated, right = rng.integers(k, size=400), np.where(rng.random(400) < 0.6, gold_N, 0)
        for pick_N, sign in ((unrelated, 0), (right, 1), (np.where(gold_N == 0, 1, 0), -1)):
            assert _goes_together(list(zip(pick_N.tolist(), gold_N.tolist(), strict=True)), k) == sign


def test_who_knows_nothing_of_itself_never_tells_the_truth(cases_file: Callable[..., Path]) -> None:
    assert asked(cases_file(), 0.0, "exclamation marks") != 1


def test_others_can_not_be_asked(cases_file: Callable[..., Path]) -> None:
    loaded = load_task(str(cases_file()), 0)
    settings = Settings(supervisor="planted:exclamation-marks@0.8", student="x")
    assert not isinstance(build_supervisor(settings, loaded, lambda _: ScriptedModel().features), Clarifies)
