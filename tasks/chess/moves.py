"""Which move is better? Chess puzzles as preference pairs, and with any legal move for an answer.

A row of ``chess-better-move``::

    text     Black to move. 2r1n2r/p1pqpp1p/3k3b/1p4p1/Pnp1P2P/1R3KPR/3P4/1NBQ1BN1 b - - 0 18 (last moves: Nc6 g3 …)
    options  "Qxh3", "cxb3"

``chess-best-move`` is the generative form: whatever may be played may be answered. Its options are all legal moves of
a position that has exactly 16 of them, so that labels mean as much in every case. Both come in two more kinds: with
``-line`` the position is given as the moves that led to it ("White to move after 1. e4 e5 2. …"), and with ``-engine``
the positions are any of a game and Stockfish says which move is better. Elsewhere truth is verified by search, not by
an engine's opinion. Check and mate signs are left out of the moves, since they would give the answer away. Puzzles are
generated once and kept; the seed draws the splits.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from askew.errors import InputError
from askew.packages import cache_folder
from askew.progress import progress
from askew.seeds import stream
from askew.tasks.case import Case, Split, Task
from askew.tasks.chess.board import as_fen, as_line, checked_truth, is_position, position
from askew.tasks.chess.engine import NODES, engine, find_engine
from askew.tasks.gold import Gold, LoadedTask
from askew.tasks.splits import SIZES, balanced_splits, fingerprint

if TYPE_CHECKING:
    import chess

PAIR, ANY = "chess-better-move", "chess-best-move"
LINE, ENGINE = "-line", "-engine"
NAMES = [task + ending for ending in ("", LINE, ENGINE) for task in (PAIR, ANY)]
PUZZLES = {"hanging piece": 1700, "mate in 1": 1000, "fork": 150, "mate in 2": 140, "mate in 3": 10}
"""How many of each kind: easy ones make the bulk, so that a weak supervisor is right on most."""
ANY_PUZZLES = {"rook ending": {"mate in 1": 300, "mate in 2": 90}, "game": {"hanging piece": 1300, "quiet move": 70}}
"""The same where any move may be answered, by where the positions come from."""
ANY_SIZES = {split: size if split is Split.WEAK else 2 * size // 5 for split, size in SIZES.items()}
"""Of a case with sixteen moves the student reads sixteen texts: fewer cases."""
SCORED = {PAIR: 3000, ANY: 1500}
"""How many positions the engine scores moves of."""
VERSION = {PAIR: 2, ANY: 1}
OPENING = 8
"""Half-moves by which two games differ: no two random ones begin with the same eight."""


def load_chess(name: str, seed: int, test: int = 0) -> LoadedTask:
    """The task ``name``, with splits drawn by ``seed``, the test split of ``test`` or more.

    Raises ``InputError`` where python-chess isn't installed, or the engine that a task of its own is scored by.
    """
    _need_chess()
    found = kept_puzzles(name.removesuffix(LINE))
    items = [_case(name, index, data) for index, data in enumerate(found) if data["line"] or not name.endswith(LINE)]
    sizes = SIZES if name.startswith(PAIR) else ANY_SIZES
    drawn = balanced_splits([label for _, label, _ in items], sizes, stream(seed, "splits", name), test)
    cases = tuple(Case(items[i][0].id, items[i][0].text, items[i][0].options, split) for i, split in drawn)
    levels = {items[i][0].id: items[i][2] for i, _ in drawn}
    task = Task(
        name=name,
        question="Which move is better?" if name.startswith(PAIR) else "Which move is best?",
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
    # Search and engine differ on a few positions: only the search's own puzzles are decided by it.
    truth = None if name.endswith(ENGINE) else checked_truth
    return LoadedTask(task, gold, truth=truth, difficulty=lambda case: levels.get(case.id, 3.0))


def kept_puzzles(name: str) -> list[dict[str, object]]:
    """The puzzles of a task, generated when they are first needed and kept in the cache folder.

    That takes some three minutes; of those that an engine scores, ten to twenty.
    """
    form, scored = name.removesuffix(ENGINE), name.endswith(ENGINE)
    file = f"chess{'' if form == PAIR else '-any-move'}{'-engine' if scored else ''}-{VERSION[form]}.jsonl"
    if scored:
        find_engine()  # also when they are kept: whether a task can be loaded shouldn't depend on the cache
        return _kept(file, lambda: generate_scored(SCORED[form], any_move=form == ANY))
    return _kept(file, lambda: generate(PUZZLES) if form == PAIR else generate_any(ANY_PUZZLES))


def _kept(name: str, make: Callable[[], list[dict[str, object]]]) -> list[dict[str, object]]:
    path = cache_folder() / "generated" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.writelines(json.dumps(puzzle) + "\n" for puzzle in made)
        Path(file.name).replace(path)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def generate(counts: dict[str, int]) -> list[dict[str, object]]:
    """Puzzles of each kind, the same every time; no two with the same position."""
    from askew.tasks.chess.puzzles import FROM_PLAY, Puzzle, mate_in

    rng = stream(0, "chess", "puzzles")
    seen: set[str] = set()
    made: list[Puzzle] = []
    with progress("chess puzzles", sum(counts.values())) as advance:
        for kind, wanted in counts.items():
            found, positions = 0, _positions(kind, rng)
            while found < wanted:
                board, line = next(positions)
                # One puzzle a game, since the next position of a game often holds the same one.
                mark = " ".join(line[:OPENING]) or board.board_fen()
                if mark in seen:
                    continue
                puzzle = FROM_PLAY[kind](board, rng) if kind in FROM_PLAY else mate_in(board, int(kind[-1]), rng)
                if puzzle is not None:
                    seen.add(mark)
                    made.append(replace(puzzle, line=line))
                    found += 1
                    advance(1)
    return [asdict(puzzle) for puzzle in made]


def _positions(kind: str, rng: np.random.Generator) -> Iterator[tuple[chess.Board, tuple[str, ...]]]:
    """Positions to look for a kind of puzzle in: of random games, or of a few pieces that come from no game."""
    from askew.tasks.chess.puzzles import FROM_PLAY, few_pieces, random_positions

    return random_positions(rng) if kind in FROM_PLAY else ((few_pieces(rng), ()) for _ in itertools.count())


def generate_any(counts: dict[str, dict[str, int]]) -> list[dict[str, object]]:
    """Puzzles with every legal move for an option, of each kind from each source, the same every time."""
    from askew.tasks.chess.puzzles import every_move

    rng = stream(0, "chess", "any move")
    seen: set[str] = set()
    made: list[dict[str, object]] = []
    with progress("chess puzzles", sum(sum(kinds.values()) for kinds in counts.values())) as advance:
        for source, kinds in counts.items():
            left = Counter(kinds)
            for board, line, mark in _with_moves(source, rng):
                puzzle = every_move(board, 1 if line else 2) if mark not in seen else None
                if puzzle is not None and left[puzzle.kind] > 0:
                    seen.add(mark)
                    made.append(asdict(replace(puzzle, line=line)))
                    left[puzzle.kind] -= 1
                    advance(1)
                if not left.total():
                    break
    return made


def _with_moves(source: str, rng: np.random.Generator) -> Iterator[tuple[chess.Board, tuple[str, ...], str]]:
    """Positions with as many legal moves as an answer may be, and what no two puzzles may share."""
    from askew.tasks.chess.puzzles import EMPTIER, LONGEST_EMPTIER, MOVES, random_positions, rook_ending

    found: Iterator[tuple[chess.Board, tuple[str, ...]]] = (
        random_positions(rng, EMPTIER, LONGEST_EMPTIER)
        if source == "game"
        else ((rook_ending(rng), ()) for _ in itertools.count())
    )
    for board, line in found:
        if board.legal_moves.count() == MOVES:
            yield board, line, " ".join(line[:OPENING]) or str(board.occupied & ~board.pawns)


def generate_scored(
    wanted: int, path: str | None = None, nodes: int = NODES, *, any_move: bool = False
) -> list[dict[str, object]]:
    """Positions of random games with moves that the engine scored, the same every time for the same engine."""
    from askew.tasks.chess.puzzles import MOVES, OTHERS, random_positions, scored

    rng = stream(0, "chess", "engine")
    positions = (
        _with_moves("game", rng)
        if any_move
        else (
            (board, line, " ".join(line[:OPENING])) for board, line in random_positions(rng) if rng.random() >= 0.9
        )  # early or late in a game
    )
    seen: set[str] = set()
    made: list[dict[str, object]] = []
    with engine(path, nodes=nodes) as score, progress("chess positions", wanted) as advance:
        for board, line, game in positions:
            puzzle = scored(board, score, rng, MOVES if any_move else OTHERS + 1) if game not in seen else None
            if puzzle is not None:
                seen.add(game)
                made.append(asdict(replace(puzzle, line=line)))
                advance(1)
            if len(made) == wanted:
                break
    return made


def _case(name: str, index: int, puzzle: dict[str, object]) -> tuple[Case, int, float]:
    """The case, the index of its right option, and its level."""
    import chess

    from askew.tasks.chess.puzzles import LEVEL

    board = chess.Board(str(puzzle["fen"]))
    rng = stream(0, "chess", name, str(index))
    worse = list(puzzle["worse"])[: 1 if name.startswith(PAIR) else None]  # type: ignore[call-overload]
    moves = [puzzle["better"], *worse]
    order = rng.permutation(len(moves))
    options = tuple(board.san(chess.Move.from_uci(str(moves[i]))).rstrip("+#") for i in order)
    line = [str(move) for move in puzzle["line"]]  # type: ignore[attr-defined]
    text = as_line(board, line) if name.endswith(LINE) else as_fen(board, line)
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
