"""An account of a run: what answers did to the hypotheses, and everything of a set, a case or a run as JSON."""

from __future__ import annotations

import json
from math import log

from askew.agent.hypotheses import NONE_OF_THESE
from askew.agent.journal import Data
from askew.agent.reading import SetView
from askew.agent.runlog import RunLog
from askew.tasks.text import without_control

RESULTS = "results.json"
SLIP = 0.05
"""Chance that an answer has nothing to do with a hypothesis: about the mean of what the belief holds of it."""


def evidence(shown: SetView, experiments: list[Data]) -> list[Data]:
    """What each answered experiment did to the hypotheses of its set, in the order of the answers.

    Each row holds the ``experiment``; ``said``, the probability that each hypothesis gave to the answer; ``weights``,
    the natural log of how much more probable that is than under "none of these"; and the posterior ``before`` and
    ``after``, by Bayes' rule with :data:`SLIP`. A round's first answer meets the belief that the last round left; at
    the end of a round the run weighs all answers and all sets together, so the belief it records may differ.
    """
    rows: list[Data] = []
    round_, p = None, shown.priors
    for experiment in experiments:
        predicts, weak = experiment.get("predicts") or {}, experiment["weak"]
        if weak is None or NONE_OF_THESE not in predicts:
            continue
        if experiment["round"] != round_:
            round_ = experiment["round"]
            p = _belief_before(shown, round_)
        said = {name: float(q[weak]) for name, q in predicts.items()}
        chance = 1 / len(predicts[NONE_OF_THESE])
        mixed = {name: (1 - SLIP) * q + SLIP * chance for name, q in said.items()}
        before = _normalised({name: p.get(name, 0.0) for name in said})
        after = _normalised({name: before[name] * mixed[name] for name in said})
        rows.append(
            {"experiment": experiment, "said": said, "before": before, "after": after,
             "weights": {name: _log_ratio(q, said[NONE_OF_THESE]) for name, q in said.items() if name != NONE_OF_THESE}}
        )  # fmt: skip
        p = after
    return rows


def set_evidence(run: RunLog, shown: SetView, limit: int = -1, skip: int = 0) -> list[Data]:
    """A page of the evidence of a set, as :func:`evidence` tells it of its experiments."""
    wanted = run.experiments({"about": shown.id}, limit, skip)
    ids = {experiment["id"] for experiment in wanted}
    rounds = sorted({experiment["round"] for experiment in wanted})
    together = [e for r in rounds for e in run.experiments({"about": shown.id, "round": r})]
    return [row for row in evidence(shown, together) if row["experiment"]["id"] in ids]


def moved_by(run: RunLog, experiment: Data) -> Data | None:
    """What one experiment's answer did to its set; ``None`` where it is about no set, or not answered."""
    shown = run.view.sets.get(experiment.get("set") or "")
    if shown is None:
        return None
    together = run.experiments({"about": shown.id, "round": experiment["round"]})
    return next((row for row in evidence(shown, together) if row["experiment"]["id"] == experiment["id"]), None)


def graded(run: RunLog) -> Data | None:
    """What the run's results hold of its method; ``None`` where it isn't graded, or the file can't be read.

    ``rounds`` has the labels used, the accuracy on the test cases, and (where the supervisor is among the methods)
    the share of them that is answered as the supervisor does; ``checks`` is what the comparison noticed.
    """
    method = run.view.started.get("method")
    path = run.folder / RESULTS
    if path.is_symlink():  # it may lead out of the folder, and a viewer may be asked by others
        return None
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        row = results["methods"][method]
        like = {float(n): float(p) for n, p in row.get("agreement_curve", ())}
        rounds = [{"labels": n, "accuracy": float(p), "agreement": like.get(float(n))} for n, p in row["curve"]]
        checks = [{name: without_control(check[name]) for name in ("code", "message")} for check in results["checks"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {"rounds": rounds, "checks": checks}


def run_data(run: RunLog) -> Data:
    """A run as JSON."""
    view = run.view
    return {
        "run": view.started,
        "finished": view.finished,
        "labels_used": view.labels_used,
        "rounds": [{**r, "seconds": run.seconds().get(r["round"], {})} for r in view.rounds],
        "events": view.counts,
        "sets": [set_data(run, s) for s in view.sets.values()],
        "theory": view.theory,
        "theories": view.theories,
        "students": view.students,
        "graded": graded(run),
        "believed": view.believed,
        "checks": view.checks,
        "experiments": run.experiments(),
    }


def set_data(run: RunLog, shown: SetView) -> Data:
    """A hypothesis set as JSON, with the experiments that were about it and what their answers did."""
    experiments = run.experiments({"about": shown.id})
    told = {row["experiment"]["id"]: row for row in evidence(shown, experiments)}
    return {
        "id": shown.id,
        "subject": shown.subject,
        "why": shown.why,
        "grounder": shown.grounder,
        "born": shown.round,
        "hypotheses": list(shown.hypotheses.values()),
        "posterior": shown.posterior,
        "history": shown.history,
        "priority": shown.priority,
        "priorities": shown.priorities,
        "parents": shown.parents,
        "merged": shown.merged,
        "killed": shown.killed,
        "clarifications": shown.clarifications,
        "experiments": experiments,
        "evidence": [
            {"experiment": name, **{part: row[part] for part in ("said", "weights", "before", "after")}}
            for name, row in told.items()
        ],
    }


def case_data(run: RunLog, case_id: str) -> Data | None:
    """A case as JSON: its text, what was asked about it, and its chains; ``None`` where nothing is known of it."""
    found = run.case(case_id)
    if found is None:
        return None
    chains = [{**group.chain, "times": group.times} for group in run.chains({"case_id": case_id})]
    return {"case": case_id, **found, "chains": chains}


def search_data(run: RunLog, query: str, kind: str = "", limit: int = 100, skip: int = 0) -> Data:
    """Search hits as JSON."""
    total, hits = run.search(query, kind, limit, skip)
    return {
        "query": query,
        "total": total,
        "hits": [{"n": hit.n, "round": hit.round, "kind": hit.kind, "text": hit.text} for hit in hits],
    }


def _belief_before(shown: SetView, round_: int) -> dict[str, float]:
    past = [belief["posterior"] for belief in shown.history if belief["round"] < round_]
    return past[-1] if past else shown.priors


def _normalised(p: dict[str, float]) -> dict[str, float]:
    total = sum(p.values())
    return {name: value / total if total > 0 else 1 / len(p) for name, value in p.items()}


def _log_ratio(first: float, second: float) -> float:
    return log(max(first, 1e-6) / max(second, 1e-6))
