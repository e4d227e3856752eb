"""What is to be expected of the cases that could be asked: the arrays that experiments are chosen by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent.conditional_logit import Array
from askew.agent.design import Candidate, Outlook, concerned
from askew.agent.notebook import Notebook
from askew.tasks.case import Case

DRAWS = 64
"""Draws of the joint posterior of the truth model and the mistake theory."""
CHANGED = 0.25
"""Difference in a subject's effect from which an edit counts as one of that subject, whatever it was made for."""


def outlook_of(
    notebook: Notebook,
    candidates: Sequence[Candidate],
    targets: Sequence[Case],
    weight_T: Array,
    rng: np.random.Generator,
) -> Outlook:
    """What is expected of every candidate, by the joint posterior and by each set; ``weight_T``: of the targets.

    ``notebook`` has learned, from no answer at least.
    """
    truth_model, cases = notebook.truth_model, [candidate.case for candidate in candidates]
    assert truth_model is not None
    seen_C, seen_T, truth_C_K = notebook.seen(cases), notebook.seen(targets), notebook.truth(cases)
    weak_C_Y_K = notebook.weak_given_truth(cases)
    # What an answer may change is the leaning, and through it the truth.
    leaning_M_D = truth_model.leaning.draws(DRAWS, rng)

    def truth_draws(seen: tuple[Array, Array], better: Array) -> Array:
        return np.stack([softmax(truth_model.scores_of(*seen, draw_D) + better, axis=1) for draw_D in leaning_M_D])

    return Outlook(
        truth_C_K=truth_C_K,
        weak_C_K=np.einsum("cy,cyk->ck", truth_C_K, weak_C_Y_K),
        reliability_C=np.einsum("cy,cyy->c", truth_C_K, weak_C_Y_K),
        q_M_C_K=softmax(np.moveaxis(seen_C[0] @ leaning_M_D.T, 2, 0), axis=2),
        r_M_C_K=truth_draws(seen_C, notebook.better(cases)),
        r_M_T_K=truth_draws(seen_T, notebook.better(targets)),
        q_by_set={set_id: q_H_C_K for set_id, (q_H_C_K, _) in notebook.set_predictions(cases).items()},
        weight_T=weight_T,
        tells_by_set=tells(notebook, candidates),
    )


def tells(notebook: Notebook, candidates: Sequence[Candidate]) -> dict[str, NDArray[np.bool_]]:
    """tells_C by set: which cases tell of it.

    An edit tells of what it was made for and of what else it changes; what it leaves as it is in its parent, whose
    truth it shares, it tells nothing new of.
    """
    cases = [candidate.case for candidate in candidates]
    originals = [notebook.origin(case) for case in cases]
    changed_C_K_S = notebook.grounder.effects(notebook.groundings, cases)
    changed_C_K_S = np.abs(changed_C_K_S - notebook.grounder.effects(notebook.groundings, originals))
    changed_C_S = changed_C_K_S.max(axis=1) > CHANGED
    return {one.id: changed_C_S[:, s] | concerned(candidates, one.id) for s, one in enumerate(notebook.sets)}
