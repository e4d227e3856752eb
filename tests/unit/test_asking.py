"""What is asked and when asking ends: nothing twice, something of every kind in the smallest rounds, and enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import embed, rows, run_loop

from askew.agent.belief import SetBelief
from askew.agent.config import Settings
from askew.agent.design import FIRST_LABELS, LATER_SHARE, SET_SHARE, Candidate, labels_for_sets, unasked
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding
from askew.agent.loop import RESOLVED
from askew.agent.notebook import Notebook
from askew.agent.write import key
from askew.evals.methods.registry import NotApplicableError, check_method
from askew.tasks.case import Case
from askew.tasks.load import load_task


class Loud:
    """Says positive of what is loud, negative of the rest."""

    def label(self, cases: list[Case]) -> list[int | None]:
        return [int("!" in case.text) for case in cases]


def belief(none: float, log_e: float) -> SetBelief:
    return SetBelief("S1", ("S1.1", "h0"), np.array([1.0 - none, none]), log_e, 0, 0, None)


def test_what_repeats_in_a_file_is_asked_once(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    repeating = rows(160)
    pool = [row for row in repeating if row["split"] == "pool"]
    for index, row in enumerate(pool):
        row["text"] = pool[index % 8]["text"]
    settings = Settings(
        task=str(cases_file(repeating)), supervisor="loud", student="scripted", budget=40, rounds=4, chains=0,
        chains_first=0, written=0, written_first=0,
    )  # fmt: skip
    events = run_loop(settings, Loud(), tmp_path / "run")
    texts = [event.data["case"]["text"] for event in events if event.kind == "experiment"]
    assert len(texts) == len(set(texts)) and 8 <= len(texts) <= 40


def test_of_candidates_that_are_the_same_the_first_is_left_unless_it_was_asked() -> None:
    made = [
        Candidate(Case(f"c{i}", text, ("no", "yes")), "pool") for i, text in enumerate(["So.", "so.", "No.", "So."])
    ]
    assert [one.case.id for one in unasked(made, [])] == ["c0", "c2"]
    assert [one.case.id for one in unasked(made, [Case("other", "NO.", ("no", "yes"))])] == ["c0"]
    assert unasked([], []) == []
    assert key(made[0].case) == key(made[1].case)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40])
def test_small_rounds_add_up_to_the_shares_of_large_ones(size: int) -> None:
    used = range(0, 10 * FIRST_LABELS, size)
    total = sum(labels_for_sets(size, n, taste=False) for n in used)
    labels = len(used) * size
    assert total == int(SET_SHARE * FIRST_LABELS + LATER_SHARE * (labels - FIRST_LABELS) + 1e-9)


def test_proposals_need_somebody_to_answer_them_and_a_task_to_make_them_for(cases_file: Callable[..., Path]) -> None:
    task = load_task(str(cases_file()), 0).task
    check_method("naive-proposals", SimpleNamespace(label=None), "some", task)  # type: ignore[arg-type]
    recorded = SimpleNamespace(answers_new_cases=False)
    with pytest.raises(NotApplicableError, match="needs a supervisor that answers new cases"):
        check_method("naive-proposals", recorded, "column:rater", task)  # type: ignore[arg-type]
    varying = replace(task, options_vary=True)
    with pytest.raises(NotApplicableError, match="options are the same in every case"):
        check_method("naive-proposals", SimpleNamespace(), "some", varying)  # type: ignore[arg-type]


def test_all_is_resolved_where_something_matters_and_is_known() -> None:
    notebook = Notebook(None, None)  # type: ignore[arg-type]
    assert not notebook.resolved(0.05), "nothing is known yet"
    notebook.beliefs = {"S1": belief(0.1, 3.5), "S2": belief(0.9, 0.0)}
    assert notebook.resolved(0.05) and not notebook.resolved(0.01)
    notebook.beliefs["S2"] = belief(0.4, 0.0)
    assert not notebook.resolved(0.05), "of what matters one is open"
    notebook.beliefs = {"S2": belief(0.9, 9.0)}
    assert not notebook.resolved(0.05), "that it doesn't matter is no reason to stop"


def test_a_run_may_end_when_what_matters_is_resolved(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    settings = Settings(
        task=str(cases_file()), supervisor="loud", student="scripted", budget=100, rounds=10, chains=0, chains_first=0,
        written=0, written_first=0, stop_when_resolved=True,
    )  # fmt: skip
    events = run_loop(settings, Loud(), tmp_path / "run")
    assert events[-1].data["why"] == RESOLVED
    assert 10 <= sum(event.kind == "answer" for event in events) < 100


def test_a_concept_counts_as_far_as_its_measure_goes_with_it(cases_file: Callable[..., Path]) -> None:
    task = load_task(str(cases_file()), 0).task
    grounder = Grounder(task, embed)
    sure, unsure = (Grounding("loud", True, 1, trust) for trust in (1.0, 0.4))
    effects_N_K_S = grounder.effects([sure, unsure], task.cases)
    assert np.abs(effects_N_K_S).max() > 0
    assert np.allclose(effects_N_K_S[:, :, 1], 0.4 * effects_N_K_S[:, :, 0])
    named = Grounding("exclamation marks", False, 1, 0.5)
    assert np.array_equal(
        grounder.effects([named], task.cases), grounder.effects([replace(named, trust=1.0)], task.cases)
    )
