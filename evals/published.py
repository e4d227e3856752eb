"""What others have published, to place beside our figures."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

FIGURES = Path(__file__).parent / "published.toml"


class Figure(BaseModel):
    """One published PGR: of ``method`` where we have it too, by which measure, on whose models, and its source."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    what: str
    method: str | None = None
    pgr: float
    measured: str
    models: str
    source: str


@cache
def published() -> tuple[Figure, ...]:
    """All figures, in the order of the file."""
    return tuple(Figure(**item) for item in tomllib.loads(FIGURES.read_text(encoding="utf-8"))["figure"])
