"""The viewer in headless Chromium: a run of the real loop, by keyboard, while it grows, on a small screen, dark."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from browsing import chromium, needs_chromium, served
from conftest import rows, run_loop
from hostile_run import EVIL, write_run

from askew.agent.config import Settings
from askew.agent.journal import EVENTS
from askew.agent.runlog import read_run
from askew.agent.supervisors.column import ColumnSupervisor
from askew.agent.web.app import build_app
from askew.tasks.load import load_task

TOKEN = "a-token"
pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture
def real(cases_file: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder of runs with one that the real loop made."""
    settings = Settings(
        task=str(cases_file(rows())), supervisor="column:loud-lover", student="scripted", budget=16, rounds=2,
        chains=24, written=8, written_first=16, proposed=0,
    )  # fmt: skip
    folder = tmp_path / "runs" / "real"
    supervisor = ColumnSupervisor(load_task(settings.task, 0).task, "loud-lover")
    run_loop(settings, supervisor, folder, cache=tmp_path / "cache")
    (folder / "config.json").write_text(settings.model_dump_json())
    return folder.parent


@pytest.fixture
def browser() -> Iterator[Any]:
    found = chromium("400,900")
    yield found
    found.quit()


def waiting(browser: Any) -> Any:
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 30, ignored_exceptions=[WebDriverException])


def heading(browser: Any) -> str:
    return str(browser.execute_script("return document.querySelector('h1')?.textContent ?? ''"))


def test_a_real_run_by_keyboard(real: Path, browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    log = read_run(real / "real")
    asked = len(log.experiments())
    wait = waiting(browser)

    def press(*keys: str) -> None:
        browser.switch_to.active_element.send_keys(*keys)

    with served(lambda host: build_app(real, TOKEN, {host})) as address:
        browser.get(f"{address}/?token={TOKEN}")
        press("j")
        press(Keys.ENTER)
        wait.until(lambda b: heading(b).startswith("scientific"))
        press(Keys.ARROW_DOWN)
        first = browser.switch_to.active_element.text
        press(Keys.ARROW_DOWN)
        assert first in log.view.sets and browser.switch_to.active_element.text != first
        press(Keys.ARROW_UP)
        press(Keys.ENTER)
        wait.until(lambda b: heading(b).startswith(f"{first}:"))
        browser.get(browser.current_url)  # a permalink
        assert heading(browser).startswith(f"{first}:")
        browser.get(f"{address}/run/real/experiments")
        assert f"{asked} experiments" in browser.find_element(By.TAG_NAME, "main").text
        chosen = log.experiments()[0]["round"]
        Select(browser.find_element(By.NAME, "round")).select_by_visible_text(str(chosen))
        wait.until(lambda b: f"round={chosen}" in b.current_url)
        shown = len(log.experiments({"round": chosen}))
        wait.until(lambda b: f"{shown} experiments" in b.find_element(By.TAG_NAME, "main").text)
        press("/")
        press("lovely", Keys.ENTER)
        wait.until(lambda b: "found for" in heading(b))
        assert int(heading(browser).split()[0]) == log.search("lovely")[0] > 0
        assert browser.find_element(By.TAG_NAME, "mark").text.casefold() == "lovely"
        browser.save_screenshot(str(tmp_path / "search.png"))


def test_every_page_fits_a_small_screen_stays_still_and_runs_nothing(tmp_path: Path, browser: Any) -> None:
    write_run(tmp_path / "one")
    shifts = (
        "const done = arguments[0]; let sum = 0;"
        "new PerformanceObserver((list) => list.getEntries().forEach((e) => (sum += e.value)))"
        ".observe({type: 'layout-shift', buffered: true}); setTimeout(() => done(sum), 150);"
    )
    with served(lambda host: build_app(tmp_path, TOKEN, {host})) as address:
        browser.get(f"{address}/?token={TOKEN}")
        todo, seen = [f"{address}/"], set[str]()
        while todo:
            page = todo.pop()
            kind = re.sub(r"\d+", "0", page)
            if kind in seen or re.search(r"\.(json|csv|html)|/event/", page):
                continue
            seen.add(kind)
            browser.get(page)
            assert browser.title != "owned", page
            assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), page
            assert browser.execute_async_script(shifts) < 0.01, page
            links = re.findall(r'href="([^"]+)"', browser.page_source)
            todo += [urljoin(page, unescape(link)).partition("#")[0] for link in links if not link.startswith("data")]
    assert len(seen) > 12


def test_a_running_run_appears_without_a_reload(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.common.by import By

    folder = write_run(tmp_path / "live", finished=False)
    wait = waiting(browser)
    with served(lambda host: build_app(tmp_path, TOKEN, {host})) as address:
        browser.get(f"{address}/?token={TOKEN}")
        browser.get(f"{address}/run/live/")
        browser.execute_script("document.querySelector('details').open = true; window.mine = 'still here';")
        browser.execute_script("document.querySelector('[data-part=beliefs] table a').focus()")
        known = browser.switch_to.active_element.text
        shown = browser.find_element(By.CSS_SELECTOR, "[data-part=state]").text
        assert "not finished" in shown
        add(
            folder, "belief", set="S1", posterior={"S1.1": 0.05, "S1.2": 0.9, "h0": 0.05}, log_e=3.0,
            verdict="resolved", answers_for=1, answers_against=0, flips=3.0,
        )  # fmt: skip
        wait.until(lambda b: "resolved" in b.find_element(By.CSS_SELECTOR, "[data-part=beliefs]").text)
        assert browser.execute_script("return window.mine") == "still here"
        assert browser.execute_script("return document.querySelector('details').open")
        assert browser.switch_to.active_element.text == known
        add(folder, "run-finished", labels_used=2, why=f"over {EVIL}")
        wait.until(lambda b: "finished: over" in b.find_element(By.CSS_SELECTOR, "[data-part=state]").text)
        assert browser.title != "owned" and browser.find_element(By.ID, "news").text == "Finished."
        browser.get(f"{address}/")
        write_run(tmp_path / "another", finished=False)
        wait.until(lambda b: b.find_elements(By.LINK_TEXT, "another"))


def add(folder: Path, kind: str, **data: Any) -> None:
    n = (folder / EVENTS).read_bytes().count(b"\n")
    line = json.dumps({"v": 1, "n": n, "round": 1, "kind": kind, "data": data})
    with (folder / EVENTS).open("a", encoding="utf-8") as file:
        file.write(line[:10])  # a line that is still being written is left for later
        file.flush()
        time.sleep(0.1)
        file.write(line[10:] + "\n")


def test_light_and_dark_and_the_order_of_focus(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    write_run(tmp_path / "one")
    with served(lambda host: build_app(tmp_path, TOKEN, {host})) as address:
        browser.get(f"{address}/?token={TOKEN}")
        papers = []
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            browser.get(f"{address}/run/one/set/S1")
            papers.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
            browser.save_screenshot(str(tmp_path / f"{scheme}.png"))
        assert papers == ["rgb(255, 255, 255)", "rgb(22, 22, 22)"]
        reached = []
        for _ in range(8):
            browser.switch_to.active_element.send_keys(Keys.TAB)
            reached.append(browser.switch_to.active_element.text or browser.switch_to.active_element.tag_name)
        assert reached[:3] == ["To the content", "askew", "one"] and "input" in reached
