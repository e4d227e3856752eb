"""What the terminal shows: tables, and progress that is quiet when nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from askew.tasks.text import printable


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, as wide as it has to be when the output isn't a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=160)
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escaped(cell) for cell in row))
    console.print(table)


def escaped(text: str) -> str:
    """Text from outside, so that it can't be taken for markup or terminal control."""
    from rich.markup import escape

    return escape(printable(text))


def progress(text: str) -> None:
    """A line about what is going on, on stderr, only where it is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"▸ {text}\n")
        sys.stderr.flush()
