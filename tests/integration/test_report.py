"""The report is whole in itself and says what was measured; the terminal tells the same as the pages."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile_run import CASE, EVIL, comparison, write_run

from askew.agent.cli import main
from askew.agent.config import Settings
from askew.agent.journal import EVENTS
from askew.evals.report import command, write_report


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = write_run(tmp_path / "one")
    (folder / "config.json").write_text(Settings(budget=2, rounds=1, tau=0.5).model_dump_json())
    return folder


class Outline(HTMLParser):
    """Tags that are opened and closed, what is fetched, and the headings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.fetched += [str(given[name]) for name in ("src", "href") if name in given]
        self.ids += [str(given["id"])] if "id" in given else []
        if tag not in {"meta", "br", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_report_is_whole_in_itself_and_shows_hostile_text_as_text(run: Path) -> None:
    write_report(run, comparison())
    page = (run / "report.html").read_text(encoding="utf-8")
    outline = Outline(page)
    assert not outline.open and all(link.startswith("#") for link in outline.fetched)
    assert {link[1:] for link in outline.fetched} <= set(outline.ids)
    assert EVIL not in page and "<script" not in page and "default-src 'none'" in page
    for expected in ("0.800 [0.700, 0.900]", "withheld", "+0.50 ± 0.20", "0.30 → 0.41", "gave it 0.90", "ASK003",
                     "askew run --budget 2 --rounds 1", "CONFIG.toml that says tau = 0.5", "torch", 'class="band',
                     "only flatters", "@media print"):  # fmt: skip
        assert expected in page, expected
    assert re.search(r"performance gap recovered is PGR", page)


def test_a_report_of_a_method_without_hypotheses(tmp_path: Path) -> None:
    folder = tmp_path / "passive"
    folder.mkdir()
    (folder / "config.json").write_text(Settings(method="passive-naive").model_dump_json())
    started = {
        "task": "t",
        "supervisor": "s",
        "student": "m",
        "method": "passive-naive",
        "seed": 0,
        "budget": 1,
        "rounds": 1,
    }
    case = {"id": "a", "text": "one", "options": ["no", "yes"]}
    kinds = [("run-started", started), ("experiment", {"id": "E1", "set": None, "case": case, "source": "pool"}),
             ("answer", {"experiment": "E1", "case": "a", "weak": 1, "labels_used": 1})]  # fmt: skip
    lines = [
        json.dumps({"v": 1, "n": n, "round": 0, "kind": kind, "data": data}) for n, (kind, data) in enumerate(kinds)
    ]
    (folder / EVENTS).write_text("\n".join(lines) + "\n")
    write_report(folder, comparison())
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "forms no theory" in page and "E1" in page and not Outline(page).open


def test_the_command_repeats_the_run() -> None:
    assert command(Settings(), ()) == "askew run"
    words = command(Settings(task="a file.jsonl", written_first=9), ("weak", "ceiling"))
    assert words == "askew run --task 'a file.jsonl' --written-first 9 --with weak,ceiling"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *arguments])
    assert not stop.value.code
    return capsys.readouterr().out


def test_the_terminal_tells_the_same(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = told(capsys, str(run))
    assert "students" in whole and "1 for, 0 against" in whole and "80%" in whole and "\x1b" not in whole
    shown = told(capsys, str(run), "--set", "S1")
    assert "0.30 → 0.41" in shown and "only flatters" in shown and "S0.1" in shown and "behaves alike" in shown
    assert "S1.1 expects" in told(capsys, str(run), "--experiment", "E1")
    assert "3 times" in told(capsys, str(run), "--case", CASE["id"])
    assert "[praise" in told(capsys, str(run), "--chains")
    assert "1 found" in told(capsys, str(run), "--search", "flatters")


def test_a_graded_run_shows_where_the_student_nears_the_supervisor_and_leaves_the_truth(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "results.json").unlink()
    assert "graded" not in told(capsys, str(run))
    method = json.loads((run / EVENTS).read_text(encoding="utf-8").splitlines()[0])["data"]["method"]
    row = {"curve": [[0, 0.8], [2, 0.7]], "agreement_curve": [[0, 0.6], [2, 0.9]]}
    checks = [{"code": "ASK010", "message": f"{method}: nearer{EVIL}\x1b[2J"}]
    (run / "results.json").write_text(json.dumps({"methods": {method: row}, "checks": checks}), encoding="utf-8")
    shown = told(capsys, str(run))
    assert re.search(r"2\s+0\.700\s+0\.900", shown) and "ASK010" in shown and "\x1b" not in shown
    graded = json.loads(told(capsys, str(run), "--json"))["graded"]
    assert graded["rounds"][1] == {"labels": 2, "accuracy": 0.7, "agreement": 0.9}
    for unusable in ("[]", "{", '{"methods": {}}', json.dumps({"methods": {method: {"curve": [["a", None]]}}})):
        (run / "results.json").write_text(unusable, encoding="utf-8")
        assert "graded" not in told(capsys, str(run))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((), "students"), (("--set", "S1"), "evidence"), (("--case", CASE["id"]), "chains"),
     (("--experiment", "E1"), "moved"), (("--search", "praise"), "hits")],
)  # fmt: skip
def test_json_of_every_part(
    run: Path, arguments: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in json.loads(told(capsys, str(run), *arguments, "--json"))


def test_json_of_chains_and_of_what_is_followed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [chain["times"] for chain in json.loads(told(capsys, str(run), "--chains", "--json"))] == [3, 1]
    followed = told(capsys, str(run), "--follow", "--json").splitlines()
    assert followed == (run / EVENTS).read_text(encoding="utf-8").splitlines()
    assert "round 1  round 1 begins" in told(capsys, str(run), "--follow")


@pytest.mark.parametrize("arguments", [("--set", "S9"), ("--case", "c9"), ("--experiment", "E9")])
def test_what_is_not_there_is_named(run: Path, arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", str(run), *arguments])
    assert stop.value.code == 2 and arguments[1] in capsys.readouterr().err
