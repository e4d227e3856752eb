"""Edits as candidates: what is edited, into which cases, and which sets an answer to it bears on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from askew.agent.conditions import narrowed, parts_of
from askew.agent.design import Candidate
from askew.agent.hypotheses import HypothesisSet
from askew.agent.lab import Lab
from askew.agent.notebook import Notebook
from askew.agent.write import Written, combined_edits, edits_for
from askew.seeds import stream
from askew.tasks.attributes import is_of_words
from askew.tasks.case import Case, Split

EDITED_SETS = 32
"""Sets that minimal edits are made for, those most in doubt: a few of them will lead. The rest is only screened."""
READ = 800
"""Characters that every supervisor reads, with an edit after them: sentence encoders stop at some 250 tokens."""
EDITED_PARENTS = 12
"""Answered cases of which edits are made; and as many that were not asked."""


def edits(lab: Lab, notebook: Notebook, seen: set[str]) -> list[Candidate]:
    """Minimal edits, for the sets in doubt, of cases that were answered, and edits of several subjects at once."""
    answered = [case for case in notebook.answered() if case.split is not Split.WRITTEN]
    parents = _read_to_the_end(answered)[-EDITED_PARENTS:]
    by_subject: dict[str, list[HypothesisSet]] = {}
    for one in notebook.sets:
        if not one.grounding.concept:
            by_subject.setdefault(parts_of(one.grounding).subject, []).append(one)
    # Edits of the bank keep the truth by what they say; a word may be what it is told by.
    of_words = [(name, one.grounding) for name, alike in by_subject.items() if is_of_words(name) for one in alike]
    goes_S = notebook.goes_with_truth([grounding for _, grounding in of_words])
    for name in {name for (name, _), goes in zip(of_words, goes_S, strict=True) if goes}:
        by_subject.pop(name)
    by_id = {case.id: case for case in lab.task.split(Split.POOL)}
    may_lead = {one.id for one in notebook.in_doubt()[:EDITED_SETS]}
    made = [
        Candidate(written.case, "edited", parent=written.parent, about=about)
        for alike in by_subject.values()
        if not may_lead.isdisjoint(one.id for one in alike)
        for written in edits_for(lab.task, alike[0].grounding, parents, seen)
        if (about := _changed(notebook, alike, written, by_id))
    ]
    # What is believed to matter would drown the rest.
    doubted = [
        alike[0].grounding for alike in by_subject.values() if all(notebook.beliefs[one.id].doubted for one in alike)
    ]
    rng = stream(lab.settings.seed, "combine", lab.journal.round)
    for written, raised in combined_edits(lab.task, doubted, [*parents, *_plain_cases(lab, notebook, rng)], rng, seen):
        about = tuple(one for measure in raised for one in _changed(notebook, by_subject[measure], written, by_id))
        made.append(Candidate(written.case, "edited", parent=written.parent, about=about, combined=True))
    notebook.origins |= {one.case.id: by_id[one.parent] for one in made if one.parent is not None}
    return made


def _changed(
    notebook: Notebook, alike: Sequence[HypothesisSet], edit: Written, by_id: Mapping[str, Case]
) -> tuple[str, ...]:
    """The sets of one subject that an edit of it tells of: of narrower readings those that it brings about."""
    narrower = [one for one in alike if narrowed(one.grounding)]
    untouched: set[str] = set()
    if narrower:
        assert edit.parent is not None
        pair = [edit.case, by_id[edit.parent]]
        edited_K_S, before_K_S = notebook.grounder.effects([one.grounding for one in narrower], pair)
        same_S = np.isclose(edited_K_S, before_K_S).all(axis=0)
        untouched = {one.id for one, same in zip(narrower, same_S, strict=True) if same}
    return tuple(one.id for one in alike if one.id not in untouched)


def _plain_cases(lab: Lab, notebook: Notebook, rng: np.random.Generator) -> list[Case]:
    """Pool cases to edit that were not asked: of those whose truth is least in doubt, drawn anew every round."""
    pool = _read_to_the_end([case for case in lab.task.split(Split.POOL) if case.id not in notebook.asked])
    sure_N = notebook.unasked_truth(pool).max(axis=1)
    surest = np.argsort(-sure_N, kind="stable")[: max(EDITED_PARENTS, len(pool) // 2)]
    return [pool[int(i)] for i in rng.permutation(surest)[:EDITED_PARENTS]]


def _read_to_the_end(cases: Sequence[Case]) -> list[Case]:
    """Those short enough that what is added at the end is read; where all are longer, the shortest."""

    def length(case: Case) -> int:
        return len(case.text) + sum(map(len, case.options))

    return [case for case in cases if length(case) <= READ] or sorted(cases, key=length)[:EDITED_PARENTS]
