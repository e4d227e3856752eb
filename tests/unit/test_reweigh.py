"""The posterior after a few more answers, held against the same sampled anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_joint import WAYS, World, a_set
from test_outlook import notebook_of, pairs

from askew.agent import joint, update
from askew.agent.answering import Evidence
from askew.agent.belief import Told
from askew.agent.design import Candidate
from askew.agent.joint import Joint, weigh
from askew.agent.notebook import Notebook
from askew.agent.reweigh import reweigh
from askew.agent.update import learn, update_beliefs
from askew.tasks.case import Case, Split

Index = NDArray[np.int64]


def swayed(world: World, subject: int, share: float = 0.8) -> Index:
    """Answers of somebody who is right but for what sways them."""
    sways_N = (world.level_N_S[:, subject] > 0) & (world.rng.random(len(world.truth_N)) < share)
    return np.where(sways_N, 1, world.truth_N)


def sampled(evidence: Evidence, sets: int, ways: int = 5, sweeps: int = 400) -> Joint:
    rng = np.random.default_rng(0)
    return weigh([a_set(s, WAYS[:ways]) for s in range(sets)], evidence, rng, biased=True, sweeps=sweeps)


def told_later(before: Joint, evidence: Evidence, first: int, last: int | None = None) -> Joint | None:
    """What ``before`` makes of all answers from the ``first`` on, told with those whose truth they share."""
    evidence = evidence[np.arange(last or len(evidence))]
    near_L = np.isin(evidence.group_L, evidence.group_L[first:])
    return reweigh(before, evidence[near_L], (np.arange(len(evidence)) >= first)[near_L])


def paired(n: int, shared: int) -> Index:
    """Groups of which the last ``shared`` cases are edits of the first ones."""
    group_N = np.arange(n)
    group_N[n - shared :] = np.arange(shared)
    return group_N


def test_of_one_set_whose_supervisor_is_known_the_posterior_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the set's states is unsure then, and every draw has their exact probabilities."""
    for name, value in (("COMPETENCE", 1.5), ("SLIPS", 0.05), ("SHARPNESS", 1.0)):
        monkeypatch.setattr(joint, name, np.array([value, value]))
        monkeypatch.setattr(joint, f"LOG_{name}", np.zeros(2))
    world = World(40, 1, seed=2)
    evidence, sets = world.evidence(swayed(world, 0), paired(40, 6)), [a_set(0, WAYS, 0.5)]
    first, whole = (
        weigh(sets, part, np.random.default_rng(0), biased=False) for part in (evidence[np.arange(30)], evidence)
    )
    later = told_later(first, evidence, 30)
    assert later is not None
    assert not np.allclose(first.p_S[0], whole.p_S[0], atol=0.02), "the ten last answers tell nothing"
    assert np.allclose(later.p_S[0], whole.p_S[0], atol=1e-5)
    assert np.isclose(later.liking_S[0], whole.liking_S[0], atol=1e-4)


@pytest.mark.parametrize("shared", [0, 5])
def test_it_agrees_with_sampling_anew(shared: int) -> None:
    world = World(100, 6, seed=7)
    evidence = world.evidence(swayed(world, 2), paired(100, shared))
    before, anew = sampled(evidence[np.arange(94)], 6), sampled(evidence, 6)
    later = told_later(before, evidence, 94)
    assert later is not None
    for p_H, expected_H in zip(later.p_S, anew.p_S, strict=True):
        assert np.allclose(p_H, expected_H, atol=0.06)
    assert later.worlds.competence_T.mean() == pytest.approx(anew.worlds.competence_T.mean(), abs=0.4)
    assert np.allclose(later.liking_S, anew.liking_S, atol=0.3)


@pytest.mark.parametrize("n_later", [1, 2])
def test_subjects_that_went_together_are_told_apart_when_they_part(
    monkeypatch: pytest.MonkeyPatch, n_later: int
) -> None:
    """Which of the two it is nobody could know; each draw has one of them, and the new case has the first alone."""
    for name, value in (("COMPETENCE", 1.5), ("SLIPS", 0.15), ("SHARPNESS", 1.0)):
        monkeypatch.setattr(joint, name, np.array([value, value]))
        monkeypatch.setattr(joint, f"LOG_{name}", np.zeros(2))
    monkeypatch.setattr(joint, "STRENGTHS", (5.0,))
    world = World(60, 2, seed=3)
    world.level_N_S[:50, 1] = world.level_N_S[:50, 0]
    world.level_N_S[50:] = [1.0, 0.0]
    world.effects = np.stack([-world.level_N_S / 2, world.level_N_S / 2], axis=1)
    world.prior[50:] = 0.5
    weak_N = swayed(world, 0)
    weak_N[50:] = 1
    evidence, sets = world.evidence(weak_N), [a_set(s, WAYS[:1], 0.05) for s in range(2)]
    before, whole = (
        weigh(sets, evidence[np.arange(n)], np.random.default_rng(0), biased=False, sweeps=1200)
        for n in (50, 50 + n_later)
    )
    later = told_later(before, evidence[np.arange(50 + n_later)], 50)
    assert later is not None
    told, expected, known = (np.array([p_H[0] for p_H in one.p_S]) for one in (later, whole, before))
    assert np.abs(known - expected).max() > 0.1, "the new answers tell nothing"
    assert np.allclose(told, expected, atol=0.04)


def test_what_no_draw_shows_is_sampled_anew() -> None:
    """A dozen subjects that go together, hardly ever drawn: each by itself would now be likely, and one of them is."""
    world = World(40, 12, seed=5)
    world.level_N_S[:30] = 0.0
    world.level_N_S[30:] = 1.0
    world.effects = np.stack([-world.level_N_S / 2, world.level_N_S / 2], axis=1)
    world.prior[30:] = [0.9, 0.1]
    weak_N = world.truth_N.copy()
    weak_N[30:] = 1
    evidence = world.evidence(weak_N)
    before = weigh(
        [a_set(s, WAYS[:1], 0.002) for s in range(12)], evidence[np.arange(30)], np.random.default_rng(0), biased=False
    )
    assert told_later(before, evidence, 30) is None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_answers_told_one_by_one_or_together_are_the_same(seed: int, cut: int) -> None:
    world = World(36, 3, seed=seed)
    evidence = world.evidence(swayed(world, 0), paired(36, 3))
    before = sampled(evidence[np.arange(30)], 3, sweeps=60)
    together, part = told_later(before, evidence, 30), told_later(before, evidence, 30, 30 + cut)
    assume(together is not None and part is not None)
    assert together is not None and part is not None
    one_by_one = told_later(part, evidence, 30 + cut)
    assert one_by_one is not None
    for first_H, second_H in zip(together.p_S, one_by_one.p_S, strict=True):
        assert np.allclose(first_H, second_H, atol=1e-4) and np.isclose(first_H.sum(), 1.0)
    assert np.array_equal(together.worlds.amount_T_S_M, one_by_one.worlds.amount_T_S_M)


def test_what_the_draws_did_not_expect_is_sampled_anew() -> None:
    world = World(120, 4, seed=1)
    weak_N = world.truth_N.copy()
    weak_N[60:] = swayed(world, 1, 1.0)[60:]
    evidence = world.evidence(weak_N)
    assert told_later(sampled(evidence[np.arange(60)], 4), evidence, 60) is None


def test_nothing_new_changes_nothing() -> None:
    world = World(30, 2)
    evidence = world.evidence(swayed(world, 0))
    before = sampled(evidence, 2)
    later = told_later(before, evidence, 30)
    assert later is not None and np.allclose(np.stack(later.p_S), np.stack(before.p_S))
    assert np.array_equal(later.worlds.amount_T_S_M, before.worlds.amount_T_S_M)


def answered(notebook: Notebook, cases: list[Case], weak: int = 0) -> None:
    for case in cases:
        notebook.record(Candidate(case, "pool"), weak, {})
    learn(notebook)
    update_beliefs(notebook)


def test_a_notebook_looks_at_new_answers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[tuple[int, int]] = []
    anew: list[int] = []

    def watched(before: Joint, evidence: Evidence, new_L: NDArray[np.bool_]) -> Joint | None:
        looked_at.append((len(evidence), int(new_L.sum())))
        return reweigh(before, evidence, new_L)

    original = update._sampled

    def sampling(notebook: Notebook, cases: Sequence[Case]) -> Joint:
        anew.append(len(cases))
        return original(notebook, cases)

    monkeypatch.setattr(update, "reweigh", watched)
    monkeypatch.setattr(update, "_sampled", sampling)
    cases = pairs()
    notebook = notebook_of(tmp_path, cases)
    answered(notebook, cases[:12])
    assert (looked_at, anew) == ([], [12]), "there was nothing to begin with"
    answered(notebook, cases[12:14])
    edit = Case("edit", cases[0].text, (cases[0].options[0] + "!", cases[0].options[1]), Split.WRITTEN)
    notebook.origins[edit.id] = cases[0]
    answered(notebook, [edit])
    assert looked_at == [(2, 2), (2, 1)], "the answer to the case that was edited is looked at once more"
    assert anew == [12]
    (loud,) = notebook.sets
    notebook.told[loud.id] = [Told("reasons", {}, 2, None)]
    answered(notebook, cases[14:15])
    assert anew == [12], "who is unsure told nothing"
    notebook.told[loud.id] = [Told("reasons", {loud.hypotheses[0].id: 0}, 2, 0)]
    answered(notebook, cases[15:16])
    assert anew == [12, 17], "answers in words are not to cases"
    notebook.sets = [replace(loud, id="S9")]
    answered(notebook, cases[16:17])
    assert anew == [12, 17, 18], "other sets have to be sampled"
    believed, drift = Notebook.unasked_truth, 0.0

    def drifting(notebook: Notebook, cases: Sequence[Case]) -> NDArray[np.float64]:
        return believed(notebook, cases) + drift * np.array([1.0, -1.0])

    monkeypatch.setattr(Notebook, "unasked_truth", drifting)
    for number in range(3):
        drift += 0.02
        answered(notebook, cases[17 + number : 18 + number])
    assert anew == [12, 17, 18, 21], "truths that drift a little each time have moved in the end"
