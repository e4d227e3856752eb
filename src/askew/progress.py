"""How far long work has come. Whoever does the work says so here; whoever watches decides what to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

Advance = Callable[[int], None]
"""Called with the number of items that were just done."""
Watcher = Callable[[str, int], AbstractContextManager[Advance]]
"""Given what is done and how many items there are, a context in which progress is shown."""


def _nobody(description: str, total: int) -> AbstractContextManager[Advance]:
    del description, total
    return nullcontext(lambda _: None)


_watcher: ContextVar[Watcher] = ContextVar("watcher", default=_nobody)


def progress(description: str, total: int) -> AbstractContextManager[Advance]:
    """A context for ``total`` items of work; it gives the function to call as they get done."""
    return _watcher.get()(description, total)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Show the progress of everything in this context to ``watcher``."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
