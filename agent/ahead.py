"""What is done while the student answers elsewhere: its chains are taken in as they come, and asked for early.

Behind a server the strong model samples without this process. So subjects are embedded while other chains are still
being written, and the next round's chains, by the student as it is, are written while the next student is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType

from askew.agent.cluster import Embed, subject_of
from askew.agent.hypothesise import Chain

TOGETHER = 32
"""Subjects that are embedded in one go."""


class EarlyEmbedding:
    """Embeds the subjects of chains as they are heard, so that clustering finds their vectors in the cache."""

    def __init__(self, embed: Embed, *, aside: bool) -> None:
        self._embed = embed
        self._thread = ThreadPoolExecutor(1) if aside else None
        self._known: set[str] = set()
        self._waiting: list[str] = []
        self._begun: list[Future[object]] = []

    def hear(self, chain: Chain) -> None:
        """Take a chain in."""
        if self._thread is None or chain.malformed:
            return
        fresh = dict.fromkeys(subject_of(step) for step in chain.steps)
        self._waiting += [subject for subject in fresh if subject not in self._known]
        self._known.update(fresh)
        if len(self._waiting) >= TOGETHER:
            self._begun.append(self._thread.submit(self._embed, self._waiting))
            self._waiting = []

    def __enter__(self) -> EarlyEmbedding:
        return self

    def __exit__(self, error: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=error is not None)
            for begun in self._begun if error is None else ():
                begun.result()


class Early:
    """One piece of work that is planned, and mostly begun, before its result is needed."""

    def __init__(self) -> None:
        self._planned: Callable[[], list[Chain]] | None = None
        self._begun: Future[list[Chain]] | None = None

    def plan(self, sample: Callable[[], list[Chain]]) -> None:
        """Settle what will be sampled, by what is known now."""
        self._planned, self._begun = sample, None

    def begin(self, sample: Callable[[], list[Chain]]) -> None:
        """Begin to sample, in a thread of its own."""
        thread = ThreadPoolExecutor(1)
        self._begun = thread.submit(sample)
        self._planned = self._begun.result
        thread.shutdown(wait=False)

    def settle(self) -> None:
        """Wait until what was begun has ended: after this another student may be published."""
        if self._begun is not None:
            wait([self._begun])

    def take(self) -> Callable[[], list[Chain]] | None:
        """What gives the chains, and raises what the sampling raised, once; ``None`` where nothing was planned."""
        planned, self._planned, self._begun = self._planned, None, None
        return planned
