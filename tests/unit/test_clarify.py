"""Questions in words: which are asked, what their answers say of each hypothesis, and that a resumed run asks none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ScriptedModel, rows, run_loop

from askew.agent import clarify
from askew.agent.belief import KNOWS_ITSELF, Told, told_likelihood
from askew.agent.clarify import GENERALISATIONS, REASONS, generalisations, reasons
from askew.agent.conditional_logit import Array
from askew.agent.config import Settings
from askew.agent.hypotheses import Grounding, Hypothesis, HypothesisSet, Kind
from askew.evals.supervisors import build_supervisor
from askew.tasks.case import Case, Task
from askew.tasks.load import load_task

PRAISE = HypothesisSet(
    "S1", "praise", Grounding("praise", False, 1, 1.0),
    (
        Hypothesis("S1.1", "", Kind.LIKED, 1, 0.1), Hypothesis("S1.2", "", Kind.BETTER, 1, 0.1),
        Hypothesis("S1.3", "", Kind.BETTER, -1, 0.1), Hypothesis("S1.4", "", Kind.MISLED, 1, 0.1),
    ), (), "",
)  # fmt: skip
CASES = tuple(Case(f"c{i}", f"text\n{i}", ("bad", "good")) for i in range(3))
TASK = Task("reviews", "Is it good?", "review", CASES)


def truths(*p_good: tuple[float, ...]) -> Array:
    """r_H_N_K from the probability of *good*, by hypothesis and case."""
    return np.array([[[1 - p, p] for p in case] for case in p_good])


def test_two_generalisations_are_shown_where_they_part_most() -> None:
    none, better, worse = (0.4, 0.45, 0.9), (0.6, 0.95, 0.95), (0.2, 0.1, 0.3)
    r_H_N_K = truths(none, better, worse, none, none)
    asked = generalisations(TASK, PRAISE, np.array([0.1, 0.5, 0.02, 0.08, 0.3]), r_H_N_K, list(CASES))
    assert asked is not None and asked.case == "c1" and asked.kind == GENERALISATIONS
    assert asked.options == (
        "'bad', since that has nothing to do with it", "'good', since more of it makes 'good' right",
    ), "by their labels: which is likelier isn't shown"  # fmt: skip
    assert asked.words.endswith('meant? "text 1"') and "'praise'" in asked.words
    assert asked.says == {"S1.2": 1, "h0": 0}, "of the others neither reason is true"
    assert asked.matched == pytest.approx(0.3)
    assert generalisations(TASK, PRAISE, np.array([0.5, 0.1, 0, 0.4, 0]), r_H_N_K, list(CASES)) is None, "no two truths"


def test_a_long_case_is_shown_only_where_no_short_one_will_do() -> None:
    long = Case("long", "word " * 200, ("bad", "good"))
    p_H = np.array([0.1, 0.5, 0.02, 0.08, 0.3])
    none, better = (0.45, 0.1), (0.55, 0.9)
    both = generalisations(TASK, PRAISE, p_H, truths(none, better, none, none, none), [CASES[0], long])
    assert both is not None and both.case == "c0"
    only = generalisations(TASK, PRAISE, p_H, truths((0.1,), (0.9,), (0.1,), (0.1,), (0.1,)), [long])
    assert only is not None and only.case == "long" and only.words.endswith('word …"') and len(only.words) < 520


def test_options_are_called_by_their_letters_where_they_vary() -> None:
    task = Task("answers", "Which?", "question", CASES, options_vary=True)
    r_H_N_K = truths((0.4,), (0.9,), (0.1,), (0.4,), (0.4,))
    asked = generalisations(task, PRAISE, np.array([0.4, 0.5, 0, 0, 0.1]), r_H_N_K, [CASES[0]])
    assert asked is not None
    assert asked.options == ("A, since that only sways people", "B, since more of it makes an option right")
    assert asked.says == {"S1.1": 0, "S1.4": 0, "S1.2": 1}, "what misleads sways people too"
    assert asked.words.endswith('"text 0" A: bad B: good')


def test_an_answer_speaks_for_what_it_would_be_true_under() -> None:
    asked = reasons(TASK, PRAISE, 0.2)
    assert asked.says == {"S1.1": 1, "S1.2": 0, "S1.3": 0, "S1.4": 1, "h0": 2}
    loglik_H = told_likelihood(PRAISE.names, [Told(REASONS, asked.says, 3, 1)])
    wrong = (1 - KNOWS_ITSELF) / 2
    assert np.exp(loglik_H) == pytest.approx([KNOWS_ITSELF, wrong, wrong, KNOWS_ITSELF, wrong])
    assert not told_likelihood(PRAISE.names, [Told(REASONS, asked.says, 3, None)]).any(), "unsure says nothing"
    open_to_h0 = Told(GENERALISATIONS, {"S1.1": 0, "S1.2": 1}, 2, 1)
    assert np.exp(told_likelihood(PRAISE.names, [open_to_h0]))[[0, 1, 4]] == pytest.approx([0.2, 0.8, 0.5])
    both = told_likelihood(PRAISE.names, [Told(REASONS, asked.says, 3, 1), open_to_h0])
    assert both == pytest.approx(loglik_H + told_likelihood(PRAISE.names, [open_to_h0]))


class Talker:
    """Loves loud reviews, and says so."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, str, tuple[str, ...]]] = []

    def label(self, cases: list[Case]) -> list[int | None]:
        return [int("!" in case.text) for case in cases]

    def clarify(self, name: str, question: str, options: tuple[str, ...]) -> tuple[int | None, str]:
        self.questions.append((name, question, options))
        return 1, "so it is"


def test_both_kinds_are_asked_once_of_a_set_and_none_again_on_resume(
    cases_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clarify, "UNDECIDED", 1e-6)
    monkeypatch.setattr(clarify, "MATTERS", 0.0)
    settings = Settings(
        task=str(cases_file(rows())), supervisor="t", student="scripted", budget=36, rounds=6, chains=24, written=8,
        written_first=16, proposed=0, alternatives=0, seed=4,
    )  # fmt: skip
    task = load_task(settings.task, settings.seed).task
    talker, again = Talker(), Talker()
    events = run_loop(settings, talker, tmp_path / "run")
    told = [event.data for event in events if event.kind == "clarification"]
    assert {data["asks"] for data in told} == {REASONS, GENERALISATIONS}
    assert (
        len({(data["set"], data["asks"]) for data in told}) == len(told) == len({name for name, *_ in talker.questions})
    )
    asked: set[str] = set()
    for event in events:
        if event.kind == "experiment":
            asked.add(event.data["case"]["id"])
        elif event.kind == "clarification" and event.data["asks"] == GENERALISATIONS:
            assert event.data["case"] in {case.id for case in task.cases} - asked
    assert all(set(data["says"].values()) <= set(range(len(data["options"]))) for data in told)
    run_loop(settings, again, tmp_path / "run")
    assert not again.questions


def test_a_simulated_person_chooses_the_generalisation_that_is_true(cases_file: Callable[..., Path]) -> None:
    loaded = load_task(str(cases_file()), 0)
    settings = Settings(supervisor="planted:exclamation-marks@0.8+askable@1.0", student="x")
    person = build_supervisor(settings, loaded, lambda _: ScriptedModel().features)
    matters, sways, nothing = (
        "'positive', since more of it makes 'positive' right", "'negative', since that only sways people",
        "'negative', since that has nothing to do with it",
    )  # fmt: skip

    def chosen(subject: str, *options: str) -> int | None:
        question = f"When a review has more '{subject}': which of two ways to judge one like this is meant? \"…\""
        return person.clarify("q", question, options)[0]  # type: ignore[attr-defined]

    assert chosen("exclamation marks", matters, sways) == 1
    assert chosen("good words", matters, nothing) == 0
    assert chosen("length", matters, nothing) == 1
    assert chosen("exclamation marks", matters, nothing) is None, "neither is true"
    less = "'negative', since less of it makes 'positive' right"
    assert chosen("good words", less, matters) == 1 and chosen("bad words", less, matters) == 0
    assert chosen("good words", less, sways) is None
