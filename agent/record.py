"""What the loop knows, as records of the log: clusters, hypotheses, experiments, beliefs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from askew.agent.belief import SetBelief
from askew.agent.cluster import SubjectCluster
from askew.agent.design import Candidate, Choice, Outlook
from askew.agent.hypotheses import HypothesisSet
from askew.agent.infogain import expected_flips
from askew.agent.journal import Data
from askew.agent.lab import Lab, case_data, rounded
from askew.agent.notebook import Notebook
from askew.tasks.case import Split


def cluster_data(cluster: SubjectCluster) -> Data:
    """A cluster of claims on one subject."""
    first = cluster.claims[0]
    return {
        "subject": cluster.subject,
        "claim": first.claim,
        "favours": first.favours,
        "cases": list(cluster.cases),
        "torn": list(cluster.torn),
        "members": [[claim.chain, claim.step] for claim in cluster.claims],
    }


def note_birth(lab: Lab, new: HypothesisSet) -> None:
    """Log each hypothesis of a new set."""
    for hypothesis in new.hypotheses:
        lab.journal.note(
            "hypothesis-born", set=new.id, id=hypothesis.id, subject=new.subject,
            statement=hypothesis.statement, kind=str(hypothesis.kind), direction=hypothesis.direction,
            prior=round(hypothesis.prior, 6), grounder=new.grounding.measure, concept=new.grounding.concept,
            option=new.grounding.option, trust=new.grounding.trust, cases=list(new.cases),
            parents=list(new.parents), why=new.why,
        )  # fmt: skip


def experiment_data(lab: Lab, notebook: Notebook, candidate: Candidate, outlook: Outlook, choice: Choice) -> Data:
    """An experiment: the case, and why it is asked."""
    c = choice.candidate
    predicts = {}
    if choice.set_id is not None and choice.q_H_K is not None:
        predicts = dict(zip(notebook.beliefs[choice.set_id].names, rounded(choice.q_H_K), strict=True))
    weak, truth = rounded(outlook.weak_C_K[c : c + 1])[0], rounded(outlook.truth_C_K[c : c + 1])[0]
    return {
        "id": f"E{lab.journal.position}",
        "set": choice.set_id,
        "case": case_data(candidate.case),
        "source": candidate.source,
        "parent": candidate.parent,
        "raises": list(dict.fromkeys(s.grounding.measure for s in notebook.sets if s.id in candidate.about)),
        "eig": round(choice.eig, 6),
        "epig": round(choice.epig, 6),
        "flips": choice.flips,
        "reliability": round(float(outlook.reliability_C[c]), 6),
        "predicts": predicts,
        "predicted_weak": weak,
        "predicted_truth": truth,
        "intended": candidate.intended,
    }


def note_beliefs(lab: Lab, notebook: Notebook, sets: Sequence[HypothesisSet]) -> None:
    """Log the posterior of each of the sets."""
    pool = lab.task.split(Split.POOL)
    predicted = notebook.set_predictions(pool, sets)
    weight_N = np.array(lab.task.weights_of(pool))
    for hypothesis_set in sets:
        belief: SetBelief = notebook.beliefs[hypothesis_set.id]
        _, r_H_N_K = predicted[hypothesis_set.id]
        lab.journal.note(
            "belief",
            set=hypothesis_set.id,
            posterior={name: round(float(p), 6) for name, p in zip(belief.names, belief.p_H, strict=True)},
            log_e=round(belief.log_e, 4),
            verdict="resolved" if belief.resolved(lab.settings.alpha) else "open",
            answers_for=belief.answers_for,
            answers_against=belief.answers_against,
            flips=round(expected_flips(belief.p_H, r_H_N_K, weight_N / weight_N.mean()), 3),
        )


def log_beliefs(lab: Lab, notebook: Notebook) -> None:
    """Log the posterior of every set, and the mistake theory."""
    assert notebook.theory is not None
    assert notebook.truth_model is not None
    note_beliefs(lab, notebook, notebook.sets)
    weights_S, deviations_S = notebook.theory.mistakes()
    lab.journal.note(
        "theory",
        competence=round(notebook.theory.competence, 4),
        intent=round(notebook.truth_model.unasked.intent, 4),
        trust=round(notebook.truth_model.trust, 4),
        worth=round(notebook.truth_model.worth, 4),
        mistakes=[
            {"set": s.id, "subject": s.subject, "weight": round(float(w), 4), "sd": round(float(sd), 4)}
            for s, w, sd in zip(notebook.sets, weights_S, deviations_S, strict=True)
        ],
        **agreement(notebook),
    )


def agreement(notebook: Notebook) -> Data:
    """How often the student's two predictions match the answers so far (the uncanny valley, watched)."""
    cases, weak_L = notebook.answered(), np.array(notebook.weak_labels(), dtype=np.int64)
    truth_L_K = notebook.truth(cases)
    weak_L_K = notebook.weak(cases, truth_L_K)
    matches = {"weak": weak_L_K.argmax(axis=1) == weak_L, "truth": truth_L_K.argmax(axis=1) == weak_L}
    return {f"agreement_{name}": round(float(m.mean()), 4) if len(m) else None for name, m in matches.items()}
