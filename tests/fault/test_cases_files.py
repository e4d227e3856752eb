"""Files of cases that can't be used, or only with care: each is named, line and mend, in bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import rows
from pyarrow import parquet

from askew.errors import InputError
from askew.tasks.load import load_task
from askew.tasks.readers import MAX_LINE

Change = Callable[[dict[str, object]], object]


def damaged(change: Change, number: int = 5) -> list[dict[str, object]]:
    made = rows(40)
    change(made[number - 1])
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.pop("text"), "line 5: text: Field required"),
        (lambda row: row.pop("options"), "line 5: expected options, or both chosen and rejected"),
        (lambda row: row.update(options=["a", "b", "c"]), "line 5: 3 options, while most cases have 2"),
        (lambda row: row.update(options=["a", "b"]), r"line 5: options \['a', 'b'\] don't match"),
        (lambda row: row.update(gold=2), "line 5: gold is 2, expected 0 to 1"),
        (lambda row: row.update(gold=-1), "line 5: gold is -1, expected 0 to 1"),
        (lambda row: row.update(gold="positive"), "line 5: gold: .*integer"),
        (lambda row: row.update(weak={"ann": 7}), "line 5: weak 'ann' is 7, expected 0 to 1"),
        (lambda row: row.update(id="c0"), "line 5: id 'c0' was used on line 1"),
        (lambda row: row.pop("id"), "line 5: no id, while other cases have one"),
        (lambda row: row.update(text=" \x00\x1b "), "line 5: text is empty"),
        (lambda row: row.update(options=["same", "same"]), "line 5: options repeat"),
    ],
)
def test_a_bad_row_is_named(change: Change, message: str, cases_file: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=message):
        load_task(str(cases_file(damaged(change))), 0)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_missing_columns_are_named_in_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"cases{suffix}"
    if suffix == ".csv":
        path.write_text('id,options\n1,"[""a"", ""b""]"\n')
    else:
        parquet.write_table(pa.Table.from_pylist([{"id": "1", "options": ["a", "b"]}]), path)
    with pytest.raises(InputError, match="text: Field required"):
        load_task(str(path), 0)


@pytest.mark.parametrize(("suffix", "before"), [(".jsonl", '{"text": "'), (".csv", 'text,options\n"')])
def test_a_line_of_50_mb_is_refused_in_little_memory(suffix: str, before: str, tmp_path: Path) -> None:
    path = tmp_path / f"cases{suffix}"
    with path.open("w", encoding="utf-8") as file:
        file.write(before)
        for _ in range(50):
            file.write("a" * 1_000_000)
        file.write('"}\n')
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=f"line [12]: longer than {MAX_LINE:,} bytes"):
            load_task(str(path), 0)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_LINE
    finally:
        tracemalloc.stop()


def test_a_cell_of_50_mb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    parquet.write_table(pa.Table.from_pylist([{"text": "a" * 50_000_000, "options": ["a", "b"]}]), path)
    with pytest.raises(InputError, match="row 1: a cell is longer than"):
        load_task(str(path), 0)


def test_a_file_that_is_not_what_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "cases.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        load_task(str(tmp_path / "cases.parquet"), 0)
    whole = tmp_path / "whole.parquet"
    parquet.write_table(
        pa.Table.from_pylist([{"text": f"text {n}" * 50, "options": ["a", "b"]} for n in range(99)]), whole
    )
    damaged = bytearray(whole.read_bytes())
    damaged[40:400] = b"\xff" * 360
    (tmp_path / "cases.parquet").write_bytes(damaged)
    with pytest.raises(InputError, match="not a readable Parquet file"):
        load_task(str(tmp_path / "cases.parquet"), 0)
    (tmp_path / "cases.csv").write_text('text,options\n"open,"["")\n')
    with pytest.raises(InputError, match=r"cases\.csv, line"):
        load_task(str(tmp_path / "cases.csv"), 0)
    (tmp_path / "cases.jsonl").write_text("[1, 2]\n")
    with pytest.raises(InputError, match="line 1"):
        load_task(str(tmp_path / "cases.jsonl"), 0)
    (tmp_path / "half.jsonl").write_text('{"text": "\\ud800", "options": ["a", "b"]}\n')  # half a character
    with pytest.raises(InputError, match="line 1: not valid JSON"):
        load_task(str(tmp_path / "half.jsonl"), 0)
    (tmp_path / "none.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match="holds no cases"):
        load_task(str(tmp_path / "none.jsonl"), 0)


@pytest.mark.parametrize(
    ("patterns", "options", "message"),
    [
        ('cue = " It was"\nwords = ["bad"]', ["no", "yes"], "has 1 words, the cases have 2 options"),
        ('cue = " It was"\nwords = ["bad", "good"]', None, "patterns are for cases that all have the same options"),
        ('cue = " It was"\nwords = ["good", "good"]', ["no", "yes"], "words of the pattern ' It was' repeat"),
        ('cue = ""\nwords = ["bad", "good"]', ["no", "yes"], "patterns.0.cue: .*at least 1 character"),
        ('words = ["bad", "good"]', ["no", "yes"], "patterns.0.cue: Field required"),
    ],
)
def test_a_pattern_that_fits_no_option_is_named(
    patterns: str, options: list[str] | None, message: str, cases_file: Callable[..., Path]
) -> None:
    made = rows(40)
    for index, row in enumerate(made):
        row["options"] = options or [f"no {index}", f"yes {index}"]
    path = cases_file(made)
    path.with_suffix(".toml").write_text(f"[[patterns]]\n{patterns}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_task(str(path), 0)


def test_control_characters_go_and_markup_stays_text(cases_file: Callable[..., Path]) -> None:
    markup = "[bold red]x[/] <script>alert(1)</script> {{ 7 * 7 }} {0} %s \\x1b"
    made = rows(40)
    made[0]["text"] = f"\x1b]0;title\x07{markup}\x9b31m\r\n end"
    path = cases_file()
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    task = load_task(str(path), 0).task
    text = task.cases[0].text
    assert markup in text and "end" in text
    assert not any((c < " " and c not in "\n\t") or "\x7f" <= c < "\xa0" for c in text)
    from askew.agent.representation import case_texts

    assert markup in case_texts(task, task.cases[0])[0]  # a template in a text is not rendered
