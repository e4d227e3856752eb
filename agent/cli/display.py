"""What the terminal shows: tables, and progress that is quiet when nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from askew.progress import Advance, watched_by
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


@contextmanager
def shown_progress() -> Iterator[Callable[[str], None]]:
    """Bars for long work on stderr, where it is a terminal; gives the function that prints a line above them."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:

        @contextmanager
        def bar(description: str, total: int) -> Iterator[Advance]:
            task = bars.add_task(escaped(description), total=total)
            try:
                yield lambda done: bars.advance(task, done)
            finally:
                bars.remove_task(task)

        with watched_by(bar):
            yield lambda text: console.print(f"▸ {escaped(text)}", soft_wrap=True)
