"""Sentiment of four kinds of text, judged by about twenty people each.

The data are the rated snippets of Hutto & Gilbert (2014), "VADER: A Parsimonious Rule-based Model for
Sentiment Analysis of Social Media Text": a mean rating in -4..4 for each snippet, and the single ratings
behind it. Two tab-separated files a kind; of film reviews, one row each::

    3	-0.6	Effective but too tepid biopic
    3	-0.6	0.8	[-1, 0, -1, 0, -1, -1, -1, -1, 0, -2, 1, 1, -1, -1, -1]

The gold label is the sign of the mean; snippets with a mean of at most 0.5 on either side are left out as
neutral. The ratings in one column ("rater-1", …) are recorded weak labels. The data are anonymous and do
not promise that a column is one person throughout: a column is *a* human answer to every case.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askew.errors import InputError
from askew.seeds import stream
from askew.tasks.case import Case, Pattern, Task
from askew.tasks.gold import Gold, LoadedTask
from askew.tasks.splits import SIZES, balanced_splits, fingerprint, first_of_each

OPTIONS = ("negative", "positive")
NEUTRAL = 0.5
"""Snippets with a mean rating of at most this size are neither positive nor negative."""


@dataclass(frozen=True)
class Source:
    """One kind of text: its file name's beginning, the prefix of its case ids, and how to talk about it."""

    stem: str
    prefix: str
    noun: str
    described: str
    short: str
    """How a text is continued so that a word for good or bad comes next."""

    @property
    def question(self) -> str:
        """What is asked of every case."""
        return f"Is this {self.described} positive or negative?"


SOURCES = {
    "movie-reviews": Source("movieReviewSnippets", "movie", "review", "movie review", " In short, the film was"),
    "product-reviews": Source(
        "amazonReviewSnippets", "product", "review", "product review", " In short, the product was"
    ),
    "editorials": Source(
        "nytEditorialSnippets", "editorial", "sentence", "sentence from a newspaper editorial", " In short, it was"
    ),
    "tweets": Source("tweets", "tweet", "tweet", "tweet", " In short, I feel"),
}


@dataclass(frozen=True)
class Rated:
    """One snippet with its mean rating and the ratings behind the mean."""

    id: str
    text: str
    mean: float
    ratings: tuple[int, ...]


def load_sentiment(name: str, seed: int, test: int = 0, folder: Path | None = None) -> LoadedTask:
    """The task ``name`` (a key of :data:`SOURCES`) with splits drawn by ``seed``, the test split of ``test`` or more.

    ``folder`` holds the extracted data; by default it is fetched once and kept.
    """
    if folder is None:
        from askew.tasks.data import data_folder

        folder = data_folder("hutto-2014")
    source = SOURCES[name]
    rated = [item for item in read_rated(folder, source) if abs(item.mean) > NEUTRAL]
    rated = [rated[index] for index in first_of_each([item.text for item in rated])]
    labels = [int(item.mean > 0) for item in rated]
    drawn = balanced_splits(labels, SIZES, stream(seed, "splits", name), test)
    chosen = [rated[index] for index, _ in drawn]
    cases = tuple(Case(rated[index].id, rated[index].text, OPTIONS, split) for index, split in drawn)
    task = Task(
        name=name,
        question=source.question,
        noun=source.noun,
        cue=f" The sentiment of this {source.noun} is",
        patterns=(Pattern(source.short, ("terrible", "great")),),
        cases=cases,
        recorded=_recorded(chosen),
        fingerprint=fingerprint(cases),
    )
    return LoadedTask(task, Gold({rated[index].id: labels[index] for index, _ in drawn}))


def read_rated(folder: Path, source: Source) -> list[Rated]:
    """Every snippet of one kind, in the order of the file. Raises ``InputError`` on a damaged file."""
    ratings = {}
    for identity, _, _, single in _rows(folder / f"{source.stem}_anonDataRatings.txt", 4):
        ratings[identity] = tuple(json.loads(single))
    return [
        Rated(f"{source.prefix}-{identity}", html.unescape(text).strip(), float(mean), ratings[identity])
        for identity, mean, text in _rows(folder / f"{source.stem}_GroundTruth.txt", 3)
    ]


def _rows(path: Path, columns: int) -> list[list[str]]:
    if not path.is_file():
        raise InputError(f"no data file {path}: run 'askew data pull hutto-2014' to fetch it.")
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            row = _decoded(line).split("\t", columns - 1)
            if len(row) != columns:
                raise InputError(f"{path}, line {number}: {len(row)} columns, expected {columns}. Pull it again.")
            rows.append(row)
    return rows


def _decoded(line: bytes) -> str:
    """The files mix encodings: most lines are UTF-8, some were saved by Windows programs."""
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _recorded(rated: list[Rated]) -> dict[str, dict[str, int | None]]:
    """Labels by rater and case id, for as many raters as every snippet has: positive, negative or unsure."""
    raters = min(len(item.ratings) for item in rated)
    answers: dict[int, int | None] = {-1: 0, 0: None, 1: 1}
    return {
        f"rater-{column + 1}": {item.id: answers[int(np.sign(item.ratings[column]))] for item in rated}
        for column in range(raters)
    }
