"""A small run folder in the schema of docs/architecture.md, with hostile text in every place that text can be."""

from __future__ import annotations

import json
from pathlib import Path

from askew.agent.journal import Journal

EVIL = '<script>document.title="owned"</script>'
CASE = {"id": f"c1/../{EVIL}", "text": f"fine {EVIL} & well", "options": ["negative", f"positive{EVIL}"]}
STEP = {"subject": f"praise{EVIL}", "claim": f"it matters {EVIL}", "favours": 1}


def write_run(folder: Path, finished: bool = True) -> Path:
    """Write the run, finished or as far as its last round goes."""
    with Journal(folder) as journal:
        journal.note(
            "run-started", task=f"movie-reviews{EVIL}", supervisor="column:kim", student="m", method="scientific",
            seed=0, budget=2, rounds=1, a_field_of_tomorrow=[EVIL],
        )  # fmt: skip
        journal.note("a-kind-of-tomorrow", words=EVIL)
        journal.note("written", cases=[{"id": "w1", "text": f"a film {EVIL}", "options": ["no", "yes"], "intended": 1}])
        _think(journal)
        _ask(journal)
        if finished:
            journal.note("run-finished", labels_used=2, why=f"the rounds are over {EVIL}")
    settings = {
        "task": f"movie-reviews{EVIL}",
        "supervisor": EVIL,
        "method": "scientific",
        "seed": 0,
        "budget": 2,
        "rounds": 1,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "results.json").write_text(json.dumps(comparison()))
    return folder


def comparison() -> dict[str, object]:
    """A comparison with a band, a method that asks nothing, and a paired difference."""
    row = {"accuracy": 0.8, "ci95": [0.7, 0.9], "pgr": None, "pgr_ci95": None, "auroc": 0.9, "queries": 2, "seeds": 1,
           "seconds": 3.0, "ece": 0.1, "agreement": {"weak_right": 0.9, "weak_wrong": None}}  # fmt: skip
    return {
        "task": f"movie-reviews{EVIL}", "supervisor": "column:kim", "student": "m", "budget": 2,
        "checks": [{"code": "ASK003", "message": EVIL}],
        "methods": {
            "scientific": {**row, "curve": [[0, 0.6], [2, 0.8]], "curve_ci95": [[0.5, 0.7], [0.7, 0.9]]},
            "weak": {**row, "curve": [[0, 0.5]]},
        },
        "paired": {
            "scientific-weak": {"delta_accuracy": 0.1, "accuracy_ci95": [0.0, 0.2], "delta_pgr": None, "ci95": None}
        },
        "labels_to_passive": {"scientific": 2},
    }  # fmt: skip


def _think(journal: Journal) -> None:
    journal.round = 1
    journal.note("round-started", round=1)
    first = journal.position
    for text in (f" praise {EVIL}", f" praise, again {EVIL}", f" praise {EVIL}"):
        journal.note(
            "chain", case=CASE["id"], prompt="chain", prompt_sha="0", model_version="m@0", text=text, steps=[STEP],
            weak_label=1, true_label=0, malformed=None,
        )  # fmt: skip
    journal.note(
        "chain", case="c2", prompt="chain", prompt_sha="0", model_version="m@0", text="mumble", steps=[],
        weak_label=None, true_label=None, malformed=f"no line {EVIL}",
    )  # fmt: skip
    journal.note(
        "cluster", id="C1.1", subject=STEP["subject"], claim=STEP["claim"], favours=1, cases=[CASE["id"]],
        torn=[CASE["id"]], members=[[first, 0], [first + 1, 0], [first + 2, 0]],
    )  # fmt: skip
    for name, kind in (("S1.1", "liked"), ("S1.2", "better")):
        journal.note(
            "hypothesis-born", set="S1", id=name, subject=f"praise{EVIL}", statement=f"leans to praise {EVIL}",
            kind=kind, direction=1, prior=0.3, grounder=f"praise{EVIL}", concept=False, trust=1.0, cases=[CASE["id"]],
            parents=["S0.1"], why=f"torn {EVIL}", a_field_of_tomorrow={"of": ["any", EVIL]},
        )  # fmt: skip
    journal.note("hypothesis-merged", set="S1", id=f"praises{EVIL}", into="S1", why=f"behaves alike {EVIL}")
    journal.note("priority", set="S1", flips=4.5, evpi=0.1, resolvable=True, why=f"worth it {EVIL}")


def _ask(journal: Journal) -> None:
    for number, weak in ((1, 1), (2, None)):
        journal.note(
            "experiment", id=f"E{number}", set="S1", case=CASE, source="pool", parent=None, eig=0.2, epig=0.001,
            reliability=0.8, predicts={"S1.1": [0.1, 0.9], "S1.2": [0.4, 0.6], "h0": [0.5, 0.5]},
            predicted_weak=[0.4, 0.6], predicted_truth=[0.6, 0.4], intended=None,
        )  # fmt: skip
        journal.note("answer", experiment=f"E{number}", case=CASE["id"], weak=weak, labels_used=number)
    journal.note(
        "clarification", set="S1", question=f"Does it matter? {EVIL}", options=["yes", "no", "neither"], answer=1,
        words=f"it only flatters {EVIL}", labels_used=2,
    )  # fmt: skip
    for number, p in enumerate((0.4, 0.7)):
        journal.note(
            "belief", set="S1", posterior={"S1.1": p, "S1.2": 0.1, "h0": 0.9 - p}, log_e=1.0, verdict="open",
            answers_for=1, answers_against=0, flips=3.0,
        )  # fmt: skip
        mistakes = [{"set": "S1", "subject": f"praise{EVIL}", "weight": 0.5, "sd": 0.2}]
        journal.note("theory", competence=1.0, intent=0.6, mistakes=mistakes, agreement_weak=0.8, agreement_truth=0.7)
        journal.note("training", student_version=f"m+{number}{EVIL}", labels=number, written=1)
        truth = [[0.2, 0.8], [0.6, 0.4] if number else [0.4, 0.6]]
        journal.note(
            "prediction", student_version=f"m+{number}", labels_used=number, split="test", truth=truth, weak=None
        )
    journal.note("check", code="ASK009", message=f"look {EVIL}")
