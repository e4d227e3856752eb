"""Speed of design, learning and belief, beside a straightforward per-candidate implementation in the same run.

    python benchmarks/speed.py [--candidates 10000] [--hypotheses 500] [--targets 2000] [--plain 200] [--json FILE]

The plain implementation scores one candidate after the other; it is run on ``--plain`` of the candidates and its time
scaled to all of them (it is linear in their number), and its scores have to be the same. Seconds are wall time; CPU
seconds stand beside them, since other work on the machine stretches the former. Goals are those of the issue.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import xlogy

from askew.agent import infogain
from askew.agent.answering import Evidence
from askew.agent.conditional_logit import class_columns, fit_logit
from askew.agent.hypotheses import Grounding, Hypothesis, HypothesisSet, Kind
from askew.agent.joint import weigh
from askew.agent.reweigh import reweigh

Array = infogain.Array
FEW_MORE = (1, 10)
"""So many answers more are heard by weighing draws."""


def plain_epig(p_H: Array, q_H_C_K: Array, r_H_T_K: Array) -> Array:
    """EPIG as the formula reads, one candidate at a time, in float64."""
    target = infogain.entropy(np.einsum("h,hty->ty", p_H, r_H_T_K)).mean()
    scores = []
    for c in range(q_H_C_K.shape[1]):
        joint_K_T_Y = np.einsum("h,hk,hty->kty", p_H, q_H_C_K[:, c], r_H_T_K, optimize=True)
        joint = -xlogy(joint_K_T_Y, joint_K_T_Y).sum(axis=(0, 2)).mean()
        scores.append(infogain.entropy(p_H @ q_H_C_K[:, c]) + target - joint)
    return np.array(scores)


def plain_batch(p_H: Array, q_H_C_K: Array, size: int, score_C: Array, exact: int = 1024) -> list[int]:
    """The greedy joint batch, one candidate at a time, as far as the joint fits."""
    h, c, k = q_H_C_K.shape
    chosen: list[int] = []
    batch_H_J = np.ones((h, 1))
    alone_C = np.maximum(infogain.eig(p_H, q_H_C_K), 1e-12)
    while len(chosen) < size and batch_H_J.shape[1] * k <= exact:
        before = infogain.entropy(p_H @ batch_H_J)
        best, best_gain = -1, -np.inf
        for candidate in set(range(c)) - set(chosen):
            joint_J_K = (p_H[:, None] * batch_H_J).T @ q_H_C_K[:, candidate]
            fresh = infogain.entropy(joint_J_K.ravel()) - before - p_H @ infogain.entropy(q_H_C_K[:, candidate])
            gain = score_C[candidate] * np.clip(fresh / alone_C[candidate], 0.0, 1.0)
            if gain > best_gain:
                best, best_gain = candidate, gain
        chosen.append(best)
        batch_H_J = (batch_H_J[:, :, None] * q_H_C_K[:, best][:, None]).reshape(h, -1)
    return chosen


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What ``work`` gives, its seconds, and by how much the largest resident set grew (GB)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    return made, {"seconds": round(seconds, 3), "cpu_seconds": round(used, 3), "grown_gb": round(grown, 3)}


def design(c: int, h: int, t: int, k: int, plain: int) -> dict[str, Any]:
    """EPIG of all candidates and a batch of 20 of them."""
    rng = np.random.default_rng(0)
    p_H = rng.dirichlet(np.ones(h))
    q_H_C_K = rng.dirichlet(np.ones(k), size=(h, c))
    r_H_T_K = rng.dirichlet(np.ones(k), size=(h, t))
    infogain.epig(p_H, q_H_C_K[:, :8], r_H_T_K)  # the first product starts the threads
    score_C, epig = timed(lambda: infogain.epig(p_H, q_H_C_K, r_H_T_K))
    few, slow = timed(lambda: plain_epig(p_H, q_H_C_K[:, :plain], r_H_T_K))
    assert np.allclose(few, score_C[:plain], atol=1e-6), "the two implementations disagree"
    batch, joint = timed(lambda: infogain.joint_batch(p_H, q_H_C_K, 20, score_C, np.random.default_rng(0)))
    small = q_H_C_K[:, :plain]
    one, slow_joint = timed(lambda: plain_batch(p_H, small, 20, score_C[:plain]))
    same = infogain.joint_batch(p_H, small, len(one), score_C[:plain], np.random.default_rng(0))
    assert one == same, "the two implementations choose differently"
    assert len(batch) == 20
    scale = c / plain
    return {
        f"EPIG {c} x {h} x {t}, {k} labels": {**epig, "goal": 5.0, "plain_cpu_seconds": slow["cpu_seconds"] * scale},
        f"joint batch of 20 from {c}": {**joint, "goal": 5.0, "plain_cpu_seconds": slow_joint["cpu_seconds"] * scale},
    }


def learning(labels: int, columns: int = 256) -> dict[str, Any]:
    """The probe on ``labels`` answers."""
    rng = np.random.default_rng(0)
    columns_L_K_D = class_columns(rng.standard_normal((labels, columns)), 2)
    truth_D = 0.3 * rng.standard_normal(columns)
    weak_L = (rng.random(labels) < 1 / (1 + np.exp(-(columns_L_K_D[:, 1] - columns_L_K_D[:, 0]) @ truth_D))).astype(int)
    variance_D = np.full(columns, 3e-3)
    targets_L_K = np.eye(2)[weak_L]
    _, whole = timed(lambda: fit_logit(columns_L_K_D, targets_L_K, variance_D))
    return {f"probe refitted to {labels} labels": {**whole, "goal": 3.0}}


def beliefs(known: int, n_sets: int = 80) -> dict[str, Any]:
    """The joint posterior of many sets: sampled over the whole history, and after a few more answers."""
    rng = np.random.default_rng(0)
    ways = [(Kind.LIKED, 1), (Kind.LIKED, -1), (Kind.BETTER, 1), (Kind.BETTER, -1), (Kind.MISLED, 1)]
    grounding = Grounding("length", False, 1, 1.0)
    hypotheses = [tuple(Hypothesis(f"S{s}.{h}", "", *way, 0.01) for h, way in enumerate(ways)) for s in range(n_sets)]
    sets = [HypothesisSet(f"S{s}", "subject", grounding, own, (), "") for s, own in enumerate(hypotheses)]
    total = known + max(FEW_MORE)
    truth_L, level_L_S = rng.integers(2, size=total), rng.choice([0.0, 1.0], size=(total, n_sets), p=[0.6, 0.4])
    right_L = rng.random(total) < 0.8
    weak_L = np.where((level_L_S[:, 2] > 0) & (rng.random(total) < 0.8), 1, np.where(right_L, truth_L, 1 - truth_L))
    clue_L = 2.0 * (2 * truth_L - 1) + 2.0 * rng.standard_normal(total)
    prior_L_K = 1 / (1 + np.exp(np.stack([clue_L, -clue_L], axis=1)))
    effects_L_K_S = np.stack([-level_L_S / 2, level_L_S / 2], axis=1)
    evidence = Evidence(prior_L_K, effects_L_K_S, effects_L_K_S, level_L_S, weak_L, np.arange(total))
    before, whole = timed(lambda: weigh(sets, evidence[np.arange(known)], np.random.default_rng(0), biased=True))
    found = {f"joint posterior of {n_sets} sets sampled over {known:,}": whole}
    for new in FEW_MORE:
        more = evidence[np.arange(known, known + new)]
        later, update = timed(lambda more=more: reweigh(before, more, np.ones(len(more), dtype=np.bool_)))
        found[f"the same by its draws, {new} more than {known:,}"] = {
            **update,
            "draws_sufficed": float(later is not None),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("candidates", 10_000),
        ("hypotheses", 500),
        ("targets", 2_000),
        ("labels", 2),
        ("plain", 200),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = design(chosen.candidates, chosen.hypotheses, chosen.targets, chosen.labels, chosen.plain)
    for labels in (200, 2_000, 20_000):
        found |= learning(labels)
    for known in (200, 2_000):
        found |= beliefs(known)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    for name, row in found.items():
        print(f"{name:44s} " + "  ".join(f"{key} {value:.3f}" for key, value in row.items()))
    threads = os.getenv("OMP_NUM_THREADS", "not set")
    print(f"largest resident set {peak:.2f} GB (goal 2), {os.cpu_count()} cores, OMP_NUM_THREADS {threads}")
    if chosen.json:
        chosen.json.write_text(json.dumps({**found, "peak_gb": peak}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
