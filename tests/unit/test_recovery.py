"""Whether a planted mistake counts as found: by behaviour on cases that were not in the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ScriptedModel, embed, run_loop

from askew.agent.config import Settings
from askew.agent.journal import Event
from askew.evals.methods.registry import NotApplicableError
from askew.evals.protocol import load_cases, write_config
from askew.evals.recovery import (
    LIKELY,
    SAME,
    Found,
    Recovery,
    agreement,
    believed_by_labels,
    expected_calibration_error,
    planted_mistakes,
    recovery,
    summary,
)
from askew.evals.simulated import planted
from askew.evals.truth import Truth
from askew.tasks.load import load_task


def found(posterior: float, agreed: float, like: str = "length") -> Found:
    return Found("", posterior, agreed, like)


def test_names_of_planted_mistakes() -> None:
    assert planted_mistakes("planted:length@0.8+-hedging@0.6+competence@0.9") == ("length", "-hedging")
    assert planted_mistakes("simulated:flips@0.75") == ()
    assert planted_mistakes("model:minilm") is None


def test_agreement_counts_the_cases_in_which_either_speaks() -> None:
    assert agreement([1, None, 0, None], [1, None, 1, 0]) == pytest.approx(1 / 3)
    assert agreement([None], [None]) == 0.0


def test_pairs_need_both_and_false_discoveries_are_believed_and_wrong() -> None:
    one = Recovery("t", "s", "m", 0, ("length",), (found(0.9, 1.0), found(0.6, 0.2)))
    assert one.hit(1) and one.false_discoveries() == 1
    two = Recovery("t", "s", "m", 0, ("length", "praise"), (found(0.9, 1.0), found(0.8, 0.95, "praise")))
    assert two.hit(1)
    missed = Recovery("t", "s", "m", 0, ("length", "praise"), (found(0.9, 1.0), found(0.8, 0.95)))
    assert not missed.hit(3)


def test_a_mistake_is_found_when_it_leads_to_the_end() -> None:
    def run(*led: bool, planted: tuple[str, ...] = ("length",)) -> Recovery:
        return Recovery("t", "s", "m", 0, planted, (), dict(zip((20, 40, 60), led, strict=False)))

    early, late, never = run(True, False, True), run(False, True, True), run(True, True, False)
    assert [one.labels_to_lead() for one in (early, late, never)] == [60, 40, float("inf")]
    pair = run(False, False, True, planted=("length", "praise"))
    told = summary([early, late, never, pair])[0]
    assert told["labels_to_lead"] == 60, "of single mistakes"
    assert told["led_by_labels"] == {20: 0.5, 40: 0.5, 60: 0.75}
    assert summary([early, never, never])[0]["labels_to_lead"] is None, "found in less than half of the runs"
    assert summary([run(planted=())])[0]["led_by_labels"] == {}


def test_mistakes_are_ranked_after_each_round() -> None:
    told: list[tuple[int, str, dict[str, Any]]] = [
        (0, "prediction", {"labels_used": 0, "split": "test", "truth": []}),
        (1, "hypothesis-born", {"set": "S1", "id": "S1.1", "subject": "length", "kind": "liked"}),
        (1, "hypothesis-born", {"set": "S2", "id": "S2.1", "subject": "praise", "kind": "misled"}),
        (1, "hypothesis-born", {"set": "S2", "id": "S2.2", "subject": "praise", "kind": "better"}),
        (1, "answer", {"labels_used": 20, "weak": 1}),
        (1, "belief", {"set": "S1", "posterior": {"S1.1": 0.3, "h0": 0.7}}),
        (1, "belief", {"set": "S2", "posterior": {"S2.1": 0.2, "S2.2": 0.7, "h0": 0.1}}),
        (2, "answer", {"labels_used": 40, "weak": 0}),
        (2, "belief", {"set": "S2", "posterior": {"S2.1": 0.5, "S2.2": 0.3, "h0": 0.2}}),
        (3, "answer", {"labels_used": 60, "weak": 1}),
        (3, "hypothesis-killed", {"set": "S1"}),
    ]
    events = [Event(n, round_, kind, data) for n, (round_, kind, data) in enumerate(told)]
    assert believed_by_labels(events) == {
        0: [],
        20: [("S1.1", 0.3), ("S2.1", 0.2)],
        40: [("S2.1", 0.5), ("S1.1", 0.3)],
        60: [("S2.1", 0.5)],
    }


def test_calibration_is_zero_where_beliefs_are_as_often_right_as_they_say() -> None:
    sure = Recovery("t", "s", "m", 0, ("length",), (found(1.0, 1.0), found(0.0, 0.0)))
    assert expected_calibration_error([sure]) == 0.0
    wrong = Recovery("t", "s", "m", 0, ("length",), (found(1.0, 0.0),))
    assert expected_calibration_error([wrong]) == 1.0
    assert expected_calibration_error([]) is None


@pytest.mark.parametrize("mistake", ["exclamation-marks", "keyword=plot"])
def test_a_mistake_planted_in_a_whole_run_is_found(
    mistake: str, cases_file: Callable[..., Path], tmp_path: Path
) -> None:
    """Fifty answers tell a student that knows little of the truth what to believe, if not always what most.

    In nine of ten such runs (seeds 0 to 4) it is believed so far, in half of them it is first: good words are what is
    right here, and look like a liking too.
    """
    settings = Settings(
        task=str(cases_file()), supervisor=f"planted:{mistake}@0.9", student="scripted", budget=50, rounds=4, chains=12,
        chains_first=12, written=0, written_first=0, pool_size=70, seed=4,
    )  # fmt: skip
    loaded = load_cases(settings)
    model = ScriptedModel()
    folder = tmp_path / "run"
    write_config(settings, folder, ())
    supervisor = planted(f"{mistake}@0.9", loaded, Truth(loaded, model.features), settings.seed)
    run_loop(settings, supervisor, folder, model, loaded.task)
    graded = recovery(folder, load_task, embed)
    assert max(one.posterior for one in graded.found if one.agreement >= SAME) > LIKELY
    assert summary([graded])[0]["top1"] == graded.hit(1)
    assert list(graded.led) == [0, 13, 26, 38, 50]
    assert graded.led[50] == graded.hit(1)
    config = folder / "config.json"
    config.write_text(config.read_text().replace(f"planted:{mistake}@", "planted:emoji@"))
    with pytest.raises(NotApplicableError, match="emoji shows in none of the 10 held-out cases"):
        recovery(folder, load_task, embed)
