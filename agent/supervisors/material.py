"""The natural weak supervisor of chess: it counts what a move takes at once, and looks no further."""

from __future__ import annotations

from collections.abc import Sequence

from askew.errors import InputError
from askew.tasks.case import Case, Task


class MaterialSupervisor:
    """Prefers the move that takes the greater piece now, whether or not it is taken back; unsure where none does."""

    name = "material"
    batch_size = 64

    def __init__(self, task: Task) -> None:
        if not task.name.startswith("chess-"):
            raise InputError(
                f"supervisor material counts chess pieces, the task is {task.name}: expected a chess task."
            )

    def label(self, cases: Sequence[Case]) -> list[int | None]:
        """The greedier move of each case; ``None`` where the greatest gain is shared."""
        return [_greediest(case) for case in cases]


def _greediest(case: Case) -> int | None:
    from askew.tasks.chess.board import position
    from askew.tasks.chess.search import captured

    found = position(case)
    if found is None:
        return None
    board, moves = found
    gains = [captured(board, move) for move in moves]
    best = max(gains)
    return gains.index(best) if gains.count(best) == 1 else None
