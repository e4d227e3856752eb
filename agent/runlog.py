"""An index of a run's log: what there is much of (experiments, chains, cases, words) is found without being held.

A temporary SQLite database knows where each event stands in ``events.jsonl`` and what it is about; events are read
from the log when they are shown, a page at a time. :meth:`RunLog.refresh` reads on where the last reading ended, so a
log that is being written can be watched. The terminal, the web pages and the report all read a run through this.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from askew.agent.content import cases_in, most_telling, says, texts_of
from askew.agent.journal import EVENTS, Data, Event, LogReader, parse_event, read_timings
from askew.agent.reading import RunView, apply_event
from askew.errors import InputError

TABLES = """
create table event (n integer primary key, round int, kind text, start int, size int);
create table experiment
  (n integer primary key, id text unique, round int, about text, source text, answer text, weak int);
create table chain (n integer primary key, round int, case_id text, says text);
create table step (chain int, step int, cluster text, primary key (chain, step)) without rowid;
create table mention (case_id text, n int, primary key (case_id, n)) without rowid;
create virtual table words using fts5(text, content='', tokenize='unicode61 remove_diacritics 2');
"""
COLUMNS = {"kind", "round", "about", "source", "answer", "case_id"}
"""What events, experiments and chains can be chosen by."""
LARGEST_NUMBER = 2**63 - 1
"""That an index can be asked for."""
CHUNK = 5_000
"""Events that are indexed together."""
TRUTH = "truth"
"""What an experiment is about that is about no set."""


Chosen = Mapping[str, str | int]
"""Values by column; an empty text is any value."""
ALL: Chosen = {}


class Hit(NamedTuple):
    """A search hit: where it was found, what the event is, and the text that holds the words."""

    n: int
    round: int
    kind: str
    data: Data
    text: str


class Group(NamedTuple):
    """Chains on one case that say the same: the first of them, how often it was said, and all their events."""

    chain: Data
    times: int
    members: list[int]


@dataclass
class RunLog:
    """One run folder, read as far as it is written. Safe to use from several threads.

    Raises ``InputError`` when the folder holds no log, or one that is damaged.
    """

    folder: Path
    view: RunView = field(default_factory=RunView)
    damage: str = ""
    """Why the log can't be read to its end, if it can't: nothing is shown of a log that is only half understood."""

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._start()

    def _start(self) -> None:
        self.view = RunView()
        self._reader = LogReader(self.folder)
        # An empty name is a private file that is gone when it is closed, and is kept in memory while it is small.
        self._db = sqlite3.connect("", check_same_thread=False)
        self._db.executescript("pragma journal_mode=off; pragma synchronous=off;" + TABLES)

    def close(self) -> None:
        """Free the index."""
        self._db.close()

    @property
    def lines(self) -> int:
        """How many events were read so far."""
        return self._reader.lines

    def refresh(self) -> RunLog:
        """Read what was appended; a line that is still being written is left for later."""
        with self._lock:
            path = self.folder / EVENTS
            if path.is_file() and path.stat().st_size < self._reader.offset:
                self.close()  # another log has taken its place
                self._start()
            try:
                self._read_on()
            except InputError as error:
                if not path.is_file():
                    raise
                self.damage = self.damage or str(error)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError, sqlite3.Error) as error:
                self.damage = self.damage or (
                    f"{path}, line {self.lines}: not a record that this askew can read "
                    f"({type(error).__name__}: {error}). The log is damaged, or of another version."
                )
            if self.damage:
                raise InputError(self.damage)
            return self

    def _read_on(self) -> None:
        rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        start = self._reader.offset
        for event in self._reader.fresh():
            apply_event(self.view, event)
            rows["event"].append((event.n, event.round, event.kind, start, self._reader.offset - start))
            _index(event, rows)
            if len(rows["event"]) >= CHUNK:
                self._write(rows)
            start = self._reader.offset
        self._write(rows)

    def _write(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        for table, statement in _INSERTS.items():
            if rows[table]:
                self._db.executemany(statement, rows[table])
        rows.clear()

    # -- events --------------------------------------------------------------------------------------

    def load(self, numbers: Sequence[int]) -> list[Event]:
        """The events of these numbers, in this order; a number that isn't there is left out."""
        found = []
        with self._lock, (self.folder / EVENTS).open("rb") as file:
            for n in numbers:
                if n > LARGEST_NUMBER:
                    continue
                row = self._db.execute("select start, size from event where n = ?", (n,)).fetchone()
                if row is not None:
                    file.seek(row[0])
                    found.append(parse_event(file.read(row[1]), f"{EVENTS}, event {n}"))
        return found

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def events(self, chosen: Chosen = ALL, limit: int = -1, skip: int = 0) -> list[Event]:
        """Events in the order of the log; ``chosen`` may give ``kind`` and ``round``."""
        where, values = _where(chosen)
        rows = self._rows(f"select n from event {where} order by n limit ? offset ?", (*values, limit, skip))
        return self.load([n for (n,) in rows])

    def count_events(self, chosen: Chosen = ALL) -> int:
        """How many such events there are."""
        where, values = _where(chosen)
        return int(self._rows(f"select count(*) from event {where}", values)[0][0])

    def seconds(self) -> dict[int, dict[str, float]]:
        """Seconds of each stage, by round; the clock is not part of the log."""
        found: dict[int, dict[str, float]] = {}
        for record in read_timings(self.folder):
            if record["stage"] != "method":  # the whole run
                stages = found.setdefault(record["round"], {})
                stages[record["stage"]] = round(stages.get(record["stage"], 0.0) + record["seconds"], 3)
        return found

    # -- experiments ---------------------------------------------------------------------------------

    def experiments(self, chosen: Chosen = ALL, limit: int = -1, skip: int = 0, latest: bool = False) -> list[Data]:
        """Experiments with their answers; ``chosen`` may give ``source``, ``about``, ``answer`` and ``round``."""
        where, values = _where(chosen)
        order = "desc" if latest else "asc"
        query = f"select n, answer, weak from experiment {where} order by n {order} limit ? offset ?"
        return self._experiments(self._rows(query, (*values, limit, skip)))

    def count_experiments(self, chosen: Chosen = ALL) -> int:
        """How many such experiments there are."""
        where, values = _where(chosen)
        return int(self._rows(f"select count(*) from experiment {where}", values)[0][0])

    def experiment(self, name: str) -> Data | None:
        """One experiment by id."""
        rows = self._experiments(self._rows("select n, answer, weak from experiment where id = ?", (name,)))
        return rows[0] if rows else None

    def neighbours(self, n: int) -> tuple[str | None, str | None]:
        """Ids of the experiments before and after the one of event ``n``."""
        before = self._rows("select id from experiment where n < ? order by n desc limit 1", (n,))
        after = self._rows("select id from experiment where n > ? order by n limit 1", (n,))
        return (before[0][0] if before else None, after[0][0] if after else None)

    def sources(self) -> list[str]:
        """Where experiments came from."""
        return [name for (name,) in self._rows("select distinct source from experiment order by source")]

    def _experiments(self, rows: Sequence[tuple[int, str, int | None]]) -> list[Data]:
        events = self.load([n for n, _, _ in rows])
        return [
            {"n": event.n, "round": event.round, "weak": weak, "answered": answer != "open", "set": None, **event.data}
            for event, (_, answer, weak) in zip(events, rows, strict=True)
        ]

    # -- chains and cases ----------------------------------------------------------------------------

    def chains(self, chosen: Chosen = ALL, limit: int = -1, skip: int = 0) -> list[Group]:
        """Chains that say the same of one case, once, the commonest first.

        Two chains say the same when they give the same reasons for the same options and come to the same labels;
        ``chosen`` may give ``case_id``, ``cluster`` and ``round``.
        """
        where, values = _where_chains(chosen)
        query = (
            f"select min(n), count(*), group_concat(n) from chain {where} group by case_id, says "
            "order by count(*) desc, min(n) limit ? offset ?"
        )
        rows = self._rows(query, (*values, limit, skip))
        events = self.load([n for n, _, _ in rows])
        return [
            Group(self._chain(event), times, sorted(int(n) for n in members.split(",")))
            for event, (_, times, members) in zip(events, rows, strict=True)
        ]

    def count_chains(self, chosen: Chosen = ALL) -> tuple[int, int]:
        """How many chains there are, and how many that say different things."""
        where, values = _where_chains(chosen)
        row = self._rows(
            f"select coalesce(sum(times), 0), count(*) from "
            f"(select count(*) as times from chain {where} group by case_id, says)", values,
        )[0]  # fmt: skip
        return int(row[0]), int(row[1])

    def subjects(self, limit: int) -> list[tuple[str, int]]:
        """Clusters and in how many chains each occurs, the commonest first."""
        query = (
            "select cluster, count(distinct chain) as times from step group by cluster "
            "order by times desc, cluster limit ?"
        )
        return [(str(cluster), int(times)) for cluster, times in self._rows(query, (limit,))]

    def chain(self, n: int) -> Data | None:
        """One chain by the number of its event."""
        events = [event for event in self.load([n]) if event.kind == "chain"]
        return self._chain(events[0]) if events else None

    def _chain(self, event: Event) -> Data:
        clusters = dict(self._rows("select step, cluster from step where chain = ?", (event.n,)))
        steps = [{**step, "cluster": clusters.get(i)} for i, step in enumerate(event.data["steps"])]
        return {"n": event.n, "round": event.round, **event.data, "steps": steps}

    def members(self, cluster: str, limit: int = -1) -> list[Data]:
        """The steps of a cluster, with the chain and the case they are from."""
        rows = self._rows(
            "select chain, step from step where cluster = ? order by chain, step limit ?", (cluster, limit)
        )
        events = {event.n: event for event in self.load(sorted({n for n, _ in rows}))}
        return [
            {"chain": n, "case": events[n].data["case"], **events[n].data["steps"][i]}
            for n, i in rows
            if n in events and i < len(events[n].data["steps"])
        ]

    def case(self, case_id: str) -> Data | None:
        """A case that was thought about, asked or written, with all that happened to it; ``None`` where none did.

        The text is known where the case was asked or written: the log of a chain holds the id alone.
        """
        events = self.load([n for (n,) in self._rows("select n from mention where case_id = ? order by n", (case_id,))])
        if not events:
            return None
        found: Data = {
            "id": case_id,
            "text": None,
            "options": None,
            "intended": None,
            "written": None,
            "experiments": [],
        }
        for event in events:
            for shown in cases_in(event):
                if shown["id"] == case_id:
                    found |= {name: shown[name] for name in ("text", "options")}
                    if event.kind in {"written", "proposed"}:
                        found |= {"intended": shown.get("intended"), "written": event.n, "round": event.round}
        names = [event.data["id"] for event in events if event.kind == "experiment"]
        found["experiments"] = [e for e in map(self.experiment, names) if e is not None]
        return found

    # -- words ---------------------------------------------------------------------------------------

    def search(self, query: str, kind: str = "", limit: int = 100, skip: int = 0) -> tuple[int, list[Hit]]:
        """How many events hold words that begin with all those of ``query``, and a page of them, latest first."""
        quoted = ['"' + word.replace('"', '""') + '"*' for word in query.split()]
        if not quoted:
            return 0, []
        where = "words match ?" + (" and kind = ?" if kind else "")
        values = [" ".join(quoted), *([kind] if kind else [])]
        tables = "words join event on event.n = words.rowid" if kind else "words"
        try:
            total = self._rows(f"select count(*) from {tables} where {where}", values)[0][0]
            rows = self._rows(
                f"select words.rowid from {tables} where {where} order by words.rowid desc limit ? offset ?",
                (*values, limit, skip),
            )
        except sqlite3.OperationalError:
            return 0, []  # a query without a single letter
        return int(total), [
            Hit(event.n, event.round, event.kind, event.data, most_telling(texts_of(event), query.split()))
            for event in self.load([n for (n,) in rows])
        ]


def read_run(folder: Path) -> RunLog:
    """A run folder, read to its end; raises ``InputError`` when it isn't one."""
    return RunLog(folder).refresh()


_INSERTS = {
    "event": "insert or replace into event values (?, ?, ?, ?, ?)",
    "experiment": "insert or replace into experiment values (?, ?, ?, ?, ?, 'open', null)",
    "answer": "update experiment set answer = ?, weak = ? where id = ?",
    "chain": "insert or replace into chain values (?, ?, ?, ?)",
    "step": "insert or replace into step values (?, ?, ?)",
    "mention": "insert or ignore into mention values (?, ?)",
    "words": "insert into words (rowid, text) values (?, ?)",
}


def _index(event: Event, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    n, data = event.n, event.data
    texts = texts_of(event)
    if texts:
        rows["words"].append((n, "\n".join(texts)))
    match event.kind:
        case "experiment":
            rows["experiment"].append((n, data["id"], event.round, data.get("set") or TRUTH, data["source"]))
            rows["mention"].append((data["case"]["id"], n))
            if data.get("parent"):
                rows["mention"].append((data["parent"], n))
        case "answer":
            state = "unsure" if data["weak"] is None else "label"
            rows["answer"].append((state, data["weak"], data["experiment"]))
        case "chain":
            rows["chain"].append((n, event.round, data["case"], says(data)))
            rows["mention"].append((data["case"], n))
        case "cluster":
            rows["step"] += [(chain, step, data["id"]) for chain, step in data.get("members") or ()]
        case "written" | "proposed":
            rows["mention"] += [(case["id"], n) for case in data["cases"]]


def _where(chosen: Chosen) -> tuple[str, list[str | int]]:
    """A condition on columns that this module names; what a person chose is bound, never written into it."""
    unknown = set(chosen) - COLUMNS
    if unknown:
        raise ValueError(f"no column {sorted(unknown)}: expected some of {sorted(COLUMNS)}")
    given = {name: value for name, value in chosen.items() if value != ""}
    return ("where " + " and ".join(f"{name} = ?" for name in given) if given else "", list(given.values()))


def _where_chains(chosen: Chosen) -> tuple[str, list[str | int]]:
    cluster = chosen.get("cluster")
    where, values = _where({name: value for name, value in chosen.items() if name != "cluster"})
    if cluster:
        where += (" and" if where else "where") + " n in (select chain from step where cluster = ?)"
        values.append(cluster)
    return where, values
