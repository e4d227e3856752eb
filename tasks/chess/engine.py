"""What Stockfish says a move is worth: a second opinion, and the gold of the engine's own tasks.

The engine is any that speaks UCI under the name ``stockfish``. It runs on one thread with little memory; every
question to it has a limit of nodes (so that its answers are the same every time) and one of time; whatever happens, its
process is ended.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from askew.errors import InputError, RunError
from askew.tasks.case import Case
from askew.tasks.chess.board import position

if TYPE_CHECKING:
    import chess

T = TypeVar("T")

NAME = "stockfish"
SECONDS = 2.0
"""Longest search of one position; the engine is given up on when it says nothing for as long again."""
NODES = 10_000
MATE = 100.0
"""Pawns that a forced mate counts as."""

Scorer = Callable[["chess.Board", Sequence["chess.Move"]], list[float]]
"""Pawns that each move is worth to the side that makes it."""


def find_engine(path: str | None = None) -> str:
    """The engine's file: ``path``, or as found on PATH. Raises ``InputError`` when there is none."""
    found = shutil.which(path or NAME) or (None if path else _debian(NAME))
    if found is None:
        where = f"at {path!r}" if path else "on PATH"
        raise InputError(f"no {NAME!r} {where}: install it (Debian: apt install stockfish), or give its path.")
    return found


@contextmanager
def engine(
    path: str | None = None, seconds: float = SECONDS, nodes: int = NODES, patience: float = 10.0
) -> Iterator[Scorer]:
    """A running engine, as a function that scores moves.

    Args:
        path: the engine; found on PATH by default.
        seconds: time for each position.
        nodes: nodes for each position; whichever limit comes first.
        patience: seconds that the engine may take to start, or to answer beyond its limit.

    Raises:
        InputError: there is no engine.
        RunError: it crashed, hung, or speaks something else than UCI; its process is ended.
    """
    import chess.engine

    file, limit = find_engine(path), chess.engine.Limit(time=seconds, nodes=nodes)
    loop = asyncio.new_event_loop()

    def within(waited: Coroutine[Any, Any, T]) -> T:
        return loop.run_until_complete(asyncio.wait_for(waited, patience + seconds))

    def score(board: chess.Board, moves: Sequence[chess.Move]) -> list[float]:
        # A new "game" for each position: what the engine remembers of others would colour its answer.
        told = within(protocol.analyse(board, limit, root_moves=list(moves), multipv=len(moves), game=object()))
        scored = {one["pv"][0]: pawns(one["score"].pov(board.turn)) for one in told}
        return [scored[move] for move in moves]

    transport = None
    try:
        transport, protocol = within(chess.engine.UciProtocol.popen(file))
        within(protocol.initialize())
        wanted = {"Threads": 1, "Hash": 16}
        within(protocol.configure({name: value for name, value in wanted.items() if name in protocol.options}))
        yield score
    except (chess.engine.EngineError, TimeoutError, KeyError, OSError) as error:
        raise RunError(
            f"the engine {file} failed: {type(error).__name__} {error}. It was ended. Check that it is a UCI engine "
            "that works here ('stockfish bench'), or use a chess task without '-engine'."
        ) from error
    finally:
        if transport is not None:
            loop.set_exception_handler(lambda *_: None)  # what was asked in vain may say so once more
            loop.run_until_complete(_end(transport))
        loop.close()


async def _end(transport: asyncio.SubprocessTransport) -> None:
    """End the engine's process, and wait until it is gone."""
    with suppress(ProcessLookupError):
        transport.kill()
    while transport.get_returncode() is None:
        await asyncio.sleep(0.01)
    transport.close()
    await asyncio.sleep(0.01)  # for the pipes to be closed


def pawns(score: chess.engine.Score) -> float:
    """A score in pawns; forced mates count as :data:`MATE`, nearer ones a little more."""
    value = score.score(mate_score=round(MATE * 100))
    return 0.0 if value is None else value / 100


def score_with_engine(case: Case, path: str | None = None, seconds: float = SECONDS, nodes: int = NODES) -> list[float]:
    """Pawns that each option of a case is worth by the engine; see :func:`engine` for what it raises."""
    found = position(case)
    if found is None:
        raise InputError(f"case {case.id!r} holds no legal position with these moves.")
    with engine(path, seconds, nodes) as score:
        return score(*found)


def _debian(name: str) -> str | None:
    """Debian installs games outside the usual PATH."""
    place = f"/usr/games/{name}"
    return place if os.access(place, os.X_OK) else None
