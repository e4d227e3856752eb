"""What every supervisor promises, whatever is behind it: budget, order, abstention, and honest failure."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import bag, rows
from loopback import Reply, completion, reply, server
from tiny import make_bert, make_llama

from askew.agent.config import Settings
from askew.agent.journal import Journal
from askew.agent.lab import Lab, case_data
from askew.agent.supervisors.base import Supervisor, batch_size, checked_labels
from askew.agent.supervisors.human import HumanSupervisor
from askew.agent.supervisors.resolve import SUPERVISORS
from askew.agent.supervisors.tuned import TunedSupervisor, calibrated
from askew.errors import InputError, SupervisorError
from askew.evals.simulated import mistake_pick
from askew.evals.supervisors import build_supervisor
from askew.evals.trap import TRAP, Trapped, set_trap
from askew.tasks.attributes import ATTRIBUTES
from askew.tasks.case import Case, Split
from askew.tasks.chess.moves import PAIR, _case, generate
from askew.tasks.gold import LoadedTask
from askew.tasks.load import load_task

SPECS = [
    "model:minilm",
    "model:bert:full",
    "model:bert:lora",
    "model:llama:full",
    "model:llama:lora",
    "column:loud-lover",
    "recorded:loud-lover",
    "recorded:loud-lover+quiet-lover",
    "planted:length@0.8",
    "planted:-length>8@0.8",
    "planted:keyword=plot@0.9+length@0.4",
    "planted:keyword=plot,story@0.9",
    "planted:keyword=<br>>1@0.9",
    "planted:negation>1@0.9",
    "planted:negation@1+competence@0.8",
    "simulated:flips@0.7",
    "simulated:longest@0.7",
    "simulated:shortest@0.7",
    "simulated:sure@0.7",
    "simulated:unsure@0.7",
    "simulated:features@0.7",
    "plugin.py:Loud",
    "trap:planted:length@0.8",
    "http",
    "openai",
    "human",
    "material",
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
    made = rows()
    for row in made:
        row["weak"] |= {"quiet-lover": int("!" not in str(row["text"]))}  # type: ignore[operator]
    return load_task(str(cases_file(made)), 0)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"bert": make_bert(tmp_path_factory.mktemp("bert")), "llama": make_llama(tmp_path_factory.mktemp("llama"))}


def loud(text: str) -> int | None:
    """What endpoints and people say here: a function of the text."""
    return None if "pace" in text else int("!" in text)


def endpoint(body: dict[str, Any], _: dict[str, str]) -> Reply:
    return reply({"label": loud(body["text"])})


def chat_model(body: dict[str, Any], _: dict[str, str]) -> Reply:
    said = loud(body["messages"][0]["content"].split("----------")[1])
    return completion(json.dumps({"answer": "unsure" if said is None else "AB"[said]}))


class Person(io.StringIO):
    """Screen and keyboard of someone who reads what was written last and answers it."""

    def readline(self, size: int | None = -1, /) -> str:
        said = loud(self.getvalue().rpartition("] ")[2])
        return "u\n" if said is None else f"{said + 1}\n"


def chess(tmp_path: Path) -> LoadedTask:
    made = generate({"hanging piece": 12, "mate in 1": 4})
    pieces = [(*_case(PAIR, index, puzzle)[:2], index) for index, puzzle in enumerate(made)]
    path = tmp_path / "chess-few.jsonl"
    lines = [{"id": c.id, "text": c.text, "options": c.options, "gold": right, "split": "pool" if i % 4 else "weak"}
             for c, right, i in pieces]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return load_task(str(path), 0)


@pytest.fixture(params=SPECS)
def asked(
    request: pytest.FixtureRequest, loaded: LoadedTask, tiny_models: dict[str, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Supervisor, LoadedTask]]:  # fmt: skip
    """A supervisor of every kind, ready to answer, and the task it answers."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASKEW_HOME", str(tmp_path / "home"))
    kind, _, rest = str(request.param).partition(":")
    if kind in {"http", "openai"}:
        with server(endpoint if kind == "http" else chat_model) as address:
            spec = f"http:{address}" if kind == "http" else f"openai:tiny@{address}"
            yield build_supervisor(Settings(supervisor=spec), loaded, features_of), loaded
    elif kind == "human":
        seat = Person()
        yield HumanSupervisor(loaded.task.question, keys=seat, screen=seat), loaded
    elif kind == "material":
        puzzles = chess(tmp_path)
        yield build_supervisor(Settings(supervisor="material"), puzzles, features_of), puzzles
    elif kind == TRAP:
        built = build_supervisor(Settings(supervisor=rest), loaded, features_of)
        trapped, behind = set_trap(loaded, built)
        yield behind, replace(trapped, task=loaded.task)
    else:
        name, _, how = rest.partition(":")
        spec = f"model:{tiny_models[name]}:{how}" if name in tiny_models else str(request.param)
        yield build_supervisor(Settings(supervisor=spec), loaded, features_of), loaded


def test_one_label_for_each_case_within_its_options(asked: tuple[Supervisor, LoadedTask]) -> None:
    supervisor, loaded = asked
    cases = loaded.task.split(Split.POOL)
    labels = checked_labels(supervisor, cases)
    assert len(labels) == len(cases) and set(labels) <= {0, 1, None} and len(set(labels)) > 1
    assert list(supervisor.label([])) == []


def test_an_answer_does_not_depend_on_order_company_or_repetition(asked: tuple[Supervisor, LoadedTask]) -> None:
    supervisor, loaded = asked
    cases = list(loaded.task.split(Split.POOL))
    together = dict(zip(cases, supervisor.label(cases), strict=True))
    order = np.random.default_rng(0).permutation(len(cases))
    shuffled = [cases[index] for index in order]
    assert dict(zip(shuffled, supervisor.label(shuffled), strict=True)) == together
    assert all(list(supervisor.label([case])) == [together[case]] for case in cases[:10])


def test_the_budget_is_what_was_asked(asked: tuple[Supervisor, LoadedTask], tmp_path: Path) -> None:
    supervisor, loaded = asked
    cases = loaded.task.split(Split.POOL)[:7]
    with Journal(tmp_path / "run") as journal:
        lab = Lab(Settings(), loaded.task, supervisor, None, None, None, journal, tmp_path)  # type: ignore[arg-type]
        experiments = [journal.note("experiment", id=f"E{i}", case=case_data(c)) for i, c in enumerate(cases)]
        assert lab.ask(experiments) == list(supervisor.label(cases))
        assert lab.labels_used == 7 == len(journal.events("answer"))


def test_a_slow_endpoint_is_waited_for_and_asked_each_case_once(loaded: LoadedTask, tmp_path: Path) -> None:
    bodies: list[str] = []

    def slow(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        time.sleep(0.05)
        bodies.append(body["id"])
        return endpoint(body, headers)

    cases = loaded.task.split(Split.POOL)[:8]
    with server(slow) as address, Journal(tmp_path / "run") as journal:
        supervisor = build_supervisor(Settings(supervisor=f"http:{address}"), loaded, features_of)
        lab = Lab(Settings(), loaded.task, supervisor, None, None, None, journal, tmp_path)  # type: ignore[arg-type]
        experiments = [journal.note("experiment", id=f"E{i}", case=case_data(c)) for i, c in enumerate(cases)]
        start = time.monotonic()
        assert lab.ask(experiments) == [loud(case.text) for case in cases]
        assert time.monotonic() - start >= 0.4
    assert bodies == [case.id for case in cases]


def test_a_finetuned_supervisor_is_calibrated_and_kept(
    loaded: LoadedTask, tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASKEW_HOME", str(tmp_path / "home"))
    settings = Settings(supervisor=f"model:{tiny_models['bert']}:full")
    first, again = (build_supervisor(settings, loaded, features_of) for _ in range(2))
    assert isinstance(first, TunedSupervisor) and isinstance(again, TunedSupervisor)
    cases = loaded.task.split(Split.POOL)
    p_N_K = first.probabilities(cases)
    assert p_N_K.shape == (len(cases), 2) and np.allclose(p_N_K.sum(axis=1), 1)
    assert np.allclose(again.probabilities(cases), p_N_K, atol=1e-5)
    assert len(list((tmp_path / "home" / "supervisors").glob("*/card.json"))) == 1  # trained once
    other = build_supervisor(settings.model_copy(update={"seed": 1}), loaded, features_of)
    assert len(list((tmp_path / "home" / "supervisors").glob("*/card.json"))) == 2
    assert isinstance(other, TunedSupervisor)


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    honest_N = rng.uniform(0.5, 1.0, 4000)
    labels_N = (rng.random(4000) < honest_N).astype(int)
    logits_N = np.log(honest_N / (1 - honest_N))
    loud_N_K = np.stack([1 / (1 + np.exp(3 * logits_N)), 1 / (1 + np.exp(-3 * logits_N))], axis=1)
    assert 2.6 < calibrated(loud_N_K, labels_N) < 3.4


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
    edit = replace(cases[0], id=f"{cases[0].id}~exclamation marks~0", text=f"{cases[0].text}!")
    heard: list[Case] = []
    replace(behind, inner=Odd(lambda asked: heard.extend(asked) or [0] * len(asked))).label([edit])  # type: ignore[arg-type]
    assert [case.text for case in heard] == [f"{loaded.task.cases[0].text}!"], "nor in what was edited"
    assert trapped.task.fingerprint == loaded.task.fingerprint, "by it a run is graded"


def test_a_planted_mistake_may_begin_at_an_amount(loaded: LoadedTask) -> None:
    long_N = [ATTRIBUTES["word length"].value(case.text) for case in loaded.task.cases]
    most = max(long_N)
    assert most > sorted(long_N)[len(long_N) // 2]
    for name, option in (("word-length", 1), ("-word-length", 0)):
        pick = mistake_pick(f"{name}>{most - 1e-6:.9f}", loaded.task)
        assert [pick(case, 0) for case in loaded.task.cases] == [option if n == most else None for n in long_N]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("planted:charm@0.8", "unknown mistake 'charm'"),
        ("planted:length@7", "a number from 0 to 1"),
        ("planted:length@nan", "a number from 0 to 1"),
        ("planted:length>many@0.8", "expected NAME>NUMBER"),
        ("planted:length>@0.8", "expected NAME>NUMBER"),
        ("planted:comes-first>1@0.8", "options are held against each other"),
        ("planted:keyword=plot,@0.8", "has an empty word"),
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
