"""What only unusual tasks and runs show: few cases, many classes, odd names, answers that are no use."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import WORDS, ScriptedModel, embed, rows
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from askew.agent.belief import SetBelief, kept, kept_by_others, misled
from askew.agent.clarify import clarify
from askew.agent.cluster import claims_of, cluster_subjects, said_whatever_the_case
from askew.agent.conditions import conditional
from askew.agent.config import Serving, Settings
from askew.agent.design import (
    LATER_SHARE,
    SET_SHARE,
    Candidate,
    Outlook,
    Priority,
    choose,
    drawn_targets,
    gate,
    labels_for_sets,
    prioritise,
)
from askew.agent.ground import Grounder
from askew.agent.hypotheses import Grounding, Kind
from askew.agent.hypothesise import Chain, Step, option_names, read_chain
from askew.agent.journal import Journal
from askew.agent.lab import Lab, case_data
from askew.agent.learners.student import check_learner
from askew.agent.models.base import Completion
from askew.agent.notebook import Mattering, Notebook
from askew.agent.outlook import tells
from askew.agent.representation import Representation
from askew.agent.sets import Proposal, Surprise, duplicate_of, enumerated, from_cluster, from_surprises, make_set
from askew.agent.truth import Heard, Pool, fit_unasked, hear, meant
from askew.agent.update import learn
from askew.errors import InputError, RunError
from askew.evals.compare import compare
from askew.evals.grade import grade
from askew.evals.methods.active import ACQUISITIONS
from askew.evals.protocol import Workbench, run_method, write_config
from askew.evals.truth import Truth
from askew.tasks.attributes import keyword
from askew.tasks.case import Case, Split, Task
from askew.tasks.load import load_task
from askew.tasks.minimal_edits import edited
from askew.tasks.passages import words_of


def task_of(texts: list[str], options: tuple[str, ...] = ("no", "yes")) -> Task:
    cases = tuple(Case(f"c{i}", text, options) for i, text in enumerate(texts))
    return Task("unusual", "Is it so?", "text", cases)


def test_a_conditional_measure_of_no_cases_is_nothing() -> None:
    grounder = Grounder(task_of(["What a film! I saw it.", "A film.", "No. Not so.", "Great! Great!"]), embed)
    measured = Grounding(conditional("exclamation marks", "length", True), False, 1, 1.0)
    assert grounder.effects([measured], []).shape == (0, 2, 1)
    assert grounder.presence([measured], []).shape == (0, 1)


def test_a_condition_of_the_options_is_one_of_the_text() -> None:
    task = task_of(["I think it is yes!", "I think it is no.", "So it is!", "Hm."])
    said = "agreement with the stated opinion"
    task = replace(task, attributes={said: lambda case: [float(o in case.text) for o in case.options]})
    measured = Grounding(conditional("exclamation marks", said, True), False, 1, 1.0)
    effects_N_K = Grounder(task, embed).effects([measured], task.cases)[:, :, 0]
    assert effects_N_K[0, 1] > 0 and not effects_N_K[1:].any()


def test_where_one_thing_can_be_tried_it_is_still_unsure() -> None:
    grounder = Grounder(task_of(["Yes!", "Yes."] * 4), embed)
    proposed = enumerated(grounder)
    assert proposed and all(make_set(one, 1, grounder.task).prior_none >= 0.5 - 1e-9 for one in proposed)


def test_a_claim_about_what_is_not_there_votes_for_nothing() -> None:
    task = task_of(["Quite so!!!", "Quite so.", "So be it.", "And so on."])
    grounder = Grounder(task, embed)

    def claimed(case: str) -> Chain:
        return Chain(case, "", (Step("exclamation marks", "it shouts", 0),), 0, 1, None, "", "", "")

    cases = {case.id: case for case in task.cases}
    votes = {}
    for case in ("c0", "c1"):
        (cluster,) = cluster_subjects(claims_of([(1, claimed(case))]), embed)
        proposal = from_cluster(cluster, grounder, cases)
        assert proposal is not None
        votes[case] = dict(proposal.votes)
    assert votes["c1"] == {} and sum(votes["c0"].values()) == 1


def test_chains_that_are_silent_on_a_subject_tell_what_chance_would_do() -> None:
    """Two claims that nearly always come together are no alternatives, seen beside chains that make neither."""

    def chain(*favours: int) -> Chain:
        return Chain("c", "", tuple(Step("praise", "it flatters", k) for k in favours), 0, 1, None, "", "", "")

    other = Chain("c", "", (Step("length", "it is long", 1),), 0, 1, None, "", "", "")
    chains = [chain(0, 1)] * 6 + [chain(0), chain(1)] + [other] * 22
    praise = next(c for c in cluster_subjects(claims_of(list(enumerate(chains))), embed) if c.subject == "praise")
    assert praise.torn == ()


def test_a_misled_supervisor_of_many_classes_guesses() -> None:
    answers_1_3_3 = misled(np.eye(3)[None], np.array([0.0]))
    assert np.allclose(answers_1_3_3, 1 / 3)
    assert np.allclose(misled(np.eye(3)[None], np.array([1.0])), np.eye(3))
    assert np.allclose(misled(np.eye(2)[None], np.array([-1.0])), 1 - np.eye(2))


class Alike(ScriptedModel):
    """Two of its words are one to it."""

    def read_out(self, features_N_D: NDArray[np.float32], words: list[str]) -> NDArray[np.float64]:  # type: ignore[override]
        scores_N_K = np.array(super().read_out(features_N_D, words))
        scores_N_K[:, -1] = scores_N_K[:, 0]
        return scores_N_K


def test_options_that_begin_alike_make_no_opinion_that_is_certain(tmp_path: Path) -> None:
    options = ("very bad", "bad", "so so", "good", "very good")
    task = task_of([str(row["text"]) for row in rows(60)], options)
    opinion_N_K = Representation(task, Alike(), tmp_path).opinion(task.cases)
    assert 0.5 < np.abs(opinion_N_K).max() < 20


def test_only_a_balanced_task_is_balanced(cases_file: Callable[..., Path]) -> None:
    assert not load_task(str(cases_file()), 0).task.balanced
    rng = np.random.default_rng(0)
    true_N = (rng.random(600) < 0.13).astype(np.int64)
    x_N = 2.0 * true_N - 1.0 + rng.normal(size=600)
    columns_N_K_D = np.stack([-x_N, x_N], axis=1)[:, :, None] / 2
    columns_N_K_D = np.concatenate([columns_N_K_D, np.tile([[[-0.5], [0.5]]], (600, 1, 1))], axis=2)
    opinion_N_K, variance_D = np.zeros((600, 2)), np.array([1.0, 0.25])
    nothing, _ = meant(columns_N_K_D[:0], opinion_N_K[:0], np.zeros(0, dtype=np.int64))
    unasked = fit_unasked(nothing, variance_D)
    heard = Heard(columns_N_K_D[:200], true_N[:200], np.zeros((200, 2)), np.ones(200), np.ones(200))
    right = []
    for balanced in (False, True):
        truth = hear(unasked, 0.2, heard, Pool(columns_N_K_D, opinion_N_K), variance_D, balanced=balanced)
        right.append(float((truth.of(columns_N_K_D, opinion_N_K).argmax(1) == true_N).mean()))
    assert right[0] > 0.9 and right[1] < 0.8, right


def test_edits_do_not_crowd_out_the_cases_that_tell_of_the_truth() -> None:
    reliability_C = np.concatenate([np.full(60, 0.6), np.linspace(0.3, 0.45, 100)])
    edited_C = np.arange(160) < 60
    allowed_C = gate(reliability_C, edited_C, a_min=0.5, size=20)
    assert allowed_C[:60].all() and allowed_C[60:].sum() == 40 and allowed_C[-40:].all()


@pytest.mark.parametrize("leading", [0, 8])
@pytest.mark.parametrize("size", [1, 4, 9, 20])
def test_most_labels_of_a_small_round_decide_between_hypotheses(size: int, leading: int) -> None:
    """Where no set leads they screen all of them."""
    rng = np.random.default_rng(0)
    candidates = [Candidate(Case(f"c{i}", f"text {i}", ("a", "b")), "pool") for i in range(60)]
    q_H_C_K = rng.dirichlet([1.0, 1.0], size=(2, 60))
    names = [f"S{s}" for s in range(8)]
    outlook = Outlook(
        truth_C_K=np.full((60, 2), 0.5), weak_C_K=np.full((60, 2), 0.5), reliability_C=np.full(60, 0.9),
        q_M_C_K=rng.dirichlet([1.0, 1.0], size=(8, 60)), r_M_T_K=rng.dirichlet([1.0, 1.0], size=(8, 30)),
        q_by_set=dict.fromkeys(names, q_H_C_K), r_M_C_K=rng.dirichlet([1.0, 1.0], size=(8, 60)),
        weight_T=np.ones(30),
        tells_by_set=dict.fromkeys(names, np.ones(60, dtype=np.bool_)),
    )  # fmt: skip
    beliefs = {name: SimpleNamespace(p_H=np.array([0.5, 0.5]), none=0.5) for name in names}
    priorities = [Priority(name, 1.0, 0.1, s < leading, "", 0.1) for s, name in enumerate(names)]
    for_sets = labels_for_sets(size, 0, taste=False)
    chosen = choose(candidates, outlook, priorities, beliefs, size, for_sets, 0.5, 0.0, rng)  # type: ignore[arg-type]
    assert len(chosen) == size == len({choice.candidate for choice in chosen})
    assert sum(choice.set_id is not None for choice in chosen) == int(SET_SHARE * size)
    untold = choose(candidates, outlook, priorities, beliefs, size, 0, 0.5, 0.0, rng)  # type: ignore[arg-type]
    assert len(untold) == size and all(choice.set_id is None for choice in untold)
    for one in chosen:  # the log says what it was chosen by
        predicted_H_K = None if one.set_id is None else q_H_C_K[:, one.candidate]
        assert np.array_equal(one.q_H_K, predicted_H_K)  # type: ignore[arg-type]
    best = max(choice.epig for choice in untold)
    for tau, asked in ((best, size), (1.01 * best, 0)):
        again = choose(candidates, outlook, priorities, beliefs, size, for_sets, 0.5, tau, rng)  # type: ignore[arg-type]
        assert len(again) == asked, "as long as any case is worth it, all labels are given out"


def test_of_a_large_round_only_the_first_hundred_labels_are_mostly_for_hypotheses() -> None:
    assert labels_for_sets(100, 0, taste=False) == int(100 * SET_SHARE)
    assert labels_for_sets(100, 50, taste=False) == int(50 * SET_SHARE + 50 * LATER_SHARE)
    later = {labels_for_sets(100, used, taste=False) for used in (100, 500)}
    assert later == {int(100 * LATER_SHARE)}
    assert labels_for_sets(100, 0, taste=True) == 0


def test_edits_are_no_part_of_an_e_value(scripted: ScriptedModel, tmp_path: Path) -> None:
    task = task_of([str(row["text"]) for row in rows(20)])
    notebook = Notebook(Representation(task, scripted, tmp_path), Grounder(task, embed))
    edited = Case("edit", task.cases[0].text + "!", ("no", "yes"), Split.WRITTEN)
    notebook.origins["edit"] = task.cases[0]
    said = {"S1": np.array([[0.8, 0.2], [0.5, 0.5]])}
    notebook.record(Candidate(task.cases[0], "pool"), 0, said)
    before = notebook.scores["S1"].copy()
    notebook.record(Candidate(edited, "edited", parent="c0"), 0, said)
    assert np.array_equal(notebook.scores["S1"], before) and notebook.answers["edit"] == 0


def test_an_edit_tells_of_what_it_changes_whatever_it_was_made_for(scripted: ScriptedModel, tmp_path: Path) -> None:
    ends = (" (so)", "!", "?", "")
    task = task_of([f"{row['text']}{ends[i % 4]}" for i, row in enumerate(rows(32))])
    notebook = Notebook(Representation(task, scripted, tmp_path), Grounder(task, embed))
    names = ("exclamation marks", "parentheses", "question marks")
    for number, name in enumerate(names):
        proposal = Proposal(name, Grounding(name, False, 1, 1.0), {}, 0.1, (), "")
        notebook.sets.append(make_set(proposal, number, task))
    parent = task.cases[3]
    edit = Case("edit", parent.text + " (so)", parent.options, Split.WRITTEN)
    notebook.origins["edit"] = parent
    told = tells(notebook, [Candidate(edit, "edited", parent=parent.id, about=("S0",)), Candidate(parent, "pool")])
    assert {name: list(told[f"S{number}"]) for number, name in enumerate(names)} == {
        "exclamation marks": [True, True],  # made for it
        "parentheses": [True, True],  # changed by it
        "question marks": [False, True],
    }


@given(st.integers(0, 5), st.integers(0, 4), st.integers(0, 1000))
def test_what_all_subjects_but_one_keep_is_what_they_keep_without_it(n_subjects: int, n_cases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    presence_N_S = rng.integers(0, 2, (n_cases, n_subjects)) * rng.random((n_cases, n_subjects))
    misled_S = rng.choice([0.0, 0.5, 1.0, 1.8], n_subjects)
    by_others_N_S = kept_by_others(presence_N_S, misled_S)
    assert by_others_N_S.shape == (n_cases, n_subjects)
    for s in range(n_subjects):
        assert by_others_N_S[:, s] == pytest.approx(kept(presence_N_S, misled_S * (np.arange(n_subjects) != s)))


def test_of_many_classes_what_tells_any_of_them_is_put_into_no_text(scripted: ScriptedModel, tmp_path: Path) -> None:
    words, options = ("minister", "shares", "telescope", "goalkeeper"), ("a", "b", "c", "d")
    task = task_of([f"{WORDS[i % 7]} of the {words[i % 4]}" for i in range(80)], options)
    notebook = Notebook(Representation(task, scripted, tmp_path), Grounder(task, embed))
    truth_N_K = np.full((80, 4), 0.1 / 3)
    truth_N_K[np.arange(80), np.arange(80) % 4] = 0.9
    notebook.unasked_truth = lambda cases: truth_N_K  # type: ignore[method-assign]
    goes = {
        word: notebook.goes_with_truth([Grounding(keyword(word).name, False, k, 1.0) for k in range(4)])
        for word in words
    }
    assert all(goes[word][k] for k, word in enumerate(words))
    (harmless,) = notebook.goes_with_truth([Grounding(keyword(WORDS[0]).name, False, 3, 1.0)])
    assert not harmless


def test_a_file_may_say_that_edits_would_change_its_truth(cases_file: Callable[..., Path]) -> None:
    path = cases_file(rows(20))
    assert load_task(str(path), 0).task.edits_keep_truth
    path.with_suffix(".toml").write_text("editable = false\n", encoding="utf-8")
    assert not load_task(str(path), 0).task.edits_keep_truth


def test_what_is_said_of_most_cases_is_no_claim() -> None:
    def said(*texts: str) -> list[Chain]:
        return [Chain(f"c{i}", text, (), 0, 0, None, "", "", "") for i, text in enumerate(texts)]

    assert said_whatever_the_case(said(*"aaab")) == {"a"}
    assert said_whatever_the_case([*said(*"aabb"), *said(*"bbaa")]) == {"a", "b"}
    assert said_whatever_the_case(said(*"aabc")) == set(), "half of the cases may be alike"
    assert said_whatever_the_case(said(*"aaa")) == set(), "of three cases nothing can be said"
    assert said_whatever_the_case([*said(*"aaa")] * 16) == {"a"}, "unless they are never given any other"
    assert said_whatever_the_case([*said(*"aaa"), *said(*"aab")] * 8) == set()
    assert said_whatever_the_case([*said("a")] * 100) == set(), "of one case it may be true"
    repeated = [one for chain in said(*"abcd") for one in (chain,) * 100]
    assert said_whatever_the_case(repeated) == set(), "a chain that is repeated on its own case is evidence"


def test_what_matters_more_to_the_user_comes_first(cases_file: Callable[..., Path]) -> None:
    # Two sets: resolving the first would change the labels of the first half of the pool, the second of the other half.
    p_H = np.array([0.5, 0.5])
    sure_N_K, unsure_N_K = np.tile([0.1, 0.9], (20, 1)), np.tile([0.9, 0.1], (20, 1))
    first_N = (np.arange(20) < 10)[:, None]
    r_by_set = {
        name: np.stack([sure_N_K, np.where(touched_N, unsure_N_K, sure_N_K)])
        for name, touched_N in (("S1", first_N), ("S2", ~first_N))
    }
    sets = [SimpleNamespace(id=name) for name in r_by_set]
    beliefs = {name: SimpleNamespace(p_H=p_H) for name in r_by_set}
    outlook = SimpleNamespace(q_by_set={name: r_H_N_K[:, 9:11] for name, r_H_N_K in r_by_set.items()})
    case = Case("c", "text", ("no", "yes"))

    def ranked(weight_N: NDArray[np.float64], about: tuple[str, ...] = (), combined: bool = False) -> list[Priority]:
        candidates = [Candidate(case, "edited", about=about, combined=combined)] * 2
        return prioritise(sets, beliefs, r_by_set, candidates, outlook, weight_N)  # type: ignore[arg-type]

    weight_N = np.where(first_N[:, 0], 1.0, 3.0)
    assert [one.set_id for one in ranked(weight_N)] == ["S2", "S1"] == [one.set_id for one in ranked(7 * weight_N)]
    assert [one.set_id for one in ranked(1.0 / weight_N)] == ["S1", "S2"]
    assert ranked(weight_N)[0].flips == pytest.approx(3 * ranked(weight_N)[1].flips)

    assert all(one.resolvable for one in ranked(weight_N))
    # What was made for the other set alone, or can't tell it from others, resolves none.
    assert {one.set_id for one in ranked(weight_N, about=("S1",)) if one.resolvable} == {"S1"}
    assert not any(one.resolvable for one in ranked(weight_N, about=("S1", "S2"), combined=True))
    rows_ = rows(40)
    rows_[2]["weight"], rows_[3]["weight"] = None, 5
    task = load_task(str(cases_file(rows_)), 0).task
    assert dict(task.weights) == {task.cases[3].id: 5.0} and task.weights_of(task.cases[2:5]) == [1.0, 5.0, 1.0]
    rows_[4]["weight"] = 0
    with pytest.raises(InputError, match=r"line 5.*weight"):
        load_task(str(cases_file(rows_)), 0)


def test_names_with_odd_blanks_and_letters_are_read() -> None:
    names = option_names(
        task_of(["x"], ("negative ", "very\npositive")), Case("c", "x", ("negative ", "very\npositive"))
    )
    text = " praise: it flatters -> negative\nRater: very positive\nTruth: negative"
    chain = read_chain(Completion(text, 1, True, ""), "c", names, "", "")
    assert chain.malformed is None and (chain.weak_label, chain.true_label) == (1, 0)
    arrows = read_chain(
        Completion(" food: it -> good -> a -> b\nRater: b\nTruth: a -> b", 1, True, ""), "c", ("a -> b", "b"), "", ""
    )
    assert arrows.malformed is None and arrows.steps == (Step("food", "it -> good", 0),)
    assert words_of("Ein GROSSER, großer Film") == ["ein", "grosser", "großer", "film"]


def test_a_log_of_other_cases_is_not_continued(tmp_path: Path) -> None:
    first, second = (Case(name, f"text {name}", ("a", "b")) for name in "ab")
    for asked, expected in ((first, None), (second, "asked case 'a' where this run asks 'b'")):
        with Journal(tmp_path) as journal:
            lab = SimpleNamespace(journal=journal, folder=tmp_path)
            if expected is None:
                Lab.propose(lab, asked, {"case": case_data(asked)})  # type: ignore[arg-type]
                continue
            with pytest.raises(RunError, match=expected):
                Lab.propose(lab, asked, {"case": case_data(asked)})  # type: ignore[arg-type]


def test_a_learner_that_cannot_work_is_refused_before_a_label_is_asked(tmp_path: Path) -> None:
    missing = Settings(learner="lora", accelerate=str(tmp_path / "none.yaml"))
    check_learner(Settings(), task_of(["x"]))
    with pytest.raises(InputError, match="accelerate"):
        check_learner(missing, task_of(["x"]))


def test_a_student_that_no_server_would_take_is_refused_before_a_label_is_asked() -> None:
    task = task_of(["x"])
    elsewhere = Serving(server="http://127.0.0.1:1")
    for settings in (
        Settings(backend="vllm", learner="lora", vllm=elsewhere),
        Settings(backend="vllm", learner="full", vllm=elsewhere.model_copy(update={"publish": "swap"})),
    ):
        with pytest.raises(InputError, match="can't be published"):
            check_learner(settings, task)
    with pytest.raises(InputError, match="max_lora_rank"):
        check_learner(Settings(backend="vllm", learner="lora", finetune={"r": 128}), task)


def test_cases_that_do_not_matter_are_no_targets() -> None:
    rng = np.random.default_rng(0)
    weight_N = np.zeros(500)
    weight_N[7] = 1.0
    for _ in range(5):
        index_T, weight_T = drawn_targets(weight_N, 300, rng)
        assert index_T.tolist() == [7] and weight_T.tolist() == [1.0]
    weight_N = np.where(np.arange(2000) < 20, 99.0, 1.0)
    index_T, weight_T = drawn_targets(weight_N, 300, rng)
    assert len(index_T) == 300 and set(weight_T) == {1.0}
    assert 0.35 < (index_T < 20).mean() < 0.65  # half of what matters
    index_T, weight_T = drawn_targets(np.ones(500), 300, rng)
    assert len(set(index_T.tolist())) == 300


def test_what_is_in_nearly_all_cases_is_not_alike_for_that() -> None:
    rng = np.random.default_rng(0)
    signs = np.array([-1.0, 1.0])
    often, also = ((rng.random((400, 1)) < 0.93) * signs for _ in range(2))
    assert duplicate_of(often, [also]) is None
    assert duplicate_of(often, [also, -often]) == 1
    # An option's place is the same in every case, and last is the opposite of first.
    first = np.tile(signs, (400, 1))
    assert duplicate_of(-first, [often, first]) == 1


class Unsure:
    """Never knows what to say about itself."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def label(self, cases: list[Case]) -> list[int | None]:
        return [None for _ in cases]

    def clarify(self, name: str, question: str, options: list[str]) -> tuple[int | None, str]:
        self.heard.append(name)
        return None, ""


def test_an_unsure_answer_to_a_question_is_not_asked_for_again(tmp_path: Path) -> None:
    task = task_of(["x", "y"])
    proposals = (Proposal(name, Grounding(name, False, 1, 1.0), {}, 0.5, (), "") for name in ("praise", "length"))
    sets = [make_set(proposal, number, task) for number, proposal in enumerate(proposals, start=1)]
    p_H = np.array([0.5, 0.0, 0.3, 0.0, 0.1, 0.1])  # liked or better: one of them, and which is to be said in words
    same_H_N_K = np.full((6, 2, 2), 0.5)
    notebook = SimpleNamespace(
        sets=sets, beliefs={one.id: SetBelief(one.id, one.names, p_H, 0.0, 0, 0, None) for one in sets}, told={},
        answered=lambda: [1], asked={}, set_predictions=lambda _, wanted: {s.id: (None, same_H_N_K) for s in wanted},
    )  # fmt: skip
    supervisor = Unsure()
    with Journal(tmp_path) as journal:
        lab = SimpleNamespace(
            supervisor=supervisor, settings=Settings(budget=50), labels_used=0, task=task, journal=journal
        )
        for _ in range(3):
            clarify(lab, notebook)  # type: ignore[arg-type]
    assert supervisor.heard == ["clarify-scientific-S1-reasons", "clarify-scientific-S2-reasons"]
    assert lab.labels_used == 2


def run(folder: Path, file: Path, **settings: object) -> Path:
    """A finished run of the file with the scripted model."""
    given = {"supervisor": "planted:length@0.8", "student": "scripted", "budget": 12, "rounds": 3, **settings}
    made = Settings(task=str(file), **given)  # type: ignore[arg-type]
    bench = Workbench(made)
    bench.model, bench.embedder = ScriptedModel(), SimpleNamespace(embed=embed)  # type: ignore[assignment]
    folder.mkdir(parents=True)
    write_config(made, folder, ())
    run_method(made, folder, bench, lambda _: None)
    return folder


def test_a_trapped_run_is_graded(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    folder = run(tmp_path / "run", cases_file(), supervisor="trap:planted:length@0.8", method="passive-naive")
    assert grade(folder).queries == 12


@pytest.mark.parametrize("method", ["badge", "typical", "uncertainty"])
def test_no_label_too_many_is_asked_and_a_pool_may_run_out(
    method: str, cases_file: Callable[..., Path], tmp_path: Path
) -> None:
    assert method in ACQUISITIONS
    assert grade(run(tmp_path / "few", cases_file(), method=method, budget=2, rounds=5)).queries == 2
    few = [row for row in rows(48) if row["split"] != "weak"]
    pool = sum(row["split"] == "pool" for row in few)
    folder = run(
        tmp_path / "all", cases_file(few), method=method, budget=pool, rounds=pool + 3, supervisor="recorded:loud-lover"
    )
    assert grade(folder).queries == pool


def test_runs_on_other_numbers_of_test_cases_are_not_compared(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    file = cases_file()
    folders = [run(tmp_path / str(n), file, method="passive-naive", seed=n, test_size=n) for n in (6, 8)]
    with pytest.raises(InputError, match="different test_size: 6, 8"):
        compare([grade(folder) for folder in folders])


def test_a_leaning_to_any_of_three_classes_can_be_noticed() -> None:
    rng = np.random.default_rng(0)
    texts = [f"Line {i} of the rest{'!!!' if i % 3 == 0 else '.'}" for i in range(90)]
    grounder = Grounder(task_of(texts, ("bad", "so so", "good")), embed)
    cases = grounder.task.cases
    for option in range(3):
        weak_L = [option if i % 3 == 0 and rng.random() < 0.8 else int(rng.integers(3)) for i in range(90)]
        surprise = Surprise(grounder, cases, np.eye(3)[weak_L], np.full((90, 3), 1 / 3), ())
        first = max(from_surprises(surprise), key=lambda one: float(abs(surprise.explained([one.grounding])[0])))
        assert (first.subject, first.grounding.option) == ("exclamation marks", option)


def test_what_misleads_is_told_by_the_cases_that_were_answered_wrong() -> None:
    texts = [f"Line {i} of the rest{'!!!' if i % 4 == 0 else '.'}" for i in range(80)]
    grounder = Grounder(task_of(texts, ("bad", "good")), embed)
    true_L = np.arange(80) // 4 % 2
    wrong_L = np.arange(80) % 4 == 0
    predicted_L_K = np.where(np.eye(2)[true_L] > 0, 0.9, 0.1)
    weak_L_K = np.eye(2)[np.where(wrong_L & (np.arange(80) < 60), 1 - true_L, true_L)]
    surprise = Surprise(grounder, grounder.task.cases, weak_L_K, predicted_L_K, ())
    (loud,) = (one for one in from_surprises(surprise) if one.subject == "exclamation marks")
    place = {case.id: index for index, case in enumerate(grounder.task.cases)}
    assert len(loud.cases) == 5 and all(wrong_L[place[case]] and place[case] < 60 for case in loud.cases)


def test_of_several_classes_one_set_alone_says_that_a_subject_misleads() -> None:
    task = task_of(["one!", "two", "three"], ("bad", "so so", "good"))
    grounder = Grounder(task, embed)
    subjects = [one for one in enumerated(grounder) if one.grounding.measure == "exclamation marks"]
    made = [make_set(one, number, task) for number, one in enumerate(subjects)]
    misleading = [s.grounding.option for s in made if any(h.kind is Kind.MISLED for h in s.hypotheses)]
    assert len(made) == 3 and misleading == [2]


def test_an_edit_has_the_truth_of_the_case_that_its_id_names(tmp_path: Path) -> None:
    summaries = [
        {"prompt": "Which summary is better?", "chosen": f"Plot {i} is told.", "rejected": f"Name {i} is given."}
        for i in range(40)
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(map(json.dumps, summaries)))
    loaded = load_task(str(file), 0)
    truth = Truth(loaded, lambda texts: np.array([[len(t), t.count("a")] for t in texts], dtype=np.float32))
    for case in loaded.task.cases:
        # Without a name the options tell, since all cases share their text.
        turned = Case("?", case.text, case.options[::-1], Split.WRITTEN)
        assert truth(turned) == 1 - loaded.gold[case.id]
        for index, (text, options) in enumerate(edited("length", case, options_vary=True)):
            edit = Case(f"{case.id}~length~{index}", text, options, Split.WRITTEN)
            assert truth(edit) == loaded.gold[case.id]


def test_what_is_better_is_expected_and_no_surprise(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    loaded = load_task(str(cases_file()), 0)
    notebook = Notebook(Representation(loaded.task, ScriptedModel(), tmp_path), Grounder(loaded.task, embed))
    cases = loaded.task.split(Split.POOL)[:20]
    for case in cases:
        notebook.record(Candidate(case, "pool"), int("!" in case.text), {})
    (found,) = (one for one in enumerated(notebook.grounder) if one.grounding.measure == "exclamation marks")
    notebook.sets = [make_set(found, 1, loaded.task)]
    learn(notebook)
    notebook.mattering = {"S1": Mattering(better=0.0)}
    unmoved = notebook.expected_answers(cases)
    notebook.mattering = {"S1": Mattering(better=4.0)}
    moved = notebook.expected_answers(cases)
    loud = np.array(["!" in case.text for case in cases])
    assert (moved[loud, 1] > unmoved[loud, 1] + 0.05).all()
    notebook.mattering, notebook.bias_K = {"S1": Mattering()}, np.array([0.0, 2.0])
    assert (notebook.expected_answers(cases)[:, 1] > unmoved[:, 1]).all()


def test_edits_of_one_case_are_not_many_answers(cases_file: Callable[..., Path], tmp_path: Path) -> None:
    loaded = load_task(str(cases_file()), 0)
    notebook = Notebook(Representation(loaded.task, ScriptedModel(), tmp_path), Grounder(loaded.task, embed))
    for case in loaded.task.split(Split.POOL)[:8]:
        notebook.record(Candidate(case, "pool"), loaded.gold[case.id], {})
    learn(notebook)
    assert notebook.truth_model is not None
    trust, leaning = notebook.truth_model.trust, notebook.truth_model.leaning.theta_D
    parent = notebook.answered()[0]
    for number in range(6):
        edit = Case(f"{parent.id}~length~{number}", parent.text + " So." * (number + 1), parent.options, Split.WRITTEN)
        notebook.origins[edit.id] = parent
        notebook.record(Candidate(edit, "edited", parent=parent.id), loaded.gold[parent.id], {})
    learn(notebook)
    assert notebook.truth_model.trust == pytest.approx(trust)
    assert np.allclose(notebook.truth_model.leaning.theta_D, leaning, atol=1e-4)


def test_what_is_said_to_a_combined_edit_is_not_heard_about_the_truth(
    cases_file: Callable[..., Path], tmp_path: Path
) -> None:
    loaded = load_task(str(cases_file()), 0)
    notebook = Notebook(Representation(loaded.task, ScriptedModel(), tmp_path), Grounder(loaded.task, embed))
    pool = loaded.task.split(Split.POOL)
    for case in pool[:8]:
        notebook.record(Candidate(case, "pool"), loaded.gold[case.id], {})
    learn(notebook)
    assert notebook.truth_model is not None
    leaning = notebook.truth_model.leaning.theta_D
    for number, parent in enumerate(pool[6:12]):
        edit = Case(f"{parent.id}~so~{number}", parent.text + " So. (film) Really.", parent.options, Split.WRITTEN)
        notebook.origins[edit.id] = parent
        wrong = 1 - loaded.gold[parent.id]
        notebook.record(Candidate(edit, "edited", parent=parent.id, about=("S1", "S2"), combined=True), wrong, {})
    learn(notebook)
    assert np.allclose(notebook.truth_model.leaning.theta_D, leaning, atol=1e-4)


def test_what_tells_the_truth_is_not_put_into_texts(
    cases_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_task(str(cases_file()), 0)
    notebook = Notebook(Representation(loaded.task, ScriptedModel(), tmp_path), Grounder(loaded.task, embed))
    monkeypatch.setattr(notebook, "unasked_truth", lambda cases: np.eye(2)[[loaded.gold[c.id] for c in cases]])
    names = ("good words", "exclamation marks")
    groundings = [one for one in notebook.grounder.attributes() if one.measure in names]
    goes = dict(zip([one.measure for one in groundings], notebook.goes_with_truth(groundings), strict=True))
    assert goes == {"good words": True, "exclamation marks": False}
