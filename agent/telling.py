"""What a person who watches a run is told, from the log alone."""

from __future__ import annotations

from askew.agent.journal import Data
from askew.agent.lab import Lab

WORTH_SAYING = 0.1
"""Least change of a probability that is told."""


def tell_round(lab: Lab, sets: int, candidates: int, asked: int) -> None:
    """Say what happened in the round that is ending, and which hypotheses moved most."""
    for line in (_round_line(lab, sets, candidates, asked), *_moved_lines(lab)):
        lab.say(line)


def _round_line(lab: Lab, sets: int, candidates: int, asked: int) -> str:
    """What happened in this round, in one line."""
    here = [event for event in lab.journal.events() if event.round == lab.journal.round]
    chains = [event for event in here if event.kind == "chain"]
    malformed = sum(event.data["malformed"] is not None for event in chains)
    new = len({event.data["set"] for event in here if event.kind == "hypothesis-born"})
    return (
        f"round {lab.journal.round}/{lab.settings.rounds} ▸ {len(chains)} chains ({malformed} malformed) ▸ "
        f"{sets} sets, {new} new ▸ asked {asked} of {candidates} candidates ▸ updated ▸ retrained"
    )


def _moved_lines(lab: Lab) -> list[str]:
    """The hypotheses whose probability changed most in this round, one a line."""
    born = {e.data["id"]: e.data for e in lab.journal.events("hypothesis-born")}
    now = [event.data for event in lab.journal.events("belief") if event.round == lab.journal.round]
    before: Data = {name: data["prior"] for name, data in born.items()}
    for event in lab.journal.events("belief"):
        if event.round < lab.journal.round:
            before |= event.data["posterior"]
    moves = [
        (p - before[name], name, belief)
        for belief in now
        for name, p in belief["posterior"].items()
        if name in born and abs(p - before[name]) >= WORTH_SAYING
    ]
    return [
        f'  {belief["set"]} "{born[name]["statement"]}"  {before[name]:.2f} → {belief["posterior"][name]:.2f}   '
        f"{belief['answers_for']} answers for, {belief['answers_against']} against, "
        f"{belief['flips']:.0f} labels would flip"
        for _, name, belief in sorted(moves, key=lambda move: (-abs(move[0]), move[1]))[:2]
    ]
