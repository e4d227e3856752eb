"""What the viewer gives as files: CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import JSONResponse, Response

from askew.agent.journal import Data
from askew.agent.runlog import Chosen, RunLog


def experiments_csv(run: RunLog, chosen: Chosen) -> Response:
    """Experiments with why they were asked and what was answered."""
    columns = ["id", "round", "set", "source", "eig", "epig", "reliability", "weak"]
    rows = (
        [*(e.get(name) for name in columns), _option(e), _likeliest(e, "predicted_weak"),
         _likeliest(e, "predicted_truth"), e["case"]["id"], e["case"]["text"]]
        for e in run.experiments(chosen)
    )  # fmt: skip
    return sheet("experiments", [*columns, "answer", "predicted_weak", "predicted_truth", "case", "text"], rows)


def beliefs_csv(run: RunLog) -> Response:
    """The posterior of every hypothesis after every round."""
    rows = (
        [s.id, s.subject, belief["round"], name, s.statement(name), p, belief["verdict"], belief["answers_for"],
         belief["answers_against"]]
        for s in run.view.sets.values() for belief in s.history for name, p in belief["posterior"].items()
    )  # fmt: skip
    columns = ["set", "subject", "round", "hypothesis", "statement", "posterior", "verdict", "for", "against"]
    return sheet("beliefs", columns, rows)


def chains_csv(run: RunLog) -> Response:
    """Steps of the chains of thought, repetition collapsed."""
    rows = (
        [group.chain["n"], group.chain["round"], group.chain["case"], group.times, step["subject"], step["claim"],
         step["favours"], step["cluster"], group.chain["weak_label"], group.chain["true_label"]]
        for group in run.chains() for step in group.chain["steps"]
    )  # fmt: skip
    columns = ["chain", "round", "case", "times", "subject", "claim", "favours", "cluster", "weak_label", "true_label"]
    return sheet("chains", columns, rows)


def comparison_csv(results: Data) -> Response:
    """Methods side by side."""
    columns = ["accuracy", "ci95", "pgr", "pgr_ci95", "auroc", "start", "gain", "gain_ci95", "queries", "seeds"]
    rows = ([name, *(row.get(column) for column in columns)] for name, row in results["methods"].items())
    return sheet("comparison", ["method", *columns], rows)


def sheet(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A CSV file to keep."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([plain(cell) for cell in row] for row in rows)
    headers = {"Content-Disposition": f"attachment; filename=askew-{name}.csv"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def document(name: str, data: object) -> Response:
    """A JSON file to keep."""
    return JSONResponse(data, headers={"Content-Disposition": f"attachment; filename=askew-{name}.json"})


def plain(cell: object) -> object:
    """A cell that a spreadsheet won't take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def _option(experiment: Data) -> str:
    if not experiment["answered"]:
        return ""
    weak = experiment["weak"]
    return "unsure" if weak is None else str(experiment["case"]["options"][weak])


def _likeliest(experiment: Data, name: str) -> int | str:
    p = experiment.get(name)
    return max(range(len(p)), key=p.__getitem__) if p else ""
