"""A position and moves as text and back: in FEN, or as the moves that led there; and which move is best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from askew.tasks.case import Case, no_objection

if TYPE_CHECKING:  # python-chess is optional: it is imported where a position is read
    import chess

TO_MOVE, AFTER = " to move. ", " to move after "
LINE_SHOWN = 6
"""Half-moves of the game that are shown beside a position in FEN."""


def checked_truth(case: Case) -> int | None:
    """The option that search finds better beyond doubt; ``None`` where the text holds no position or it is unclear."""
    from askew.tasks.chess.search import best_of

    found = position(case)
    return None if found is None else best_of(*found)


def is_position(case: Case) -> str | None:
    """Why a case is no puzzle, or ``None``: it needs a legal position and as many different legal moves."""
    if position(case) is None:
        return "no legal position with these moves"
    return no_objection(case)


def position(case: Case) -> tuple[chess.Board, list[chess.Move]] | None:
    """The board and the moves that a case is about, or ``None``."""
    try:
        board = _board(case.text)
        return board, [board.parse_san(option) for option in case.options]
    except (ValueError, IndexError):
        return None


def _board(text: str) -> chess.Board:
    import chess

    _, after, moves = text.partition(AFTER)
    if not after:
        return chess.Board(" ".join(text.partition(TO_MOVE)[2].split()[:6]))
    board = chess.Board()
    for move in re.sub(r"\d+\.(?:\.\.)?", " ", moves).split():
        board.push_san(move.rstrip("."))
    return board


def as_fen(board: chess.Board, line: Sequence[str]) -> str:
    """The position in FEN, and the last moves of the game where there was one."""
    shown = " ".join(line[-LINE_SHOWN:])
    return f"{_side(board)}{TO_MOVE}{board.fen()}" + (f" (last moves: {shown})" if shown else "")


def as_line(board: chess.Board, line: Sequence[str]) -> str:
    """The position as the whole game that led to it, numbered."""
    numbered = [f"{index // 2 + 1}. {move}" if index % 2 == 0 else move for index, move in enumerate(line)]
    return f"{_side(board)}{AFTER}{' '.join(numbered)}"


def _side(board: chess.Board) -> str:
    return "White" if board.turn else "Black"
