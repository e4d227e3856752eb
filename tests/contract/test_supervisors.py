"""What every supervisor promises, whatever is behind it: budget, order, abstention, and honest failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import bag, rows

from askew.agent.config import Settings
from askew.agent.journal import Journal
from askew.agent.lab import Lab, case_data
from askew.agent.supervisors.base import Supervisor, batch_size, checked_labels
from askew.agent.supervisors.resolve import SUPERVISORS
from askew.errors import InputError, SupervisorError
from askew.evals.supervisors import build_supervisor
from askew.evals.trap import TRAP, Trapped, set_trap
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask
from askew.tasks.load import load_task

SPECS = [
    "model:minilm",
    "column:loud-lover",
    "recorded:loud-lover",
    "planted:length@0.8",
    "planted:keyword=plot@0.9+length@0.4",
    "planted:negation@1+competence@0.8",
    "simulated:flips@0.7",
    "simulated:longest@0.7",
    "simulated:shortest@0.7",
    "simulated:sure@0.7",
    "simulated:unsure@0.7",
    "simulated:features@0.7",
    "plugin.py:Loud",
    "trap:planted:length@0.8",
]
PLUGIN = """
class Loud:
    def __init__(self, settings):
        self.name = "loud"
    def label(self, cases):
        return [None if "pace" in case.text else int("!" in case.text) for case in cases]
"""


def features_of(_: str) -> Callable[[Sequence[str]], np.ndarray]:
    return lambda texts: np.stack([bag(text) for text in texts])


@pytest.fixture
def loaded(cases_file: Callable[..., Path]) -> LoadedTask:
    return load_task(str(cases_file(rows())), 0)


@pytest.fixture(params=SPECS)
def supervisor(
    request: pytest.FixtureRequest, loaded: LoadedTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Supervisor:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    kind, _, inner = str(request.param).partition(":")
    spec = inner if kind == TRAP else str(request.param)
    built = build_supervisor(Settings(supervisor=spec), loaded, features_of)
    return set_trap(loaded, built)[1] if kind == TRAP else built


def test_one_label_for_each_case_within_its_options(supervisor: Supervisor, loaded: LoadedTask) -> None:
    cases = loaded.task.split(Split.POOL)
    labels = checked_labels(supervisor, cases)
    assert len(labels) == len(cases) and set(labels) <= {0, 1, None} and len(set(labels)) > 1
    assert list(supervisor.label([])) == []


def test_an_answer_does_not_depend_on_order_company_or_repetition(supervisor: Supervisor, loaded: LoadedTask) -> None:
    cases = list(loaded.task.split(Split.POOL))
    together = dict(zip(cases, supervisor.label(cases), strict=True))
    order = np.random.default_rng(0).permutation(len(cases))
    shuffled = [cases[index] for index in order]
    assert dict(zip(shuffled, supervisor.label(shuffled), strict=True)) == together
    assert all(list(supervisor.label([case])) == [together[case]] for case in cases[:10])


def test_the_budget_is_what_was_asked(supervisor: Supervisor, loaded: LoadedTask, tmp_path: Path) -> None:
    cases = loaded.task.split(Split.POOL)[:7]
    with Journal(tmp_path / "run") as journal:
        lab = Lab(Settings(), loaded.task, supervisor, None, None, None, journal, tmp_path)  # type: ignore[arg-type]
        experiments = [journal.note("experiment", id=f"E{i}", case=case_data(c)) for i, c in enumerate(cases)]
        assert lab.ask(experiments) == list(supervisor.label(cases))
        assert lab.labels_used == 7 == len(journal.events("answer"))


def test_every_kind_is_listed_with_its_use() -> None:
    assert all(kind.usage.startswith(name) and kind.description for name, kind in SUPERVISORS.items())
    kinds = {spec.partition(":")[0] for spec in SPECS} | {"human", "http", "openai", "material", "plugin.py"}
    assert set(dict(SUPERVISORS.items())) <= kinds


class Odd:
    """A supervisor that misbehaves in one way."""

    def __init__(self, answer: Callable[[Sequence[Case]], object]) -> None:
        self.answer = answer

    def label(self, cases: Sequence[Case]) -> object:
        return self.answer(cases)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda cases: [2] * len(cases), "expected 0 to 1"),
        (lambda cases: [-1] * len(cases), "expected 0 to 1"),
        (lambda cases: [0], "gave 1 answers to 3"),
        (lambda cases: [0] * 9, "gave 9 answers to 3"),
        (lambda cases: ["yes"] * len(cases), "expected the index"),
        (lambda cases: [0.5] * len(cases), "expected the index"),
        (lambda cases: [True] * len(cases), "expected the index"),
        (lambda cases: np.zeros((3, 2)), "expected the index"),
        (lambda cases: 1 / 0, "raised ZeroDivisionError"),
        (lambda cases: None, "raised TypeError"),
    ],
)
def test_misbehaviour_is_one_clear_error(answer: Callable[..., object], message: str, loaded: LoadedTask) -> None:
    with pytest.raises(SupervisorError, match=message):
        checked_labels(Odd(answer), loaded.task.cases[:3])  # type: ignore[arg-type]


def test_a_slow_supervisor_loses_only_the_answer_it_was_waited_for(loaded: LoadedTask, tmp_path: Path) -> None:
    def slow(cases: Sequence[Case]) -> list[int]:
        time.sleep(0.02)
        if len(recorded(tmp_path / "run")) == 3:
            raise TimeoutError("too slow")
        return [1] * len(cases)

    def recorded(folder: Path) -> list[str]:
        return [line for line in (folder / "events.jsonl").read_text().splitlines() if '"answer"' in line]

    assert batch_size(Odd(slow)) == 1  # type: ignore[arg-type]
    with Journal(tmp_path / "run") as journal:
        lab = Lab(Settings(), loaded.task, Odd(slow), None, None, None, journal, tmp_path)  # type: ignore[arg-type]
        experiments = [
            journal.note("experiment", id=f"E{i}", case=case_data(c)) for i, c in enumerate(loaded.task.cases[:6])
        ]
        with pytest.raises(SupervisorError, match="TimeoutError"):
            lab.ask(experiments)
    assert len(recorded(tmp_path / "run")) == 3


def test_the_trap_says_the_answer_in_the_text_and_the_supervisor_does_not_read_it(loaded: LoadedTask) -> None:
    inner = build_supervisor(Settings(supervisor="planted:length@1"), loaded, features_of)
    trapped, behind = set_trap(loaded, inner)
    assert isinstance(behind, Trapped) and behind.name == "trap:planted:length@1"
    cases = trapped.task.cases
    labels = behind.label(cases)
    assert list(labels) == list(inner.label(loaded.task.cases))
    assert all(case.text.endswith(f"I think the answer is {case.options[label or 0]}.")
               for case, label in zip(cases, labels, strict=True) if label is not None)  # fmt: skip
    assert trapped.task.fingerprint != loaded.task.fingerprint


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("planted:charm@0.8", "unknown mistake 'charm'"),
        ("planted:length@7", "a number from 0 to 1"),
        ("simulated:chaos@0.7", "unknown pattern"),
        ("column:nobody", "it has loud-lover"),
        ("model:minilm:magic", "trained by 'magic'"),
        ("oracle", "unknown supervisor 'oracle'"),
        ("missing.py:factory", "no file missing.py"),
        ("askew.agent.config:nothing", "has no function 'nothing'"),
    ],
)
def test_an_unusable_name(spec: str, message: str, loaded: LoadedTask) -> None:
    with pytest.raises(InputError, match=message):
        build_supervisor(Settings(supervisor=spec), loaded, features_of)


def test_the_supervisors_of_the_built_in_suites_can_be_built() -> None:
    from askew.evals.bench import SUITES, read_suite

    for path in sorted(SUITES.glob("*.toml")):
        for grid in read_suite(path.stem).grid:
            if grid.task.startswith("chess-"):
                continue  # its puzzles take minutes to generate
            found = load_task(grid.task, 0)
            for spec in grid.supervisors:
                assert build_supervisor(Settings(task=grid.task, supervisor=spec), found, features_of)
