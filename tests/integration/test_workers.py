"""The same tiny grid in this process, in processes, and on a real local Ray; workers that are killed."""

from __future__ import annotations

import os
import signal
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
    with pytest.raises(InputError, match="needs 64 GPU"):
        list(outcomes([], tmp_path, Workers(ray=True, gpus=64), scripted_trial))
