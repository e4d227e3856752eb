"""The same tiny grid in this process, in processes, and on a real local Ray; workers that are killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from conftest import ScriptedModel, embed, rows

from askew.agent.config import Settings
from askew.agent.representation import Representation
from askew.agent.supervisors.column import ColumnSupervisor
from askew.errors import InputError
from askew.evals import bench
from askew.evals.workers import Report, Workers, outcomes, parse_workers
from askew.tasks.load import load_task


class ScriptedBench:
    """A workbench with the scripted model in the place of the real one."""

    warmed = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.loaded = load_task(settings.task, settings.seed)
        self.model = ScriptedModel()
        self.warmed = None
        self.representation = Representation(self.loaded.task, self.model, Path(settings.task).parent / "cache")
        self.supervisor = ColumnSupervisor(self.loaded.task, "loud-lover")
        self.embedder = type("Embedder", (), {"embed": staticmethod(embed)})()

    def close(self) -> None:
        """Nothing to free."""


def scripted_trial(cells: Sequence[Settings], out: Path) -> list[Report]:
    bench.Workbench = ScriptedBench  # type: ignore[misc,assignment]
    return bench.run_trial(cells, out)


def rough_trial(cells: Sequence[Settings], out: Path) -> list[Report]:
    """Seed 0 is killed once, after its first cell; seed 1 raises; seed 2 is always killed."""
    if cells[0].seed == 1:
        raise LookupError("nothing here")
    marker = out / "killed"
    if cells[0].seed == 2 or not marker.exists():
        if cells[0].seed == 0:
            scripted_trial(cells[:1], out)
            marker.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return scripted_trial(cells, out)


@pytest.fixture
def suite(cases_file: Callable[..., Path]) -> bench.Suite:
    return bench.Suite(
        name="tiny", seeds=3,
        methods=["passive-naive", "passive-confidence", "badge", "passive-glad", "weak", "ceiling"],
        settings={"budget": 20, "rounds": 2, "student": "scripted"},
        grid=[bench.Grid(task=str(cases_file(rows())), supervisors=["column:loud-lover"])],
    )  # fmt: skip


@pytest.fixture(autouse=True)
def workbench(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The trials above are found by Ray's workers too, and leave nothing behind in this process."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])]))
    kept = bench.Workbench
    yield
    bench.Workbench = kept  # type: ignore[misc]


def logs(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("events.jsonl"))}


@pytest.mark.parametrize(
    ("workers", "died"), [(Workers(2), "ended with code -9"), (Workers(ray=True), "Ray task was lost")]
)
def test_a_killed_trial_continues_the_others_are_reported_and_results_are_those_of_a_serial_run(
    suite: bench.Suite, tmp_path: Path, workers: Workers, died: str
) -> None:
    one_seed = suite.model_copy(update={"seeds": 1})
    serial = bench.run_suite(one_seed, tmp_path / "serial", Workers(threads=1), lambda _: None, scripted_trial)
    (tmp_path / "rough").mkdir()
    rough = bench.run_suite(suite, tmp_path / "rough", workers, lambda _: None, rough_trial)
    assert serial.failures == []
    assert (tmp_path / "rough" / "killed").exists()
    errors = {(failure["method"], failure["seed"]): failure["error"] for failure in rough.failures}
    assert set(errors) == {(name, seed) for name in suite.methods for seed in "12"}
    assert errors["weak", "1"] == "LookupError: nothing here"
    assert died in errors["weak", "2"]
    assert [(cell["method"], cell["seed"]) for cell in rough.left_out] == [("passive-glad", "0")]
    assert len(logs(tmp_path / "serial")) == 5
    assert logs(tmp_path / "serial") == logs(tmp_path / "rough")


def test_workers_that_cannot_be_had_are_named() -> None:
    for text in ("0", "-1", "many", "", "1.5", "rays"):
        with pytest.raises(InputError, match="expected a number of processes"):
            parse_workers(text)
    assert parse_workers("3", threads=2) == Workers(3, threads=2)
    assert parse_workers("ray:10.0.0.5:6379") == Workers(ray=True, address="10.0.0.5:6379")


def test_a_trial_that_no_node_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="and 64 GPU of one machine"):
        list(outcomes([], tmp_path, Workers(ray=True, gpus=64), scripted_trial))


def slow_trial(cells: Sequence[Settings], out: Path) -> list[Report]:
    """Says that it has begun, and would take a minute."""
    (out / f"{cells[0].seed}-{os.getpid()}").write_text("")
    time.sleep(60)
    return []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As at a terminal: what runs in the background of a shell is born deaf to interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_trials_and_starts_none(suite: bench.Suite, tmp_path: Path) -> None:
    out, began = tmp_path / "out", time.monotonic()
    out.mkdir()  # the suite's own files stand beside it

    def interrupt() -> None:
        while len(list(out.iterdir())) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        list(outcomes(suite.trials(), out, Workers(2), slow_trial))
    assert time.monotonic() - began < 45
    assert len(list(out.iterdir())) == 2


def test_a_finished_run_with_other_settings_is_not_taken_for_a_cell(suite: bench.Suite, tmp_path: Path) -> None:
    few = suite.model_copy(update={"seeds": 1, "methods": ["weak"]})
    assert not bench.run_suite(few, tmp_path, Workers(), lambda _: None, scripted_trial).failures
    said: list[str] = []
    bench.run_suite(few, tmp_path, Workers(), said.append, scripted_trial)
    assert said[0].startswith("0 cells to run")
    other = few.model_copy(update={"settings": {**few.settings, "budget": 24}})
    with pytest.raises(InputError, match="a finished run with other settings"):
        bench.run_suite(other, tmp_path, Workers(), said.append, scripted_trial)


def test_every_cell_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = ["a/cases.jsonl", "b/cases.jsonl"], ["x/sup.py:make", "y/sup.py:make", "openai:m@http://h/v1"]
    cells = [Settings(task=task, supervisor=supervisor) for task in names[0] for supervisor in names[1]]
    assert len({bench.cell_folder(tmp_path, cell) for cell in cells}) == 6
    assert bench.cell_folder(tmp_path, Settings()) == tmp_path / "movie-reviews" / "model-minilm" / "scientific-s0"
    twice = tmp_path / "twice.toml"
    grid = '[[grid]]\ntask = "movie-reviews"\nsupervisors = ["model:minilm"]\nbudget = '
    twice.write_text(f'methods = ["weak"]\n{grid}100\n{grid}200\n')
    with pytest.raises(InputError, match="is in it twice"):
        bench.read_suite(str(twice))
