"""The scientific method, readable top to bottom.

hypothesise → cluster → prioritise → design → ask → update → retrain and publish, once a round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from askew.agent.ahead import EarlyEmbedding
from askew.agent.alternatives import alternatives
from askew.agent.annotate import annotating
from askew.agent.clarify import clarify
from askew.agent.cluster import SubjectCluster, claims_of, cluster_subjects, counting_for_nothing
from askew.agent.conditional_logit import Array
from askew.agent.config import Settings
from askew.agent.controls import FULL, Controls
from askew.agent.design import (
    Candidate,
    Choice,
    Outlook,
    Priority,
    choose,
    drawn_targets,
    labels_for_sets,
    leading,
    prioritise,
    unasked,
    undesigned,
    without_noise,
)
from askew.agent.edits import edits
from askew.agent.ground import Grounder
from askew.agent.hypothesise import PROMPT, SHORT_PROMPT, Chain, informative_cases, sample_chains
from askew.agent.journal import Data
from askew.agent.lab import PREDICTED, Lab
from askew.agent.learners.student import due, retrain
from askew.agent.lineage import form_sets, give_up
from askew.agent.notebook import Notebook
from askew.agent.outlook import doubting, outlook_of, unsure_of_others
from askew.agent.record import cluster_data, experiment_data, log_beliefs
from askew.agent.sets import Proposal, Surprise, enumerated, from_cluster, from_surprises, graded, split_off
from askew.agent.supervisors.base import answers_new_cases
from askew.agent.telling import tell_round
from askew.agent.update import learn, update_beliefs
from askew.agent.write import key, proposed_cases, written_cases
from askew.seeds import stream, stream_seed
from askew.tasks.case import Split, Task

NOTHING_WORTH_IT = "no candidate is worth its cost"
RESOLVED = "every hypothesis set that matters is resolved"
"""Why a run ends before its budget is spent."""
TARGETS = 300
"""Pool cases whose truth the experiments are to inform."""


def scientific(lab: Lab, controls: Controls = FULL) -> None:
    """Run the whole experiment in ``lab``: everything that happens is in its journal."""
    lab.start()
    grounder = Grounder(lab.task, lab.embed, annotating(lab))
    notebook = Notebook(
        lab.representation,
        grounder,
        seed=lab.settings.seed,
        face_value=not controls.mistakes,
        channel=lab.settings.channel if controls.channel else 0,
    )
    seen = {key(case) for case in lab.task.cases}
    write_and_learn(lab, notebook, controls, seen)
    publish(lab, notebook, controls, last=False)
    why = "the rounds are over"
    for number in range(1, lab.settings.rounds + 1):
        lab.begin_round(number)
        if controls.mistakes:
            proposed = proposals(lab, notebook, controls)
            form_sets(lab, notebook, proposed, limited=not controls.bank, merged=controls.clusters)
        write_and_learn(lab, notebook, controls, seen)
        clarify(lab, notebook)
        candidates, outlook = look_ahead(lab, notebook, controls, seen)
        choices = design(lab, notebook, candidates, outlook, controls)
        if choices:
            ask(lab, notebook, candidates, outlook, choices)
            update(lab, notebook, controls)
        over = not choices and controls.asks != "nothing"
        publish(lab, notebook, controls, last=over or number == lab.settings.rounds)
        tell_round(lab, len(notebook.sets), len(candidates), len(choices))
        if over:
            why = why_over(lab, notebook)
            break
    save_student(lab, notebook)
    lab.finish(why)


def why_over(lab: Lab, notebook: Notebook) -> str:
    """Why nothing is asked any more."""
    if lab.labels_used >= lab.settings.budget:
        return "the budget is spent"
    return RESOLVED if enough_is_known(lab, notebook) else NOTHING_WORTH_IT


def enough_is_known(lab: Lab, notebook: Notebook) -> bool:
    """Whether the run is to stop where all that matters is resolved, and it is."""
    return lab.settings.stop_when_resolved and notebook.resolved(lab.settings.alpha)


# -- step 1 and 2: hypothesise and cluster -----------------------------------------------------------


def hypothesise(lab: Lab, notebook: Notebook, controls: Controls) -> list[SubjectCluster]:
    """Sample chains on informative cases and cluster their steps; all of it is logged."""
    settings, journal = lab.settings, lab.journal
    fresh: list[Chain] = []
    planned = lab.early.take()

    def sampled() -> list[Chain]:
        with lab.stage("chains"):
            return (planned or sampling(lab, notebook, controls, journal.round))()

    chains: list[tuple[int, Chain]] = []
    for index in range(informative(settings, journal.round, lab.task) * settings.chains_per_case):

        def chain(index: int = index) -> Data:
            if not fresh:
                fresh.extend(sampled())
            return fresh[index].data()

        chains.append((journal.position, Chain.from_data(journal.fact("chain", chain))))
    for message in counting_for_nothing([chain for _, chain in chains]):
        journal.note("check", code="ASK012", message=message)
    clusters = cluster_subjects(claims_of(chains), lab.embed)
    for number, cluster in enumerate(clusters, start=1):
        journal.note("cluster", id=f"C{journal.round}.{number}", **cluster_data(cluster))
    return clusters


def informative(settings: Settings, number: int, task: Task) -> int:
    """On how many cases chains are sampled in round ``number``."""
    n_chains = settings.chains_first if number == 1 else settings.chains
    return min(-(-n_chains // settings.chains_per_case), len(task.split(Split.POOL)))


def sampling(lab: Lab, notebook: Notebook, controls: Controls, number: int) -> Callable[[], list[Chain]]:
    """What samples the chains of round ``number``, on cases that are informative by what is known now."""
    settings, pool = lab.settings, lab.task.split(Split.POOL)
    truth_N_K = notebook.truth(pool)
    chosen = informative_cases(
        truth_N_K,
        notebook.weak(pool, truth_N_K),
        informative(settings, number, lab.task),
        stream(settings.seed, "informative", number),
    )
    warmed = lab.warmed() if controls.warm else None
    reasoner, prompt = (lab.model, PROMPT) if warmed is None else (warmed, SHORT_PROMPT)

    def sample() -> list[Chain]:
        with EarlyEmbedding(lab.embed, aside=reasoner.answers_aside) as embedding:
            return sample_chains(
                reasoner,
                prompt,
                lab.task,
                [pool[index] for index in chosen],
                settings.chains_per_case,
                settings.temperature,
                stream_seed(settings.seed, "chains", number) % 2**31,
                embedding.hear,
            )

    return sample


def proposals(lab: Lab, notebook: Notebook, controls: Controls) -> list[Proposal]:
    """Proposals for sets: what chains are torn about or often name, and at first every attribute there is."""
    tried = enumerated(notebook.grounder) if controls.bank and lab.journal.round == 1 else []
    if not controls.chains:
        return tried
    clusters = hypothesise(lab, notebook, controls)
    cases = {case.id: case for case in lab.task.cases}
    worth = [cluster for cluster in clusters if cluster.torn or len(cluster.cases) > 1]
    if not controls.clusters:
        worth = [SubjectCluster(c.subject, (c,), ()) for cluster in clusters for c in cluster.claims]
    proposed = (from_cluster(cluster, notebook.grounder, cases, bank=controls.bank) for cluster in worth)
    return [*(one for one in proposed if one is not None), *tried]


# -- step 3 and 4: prioritise and design -------------------------------------------------------------


def write_and_learn(lab: Lab, notebook: Notebook, controls: Controls, seen: set[str]) -> None:
    """Let the strong model write cases, and learn from the labels they were meant to have."""
    settings, journal = lab.settings, lab.journal
    rng = stream(settings.seed, "write", journal.round)

    def truth() -> Array:
        return notebook.truth(lab.task.split(Split.POOL))

    n = settings.written if journal.round else settings.written_first
    for w in written_cases(lab, truth, n, rng, seen) if controls.generates else ():
        notebook.written[w.case.id] = Candidate(w.case, "written", intended=w.intended)
    with lab.stage("learn"):
        learn(notebook)


def look_ahead(lab: Lab, notebook: Notebook, controls: Controls, seen: set[str]) -> tuple[list[Candidate], Outlook]:
    """All candidates of the round and what is expected of them."""
    pool = lab.task.split(Split.POOL)
    candidates = [Candidate(case, "pool") for case in pool]
    if answers_new_cases(lab.supervisor) and controls.generates:
        candidates += notebook.written.values()
        candidates += edits(lab, notebook, set(seen))
        candidates += alternatives(lab, notebook, seen)
        proposals = proposed_cases(
            lab, lab.settings.proposed, stream(lab.settings.seed, "propose", lab.journal.round), seen
        )
        candidates += [Candidate(case, "naive") for case in proposals]
    candidates = unasked(candidates, [candidate.case for candidate in notebook.asked.values()])
    rng = stream(lab.settings.seed, "outlook", lab.journal.round)
    index_T, weight_T = drawn_targets(np.array(lab.task.weights_of(pool)), TARGETS, rng)
    with lab.stage("outlook"):
        outlook = outlook_of(notebook, candidates, [pool[int(i)] for i in index_T], weight_T, rng)
    return candidates, outlook


def design(
    lab: Lab, notebook: Notebook, candidates: Sequence[Candidate], outlook: Outlook, controls: Controls
) -> list[Choice]:
    """Rank the sets, log the ranking, and choose the round's cases."""
    settings, journal = lab.settings, lab.journal
    pool = lab.task.split(Split.POOL)
    r_by_set = {set_id: r_H_N_K for set_id, (_, r_H_N_K) in notebook.set_predictions(pool).items()}
    if not controls.noise:
        predicted = notebook.set_predictions([candidate.case for candidate in candidates])
        outlook = without_noise(outlook, {set_id: r_H_C_K for set_id, (_, r_H_C_K) in predicted.items()})
    weight_N = np.array(lab.task.weights_of(pool))
    beliefs = doubting(notebook)
    priorities: list[Priority] = prioritise(notebook.sets, beliefs, r_by_set, candidates, outlook, weight_N)
    for priority in priorities:
        journal.note(
            "priority", set=priority.set_id, flips=round(priority.flips, 3), evpi=round(priority.evpi, 4),
            resolvable=priority.resolvable, why=priority.why,
        )  # fmt: skip
    left = settings.budget - lab.labels_used
    size = -(-left // (settings.rounds - journal.round + 1))
    rng = stream(settings.seed, "design", journal.round)
    with lab.stage("design"):
        if controls.asks == "nothing" or enough_is_known(lab, notebook):
            return []
        if controls.asks != "designed":
            source = "pool" if controls.asks == "random" else "naive"
            return undesigned(candidates, source, size, rng)
        for_sets = labels_for_sets(size, lab.labels_used, taste=lab.task.manner_matters)
        if controls.noise and for_sets:
            ahead = {p.set_id for p in leading(priorities)}
            outlook = unsure_of_others(outlook, notebook, candidates, [s for s in notebook.sets if s.id in ahead], rng)
        return choose(candidates, outlook, priorities, beliefs, size, for_sets, settings.a_min, settings.tau, rng)


# -- step 5 and 6: ask and update --------------------------------------------------------------------


def ask(
    lab: Lab,
    notebook: Notebook,
    candidates: Sequence[Candidate],
    outlook: Outlook,
    choices: Sequence[Choice],
) -> None:
    """Log why each case is asked, ask them, and keep the answers."""
    experiments = []
    for choice in choices:
        data = experiment_data(lab, notebook, candidates[choice.candidate], outlook, choice)
        experiments.append(lab.propose(candidates[choice.candidate].case, data))
    with lab.stage("ask"):
        answers = lab.ask(experiments)
    for choice, weak in zip(choices, answers, strict=True):
        c = choice.candidate
        notebook.record(candidates[c], weak, {s: q_H_C_K[:, c] for s, q_H_C_K in outlook.q_by_set.items()})


def update(lab: Lab, notebook: Notebook, controls: Controls) -> None:
    """Update every belief on all answers, let surprises propose new sets, and refit the theories."""
    with lab.stage("update"):
        learn(notebook)
        if controls.mistakes:
            update_beliefs(notebook)
            form_sets(lab, notebook, surprises(lab, notebook), limited=not controls.bank)
            give_up(lab, notebook)
            learn(notebook)
    log_beliefs(lab, notebook)


def surprises(lab: Lab, notebook: Notebook) -> list[Proposal]:
    """What would explain the answers that the sets don't, but for what was given up already."""
    distinct, answered = notebook.distinct(), notebook.answered()
    cases = [answered[index] for index in distinct]
    answered_L_K = np.eye(lab.task.n_options)[notebook.weak_labels()][distinct]
    known = [*notebook.groundings, *notebook.given_up]
    surprise = Surprise(notebook.grounder, cases, answered_L_K, notebook.expected_answers(cases), known)
    believed = [one for one in notebook.sets if not notebook.beliefs[one.id].doubted]
    proposed = [*from_surprises(surprise), *split_off(surprise, believed)]
    for one, (q_H_L_K, _) in zip(believed, notebook.set_predictions(cases, believed).values(), strict=True):
        proposed += graded(replace(surprise, predicted_L_K=q_H_L_K[-1]), one)  # by none of its hypotheses
    return proposed


# -- step 7: retrain and publish ---------------------------------------------------------------------


def publish(lab: Lab, notebook: Notebook, controls: Controls, *, last: bool) -> None:
    """Record the retrained student and its two predictions, kept apart."""
    assert notebook.theory is not None
    version = f"{lab.settings.student}+{lab.settings.method}.{lab.journal.round}"
    finetuned = None
    if due(lab.settings, lab.journal.round, last=last):
        if not last:
            think_ahead(lab, notebook, controls)
        finetuned = retrain(lab, notebook)
    lab.journal.note(
        "training", student_version=version, labels=lab.labels_used, written=len(notebook.written),
        answered=len(notebook.answered()), **(finetuned.facts if finetuned else {}),
    )  # fmt: skip
    splits = {split: lab.task.split(split) for split in PREDICTED}
    if finetuned:
        truth = {split: finetuned.truth(cases) for split, cases in splits.items()}
        weak = {split: finetuned.weak(cases) for split, cases in splits.items()}
    else:
        truth = {split: notebook.truth(cases) for split, cases in splits.items()}
        weak = {split: notebook.weak(cases, truth[split]) for split, cases in splits.items()}
    lab.predict(version, truth, weak)


def think_ahead(lab: Lab, notebook: Notebook, controls: Controls) -> None:
    """While the next student is trained here, let the present one write the next round's chains elsewhere.

    On resume they may be in the log already. Those that aren't are about the same cases, by the student there is then.
    """
    if controls.chains and controls.mistakes and lab.model.answers_aside:
        sample = sampling(lab, notebook, controls, lab.journal.round + 1)
        (lab.early.plan if lab.journal.replaying else lab.early.begin)(sample)


def save_student(lab: Lab, notebook: Notebook) -> None:
    """The student's heads as safetensors; the frozen body is the model named in config.json."""
    assert notebook.theory is not None
    assert notebook.truth_model is not None
    truth = notebook.truth_model
    arrays = {
        "unasked": truth.unasked.logit.theta_D, "leaning": truth.leaning.theta_D, "again": truth.again_D,
        "trust_and_worth": np.array([truth.trust, truth.worth]), "balance": truth.balance_K,
        "weak": notebook.theory.weak.theta_D,
    }  # fmt: skip
    lab.save_heads(arrays)
