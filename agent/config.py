"""The settings of a run: read from the command line or a TOML file, resolved once, stored as config.json."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from askew.agent.learners.recipe import Recipe
from askew.errors import InputError

CONFIG = "config.json"
"""Where a run folder keeps its settings."""

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Serving(BaseModel):
    """How vLLM serves the student; ``[vllm]`` in a TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: str | None = None
    """Interpreter of the environment that has vLLM; by default ``ASKEW_VLLM_PYTHON``, then ``.venv-vllm``."""
    server: str | None = None
    """A server that runs already: its address, or the folder of ``askew serve``."""
    tensor_parallel: Positive = 1
    data_parallel: Positive = 1
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    memory_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Share of a GPU that vLLM may take; the student's eyes and its training need the rest."""
    quantisation: str | None = None
    max_length: Positive | None = None
    """Longest prompt and continuation together, in tokens; by default what the model allows."""
    eager: bool | None = None
    """No compilation: starts sooner, decodes slower on a GPU. By default on a CPU only."""
    prefix_cache: bool = True
    cache_gb: Positive = 2
    """Key-value cache on a CPU, GiB."""
    concurrency: Positive = 128
    """Sequences asked for at the same time."""
    seeds: bool | None = None
    """Send a seed with each request. By default to GPU servers of our own: the CPU build dies of one."""
    publish: Literal["auto", "swap", "merge"] = "auto"
    """How a retrained adapter reaches the server: swapped in as it is (GPU), or merged and loaded anew (CPU)."""
    max_lora_rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = 64
    """Largest rank of an adapter that can be swapped in."""
    overlap: bool | None = None
    """Take chains in while others are written, and have the next round's written while the next student is trained. By
    default where the server has a device to itself (a GPU, or a server that is not ours)."""
    timeout: Annotated[float, Field(gt=0.0)] = 600.0
    """Seconds without an answer after which a server counts as hung."""
    start_timeout: Annotated[float, Field(gt=0.0)] = 900.0
    """Seconds a server may take to start."""


class Settings(BaseModel):
    """Everything a run depends on, besides the facts its log records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = "movie-reviews"
    supervisor: str = "model:minilm"
    student: str = "smollm2-135m"
    method: str = "scientific"
    budget: Positive = 200
    """Label budget: how many answers the weak supervisor may give."""
    labellers: Positive = 1
    """People who answer each case where the supervisor is human; the majority counts, and is one answer."""
    rounds: Positive = 5
    seed: Annotated[int, Field(ge=0)] = 0
    learner: Literal["probe", "lora", "full"] = "probe"
    """How the student learns: heads on its frozen features, adapters, or all its weights."""
    retrain_every: Positive = 2
    """With lora or full: rounds between two trainings; the last round ends with one. Between, heads learn."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """How it is finetuned, where that differs from :class:`Recipe`: r, epochs, learning_rate, …"""
    accelerate: str | None = None
    """A configuration file of accelerate, to finetune on several devices (FSDP); by default in this process."""
    backend: Literal["local", "vllm"] = "local"
    reasoner: str = "auto"
    """Who samples chains: the student with the shipped warm-up ("auto"), "prompts" alone, or an adapter's folder."""
    opinion: Literal["all", "cue"] | None = None
    """Which of the task's ways of asking make the student's own opinion: all, or the cue alone. By default all, except
    of built-in tasks: results on those are compared by the cue."""
    vllm: Serving = Serving()
    """How the student is served where the backend is vLLM."""
    pool_size: Positive | None = None
    """At most so many pool cases, for quick looks; all by default."""
    test_size: Positive | None = None
    """At most so many cases in validation and in test. A built-in task has more test cases than usual if this says so
    and its data has them, which narrows the intervals."""
    chains_first: Annotated[int, Field(ge=0)] = 48
    """Chains of thought sampled in the first round."""
    chains: Annotated[int, Field(ge=0)] = 48
    """Chains of thought sampled in each later round."""
    chains_per_case: Positive = 6
    annotated: Annotated[int, Field(ge=0)] | None = None
    """Texts of which the strong model says whether they have a subject that no attribute measures. By default 64, and
    none where it has to be warmed up before it can reason."""
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 1.0
    channel: Annotated[int, Field(ge=0)] = 1500
    """Pool cases that the strong model also reads the other way round: for which label would it have written them?"""
    written_first: Annotated[int, Field(ge=0)] = 400
    """Cases the strong model writes before it asks anything: what it knows already, in examples."""
    written: Annotated[int, Field(ge=0)] = 80
    """Cases the strong model writes each round."""
    alternatives: Annotated[int, Field(ge=0)] = 8
    """Cases written each round for the likeliest two hypotheses of the sets most in doubt."""
    proposed: Annotated[int, Field(ge=0)] = 8
    """Cases the strong model naively proposes to ask, each round: candidates like any other, kept as a control."""
    a_min: Fraction = 0.5
    """Least expected accuracy of the supervisor on a case, unless the experiment is about the mistake."""
    tau: Annotated[float, Field(ge=0.0)] = 0.0
    """Stop early when the best candidate's information gain about the truth is below this (nats, for one label)."""
    stop_when_resolved: bool = False
    """Stop early when there are hypothesis sets that matter and all of them are resolved."""
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """A hypothesis set is resolved when its e-process passes 1/alpha."""

    @field_validator("finetune")
    @classmethod
    def _is_a_recipe(cls, given: dict[str, Any]) -> dict[str, Any]:
        Recipe(**given)
        return given


def read_settings(file: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """Settings from a TOML file (or the defaults), with the given options on top.

    Raises ``InputError`` naming the option, its value and what was expected.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"no configuration file {file}: expected a TOML file with run settings.") from None
        except OSError as error:
            raise InputError(f"can't read {file}: {error.strerror}; expected a TOML file with run settings.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is not valid TOML: {error}.") from error
    for name, value in overrides.items():
        if isinstance(value, Mapping):  # a table: what is given there stands beside what the file has
            given = {inner: one for inner, one in value.items() if one is not None}
            beside = values.get(name, {})
            if given and not isinstance(beside, Mapping):
                raise InputError(f"unusable settings: {name} = {beside!r}: expected a table. See 'askew run --help'.")
            if given:
                values[name] = {**beside, **given}
        elif value is not None:
            values[name] = value
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])} = {item['input']!r}: {item['msg']}"
            for item in error.errors()
        )
        raise InputError(f"unusable settings: {problems}. See 'askew run --help'.") from None
