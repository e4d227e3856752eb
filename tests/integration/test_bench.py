"""Every method and the bench, on the real loop driven by a scripted strong model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from conftest import ScriptedModel, embed, rows

from askew.agent.cli import main
from askew.agent.config import Settings
from askew.agent.journal import read_events
from askew.agent.representation import Representation
from askew.agent.supervisors.column import ColumnSupervisor
from askew.agent.supervisors.resolve import resolve_supervisor
from askew.errors import InputError
from askew.evals import bench
from askew.evals.compare import compare
from askew.evals.grade import grade
from askew.evals.methods import METHODS
from askew.evals.methods.registry import NotApplicableError
from askew.evals.protocol import Workbench, run_method, write_config
from askew.evals.workers import Workers
from askew.tasks.case import Case
from askew.tasks.load import load_task

ALL = [name for name in METHODS if name != "scientific"]


class Sure(ColumnSupervisor):
    """A recorded rater who also says how sure it is."""

    def probabilities(self, cases: Sequence[Case]) -> np.ndarray:
        return np.array([[0.2, 0.8] if label else [0.9, 0.1] for label in self.label(cases)])


class Bench:
    """A workbench with the scripted model in the place of the real one."""

    warmed = None

    def __init__(self, settings: Settings, cache: Path) -> None:
        self.settings = settings
        self.loaded = load_task(settings.task, settings.seed)
        self.model = ScriptedModel()
        self.representation = Representation(self.loaded.task, self.model, cache)
        kind, _, rater = settings.supervisor.partition(":")
        sure = Sure(self.loaded.task, rater) if kind == "sure" else None
        self.supervisor = sure or resolve_supervisor(settings.supervisor, self.loaded.task, settings)
        self.embedder = type("Embedder", (), {"embed": staticmethod(embed)})()

    def close(self) -> None:
        self.model.close()


@pytest.fixture
def settings(cases_file: Callable[..., Path]) -> Settings:
    made = rows()
    for row in made:
        kim = int("!" in str(row["text"]) or "warm" in str(row["text"]))
        row["weak"] = {"kim": kim, "ann": row["gold"], "lee": row["gold"] if kim else None}
    return Settings(
        task=str(cases_file(made)),
        supervisor="column:kim",
        student="scripted",
        budget=20,
        rounds=2,
        written=8,
        written_first=16,
    )


def run(settings: Settings, method: str, tmp_path: Path) -> Path:
    chosen = settings.model_copy(update={"method": method})
    folder = tmp_path / method
    write_config(chosen, folder, ())
    run_method(chosen, folder, Bench(chosen, tmp_path / "cache"), lambda _: None)  # type: ignore[arg-type]
    return folder


SEVERAL = ["passive-majority", "passive-dawid-skene", "passive-glad"]
NEW_CASES = ["naive-proposals"]
"""Methods that ask nothing else, so that nobody who only recorded answers will do."""


def test_every_method_runs_spends_no_more_than_its_budget_and_is_comparable(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"supervisor": "sure:kim"})
    fit = [name for name in METHODS if name not in [*SEVERAL, *NEW_CASES, "passive-generative"]]
    graded = [grade(run(settings, name, tmp_path)) for name in fit]
    comparison = compare(graded)
    assert list(comparison["methods"]) == fit
    for name, row in comparison["methods"].items():
        assert row["queries"] <= settings.budget, name
    asking = [name for name in ALL if name.startswith("passive") or METHODS[name].description.startswith("active")]
    asking = [name for name in asking if name in fit]
    assert len(asking) == 19
    assert all(comparison["methods"][name]["queries"] == settings.budget for name in asking)
    assert comparison["methods"]["passive-naive"]["agreement"]["weak_right"] is not None
    assert [n for n, _ in comparison["methods"]["passive-naive"]["agreement_curve"]] == [
        n for n, _ in comparison["methods"]["passive-naive"]["curve"]
    ]
    assert {share for _, share in comparison["methods"]["weak"]["agreement_curve"]} == {1.0}
    assert comparison["labels_to_passive"]["passive-naive"] is not None


@pytest.mark.parametrize("name", NEW_CASES)
def test_what_the_model_proposes_is_asked_of_whom_can_answer_it(name: str, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotApplicableError, match="needs a supervisor that answers new cases"):
        run(settings, name, tmp_path / "recorded")
    (tmp_path / "kind.py").write_text(
        "class Kind:\n    def label(self, cases):\n        return [int('warm' in case.text) for case in cases]\n\n"
        "def factory(settings):\n    return Kind()\n"
    )
    kind = settings.model_copy(update={"supervisor": f"{tmp_path / 'kind.py'}:factory"})
    asked = [event.data for event in read_events(run(kind, name, tmp_path)) if event.kind == "experiment"]
    assert asked and {one["source"] for one in asked} == {"naive"}


@pytest.mark.parametrize(
    "name",
    [
        "uncertainty",
        "batchbald",
        "badge",
        "typical",
        "passive-bootstrap",
        "passive-confidence",
        "passive-early-stop",
        "passive-soft",
        "passive-cleaned",
        "few-shot",
        "instructed",
        "self-generated",
        "self-generated-passive",
        "coherence",
        *SEVERAL,
    ],
)
def test_a_baseline_resumes_to_the_same_log(settings: Settings, tmp_path: Path, name: str) -> None:
    supervisor = "column:kim+ann+lee" if name in SEVERAL else "sure:kim"
    settings = settings.model_copy(update={"supervisor": supervisor})
    folder = run(settings, name, tmp_path)
    whole = (folder / "events.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]) + lines[len(lines) // 2][:20])
    run(settings, name, tmp_path)
    assert (folder / "events.jsonl").read_bytes() == whole


def test_a_bench_reports_a_failed_cell_runs_the_others_and_continues(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "Workbench", lambda chosen: Bench(chosen, tmp_path / "cache"))
    broken: dict[str, Any] = {"on": True}
    honest = run_method

    def sometimes(chosen: Settings, folder: Path, *rest: Any) -> None:
        if broken["on"] and chosen.method == "badge":
            raise RuntimeError("out of luck")
        honest(chosen, folder, *rest)

    monkeypatch.setattr(bench, "run_method", sometimes)
    suite = bench.Suite(
        name="mine", seeds=2, methods=["passive-naive", "badge", "weak", "ceiling"],
        settings={"budget": 20, "rounds": 2, "student": "scripted"},
        grid=[bench.Grid(task=settings.task, supervisors=["column:kim"])],
    )  # fmt: skip
    failures = bench.run_suite(suite, tmp_path / "out", Workers(), lambda _: None).failures
    assert [(f["method"], f["seed"]) for f in failures] == [("badge", "0"), ("badge", "1")]
    assert "out of luck" in failures[0]["error"]
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("passive-naive-s*/events.jsonl")}
    broken["on"] = False
    assert bench.run_suite(suite, tmp_path / "out", Workers(), lambda _: None).failures == []
    assert {p: p.stat().st_mtime_ns for p in before} == before
    ((comparison, runs),), _ = bench.grade_suite(tmp_path / "out")
    assert len(runs) == 8
    assert comparison["methods"]["badge"]["seeds"] == 2


def test_a_suite_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of all-ways, asking, controls, finetuned, full, planted, quick"):
        bench.read_suite("qick")
    path = tmp_path / "mine.toml"
    path.write_text('methods = ["telepathy"]\n[[grid]]\ntask = "movie-reviews"\nsupervisors = ["model:minilm"]\n')
    with pytest.raises(InputError, match="telepathy"):
        bench.read_suite(str(path))
    path.write_text("methods = []\n")
    with pytest.raises(InputError, match="not a usable suite"):
        bench.read_suite(str(path))


def test_events_of_a_baseline_name_no_hypothesis(settings: Settings, tmp_path: Path) -> None:
    kinds = {event.kind for event in read_events(run(settings, "epig", tmp_path))}
    assert "hypothesis-born" not in kinds
    assert {"experiment", "answer", "training", "prediction", "run-finished"} <= kinds


@pytest.mark.parametrize("name", SEVERAL)
def test_several_raters_are_paid_one_by_one(settings: Settings, tmp_path: Path, name: str) -> None:
    settings = settings.model_copy(update={"supervisor": "column:kim+ann+lee"})
    events = list(read_events(run(settings, name, tmp_path)))
    asked = [event.data for event in events if event.kind == "experiment"]
    assert sum(event.kind == "answer" for event in events) == settings.budget == len(asked)
    assert {e["rater"] for e in asked} == {"kim", "ann", "lee"}
    pairs = {(e["case"]["id"], e["rater"]) for e in asked}
    assert len(pairs) == settings.budget
    cases = Counter(case for case, _ in pairs)
    assert len(cases) == -(-settings.budget // 3)
    assert sorted(cases.values()) == sorted([3] * (settings.budget // 3) + [settings.budget % 3])  # but for the last


@pytest.mark.parametrize(("name", "needs"), [("passive-glad", "several labellers"), ("passive-soft", "probabilities")])
def test_a_method_that_the_supervisor_cannot_serve_says_what_it_needs(
    settings: Settings, tmp_path: Path, name: str, needs: str
) -> None:
    with pytest.raises(NotApplicableError, match=needs):
        run(settings, name, tmp_path)
    assert not (tmp_path / name / "events.jsonl").exists()


def test_the_bench_command_leaves_results_a_picture_and_a_page_and_compare_draws_the_same(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "Workbench", lambda chosen: Bench(chosen, tmp_path / "cache"))
    suite = tmp_path / "mine.toml"
    suite.write_text(
        'seeds = 2\nmethods = ["passive-naive", "badge", "passive-glad", "weak", "ceiling"]\n'
        '[settings]\nbudget = 20\nrounds = 2\nstudent = "scripted"\n'
        f'[[grid]]\ntask = "{settings.task}"\nsupervisors = ["column:kim", "column:nobody"]\n'
    )
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main(["bench", str(suite), "--out", str(out), "--json", str(tmp_path / "deep" / "r.json")])
    shown = capsys.readouterr()
    assert stop.value.code == 1
    assert "no recorded labels 'nobody'" in shown.err
    assert "left out" in shown.out and "several labellers" in shown.out
    assert "seconds of one run" in shown.out
    data = json.loads((tmp_path / "deep" / "r.json").read_text())
    assert data == json.loads((out / "results.json").read_text())
    assert len(data["failures"]) == 10
    assert [cell["method"] for cell in data["left_out"]] == ["passive-glad", "passive-glad"]
    assert data["comparisons"][0]["methods"]["badge"]["seeds"] == 2
    assert "acquire" in data["seconds_by_stage"]["badge"]
    (page,) = out.rglob("comparison.html")
    assert page.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"

    with pytest.raises(SystemExit) as stop:
        main(["bench", str(suite), "--out", str(out)])
    assert stop.value.code == 2
    assert "--resume" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(out), "--plot", str(tmp_path / "c.png"), "--html", str(tmp_path / "c.html")])
    assert stop.value.code == 0
    assert "published by others" in capsys.readouterr().out
    assert (tmp_path / "c.png").exists() and "badge" in (tmp_path / "c.html").read_text()


def test_a_task_of_ones_own_is_asked_in_all_its_ways_and_a_built_in_one_by_its_cue(
    cases_file: Callable[..., Path],
) -> None:
    path = cases_file(rows(400))
    with path.with_suffix(".toml").open("a", encoding="utf-8") as wording:
        wording.write('[[patterns]]\ncue = " In short, it was"\nwords = ["terrible", "great"]\n')

    def asked(task: str, opinion: Literal["all", "cue"] | None) -> int:
        settings = Settings(task=task, opinion=opinion, supervisor="simulated:flips@0.7", budget=20)
        return len(Workbench(settings).loaded.task.patterns)

    ways: tuple[Literal["all", "cue"] | None, ...] = (None, "all", "cue")
    assert [asked(str(path), way) for way in ways] == [1, 1, 0]
    assert [asked("movie-reviews", way) for way in ways] == [0, 1, 0]


def test_a_suite_may_be_run_on_seeds_that_nobody_looked_at() -> None:
    fresh = bench.read_suite("quick", seeds=2, first_seed=8, methods=["weak", "ceiling"])
    assert [[settings.seed for settings in trial] for trial in fresh.trials()] == [[8, 8], [9, 9]]
    with pytest.raises(InputError, match="first_seed"):
        bench.read_suite("quick", first_seed=-1)


def test_a_suite_may_be_run_on_some_of_its_tasks() -> None:
    half = bench.read_suite("recovery", ["qa-preference"], seeds=1)
    assert {settings.task for trial in half.trials() for settings in trial} == {"qa-preference"}
    for tasks in (["qa-preference", "chess"], []):
        with pytest.raises(InputError, match="expected some of movie-reviews, qa-preference, those of recovery"):
            bench.read_suite("recovery", tasks)
