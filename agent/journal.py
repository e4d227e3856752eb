"""The event log: append-only, flushed before use, and replayed on resume.

A run is a deterministic function of its settings and of recorded facts. :meth:`Journal.fact` is the whole
mechanism: it computes and records a fact, or, while replaying, returns the recorded one without computing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from askew.agent.lines import append_line, cut_torn_line
from askew.errors import InputError, RunError

SCHEMA = 1
EVENTS = "events.jsonl"
TIMINGS = "timings.jsonl"

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log."""

    n: int
    round: int
    kind: str
    data: Data

    def line(self) -> str:
        """The event as one line of JSON, without the line end."""
        record = {"v": SCHEMA, "n": self.n, "round": self.round, "kind": self.kind, "data": self.data}
        return json.dumps(record, ensure_ascii=False, allow_nan=False)

    def pretty(self) -> str:
        """The event for a person to read."""
        return json.dumps(self.data, ensure_ascii=False, indent=2)


def parse_event(line: bytes, where: str) -> Event:
    """Read one line; raises ``InputError`` on another schema or a damaged line."""
    try:
        record = json.loads(line)
        version = record["v"]
        if version > SCHEMA:
            raise InputError(
                f"{where}: event schema {version}, but this askew reads up to {SCHEMA}. Upgrade askew to read it."
            )
        return Event(record["n"], record["round"], record["kind"], record["data"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: not an askew event ({error}). The log is damaged; restore it from a copy."
        ) from error


def read_events(folder: Path) -> Iterator[Event]:
    """Every complete event of a run folder. A last line that was cut off by a crash is left out."""
    return LogReader(folder).fresh()


def read_timings(folder: Path) -> list[Data]:
    """What :meth:`Journal.timed` recorded: round, stage and seconds. What can't be read takes nothing from the run."""
    found: list[Data] = []
    try:
        lines = (folder / TIMINGS).read_bytes().splitlines()
    except OSError:
        return found
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            record = json.loads(line)
            found.append(
                {"round": int(record["round"]), "stage": str(record["stage"]), "seconds": float(record["seconds"])}
            )
    return found


@dataclass
class LogReader:
    """Reads a log that may still be growing: each call of :meth:`fresh` gives what was appended since the last."""

    folder: Path
    offset: int = 0
    lines: int = 0

    def fresh(self) -> Iterator[Event]:
        """The next complete events; raises ``InputError`` when the folder holds no log."""
        path = self.folder / EVENTS
        if not path.is_file():
            raise InputError(
                f"{self.folder} is not a run folder: expected {EVENTS} in it. 'askew run --out DIR' makes one."
            )
        with path.open("rb") as file:
            file.seek(self.offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                self.offset += len(raw)
                self.lines += 1
                yield parse_event(raw, f"{path}, line {self.lines}")


@dataclass
class Journal:
    """The log of one run, open for writing by exactly one process.

    Opening an existing folder replays it: facts come from the log, in order, until it is used up.
    """

    folder: Path
    round: int = 0
    _recorded: list[Event] = field(default_factory=list)
    _next: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{self.folder} is in use by another askew process. Wait for it, or choose another --out."
            ) from None
        path = self.folder / EVENTS
        if path.exists():
            self._recorded = list(read_events(self.folder))
            cut_torn_line(path)
        self._file = path.open("a", encoding="utf-8")

    @property
    def replaying(self) -> bool:
        """Whether the next fact comes from the log."""
        return self._next < len(self._recorded)

    @property
    def position(self) -> int:
        """The number that the next event will have."""
        return self._next

    def fact(self, kind: str, compute: Callable[[], Data]) -> Data:
        """The next fact: recorded already, or computed now and on disk before this returns.

        Raises ``RunError`` when the log holds another kind of fact here: it was written by other settings
        or another version, and going on would mix two runs.
        """
        if self.replaying:
            event = self._recorded[self._next]
            if event.kind != kind:
                raise RunError(
                    f"{self.folder / EVENTS}: event {event.n} is {event.kind!r} where this run does {kind!r}. "
                    "The log was written by another version or other settings; start a new run with --out."
                )
            self._next += 1
            return event.data
        # A round trip through JSON, so that a fact has the same types now as on resume.
        event = Event(self._next, self.round, kind, json.loads(json.dumps(compute(), allow_nan=False)))
        self._write(event.line())
        self._recorded.append(event)
        self._next += 1
        return event.data

    def note(self, kind: str, /, **data: Any) -> Data:
        """Record a fact that is already computed (cheap, so it is simply recomputed on resume)."""
        return self.fact(kind, lambda: data)

    def require_same(self, what: str, recorded: str, now: str) -> None:
        """Raise ``RunError`` when the log asked something else here than this run does."""
        if recorded != now:
            raise RunError(
                f"{self.folder}: the log asked {what} {recorded!r} where this run asks {now!r}. It was written by "
                "another version or on another machine: start anew with another --out."
            )

    def upcoming(self) -> Data | None:
        """While replaying, the fact that the next call of :meth:`fact` will give."""
        return self._recorded[self._next].data if self.replaying else None

    def _write(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunError(
                f"can't write to {self.folder / EVENTS}: {error.strerror}. Free some space and run "
                f"'askew resume {self.folder}': what was recorded before is kept."
            ) from error

    def events(self, kind: str | None = None) -> list[Event]:
        """The events so far (of one kind), up to where this run has come."""
        seen = self._recorded[: self._next]
        return seen if kind is None else [event for event in seen if event.kind == kind]

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Record how many seconds a stage took, outside the log."""
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = round(time.perf_counter() - start, 3)
            with suppress(RunError):  # a clock takes nothing from the run
                append_line(self.folder / TIMINGS, {"round": self.round, "stage": stage, "seconds": seconds})

    def close(self) -> None:
        """Close the log and free the folder."""
        try:
            # What could not be written was told when it was tried; the file would try it again.
            with suppress(OSError):
                self._file.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
