"""The index of a log finds what reading the whole log finds; evidence follows Bayes' rule; figures escape and scale."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hostile_run import EVIL, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.agent import account
from askew.agent.journal import EVENTS, Event, Journal, read_events
from askew.agent.reading import SetView
from askew.agent.runlog import read_run
from askew.agent.web.figures import Line, figure, marked
from askew.errors import InputError

WORDS = st.sampled_from(["dull", "warm", "Dünn", "plot-driven", "warmth", "a"])
CHAIN = st.tuples(st.sampled_from("abc"), st.lists(st.tuples(WORDS, st.integers(0, 1)), max_size=2), st.integers(0, 1))


def write_chains(folder: Path, chains: list[Any]) -> None:
    with Journal(folder) as journal:
        journal.round = 1
        journal.note("round-started", round=1)
        for case, reasons, weak in chains:
            steps = [{"subject": word, "claim": f"so {word}", "favours": label} for word, label in reasons]
            text = "; ".join(step["claim"] for step in steps)
            journal.note("chain", case=case, text=text, steps=steps, weak_label=weak, true_label=0, malformed=None)
        for number, (case, reasons, weak) in enumerate(chains):
            text = " ".join(word for word, _ in reasons)
            shown = {"id": case, "text": text, "options": ["no", "yes"]}
            journal.note("experiment", id=f"E{number}", set=None, case=shown, source="pool" if weak else "edited")
            if number % 2:
                journal.note("answer", experiment=f"E{number}", case=case, weak=weak or None, labels_used=number)


@settings(max_examples=30, deadline=None)
@given(chains=st.lists(CHAIN, max_size=12), word=WORDS, limit=st.integers(1, 4), skip=st.integers(0, 3))
def test_the_index_finds_what_the_whole_log_holds(
    tmp_path_factory: pytest.TempPathFactory, chains: list[Any], word: str, limit: int, skip: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    write_chains(folder, chains)
    run, events = read_run(folder), list(read_events(folder))
    try:
        assert [(e.n, e.kind, e.data) for e in run.events()] == [(e.n, e.kind, e.data) for e in events]
        counts: dict[str, int] = {}
        for case, reasons, weak in chains:
            key = repr((case, [(w.casefold(), label) for w, label in reasons], weak))
            counts[key] = counts.get(key, 0) + 1
        groups = run.chains()
        assert sorted(g.times for g in groups) == sorted(counts.values())
        assert run.count_chains() == (len(chains), len(counts))
        assert run.chains(limit=limit, skip=skip) == groups[skip : skip + limit]
        asked = run.experiments()
        assert [e["id"] for e in asked] == [f"E{i}" for i in range(len(chains))]
        assert run.experiments({"source": "pool"}) == [e for e in asked if e["source"] == "pool"]
        assert run.count_experiments({"answer": "open"}) == sum(not e["answered"] for e in asked)
        for case in "abc":
            found = run.case(case)
            assert (found is None) == all(case != c for c, _, _ in chains)
        begins = sum(_holds(event, word) for event in events)
        assert run.search(word)[0] == begins
    finally:
        run.close()


def _holds(event: Event, query: str) -> bool:
    """Words that begin with those of the query, in order for one that has several parts; accents don't count."""
    text = {"chain": event.data.get("text", ""), "experiment": event.data.get("case", {})}.get(event.kind, "")
    if event.kind == "experiment":
        text = f"{event.data['id']} {text['text']} no yes {text['id']}"
    else:
        text = f"{event.data.get('case', '')} {text}" if event.kind == "chain" else ""
    plain = text.casefold().replace("ü", "u")
    return bool(re.search(r"\b" + re.escape(query.casefold().replace("ü", "u")), plain))


def test_a_log_that_grows_is_indexed_as_one_that_is_read_at_once(tmp_path: Path) -> None:
    whole = (write_run(tmp_path / "whole") / EVENTS).read_bytes()
    growing = tmp_path / "growing"
    growing.mkdir()
    run = None
    for end in (200, 1500, 1501, len(whole) // 2, len(whole)):
        (growing / EVENTS).write_bytes(whole[:end])
        run = read_run(growing) if run is None else run.refresh()
    once = read_run(tmp_path / "whole")
    assert run is not None and run.view == once.view
    assert run.chains() == once.chains() and run.experiments() == once.experiments()
    assert run.search("praise") == once.search("praise")
    with pytest.raises(ValueError, match="no column"):
        run.experiments({"1=1; drop table event": "x"})
    with pytest.raises(InputError, match="not a run folder"):
        read_run(tmp_path)


def belief(**posterior: float) -> dict[str, Any]:
    return {"round": 1, "posterior": posterior}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.integers(0, 1)), max_size=6)
)
def test_evidence_is_bayes_rule_from_the_last_belief(answers: list[tuple[int, float, float, int]]) -> None:
    shown = SetView(
        "S1",
        "praise",
        "torn",
        "praise",
        hypotheses={"S1.1": {"prior": 0.7}},
        history=[belief(**{"S1.1": 0.2, "h0": 0.8})],
    )
    asked = [
        {"id": f"E{i}", "round": r, "weak": weak, "predicts": {"S1.1": [1 - q, q], "h0": [1 - q0, q0]}}
        for i, (r, q, q0, weak) in enumerate(sorted(answers))
    ]
    rows = account.evidence(shown, [*asked, {"id": "E9", "round": 9, "weak": None, "predicts": {}}])
    assert len(rows) == len(asked)
    for number, row in enumerate(rows):
        first = number == 0 or row["experiment"]["round"] != rows[number - 1]["experiment"]["round"]
        before = (
            ({"S1.1": 0.7, "h0": 0.3} if row["experiment"]["round"] == 1 else {"S1.1": 0.2, "h0": 0.8})
            if first
            else rows[number - 1]["after"]
        )
        assert row["before"] == pytest.approx(before, abs=1e-6)
        assert sum(row["after"].values()) == pytest.approx(1)
        odds = row["after"]["S1.1"] / row["after"]["h0"] / (row["before"]["S1.1"] / row["before"]["h0"])
        assert (odds > 1) == (row["said"]["S1.1"] > row["said"]["h0"]) or odds == pytest.approx(1)
        assert (row["weights"]["S1.1"] > 0) == (row["said"]["S1.1"] > row["said"]["h0"])


def test_figures_hold_their_lines_and_run_nothing() -> None:
    drawn = figure(
        EVIL, [Line(EVIL, [(0, 0.2), (40, 1.7)], [(0, 0.1, 0.3), (40, 0.5, 0.9)])], EVIL, (0.0, 1.0), [(EVIL, 0.4)]
    )
    assert EVIL not in drawn and drawn.count("&lt;script&gt;") >= 4
    ys = [float(y) for y in re.findall(r"[\d.]+,([\d.]+)", str(drawn))]
    assert ys and all(0 <= y <= 260 for y in ys)
    assert figure("empty", [], "x") == ""
    assert figure("flat", [Line("a", [(1, 0.5)])], "x").count("<polyline") == 1


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=4), max_size=3))
def test_marks_change_no_text(text: str, words: list[str]) -> None:
    from html import unescape

    shown = str(marked(text, words))
    assert "<" not in re.sub(r"</?mark>", "", shown)
    assert unescape(re.sub(r"</?mark>", "", shown)).strip("…") in text or text.strip("…") == ""


def test_colours_of_text_have_contrast_enough_in_light_and_dark() -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, on the page and on tinted ground."""
    style = (Path(account.__file__).parent / "web" / "static" / "figures.css").read_text()
    schemes = re.findall(r":root\{(.*?)\}", style, flags=re.S)
    assert len(schemes) == 3
    for scheme in schemes:
        colour = {name: _luminance(value) for name, value in re.findall(r"--([\w-]+):(#\w+)", scheme)}
        for ground in ("paper", "tint"):
            for name in ("ink", "soft", "link", "good", "bad", *(f"c{i}" for i in range(8))):
                light, dark = sorted((colour[name], colour[ground]), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


def _luminance(value: str) -> float:
    digits = value[1:] if len(value) == 7 else "".join(c * 2 for c in value[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
