"""Chess puzzles: the better move is better beyond doubt, and nothing in the text gives it away."""

from __future__ import annotations

from collections import Counter

import chess
import pytest

from askew.agent.supervisors.material import MaterialSupervisor
from askew.errors import InputError
from askew.tasks.case import Case, Task
from askew.tasks.chess import board as board_module
from askew.tasks.chess.board import checked_truth, is_position, position, score_with_engine
from askew.tasks.chess.moves import CHOICE, PAIR, _case, generate
from askew.tasks.chess.search import is_forced, mates_in

FEW = {"hanging piece": 12, "mate in 1": 8, "fork": 2, "mate in 2": 3}
BACK_RANK = "6k1/5ppp/8/8/8/8/8/R6K w - - 0 1"


@pytest.fixture(scope="module")
def made() -> list[dict[str, object]]:
    return generate(FEW)


def test_puzzles_are_the_same_every_time_and_of_every_kind(made: list[dict[str, object]]) -> None:
    assert generate(FEW) == made
    assert Counter(puzzle["kind"] for puzzle in made) == FEW


def test_search_agrees_that_the_better_move_is_better(made: list[dict[str, object]]) -> None:
    for name in (PAIR, CHOICE):
        for index, puzzle in enumerate(made):
            case, right, _ = _case(name, index, puzzle)
            assert is_position(case) is None
            assert checked_truth(case) in (right, None)
            assert not any("#" in option or "+" in option for option in case.options)
            if puzzle["kind"] == "hanging piece" or puzzle["kind"] == "mate in 1":
                assert checked_truth(case) == right


def test_mates_are_exact() -> None:
    board = chess.Board(BACK_RANK)
    assert is_forced(board, chess.Move.from_uci("a1a8"), 1) and not is_forced(board, chess.Move.from_uci("a1a7"), 1)
    assert mates_in(board, 1)
    # Two rooks on an open board: a ladder of two moves, not of one.
    ladder = chess.Board("7k/8/1R6/R7/8/8/8/K7 w - - 0 1")
    assert not mates_in(ladder, 1) and mates_in(ladder, 2)


def case(text: str, *options: str) -> Case:
    return Case("c", f"White to move. {text}", options)


@pytest.mark.parametrize(
    "wrong",
    [case("hello", "Ra8", "Ra7"), case(BACK_RANK, "Qd4", "Ra7"), case(BACK_RANK, "Ra8", "Ra8"), case("", "a", "b")],
)
def test_what_is_no_puzzle_is_refused(wrong: Case) -> None:
    assert is_position(wrong) is not None


def test_the_greedy_supervisor_takes_what_it_can() -> None:
    task = Task(PAIR, "?", "position", (case(BACK_RANK, "Ra8", "Ra7"),))
    poisoned = case("3r2k1/3p4/8/8/8/8/8/3Q3K w - - 0 1", "Qxd7", "Qd2")
    assert MaterialSupervisor(task).label([poisoned, task.cases[0]]) == [0, None]
    with pytest.raises(InputError, match="expected a chess task"):
        MaterialSupervisor(Task("other", "?", "text", task.cases))


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "_debian", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no 'stockfish' on PATH"):
        score_with_engine(case(BACK_RANK, "Ra8", "Ra7"))


def test_an_engine_prefers_the_mate_where_there_is_one() -> None:
    import shutil

    if not (shutil.which("stockfish") or board_module._debian("stockfish")):
        pytest.skip("no Stockfish here")
    mate, other = score_with_engine(case(BACK_RANK, "Ra8", "Ra7"))
    assert mate > 50 > other


def test_positions_and_moves_are_read_back() -> None:
    found = position(case(BACK_RANK, "Ra8", "Ra7"))
    assert found is not None
    assert [move.uci() for move in found[1]] == ["a1a8", "a1a7"]
