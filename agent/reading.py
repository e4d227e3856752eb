"""A run folder as a person reads it: sets and their posteriors over time, experiments and why, chains."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from askew.agent.journal import Data, Event, read_events

BELIEVED = 0.5
"""Least posterior probability of a hypothesis that is reported as believed."""


@dataclass
class SetView:
    """One hypothesis set through the run."""

    id: str
    subject: str
    why: str
    grounder: str
    hypotheses: dict[str, Data] = field(default_factory=dict)
    history: list[Data] = field(default_factory=list)
    """Beliefs, one a round, each with its round's number."""
    experiments: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    killed: str | None = None
    priority: Data | None = None

    @property
    def posterior(self) -> dict[str, float]:
        """The latest posterior, by hypothesis; the prior where nothing was asked yet."""
        if self.history:
            latest: dict[str, float] = self.history[-1]["posterior"]
            return latest
        return {name: h["prior"] for name, h in self.hypotheses.items()}

    @property
    def leader(self) -> tuple[str, float]:
        """The likeliest hypothesis (``h0`` included) and its probability."""
        return max(self.posterior.items(), key=lambda item: item[1])


@dataclass
class RunView:
    """Everything in a run's log, by what a person asks for."""

    started: Data = field(default_factory=dict)
    rounds: list[Data] = field(default_factory=list)
    sets: dict[str, SetView] = field(default_factory=dict)
    experiments: dict[str, Data] = field(default_factory=dict)
    chains: list[Data] = field(default_factory=list)
    theory: Data | None = None
    theories: list[Data] = field(default_factory=list)
    finished: Data | None = None
    counts: dict[str, int] = field(default_factory=dict)

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


def read_run(folder: Path) -> RunView:
    """The view of a run folder; raises ``InputError`` when it isn't one."""
    view = RunView()
    for event in read_events(folder):
        apply_event(view, event)
    return view


def apply_event(view: RunView, event: Event) -> None:
    """Take one more event into the view."""
    view.counts[event.kind] = view.counts.get(event.kind, 0) + 1
    reader = _READERS.get(event.kind)
    if reader is not None:
        reader(view, event)


def run_data(view: RunView) -> Data:
    """A run as JSON."""
    return {
        "run": view.started,
        "finished": view.finished,
        "rounds": view.rounds,
        "events": view.counts,
        "sets": [set_data(view, s) for s in view.sets.values()],
        "theory": view.theory,
        "theories": view.theories,
        "believed": view.believed,
        "experiments": list(view.experiments.values()),
    }


def set_data(view: RunView, shown: SetView) -> Data:
    """A hypothesis set as JSON, with the experiments that were about it."""
    return {
        "id": shown.id,
        "subject": shown.subject,
        "why": shown.why,
        "grounder": shown.grounder,
        "hypotheses": list(shown.hypotheses.values()),
        "posterior": shown.posterior,
        "history": shown.history,
        "priority": shown.priority,
        "merged": shown.merged,
        "killed": shown.killed,
        "experiments": [view.experiments[e] for e in shown.experiments],
    }


def _started(view: RunView, event: Event) -> None:
    view.started = event.data


def _round(view: RunView, event: Event) -> None:
    view.rounds.append({"round": event.round, "chains": 0, "malformed": 0, "asked": 0, "sets": 0})


def _chain(view: RunView, event: Event) -> None:
    view.chains.append({"n": event.n, "round": event.round, **event.data})
    if view.rounds:
        view.rounds[-1]["chains"] += 1
        view.rounds[-1]["malformed"] += event.data["malformed"] is not None


def _born(view: RunView, event: Event) -> None:
    data = event.data
    known = view.sets.get(data["set"])
    if known is None:
        known = SetView(data["set"], data["subject"], data["why"], data["grounder"])
        view.sets[data["set"]] = known
        if view.rounds:
            view.rounds[-1]["sets"] += 1
    known.hypotheses[data["id"]] = {"round": event.round, **data}


def _merged(view: RunView, event: Event) -> None:
    if event.data["into"] in view.sets:
        view.sets[event.data["into"]].merged.append(event.data["id"])


def _killed(view: RunView, event: Event) -> None:
    if event.data["set"] in view.sets:
        view.sets[event.data["set"]].killed = event.data["why"]


def _priority(view: RunView, event: Event) -> None:
    if event.data["set"] in view.sets:
        view.sets[event.data["set"]].priority = event.data


def _experiment(view: RunView, event: Event) -> None:
    view.experiments[event.data["id"]] = {"round": event.round, "weak": None, "answered": False, **event.data}
    if event.data.get("set") in view.sets:
        view.sets[event.data["set"]].experiments.append(event.data["id"])


def _answer(view: RunView, event: Event) -> None:
    view.experiments[event.data["experiment"]] |= {"weak": event.data["weak"], "answered": True}
    if view.rounds:
        view.rounds[-1]["asked"] += 1


def _belief(view: RunView, event: Event) -> None:
    if event.data["set"] in view.sets:
        view.sets[event.data["set"]].history.append({"round": event.round, **event.data})


def _theory(view: RunView, event: Event) -> None:
    view.theory = event.data
    view.theories.append({"round": event.round, **event.data})


def _finished(view: RunView, event: Event) -> None:
    view.finished = event.data


_READERS: dict[str, Any] = {
    "run-started": _started,
    "round-started": _round,
    "chain": _chain,
    "hypothesis-born": _born,
    "hypothesis-merged": _merged,
    "hypothesis-killed": _killed,
    "priority": _priority,
    "experiment": _experiment,
    "answer": _answer,
    "belief": _belief,
    "theory": _theory,
    "run-finished": _finished,
}
