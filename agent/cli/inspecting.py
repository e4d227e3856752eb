"""``askew inspect``: what was believed, why each case was asked, and what changed, in the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from askew.agent import account
from askew.agent.cli.display import show_table
from askew.agent.journal import Data, Event, LogReader
from askew.agent.reading import RunView, SetView
from askew.agent.runlog import Group, RunLog, read_run
from askew.errors import InputError
from askew.tasks.text import printable

SHOWN = 20
"""Chains and search hits that are printed; all of them are in the JSON."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a run is to be shown: one of these, or all in short."""

    set: str | None = None
    case: str | None = None
    experiment: str | None = None
    search: str | None = None
    chains: bool = False


def inspect_command(folder: Path, wanted: Wanted, as_json: bool) -> None:
    """Show a run, or a part of it, as tables or as JSON.

    Raises ``InputError`` for a folder that is no run, and a part that isn't in it.
    """
    run = read_run(folder)
    try:
        data, show = _part(run, wanted)
        typer.echo(json.dumps(data(), indent=2)) if as_json else show()
    finally:
        run.close()


def _part(run: RunLog, wanted: Wanted) -> tuple[Callable[[], object], Callable[[], None]]:
    """The JSON of what is wanted, and how it is printed."""
    if wanted.set is not None:
        shown = _set(run.view, wanted.set)
        return lambda: account.set_data(run, shown), lambda: _show_set(run, shown)
    if wanted.case is not None:
        case = account.case_data(run, wanted.case)
        if case is None:
            raise InputError(f"case {wanted.case!r} was neither thought about nor asked in this run. Check its id.")
        return lambda: case, lambda: _show_case(run, case)
    if wanted.experiment is not None:
        found = run.experiment(wanted.experiment)
        if found is None:
            raise InputError(f"no experiment {wanted.experiment!r} in this run: 'askew inspect DIR' lists the latest.")
        moved = account.moved_by(run, found)
        return lambda: {**found, "moved": _without_experiment(moved)}, lambda: _show_experiment(found, moved)
    if wanted.search is not None:
        hits = account.search_data(run, wanted.search, limit=-1)
        return lambda: hits, lambda: _show_hits(hits)
    if wanted.chains:
        groups = run.chains()
        return lambda: [{**g.chain, "times": g.times} for g in groups], lambda: _show_chains(groups, run)
    return lambda: account.run_data(run), lambda: _show_run(run)


# -- a running one ----------------------------------------------------------------------------------


def follow_command(folder: Path, as_json: bool = False, pause: float = 1.0) -> None:
    """Print what a running experiment records, as it records it, until it is finished; JSON is the log's own lines."""
    log = LogReader(folder)
    while True:
        for event in log.fresh():
            line = event.line() if as_json else _told(event)
            if line:
                typer.echo(line if as_json else f"round {event.round}  {printable(line)}")
            if event.kind == "run-finished":
                return
        time.sleep(pause)


def _told(event: Event) -> str | None:
    """One line on an event that a person would want to hear of."""
    tell = _TOLD.get(event.kind)
    return tell(event.data) if tell else None


def _told_belief(data: Data) -> str:
    name, p = max(data["posterior"].items(), key=lambda item: float(item[1]))
    return f"{data['set']}: {name} {p:.2f}, {data['answers_for']} for, {data['answers_against']} against"


def _told_theory(data: Data) -> str | None:
    weak, truth = data.get("agreement_weak"), data.get("agreement_truth")
    return None if weak is None else f"agrees with {weak:.0%} of the answers as weak labels, {truth:.0%} as the truth"


_TOLD: dict[str, Callable[[Data], str | None]] = {
    "run-started": lambda data: f"{data['method']} on {data['task']}, weak: {data['supervisor']}, seed {data['seed']}",
    "round-started": lambda data: f"round {data['round']} begins",
    "chain": lambda data: (
        f"thinks about {data['case']}: {data['malformed'] or '; '.join(_short(s['subject']) for s in data['steps'])}"
    ),
    "written": lambda data: f"wrote {len(data['cases'])} cases",
    "hypothesis-born": lambda data: f"{data['id']} born: {_short(data['statement'], 110)}",
    "hypothesis-merged": lambda data: f"{_short(data['id'])} merged into {data['into']}: {data['why']}",
    "hypothesis-killed": lambda data: f"{data['set']} killed: {data['why']}",
    "annotation": lambda data: (
        f"says what has {_short(data['subject'])}: {len(data['texts'])} texts, reliability {data['reliability']:.2f}"
    ),
    "experiment": lambda data: (
        f"asks {data['id']} about {data.get('set') or 'the truth'}: {_short(data['case']['text'])}"
    ),
    "answer": lambda data: f"{data['experiment']} answered: {'unsure' if data['weak'] is None else data['weak']}",
    "clarification": lambda data: f"asked in words: {data['question']}",
    "belief": _told_belief,
    "theory": _told_theory,
    "training": lambda data: f"student {data['student_version']} on {data['labels']} labels",
    "check": lambda data: f"{data['code']} {data['message']}",
    "run-finished": lambda data: f"finished: {data['why']}",
}


# -- tables -----------------------------------------------------------------------------------------


def _set(view: RunView, set_id: str) -> SetView:
    if set_id not in view.sets:
        raise InputError(f"no hypothesis set {set_id!r} in this run: expected one of {', '.join(view.sets) or 'none'}.")
    return view.sets[set_id]


def _without_experiment(moved: Data | None) -> Data | None:
    return None if moved is None else {name: value for name, value in moved.items() if name != "experiment"}


def _show_run(run: RunLog) -> None:
    view, started = run.view, run.view.started
    state = f"finished: {view.finished['why']}" if view.finished else "not finished"
    typer.echo(
        f"{started.get('method')} on {started.get('task')} · weak: {started.get('supervisor')} · "
        f"seed {started.get('seed')} · {view.labels_used} labels · {state}"
    )
    seconds = run.seconds()
    rows = [
        [str(r["round"]), f"{r['chains']} ({r['malformed']} malformed)", str(r["sets"]),
         f"{r['asked']} ({r['unsure']} unsure)", f"{sum(seconds.get(r['round'], {}).values()):.0f}"]
        for r in view.rounds
    ]  # fmt: skip
    if rows:
        show_table("rounds", ["round", "chains", "new sets", "asked", "seconds"], rows)
    _show_sets(view)
    _show_theory(view)
    _show_students(view)
    graded = account.graded(run)
    if graded is not None:
        _show_graded(graded)
    _show_experiments(run.experiments(limit=10, latest=True), "latest experiments")
    for check in [*view.checks, *(graded["checks"] if graded else ())]:
        typer.echo(f"{check['code']} {check['message']}")
    typer.echo("More: --set ID, --case ID, --experiment ID, --chains, --search WORDS, --json")


def _show_sets(view: RunView) -> None:
    rows = []
    alive = [s for s in view.sets.values() if s.killed is None]
    for s in sorted(alive, key=lambda s: s.posterior.get("h0", 1.0)):
        name, p = s.leader
        last = s.history[-1] if s.history else {}
        evidence = f"{last.get('answers_for', 0)} for, {last.get('answers_against', 0)} against"
        rows.append(
            [s.id, s.subject, s.statement(name), f"{s.priors.get(name, 0):.2f} → {p:.2f}", evidence,
             f"{last.get('flips', 0):.0f}", last.get("verdict", "open")]
        )  # fmt: skip
    if rows:
        show_table(
            "hypothesis sets",
            ["set", "subject", "leading hypothesis", "p", "answers", "labels would flip", "verdict"],
            rows,
        )


def _show_theory(view: RunView) -> None:
    theory = view.theory
    if theory is None:
        return
    if theory.get("agreement_weak") is not None:
        typer.echo(
            f"competence {theory['competence']:.2f} log-odds; the student predicts {theory['agreement_weak']:.0%} of "
            f"the answers as weak labels, and {theory['agreement_truth']:.0%} of them agree with what it holds true"
        )
    rows = [
        [m["set"], m["subject"], f"{m['weight']:+.2f} ± {m['sd']:.2f}"]
        for m in sorted(theory["mistakes"], key=lambda m: -abs(m["weight"]) / max(m["sd"], 1e-9))[:8]
    ]
    if rows:
        show_table("mistake theory", ["set", "subject", "log-odds per sd"], rows)


def _show_students(view: RunView) -> None:
    theories = {theory["round"]: theory for theory in view.theories}
    rows = []
    for s in view.students:
        theory = theories.get(s["round"], {})
        agreement = [theory.get(name) for name in ("agreement_weak", "agreement_truth")]
        rows.append(
            [str(s["round"]), str(s.get("labels", "")), str(s.get("written", "")),
             " ".join(f"{split} {p:.2f}" for split, p in s["confidence"].items()),
             " ".join(f"{split} {p:.1%}" for split, p in s["changed"].items()),
             *("" if value is None else f"{value:.0%}" for value in agreement)]
        )  # fmt: skip
    if rows:
        columns = ["round", "labels", "written", "confidence", "labels changed", "agrees, weak", "agrees, truth"]
        show_table("students", columns, rows)


def _show_graded(graded: Data) -> None:
    """The uncanny valley is seen here: more like the supervisor from round to round, and less often right."""
    rows = [
        [f"{r['labels']:g}", f"{r['accuracy']:.3f}", "" if r["agreement"] is None else f"{r['agreement']:.3f}"]
        for r in graded["rounds"]
    ]
    show_table("graded on the test split", ["labels", "accuracy", "answers as the supervisor does"], rows)


def _show_experiments(experiments: list[Data], title: str) -> None:
    rows = []
    for e in experiments:
        numbers = (
            f"eig {e['eig']:.3f} epig {e['epig']:.4f} reliability {e['reliability']:.2f}" if "eig" in e else "at random"
        )
        rows.append([e["id"], e["source"], e["set"] or "truth", numbers, _answer(e), _short(e["case"]["text"])])
    if rows:
        show_table(title, ["id", "source", "about", "why", "answer", "case"], rows)


def _show_set(run: RunLog, s: SetView) -> None:
    typer.echo(f"{s.id} {s.subject!r}, measured by {s.grounder!r}")
    typer.echo(
        f"round {s.round}: born, {s.why}" + (f"; a narrower reading of {', '.join(s.parents)}" if s.parents else "")
    )
    for merged in s.merged:
        typer.echo(
            f"round {merged['round']}: {printable(merged['id'])} merged into it, {printable(merged.get('why', ''))}"
        )
    for asked in s.clarifications:
        choice = "unsure" if asked["answer"] is None else asked["options"][asked["answer"]]
        words = printable(asked["words"] or "")
        typer.echo(
            f"round {asked['round']}: asked in words, {printable(asked['question'])} {printable(choice)}. {words}"
        )
    if s.killed:
        by = f", most by the answer to {s.killed['case']}" if s.killed.get("case") else ""
        typer.echo(f"round {s.killed['round']}: killed, {printable(s.killed['why'])}{by}")
    rows = []
    for name, prior in s.priors.items():
        path = " → ".join(f"{b['posterior'].get(name, 0):.2f}" for b in s.history)
        rows.append([name, s.statement(name), f"{prior:.2f}", path])
    show_table("hypotheses", ["id", "statement", "prior", "posterior by round"], rows)
    if s.priority:
        typer.echo(f"priority: {s.priority['flips']:.1f} labels would flip; {s.priority['why']}")
    told = [
        [row["experiment"]["id"], _answer(row["experiment"]),
         *(f"said {row['said'][n]:.2f}: {row['before'][n]:.2f} → {row['after'][n]:.2f}" if n in row["said"] else "–"
           for n in s.priors),
         _short(row["experiment"]["case"]["text"], 60)]
        for row in account.set_evidence(run, s)
    ]  # fmt: skip
    if told:
        show_table("evidence", ["experiment", "answer", *s.priors, "case"], told)


def _show_experiment(e: Data, moved: Data | None) -> None:
    typer.echo(f"{e['id']}, case {printable(e['case']['id'])}: {_short(e['case']['text'], 600)}")
    typer.echo(f"  from: {e['source']}" + (f", an edit of {printable(e['parent'])}" if e.get("parent") else ""))
    if e.get("raises"):
        typer.echo(f"  has more than that of: {_short(', '.join(e['raises']), 300)}")
    if "eig" in e:
        typer.echo(f"  why: eig {e['eig']:.4f}, epig {e['epig']:.6f} nats, expected reliability {e['reliability']:.2f}")
    options = e["case"]["options"]
    names = {"predicted_weak": "predicted weak label", "predicted_truth": "predicted truth"}
    predicted = {words: e[name] for name, words in names.items() if name in e}
    predicted |= {f"{name} expects": p for name, p in (e.get("predicts") or {}).items()}
    for words, p_K in predicted.items():
        shown = ", ".join(f"{_short(o, 30)} {p:.2f}" for o, p in zip(options, p_K, strict=True))
        typer.echo(f"  {words}: {shown}")
    typer.echo(f"  asked in round {e['round']} about {e['set'] or 'the truth'}; answer: {_answer(e)}")
    for name in moved["said"] if moved else ():
        typer.echo(f"  {name}: {moved['before'][name]:.2f} → {moved['after'][name]:.2f}")  # type: ignore[index]


def _show_case(run: RunLog, case: Data) -> None:
    if not case["experiments"] and case["text"] is not None:
        typer.echo(f"{printable(case['id'])}: {_short(case['text'], 600)}")
    for experiment in case["experiments"]:
        _show_experiment(experiment, account.moved_by(run, experiment))
    for chain in case["chains"]:
        state = f" (malformed: {chain['malformed']})" if chain["malformed"] else ""
        times = f", {chain['times']} times" if chain["times"] > 1 else ""
        typer.echo(
            f"chain {chain['n']}, round {chain['round']}{times}{state}:\n  "
            + printable(chain["text"]).replace("\n", "\n  ")
        )


def _show_chains(groups: list[Group], run: RunLog) -> None:
    clusters = run.view.clusters
    rows = []
    for group in groups[:SHOWN]:
        steps = "\n".join(
            f"{_short(s['subject'], 40)} → {s['favours'] + 1}"
            + (f" [{_short(clusters[s['cluster']]['subject'], 30)}]" if s["cluster"] in clusters else "")
            for s in group.chain["steps"]
        )
        labels = [group.chain["weak_label"], group.chain["true_label"]]
        verdict = ["–" if label is None else str(label + 1) for label in labels]
        case = _short(str(group.chain["case"]), 40)
        rows.append([str(group.times), case, steps or f"malformed: {group.chain['malformed']}", *verdict])
    show_table(
        f"{len(groups)} different chains, the commonest first",
        ["times", "case", "steps [cluster]", "weak", "truth"],
        rows,
    )


def _show_hits(hits: Data) -> None:
    rows = [[str(h["n"]), str(h["round"]), h["kind"], _short(h["text"], 110)] for h in hits["hits"][:SHOWN]]
    show_table(f"{hits['total']} found for {hits['query']!r}", ["event", "round", "kind", "text"], rows)


def _answer(experiment: Data) -> str:
    if not experiment["answered"]:
        return "not asked yet"
    weak = experiment["weak"]
    return "unsure" if weak is None else _short(experiment["case"]["options"][weak], 40)


def _short(text: str, length: int = 70) -> str:
    text = printable(text).replace("\n", " ")
    return text if len(text) <= length else text[: length - 1] + "…"
