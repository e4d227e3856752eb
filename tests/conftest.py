"""Shared fixtures: a small task, a scripted strong model, an embedder without weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from askew.agent.config import Settings
from askew.agent.journal import Event, Journal, read_events
from askew.agent.lab import Lab
from askew.agent.loop import scientific
from askew.agent.models.base import Completion, Heard, SamplingRequest, unheard
from askew.agent.representation import Representation
from askew.tasks.case import Task
from askew.tasks.load import load_task

WORDS = ("plot", "actors", "music", "ending", "pace", "script", "camera", "story", "humour", "scenes")
GOOD = ("lovely", "warm", "brilliant", "touching", "clever")
BAD = ("dull", "clumsy", "tedious", "hollow", "loud")


def bag(text: str, width: int = 64) -> NDArray[np.float32]:
    """A hashed bag of words: what a text's features are in tests that need no weights."""
    vector = np.zeros(width, dtype=np.float32)
    for word in text.lower().replace('"', " ").replace(".", " ").replace(":", " ").split():
        vector[int(hashlib.sha256(word.encode()).hexdigest(), 16) % width] += 1.0
    return vector


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Normalised bags of words."""
    vectors = np.stack([bag(text) for text in texts]) if texts else np.zeros((0, 64), dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


@dataclass
class ScriptedModel:
    """A strong model whose every word is a function of its prompt and seed. It drives the real loop."""

    name: str = "scripted"
    fingerprint: str = "scripted"
    version: str = "scripted@0"
    samples: int = 0
    answers_aside: bool = False

    def sample(self, request: SamplingRequest, heard: Heard = unheard) -> list[list[Completion]]:
        """Chains where a grammar is given, reviews otherwise."""
        completions = [[self._one(prompt, index, request) for index in range(request.n)] for prompt in request.prompts]
        for index in reversed(range(len(completions))):
            heard(index, completions[index])
        return completions

    def _one(self, prompt: str, index: int, request: SamplingRequest) -> Completion:
        self.samples += 1
        digest = hashlib.sha256(f"{prompt}/{index}/{request.seed}".encode()).digest()
        if request.grammar is None:
            words = GOOD if prompt.rstrip().endswith("positive\nReview:") else BAD
            text = f" The {WORDS[digest[0] % 10]} and the {WORDS[digest[1] % 10]} are {words[digest[2] % 5]}."
        elif digest[0] % 10 == 0:
            text = "something that is no chain"
        else:
            options = ("negative", "positive")
            first, rater, truth = (options[digest[i] % 2] for i in (1, 2, 3))
            subject = ("exclamation marks", "length", "praise")[digest[4] % 3]
            text = f" {subject}: it matters here -> {first}\nRater: {rater}\nTruth: {truth}"
        return Completion(text, 8, True, self.version)

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Every option is as likely as any other."""
        return np.full((len(prompts), len(options[0])), -1.0)

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Bags of words."""
        return np.stack([bag(text) for text in texts])

    def readings(self, texts: Sequence[str], endings: Sequence[str]) -> NDArray[np.float32]:
        """The features of every text with every ending."""
        return np.stack([self.features([text + ending for text in texts]) for ending in endings], axis=1)

    def text_logprobs(self, texts: Sequence[str], beginnings: Sequence[str], longest: int) -> NDArray[np.float64]:
        """It writes any text for any option."""
        return np.full((len(texts), len(beginnings)), -1.0)

    def read_out(self, features_N_D: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float64]:
        """A faint opinion from the words it knows."""
        good = sum(features_N_D @ bag(word) for word in GOOD) - sum(features_N_D @ bag(word) for word in BAD)
        signs = np.linspace(-0.5, 0.5, len(words))
        return np.asarray(good)[:, None] * signs[None]

    def publish(self, weights: Path) -> str:
        """Another version of the same words."""
        self.version = f"scripted@{weights.name}"
        return self.version

    def withdraw(self) -> None:
        """The first version again."""
        self.version = "scripted@0"

    def close(self) -> None:
        """Nothing to free."""


def run_loop(
    settings: Settings,
    supervisor: object,
    folder: Path,
    model: ScriptedModel | None = None,
    task: Task | None = None,
    cache: Path | None = None,
) -> list[Event]:
    """The real loop with everything else scripted: its log in ``folder``, where it resumes if there is one already."""
    model, task = model or ScriptedModel(), task or load_task(settings.task, settings.seed).task
    with Journal(folder) as journal:
        scientific(
            Lab(
                settings=settings, task=task, supervisor=supervisor, model=model,  # type: ignore[arg-type]
                representation=Representation(task, model, cache or folder.parent / "cache"),
                embed=embed, journal=journal, folder=folder,
            )
        )  # fmt: skip
    return list(read_events(folder))


@pytest.fixture
def scripted() -> ScriptedModel:
    return ScriptedModel()


def rows(n: int = 160, seed: int = 0) -> list[dict[str, object]]:
    """Cases of a small review task in the file format, with a recorded, systematically wrong rater."""
    rng = np.random.default_rng(seed)
    made: list[dict[str, object]] = []
    for index in range(n):
        gold = index % 2
        word = str(rng.choice(GOOD if gold else BAD))
        first, second = rng.choice(WORDS, size=2, replace=False)
        loud = bool(rng.random() < 0.5)
        text = f"Number {index}: the {first} and the {second} are {word}{'!!!' if loud else '.'}"
        split = ("weak", "pool", "pool", "pool", "validation", "test", "test", "pool")[index // 2 % 8]
        wrong = loud and rng.random() < 0.8
        made.append(
            {
                "id": f"c{index}", "text": text, "options": ["negative", "positive"], "gold": gold, "split": split,
                "weak": {"loud-lover": 1 if wrong else gold},
            }
        )  # fmt: skip
    return made


@pytest.fixture
def cases_file(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as JSON lines and return the file."""

    def write(made: list[dict[str, object]] | None = None, name: str = "cases.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in (made or rows())), encoding="utf-8")
        (tmp_path / "cases.toml").write_text(
            'question = "Is this review positive or negative?"\nnoun = "review"\n', encoding="utf-8"
        )
        return path

    return write
