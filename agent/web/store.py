"""Run folders as the viewer sees them: found below one root, glanced at for the list, read when they are opened."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from askew.agent.account import RESULTS
from askew.agent.config import CONFIG
from askew.agent.journal import EVENTS, TIMINGS, Data
from askew.agent.runlog import RunLog

REPORT = "report.html"
TAIL = 400_000
"""Bytes at a log's end in which the list of runs looks for how far it has come."""
LOOK_AGAIN = 2.0
"""Seconds for which the list of folders is believed."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What the list of runs tells of one, without reading its log."""

    slug: str
    settings: Data
    labels: int
    round: int
    finished: bool
    changed: float
    """Seconds since the epoch."""
    size: int
    twin_of: str | None
    results: Data | None

    @property
    def name(self) -> str:
        """The slug; a twin is shown below its run, so its own part is enough."""
        return self.slug if self.twin_of is None else "beside it: " + self.slug.rpartition("~")[2]

    @property
    def state(self) -> str:
        """Where it stands: a log that has not grown for a while may be waiting for people, or have been stopped."""
        if self.finished:
            return "finished"
        return "running" if time.time() - self.changed < 600 else "not finished"

    @property
    def measured(self) -> Data | None:
        """Its row of the comparison that was made with it, if there is one."""
        row = (self.results or {}).get("methods", {}).get(str(self.settings.get("method")))
        return row if isinstance(row, dict) and _is_measured(row) else None


def _is_measured(row: Data) -> bool:
    """Whether a row of somebody's results holds an accuracy with its interval."""
    interval = row.get("ci95")
    numbers = [row.get("accuracy"), *(interval if isinstance(interval, list) else ())]
    return len(numbers) == 3 and all(isinstance(number, int | float) for number in numbers)


class Store:
    """All runs below a folder. Runs are looked up by slug, never by a path from outside."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._lock = threading.Lock()
        self._folders: dict[str, Path] = {}
        self._looked = float("-inf")
        self._logs: dict[str, RunLog] = {}

    def close(self) -> None:
        """Free the indices of the runs that were opened."""
        for log in self._logs.values():
            log.close()

    def glances(self) -> list[Glance]:
        """Every run, the latest first, each followed by the methods that were run beside it."""
        found = [self._glance(slug, folder) for slug, folder in self.folders().items()]
        latest: dict[str, float] = {}
        for glance in found:
            family = glance.twin_of or glance.slug
            latest[family] = max(latest.get(family, 0.0), glance.changed)

        def place(glance: Glance) -> tuple[float, str, bool, str]:
            family = glance.twin_of or glance.slug
            return (-latest[family], family, glance.twin_of is not None, glance.slug)

        return sorted(found, key=place)

    def folders(self) -> dict[str, Path]:
        """Run folders by slug."""
        with self._lock:
            if time.monotonic() - self._looked > LOOK_AGAIN:
                self._folders = dict(self._look())
                self._looked = time.monotonic()
            return dict(self._folders)

    def run(self, slug: str) -> RunLog | None:
        """One run, read as far as it is written; ``None`` when there is none of that name.

        Raises ``InputError`` when its log can't be read.
        """
        folder = self.folders().get(slug)
        if folder is None:
            return None
        with self._lock:
            log = self._logs.setdefault(slug, RunLog(folder))
        return log.refresh()

    def results(self, slug: str) -> Data | None:
        """The comparison stored with a run, when it is finished."""
        text = self.text(slug, RESULTS)
        try:
            stored = json.loads(text) if text else None
        except ValueError:
            return None
        return stored if isinstance(stored, dict) and isinstance(stored.get("methods"), dict) else None

    def text(self, slug: str, name: str) -> str | None:
        """A file of a run folder, if there is one and it really is in there."""
        folder = self.folders().get(slug)
        if folder is None or not self._holds(folder / name):
            return None
        try:
            return (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _look(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self._root.rglob(CONFIG)):
            folder = path.parent
            # A link may lead out of the folder that was given: what it leads to is not shown.
            files = [folder / name for name in (CONFIG, EVENTS)]
            if all(map(self._holds, files)) and not self._leads_out(folder / TIMINGS):
                relative = folder.relative_to(self._root).as_posix()
                yield ("run" if relative == "." else relative.replace("/", "~")), folder

    def _holds(self, path: Path) -> bool:
        return path.is_file() and not self._leads_out(path)

    def _leads_out(self, path: Path) -> bool:
        return not path.resolve().is_relative_to(self._root)

    def _glance(self, slug: str, folder: Path) -> Glance:
        try:
            settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            settings = {}
        log = folder / EVENTS
        stat = log.stat()
        with log.open("rb") as file:
            file.seek(max(0, stat.st_size - TAIL))
            tail = file.read()
        # A quote inside a text is written \", so nothing that a case says looks like one of these.
        labels = re.findall(rb'"labels_used": (\d+)', tail)
        rounds = re.findall(rb'"n": \d+, "round": (\d+)', tail)
        family = family_of(slug)
        return Glance(
            slug=slug,
            settings=settings if isinstance(settings, dict) else {},
            labels=int(labels[-1]) if labels else 0,
            round=int(rounds[-1]) if rounds else 0,
            finished=b'"kind": "run-finished"' in tail,
            changed=stat.st_mtime,
            size=stat.st_size,
            twin_of=family,
            results=None if family else self.results(slug),
        )


def family_of(slug: str) -> str | None:
    """The run that one was made beside, for comparison; ``None`` for a run in its own right."""
    family, mark, _ = f"~{slug}".rpartition("~twins~")
    return (family.removeprefix("~") or "run") if mark else None
