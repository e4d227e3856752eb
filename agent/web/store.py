"""Run folders as the viewer sees them: read once, then only what was appended since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from askew.agent.config import CONFIG
from askew.agent.journal import EVENTS, Data, LogReader
from askew.agent.reading import RunView, apply_event


@dataclass(frozen=True, slots=True)
class Found:
    """A search hit: the event, and the page that shows it."""

    n: int
    kind: str
    text: str
    link: str


@dataclass
class StoredRun:
    """One run folder; :meth:`refresh` reads what was appended."""

    folder: Path
    view: RunView = field(default_factory=RunView)
    texts: list[Found] = field(default_factory=list)
    log: LogReader = field(init=False)

    def __post_init__(self) -> None:
        self.log = LogReader(self.folder)

    @property
    def lines(self) -> int:
        """How many events were read so far."""
        return self.log.lines

    def refresh(self) -> StoredRun:
        """Read on from where the last reading ended; a line that is still being written is left for later."""
        path = self.folder / EVENTS
        if not path.is_file():
            return self
        if path.stat().st_size < self.log.offset:
            self.view, self.texts, self.log = RunView(), [], LogReader(self.folder)
        for event in self.log.fresh():
            apply_event(self.view, event)
            self.texts += _texts(event.n, event.kind, event.data)
        return self

    def search(self, query: str, limit: int = 200) -> list[Found]:
        """Everything that holds all the words of ``query``, latest first."""
        words = query.casefold().split()
        hits = (found for found in reversed(self.texts) if all(word in found.text.casefold() for word in words))
        return [found for found, _ in zip(hits, range(limit), strict=False)] if words else []

    @property
    def results(self) -> Data | None:
        """The comparison stored with the run, when it is finished."""
        path = self.folder / "results.json"
        try:
            stored: Data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return stored if "methods" in stored else None

    def evidence(self, set_id: str) -> list[Data]:
        """For each answered experiment that was about a set: what each hypothesis predicted of the answer given.

        ``weights`` are natural logs of how much more probable the answer was than under "none of these".
        """
        rows = []
        for experiment_id in self.view.sets[set_id].experiments:
            experiment = self.view.experiments[experiment_id]
            weak = experiment["weak"]
            predicted: dict[str, list[float]] = experiment.get("predicts", {})
            if weak is None or "h0" not in predicted:
                continue
            base = max(predicted["h0"][weak], 1e-6)
            weights = {name: log(max(p[weak], 1e-6) / base) for name, p in predicted.items() if name != "h0"}
            rows.append({"experiment": experiment, "weights": weights})
        return rows

    def collapsed_chains(self, case: str | None) -> list[Data]:
        """Chains that say the same about the same case, once, with their number; the commonest first."""
        groups: dict[tuple[str, str], Data] = {}
        for chain in self.view.chains:
            if case is None or chain["case"] == case:
                key = (chain["case"], chain["text"].strip())
                groups.setdefault(key, {**chain, "times": 0})["times"] += 1
        return sorted(groups.values(), key=lambda chain: (-chain["times"], chain["n"]))


class Store:
    """All runs below a folder. Runs are looked up by slug, never by a path from outside."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._runs: dict[str, StoredRun] = {}

    def runs(self) -> dict[str, StoredRun]:
        """Every run by slug, refreshed."""
        for folder in self._folders():
            relative = folder.relative_to(self._root).as_posix()
            slug = "run" if relative == "." else relative.replace("/", "~")
            self._runs.setdefault(slug, StoredRun(folder))
        return {slug: run.refresh() for slug, run in sorted(self._runs.items())}

    def run(self, slug: str) -> StoredRun | None:
        """One run, refreshed; ``None`` when there is none of that name."""
        if slug not in self._runs:
            self.runs()
        found = self._runs.get(slug)
        return found.refresh() if found else None

    def _folders(self) -> Iterator[Path]:
        for path in sorted(self._root.rglob(CONFIG)):
            if path.resolve().is_relative_to(self._root) and (path.parent / EVENTS).is_file():
                yield path.parent


def _texts(n: int, kind: str, data: Data) -> list[Found]:
    """What can be searched of an event."""
    if kind == "chain":
        return [Found(n, kind, data["text"], f"chains?{urlencode({'case': data['case']})}#c{n}")]
    if kind == "cluster":
        return [Found(n, kind, f"{data['subject']}: {data['claim']}", "chains")]
    if kind == "hypothesis-born":
        return [Found(n, kind, data["statement"], f"set/{quote(data['set'], safe='')}")]
    if kind == "experiment":
        return [Found(n, kind, _case_text(data), f"experiment/{quote(data['id'], safe='')}")]
    if kind == "written":
        return [Found(n, kind, case["text"], "experiments?source=written") for case in data["cases"]]
    return []


def _case_text(data: Data) -> str:
    case: dict[str, Any] = data["case"]
    return f"{case['id']} {case['text']} {' / '.join(case['options'])}"
