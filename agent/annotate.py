"""What a subject means to the strong model: it annotates a few texts, and a probe carries that to all others.

Where no attribute measures what a chain's words mean, the model is asked of some texts whether there is any of the
subject in them, and whether they are without it. A model that knows what it is asked about answers the two questions
in opposite ways: how far it does is how reliable its annotations are, whatever it leans to say. Against reliable ones
both measures of a subject are held, a probe on sentence embeddings and nearness in meaning; the better one is used, and
trusted as far as it goes with what is annotated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict

from askew.agent.conditional_logit import Array
from askew.agent.correlation import pearson
from askew.agent.hypothesise import LONGEST_TEXT
from askew.agent.journal import Data
from askew.agent.lab import Lab
from askew.agent.reasoner import needs_warming
from askew.prompts.loader import load_prompt
from askew.tasks.case import Task

TEXTS = 64
"""Texts of the pool that are annotated for a subject, unless the settings say otherwise."""
RELIABLE = 0.5
"""Least reliability of annotations that anything is learned from."""
TRIES = 2
"""So many subjects on which the model contradicts itself, and none on which it doesn't, are enough: it isn't asked."""
LEAST_TRUST = 0.05
FEWEST = 16
"""Texts from which something is learned."""
ALPHAS = np.logspace(-2, 3, 11)
FOLDS = 8


@dataclass(frozen=True)
class Annotation:
    """N texts (by their index among the pool's different ones) and the model's log-odds of *yes* to both questions."""

    index_N: NDArray[np.int64]
    said_N_2: Array
    """Whether there is any of the subject in it; whether it is without."""

    @classmethod
    def from_data(cls, data: Data) -> Annotation:
        """The annotation in a record of the log."""
        return cls(np.array(data["texts"], dtype=np.int64), np.array(data["said"], dtype=np.float64).reshape(-1, 2))

    @property
    def reliability(self) -> float:
        """Of the mean of both answers, 0 to 1: their correlation, stepped up (Spearman 1910, Brown 1910)."""
        agreed = max(0.0, pearson(self.said_N_2[:, 0], -self.said_N_2[:, 1]))
        return 2 * agreed / (1 + agreed)

    def score(self) -> Array:
        """score_N, how much of the subject each text has: both answers, each by its own mean and spread."""
        apart_N_2 = self.said_N_2 - self.said_N_2.mean(axis=0)
        scaled_N_2 = apart_N_2 / np.maximum(apart_N_2.std(axis=0), 1e-9)
        score_N: Array = (scaled_N_2[:, 0] - scaled_N_2[:, 1]) / 2
        return score_N


Annotate = Callable[[str, Sequence[str], Array], Annotation | None]
"""Of a subject, the texts of the pool and how near each is to it in meaning; ``None`` where nobody can be asked."""


def nobody(subject: str, texts: Sequence[str], near_N: Array) -> None:
    """There is no model to ask."""
    del subject, texts, near_N


@dataclass(frozen=True)
class Concept:
    """How a subject is measured on any text, by what the model annotated, and how far that can be trusted."""

    trust: float
    weight_D: Array | None
    """On a text's embedding; ``None`` where nearness in meaning does better than a probe."""


def learned(annotation: Annotation, vectors_N_D: NDArray[np.float32], near_N: Array) -> Concept | None:
    """The better of the two measures; ``None`` where the annotations are not reliable.

    Its trust is its correlation with what the model holds to be true of texts that were not learned from: that with the
    annotations over the root of their reliability (Spearman 1904, "The proof and measurement of association"). Half of
    the texts are near the subject, so over the whole pool it is somewhat less.

    Args:
        annotation: of N texts.
        vectors_N_D: their embeddings.
        near_N: their nearness to the subject in meaning.
    """
    if len(near_N) < FEWEST or annotation.reliability < RELIABLE:
        return None
    score_N = annotation.score()
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    predicted_N = cross_val_predict(RidgeCV(ALPHAS), vectors_N_D, score_N, cv=folds)
    by_probe, by_meaning = (pearson(measured_N, score_N) for measured_N in (predicted_N, near_N))
    trust = float(np.clip(max(by_probe, by_meaning) / np.sqrt(annotation.reliability), LEAST_TRUST, 1.0))
    if by_meaning >= by_probe:
        return Concept(trust, None)
    return Concept(trust, np.asarray(RidgeCV(ALPHAS).fit(vectors_N_D, score_N).coef_, dtype=np.float64))


def worth_annotating(near_N: Array, n: int) -> NDArray[np.int64]:
    """Indices of ``n`` texts: half those that are nearest to the subject, the other half evenly from all the rest."""
    ranked = np.argsort(-near_N, kind="stable")
    first, rest = ranked[: n // 2], ranked[n // 2 :]
    spread = np.linspace(0, len(rest) - 1, min(len(rest), n - len(first))).round().astype(np.int64)
    return np.sort(np.concatenate([first, rest[spread]])).astype(np.int64)


def annotating(lab: Lab) -> Annotate:
    """What asks the strong model about some texts of each subject; every annotation is a recorded fact.

    One that has to be warmed up before it can reason is too small to be asked, unless the settings say so.
    """
    n = lab.settings.annotated
    if n is None:
        n = 0 if needs_warming(lab.settings) else TEXTS
    if n < FEWEST:
        return nobody
    reliable: list[bool] = []

    def annotate(subject: str, texts: Sequence[str], near_N: Array) -> Annotation | None:
        if len(reliable) >= TRIES and not any(reliable):
            return None

        def ask() -> Data:
            index_N = worth_annotating(near_N, n)
            with lab.stage("annotate"):
                prompts = prompts_about(lab.task, subject, [texts[index] for index in index_N])
                logprob_N_2 = lab.model.option_logprobs(prompts, [[" yes", " no"]] * len(prompts))
            said_N_2 = (logprob_N_2[:, 0] - logprob_N_2[:, 1]).reshape(-1, 2).round(4)
            reliability = Annotation(index_N, said_N_2).reliability
            return {
                "subject": subject, "texts": index_N.tolist(), "said": said_N_2.tolist(),
                "reliability": round(reliability, 4),
            }  # fmt: skip

        recorded = lab.journal.fact("annotation", ask)
        lab.journal.require_same("about", recorded["subject"], subject)
        annotation = Annotation.from_data(recorded)
        reliable.append(annotation.reliability >= RELIABLE)
        return annotation

    return annotate


def prompts_about(task: Task, subject: str, texts: Sequence[str]) -> list[str]:
    """Both questions about each text, one after the other."""
    prompt, noun = load_prompt("annotate"), "answer" if task.options_vary else task.noun
    return [
        prompt.render(noun=noun, text=text[:LONGEST_TEXT], subject=subject, without=without)
        for text in texts
        for without in (False, True)
    ]
