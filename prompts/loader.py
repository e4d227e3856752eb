"""Prompts are versioned files: front matter (id, version, variables), then a jinja2 template.

``lock.json`` holds the digest of every template; changing a template without raising its version and
writing the lock again (``python -m askew.prompts.loader``) fails the tests.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from askew.errors import InputError

FOLDER = Path(__file__).parent
LOCK = FOLDER / "lock.json"
# Prompts are plain text for a language model, never HTML: escaping would change the words of a case.
_ENVIRONMENT = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)  # noqa: S701


@dataclass(frozen=True)
class Prompt:
    """One template. ``sha`` is the digest of its text and is stored with everything sampled from it."""

    id: str
    version: int
    variables: tuple[str, ...]
    template: str
    sha: str

    def render(self, **values: Any) -> str:
        """The prompt with its variables filled in; raises ``ValueError`` when they aren't the declared ones."""
        if set(values) != set(self.variables):
            raise ValueError(f"prompt {self.id} takes {sorted(self.variables)}, got {sorted(values)}")
        return _compiled(self.template).render(**values)


@cache
def _compiled(template: str) -> Template:
    """A template is compiled once: a run renders hundreds of thousands of prompts."""
    return _ENVIRONMENT.from_string(template)


@cache
def load_prompt(name: str) -> Prompt:
    """The prompt in ``prompts/NAME.txt``; an unknown name lists the known ones."""
    path = FOLDER / f"{name}.txt"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.txt")))
        raise InputError(f"unknown prompt {name!r}: expected one of {known}.")
    head, _, template = path.read_text(encoding="utf-8").partition("\n---\n")
    meta = tomllib.loads(head)
    sha = hashlib.sha256(template.encode()).hexdigest()[:12]
    return Prompt(meta["id"], meta["version"], tuple(meta["variables"]), template.rstrip("\n"), sha)


def current_lock() -> dict[str, dict[str, int | str]]:
    """What ``lock.json`` has to say for the templates as they are now."""
    prompts = [load_prompt(path.stem) for path in sorted(FOLDER.glob("*.txt"))]
    return {prompt.id: {"version": prompt.version, "sha": prompt.sha} for prompt in prompts}


if __name__ == "__main__":
    LOCK.write_text(json.dumps(current_lock(), indent=2) + "\n", encoding="utf-8")
