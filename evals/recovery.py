"""Is a planted mistake found? Judged by what a hypothesis does on cases that were not in the run, not by its words.

A hypothesis and the planted rule both *pick* an option in some cases and say nothing in the others. A hypothesis
recovers a mistake when the two are of one mind in at least 90% of the held-out cases in which either says anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from askew.agent.annotate import Annotate, Annotation
from askew.agent.cluster import Embed
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding, Kind
from askew.agent.journal import Event, read_events
from askew.agent.reading import RunView, apply_event
from askew.evals.methods.registry import NotApplicableError
from askew.evals.protocol import Load, every_case, limited, read_config
from askew.evals.simulated import ASKABLE, mistake_pick
from askew.tasks.case import Case, Split

SAME = 0.9
"""Share of the cases in which either picks an option that have to be picked alike."""
DISCOVERED = 0.5
"""Posterior from which a hypothesis counts as a discovery."""
HELD_OUT = 600
LEAST_PICK = 0.02
"""An effect smaller than this says nothing."""
BINS = 10
LIKELY = 0.1
"""Posterior from which a hypothesis says something."""

Pick = Callable[[Case, int], int | None]
"""From a case and its true option to the option that a rule prefers, or ``None`` where it says nothing."""


@dataclass(frozen=True)
class Found:
    """A mistake that a run believes in, and which planted ones it is, by behaviour."""

    statement: str
    posterior: float
    agreement: float
    """With the planted mistake that it is most like; 0 where none is planted."""
    like: str


@dataclass(frozen=True)
class Recovery:
    """What one run made of its supervisor's mistakes; ``found`` is ranked by posterior."""

    task: str
    supervisor: str
    method: str
    seed: int
    planted: tuple[str, ...]
    found: tuple[Found, ...]
    led: dict[int, bool] = field(default_factory=dict)
    """By the labels used after each round: whether the planted mistakes led then (``leading`` of what was found)."""

    def hit(self, top: int) -> bool:
        """Whether every planted mistake is among the leading ones: the first ``top``, or as many as are planted."""
        return leading(self.found, self.planted, top)

    def labels_to_lead(self) -> float:
        """Fewest labels after which the planted mistakes lead to the end; infinite where they don't at the end."""
        fewest = float("inf")
        for labels, leads in sorted(self.led.items(), reverse=True):
            if not leads:
                break
            fewest = labels
        return fewest

    def false_discoveries(self) -> int:
        """Hypotheses believed in that are no planted mistake."""
        return sum(one.posterior > DISCOVERED and one.agreement < SAME for one in self.found)


def leading(found: Sequence[Found], planted: Sequence[str], top: int = 1) -> bool:
    """Whether every planted mistake is among the first ``top``, or as many as are planted; ``found`` is ranked."""
    return {one.like for one in found[: max(top, len(planted))] if one.agreement >= SAME} >= set(planted)


def planted_mistakes(supervisor: str) -> tuple[str, ...] | None:
    """Names of the planted mistakes; none for an unbiased one, ``None`` where the mistakes aren't known."""
    kind, _, argument = supervisor.partition(":")
    if kind == "simulated" and argument.startswith("flips"):
        return ()
    if kind != "planted":
        return None
    names = (term.partition("@")[0].strip() for term in argument.split("+"))
    return tuple(name for name in names if name not in {"competence", ASKABLE})


def recovery(folder: Path, load: Load, embed: Embed) -> Recovery:
    """What a finished run found, read from its log.

    Raises ``NotApplicableError`` where its supervisor's mistakes aren't known, or where one of them shows in none of
    the held-out cases.
    """
    settings, _ = read_config(folder)
    planted = planted_mistakes(settings.supervisor)
    if planted is None:
        raise NotApplicableError(f"what {settings.supervisor} gets wrong is not known: recovery can't be judged.")
    whole = every_case(settings, load)
    task = limited(whole, settings).task
    used = {case.id for case in task.cases}
    held = [case for case in whole.task.cases if case.id not in used and case.id in whole.gold] or [
        case for case in task.split(Split.TEST) if case.id in whole.gold
    ]
    held = held[:HELD_OUT]
    truths = [whole.gold[case.id] for case in held]
    events = list(read_events(folder))
    grounder = Grounder(task, embed, as_annotated(events))
    rules = {name: _picks(mistake_pick(name, task), held, truths) for name in planted}
    for name, rule in rules.items():
        if set(rule) == {None}:
            raise NotApplicableError(
                f"{name} shows in none of the {len(held)} held-out cases: whether it was found can't be judged."
            )
    born = {event.data["id"]: event.data for event in events if event.kind == "hypothesis-born"}
    judge = cache(lambda name: _likeness(_picked(born[name], grounder, held, truths), rules))
    found_by_labels = {
        labels: tuple(Found(born[name]["statement"], posterior, *judge(name)) for name, posterior in ranked)
        for labels, ranked in believed_by_labels(events).items()
    }
    found = next(reversed(found_by_labels.values()), ())
    led = {labels: leading(ranked, planted) for labels, ranked in found_by_labels.items()} if planted else {}
    return Recovery(settings.task, settings.supervisor, settings.method, settings.seed, planted, found, led)


def as_annotated(events: Sequence[Event]) -> Annotate:
    """What the strong model said of each subject in the run."""
    said = {event.data["subject"]: Annotation.from_data(event.data) for event in events if event.kind == "annotation"}
    return lambda subject, texts, near_N: said.get(subject)


def believed_by_labels(events: Sequence[Event]) -> dict[int, list[tuple[str, float]]]:
    """After each round, by its labels: the hypotheses about mistakes with their posterior, the most probable first."""
    view, by_labels = RunView(), {}
    for _, of_round in groupby(events, key=lambda event: event.round):
        for event in of_round:
            apply_event(view, event)
        pairs = [
            (name, one.posterior[name])
            for one in view.sets.values()
            if one.killed is None and one.history
            for name, hypothesis in one.hypotheses.items()
            if hypothesis["kind"] != Kind.BETTER
        ]
        by_labels[view.labels_used] = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    return by_labels


def _likeness(picks: Sequence[int | None], rules: dict[str, list[int | None]]) -> tuple[float, str]:
    """Agreement with the planted mistake that the picks are most like, and its name."""
    agreements = {name: agreement(picks, rule) for name, rule in rules.items()}
    like = max(agreements, key=lambda name: agreements[name], default="")
    return round(agreements.get(like, 0.0), 4), like


def agreement(first: Sequence[int | None], second: Sequence[int | None]) -> float:
    """Share of the cases in which either rule picks an option that both pick alike; 0 where neither ever does."""
    either = [(a, b) for a, b in zip(first, second, strict=True) if a is not None or b is not None]
    return sum(a == b for a, b in either) / len(either) if either else 0.0


def _picks(rule: Pick, cases: Sequence[Case], truths: Sequence[int]) -> list[int | None]:
    return [rule(case, true) for case, true in zip(cases, truths, strict=True)]


def _picked(data: dict[str, Any], grounder: Grounder, held: Sequence[Case], truths: Sequence[int]) -> list[int | None]:
    """What a hypothesis of the log prefers in each case, or ``None`` where it says nothing."""
    task = grounder.task
    option = data.get("option", task.n_options - 1)  # an older log has the last one's alone
    grounding = Grounding(data["grounder"], data["concept"], option, data["trust"])
    present_N = grounder.presence([grounding], held)[:, 0] > LEAST_PICK
    if data["kind"] == Kind.MISLED:
        return [(true + 1) % task.n_options if here else None for true, here in zip(truths, present_N, strict=True)]
    effect_N_K = data["direction"] * grounder.effects([grounding], held)[:, :, 0]
    ranked_N_K = np.sort(effect_N_K, axis=1)
    says_N = ranked_N_K[:, -1] - ranked_N_K[:, -2] > LEAST_PICK
    if not task.options_vary:
        says_N &= present_N
    return [int(effect_K.argmax()) if says else None for effect_K, says in zip(effect_N_K, says_N, strict=True)]


def summary(recoveries: Sequence[Recovery]) -> list[dict[str, Any]]:
    """For each task and method: recovery over runs with planted mistakes, false discoveries, and calibration."""
    rows = []
    for task, method in sorted({(one.task, one.method) for one in recoveries}):
        runs = [one for one in recoveries if (one.task, one.method) == (task, method)]
        single = [one for one in runs if len(one.planted) == 1]
        pairs = [one for one in runs if len(one.planted) > 1]
        unbiased = [one for one in runs if not one.planted]
        rows.append(
            {
                "task": task,
                "method": method,
                "runs": len(runs),
                "top1": _mean([one.hit(1) for one in single]),
                "top3": _mean([one.hit(3) for one in single]),
                "pairs_top2": _mean([one.hit(2) for one in pairs]),
                "labels_to_lead": _median([one.labels_to_lead() for one in single]),
                "led_by_labels": _led_by_labels([*single, *pairs]),
                "false_discoveries_unbiased": _mean([one.false_discoveries() > 0 for one in unbiased]),
                "false_discoveries_planted": _mean([one.false_discoveries() > 0 for one in (*single, *pairs)]),
                "ece": expected_calibration_error(runs),
                "ece_of_likely": expected_calibration_error(runs, LIKELY),
                "by_supervisor": {
                    name: _mean([one.hit(1) for one in runs if one.supervisor == name])
                    for name in dict.fromkeys(one.supervisor for one in runs if one.planted)
                },
            }
        )
    return rows


def expected_calibration_error(recoveries: Sequence[Recovery], least: float = 0.0) -> float | None:
    """Mean |posterior - share of planted mistakes| over ten bins of the posterior, weighed by their hypotheses.

    Most hypotheses are rightly believed with next to nothing, which makes the mean small: ``least`` leaves those out
    that are believed with less.
    """
    found = [one for run in recoveries for one in run.found if one.posterior >= least]
    if not found:
        return None
    p_N = np.array([one.posterior for one in found])
    true_N = np.array([one.agreement >= SAME for one in found], dtype=np.float64)
    bin_N = np.minimum((p_N * BINS).astype(int), BINS - 1)
    gaps = [abs(p_N[bin_N == b].mean() - true_N[bin_N == b].mean()) * (bin_N == b).sum() for b in np.unique(bin_N)]
    return round(float(sum(gaps) / len(found)), 4)


def _mean(values: Sequence[bool]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _median(values: Sequence[float]) -> float | None:
    """``None`` also where half of the values are infinite."""
    median = float(np.median(values)) if values else float("inf")
    return median if np.isfinite(median) else None


def _led_by_labels(recoveries: Sequence[Recovery]) -> dict[int, float | None]:
    """Share of the runs whose planted mistakes lead after so many labels."""
    every = sorted({labels for one in recoveries for labels in one.led})
    return {n: _mean([one.led[n] for one in recoveries if n in one.led]) for n in every}


def as_data(recoveries: Sequence[Recovery]) -> list[dict[str, Any]]:
    """Every run's leading hypotheses, for the results file."""
    return [{**asdict(one), "found": [asdict(found) for found in one.found[:5]]} for one in recoveries]
