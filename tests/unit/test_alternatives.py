"""Cases written to tell two alternatives apart: which two, by what examples, and that they reach the design."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ScriptedModel, run_loop

from askew.agent import alternatives
from askew.agent.alternatives import pair_of
from askew.agent.belief import SetBelief
from askew.agent.config import Settings
from askew.agent.hypotheses import Grounding, Hypothesis, HypothesisSet, Kind
from askew.agent.models.base import Completion, SamplingRequest
from askew.tasks.case import Case

SET = HypothesisSet(
    "S1", "praise", Grounding("praise", False, 1, 1.0),
    (Hypothesis("S1.1", "", Kind.LIKED, 1, 0.1), Hypothesis("S1.2", "", Kind.BETTER, 1, 0.1)), (), "",
)  # fmt: skip


def believed(*p: float) -> SetBelief:
    return SetBelief("S1", ("S1.1", "S1.2", "h0"), np.array(p), 0.0, 0, 0, None)


def test_the_two_likeliest_are_told_apart_where_they_differ_most() -> None:
    truth_N = np.array([0, 0, 1, 1])
    liked = [[0.2, 0.8], [0.5, 0.5], [0.1, 0.9], [0.1, 0.9]]
    better = [[0.2, 0.8], [0.2, 0.8], [0.1, 0.9], [0.1, 0.9]]
    none = [[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]]
    q_H_N_K = np.array([liked, better, none])
    pair = pair_of(SET, believed(0.5, 0.1, 0.4), q_H_N_K, truth_N, range(4))
    assert pair is not None
    assert (pair.hypotheses, pair.intended, pair.shown) == (("S1.1", "h0"), 0, ((0, 1), (2, 3)))
    pair = pair_of(SET, believed(0.5, 0.4, 0.1), q_H_N_K, truth_N, range(4))
    assert pair is not None
    assert (pair.hypotheses, pair.intended, pair.shown[0]) == (("S1.1", "S1.2"), 0, (1, 0))
    assert pair_of(SET, believed(0.5, 0.4, 0.1), q_H_N_K, truth_N, [2, 3]) is None, "no short case of one option"
    assert pair_of(SET, believed(0.5, 0.4, 0.1), q_H_N_K[[0, 0, 2]], truth_N, range(4)) is None, "nothing differs"


class Loud:
    """Takes what is loud for good."""

    def label(self, cases: list[Case]) -> list[int | None]:
        return [int("!" in case.text) for case in cases]


class Noting(ScriptedModel):
    """Remembers what it was asked to continue."""

    asked: tuple[str, ...] = ()

    def _one(self, prompt: str, index: int, request: SamplingRequest) -> Completion:
        if "What differs between them" in prompt:
            self.asked += (prompt,)
        return super()._one(prompt, index, request)


def test_they_are_candidates_of_their_set_and_a_resumed_run_writes_none_anew(
    cases_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        task=str(cases_file()), supervisor="loud", student="scripted", budget=12, rounds=2, chains=24, chains_first=24,
        written=0, written_first=0, proposed=0, alternatives=8,
    )  # fmt: skip
    model, again = Noting(), Noting()
    events = run_loop(settings, Loud(), tmp_path / "run", model)
    made = [case for event in events if event.kind == "written" for case in event.data["cases"]]
    assert made and model.asked
    assert all(len(set(case["alternatives"])) == 2 and case["set"] for case in made)
    assert all(prompt.count("Review:") > 2 for prompt in model.asked), "examples, and the case to be written"
    run_loop(settings, Loud(), tmp_path / "run", again)
    assert not again.asked
    monkeypatch.setattr(alternatives, "SETS", 0)
    run_loop(settings, Loud(), tmp_path / "nothing to tell apart", again)
    assert not again.asked
