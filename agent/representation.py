"""How the student sees a case: columns of its frozen features, and its own opinion before any label.

Both come from the same forward pass. The opinion is read off the language model's head at the word that
would be the answer, then centred so that the classes are balanced over the pool: without it the raw
log-probabilities mostly say which word is common. Where the task has more ways of asking than one, the
opinion is what is said to all of them together, each counted alike (pattern-verbalizer pairs: Schick &
Schütze 2021, "Exploiting cloze questions for few-shot text classification and natural language inference").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from askew.agent.channel import LONGEST, beginnings
from askew.agent.conditional_logit import Array, class_columns
from askew.agent.models.base import LanguageModel
from askew.agent.models.vectors import VectorCache
from askew.errors import InputError
from askew.prompts.loader import load_prompt
from askew.tasks.case import Case, Split, Task

COMPONENTS = 256
"""Principal components of the features that are kept; the rest carry almost no variance."""
FEATURE_VARIANCE = 3e-3
"""Prior variance of a coefficient on a standardised feature (chosen on validation splits, see LOG.md)."""
BIAS_VARIANCE = 0.25
"""Prior variance of a class or position bias in the truth."""
OPINION_SCALE = 1.5
"""Log-odds that one standard deviation of the opinion over the pool stands for."""
RIGHT, WRONG = " right", " wrong"


class Representation:
    """Columns and opinions for the cases of one task. Fitted on the pool's texts; never sees a label.

    Raises ``InputError`` for another way of asking whose words are one to the model.
    """

    def __init__(self, task: Task, model: LanguageModel, cache: Path) -> None:
        self.task = task
        self._model = model
        self._seen: dict[tuple[str, tuple[str, ...]], tuple[Array, Array]] = {}
        self._cues = [_cue(task), *(pattern.cue for pattern in task.patterns)]
        used = model.fingerprint if task.options_vary else f"{model.fingerprint}{self._cues}"
        self._cache = VectorCache(cache / "features.sqlite", used)
        self._beginnings = [] if task.options_vary else beginnings(task)
        self._likelihoods = VectorCache(cache / "features.sqlite", f"{model.fingerprint}{self._beginnings}/{LONGEST}")
        pool = task.split(Split.POOL)
        read = self._read(pool)
        raw, said_N_P_K = self._features_in(read), self._said(read)
        flat = raw.reshape(-1, raw.shape[-1])
        self._mean_D: Array = flat.mean(0, dtype=np.float64)
        self._scale_D: Array = flat.std(0, dtype=np.float64) + 1e-6
        self._basis_D_J = _principal_directions(self._standardised(flat))
        self._said_mean_P_K = self._usual(said_N_P_K)
        self._said_scale_P = np.array([_apart(said_N_K) for said_N_K in said_N_P_K.swapaxes(0, 1)]) + 1e-6
        for pattern, said_N_K in zip(task.patterns, said_N_P_K.swapaxes(0, 1)[1:], strict=False):
            if np.unique(said_N_K, axis=1).shape[1] < task.n_options:
                raise InputError(
                    f"the pattern {pattern.cue!r}: two words of {list(pattern.words)} begin with the same token, "
                    f"so {model.name} can't tell them apart. Give words that begin differently."
                )
        together_N_K = self._together(said_N_P_K)
        self._opinion_mean_K = self._usual(together_N_K)
        self._opinion_scale = _apart(together_N_K) + 1e-6

    @property
    def ways(self) -> int:
        """How many ways of asking make the opinion."""
        return len(self._said_scale_P)

    def columns(self, cases: Sequence[Case]) -> Array:
        """columns_N_K_D: features of each option, then one bias column for every option but the first."""
        k = self.task.n_options
        if not cases:
            return np.zeros((0, k, len(self.variances())))
        reduced = np.stack([row for row, _ in self._looked_at(cases)])
        if self.task.options_vary:
            features_N_K_J = reduced - reduced.mean(axis=1, keepdims=True)
        else:
            features_N_K_J = class_columns(reduced, k)
        return np.concatenate([features_N_K_J, biases(len(cases), k)], axis=2)

    def variances(self) -> Array:
        """variance_D: prior variance of each column's coefficient."""
        k = self.task.n_options
        n_features = self._basis_D_J.shape[1] * (1 if self.task.options_vary or k == 2 else k)
        n_biases = biases(1, k).shape[2]
        return np.concatenate([np.full(n_features, FEATURE_VARIANCE), np.full(n_biases, BIAS_VARIANCE)])

    def opinion(self, cases: Sequence[Case]) -> Array:
        """opinion_N_K: the model's own log-odds for each option, balanced over the pool, rows centred."""
        if not cases:
            return np.zeros((0, self.task.n_options))
        together_N_K = self._together(np.stack([row for _, row in self._looked_at(cases)]))
        opinion_N_K = OPINION_SCALE * (together_N_K - self._opinion_mean_K) / self._opinion_scale
        centred: Array = opinion_N_K - opinion_N_K.mean(axis=1, keepdims=True)
        return centred

    def written_for(self, cases: Sequence[Case]) -> Array:
        """loglik_N_K of each text as one that the model writes for each option; for options that are class names."""

        def compute(texts: Sequence[str]) -> NDArray[np.float32]:
            return self._model.text_logprobs(texts, self._beginnings, LONGEST).astype(np.float32)

        return self._likelihoods.vectors([f" {case.text}" for case in cases], compute).astype(np.float64)

    def arrays(self) -> dict[str, Array]:
        """What turns features into columns and opinions, for saving beside the student's heads."""
        return {
            "feature_mean": self._mean_D,
            "feature_scale": self._scale_D,
            "basis": np.ascontiguousarray(self._basis_D_J),
            "said_mean": self._said_mean_P_K,
            "said_scale": self._said_scale_P,
            "opinion_mean": self._opinion_mean_K,
            "opinion_scale": np.array([self._opinion_scale]),
        }

    def _looked_at(self, cases: Sequence[Case]) -> list[tuple[Array, Array]]:
        """For each case its features on the principal directions and what the model said; worked out once."""
        missing = {(case.text, case.options): case for case in cases if (case.text, case.options) not in self._seen}
        if missing:
            read = self._read(list(missing.values()))
            columns = self._standardised(self._features_in(read)) @ self._basis_D_J
            rows = zip(columns, self._said(read), strict=True)
            self._seen |= zip(missing, rows, strict=True)
        return [self._seen[case.text, case.options] for case in cases]

    def _read(self, cases: Sequence[Case]) -> NDArray[np.float32]:
        """read_N_P_D: hidden states after each of the P ways of asking; where options vary read_N_K_D, of the one."""
        if self.task.options_vary:
            texts = [text for case in cases for text in case_texts(self.task, case)]
            return self._cache.vectors(texts, self._model.features).reshape(len(cases), self.task.n_options, -1)
        texts = [_asked(self.task, case, "") for case in cases]
        return self._cache.vectors(texts, self._readings).reshape(len(cases), len(self._cues), -1)

    def _features_in(self, read: NDArray[np.float32]) -> NDArray[np.float32]:
        """What of :meth:`_read` is features: those after the cue."""
        return read if self.task.options_vary else read[:, 0]

    def _said(self, read: NDArray[np.float32]) -> Array:
        """said_N_P_K: the raw log-odds of the options in each way of asking."""
        if self.task.options_vary:
            words_NK_2 = self._model.read_out(read.reshape(-1, read.shape[-1]), [RIGHT, WRONG])
            said_N_1_K: Array = (words_NK_2[:, 0] - words_NK_2[:, 1]).reshape(len(read), 1, -1)
            return said_N_1_K
        words_P = [self.task.cases[0].options, *(pattern.words for pattern in self.task.patterns)]
        said_P = [self._model.read_out(read[:, p], [f" {word}" for word in words]) for p, words in enumerate(words_P)]
        return np.stack(said_P, axis=1)

    def _readings(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._model.readings(texts, self._cues).reshape(len(texts), -1)

    def _together(self, said_N_P_K: Array) -> Array:
        """together_N_K: the mean of what is said to each way of asking, all on one scale."""
        together_N_K: Array = ((said_N_P_K - self._said_mean_P_K) / self._said_scale_P[:, None]).mean(axis=1)
        return together_N_K

    def _usual(self, said: Array) -> Array:
        """The median over the first axis; 0 where options vary, since only classes are even over the pool."""
        return np.zeros(said.shape[1:]) if self.task.options_vary else np.asarray(np.median(said, axis=0))

    def features(self, cases: Sequence[Case]) -> NDArray[np.float32]:
        """features_N_D, or features_N_K_D where options vary; there is at least one case."""
        return self._features_in(self._read(cases))

    def _standardised(self, raw: NDArray[np.float32]) -> Array:
        standardised: Array = (raw.astype(np.float64) - self._mean_D) / self._scale_D
        return standardised


def _apart(opinion_N_K: Array) -> float:
    """The standard deviation of the difference between two options, over all pairs of them (root of the mean square).

    Of one pair it could be 0: names that begin with the same token are one to the model.
    """
    centred_N_K = opinion_N_K - opinion_N_K.mean(axis=1, keepdims=True)
    return float(np.sqrt(2.0 * centred_N_K.var(axis=0).sum() / (opinion_N_K.shape[1] - 1)))


def case_texts(task: Task, case: Case) -> list[str]:
    """What the student reads of a case: one text, or one an option where the options are what is judged."""
    if task.options_vary:
        prompt = load_prompt("judge_option")
        return [prompt.render(question=task.question, text=case.text, option=o) for o in case.options]
    return [_asked(task, case, _cue(task))]


def _cue(task: Task) -> str:
    return task.cue or f"\n{task.question} The {task.noun} is"


def _asked(task: Task, case: Case, cue: str) -> str:
    return load_prompt("judge").render(noun=task.noun, text=case.text, cue=cue)


def biases(n: int, k: int) -> Array:
    """columns_N_K_J that favour one option (or position) whatever the case; J = 1 for two options, else K."""
    return class_columns(np.ones((n, 1)), k)


def _principal_directions(standardised_N_D: Array) -> Array:
    """basis_D_J of the largest principal components (fewer where there are fewer cases)."""
    covariance_D_D = standardised_N_D.T @ standardised_N_D
    _, vectors_D_D = np.linalg.eigh(covariance_D_D)
    kept = min(COMPONENTS, len(standardised_N_D), vectors_D_D.shape[1])
    basis_D_J: Array = vectors_D_D[:, ::-1][:, :kept]
    # An eigenvector's sign is arbitrary; fixing it keeps logs identical across machines' libraries.
    signed: Array = basis_D_J * np.sign(basis_D_J[np.abs(basis_D_J).argmax(axis=0), np.arange(kept)])
    return signed
