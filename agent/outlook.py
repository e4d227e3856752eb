"""What is to be expected of the cases that could be asked: the arrays that experiments are chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from askew.agent.belief import SetBelief, answers_by, kept, moved, predictions, unsure_in_which_sense
from askew.agent.conditional_logit import Array
from askew.agent.design import Candidate, Outlook, concerned
from askew.agent.hypotheses import Hypothesis, HypothesisSet, Kind
from askew.agent.infogain import summed_out
from askew.agent.notebook import Measured, Notebook
from askew.agent.worlds import Worlds
from askew.tasks.case import Case

DRAWS = 64
"""Draws of the joint posterior of the truth model and the mistake theory."""
OTHERWISE = 8
"""Draws of what else may be so if a hypothesis is true."""
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
    leaning_M_D = truth_model.leaning.draws(DRAWS, rng)
    believed = notebook.worlds_drawn(DRAWS, rng)
    q_M_C_K, r_M_C_K = predicted(notebook, cases, seen_C, leaning_M_D, believed)
    _, r_M_T_K = predicted(notebook, targets, seen_T, leaning_M_D, believed)
    return Outlook(
        truth_C_K=truth_C_K,
        weak_C_K=np.einsum("cy,cyk->ck", truth_C_K, weak_C_Y_K),
        reliability_C=np.einsum("cy,cyy->c", truth_C_K, weak_C_Y_K),
        q_M_C_K=q_M_C_K,
        r_M_C_K=r_M_C_K,
        r_M_T_K=r_M_T_K,
        q_by_set={set_id: q_H_C_K for set_id, (q_H_C_K, _) in notebook.set_predictions(cases).items()},
        weight_T=weight_T,
        tells_by_set=tells(notebook, candidates),
    )


def predicted(
    notebook: Notebook, cases: Sequence[Case], seen: tuple[Array, Array], leaning_M_D: Array, worlds: Worlds
) -> tuple[Array, Array]:
    """q_M_N_K of the supervisor's answers and r_M_N_K of the truth, in each of M worlds.

    Of options the sets say what is better, and an answer is a witness of that. Of classes what makes one of them right
    is in the leaning, which the answers follow (:meth:`Notebook.better`).
    """
    truth_model, there = notebook.truth_model, notebook.measured(cases)
    assert truth_model is not None
    liking_M_S, better_M_S, misled_M_S = map(worlds.amounts, Kind)
    q_M, r_M = [], []
    for m, leaning_D in enumerate(leaning_M_D):
        r_N_K = truth_model.scores_if(*seen, leaning_D)
        if notebook.representation.task.options_vary:
            r_N_K = softmax(r_N_K + there.origin_N_K_S @ better_M_S[m], axis=1)
            q_M.append(np.einsum("ny,nyk->nk", r_N_K, answers_in(worlds, m, there)))
        else:
            r_N_K = softmax(r_N_K, axis=1)
            kept_N, liked_N_K = kept(there.presence_N_S, misled_M_S[m]), there.effects_N_K_S @ liking_M_S[m]
            q_M.append(softmax(kept_N[:, None] * (seen[0] @ leaning_D) + liked_N_K, axis=1))
        r_M.append(r_N_K)
    return np.stack(q_M), np.stack(r_M)


def unsure_of_others(
    outlook: Outlook,
    notebook: Notebook,
    candidates: Sequence[Candidate],
    sets: Sequence[HypothesisSet],
    rng: np.random.Generator,
) -> Outlook:
    """The same, with what is expected of the answers for some sets averaged over what else may be so."""
    cases = [candidate.case for candidate in candidates]
    truth_C_K, there = notebook.unasked_truth(cases), notebook.measured(cases)
    averaged = {one.id: whatever_else(notebook, truth_C_K, there, one, rng) for one in sets}
    return replace(outlook, q_by_set=outlook.q_by_set | averaged)


def whatever_else(
    notebook: Notebook, truth_N_K: Array, there: Measured, one: HypothesisSet, rng: np.random.Generator
) -> Array:
    """q_H_N_K of a set's hypotheses, h0 last, over draws of what else may be so if each of them is true.

    With all other sets at their means, an answer that a second suspicion may explain looks like news of the first.

    Args:
        notebook: sets have been weighed.
        truth_N_K: the truth of N cases as believed before any answer.
        there: what is in them.
        one: the set.
        rng: draws the worlds.
    """
    assert notebook.worlds is not None
    s = notebook.sets.index(one)
    of_set = there.effects_N_K_S[:, :, s], there.origin_N_K_S[:, :, s], there.presence_N_S[:, s]
    others = notebook.worlds.but_for(s)
    better_T_S = others.amounts(Kind.BETTER)

    def answers(hypothesis: Hypothesis | None, t: int) -> Array:
        alone = replace(one, hypotheses=() if hypothesis is None else (hypothesis,))
        truth_t_N_K = moved(truth_N_K, there.origin_N_K_S @ better_T_S[t])
        q_N_K: Array = predictions(alone, truth_t_N_K, answers_in(others, t, there), *of_set)[0][0]
        return q_N_K

    q_H_M_N_K = []
    for hypothesis in (*one.hypotheses, None):
        drawn_t = rng.choice(notebook.worlds.having(s, hypothesis), OTHERWISE)
        q_H_M_N_K.append([answers(hypothesis, int(t)) for t in drawn_t])
    return summed_out(np.full((len(q_H_M_N_K), OTHERWISE), 1.0 / OTHERWISE), np.array(q_H_M_N_K))


def answers_in(worlds: Worlds, t: int, there: Measured) -> Array:
    """p_N_Y_K of the supervisor's answer for each possible truth, in world ``t``."""
    liking_S, misled_S = worlds.amounts(Kind.LIKED)[t], worlds.amounts(Kind.MISLED)[t]
    right_N = worlds.competence_T[t] * kept(there.presence_N_S, misled_S)
    return answers_by(right_N, there.effects_N_K_S @ liking_S + worlds.bias_T_K[t])


def doubting(notebook: Notebook) -> dict[str, SetBelief]:
    """What is believed of every set, in doubt of the sense that no edit has tested.

    Only of options that vary is the truth moved by what is held to be better (:meth:`Notebook.better`).
    """
    if not notebook.representation.task.options_vary:
        return dict(notebook.beliefs)
    tried = [one for one in notebook.asked.values() if one.source == "edited" and not one.combined]
    told = tells(notebook, [one for one in tried if notebook.answers[one.case.id] is not None])
    doubted = {}
    for one in notebook.sets:
        belief = notebook.beliefs[one.id]
        p_H = unsure_in_which_sense(one, belief.p_H, int(told[one.id].sum()))
        doubted[one.id] = replace(belief, p_H=p_H)
    return doubted


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
