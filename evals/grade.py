"""From a run folder to a graded run: what was predicted, joined with gold by case id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from askew.agent.config import Settings
from askew.agent.journal import Event, read_events, read_timings
from askew.agent.lab import case_from
from askew.agent.reading import RunView, apply_event
from askew.agent.write import key
from askew.errors import InputError
from askew.evals.protocol import Load, load_cases, read_config
from askew.evals.statistics import Array, decided, rightness
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask
from askew.tasks.load import load_task


@dataclass(frozen=True)
class GradedRun:
    """One run of one method with one seed, graded on the test split."""

    folder: Path
    settings: Settings
    gold_N: NDArray[np.int64]
    curve: tuple[tuple[int, Array], ...]
    """(labels used, p_N_K of the truth on the test cases) after each round."""
    queries: int
    seconds: float
    chains: int
    malformed: int
    finished: bool
    why: str = ""
    """Why it ended, in the words of its log."""
    leaks: int = 0
    """Cases asked or written whose text is that of a test case."""
    clusters: tuple[str, ...] = ()
    """The text of every test case: cases of one text (in any seed) are not independent."""
    believed: tuple[tuple[str, float], ...] = ()
    """Mistakes that the run believes its supervisor makes, in words, with their posterior probabilities."""

    @property
    def method(self) -> str:
        """The method's name."""
        return self.settings.method

    @property
    def final(self) -> Array:
        """p_N_K after the last round."""
        return self.curve[-1][1]

    def accuracies(self) -> list[tuple[int, float]]:
        """(labels used, test accuracy) after each round."""
        return [(labels, float(rightness(p_N_K, self.gold_N).mean())) for labels, p_N_K in self.curve]

    def agreements(self, supervisor: GradedRun) -> list[tuple[int, float]]:
        """(labels used, share answered as the supervisor does, of the test cases that it answers) after each round."""
        answered_N, answers_N = decided(supervisor.final), supervisor.final.argmax(axis=1)
        if not answered_N.any():
            return []
        return [(labels, float((p_N_K.argmax(axis=1) == answers_N)[answered_N].mean())) for labels, p_N_K in self.curve]


def grade(folder: Path, load: Load = load_task) -> GradedRun:
    """Grade the run in ``folder`` from its log alone.

    Raises ``InputError`` when the log holds no prediction, or the task has no gold for its test split or
    isn't the one that was run.
    """
    settings, _ = read_config(folder)
    loaded = load_cases(settings, load)
    events = list(read_events(folder))
    _check_fingerprint(folder, loaded, events)
    test = loaded.task.split(Split.TEST)
    known = np.array([case.id in loaded.gold for case in test], dtype=bool)
    if not known.any():
        raise InputError(f"{settings.task} has no gold labels in its test split: there is nothing to grade by.")
    curve = tuple(
        (event.data["labels_used"], np.array(event.data["truth"], dtype=np.float64)[known])
        for event in events
        if event.kind == "prediction" and event.data["split"] == Split.TEST
    )
    if not curve:
        raise InputError(f"{folder} holds no prediction yet: let the run go on with 'askew resume {folder}'.")
    chains = [event for event in events if event.kind == "chain"]
    return GradedRun(
        folder=folder,
        settings=settings,
        gold_N=loaded.gold.of([case for case, has in zip(test, known, strict=True) if has]),
        curve=curve,
        queries=sum(event.kind in {"answer", "clarification"} for event in events),
        seconds=_seconds(folder),
        chains=len(chains),
        malformed=sum(event.data["malformed"] is not None for event in chains),
        finished=events[-1].kind == "run-finished",
        why=str(events[-1].data["why"]) if events[-1].kind == "run-finished" else "",
        leaks=_leaks(events, test),
        clusters=tuple(case.text for case, has in zip(test, known, strict=True) if has),
        believed=_believed(events),
    )


def _believed(events: Sequence[Event]) -> tuple[tuple[str, float], ...]:
    view = RunView()
    for event in events:
        apply_event(view, event)
    return tuple((item["statement"], float(item["probability"])) for item in view.believed)


def _leaks(events: Sequence[Event], test: Sequence[Case]) -> int:
    tested = {key(case) for case in test}
    asked = [event.data["case"] for event in events if event.kind == "experiment"]
    written = [case for event in events if event.kind == "written" for case in event.data["cases"]]
    return sum(key(case_from(c)) in tested for c in [*asked, *written])


def _check_fingerprint(folder: Path, loaded: LoadedTask, events: list[Event]) -> None:
    if events and events[0].data.get("task_fingerprint") != loaded.task.fingerprint:
        raise InputError(
            f"{folder} was run on other cases than {loaded.task.name} has now: restore the file it was run on."
        )


def _seconds(folder: Path) -> float:
    """Of all sessions together: what a resumed run recomputed counts too."""
    return float(sum(record["seconds"] for record in read_timings(folder) if record["stage"] == "method"))
