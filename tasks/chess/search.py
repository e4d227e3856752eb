"""Exact answers about a position: forced mates by exhaustion, and material by a quiescence search."""

from __future__ import annotations

from collections.abc import Sequence

import chess

VALUES = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}
MATE = 1000
DEEPEST = 8
"""Captures in a row that the quiescence search follows."""
LEAST_GAP = 2
"""Pawns by which the better move must be better."""


def best_of(board: chess.Board, moves: Sequence[chess.Move]) -> int | None:
    """The index of the move that is better than the others beyond doubt: it mates soonest, or wins most material."""
    for depth in (1, 2):
        mating = [index for index, move in enumerate(moves) if is_forced(board, move, depth)]
        if mating:
            return mating[0] if len(mating) == 1 else None
    return stands_out(board, moves)


def stands_out(board: chess.Board, moves: Sequence[chess.Move]) -> int | None:
    """The index of the move that is worth so much more than the others; mates are not looked for."""
    values = [value_of(board, move) for move in moves]
    first, second, *_ = sorted(values, reverse=True)
    return values.index(first) if first >= second + LEAST_GAP else None


def material(board: chess.Board) -> int:
    """Material in pawns, for the side to move."""
    total = sum(VALUES[piece.piece_type] * (1 if piece.color else -1) for piece in board.piece_map().values())
    return total if board.turn else -total


def mates_in(board: chess.Board, moves: int) -> bool:
    """Whether the side to move can force mate in at most ``moves`` moves, by exhaustion, checks tried first."""
    return any(
        is_forced(board, move, moves) for move in sorted(board.legal_moves, key=lambda m: not board.gives_check(m))
    )


def is_forced(board: chess.Board, move: chess.Move, moves: int) -> bool:
    """Whether ``move`` mates, or leads to mate in ``moves`` at most whatever the reply."""
    if moves == 1 and not board.gives_check(move):
        return False
    board.push(move)
    try:
        if board.is_checkmate():
            return True
        if moves == 1 or not any(board.legal_moves):
            return False
        for reply in list(board.legal_moves):
            board.push(reply)
            held = not mates_in(board, moves - 1)
            board.pop()
            if held:
                return False
        return True
    finally:
        board.pop()


def quiet_value(board: chess.Board, low: int = -MATE, high: int = MATE, depth: int = DEEPEST) -> int:
    """Material for the side to move once all captures that pay are made (negamax with alpha-beta)."""
    if board.is_checkmate():
        return -MATE
    best = material(board)
    if depth == 0 or best >= high:
        return best
    low = max(low, best)
    captures = sorted(board.generate_legal_captures(), key=lambda move: -captured(board, move))
    for move in captures:
        board.push(move)
        value = -quiet_value(board, -high, -low, depth - 1)
        board.pop()
        best, low = max(best, value), max(low, value)
        if low >= high:
            break
    return best


def value_of(board: chess.Board, move: chess.Move) -> int:
    """What ``move`` is worth to the side that makes it, in pawns, after the best capture in reply, or none."""
    board.push(move)
    value = -quiet_value(board)
    board.pop()
    return value


def captured(board: chess.Board, move: chess.Move) -> int:
    """Value of the piece that a move takes at once, 0 for none."""
    if board.is_en_passant(move):
        return VALUES[chess.PAWN]
    taken = board.piece_type_at(move.to_square)
    return VALUES[taken] if taken else 0
