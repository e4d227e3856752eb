"""The viewer over a real run folder: pages, permalinks, search, and who may not look."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from askew.agent.journal import EVENTS, Journal
from askew.agent.web.app import build_app
from askew.agent.web.store import Store

TOKEN = "a-token-that-only-the-owner-has"
EVIL = '<script>document.title="owned"</script>'


def write_run(folder: Path, finished: bool = True) -> Path:
    """A small log in the schema of docs/architecture.md, with hostile text in every place that text can be."""
    case = {"id": f"c1{EVIL}", "text": f"fine {EVIL} & well", "options": ["negative", f"positive{EVIL}"]}
    with Journal(folder) as journal:
        journal.note(
            "run-started", task="movie-reviews", supervisor="column:kim", student="m", method="scientific", seed=0,
            budget=2, rounds=1,
        )  # fmt: skip
        journal.round = 1
        journal.note("round-started", round=1)
        for _ in range(3):
            journal.note(
                "chain", case=case["id"], prompt="chain", prompt_sha="0", model_version="m@0", text=f" praise {EVIL}",
                steps=[{"subject": f"praise{EVIL}", "claim": "it matters", "favours": 1}], weak_label=1, true_label=0,
                malformed=None,
            )  # fmt: skip
        for name, kind in (("S1.1", "liked"), ("S1.2", "better")):
            journal.note(
                "hypothesis-born", set="S1", id=name, subject=f"praise{EVIL}", statement=f"leans to praise {EVIL}",
                kind=kind, direction=1, prior=0.3, grounder="praise", concept=False, trust=1.0, cases=["c1"],
                parents=[], why="torn",
            )  # fmt: skip
        for number, weak in ((1, 1), (2, None)):
            journal.note(
                "experiment", id=f"E{number}", set="S1", case=case, source="pool", parent=None, eig=0.2, epig=0.001,
                reliability=0.8, predicts={"S1.1": [0.1, 0.9], "S1.2": [0.4, 0.6], "h0": [0.5, 0.5]},
                predicted_weak=[0.4, 0.6], predicted_truth=[0.6, 0.4], intended=None,
            )  # fmt: skip
            journal.note("answer", experiment=f"E{number}", case=case["id"], weak=weak, labels_used=number)
        for p in (0.4, 0.7):
            journal.note(
                "belief", set="S1", posterior={"S1.1": p, "S1.2": 0.1, "h0": 0.9 - p}, log_e=1.0, verdict="open",
                answers_for=1, answers_against=0, flips=3.0,
            )  # fmt: skip
            journal.note("theory", competence=1.0, intent=0.6, mistakes=[], agreement_weak=0.8, agreement_truth=0.7)
        if finished:
            journal.note("run-finished", labels_used=2, why="the rounds are over")
    (folder / "config.json").write_text("{}")
    row = {"accuracy": 0.8, "ci95": [0.7, 0.9], "pgr": None, "pgr_ci95": None, "auroc": 0.9, "queries": 2, "seeds": 1}
    results = {
        "task": "movie-reviews", "supervisor": "column:kim", "budget": 2,
        "checks": [{"code": "ASK003", "message": EVIL}],
        "methods": {"scientific": {**row, "curve": [[0, 0.6], [2, 0.8]]}},
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs" / "one")
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
    "/run/one/chains?case=nothing",
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_hostile_text_as_text(client: TestClient, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 200
    assert EVIL not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_pages_say_what_the_log_says(client: TestClient) -> None:
    shown = client.get("/run/one/set/S1").text
    assert "+0.59" in shown  # log(0.9 / 0.5): how far the answer speaks for S1.1
    assert "<b>3 times</b>" in client.get("/run/one/chains").text
    assert "unsure" in client.get("/run/one/experiment/E2").text
    assert "1 experiments" in client.get("/run/one/experiments?answer=unsure").text
    assert "0 found" in client.get("/run/one/search?q=nowhere").text
    assert len(client.get("/run/one/export.json").json()["experiments"]) == 2
    assert client.get("/run/one/experiments.csv").text.startswith("id,round,set")


@pytest.mark.parametrize("page", ["/run/two/", "/run/one/set/S9", "/run/one/experiment/E9", "/run/..%2fsecret.json/",
                                  "/static/../app.py", "/static/%2e%2e/%2e%2e/%2e%2e/secret.json"])  # fmt: skip
def test_what_is_not_there_is_not_found(client: TestClient, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 404
    assert "never shown" not in answer.text


def test_only_the_owner_may_look(root: Path) -> None:
    app = build_app(root, TOKEN, {"testserver"})
    assert TestClient(app).get("/").status_code == 403
    assert TestClient(app).get("/", params={"token": "guess"}).status_code == 403
    owner = TestClient(app)
    opened = owner.get("/run/one/", params={"token": TOKEN}, follow_redirects=False)
    assert opened.status_code == 303 and TOKEN not in opened.headers["location"]
    assert "HttpOnly" in opened.headers["set-cookie"] and "samesite=strict" in opened.headers["set-cookie"].lower()
    assert owner.get("/run/one/").status_code == 200
    assert owner.get("/", headers={"host": "evil.example"}).status_code == 421
    assert owner.get("/", headers={"origin": "http://evil.example"}).status_code == 403


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
    assert fresh is not None and fresh.view == run.view


@pytest.fixture
def address(root: Path) -> Iterator[str]:
    import socket

    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(build_app(root, TOKEN, {host}), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://{host}"
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.mark.browser
@pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="needs Debian's chromium")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_in_a_browser(address: str, tmp_path: Path) -> None:
    from selenium import webdriver
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=400,900"):
        options.add_argument(flag)
    options.binary_location = str(shutil.which("chromium"))
    service = webdriver.ChromeService(str(shutil.which("chromedriver")))
    browser = webdriver.Chrome(options, service)
    # A page that is being left may still be found for a moment.
    wait = WebDriverWait(browser, 20, ignored_exceptions=[NoSuchElementException, StaleElementReferenceException])
    try:
        browser.get(f"{address}/?token={TOKEN}")
        body = browser.find_element(By.TAG_NAME, "body")
        body.send_keys("j", Keys.ENTER)
        wait.until(lambda b: b.find_element(By.LINK_TEXT, "S1")).click()
        wait.until(lambda b: "S1" in b.title)
        assert browser.title != "owned"
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        browser.find_element(By.TAG_NAME, "body").send_keys("/")
        browser.switch_to.active_element.send_keys("praise", Keys.ENTER)
        wait.until(lambda b: "found for" in b.find_element(By.TAG_NAME, "h1").text)
        browser.save_screenshot(str(tmp_path / "search.png"))
    finally:
        browser.quit()
