"""The position and the moves that a chess case is about, which move is better, and what an engine says."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from askew.errors import InputError
from askew.tasks.case import Case, no_objection

if TYPE_CHECKING:  # python-chess is optional: it is imported where a position is read
    import chess


def checked_truth(case: Case) -> int | None:
    """The option that search finds better beyond doubt; ``None`` where the text holds no position or it is unclear."""
    from askew.tasks.chess.puzzles import LEAST_GAP
    from askew.tasks.chess.search import is_forced, value_of

    found = position(case)
    if found is None:
        return None
    board, moves = found
    for depth in (1, 2):
        mating = [index for index, move in enumerate(moves) if is_forced(board, move, depth)]
        if mating:
            return mating[0] if len(mating) == 1 else None
    values = [value_of(board, move) for move in moves]
    ranked = sorted(values, reverse=True)
    return values.index(ranked[0]) if ranked[0] >= ranked[1] + LEAST_GAP else None


def is_position(case: Case) -> str | None:
    """Why a case is no puzzle, or ``None``: it needs a legal position and as many different legal moves."""
    if position(case) is None:
        return "no legal position with these moves"
    return no_objection(case)


def position(case: Case) -> tuple[chess.Board, list[chess.Move]] | None:
    """The board and the moves that a case is about, or ``None``."""
    import chess

    try:
        board = chess.Board(" ".join(case.text.partition("to move. ")[2].split()[:6]))
        return board, [board.parse_san(option) for option in case.options]
    except (ValueError, IndexError):
        return None


def score_with_engine(case: Case, seconds: float = 0.1, nodes: int = 200_000, path: str | None = None) -> list[float]:
    """Pawns that each option is worth by Stockfish, for the side to move; mates count as 100.

    Args:
        case: a position and its moves.
        seconds: time for each move.
        nodes: nodes for each move; whichever limit comes first.
        path: the engine; found on PATH by default.

    Raises:
        InputError: no engine, or no position.
    """
    import chess.engine

    found, engine = position(case), path or shutil.which("stockfish") or _debian("stockfish")
    if engine is None:
        raise InputError("no 'stockfish' on PATH: install it (Debian: apt install stockfish), or give its path.")
    if found is None:
        raise InputError(f"case {case.id!r} holds no legal position with these moves.")
    board, moves = found
    # The context ends the engine's process, also when a limit or an error cuts the analysis short.
    with chess.engine.SimpleEngine.popen_uci(engine, timeout=10.0) as running:
        limit = chess.engine.Limit(time=seconds, nodes=nodes)
        scored = [running.analyse(board, limit, root_moves=[move])["score"] for move in moves]
    return [score.pov(board.turn).score(mate_score=10_000) / 100 for score in scored]


def _debian(name: str) -> str | None:
    """Debian installs games outside the usual PATH."""
    place = f"/usr/games/{name}"
    return place if os.access(place, os.X_OK) else None
