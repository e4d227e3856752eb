"""Puzzles with one move that is better beyond doubt: hanging pieces, forks, and mates in one, two and three.

Positions come from random play or, for the longer mates, from few pieces on a random board. What makes the better
move better is verified by search (:mod:`askew.tasks.chess.search`), and so is that the others are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import chess
import numpy as np

from askew.tasks.chess.engine import Scorer
from askew.tasks.chess.search import (
    LEAST_GAP,
    VALUES,
    best_of,
    captured,
    is_forced,
    material,
    mates_in,
    quiet_value,
    stands_out,
    value_of,
)

OTHERS = 3
"""Worse moves that a puzzle for a pair comes with."""
MOVES = 16
"""Legal moves of a position in which any may be answered: always as many, so that one set of labels does for all."""
LIGHT = (chess.PAWN, chess.KNIGHT, chess.BISHOP)
SHORTEST_GAME, LONGEST_GAME = 16, 60
EMPTIER = 0.8
"""How often something is taken in games that are to end with few pieces, and so with few legal moves."""
LONGEST_EMPTIER = 100
MEN = 4
"""Black men around the kings of a rook ending, so that no two look alike."""
EDGE = [s for s in chess.SQUARES if chess.square_rank(s) in (0, 7) or chess.square_file(s) in (0, 7)]
CORNERS = [s for s in chess.SQUARES if chess.square_rank(s) in (0, 1, 6, 7) and chess.square_file(s) in (0, 1, 6, 7)]


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A position, the moves that led there (SAN), the better move and worse ones (UCI), and what it is about."""

    fen: str
    line: tuple[str, ...]
    better: str
    worse: tuple[str, ...]
    kind: str


def random_positions(
    rng: np.random.Generator, taking: float = 0.0, longest: int = LONGEST_GAME
) -> Iterator[tuple[chess.Board, tuple[str, ...]]]:
    """Positions from random games without end: several from each game. ``taking`` is how often something is taken."""
    while True:
        board, line = chess.Board(), []
        for ply in range(longest):
            moves = list(board.legal_moves)
            if not moves or board.is_insufficient_material():
                break
            if taking and rng.random() < taking:
                moves = list(board.generate_legal_captures()) or moves
            move = moves[int(rng.integers(len(moves)))]
            line.append(board.san(move).rstrip("+#"))
            board.push(move)
            if ply >= SHORTEST_GAME and any(board.legal_moves):
                yield board.copy(stack=False), tuple(line)


def hanging(board: chess.Board, rng: np.random.Generator) -> Puzzle | None:
    """A capture that wins material outright."""
    before = material(board)
    winning = [move for move in board.generate_legal_captures() if captured(board, move) >= VALUES[chess.KNIGHT]]
    for move in winning:
        value = value_of(board, move)
        if value >= before + VALUES[chess.KNIGHT] and value < 900:
            return _puzzle(board, move, _worse(board, move, value - LEAST_GAP, rng), "hanging piece")
    return None


def fork(board: chess.Board, rng: np.random.Generator) -> Puzzle | None:
    """A quiet move that attacks two greater pieces at once, and wins one whatever the reply."""
    if board.is_check():
        return None
    before = quiet_value(board)
    for move in board.legal_moves:
        piece = board.piece_type_at(move.from_square)
        if board.is_capture(move) or piece not in LIGHT:
            continue
        own = VALUES[piece]
        board.push(move)
        targets = [
            board.piece_type_at(square) for square in board.attacks(move.to_square) & board.occupied_co[board.turn]
        ]
        aimed = sum(target == chess.KING or VALUES[target or chess.PAWN] > own for target in targets)
        wins = aimed > 1 and all(-value_of(board, reply) >= before + LEAST_GAP for reply in list(board.legal_moves))
        board.pop()
        if wins and not any(is_forced(board, other, 1) for other in board.legal_moves):
            return _puzzle(board, move, _worse(board, move, before, rng), "fork")
    return None


def mate_in_one(board: chess.Board, rng: np.random.Generator) -> Puzzle | None:
    """A move that mates at once."""
    for move in board.legal_moves:
        if is_forced(board, move, 1):
            others = [other for other in board.legal_moves if not is_forced(board, other, 1)]
            return _puzzle(board, move, _some(others, rng), "mate in 1")
    return None


def mate_in(board: chess.Board, moves: int, rng: np.random.Generator) -> Puzzle | None:
    """A move that forces mate in exactly ``moves``, beside moves after which the mate is gone for good."""
    if mates_in(board, moves - 1):
        return None
    checks = [move for move in board.legal_moves if board.gives_check(move)]
    for move in rng.permutation(np.array(checks, dtype=object))[:4]:
        if is_forced(board, move, moves):
            return _puzzle(
                board, move, _some([m for m in board.legal_moves if _draws(board, m)], rng), f"mate in {moves}"
            )
    return None


def scored(board: chess.Board, score: Scorer, rng: np.random.Generator, n: int = OTHERS + 1) -> Puzzle | None:
    """``n`` moves of which the engine likes one by far the best."""
    moves = _some(list(board.legal_moves), rng, n)
    if len(moves) < n:
        return None
    values = score(board, moves)
    order = np.argsort(values)[::-1]
    if values[order[0]] < values[order[1]] + LEAST_GAP:
        return None
    return _puzzle(board, moves[order[0]], [moves[index] for index in order[1:]], "engine")


def every_move(board: chess.Board, longest_mate: int) -> Puzzle | None:
    """The one best move of all that are legal, named after what makes it best.

    Where none mates in ``longest_mate`` (1 or 2; to look for longer ones takes long), one has to win material.
    """
    moves = list(board.legal_moves)
    if stands_out(board, moves) is None and not mates_in(board, longest_mate):
        return None
    index = best_of(board, moves)
    if index is None:
        return None
    best = moves[index]
    mate = next((f"mate in {n}" for n in (1, 2) if is_forced(board, best, n)), None)
    taken = captured(board, best)
    kind = mate or ("quiet move" if not taken else "hanging piece" if taken >= VALUES[chess.KNIGHT] else None)
    return _puzzle(board, best, moves[:index] + moves[index + 1 :], kind) if kind else None


def few_pieces(rng: np.random.Generator) -> chess.Board:
    """White to move with a king and two heavy pieces against a king near the edge."""
    while True:
        squares = [int(s) for s in rng.choice(64, size=4, replace=False)]
        squares[1] = int(rng.choice(EDGE))
        if len(set(squares)) < len(squares):
            continue
        board = _placed(squares, "KkRQ" if rng.random() < 0.5 else "KkRR")
        if board is not None:
            return board


def rook_ending(rng: np.random.Generator) -> chess.Board:
    """White to move with king and rook against a king near a corner, the kings close, and black men around them."""
    while True:
        lone = int(rng.choice(CORNERS))
        near = [square for square in chess.SQUARES if chess.square_distance(square, lone) == 2]
        squares = [lone, int(rng.choice(near)), *map(int, rng.choice(64, size=1 + MEN, replace=False))]
        men = "".join(rng.choice(list("ppnb"), size=MEN))
        board = _placed(squares, "kKR" + men) if len(set(squares)) == len(squares) else None
        if board is not None:
            return board


def _placed(squares: Sequence[int], pieces: str) -> chess.Board | None:
    """White to move and the pieces on these squares, unless that is no position, or the end of a game."""
    board = chess.Board(None)
    for square, symbol in zip(squares, pieces, strict=True):
        board.set_piece_at(square, chess.Piece.from_symbol(symbol))
    return board if board.is_valid() and not board.is_game_over() else None


def _draws(board: chess.Board, move: chess.Move) -> bool:
    """Whether a move throws the win away: stalemate, or a heavy piece for nothing that leaves at most one."""
    board.push(move)
    try:
        return board.is_stalemate() or any(board.generate_legal_captures())
    finally:
        board.pop()


def _worse(board: chess.Board, better: chess.Move, at_most: int, rng: np.random.Generator) -> list[chess.Move]:
    """A few other moves that are worth at most so much."""
    others = [move for move in board.legal_moves if move != better]
    found: list[chess.Move] = []
    for index in rng.permutation(len(others)):
        if len(found) == OTHERS:
            break
        if value_of(board, others[index]) <= at_most and not is_forced(board, others[index], 1):
            found.append(others[index])
    return found


def _some(moves: Sequence[chess.Move], rng: np.random.Generator, n: int = OTHERS) -> list[chess.Move]:
    return [moves[int(index)] for index in rng.permutation(len(moves))[:n]]


def _puzzle(board: chess.Board, better: chess.Move, worse: Sequence[chess.Move], kind: str) -> Puzzle | None:
    if len(worse) < OTHERS:
        return None
    return Puzzle(board.fen(), (), better.uci(), tuple(move.uci() for move in worse), kind)


Finder = Callable[[chess.Board, np.random.Generator], Puzzle | None]
FROM_PLAY: dict[str, Finder] = {"hanging piece": hanging, "mate in 1": mate_in_one, "fork": fork}
LEVEL = {"hanging piece": 1, "mate in 1": 2, "fork": 3, "quiet move": 3, "mate in 2": 4, "mate in 3": 5, "engine": 3}
