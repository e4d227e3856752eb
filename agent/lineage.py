"""Hypothesis sets through a run: formed of proposals, merged with what behaves like them, killed when refuted."""

from __future__ import annotations

from collections.abc import Sequence

from askew.agent.correlation import correlation
from askew.agent.hypotheses import HypothesisSet
from askew.agent.lab import Lab
from askew.agent.notebook import Notebook
from askew.agent.record import note_beliefs, note_birth
from askew.agent.sets import LARGEST_NUMBER_OF_SETS, REFUTED, SUSPECTED, Proposal, duplicate_of, make_set
from askew.agent.update import learn, update_beliefs
from askew.tasks.case import Split


def form_sets(
    lab: Lab, notebook: Notebook, proposed: Sequence[Proposal], *, limited: bool = True, merged: bool = True
) -> None:
    """Turn proposals into sets, merging those that no query could tell from a set that exists; weigh them anew.

    What behaves like a set that was given up is no proposal. Sets are ``limited`` in number but for the bank's. Unless
    ``merged``, what chains say stays apart (a control).
    """
    journal = lab.journal
    before = list(notebook.sets)
    pool = lab.task.split(Split.POOL)
    believed_N_K = notebook.unasked_truth(pool)
    believed_N_K = believed_N_K - believed_N_K.mean(axis=0)
    gone = [notebook.grounder.effects([grounding], pool)[:, :, 0] for grounding in notebook.given_up]
    effect_of = {s.id: notebook.grounder.effects([s.grounding], pool)[:, :, 0] for s in notebook.sets}
    for proposal in proposed:
        effect_N_K = notebook.grounder.effects([proposal.grounding], pool)[:, :, 0]
        if duplicate_of(effect_N_K, gone) is not None:
            continue
        apart = bool(proposal.said) and not merged
        twin = None if apart else duplicate_of(effect_N_K, [effect_of[s.id] for s in notebook.sets])
        if twin is not None:
            known = notebook.sets[twin]
            called = proposal.said or proposal.subject
            if called != known.subject:
                journal.note(
                    "hypothesis-merged", set=known.id, id=called, into=known.id,
                    why=f"behaves like {known.subject!r} on the pool",
                )  # fmt: skip
            continue
        if limited and len(notebook.sets) >= LARGEST_NUMBER_OF_SETS:
            left = make_room(lab, notebook)
            if left is None:
                break
            gone.append(effect_of[left.id])
        new = make_set(
            proposal,
            born_sets(lab) + 1,
            lab.task,
            correlation(effect_N_K - effect_N_K.mean(axis=0), believed_N_K),
        )
        notebook.sets.append(new)
        effect_of[new.id] = effect_N_K
        note_birth(lab, new)
    if notebook.theory is not None and notebook.sets != before:
        learn(notebook)
        update_beliefs(notebook)


def born_sets(lab: Lab) -> int:
    """How many sets were ever born."""
    return len({event.data["set"] for event in lab.journal.events("hypothesis-born")})


def make_room(lab: Lab, notebook: Notebook) -> HypothesisSet | None:
    """Kill the set that most surely doesn't matter, and say which; ``None`` when every set may matter."""
    known = [s for s in notebook.sets if s.id in notebook.beliefs]
    least = max(known, key=lambda s: notebook.beliefs[s.id].none, default=None)
    if least is None or not notebook.beliefs[least.id].doubted:
        return None
    kill(lab, notebook, least, f"p(none of these) = {notebook.beliefs[least.id].none:.2f}")
    return least


def kill(lab: Lab, notebook: Notebook, refuted: HypothesisSet, why: str) -> None:
    """Give a set up, and log the case whose answer decided it."""
    decided_by = notebook.beliefs[refuted.id].decided_by
    case = None if decided_by is None else notebook.answered()[decided_by].id
    notebook.forget(refuted)
    lab.journal.note("hypothesis-killed", set=refuted.id, id=refuted.id, why=why, case=case)


def give_up(lab: Lab, notebook: Notebook) -> None:
    """Kill the sets that were suspected and that answers have refuted; a whole stays beside its narrower readings."""
    now = {one.id: 1.0 - notebook.beliefs[one.id].none for one in notebook.sets}
    wholes = {parent for one in notebook.sets for parent in one.parents}
    suspected = [s for s in notebook.sets if notebook.suspected[s.id] >= SUSPECTED and s.id not in wholes]
    refuted = [s for s in suspected if now[s.id] <= REFUTED]
    if refuted:
        note_beliefs(lab, notebook, refuted)
    for one in refuted:
        kill(lab, notebook, one, f"p(it matters) fell from {notebook.suspected[one.id]:.2f} to {now[one.id]:.2f}")
