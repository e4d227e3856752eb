"""People at a web page as the weak supervisor: the desk, the page, and a run that waits for them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import chromium, needs_chromium, served
from conftest import ScriptedModel, embed, rows, run_loop
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from askew.agent.cli import main
from askew.agent.config import Settings
from askew.agent.journal import EVENTS, Journal, read_events
from askew.agent.lab import Lab
from askew.agent.loop import scientific
from askew.agent.representation import Representation
from askew.agent.supervisors.desk import LABELS, Desk, DeskSupervisor, Item
from askew.agent.web.label import build_label_app
from askew.errors import InputError
from askew.evals.protocol import write_config
from askew.tasks.load import load_task

TOKEN = "a-token"
EVIL = '<script>document.title="owned"</script>'
ITEMS = [Item(f"i{n}", "Is it?", f"text {n} {EVIL}", ("no", f"yes{EVIL}")) for n in range(3)]


def laid_out(folder: Path | None = None, needed: int = 1) -> Desk:
    desk = Desk(folder, needed)
    desk.lay_out(ITEMS)
    return desk


def answers(desk: Desk) -> list[int | None]:
    desk.hand_in()
    return [given.label for given in desk.take()]


# -- the desk ---------------------------------------------------------------------------------------


def test_several_labellers_share_the_work_or_vote() -> None:
    desk = laid_out()
    shares = {"ann": 0, "bob": 0}
    while (item := desk.next("ann")) is not None:
        desk.answer("ann", item.id, 1)
        shares["ann"] += 1
        if (other := desk.next("bob")) is not None:
            desk.answer("bob", other.id, 0)
            shares["bob"] += 1
    assert sum(shares.values()) == 3 and min(shares.values()) > 0
    voted = laid_out(needed=3)
    for name, labels in {"ann": (1, 0, 1), "bob": (1, 1, 0), "eve": (0, None, None)}.items():
        for item, label in zip(ITEMS, labels, strict=True):
            voted.answer(name, item.id, label)
    assert answers(voted) == [1, None, None]


@given(
    st.lists(
        st.tuples(st.sampled_from(["answer", "undo", "skip"]), st.sampled_from(["ann", "bob"]), st.integers(0, 1)),
        max_size=12,
    )
)
def test_whatever_is_done_another_day_finds_the_same_desk(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("desk")
    desk = laid_out(folder)
    for action, who, label in actions:
        item = desk.next(who)
        if action == "undo":
            desk.undo(who)
        elif item is not None and action == "answer":
            desk.answer(who, item.id, label)
        elif item is not None:
            desk.skip(who, item.id)
    again = laid_out(folder)
    assert again.progress() == desk.progress()
    while (item := desk.next("ann")) is not None:
        desk.answer("ann", item.id, None)
    again = laid_out(folder)
    assert again.progress() == (3, 3)
    assert answers(again) == answers(desk)


def test_a_line_cut_off_by_a_crash_never_counted(tmp_path: Path) -> None:
    laid_out(tmp_path).answer("ann", "i0", 1)
    with (tmp_path / LABELS).open("a") as file:
        file.write('{"item": "i1", "lab')
    desk = laid_out(tmp_path)
    assert desk.progress() == (1, 3)
    desk.answer("ann", "i1", 0)
    assert laid_out(tmp_path).progress() == (2, 3)
    assert [json.loads(line)["seconds"] >= 0 for line in (tmp_path / LABELS).read_text().splitlines()] == [True, True]


def test_what_was_handed_in_can_not_be_taken_back() -> None:
    desk = laid_out()
    for item in ITEMS:
        desk.answer("ann", item.id, 1)
    desk.hand_in()
    assert not desk.undo("ann")
    assert [given.label for given in desk.take()] == [1, 1, 1]


def test_how_many_answer_is_part_of_the_run(
    cases_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(task=str(cases_file(rows())), supervisor="human", labellers=3, budget=12)
    write_config(settings, tmp_path / "run", ())
    for arguments, message in (
        (["label", str(tmp_path / "run"), "--labellers", "2"], "begun with --labellers 3"),
        (["resume", str(tmp_path / "run")], "asks 3 people: they answer in a browser"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_what_can_not_be_answered() -> None:
    desk = laid_out()
    with pytest.raises(InputError, match="no longer on the desk"):
        desk.answer("ann", "other", 1)
    with pytest.raises(InputError, match="expected 0 to 1"):
        desk.answer("ann", "i0", 2)
    assert not desk.undo("ann")
    desk.answer("ann", "i0", 1)
    assert not desk.undo("bob") and desk.undo("ann") and desk.progress() == (0, 3)


# -- the page ---------------------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[tuple[TestClient, Desk]]:
    desk = laid_out()
    with TestClient(build_label_app(desk, f"task {EVIL}", TOKEN, {"testserver"})) as found:
        found.get("/", params={"token": TOKEN})
        yield found, desk


def test_the_page_shows_hostile_text_as_text_and_nothing_of_the_model(client: tuple[TestClient, Desk]) -> None:
    page, _ = client
    assert "Who are you?" in page.get("/").text
    shown = page.post("/name", data={"name": f"Ann {EVIL[:20]}"}).text
    assert EVIL not in shown and "text 0" in shown
    assert not any(word in shown.lower() for word in ("predict", "hypothes", "agree", "epig"))


def test_answers_by_form(client: tuple[TestClient, Desk]) -> None:
    page, desk = client
    page.post("/name", data={"name": "Ann"})
    assert "text 1" in page.post("/answer", data={"item": "i0", "choice": "skip"}).text
    page.post("/answer", data={"item": "i1", "choice": "1"})
    page.post("/undo")
    page.post("/answer", data={"item": "i1", "choice": "unsure"})
    page.post("/answer", data={"item": "i2", "choice": "0"})
    assert "This round is answered" in page.post("/answer", data={"item": "i0", "choice": "1"}).text
    assert answers(desk) == [1, None, 0]
    assert "thinking" in page.get("/").text
    desk.close("Finished. Thank you.")
    assert "Thank you" in page.get("/").text


@pytest.mark.parametrize(
    ("form", "message"),
    [({"item": "i0", "choice": "7"}, "expected 0 to 1"), ({"item": "i0", "choice": EVIL}, "expected the number"),
     ({"item": "x", "choice": "1"}, "reload"), ({"item": "i0", "choice": "1", "comment": "x" * 30_000}, "longer than")],
)  # fmt: skip
def test_a_form_that_makes_no_sense(client: tuple[TestClient, Desk], form: dict[str, str], message: str) -> None:
    page, desk = client
    page.post("/name", data={"name": "Ann"})
    answer = page.post("/answer", data=form)
    assert (
        answer.status_code == 422 and message in answer.text and answer.headers["content-type"].startswith("text/plain")
    )
    assert desk.progress() == (0, 3)


def test_an_answer_that_could_not_be_kept_is_told_and_does_not_count(tmp_path: Path) -> None:
    desk = laid_out(tmp_path)
    (tmp_path / LABELS).mkdir()  # as good as a full disk
    page = TestClient(build_label_app(desk, "task", TOKEN, {"testserver"}), cookies={"labeller": "Ann"})
    page.get("/", params={"token": TOKEN})
    answer = page.post("/answer", data={"item": "i0", "choice": "1"})
    assert answer.status_code == 507 and "was not kept" in answer.text
    assert desk.progress() == (0, 3)


def test_only_the_owner_s_own_page_may_post() -> None:
    desk = laid_out()
    app = build_label_app(desk, "task", TOKEN, {"testserver"})
    form = {"item": "i0", "choice": "1"}
    stranger = TestClient(app, cookies={"labeller": "Ann"})
    assert stranger.post("/answer", data=form).status_code == 403
    owner = TestClient(app, cookies={"labeller": "Ann"})
    owner.get("/", params={"token": TOKEN})
    assert owner.post("/answer", data=form, headers={"origin": "http://evil.example"}).status_code == 403
    assert owner.post("/answer", data=form, headers={"host": "evil.example"}).status_code == 421
    assert desk.progress() == (0, 3)


# -- a run ------------------------------------------------------------------------------------------


class Session:
    """A run in its own thread with people at the desk, served on loopback."""

    def __init__(self, task_file: Path, folder: Path) -> None:
        import uvicorn

        self.folder = folder
        self.desk = Desk(folder)
        self.failure: list[BaseException] = []
        settings = Settings(
            task=str(task_file), supervisor="human", student="scripted", budget=12, rounds=2, chains=24, written=8,
            written_first=16, proposed=2,
        )  # fmt: skip
        self.thread = threading.Thread(target=self._run, args=(settings,), daemon=True)
        self.thread.start()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        app = build_label_app(self.desk, "reviews", TOKEN, {host})
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        self.web = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.web.start()
        while not self.server.started:
            time.sleep(0.02)
        self.address = f"http://{host}"

    def _run(self, settings: Settings) -> None:
        try:
            task = load_task(settings.task, settings.seed).task
            run_loop(settings, DeskSupervisor(self.desk, task.question), self.folder, task=task)
            self.desk.close("Finished. Thank you.")
        except BaseException as error:
            self.failure.append(error)

    def close(self) -> None:
        self.server.should_exit = True
        self.web.join(10)


@pytest.fixture
def session(cases_file: Callable[..., Path], tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "run").mkdir()
    found = Session(cases_file(rows()), tmp_path / "run")
    yield found
    found.close()


@pytest.mark.browser
@needs_chromium
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_labelling_a_whole_run_by_keyboard(session: Session, tmp_path: Path) -> None:
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser = chromium("400,900")
    try:
        wait = WebDriverWait(browser, 30, ignored_exceptions=[WebDriverException])
        browser.get(f"{session.address}/?token={TOKEN}")
        browser.find_element(By.NAME, "name").send_keys("Ann", Keys.ENTER)

        def heading() -> str:
            return str(browser.execute_script("return document.querySelector('h1')?.textContent ?? ''"))

        def press(key: str) -> None:
            before = browser.execute_script("return performance.timeOrigin")
            browser.find_element(By.TAG_NAME, "body").send_keys(key)
            wait.until(lambda b: b.execute_script("return performance.timeOrigin") != before)

        wait.until(lambda _: "positive or negative" in heading())
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        browser.save_screenshot(str(tmp_path / "case.png"))
        press("1")
        press("z")
        assert "0 of 6" in browser.find_element(By.TAG_NAME, "header").text
        press("s")
        pressed, clarified = 0, False
        while "Thank you" not in heading() and pressed < 60 and not session.failure:
            pressed += 1
            if "answered" in heading():
                press(Keys.ENTER)
            elif browser.find_elements(By.TAG_NAME, "textarea"):
                browser.find_element(By.TAG_NAME, "textarea").send_keys(f"It only flatters {EVIL}")
                browser.find_element(By.CSS_SELECTOR, "button[data-key='2']").click()
                wait.until(lambda _: not browser.find_elements(By.TAG_NAME, "textarea"))
                clarified = True
            elif browser.find_elements(By.TAG_NAME, "blockquote"):
                press("2" if "!" in browser.find_element(By.TAG_NAME, "blockquote").text else "1")
                browser.refresh()
            else:
                wait.until(lambda _: "thinking" not in heading())
        assert not session.failure and browser.title != "owned"
    finally:
        browser.quit()
    session.thread.join(30)
    events = list(read_events(session.folder))
    given = sum(event.kind in {"answer", "clarification"} for event in events)
    assert given == 12 and events[-1].kind == "run-finished"
    assert clarified == any(event.kind == "clarification" for event in events)
    assert (session.folder / EVENTS).stat().st_size > 0


@pytest.mark.browser
@needs_chromium
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_ten_cases_by_keyboard_undo_reload_and_another_day(tmp_path: Path) -> None:
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    items = [Item(f"i{n}", "Is it?", f"case {n} {EVIL}", ("no", "yes")) for n in range(11)]
    items.append(Item("clarify-S1", "Does praise matter?", "", ("yes", "it sways", "neither"), clarifies=True))
    browser = chromium("400,900")
    try:
        wait = WebDriverWait(browser, 30, ignored_exceptions=[WebDriverException])

        def body() -> str:
            return str(browser.find_element(By.TAG_NAME, "body").text)

        def press(key: str, then: str) -> None:
            browser.find_element(By.TAG_NAME, "body").send_keys(key)
            wait.until(lambda _: then in body())

        desk = Desk(tmp_path)
        desk.lay_out(items)
        with served(lambda host: build_label_app(desk, "reviews", TOKEN, {host})) as address:
            browser.get(f"{address}/?token={TOKEN}")
            browser.find_element(By.NAME, "name").send_keys("Ann", Keys.ENTER)
            wait.until(lambda _: "case 0" in body())
            for n in range(10):
                press("2" if n % 2 else "1", f"case {n + 1}")
            press("z", "case 9")
            browser.refresh()
            wait.until(lambda _: "case 9" in body() and "9 of 12" in body())
            press("u", "case 10")
            browser.save_screenshot(str(tmp_path / "case.png"))
        desk = Desk(tmp_path)  # another day
        desk.lay_out(items)
        with served(lambda host: build_label_app(desk, "reviews", "another-token", {host})) as address:
            browser.get(f"{address}/?token=another-token")
            wait.until(lambda _: "Who are you" in body() or "10 of 12" in body())
            if browser.find_elements(By.NAME, "name"):
                browser.find_element(By.NAME, "name").send_keys("Ann", Keys.ENTER)
            wait.until(lambda _: "10 of 12" in body() and "case 10" in body())
            press("1", "Does praise matter?")
            browser.find_element(By.TAG_NAME, "textarea").send_keys(f"1 2 3 it flatters {EVIL}")
            browser.find_element(By.CSS_SELECTOR, "button[data-key='2']").click()
            wait.until(lambda _: "This round is answered" in body())
            assert browser.title != "owned"
    finally:
        browser.quit()
    desk.hand_in()
    given = {answer.item: answer for answer in desk.take()}
    assert [given[f"i{n}"].label for n in range(11)] == [0, 1, 0, 1, 0, 1, 0, 1, 0, None, 0]
    assert given["clarify-S1"].label == 1 and given["clarify-S1"].comment == f"1 2 3 it flatters {EVIL}"
    kept = [json.loads(line) for line in (tmp_path / LABELS).read_text().splitlines()]
    assert all(record["seconds"] > 0 for record in kept if "undo" not in record) and len(kept) == 14


class Talker:
    """Answers cases by loudness, and questions about itself in words."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    def label(self, cases: list[Any]) -> list[int | None]:
        return [int("!" in case.text) for case in cases]

    def clarify(self, name: str, question: str, options: list[str]) -> tuple[int | None, str]:
        self.questions.append(question)
        return 1, "loud ones just catch the eye"


def test_a_question_in_words_moves_the_belief_and_costs_a_label(
    cases_file: Callable[..., Path], tmp_path: Path
) -> None:
    from askew.agent import clarify as asking

    settings = Settings(
        task=str(cases_file(rows())), supervisor="t", student="scripted", budget=24, rounds=3, chains=24, written=8,
        written_first=16, proposed=0,
    )  # fmt: skip
    task = load_task(settings.task, 0).task
    talker, model = Talker(), ScriptedModel()
    patched = pytest.MonkeyPatch()
    patched.setattr(asking, "UNDECIDED", 1e-6)
    try:
        with Journal(tmp_path / "run") as journal:
            lab = Lab(
                settings=settings, task=task, supervisor=talker, model=model,  # type: ignore[arg-type]
                representation=Representation(task, model, tmp_path / "cache"), embed=embed, journal=journal,
                folder=tmp_path / "run",
            )  # fmt: skip
            scientific(lab)
    finally:
        patched.undo()
    events = list(read_events(tmp_path / "run"))
    told = [event.data for event in events if event.kind == "clarification"]
    assert told and talker.questions and told[0]["words"] == "loud ones just catch the eye"
    assert sum(event.kind in {"answer", "clarification"} for event in events) <= 24
    assert events[-1].data["labels_used"] <= 24
