"""Which move is better? Chess puzzles as preference pairs, and as a choice of the best among four.

A row of ``chess-better-move``::

    text     Black to move. 2r1n2r/p1pqpp1p/3k3b/1p4p1/Pnp1P2P/1R3KPR/3P4/1NBQ1BN1 b - - 0 18 (last moves: Nc6 g3 …)
    options  "Qxh3", "cxb3"

Truth is verified by search, not by an engine's opinion; ``board.score_with_engine`` asks Stockfish for a second one.
Check and mate signs are left out of the moves, since they would give the answer away. Puzzles are generated once and
kept; the seed draws the splits.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from askew.errors import InputError
from askew.packages import cache_folder
from askew.progress import progress
from askew.seeds import stream
from askew.tasks.case import Case, Task
from askew.tasks.chess.board import checked_truth, is_position, position
from askew.tasks.gold import Gold, LoadedTask
from askew.tasks.splits import SIZES, balanced_splits, fingerprint

if TYPE_CHECKING:
    import chess

PAIR, CHOICE = "chess-better-move", "chess-best-move"
PUZZLES = {"hanging piece": 1700, "mate in 1": 1000, "fork": 150, "mate in 2": 140, "mate in 3": 10}
"""How many of each kind: easy ones make the bulk, so that a weak supervisor is right on most."""
VERSION = 1
LINE_SHOWN = 6
"""Half-moves of the game that are shown beside the position."""


def load_chess(name: str, seed: int) -> LoadedTask:
    """The task ``name``, with splits drawn by ``seed``. Raises ``InputError`` where python-chess isn't installed."""
    items = [_case(name, index, data) for index, data in enumerate(puzzles())]
    drawn = balanced_splits([label for _, label, _ in items], SIZES, stream(seed, "splits", name))
    cases = tuple(Case(items[i][0].id, items[i][0].text, items[i][0].options, split) for i, split in drawn)
    levels = {items[i][0].id: items[i][2] for i, _ in drawn}
    task = Task(
        name=name,
        question="Which move is better?" if name == PAIR else "Which move is best?",
        noun="position",
        cases=cases,
        options_vary=True,
        attributes={
            "takes a piece": _by_move(_captured),
            "gives check": _by_move(lambda board, move: float(board.gives_check(move))),
            "moves the queen": _by_move(lambda board, move: float(board.piece_type_at(move.from_square) == 5)),
            "goes to the centre": _by_move(
                lambda _, move: -abs(move.to_square % 8 - 3.5) - abs(move.to_square // 8 - 3.5)
            ),
        },
        validator=is_position,
        fingerprint=fingerprint(cases),
    )
    gold = Gold({items[i][0].id: items[i][1] for i, _ in drawn})
    return LoadedTask(task, gold, truth=checked_truth, difficulty=lambda case: levels.get(case.id, 3.0))


def puzzles() -> list[dict[str, object]]:
    """All puzzles, generated when they are first needed (about two minutes) and kept in the cache folder."""
    path = cache_folder() / "generated" / f"chess-{VERSION}.jsonl"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = generate(PUZZLES)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.writelines(json.dumps(puzzle) + "\n" for puzzle in made)
        Path(file.name).replace(path)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def generate(counts: dict[str, int]) -> list[dict[str, object]]:
    """Puzzles of each kind, the same every time; no two with the same position."""
    _need_chess()
    from askew.tasks.chess.puzzles import FROM_PLAY, Puzzle, few_pieces, mate_in, random_positions

    rng = stream(0, "chess", "puzzles")
    seen: set[str] = set()
    made: list[Puzzle] = []

    def keep(puzzle: Puzzle | None, line: tuple[str, ...]) -> int:
        if puzzle is None or puzzle.fen.split()[0] in seen:
            return 0
        seen.add(puzzle.fen.split()[0])
        made.append(replace(puzzle, line=line))
        return 1

    with progress("chess puzzles", sum(counts.values())) as advance:
        for kind, wanted in counts.items():
            found, played = 0, random_positions(rng)
            while found < wanted:
                if kind in FROM_PLAY:
                    board, line = next(played)
                    new = keep(FROM_PLAY[kind](board, rng), line[-LINE_SHOWN:])
                else:
                    new = keep(mate_in(few_pieces(rng), int(kind[-1]), rng), ())
                found += new
                advance(new)
    return [asdict(puzzle) for puzzle in made]


def _case(name: str, index: int, puzzle: dict[str, object]) -> tuple[Case, int, float]:
    """The case, the index of its right option, and its level."""
    import chess

    from askew.tasks.chess.puzzles import LEVEL

    board = chess.Board(str(puzzle["fen"]))
    rng = stream(0, "chess", name, str(index))
    worse = list(puzzle["worse"])[: 1 if name == PAIR else None]  # type: ignore[call-overload]
    moves = [puzzle["better"], *worse]
    order = rng.permutation(len(moves))
    options = tuple(board.san(chess.Move.from_uci(str(moves[i]))).rstrip("+#") for i in order)
    side = "White" if board.turn else "Black"
    line = " ".join(puzzle["line"])  # type: ignore[arg-type]
    text = f"{side} to move. {puzzle['fen']}" + (f" (last moves: {line})" if line else "")
    case = Case(f"chess-{index + 1}", text, options)
    return case, int(np.flatnonzero(order == 0)[0]), float(LEVEL[str(puzzle["kind"])])


def _captured(board: chess.Board, move: chess.Move) -> float:
    from askew.tasks.chess.search import captured

    return float(captured(board, move))


def _by_move(measure: Callable[[chess.Board, chess.Move], float]) -> Callable[[Case], list[float]]:
    def value(case: Case) -> list[float]:
        found = position(case)
        if found is None:
            return [0.0] * len(case.options)
        board, moves = found
        return [measure(board, move) for move in moves]

    return value


def _need_chess() -> None:
    try:
        import chess
    except ImportError:
        raise InputError("chess tasks need python-chess: pip install 'askew[chess]'.") from None
    del chess
