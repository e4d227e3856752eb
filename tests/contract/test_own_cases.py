"""Cases of the user's own: K options, preference pairs and free-form answers, in every format that is read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from askew.errors import InputError
from askew.tasks.case import Split
from askew.tasks.gold import LoadedTask
from askew.tasks.load import load_task

Rows = list[dict[str, object]]


def as_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def as_csv(path: Path, rows: Rows) -> None:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()})


def as_parquet(path: Path, rows: Rows) -> None:
    parquet.write_table(pa.Table.from_pylist(rows), path)


WRITERS: dict[str, Callable[[Path, Rows], None]] = {".jsonl": as_jsonl, ".csv": as_csv, ".parquet": as_parquet}


def choices(n: int, k: int = 3) -> Rows:
    return [
        {"id": f"q{index}", "text": f"Which colour is number {index}?", "options": ["red", "green", "blue"][:k],
         "gold": index % k, "weak": {"ann": (index + 1) % k}}
        for index in range(n)
    ]  # fmt: skip


def pairs(n: int) -> Rows:
    return [{"prompt": f"Say {i}.", "chosen": f"Gladly: {i}", "rejected": f"No, not {i}"} for i in range(n)]


@pytest.fixture(params=WRITERS)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Rows], str]:
    def save(rows: Rows) -> str:
        path = tmp_path / f"mine{request.param}"
        WRITERS[request.param](path, rows)
        return str(path)

    return save


def preferred(loaded: LoadedTask) -> set[str]:
    return {case.options[loaded.gold[case.id]].split()[0] for case in loaded.task.cases}


def test_k_options_in_every_format(saved: Callable[[Rows], str]) -> None:
    loaded = load_task(saved(choices(60)), 0)
    assert loaded.task.n_options == 3 and not loaded.task.options_vary and len(loaded.task.cases) == 60
    assert dict(loaded.gold) == {f"q{index}": index % 3 for index in range(60)}
    assert loaded.task.recorded["ann"]["q1"] == 2
    assert loaded.task.split(Split.POOL) and "drawn with seed 0" in loaded.notes[0]


def test_preference_pairs_in_every_format(saved: Callable[[Rows], str]) -> None:
    loaded = load_task(saved(pairs(60)), 0)
    assert loaded.task.options_vary and preferred(loaded) == {"Gladly:"}
    assert 15 < sum(loaded.gold.values()) < 45  # the seed draws which comes first


def test_preferences_without_a_prompt_share_their_beginning(tmp_path: Path) -> None:
    path = tmp_path / "hh.jsonl"
    before = "\n\nHuman: What is up?\n\nAssistant: Not much.\n\nHuman: Say {}.\n\nAssistant: "
    answers = (("chosen", "Yes, I say {}."), ("rejected", "Yes, I won't say {}."))
    as_jsonl(path, [{key: (before + answer).format(i, i) for key, answer in answers} for i in range(40)])
    loaded = load_task(str(path), 0)
    for case in loaded.task.cases:
        number = int(case.id.removeprefix("row-")) - 1
        assert case.text == before.format(number).strip()
        assert case.options[loaded.gold[case.id]] == f"Yes, I say {number}."


def test_preferences_may_be_turns_of_a_conversation(tmp_path: Path) -> None:
    path = tmp_path / "turns.jsonl"
    asked = [[{"role": "user", "content": f"Say {i}."}] for i in range(40)]
    as_jsonl(path, [{"chosen": [*turns, {"role": "assistant", "content": f"Gladly: {i}"}],
                     "rejected": [*turns, {"role": "assistant", "content": f"Never {i}."}]}
                    for i, turns in enumerate(asked)])  # fmt: skip
    loaded = load_task(str(path), 0)
    assert preferred(loaded) == {"Gladly:"}
    assert loaded.task.cases[0].text.startswith("user: Say ") and loaded.task.cases[0].text.endswith("assistant:")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"chosen": "a", "rejected": "b"}, "begin differently"),
        ({"chosen": "a"}, "expected both chosen and rejected"),
        ({"prompt": "p", "chosen": 1, "rejected": "b"}, "to be text, or turns"),
        ({"chosen": [1], "rejected": ["b"]}, "turns like"),
        ({"prompt": "p", "chosen": "same", "rejected": "same"}, "options repeat"),
    ],
)
def test_preferences_that_cannot_be_used(row: dict[str, object], message: str, tmp_path: Path) -> None:
    as_jsonl(tmp_path / "p.jsonl", [*pairs(3), row])
    with pytest.raises(InputError, match=f"line 4: .*{message}"):
        load_task(str(tmp_path / "p.jsonl"), 0)


# -- free-form answers ------------------------------------------------------------------------------

VALID = """
import re

def valid(text, answer):
    return re.search(r"\\d+", answer) is not None and int(re.search(r"\\d+", answer)[0]) > int(text.split()[-1])

def odd(text, answer):
    return "yes"

def broken(text, answer):
    return 1 / 0
"""


def freeform(tmp_path: Path, function: str = "check.py:valid", rows: Rows | None = None) -> str:
    (tmp_path / "check.py").write_text(VALID)
    (tmp_path / "free.toml").write_text(f'question = "Which answer is right?"\nvalidator = "{function}"\n')
    made = [{"text": f"Name a number above {i}", "answers": [f"It is {i + 1}.", f"{i - 1}?", f"{i}", f"{i + 7}"],
             "weak": {"ann": 1}} for i in range(2, 62)]  # fmt: skip
    as_jsonl(tmp_path / "free.jsonl", made if rows is None else rows)
    return str(tmp_path / "free.jsonl")


def test_free_form_answers_may_be_cells_of_a_csv(tmp_path: Path) -> None:
    freeform(tmp_path)
    with (tmp_path / "free.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "answers"])
        writer.writerows(
            [f"Name a number above {i}", json.dumps([f"It is {i + 1}.", f"{i - 1}?"])] for i in range(2, 62)
        )
    loaded = load_task(str(tmp_path / "free.csv"), 0)
    assert len(loaded.task.cases) == 60 == len(loaded.gold)


def test_free_form_answers_become_a_right_and_a_wrong_one(tmp_path: Path) -> None:
    rows: Rows = [{"text": "Name a number above 3", "answers": ["4", "5"]}]
    rows += [{"text": f"Name a number above {i}", "answers": [f"It is {i + 1}.", f"{i - 1}?", f"{i}", f"{i + 7}"],
              "weak": {"ann": 1}} for i in range(2, 62)]  # fmt: skip
    loaded = load_task(freeform(tmp_path, rows=rows), 0)
    assert loaded.truth is not None and loaded.task.options_vary and len(loaded.task.cases) == 60
    assert all(loaded.truth(case) == loaded.gold[case.id] for case in loaded.task.cases)
    assert 15 < sum(loaded.gold.values()) < 45
    assert any("1 rows were left out" in note for note in loaded.notes)
    for case in loaded.task.cases:  # ann liked the second answer, where that is one of the pair
        liked = loaded.task.recorded["ann"][case.id]
        assert liked is None or case.options[liked].endswith("?")


@pytest.mark.parametrize(
    ("function", "rows", "message"),
    [
        ("check.py:nothing", None, "has no function 'nothing'"),
        ("nowhere.py:valid", None, "no file .*nowhere.py"),
        ("valid", None, "expected FILE.py:FUNCTION"),
        ("check.py:odd", None, "returned 'yes'"),
        ("check.py:broken", None, "raised ZeroDivisionError"),
        ("check.py:valid", [{"text": "Above 3", "answers": ["4", "5"]}], "nothing to choose"),
    ],
)
def test_a_validator_that_cannot_be_used(function: str, rows: Rows | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load_task(freeform(tmp_path, function, rows), 0)


def test_free_form_answers_without_a_validator(tmp_path: Path) -> None:
    path = freeform(tmp_path)
    Path(path).with_suffix(".toml").unlink()
    with pytest.raises(InputError, match=r"line 1: free-form answers need a validator.*free\.toml"):
        load_task(path, 0)


# -- a task as code ---------------------------------------------------------------------------------


def test_a_task_may_be_a_function_in_a_file(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "mine.jsonl", choices(60))
    (tmp_path / "task.py").write_text(
        "from pathlib import Path\nfrom askew.tasks.files import load_file\n"
        "def load(seed):\n    return load_file(Path(__file__).with_name('mine.jsonl'), seed)\n"
        "def wrong(seed):\n    return 7\n"
    )
    assert len(load_task(f"{tmp_path}/task.py:load", 0).task.cases) == 60
    with pytest.raises(InputError, match="returned int: expected a LoadedTask"):
        load_task(f"{tmp_path}/task.py:wrong", 0)
    with pytest.raises(InputError, match="has no function 'absent'"):
        load_task(f"{tmp_path}/task.py:absent", 0)
