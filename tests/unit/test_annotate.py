"""What the strong model says has a subject: how far it is believed, what is learned of it, and that it is recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.conftest import ScriptedModel, bag

from askew.agent.annotate import TEXTS, TRIES, Annotation, learned, worth_annotating
from askew.agent.conditional_logit import Array
from askew.agent.config import Settings
from askew.agent.correlation import pearson
from askew.agent.ground import CONCEPT_TRUST, Grounder
from askew.agent.hypotheses import Grounding
from askew.agent.journal import Event, Journal, read_events
from askew.agent.lab import Lab
from askew.agent.loop import scientific
from askew.agent.models.base import Completion, SamplingRequest
from askew.agent.representation import Representation
from askew.evals.recovery import as_annotated
from askew.tasks.case import Case, Task
from askew.tasks.load import load_task


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Bags of words, so wide that no two words of these tests share a place."""
    vectors = np.stack([bag(text, 4096) for text in texts]) if texts else np.zeros((0, 4096), dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def said_of(amount_N: Array, noise: float, leaning_N: Array | float = 0.0, seed: int = 0) -> Annotation:
    """Both questions answered by the amount of the subject, by noise, and by what says yes to either."""
    noise_N_2 = noise * np.random.default_rng(seed).normal(size=(len(amount_N), 2))
    said_N_2 = np.stack([amount_N, -amount_N], axis=1) + noise_N_2 + np.reshape(leaning_N, (-1, 1))
    return Annotation(np.arange(len(amount_N)), said_N_2)


def vectors(n: int, d: int = 24, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_what_is_annotated_is_carried_to_texts_that_were_not() -> None:
    known_N_D, others_N_D = vectors(64), vectors(500, seed=2)
    direction_D = np.random.default_rng(3).normal(size=24)
    annotation = said_of(known_N_D @ direction_D, noise=2.0, leaning_N=3.0)
    concept = learned(annotation, known_N_D, np.zeros(64))
    assert concept is not None and concept.weight_D is not None
    found = pearson(others_N_D @ concept.weight_D, others_N_D @ direction_D)
    assert found > 0.8
    assert abs(concept.trust - found) < 0.15, "it is trusted as far as it goes with what is annotated"


def test_where_nearness_in_meaning_does_better_it_is_kept_and_trusted_as_far_as_it_does() -> None:
    amount_N = np.random.default_rng(4).normal(size=64)
    concept = learned(said_of(amount_N, 0.5), vectors(64), amount_N + 0.5 * np.random.default_rng(5).normal(size=64))
    assert concept is not None and concept.weight_D is None
    assert concept.trust == pytest.approx(0.9, abs=0.07)


@pytest.mark.parametrize(
    ("amount", "noise", "leaning"), [(0.0, 1.0, 0.0), (0.0, 0.5, 4.0), (1.0, 0.3, 4.0), (0.0, 0.0, 0.0)]
)
def test_a_model_that_contradicts_itself_teaches_nothing(amount: float, noise: float, leaning: float) -> None:
    random = np.random.default_rng(6)
    annotation = said_of(amount * random.normal(size=64), noise, leaning * random.normal(size=64))
    assert annotation.reliability < 0.5
    assert learned(annotation, vectors(64), random.normal(size=64)) is None


def test_a_handful_of_texts_teaches_nothing() -> None:
    amount_N = np.arange(6.0)
    assert learned(said_of(amount_N, 0.0), vectors(6), amount_N) is None


@given(st.integers(0, 40), st.floats(0.01, 50.0), st.floats(-9.0, 9.0))
def test_reliability_and_score_go_by_no_scale_and_no_leaning(seed: int, scale: float, leaning: float) -> None:
    annotation = said_of(np.random.default_rng(seed).normal(size=20), 0.7, seed=seed)
    other = Annotation(annotation.index_N, scale * annotation.said_N_2 + leaning)
    assert 0.0 <= annotation.reliability <= 1.0
    assert other.reliability == pytest.approx(annotation.reliability, abs=1e-6)
    np.testing.assert_allclose(other.score(), annotation.score(), atol=1e-6)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=80), st.integers(1, 70))
def test_texts_are_chosen_once_each_the_nearest_among_them(near: list[float], n: int) -> None:
    chosen = worth_annotating(np.array(near), n)
    assert len(set(chosen.tolist())) == len(chosen) == min(n, len(near))
    if n >= 2:
        assert int(np.argmax(near)) in chosen


OWLS = ("owls", "owlets", "barn owls", "tawny owls")


class Knowing(ScriptedModel):
    """Its chains speak of owls, which no attribute measures; it knows what speaks of them where ``knows``."""

    knows: bool = True
    asked: int = 0

    def _one(self, prompt: str, index: int, request: SamplingRequest) -> Completion:
        completion = super()._one(prompt, index, request)
        if request.grammar is None or not completion.text.startswith(" "):
            return completion
        subject = "ornithology" if self.knows else ("ornithology", "wombats", "zymurgy")[index % 3]
        verdicts = completion.text[completion.text.index(" ->") :]
        where = hashlib.sha256(prompt.encode()).hexdigest()[:6]  # a chain for every case, or none would count
        return Completion(f" {subject}: it matters in {where}{verdicts}", 8, True, self.version)

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Yes (the first option) to one of both questions where there is an owl; or by what the prompt's digest is."""
        self.asked += len(prompts)
        noise_N = np.array([hashlib.sha256(prompt.encode()).digest()[0] / 255 for prompt in prompts]) - 0.5
        has_N = np.array([any(owl in prompt for owl in OWLS) for prompt in prompts]) * 3.0
        without_N = np.array(["without" in prompt.rsplit("\n", 1)[-1] for prompt in prompts])
        yes_N = noise_N + (np.where(without_N, -has_N, has_N) if self.knows else 0.0)
        return np.stack([yes_N, np.zeros(len(prompts)), *[np.zeros(len(prompts))] * (len(options[0]) - 2)], axis=1)


def owl_rows() -> list[dict[str, object]]:
    """Reviews, half of them of owls, by four names that share no word with the subject."""
    splits = ("pool", "pool", "pool", "pool", "pool", "test", "validation", "weak")
    words = ("dull", "lovely", "hollow", "warm", "tedious", "clever")
    return [
        {
            "id": f"c{i}", "text": f"Number {i}: {OWLS[i % 4] if i % 2 else 'the pace'}, {words[i // 2 % 6]} {i % 7}.",
            "options": ["negative", "positive"], "gold": i // 2 % 2, "split": splits[i // 4 % 8],
        }
        for i in range(240)
    ]  # fmt: skip


class Likes:
    """Takes owls for good."""

    def label(self, cases: list[Case]) -> list[int | None]:
        return [int("owl" in case.text) for case in cases]


def run_of(model: Knowing, task: Task, settings: Settings, folder: Path) -> list[Event]:
    with Journal(folder) as journal:
        scientific(
            Lab(
                settings=settings, task=task, supervisor=Likes(), model=model,
                representation=Representation(task, model, folder.parent / "cache"),
                embed=embed, journal=journal, folder=folder,
            )
        )  # fmt: skip
    return list(read_events(folder))


@pytest.fixture
def owls(cases_file: Callable[..., Path]) -> tuple[Task, Settings]:
    settings = Settings(
        task=str(cases_file(owl_rows())), supervisor="likes", student="scripted", budget=20, rounds=2, chains=24,
        chains_first=48, written=0, written_first=0, proposed=0, alternatives=0,
    )  # fmt: skip
    return load_task(settings.task, 0).task, settings


def test_a_subject_that_no_attribute_measures_is_measured_by_what_the_model_says_has_it(
    owls: tuple[Task, Settings], tmp_path: Path
) -> None:
    task, settings = owls
    model, again = Knowing(), Knowing()
    events = run_of(model, task, settings, tmp_path / "run")
    (annotation,) = [event.data for event in events if event.kind == "annotation"]
    assert annotation["subject"] == "ornithology" and annotation["reliability"] > 0.8
    assert len(annotation["texts"]) == TEXTS and model.asked == 2 * TEXTS
    born = [e.data for e in events if e.kind == "hypothesis-born" and e.data["grounder"] == "ornithology"]
    assert born and all(data["concept"] and data["trust"] > 0.6 for data in born)
    # The log alone gives the measure back, as recovery is judged by; and resuming asks nobody.
    grounder = Grounder(task, embed, as_annotated(events))
    measured = grounder.ground("ornithology")
    assert measured == Grounding("ornithology", True, 1, born[0]["trust"])
    owl_N = np.array(["owl" in case.text for case in task.cases])
    effect_N = grounder.effects([measured], task.cases)[:, 1, 0]
    assert pearson(effect_N, owl_N.astype(float)) > 0.6
    assert abs(pearson(Grounder(task, embed).effects([measured], task.cases)[:, 1, 0], owl_N.astype(float))) < 0.3
    before = len(events)
    assert len(run_of(again, task, settings, tmp_path / "run")) == before and again.asked == 0


def test_a_model_that_contradicts_itself_is_soon_asked_no_more(owls: tuple[Task, Settings], tmp_path: Path) -> None:
    task, settings = owls
    model = Knowing()
    model.knows = False
    events = run_of(model, task, settings, tmp_path / "run")
    annotated = [event.data for event in events if event.kind == "annotation"]
    assert len(annotated) == TRIES and all(data["reliability"] < 0.5 for data in annotated)
    born = [event.data for event in events if event.kind == "hypothesis-born" and event.data["concept"]]
    assert all(data["trust"] == CONCEPT_TRUST for data in born)


def test_settings_may_forbid_it(owls: tuple[Task, Settings], tmp_path: Path) -> None:
    task, settings = owls
    model = Knowing()
    events = run_of(model, task, settings.model_copy(update={"annotated": 0}), tmp_path / "run")
    assert model.asked == 0 and not any(event.kind == "annotation" for event in events)


def test_options_are_annotated_one_by_one() -> None:
    pairs = tuple(
        Case(f"p{i}", f"Question {i}?", (f"{OWLS[i % 4]} {i}.", f"the pace {i}.") if i % 2 else (f"a {i}.", f"b {i}."))
        for i in range(40)
    )
    task = Task("birds", "Which is better?", "question", pairs, options_vary=True)
    asked: list[Sequence[str]] = []

    def annotate(subject: str, texts: Sequence[str], near_N: Array) -> Annotation:
        asked.append(texts)
        index_N = worth_annotating(near_N, 48)
        return Annotation(
            index_N, said_of(np.array([3.0 * ("owl" in texts[n]) for n in index_N]), 0.3, seed=9).said_N_2
        )

    grounder = Grounder(task, embed, annotate)
    measured = grounder.ground("ornithology")
    effect_N_K = grounder.effects([measured], pairs)[:, :, 0]
    assert len(asked) == 1 and len(asked[0]) == 80
    assert (effect_N_K[1::2, 0] > effect_N_K[1::2, 1]).mean() > 0.9
