"""The joint posterior of hypothesis sets, on data whose mistakes are known and against enumeration."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logsumexp
from scipy.stats import chisquare

from askew.agent import joint
from askew.agent.answering import Evidence
from askew.agent.hypotheses import Grounding, Hypothesis, HypothesisSet, Kind
from askew.agent.joint import weigh

WAYS = [(Kind.LIKED, 1), (Kind.LIKED, -1), (Kind.BETTER, 1), (Kind.BETTER, -1), (Kind.MISLED, 1)]


def a_set(number: int, ways: list[tuple[Kind, int]], matters: float = 0.1) -> HypothesisSet:
    hypotheses = tuple(
        Hypothesis(f"S{number}.{i}", "", kind, direction, matters / len(ways))
        for i, (kind, direction) in enumerate(ways)
    )
    return HypothesisSet(f"S{number}", "subject", Grounding("length", False, 1, 1.0), hypotheses, (), "")


class World:
    """``n`` cases with ``s`` independent subjects; the supervisor is right but for what the test plants."""

    def __init__(self, n: int, s: int, seed: int = 0, sure: float = 1.3) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth_N = self.rng.integers(2, size=n)
        self.level_N_S = self.rng.choice([0.0, 1.0], size=(n, s), p=[0.6, 0.4])
        clue_N = 2 * sure**2 * (2 * self.truth_N - 1 + self.rng.standard_normal(n) / sure)  # log-odds, calibrated
        self.prior = np.stack([expit(-clue_N), expit(clue_N)], axis=1)
        self.effects = np.stack([-self.level_N_S / 2, self.level_N_S / 2], axis=1)
        self.presence = self.level_N_S

    def evidence(self, weak_N: NDArray[np.int64], group_N: NDArray[np.int64] | None = None) -> Evidence:
        groups = np.arange(len(weak_N)) if group_N is None else group_N
        return Evidence(self.prior, self.effects, self.effects, self.presence, weak_N, groups)


def posterior(world: World, weak_N: NDArray[np.int64], sets: list[HypothesisSet], seed: int = 0) -> joint.Joint:
    return weigh(sets, world.evidence(weak_N), np.random.default_rng(seed), biased=True)


@pytest.mark.parametrize(("index", "kind"), [(0, Kind.LIKED), (4, Kind.MISLED)])
def test_a_planted_mistake_is_found_and_nothing_else(index: int, kind: Kind) -> None:
    world = World(150, 6)
    sets = [a_set(s, WAYS) for s in range(6)]
    swayed_N = (world.level_N_S[:, 2] > 0) & (world.rng.random(150) < 0.8)
    weak_N = np.where(swayed_N, 1 if kind is Kind.LIKED else 1 - world.truth_N, world.truth_N)
    found = posterior(world, weak_N, sets)
    assert found.p_S[2][index] > 0.8
    assert all(p_H[-1] > 0.8 for s, p_H in enumerate(found.p_S) if s != 2)
    assert found.liking_S[2] > 1 if kind is Kind.LIKED else found.misled_S[2] > 0.5


def test_an_unbiased_supervisor_has_no_mistakes() -> None:
    world = World(150, 12, seed=3)
    weak_N = np.where(world.rng.random(150) < 0.25, 1 - world.truth_N, world.truth_N)
    found = posterior(world, weak_N, [a_set(s, WAYS) for s in range(12)])
    assert min(p_H[-1] for p_H in found.p_S) > 0.5


@pytest.mark.parametrize("other", [0.0, 0.04])
def test_one_answer_for_nearly_everything_is_a_leaning_and_no_liking_of_what_most_cases_have(other: float) -> None:
    world = World(100, 6, seed=4)
    world.level_N_S[:, 0] = world.rng.random(100) < 0.97
    world.effects = np.stack([-world.level_N_S / 2, world.level_N_S / 2], axis=1)
    weak_N = (world.rng.random(100) >= other).astype(np.int64)
    found = posterior(world, weak_N, [a_set(s, WAYS) for s in range(6)])
    assert min(p_H[-1] for p_H in found.p_S) > 0.5
    assert found.worlds.bias_T_K[:, 1].mean() > 1.5


def test_subjects_that_go_together_share_the_blame_instead_of_doubling_it() -> None:
    world = World(150, 2, seed=1)
    same_N = world.rng.random(150) < 0.95
    world.level_N_S[:, 1] = np.where(same_N, world.level_N_S[:, 0], 1 - world.level_N_S[:, 0])
    world.effects = np.stack([-world.level_N_S / 2, world.level_N_S / 2], axis=1)
    weak_N = np.where((world.level_N_S[:, 0] > 0) & (world.rng.random(150) < 0.8), 1, world.truth_N)
    found = posterior(world, weak_N, [a_set(s, WAYS[:2]) for s in range(2)])
    matters_S = np.array([1 - p_H[-1] for p_H in found.p_S])
    assert 0.9 < matters_S.sum() < 1.3
    assert matters_S[0] > matters_S[1]


def test_an_edit_tells_liking_from_truth() -> None:
    """Answers follow the subject. Alone that may be truth; that the answer to an edit follows too can't be."""
    rng = np.random.default_rng(0)
    level_N = np.tile([1.0, -1.0], 20)
    effects = np.stack([-level_N, level_N], axis=1)[:, :, None] / 2
    origin = np.repeat(effects[::2], 2, axis=0)
    weak_N = (level_N > 0).astype(np.int64)
    even = np.full((40, 2), 0.5)
    none = np.zeros((40, 1))
    alone = Evidence(even, effects, effects, none, weak_N, np.arange(40))
    paired = Evidence(even, effects, origin, none, weak_N, np.repeat(np.arange(20), 2))
    sets = [a_set(0, WAYS[:4])]
    p_alone, p_paired = (weigh(sets, e, rng, biased=False).p_S[0] for e in (alone, paired))
    assert p_alone[2] > 0.2
    assert p_paired[0] > 0.95


def test_the_posterior_agrees_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    """With competence and slips known, the sampler's averages are the exact posterior."""
    monkeypatch.setattr(joint, "COMPETENCE", np.array([1.5]))
    monkeypatch.setattr(joint, "LOG_COMPETENCE", np.array([0.0]))
    monkeypatch.setattr(joint, "SLIPS", np.array([0.05]))
    monkeypatch.setattr(joint, "LOG_SLIPS", np.array([0.0]))
    monkeypatch.setattr(joint, "SHARPNESS", np.array([1.0, 1.0]))
    monkeypatch.setattr(joint, "LOG_SHARPNESS", np.zeros(2))
    world = World(24, 2, seed=5)
    weak_N = np.where(world.level_N_S[:, 0] + world.level_N_S[:, 1] > 1, 1, world.truth_N)
    sets = [a_set(s, WAYS[:3], 0.5) for s in range(2)]
    sampled = weigh(sets, world.evidence(weak_N), np.random.default_rng(1), biased=False, sweeps=1500, burn_in=100)

    states = [(3, None, 0.0, 0.5)]
    states += [(h, k, d * a, 0.5 / 9) for h, (k, d) in enumerate(WAYS[:3]) for a in joint.STRENGTHS]
    logp, exact = {}, np.zeros((2, 4))
    for pair in product(range(len(states)), repeat=2):
        liking, better = np.zeros((24, 2)), np.zeros((24, 2))
        for s, v in enumerate(pair):
            _, kind, amount, _ = states[v]
            target = better if kind is Kind.BETTER else liking
            target += amount * world.effects[:, :, s]
        prior = np.log(world.prior) + better
        prior -= logsumexp(prior, axis=1, keepdims=True)
        scores = liking[:, None] + 1.5 * np.eye(2)
        answer = np.exp(scores - logsumexp(scores, axis=2, keepdims=True))
        said = 0.95 * answer[np.arange(24), :, weak_N] + 0.05 / 2
        logp[pair] = np.log((np.exp(prior) * said).sum(axis=1)).sum() + sum(np.log(states[v][3]) for v in pair)
    total = logsumexp(list(logp.values()))
    for pair, value in logp.items():
        for s, v in enumerate(pair):
            exact[s, states[v][0]] += np.exp(value - total)
    assert np.allclose(np.stack(sampled.p_S), exact, atol=0.03)


def test_without_answers_the_prior_stands() -> None:
    world = World(0, 1)
    found = posterior(world, np.zeros(0, dtype=np.int64), [a_set(0, WAYS, 0.2)])
    assert found.p_S[0] == pytest.approx([0.04] * 5 + [0.8], abs=1e-6)


def test_the_same_seed_gives_the_same_posterior() -> None:
    world = World(40, 3)
    first, second = (posterior(world, world.truth_N, [a_set(s, WAYS) for s in range(3)], seed=4) for _ in range(2))
    assert np.array_equal(np.concatenate(first.p_S), np.concatenate(second.p_S))


def test_sets_that_are_looked_at_together_are_drawn_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(60, 8, seed=2)
    weak_N = np.where(world.level_N_S[:, 1] > 0, 1, world.truth_N)
    found = []
    for together in (1, 3, 24):
        monkeypatch.setattr(joint, "TOGETHER", together)
        found.append(np.stack(posterior(world, weak_N, [a_set(s, WAYS) for s in range(8)]).p_S))
    assert found[0].max() > 0.9
    assert np.allclose(found[0], found[1], rtol=1e-9) and np.allclose(found[0], found[2], rtol=1e-9)


def test_an_effect_that_no_answer_speaks_of_goes_to_every_set_alike() -> None:
    """What hands effects over leaves the posterior as it is: begun with all pairs of sets alike it ends so."""
    world = World(20, 4)
    world.effects = np.zeros_like(world.effects)
    states = [joint._states_of(a_set(s, WAYS[:2]), None) for s in range(4)]
    rng = np.random.default_rng(0)
    sampler = joint._Sampler(states, world.evidence(np.zeros(20, dtype=np.int64)), True, rng)
    pairs = list(combinations(range(4), 2))
    ended = dict.fromkeys(pairs, 0)
    for number in range(2400):
        sampler._now_S = sampler._first_S[:-1].copy()
        sampler._now_S[list(pairs[number % 6])] += 1
        sampler._hand_over_all()
        first, second = np.flatnonzero(sampler._active())
        ended[int(first), int(second)] += 1
    assert chisquare(list(ended.values())).pvalue > 1e-3, ended


def test_what_is_not_known_well_yet_is_sampled_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    swept, sweep = [0], joint._Sampler.sweep

    def counted(sampler: joint._Sampler) -> list[NDArray[np.float64]]:
        swept[0] += 1
        return sweep(sampler)

    monkeypatch.setattr(joint._Sampler, "sweep", counted)
    world = World(60, 2, seed=1)
    posterior(world, world.truth_N, [a_set(s, WAYS) for s in range(2)])
    assert swept[0] == joint.SWEEPS, "what is clear takes as many as it did"
    world.effects[:, :, 1] = world.effects[:, :, 0]
    weak_N = np.where((world.level_N_S[:, 0] > 0) & (world.rng.random(60) < 0.9), 1, world.truth_N)
    swept[0] = 0
    posterior(world, weak_N, [a_set(s, WAYS[:2]) for s in range(2)])
    assert swept[0] > joint.SWEEPS, "which of two that are the same it is changes all the time"


def test_there_may_be_no_sets() -> None:
    world = World(30, 1)
    assert posterior(world, world.truth_N, []).p_S == ()


def test_the_means_are_those_of_the_worlds_that_were_drawn() -> None:
    """Up to what averaging exact conditionals saves: the draws are of the same posterior."""
    world = World(150, 6)
    swayed_N = (world.level_N_S[:, 2] > 0) & (world.rng.random(150) < 0.8)
    found = posterior(world, np.where(swayed_N, 1, world.truth_N), [a_set(s, WAYS) for s in range(6)])
    drawn = found.worlds
    for kind, mean_S in ((Kind.LIKED, found.liking_S), (Kind.BETTER, found.better_S), (Kind.MISLED, found.misled_S)):
        assert np.allclose(drawn.amounts(kind).mean(axis=0), mean_S, atol=0.25)
    assert ((drawn.amount_T_S_M != 0).sum(axis=2) <= 1).all()
    assert np.array_equal(drawn.without(0).amount_T_S_M, drawn.amount_T_S_M[:, 1:])
