"""The viewer over a run folder: pages, permalinks, search, exports, and who may not look."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urljoin

import pytest
from hostile_run import CASE, EVIL, write_run
from starlette.testclient import TestClient

from askew.agent.cli.serving import own_names
from askew.agent.journal import EVENTS
from askew.agent.web.app import build_app
from askew.agent.web.store import Store
from askew.errors import InputError

TOKEN = "a-token-that-only-the-owner-has"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs" / "one")
    write_run(tmp_path / "runs" / "one" / "twins" / "weak")
    (tmp_path / "runs" / "one" / "report.html").write_text(f"<p>a report {EVIL}")
    (tmp_path / "secret.json").write_text("never shown")
    return tmp_path / "runs"


@pytest.fixture
def client(root: Path) -> TestClient:
    found = TestClient(build_app(root, TOKEN, {"testserver"}))
    found.get("/", params={"token": TOKEN})
    return found


PAGES = [
    "/", "/run/one/", "/run/one/set/S1", "/run/one/experiment/E1", "/run/one/experiments", "/run/one/chains",
    "/run/one/search?q=praise", "/run/one/compare", "/run/one/experiments?source=pool&answer=unsure",
    "/run/one/chains?case_id=nothing", "/run/one/round/1", "/run/one/chain/4", "/run/one/cluster/C1.1",
    "/run/one/events", "/run/one/event/3", f"/run/one/case?{urlencode({'id': CASE['id']})}", "/run/one/case?id=w1",
    f"/run/one/search?{urlencode({'q': EVIL})}", f"/?{urlencode({'q': EVIL})}",
    f"/run/one/chains?{urlencode({'case_id': EVIL})}", "/run/one/set/S1?page=7",
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_hostile_text_as_text(client: TestClient, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 200
    assert EVIL not in answer.text and "<script>" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "http://" not in answer.text and "https://" not in answer.text  # nothing from another place


def test_every_link_leads_somewhere(client: TestClient) -> None:
    waiting, seen = ["/"], set()
    while waiting:
        page = waiting.pop()
        answer = client.get(page)
        assert answer.status_code == 200, page
        seen.add(page)
        if answer.headers["content-type"].startswith("text/html") and not page.endswith("report.html"):
            links = (
                urljoin(page, unescape(link)).partition("#")[0] for link in re.findall(r'href="([^"]+)"', answer.text)
            )
            waiting += {link for link in links if link.startswith("/")} - seen - set(waiting)
    kinds = {"set", "experiment", "round", "chain", "cluster", "event", "case", "report.html", "compare"}
    assert kinds <= {re.split(r"[/?]", page.removeprefix("/run/one/"))[0] for page in seen}


def test_pages_say_what_the_log_says(client: TestClient) -> None:
    shown = client.get("/run/one/set/S1").text
    assert "weight +0.59" in shown  # log(0.9 / 0.5): how far the answer speaks for S1.1
    assert "gave it 0.90" in shown and "0.30 → 0.41" in shown and "only flatters" in shown and "S0.1" in shown
    assert "<polyline" in shown
    assert "3 times" in client.get("/run/one/chains").text  # though one was worded in another way
    assert "unsure" in client.get("/run/one/experiment/E2").text
    assert "<p>1 experiments" in client.get("/run/one/experiments?answer=unsure").text
    assert "labels changed" in client.get("/run/one/").text and "50.0%" in client.get("/run/one/").text
    assert 'class="band' in client.get("/run/one/compare").text
    assert "written to be this" in client.get("/run/one/case?id=w1").text


def test_words_are_found_wherever_they_are(client: TestClient) -> None:
    def found(query: str, kind: str = "") -> int:
        return int(client.get("/run/one/search.json", params={"q": query, "kind": kind}).json()["total"])

    assert found("nowhere") == 0 and found("") == 0 and found('"') == 0 and found("*") == 0
    assert found("PRAI") == found("praise") == 7  # three chains, their cluster, two hypotheses and a merger
    assert found("praise", "cluster") == 1 and found("flatters") == 1 and found("film") == 1
    assert found("praise again") == 1 and found("praise AND again OR NOT (") == 0
    assert "<mark>flatters</mark>" in client.get("/run/one/search?q=flatters").text


def test_what_can_be_taken_along(client: TestClient) -> None:
    run = client.get("/run/one/export.json").json()
    assert len(run["experiments"]) == 2 and len(run["students"]) == 2
    evidence = client.get("/run/one/set/S1/export.json").json()["evidence"]
    assert evidence[0]["said"]["S1.1"] == 0.9 and evidence[0]["after"]["S1.1"] > evidence[0]["before"]["S1.1"]
    assert client.get("/run/one/case.json", params={"id": CASE["id"]}).json()["chains"][0]["times"] == 3
    for name, lines in {"experiments": 2, "beliefs": 6, "chains": 1, "compare": 2}.items():
        answer = client.get(f"/run/one/{name}.csv")
        assert len(list(csv.DictReader(io.StringIO(answer.text)))) == lines
    assert client.get("/run/one/experiments.csv?answer=unsure").text.count("\nE") == 1


def test_a_spreadsheet_runs_nothing() -> None:
    from askew.agent.web.exports import sheet

    body = sheet("x", ["a"], [["=1+1"], ["@x"], ["-1"], [-1.5]]).body
    assert bytes(body).decode().splitlines() == ["a", "'=1+1", "'@x", "'-1", "-1.5"]


ABSENT = [
    "/run/two/", "/run/one/set/S9", "/run/one/experiment/E9", "/run/..%2fsecret.json/", "/static/../app.py",
    "/static/%2e%2e/%2e%2e/%2e%2e/secret.json", "/run/../../secret.json", "/run/..~/", "/run/one/round/9",
    "/run/one/chain/0", "/run/one/event/999", "/run/one/case?id=../../secret.json", "/compare?run=../../secret",
    "/compare",
]  # fmt: skip


@pytest.mark.parametrize("page", ABSENT)
def test_what_is_not_there_is_not_found(client: TestClient, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 404
    assert "never shown" not in answer.text


def test_links_out_of_the_folder_are_not_followed(root: Path) -> None:
    outside = write_run(root.parent / "elsewhere")
    (root / "linked").symlink_to(outside)
    (root / "half").mkdir()
    (root / "half" / "config.json").write_text("{}")
    (root / "half" / EVENTS).symlink_to(outside / EVENTS)
    (root / "one" / "report.html").unlink()
    (root / "one" / "report.html").symlink_to(root.parent / "secret.json")
    client = TestClient(build_app(root, TOKEN, {"testserver"}))
    client.get("/", params={"token": TOKEN})
    assert set(Store(root).folders()) == {"one", "one~twins~weak"}
    assert client.get("/run/linked/").status_code == client.get("/run/half/").status_code == 404
    assert client.get("/run/one/report.html").status_code == 404


def test_a_report_of_anyone_runs_nothing(client: TestClient) -> None:
    policy = client.get("/run/one/report.html").headers["content-security-policy"]
    assert "sandbox" in policy and "script" not in policy and "default-src 'none'" in policy


def test_only_the_owner_may_look(root: Path) -> None:
    app = build_app(root, TOKEN, {"testserver"})
    assert TestClient(app).get("/").status_code == 403
    assert TestClient(app).get("/static/askew.css").status_code == 403
    assert TestClient(app).get("/", params={"token": "guess"}).status_code == 403
    owner = TestClient(app)
    opened = owner.get("/run/one/", params={"token": TOKEN}, follow_redirects=False)
    assert opened.status_code == 303 and TOKEN not in opened.headers["location"]
    assert "HttpOnly" in opened.headers["set-cookie"] and "samesite=strict" in opened.headers["set-cookie"].lower()
    assert owner.get("/run/one/").status_code == 200
    for host in ("evil.example", "", "testserver.evil.example", "testserver:1"):
        assert owner.get("/", headers={"host": host}).status_code == 421
    for origin in ("http://evil.example", "null", "http://testserver.evil.example"):
        assert owner.get("/", headers={"origin": origin}).status_code == 403
    assert owner.get("/", headers={"origin": "http://testserver"}).status_code == 200


def test_two_pages_on_one_machine_keep_their_own_cookies(root: Path) -> None:
    """Cookies don't know ports: opening 'askew label' must not lock the owner out of 'askew view'."""
    hosts = {"127.0.0.1:1001", "127.0.0.1:1002"}
    jar = TestClient(build_app(root, "first", hosts), base_url="http://127.0.0.1:1001")
    other = TestClient(build_app(root, "second", hosts), base_url="http://127.0.0.1:1002", cookies=jar.cookies)
    jar.get("/", params={"token": "first"})
    other.cookies.update(jar.cookies)
    other.get("/", params={"token": "second"})
    jar.cookies.update(other.cookies)
    assert jar.get("/").status_code == other.get("/").status_code == 200


def test_the_names_a_browser_may_use() -> None:
    assert own_names("127.0.0.1") == ["127.0.0.1", "localhost"]
    assert own_names("::1") == ["[::1]", "localhost", "127.0.0.1"]
    assert "0.0.0.0" not in own_names("0.0.0.0") and "localhost" in own_names("0.0.0.0")


def test_a_growing_run_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "live", finished=False)
    whole = (folder / EVENTS).read_bytes()
    (folder / EVENTS).write_bytes(whole[: len(whole) // 2])
    store = Store(tmp_path)
    run = store.run("live")
    assert run is not None
    before = run.lines
    (folder / EVENTS).write_bytes(whole)
    again = store.run("live")
    assert again is run and run.lines == whole.count(b"\n") > before
    fresh = Store(tmp_path).run("live")
    assert fresh is not None and fresh.view == run.view and fresh.experiments() == run.experiments()
    (folder / EVENTS).write_bytes(whole[: whole.index(b"\n") + 1])  # another log takes its place
    again = store.run("live")
    assert again is run and run.lines == 1 and run.experiments() == []


def test_live_pages_tell_when_there_is_more(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "live", finished=False)
    client = TestClient(build_app(tmp_path, TOKEN, {"testserver"}))
    client.get("/", params={"token": TOKEN})
    page = client.get("/run/live/").text
    status = client.get("/run/live/status.json").json()
    assert f'data-live="/run/live/status.json" data-seen="{status["seen"]}"' in page and not status["finished"]
    line = {"v": 1, "n": status["seen"], "round": 1, "kind": "run-finished", "data": {"labels_used": 2, "why": "over"}}
    before = client.get("/status.json").json()
    with (folder / EVENTS).open("a") as file:
        file.write(json.dumps(line) + "\n")
    assert client.get("/run/live/status.json").json() == {"seen": status["seen"] + 1, "finished": True}
    assert client.get("/status.json").json() != before
    assert "data-live" not in client.get("/run/live/").text


@pytest.mark.parametrize("line", ["no json", '{"v": 1, "n": 1, "round": 1, "kind": "chain", "data": {}}',
                                  '{"v": 1, "n": 1, "round": 1, "kind": "answer", "data": []}',
                                  '{"v": 99}'])  # fmt: skip
def test_a_damaged_log_is_told_and_the_others_are_shown(root: Path, line: str) -> None:
    broken = root / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("not json either")
    (broken / EVENTS).write_text(line + "\n")
    client = TestClient(build_app(root, TOKEN, {"testserver"}))
    client.get("/", params={"token": TOKEN})
    assert client.get("/").status_code == 200
    for _ in range(2):
        answer = client.get("/run/broken/")
        assert answer.status_code == 422 and "line 1" in answer.text and "Traceback" not in answer.text
    with pytest.raises(InputError):
        Store(root).run("broken")


def test_runs_of_ones_own_choice_are_compared(root: Path) -> None:
    asked: list[list[Path]] = []

    def compare(folders: list[Path]) -> dict[str, object]:
        asked.append(folders)
        if len(folders) > 2:
            raise InputError("can't compare runs of different task")
        found: dict[str, object] = json.loads((folders[0] / "results.json").read_text())
        return found

    write_run(root / "three")
    client = TestClient(build_app(root, TOKEN, {"testserver"}, compare))
    client.get("/", params={"token": TOKEN})
    assert "Compare the chosen runs" in client.get("/").text
    for _ in range(2):
        assert 'class="band' in client.get("/compare?run=one&run=one~twins~weak").text
    assert asked == [[root / "one", root / "one" / "twins" / "weak"]]  # once: nothing has changed
    answer = client.get("/compare?run=one&run=one~twins~weak&run=three")
    assert answer.status_code == 422 and "different task" in answer.text
