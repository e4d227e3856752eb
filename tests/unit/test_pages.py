"""The comparison as a picture and as a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_compare import LEVELS, graded, runs

from askew.errors import InputError
from askew.evals.compare import compare
from askew.evals.grade import GradedRun
from askew.evals.page import write_page
from askew.evals.plots import draw_comparison

NASTY = "likes <script>alert(1)</script> & 'quotes' $x_1$ {{ 7 * 7 }}"


def made() -> list[GradedRun]:
    curve = ((0, 0.7), (100, 0.8), (200, 0.84))
    mine = [graded("scientific", seed, 0.84, curve=curve, believed=((NASTY, 0.93),)) for seed in range(3)]
    return [*mine, *runs({name: level for name, level in LEVELS.items() if name != "scientific"}, seeds=3)]


def test_the_page_needs_nothing_beside_itself_and_runs_nothing(tmp_path: Path) -> None:
    comparison = compare(made())
    write_page(comparison, made(), tmp_path / "deep" / "page.html")
    page = (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    for name, row in comparison["methods"].items():
        assert f"{name}</td><td>{row['accuracy']:.3f}" in page
    assert "0.46" in page
    assert "ASK003" in page
    assert "3 of 3" in page


def test_the_page_says_withheld_and_does_without_what_is_missing(tmp_path: Path) -> None:
    few = runs({"zero-shot": 0.7, "weak": 0.7, "ceiling": 0.7}, seeds=1)
    write_page(compare(few), few, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "withheld" in page
    assert "Mistakes found" not in page
    alone = runs({"weak": 0.7}, seeds=1)
    write_page(compare(alone), alone, tmp_path / "page.html")
    draw_comparison(compare(alone), alone, tmp_path / "page.png")


def test_the_picture_is_drawn_in_the_format_of_its_name(tmp_path: Path) -> None:
    draw_comparison(compare(made()), made(), tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
    draw_comparison(compare(made()), made(), tmp_path / "c.svg")
    assert "<svg" in (tmp_path / "c.svg").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"ends in \.png"):
        draw_comparison(compare(made()), made(), tmp_path / "c.docx")
