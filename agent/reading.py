"""A run as a person reads it: its rounds, hypothesis sets with their posteriors over time, theories, students.

What a run has little of is kept here, in memory; the many (experiments, chains, cases) are in
:mod:`askew.agent.runlog`, which reads a log into this view.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from askew.agent.hypotheses import NONE_OF_THESE
from askew.agent.journal import Data, Event

BELIEVED = 0.5
"""Least posterior probability of a hypothesis that is reported as believed."""


@dataclass
class SetView:
    """One hypothesis set through the run."""

    id: str
    subject: str
    why: str
    grounder: str
    round: int = 0
    hypotheses: dict[str, Data] = field(default_factory=dict)
    history: list[Data] = field(default_factory=list)
    """Beliefs, one a round, each with its round's number."""
    merged: list[Data] = field(default_factory=list)
    """What was merged into the set: ``{"round", "id", "why"}``."""
    killed: Data | None = None
    """``{"round", "why"}``, once nobody believes in it any more."""
    priorities: list[Data] = field(default_factory=list)
    """What resolving it was thought to be worth, round by round."""
    clarifications: list[Data] = field(default_factory=list)

    @property
    def posterior(self) -> dict[str, float]:
        """The latest posterior, by hypothesis; the prior where nothing was asked yet."""
        if self.history:
            latest: dict[str, float] = self.history[-1]["posterior"]
            return latest
        return self.priors

    @property
    def priors(self) -> dict[str, float]:
        """The prior of every hypothesis, with what is left over for "none of these"."""
        given = {name: float(h["prior"]) for name, h in self.hypotheses.items()}
        return {**given, NONE_OF_THESE: max(0.0, round(1.0 - sum(given.values()), 6))}

    @property
    def priority(self) -> Data | None:
        """The latest priority."""
        return self.priorities[-1] if self.priorities else None

    def priority_in(self, round_: int) -> Data | None:
        """The priority that it had when the cases of a round were chosen."""
        return next((p for p in reversed(self.priorities) if p["round"] == round_), None)

    def statement(self, name: str) -> str:
        """A hypothesis of the set in words."""
        known = self.hypotheses.get(name)
        return "none of these" if known is None else str(known["statement"])

    def until(self, round_: int) -> SetView:
        """The set as it stood at the end of a round."""
        killed = self.killed if self.killed and self.killed["round"] <= round_ else None
        return replace(self, history=[b for b in self.history if b["round"] <= round_], killed=killed)

    @property
    def parents(self) -> list[str]:
        """Hypotheses that the set's own were revised from, each once."""
        return list(dict.fromkeys(p for h in self.hypotheses.values() for p in h.get("parents") or ()))

    @property
    def leader(self) -> tuple[str, float]:
        """The likeliest hypothesis (``h0`` included) and its probability."""
        return max(self.posterior.items(), key=lambda item: item[1])


@dataclass
class RunView:
    """What a run's log says, by what a person asks for."""

    started: Data = field(default_factory=dict)
    rounds: list[Data] = field(default_factory=list)
    sets: dict[str, SetView] = field(default_factory=dict)
    clusters: dict[str, Data] = field(default_factory=dict)
    """Clusters of claims, without their members."""
    theory: Data | None = None
    theories: list[Data] = field(default_factory=list)
    students: list[Data] = field(default_factory=list)
    """One for each training: ``{"round", "labels", …, "changed": {split: share}, "confidence": {split: mean}}``."""
    checks: list[Data] = field(default_factory=list)
    finished: Data | None = None
    labels_used: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    likeliest: dict[str, list[int]] = field(default_factory=dict)
    """The latest student's likeliest true label of each case, by split."""

    @property
    def believed(self) -> list[Data]:
        """Hypotheses other than "none of these" that are believed, the likeliest first."""
        items = [
            {"set": s.id, "id": name, "statement": s.hypotheses[name]["statement"], "probability": p}
            for s in self.sets.values()
            if s.killed is None
            for name, p in s.posterior.items()
            if name in s.hypotheses and p >= BELIEVED and s.history
        ]
        return sorted(items, key=lambda item: -float(item["probability"]))


def apply_event(view: RunView, event: Event) -> None:
    """Take one more event into the view."""
    view.counts[event.kind] = view.counts.get(event.kind, 0) + 1
    reader = _READERS.get(event.kind)
    if reader is not None:
        reader(view, event)


def _started(view: RunView, event: Event) -> None:
    view.started = event.data


def _round(view: RunView, event: Event) -> None:
    view.rounds.append({"round": event.round, "chains": 0, "malformed": 0, "asked": 0, "unsure": 0, "sets": 0})


def _count(view: RunView, name: str, by: int = 1) -> None:
    if view.rounds:
        view.rounds[-1][name] += by


def _chain(view: RunView, event: Event) -> None:
    _count(view, "chains")
    _count(view, "malformed", event.data["malformed"] is not None)


def _cluster(view: RunView, event: Event) -> None:
    kept = {name: value for name, value in event.data.items() if name != "members"}
    view.clusters[event.data["id"]] = {"round": event.round, "n": event.n, **kept}


def _born(view: RunView, event: Event) -> None:
    data = event.data
    known = view.sets.get(data["set"])
    if known is None:
        known = SetView(data["set"], data["subject"], data.get("why", ""), data.get("grounder", ""), event.round)
        view.sets[data["set"]] = known
        _count(view, "sets")
    known.hypotheses[data["id"]] = {"round": event.round, **data}


def _merged(view: RunView, event: Event) -> None:
    if event.data["into"] in view.sets:
        view.sets[event.data["into"]].merged.append({"round": event.round, **event.data})


def _killed(view: RunView, event: Event) -> None:
    if event.data["set"] in view.sets:
        view.sets[event.data["set"]].killed = {"round": event.round, **event.data}


def _priority(view: RunView, event: Event) -> None:
    if event.data["set"] in view.sets:
        view.sets[event.data["set"]].priorities.append({"round": event.round, **event.data})


def _answer(view: RunView, event: Event) -> None:
    view.labels_used = event.data["labels_used"]
    _count(view, "asked")
    _count(view, "unsure", event.data["weak"] is None)


def _clarification(view: RunView, event: Event) -> None:
    view.labels_used = event.data["labels_used"]
    if event.data["set"] in view.sets:
        view.sets[event.data["set"]].clarifications.append({"round": event.round, "n": event.n, **event.data})


def _belief(view: RunView, event: Event) -> None:
    if event.data["set"] in view.sets:
        view.sets[event.data["set"]].history.append({"round": event.round, **event.data})


def _theory(view: RunView, event: Event) -> None:
    view.theory = event.data
    view.theories.append({"round": event.round, **event.data})


def _training(view: RunView, event: Event) -> None:
    view.students.append({"round": event.round, **event.data, "changed": {}, "confidence": {}})


def _prediction(view: RunView, event: Event) -> None:
    """How far the new student departs from the last one, and how sure it is; whether it is right is not known here."""
    split, rows = event.data["split"], event.data["truth"]
    likeliest = [max(range(len(row)), key=row.__getitem__) for row in rows]
    before = view.likeliest.get(split)
    view.likeliest[split] = likeliest
    if not view.students or not rows:
        return
    if before is not None and len(before) == len(likeliest):
        moved = sum(a != b for a, b in zip(before, likeliest, strict=True))
        view.students[-1]["changed"][split] = round(moved / len(likeliest), 4)
    view.students[-1]["confidence"][split] = round(sum(max(row) for row in rows) / len(rows), 4)


def _check(view: RunView, event: Event) -> None:
    view.checks.append(event.data)


def _finished(view: RunView, event: Event) -> None:
    view.finished = event.data


_READERS: dict[str, Any] = {
    "run-started": _started,
    "round-started": _round,
    "chain": _chain,
    "cluster": _cluster,
    "hypothesis-born": _born,
    "hypothesis-merged": _merged,
    "hypothesis-killed": _killed,
    "priority": _priority,
    "answer": _answer,
    "clarification": _clarification,
    "belief": _belief,
    "theory": _theory,
    "training": _training,
    "prediction": _prediction,
    "check": _check,
    "run-finished": _finished,
}
