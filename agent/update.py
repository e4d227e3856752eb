"""Step 6: what the answers say of the truth and of the supervisor, refitted or weighed when there are more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from askew.agent import belief as beliefs
from askew.agent.answering import Evidence
from askew.agent.conditional_logit import Array, flat_logit
from askew.agent.hypotheses import HypothesisSet, Kind
from askew.agent.joint import Joint, weigh
from askew.agent.notebook import Mattering, Notebook, Weighed
from askew.agent.representation import Representation
from askew.agent.reweigh import reweigh
from askew.agent.theory import Answers, fit_theory
from askew.agent.truth import Heard, Pool, hear, taste_for, trust_in
from askew.seeds import stream
from askew.tasks.case import Case, Split

EFFECT_VARIANCE = 1.0
"""Prior variance of the effect of a subject that certainly matters; scaled by how probable that is."""
LEAST_VARIANCE = 1e-4


def learn(notebook: Notebook) -> None:
    """Refit the truth model and the mistake theory to everything that is known."""
    task, sets = notebook.representation.task, notebook.sets
    pool, cases = task.split(Split.POOL), notebook.answered()
    weak_L = np.array(notebook.weak_labels(), dtype=np.int64)
    variance_D, liked_S = notebook.representation.variances(), np.array([_variance(notebook, s) for s in sets])
    unasked = notebook.unasked()
    if notebook.first is not None:
        # What the first student believed comes as the opinion: there is no more to learn without answers.
        unasked = replace(unasked, logit=flat_logit(variance_D))
    columns_L_K_D, opinion_L_K = notebook.seen(cases)
    distinct, group_L = notebook.distinct(), notebook.groups(cases)
    own_L_K, said_L = unasked.of(columns_L_K_D, opinion_L_K)[distinct], weak_L[distinct]
    effects_L_K_S = notebook.grounder.effects(notebook.groundings, cases)
    liking_L_K, kept_L = effects_L_K_S @ notebook.amounts("liking"), notebook.kept_in(cases)
    if task.manner_matters:
        trust = taste_for(own_L_K, said_L)
    else:
        liked_L_K, whole_L = (liking_L_K + notebook.bias_K)[distinct], kept_L[distinct]
        if task.options_vary:
            # Of options the own opinion goes by manners, which may be all that is liked: answers that a liking
            # explains would leave it trusted, and what is liked be taken for better (ADR 4).
            liked_L_K, whole_L = np.zeros_like(liked_L_K), np.ones_like(whole_L)
        trust = trust_in(own_L_K, said_L, liked_L_K, whole_L)
    notebook.theory = fit_theory(
        Answers(
            unasked.of(columns_L_K_D, opinion_L_K, trust),
            effects_L_K_S,
            columns_L_K_D,
            weak_L,
            group_L,
        ),
        liked_S,
        variance_D,
    )
    notebook.truth_model = hear(
        unasked,
        trust,
        Heard(
            columns_L_K_D,
            weak_L,
            liking_L_K,
            kept_L,
            _counting(notebook, cases, group_L),
        ),
        Pool(*notebook.seen(pool)),
        variance_D,
        balanced=task.balanced and not task.options_vary,
        taste=task.manner_matters,
        face_value=notebook.face_value,
    )


def _counting(notebook: Notebook, cases: Sequence[Case], group_L: NDArray[np.int64]) -> Array:
    """counting_L: how much each answer tells of the truth.

    A case and its minimal edits lean one way for one reason: together they count as one answer. What is said to a
    text with a dozen things added is about these.
    """
    plain_L = np.array([not notebook.asked[case.id].combined for case in cases], dtype=np.float64)
    counting_L: Array = plain_L / np.maximum(1.0, np.bincount(group_L, plain_L)[group_L])
    return counting_L


def see_through(notebook: Notebook, representation: Representation) -> None:
    """See cases as a retrained student does, and refit everything to what it sees."""
    notebook.first = notebook.first or notebook.representation
    notebook.representation = representation
    learn(notebook)


def _variance(notebook: Notebook, hypothesis_set: HypothesisSet) -> float:
    """Prior variance of the effect of a set's subject: large when it is believed to matter."""
    return LEAST_VARIANCE + EFFECT_VARIANCE * notebook.probability(hypothesis_set, Kind.LIKED)


def update_beliefs(notebook: Notebook) -> None:
    """The joint posterior of all sets after the answers so far, and what it says of each."""
    cases, weak_L = notebook.answered(), np.array(notebook.weak_labels(), dtype=np.int64)
    joint = _posterior(notebook, cases)
    worlds = notebook.worlds = joint.worlds
    notebook.competence, notebook.bias_K = float(worlds.competence_T.mean()), worlds.bias_T_K.mean(axis=0)
    amounts = zip(joint.liking_S, joint.better_S, joint.misled_S, strict=True)
    notebook.mattering = {s.id: Mattering(*map(float, own)) for s, own in zip(notebook.sets, amounts, strict=True)}
    predicted = notebook.set_predictions(cases)
    for hypothesis_set, p_H in zip(notebook.sets, joint.p_S, strict=True):
        score_H = notebook.scores.setdefault(hypothesis_set.id, np.zeros(len(p_H)))
        q_H_L_K, _ = predicted[hypothesis_set.id]
        belief = beliefs.believe(hypothesis_set, p_H, score_H, q_H_L_K, weak_L)
        notebook.beliefs[hypothesis_set.id] = belief
        notebook.suspected[hypothesis_set.id] = max(notebook.suspected.get(hypothesis_set.id, 0.0), 1.0 - belief.none)


def _posterior(notebook: Notebook, cases: Sequence[Case]) -> Joint:
    """The joint posterior after the answers to ``cases``, by the draws of the last one where these can tell."""
    before, held_against_L_K = notebook.weighed, notebook.unasked_truth(cases)
    told = sum(one.answer is not None for own in notebook.told.values() for one in own)
    joint = None
    if before is not None and before.still_holds(notebook.sets, told, held_against_L_K):
        known = len(before.truth_L_K)
        joint = _reweighed(notebook, before.joint, cases, known)
        if joint is not None:
            held_against_L_K = np.concatenate([before.truth_L_K, held_against_L_K[known:]])
    joint = joint or _sampled(notebook, cases)
    notebook.weighed = Weighed(joint, tuple(notebook.sets), told, held_against_L_K)
    return joint


def _sampled(notebook: Notebook, cases: Sequence[Case]) -> Joint:
    """The posterior by sampling, over the whole history of answers."""
    told = [beliefs.told_likelihood(s.names, notebook.told.get(s.id, ())) for s in notebook.sets]
    rng = stream(notebook.seed, "joint", len(cases))
    varying = notebook.representation.task.options_vary
    return weigh(notebook.sets, _evidence(notebook, cases), rng, biased=not varying, log_told=told)


def _reweighed(notebook: Notebook, before: Joint, cases: Sequence[Case], known: int) -> Joint | None:
    """The posterior by what the draws of the last one make of the answers to all but the ``known`` first cases."""
    group_L, new_L = notebook.groups(cases), np.arange(len(cases)) >= known
    # A case and its edits share one truth: what was known of it before says what to expect of the next.
    near_L = np.isin(group_L, group_L[new_L])
    near = [case for case, is_near in zip(cases, near_L, strict=True) if is_near]
    return reweigh(before, _evidence(notebook, near), new_L[near_L])


def _evidence(notebook: Notebook, cases: Sequence[Case]) -> Evidence:
    """What bears on the answers to some of the cases that were answered with a label."""
    there = notebook.measured(cases)
    return Evidence(
        prior_L_K=notebook.unasked_truth(cases),
        effects_L_K_S=there.effects_N_K_S,
        origin_L_K_S=there.origin_N_K_S,
        presence_L_S=there.presence_N_S,
        weak_L=np.array([notebook.answers[case.id] for case in cases], dtype=np.int64),
        group_L=notebook.groups(cases),
    )
