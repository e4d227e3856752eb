"""Chess puzzles: the better move is better beyond doubt, and nothing in the text gives it away."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from pathlib import Path

import chess
import pytest
from conftest import embed

from askew.agent.supervisors.material import MaterialSupervisor
from askew.errors import InputError, RunError
from askew.evals.task_check import check_task
from askew.tasks.case import Case, Task
from askew.tasks.chess import engine as engine_module
from askew.tasks.chess import moves as moves_module
from askew.tasks.chess.board import checked_truth, is_position, position
from askew.tasks.chess.engine import engine, score_with_engine
from askew.tasks.chess.moves import ANY, ENGINE, LINE, PAIR, _case, generate, generate_any, generate_scored
from askew.tasks.chess.puzzles import MOVES
from askew.tasks.chess.search import is_forced, mates_in
from askew.tasks.load import load_task

FEW = {"hanging piece": 12, "mate in 1": 8, "fork": 1, "mate in 2": 3}
FEW_ANY = {"rook ending": {"mate in 1": 6, "mate in 2": 2}, "game": {"hanging piece": 8, "quiet move": 1}}
BACK_RANK = "6k1/5ppp/8/8/8/8/8/R6K w - - 0 1"


@pytest.fixture(scope="module")
def made() -> list[dict[str, object]]:
    return generate(FEW)


@pytest.fixture(scope="module")
def made_any() -> list[dict[str, object]]:
    return generate_any(FEW_ANY)


def test_puzzles_are_the_same_every_time_and_of_every_kind(
    made: list[dict[str, object]], made_any: list[dict[str, object]]
) -> None:
    assert generate(FEW) == made
    assert Counter(puzzle["kind"] for puzzle in made) == FEW
    assert generate_any(FEW_ANY) == made_any
    assert Counter(puzzle["kind"] for puzzle in made_any) == {
        k: n for kinds in FEW_ANY.values() for k, n in kinds.items()
    }


def test_search_agrees_that_the_better_move_is_better(made: list[dict[str, object]]) -> None:
    for index, puzzle in enumerate(made):
        case, right, _ = _case(PAIR, index, puzzle)
        assert is_position(case) is None
        assert checked_truth(case) in (right, None)
        assert not any("#" in option or "+" in option for option in case.options)
        if puzzle["kind"] == "hanging piece" or puzzle["kind"] == "mate in 1":
            assert checked_truth(case) == right


def test_every_legal_move_may_be_answered_and_one_is_best(made_any: list[dict[str, object]]) -> None:
    for index, puzzle in enumerate(made_any):
        case, right, _ = _case(ANY, index, puzzle)
        found = position(case)
        assert is_position(case) is None and found is not None
        board, moves = found
        assert len(moves) == MOVES and set(moves) == set(board.legal_moves)
        assert checked_truth(case) == right
        assert not any("#" in option or "+" in option for option in case.options)


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


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine_module, "_debian", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no 'stockfish' on PATH"):
        score_with_engine(case(BACK_RANK, "Ra8", "Ra7"))
    with pytest.raises(InputError, match="no 'stockfish' at '/nowhere'"):
        score_with_engine(case(BACK_RANK, "Ra8", "Ra7"), path="/nowhere")
    monkeypatch.setenv("ASKEW_HOME", str(tmp_path))
    with pytest.raises(InputError, match="no 'stockfish' on PATH"):
        load_task("chess-better-move-engine", 0)


@pytest.fixture
def stockfish() -> str:
    found = shutil.which("stockfish") or engine_module._debian("stockfish")
    return found or pytest.skip("no Stockfish here")


def test_an_engine_prefers_the_mate_where_there_is_one(stockfish: str) -> None:
    mate, other = score_with_engine(case(BACK_RANK, "Ra8", "Ra7"), stockfish)
    assert mate > 50 > other


def test_positions_are_scored_by_the_engine_the_same_every_time(stockfish: str) -> None:
    for name in (PAIR + ENGINE, ANY + ENGINE):
        found = generate_scored(4, stockfish, any_move=name.startswith(ANY))
        assert generate_scored(4, stockfish, any_move=name.startswith(ANY)) == found
        for index, puzzle in enumerate(found):
            made, right, _ = _case(name, index, puzzle)
            values = score_with_engine(made, stockfish)
            assert values.index(max(values)) == right


FAKE = """#!{python}
import os, sys, time
open({pid!r}, "w").write(str(os.getpid()))
for line in sys.stdin:
    word = line.split()[0]
    if {way!r} == "mute":
        time.sleep(60)
    if word == "uci":
        print("id name fake\\nuciok", flush=True)
    elif word == "isready":
        print("readyok", flush=True)
    elif word == "go":
        if {way!r} == "hang":
            time.sleep(60)
        if {way!r} == "crash":
            os._exit(3)
        if {way!r} == "babble":
            print("info score nonsense\\nbestmove zz99", flush=True)
"""


@pytest.mark.parametrize("way", ["mute", "hang", "crash", "babble"])
def test_an_engine_that_fails_is_named_and_ended(way: str, tmp_path: Path) -> None:
    file, pid = tmp_path / "stockfish", tmp_path / "pid"
    file.write_text(FAKE.format(python=sys.executable, way=way, pid=str(pid)))
    file.chmod(0o755)
    start = time.monotonic()
    board = chess.Board(BACK_RANK)
    with (
        pytest.raises(RunError, match=r"failed: .*It was ended"),
        engine(str(file), seconds=0.1, patience=0.5) as score,
    ):
        score(board, list(board.legal_moves)[:1])
    assert time.monotonic() - start < 20
    process = int(pid.read_text())
    while _runs(process) and time.monotonic() - start < 20:
        time.sleep(0.05)
    assert not _runs(process)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("base", [PAIR, ANY])
def test_a_game_gives_the_same_puzzle_as_its_position(
    base: str, made: list[dict[str, object]], made_any: list[dict[str, object]]
) -> None:
    every = made if base == PAIR else made_any
    games = [(index, puzzle) for index, puzzle in enumerate(every) if puzzle["line"]]
    assert len(games) >= 9  # the longer mates, and rook endings, come from no game
    for index, puzzle in games:
        fen, right, _ = _case(base, index, puzzle)
        moves, same, _ = _case(base + LINE, index, puzzle)
        assert " to move after 1. " in moves.text and "/" not in moves.text
        boards = [position(one) for one in (fen, moves)]
        assert boards[0] is not None and boards[1] is not None
        assert boards[0][0].fen() == boards[1][0].fen() == puzzle["fen"]
        assert sorted(map(str, boards[0][1])) == sorted(map(str, boards[1][1]))
        assert fen.options[right] == moves.options[same] and checked_truth(moves) in (same, None)
    assert position(Case("c", "White to move after 1. e4 e5 2. Ke9", ("Nf3", "d4"))) is None


def test_the_tasks_keep_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASKEW_HOME", str(tmp_path))
    monkeypatch.setattr(moves_module, "PUZZLES", {"hanging piece": 260, "mate in 1": 20})
    monkeypatch.setattr(moves_module, "ANY_PUZZLES", {"rook ending": {"mate in 1": 200}, "game": {"hanging piece": 60}})
    for name in (PAIR, ANY, PAIR + LINE):
        findings = check_task(load_task(name, 0), lambda text: len(text.split()), 2048, embed)
        assert [finding for finding in findings if not finding.holds] == []


def test_positions_and_moves_are_read_back() -> None:
    found = position(case(BACK_RANK, "Ra8", "Ra7"))
    assert found is not None
    assert [move.uci() for move in found[1]] == ["a1a8", "a1a7"]
