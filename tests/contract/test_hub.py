"""Public data sets: each ready definition on Parquet files of its schema, and the hub itself as a local server."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from hub_rows import ROWS
from pyarrow import parquet

from askew.errors import InputError
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask
from askew.tasks.hub.sets import SETS
from askew.tasks.load import load_task

TRAIN, TEST = 500, 150


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path)


def as_on_the_hub(name: str, folder: Path) -> Path:
    """Both splits of a set in the layout of the hub's Parquet branch."""
    definition = SETS[name]
    config = definition.config or "default"
    write(folder / config / definition.train / "0000.parquet", [ROWS[name](n) for n in range(TRAIN)])
    write(folder / config / definition.test / "0000.parquet", [ROWS[name](10_000 + n) for n in range(TEST)])
    return folder


def true_label(case: Case) -> int:
    said = case.text
    marked = re.search(r"class (\d)", said)
    if marked:
        return int(marked[1])
    right, wrong = said.find("right "), said.find("wrong ")
    if right >= 0 and wrong >= 0:
        return int(right < wrong)
    return int(right >= 0)


def check(loaded: LoadedTask) -> None:
    task = loaded.task
    assert {case.id: true_label(case) for case in task.cases} == dict(loaded.gold)
    assert len({case.text for case in task.cases}) == len(task.cases)
    for split in (Split.WEAK, Split.POOL, Split.VALIDATION, Split.TEST):
        counted = Counter(loaded.gold[case.id] for case in task.split(split))
        assert counted[0] == counted[1] > 0


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_converted_balanced_and_divided(name: str, tmp_path: Path) -> None:
    folder = as_on_the_hub(name, tmp_path)
    loaded = load_task(f"hf:{name}@{folder}", 0)
    check(loaded)
    again, other = load_task(f"hf:{name}@{folder}", 0), load_task(f"hf:{name}@{folder}", 1)
    assert again.task.fingerprint == loaded.task.fingerprint != other.task.fingerprint
    both = {case.id for case in other.task.cases} & {case.id for case in loaded.task.cases}
    texts = {case.id: case.text for case in (*other.task.cases, *loaded.task.cases)}
    assert all(texts[case.id] == case.text for case in loaded.task.cases if case.id in both)  # the seed draws splits
    assert len(loaded.task.split(Split.WEAK)) == 100
    assert {case.id.split("-")[-2] for case in loaded.task.split(Split.TEST)} == {"test"}


def test_that_none_of_the_answers_is_right_is_not_called_wrong_where_it_is_right(tmp_path: Path) -> None:
    loaded = load_task(f"hf:cosmos-qa@{as_on_the_hub('cosmos-qa', tmp_path)}", 0)
    assert not any("None of the above choices" in case.text for case in loaded.task.cases)


def test_there_are_22_sets_of_the_paper_and_two_more() -> None:
    assert len(SETS) == 24 == len(ROWS)


@pytest.mark.parametrize("name", ["quail", "multirc", "dream", "ethics-deontology"])
def test_what_shares_a_passage_stays_in_one_split(name: str, tmp_path: Path) -> None:
    group = SETS[name].group or ""
    rows = {n: ROWS[name](n) for n in range(TRAIN)}
    loaded = load_task(f"hf:{name}@{as_on_the_hub(name, tmp_path)}", 0)
    seen: dict[str, set[Split]] = {}
    for case in loaded.task.cases:
        part, number = case.id.split("-")[-2:]
        if part == "train":
            seen.setdefault(str(rows[int(number) - 1][group]), set()).add(case.split)
    assert seen and all(len(splits) == 1 for splits in seen.values())


@pytest.mark.parametrize("layout", ["{split}.parquet", "data/{split}-00000-of-00001.parquet", "{split}/0000.parquet"])
def test_other_layouts_of_a_folder(layout: str, tmp_path: Path) -> None:
    for split, first in (("train", 0), ("test", 10_000)):
        write(tmp_path / layout.format(split=split), [ROWS["sciq"](first + n) for n in range(TEST)])
    check(load_task(f"hf:sciq@{tmp_path}", 0))


def test_one_file_gives_every_split(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(path, [ROWS["cola"](n) for n in range(TRAIN)])
    loaded = load_task(f"hf:cola@{path}", 0)
    check(loaded)
    assert "repeats" not in " ".join(loaded.notes)


def test_a_test_row_that_is_in_the_training_split_is_not_trained_on(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [ROWS["twitter-sentiment"](n) for n in range(TRAIN)])
    write(tmp_path / "test.parquet", [ROWS["twitter-sentiment"](n) for n in range(TEST)])
    loaded = load_task(f"hf:twitter-sentiment@{tmp_path}", 0)
    check(loaded)
    assert any("150 of 500 rows of 'train'" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("name", "made", "message"),
    [
        ("hf:boolk", None, "expected hf:SET with one of boolq"),
        ("hf:", None, "expected hf:SET"),
        ("hf:boolq@nowhere", None, "no file or folder nowhere"),
        ("hf:boolq@.", None, "no Parquet files"),
        ("hf:boolq@.", ("train.parquet", "boolq"), "no split 'validation' in ."),
        ("hf:boolq@rows.parquet", ("rows.parquet", "piqa"), "'passage'.*columns goal, sol1, sol2, label"),
        ("hf:cola@.", ("sst2/validation.parquet", "cola"), "no configuration 'cola' in .: it has sst2"),
    ],
)
def test_what_cannot_be_read_is_named(
    name: str, made: tuple[str, str] | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if made:
        write(tmp_path / made[0], [ROWS[made[1]](n) for n in range(40)])
    with pytest.raises(InputError, match=message):
        load_task(name, 0)


# -- the hub ----------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server that speaks as much of the hub's protocol as its client needs, and the folder that it serves."""
    files = tmp_path / "served"

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, body: bool) -> None:
            api = re.fullmatch(r"/api/datasets/(\w+/[\w-]+)/(?:revision|tree)/[^?]*(?:\?.*)?", self.path)
            file = re.fullmatch(r"/datasets/(\w+/[\w-]+)/resolve/refs%2Fconvert%2Fparquet/(.*)", self.path)
            repository = (api or file or [None, ""])[1]
            place = files / repository
            if repository.endswith("gated"):
                self._send(401, b"{}", body)
            elif api and place.is_dir():
                found = [p.relative_to(place).as_posix() for p in sorted(place.rglob("*.parquet"))]
                listed: object = [{"type": "file", "path": p, "size": 1, "oid": "0" * 40} for p in found]
                if "/revision/" in self.path:
                    listed = {"id": repository, "sha": "a" * 40, "siblings": [{"rfilename": p} for p in found]}
                self._send(200, json.dumps(listed).encode(), body)
            elif file and (place / file[2]).is_file():
                content = (place / file[2]).read_bytes()
                tag = f'"{hashlib.sha256(content).hexdigest()}"'  # the client keeps files by it
                self._send(200, content, body, {"ETag": tag, "X-Repo-Commit": "a" * 40})
            else:
                self._send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})

        def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_address[1]}", files
    served.shutdown()
    served.server_close()
    thread.join()


def loaded_elsewhere(name: str, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Load a task in a process of its own: the hub's client reads its address when it is imported."""
    program = (
        "import sys\n"
        "from askew.errors import AskewError\n"
        "from askew.tasks.load import load_task\n"
        "try:\n"
        "    print(len(load_task(sys.argv[1], 0).task.cases))\n"
        "except AskewError as error:\n"
        "    print(error.exit_code, error)\n"
    )
    environment = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "PATH": "",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "*",
    }
    command = [sys.executable, "-c", program, name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)


def test_rows_come_from_the_hub_once_and_an_absent_hub_is_named(hub: tuple[str, Path], tmp_path: Path) -> None:
    endpoint, files = hub
    as_on_the_hub("wic", files / "aps" / "super_glue")
    pairs = [{"prompt": f"Which {n}?", "chosen": f"this {n}", "rejected": f"that {n}"} for n in range(60)]
    write(files / "me" / "pairs" / "default" / "train" / "0000.parquet", pairs)
    expected = len(load_task(f"hf:wic@{files / 'aps' / 'super_glue'}", 0).task.cases)
    assert loaded_elsewhere("hf:wic", endpoint, tmp_path).stdout.strip() == str(expected)
    assert loaded_elsewhere("hf:me/pairs", endpoint, tmp_path).stdout.strip() == "60"
    assert re.match("2 hf:sciq: the hub has no data set", loaded_elsewhere("hf:sciq", endpoint, tmp_path).stdout)
    gated = loaded_elsewhere("hf:me/gated", endpoint, tmp_path).stdout
    assert gated.startswith("2 ") and "status 401" in gated
    gone = loaded_elsewhere("hf:sciq", "http://127.0.0.1:1", tmp_path).stdout
    assert gone.startswith("1 ") and "can't be reached" in gone and "hf:sciq@FOLDER" in gone
