"""``askew inspect``: what was believed, why each case was asked, and what changed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from askew.agent.cli.display import show_table
from askew.agent.journal import Data, Event, LogReader
from askew.agent.reading import RunView, SetView, read_run, run_data, set_data
from askew.errors import InputError
from askew.tasks.text import printable


def inspect_command(folder: Path, set_id: str | None, case_id: str | None, as_json: bool) -> None:
    """Show a run, one of its sets, or everything about one case."""
    view = read_run(folder)
    if set_id is not None:
        found = _set(view, set_id)
        typer.echo(json.dumps(set_data(view, found), indent=2)) if as_json else _show_set(view, found)
    elif case_id is not None:
        data = _case_data(view, case_id)
        typer.echo(json.dumps(data, indent=2)) if as_json else _show_case(view, data)
    elif as_json:
        typer.echo(json.dumps(run_data(view), indent=2))
    else:
        _show_run(view)


def follow_command(folder: Path, pause: float = 1.0) -> None:
    """Print what a running experiment records, as it records it, until it is finished."""
    log = LogReader(folder)
    while True:
        for event in log.fresh():
            line = _told(event)
            if line:
                typer.echo(f"round {event.round}  {printable(line)}")
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


_TOLD: dict[str, Callable[[Data], str]] = {
    "chain": lambda data: (
        f"thinks about {data['case']}: {data['malformed'] or '; '.join(_short(s['subject']) for s in data['steps'])}"
    ),
    "hypothesis-born": lambda data: f"{data['id']} born: {_short(data['statement'], 110)}",
    "hypothesis-killed": lambda data: f"{data['set']} killed: {data['why']}",
    "experiment": lambda data: f"asks {data['id']} about {data['set'] or 'the truth'}: {_short(data['case']['text'])}",
    "answer": lambda data: f"{data['experiment']} answered: {'unsure' if data['weak'] is None else data['weak']}",
    "belief": _told_belief,
    "run-finished": lambda data: f"finished: {data['why']}",
}


def _set(view: RunView, set_id: str) -> SetView:
    if set_id not in view.sets:
        raise InputError(f"no hypothesis set {set_id!r} in this run: expected one of {', '.join(view.sets) or 'none'}.")
    return view.sets[set_id]


def _case_data(view: RunView, case_id: str) -> Data:
    chains = [chain for chain in view.chains if chain["case"] == case_id]
    experiments = [e for e in view.experiments.values() if case_id in {e["case"]["id"], e.get("parent")}]
    if not chains and not experiments:
        raise InputError(f"case {case_id!r} was neither thought about nor asked in this run. Check its id.")
    return {"case": case_id, "experiments": experiments, "chains": chains}


def _show_run(view: RunView) -> None:
    started = view.started
    state = f"finished: {view.finished['why']}" if view.finished else "not finished"
    typer.echo(
        f"{started.get('method')} on {started.get('task')} · weak: {started.get('supervisor')} · "
        f"seed {started.get('seed')} · {view.counts.get('answer', 0)} labels · {state}"
    )
    rows = [
        [str(r["round"]), f"{r['chains']} ({r['malformed']} malformed)", str(r["sets"]), str(r["asked"])]
        for r in view.rounds
    ]
    if rows:
        show_table("rounds", ["round", "chains", "new sets", "asked"], rows)
    _show_sets(view)
    if view.theory is not None:
        _show_theory(view)
    _show_experiments([e for e in view.experiments.values() if e["answered"]][-10:], view, "latest experiments")
    typer.echo("More: --set ID, --case ID, --json")


def _show_sets(view: RunView) -> None:
    rows = []
    alive = [s for s in view.sets.values() if s.killed is None]
    for s in sorted(alive, key=lambda s: s.posterior.get("h0", 1.0)):
        name, p = s.leader
        words = "none of these" if name == "h0" else s.hypotheses[name]["statement"]
        last = s.history[-1] if s.history else {}
        moved = f"{s.hypotheses[name]['prior']:.2f} → {p:.2f}" if name in s.hypotheses else f"→ {p:.2f}"
        evidence = f"{last.get('answers_for', 0)} for, {last.get('answers_against', 0)} against"
        rows.append(
            [s.id, s.subject, words, moved, evidence, f"{last.get('flips', 0):.0f}", last.get("verdict", "open")]
        )
    if rows:
        show_table(
            "hypothesis sets",
            ["set", "subject", "leading hypothesis", "p", "answers", "labels would flip", "verdict"],
            rows,
        )


def _show_theory(view: RunView) -> None:
    theory = view.theory or {}
    rows = [
        [m["set"], m["subject"], f"{m['weight']:+.2f} ± {m['sd']:.2f}"]
        for m in sorted(theory["mistakes"], key=lambda m: -abs(m["weight"]) / m["sd"])[:8]
    ]
    typer.echo(
        f"competence {theory['competence']:.2f} log-odds; the student predicts {theory['agreement_weak']:.0%} of the "
        f"answers as weak labels, and {theory['agreement_truth']:.0%} of them agree with what it holds true"
    )
    if rows:
        show_table("mistake theory", ["set", "subject", "log-odds per sd"], rows)


def _show_experiments(experiments: list[Data], view: RunView, title: str) -> None:
    rows = []
    for e in experiments:
        reason = e["set"] or "truth"
        numbers = (
            f"eig {e['eig']:.3f} epig {e['epig']:.4f} reliability {e['reliability']:.2f}" if "eig" in e else "at random"
        )
        rows.append([e["id"], e["source"], reason, numbers, _answer(e, view), _short(e["case"]["text"])])
    if rows:
        show_table(title, ["id", "source", "about", "why", "answer", "case"], rows)


def _show_set(view: RunView, s: SetView) -> None:
    typer.echo(
        f"{s.id} {s.subject!r}, measured by {s.grounder!r}: {s.why}" + (f" — killed: {s.killed}" if s.killed else "")
    )
    names = [*s.hypotheses, "h0"]
    rows = []
    for name in names:
        statement = s.hypotheses[name]["statement"] if name in s.hypotheses else "none of these"
        path = " → ".join(f"{b['posterior'].get(name, 0):.2f}" for b in s.history)
        prior = (
            s.hypotheses[name]["prior"] if name in s.hypotheses else 1 - sum(h["prior"] for h in s.hypotheses.values())
        )
        rows.append([name, statement, f"{prior:.2f}", path])
    show_table("hypotheses", ["id", "statement", "prior", "posterior by round"], rows)
    if s.priority:
        typer.echo(f"priority: {s.priority['flips']:.1f} labels would flip; {s.priority['why']}")
    _show_experiments([view.experiments[e] for e in s.experiments], view, "experiments that were about this set")


def _show_case(view: RunView, data: Data) -> None:
    for experiment in data["experiments"]:
        typer.echo(f"{experiment['case']['id']}: {_short(experiment['case']['text'], 600)}")
        options = experiment["case"]["options"]
        for name in ("predicted_weak", "predicted_truth"):
            if name in experiment:
                shown = ", ".join(f"{_short(o, 30)} {p:.2f}" for o, p in zip(options, experiment[name], strict=True))
                typer.echo(f"  {name.replace('_', ' ')}: {shown}")
        for hypothesis, p in experiment.get("predicts", {}).items():
            typer.echo(f"  {hypothesis} predicts: " + ", ".join(f"{value:.2f}" for value in p))
        typer.echo(
            f"  asked in round {experiment['round']} about {experiment['set'] or 'the truth'}; "
            f"answer: {_answer(experiment, view)}"
        )
    for chain in data["chains"]:
        state = f" (malformed: {chain['malformed']})" if chain["malformed"] else ""
        typer.echo(
            f"chain {chain['n']}, round {chain['round']}{state}:\n  " + printable(chain["text"]).replace("\n", "\n  ")
        )


def _answer(experiment: Data, view: RunView) -> str:
    if not experiment["answered"]:
        return "not asked yet"
    weak: Any = experiment["weak"]
    return "unsure" if weak is None else _short(experiment["case"]["options"][weak], 40)


def _short(text: str, length: int = 70) -> str:
    text = printable(text).replace("\n", " ")
    return text if len(text) <= length else text[: length - 1] + "…"
