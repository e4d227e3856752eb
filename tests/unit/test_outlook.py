"""What experiments are chosen by: answers and truths in draws of everything that is unsure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ScriptedModel, embed
from numpy.typing import NDArray
from scipy.special import expit

from askew.agent import infogain
from askew.agent.design import Candidate
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Hypothesis, HypothesisSet, Kind
from askew.agent.notebook import Mattering, Notebook
from askew.agent.outlook import doubting, outlook_of, predicted, whatever_else
from askew.agent.representation import Representation
from askew.agent.sets import enumerated, make_set
from askew.agent.update import learn, update_beliefs
from askew.agent.worlds import Worlds
from askew.tasks.case import Case, Split, Task

LOUD = "exclamation marks"


def pairs() -> list[Case]:
    """Every other pair differs in how loud its options are, every third in which of them asks."""
    made = []
    for i in range(40):
        asking = " Why not?" * (i % 3 == 0)
        first, second = (
            f"Take road {i}{'!!' if i % 4 == 0 else '.'}{asking}",
            f"Take path {i}{'!!' if i % 4 == 2 else '.'}",
        )
        made.append(Case(f"c{i}", "Which way?", (first, second), Split.POOL))
    return made


def notebook_of(tmp_path: Path, cases: list[Case], *, options_vary: bool = True, taste: bool = False) -> Notebook:
    task = Task("ways", "Which is better?", "question", tuple(cases), options_vary=options_vary, manner_matters=taste)
    notebook = Notebook(Representation(task, ScriptedModel(), tmp_path), Grounder(task, embed))
    (loud,) = (one for one in enumerated(notebook.grounder) if one.grounding.measure == LOUD)
    notebook.sets = [make_set(loud, 1, task)]
    learn(notebook)
    return notebook


def worlds(*amounts: tuple[Kind, float], competence: float = 1.0) -> Worlds:
    """One world for each amount of the one set's subject."""
    amount_T_S_M = np.zeros((len(amounts), 1, len(Kind)))
    for t, (kind, amount) in enumerate(amounts):
        amount_T_S_M[t, 0, list(Kind).index(kind)] = amount
    return Worlds(amount_T_S_M, np.full(len(amounts), competence), np.zeros((len(amounts), 2)))


def loudness(notebook: Notebook, cases: list[Case]) -> NDArray[np.float64]:
    effect_N_K = notebook.grounder.effects(notebook.groundings, cases)[:, :, 0]
    gap_N: NDArray[np.float64] = effect_N_K[:, 1] - effect_N_K[:, 0]
    return gap_N


def in_worlds(notebook: Notebook, cases: list[Case], drawn: Worlds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-odds of the second option: q_M_N and r_M_N, the leaning being nothing."""
    assert notebook.truth_model is not None
    nothing_M_D = np.zeros((len(drawn.competence_T), len(notebook.truth_model.leaning.theta_D)))
    q_M_N_K, r_M_N_K = predicted(notebook, cases, notebook.seen(cases), nothing_M_D, drawn)
    return np.log(q_M_N_K[:, :, 1] / q_M_N_K[:, :, 0]), np.log(r_M_N_K[:, :, 1] / r_M_N_K[:, :, 0])


def test_what_is_better_is_in_the_truth_and_what_is_liked_in_the_answer_alone(tmp_path: Path) -> None:
    cases = pairs()
    notebook = notebook_of(tmp_path, cases)
    drawn = worlds((Kind.BETTER, 0.0), (Kind.BETTER, 2.0), (Kind.LIKED, 2.0))
    q_M_N, r_M_N = in_worlds(notebook, cases, drawn)
    gap_N = loudness(notebook, cases)
    assert np.allclose(r_M_N[1] - r_M_N[0], 2.0 * gap_N) and np.allclose(r_M_N[2], r_M_N[0])
    # By hand: competence 1 prefers the truth by 1 in log-odds, a liking adds its own.
    for m, liked_N in ((0, 0.0 * gap_N), (1, 0.0 * gap_N), (2, 2.0 * gap_N)):
        said_N = expit(r_M_N[m]) * expit(1.0 + liked_N) + expit(-r_M_N[m]) * expit(-1.0 + liked_N)
        assert np.allclose(expit(q_M_N[m]), said_N)


def test_of_classes_the_answer_follows_the_leaning(tmp_path: Path) -> None:
    cases = [Case(f"c{i}", f"It was a day {i}{'!!' * (i % 2)}", ("no", "yes"), Split.POOL) for i in range(40)]
    notebook = notebook_of(tmp_path, cases, options_vary=False)
    q_M_N, r_M_N = in_worlds(notebook, cases, worlds((Kind.BETTER, 3.0), (Kind.LIKED, 2.0)))
    assert np.allclose(r_M_N[0], r_M_N[1]) and np.allclose(q_M_N[0], 0.0)
    assert np.allclose(q_M_N[1], 2.0 * loudness(notebook, cases))
    # Where a subject misleads, nothing of the leaning is left.
    assert notebook.truth_model is not None
    some_1_D = np.ones((1, len(notebook.truth_model.leaning.theta_D)))
    presence_N = notebook.grounder.presence(notebook.groundings, cases)[:, 0]
    misleading = worlds((Kind.MISLED, 1.0 / presence_N.max()))
    q_1_N_K, _ = predicted(notebook, cases, notebook.seen(cases), some_1_D, misleading)
    assert np.allclose(q_1_N_K[0, presence_N == presence_N.max()], 0.5)
    assert not np.isclose(q_1_N_K[0, presence_N == 0.0], 0.5).any()


@pytest.mark.parametrize("unsure", [True, False])
def test_cases_that_tell_what_is_better_inform_the_truth(tmp_path: Path, unsure: bool) -> None:
    """Whether loud options are better is seen from pairs of which one is loud; once it is known, from none."""
    cases = pairs()
    notebook = notebook_of(tmp_path, cases, taste=True)
    ways = ((Kind.BETTER, 5.0), (Kind.BETTER, -5.0)) if unsure else ((Kind.BETTER, 5.0),)
    notebook.worlds = worlds(*ways, competence=5.0)
    rng = np.random.default_rng(0)
    assert notebook.truth_model is not None
    seen = notebook.seen(cases)
    nothing_M_D = np.zeros((64, len(notebook.truth_model.leaning.theta_D)))
    q_M_C_K, r_M_T_K = predicted(notebook, cases, seen, nothing_M_D, notebook.worlds_drawn(64, rng))
    epig_C = infogain.epig(np.full(64, 1 / 64), q_M_C_K, r_M_T_K)
    told_C = np.abs(loudness(notebook, cases)) > 0
    assert epig_C[~told_C].max() < 1e-3
    assert epig_C[told_C].min() > 0.1 if unsure else epig_C.max() < 1e-3


def averaged(notebook: Notebook, cases: list[Case], one: HypothesisSet, seed: int) -> NDArray[np.float64]:
    truth_N_K, there = notebook.unasked_truth(cases), notebook.measured(cases)
    return whatever_else(notebook, truth_N_K, there, one, np.random.default_rng(seed))


def two_sets(tmp_path: Path) -> Notebook:
    """Loudness and asking, of which nothing else is known than the worlds a test makes up."""
    notebook = notebook_of(tmp_path, pairs())
    (asking,) = (one for one in enumerated(notebook.grounder) if one.grounding.measure == "question marks")
    notebook.sets.append(make_set(asking, 2, notebook.representation.task))
    learn(notebook)
    return notebook


def test_what_else_may_be_so_is_summed_out(tmp_path: Path) -> None:
    """Against the mean of what is predicted with the other set at what it is in each world."""
    notebook = two_sets(tmp_path)
    loud = notebook.sets[0]
    amount_T_S_M = np.zeros((2, 2, len(Kind)))
    amount_T_S_M[1, 1, list(Kind).index(Kind.LIKED)] = 5.0
    notebook.worlds = Worlds(amount_T_S_M, np.array([0.5, 2.0]), np.zeros((2, 2)))
    found_H_N_K = averaged(notebook, pairs(), loud, 1)
    alone = []
    for t in range(2):
        liking, notebook.competence = amount_T_S_M[t, 1, 0], float(notebook.worlds.competence_T[t])
        notebook.mattering = {notebook.sets[1].id: Mattering(liking=float(liking))}
        alone.append(notebook.set_predictions(pairs(), [loud])[loud.id][0])
    # Each hypothesis has eight draws of the two worlds: some share of the second, the same for all cases.
    for found_N_K, first_N_K, second_N_K in zip(found_H_N_K, *alone, strict=True):
        gap_N, moved_N = second_N_K[:, 0] - first_N_K[:, 0], found_N_K[:, 0] - first_N_K[:, 0]
        share = moved_N[np.abs(gap_N) > 1e-6] / gap_N[np.abs(gap_N) > 1e-6]
        assert len(share) and np.allclose(share, share[0]) and np.isclose(share[0] * 8, round(share[0] * 8))
    assert len({round(float(q_N_K[0, 0]), 12) for q_N_K in found_H_N_K}) > 1


def test_an_answer_that_two_suspicions_explain_is_little_news_of_one(tmp_path: Path) -> None:
    notebook = two_sets(tmp_path)
    loud = notebook.sets[0]
    liked = list(Kind).index(Kind.LIKED)
    liking = next(h for h, one in enumerate(loud.hypotheses) if (one.kind, one.direction) == (Kind.LIKED, 1))
    amount_T_S_M = np.zeros((40, 2, len(Kind)))
    amount_T_S_M[:20, 0, liked] = 2.0
    apart, together = amount_T_S_M.copy(), amount_T_S_M.copy()
    apart[::2, 1, liked] = 2.0
    together[20:, 1, liked] = 2.0  # either of them is liked, and never both
    p_H = np.eye(len(loud.names))[liking] / 2 + np.eye(len(loud.names))[-1] / 2
    notebook.unasked_truth = lambda cases: np.full((len(cases), 2), 0.5)  # type: ignore[method-assign]
    told = {}
    case = Case("new", "Which way?", ("Take road 1.", "Take path 1!! Why not?"), Split.POOL)
    for name, amounts in (("apart", apart), ("together", together)):
        notebook.worlds = Worlds(amounts, np.full(40, 2.0), np.zeros((40, 2)))
        q_H_C_K = averaged(notebook, [case], loud, 0)
        told[name] = float(infogain.eig(p_H, q_H_C_K)[0])
    assert told["together"] < told["apart"] / 2


def test_draws_that_have_a_hypothesis_or_all_where_none_has() -> None:
    drawn = worlds((Kind.LIKED, 2.0), (Kind.LIKED, -2.0), (Kind.BETTER, 2.0), (Kind.LIKED, 0.0))
    way = {(kind, sign): Hypothesis("", "", kind, sign, 0.1) for kind in Kind for sign in (1, -1)}
    assert list(drawn.having(0, way[Kind.LIKED, 1])) == [0] and list(drawn.having(0, way[Kind.LIKED, -1])) == [1]
    assert list(drawn.having(0, way[Kind.BETTER, 1])) == [2] and list(drawn.having(0, None)) == [3]
    assert list(drawn.having(0, way[Kind.MISLED, 1])) == [0, 1, 2, 3]
    assert not drawn.but_for(0).amount_T_S_M.any() and drawn.amount_T_S_M.any()


def test_the_sense_of_what_is_sure_to_matter_is_doubted_until_edits_have_tested_it(tmp_path: Path) -> None:
    cases = pairs()
    notebook = notebook_of(tmp_path, cases)
    update_beliefs(notebook)
    (loud,) = notebook.sets
    sure_H = np.append(np.eye(len(loud.hypotheses))[0] * 0.9, 0.1)
    notebook.beliefs[loud.id] = replace(notebook.beliefs[loud.id], p_H=sure_H)

    def leads() -> float:
        p_H = doubting(notebook)[loud.id].p_H
        assert np.isclose(p_H.sum(), 1.0) and p_H[-1] == 0.1 and (p_H > 0).all()
        return float(p_H[0])

    untested = leads()
    assert untested < 0.9 and np.array_equal(notebook.beliefs[loud.id].p_H, sure_H)
    parent = cases[1]
    for number, (words, combined) in enumerate([("!!", False), ("!!!", True), ("!!!!", False)]):
        options = (parent.options[0] + words, parent.options[1])
        edit = Case(f"edit{number}", parent.text, options, Split.WRITTEN)
        notebook.origins[edit.id] = parent
        answer = None if number == 2 else 0
        notebook.record(Candidate(edit, "edited", parent=parent.id, about=(loud.id,), combined=combined), answer, {})
    # One of the three was an edit of this alone that was answered.
    assert np.isclose(0.9 - leads(), (0.9 - untested) / 2)
    notebook.representation.task = replace(notebook.representation.task, options_vary=False)
    assert doubting(notebook) == notebook.beliefs


def test_before_any_set_is_weighed_every_world_is_the_mean(tmp_path: Path) -> None:
    notebook = notebook_of(tmp_path, pairs())
    drawn = notebook.worlds_drawn(5, np.random.default_rng(0))
    assert not drawn.amount_T_S_M.any() and (drawn.competence_T == notebook.competence).all()
    outlook = outlook_of(
        notebook, [Candidate(case, "pool") for case in pairs()[:7]], pairs()[7:], np.ones(33), np.random.default_rng(0)
    )
    assert outlook.q_M_C_K.shape == outlook.r_M_C_K.shape == (64, 7, 2) and outlook.r_M_T_K.shape == (64, 33, 2)


def test_a_set_that_is_given_up_leaves_every_world(tmp_path: Path) -> None:
    notebook = notebook_of(tmp_path, pairs())
    update_beliefs(notebook)
    notebook.forget(notebook.sets[0])
    learn(notebook)
    assert notebook.worlds is not None and notebook.worlds.amount_T_S_M.shape[1] == 0
    outlook_of(notebook, [Candidate(pairs()[0], "pool")], pairs(), np.ones(40), np.random.default_rng(0))
