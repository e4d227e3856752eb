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


class Settings(BaseModel):
    """Everything a run depends on, besides the facts its log records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = "movie-reviews"
    supervisor: str = "model:minilm"
    student: str = "smollm2-135m"
    method: str = "scientific"
    budget: Positive = 200
    """Label budget: how many answers the weak supervisor may give."""
    rounds: Positive = 5
    seed: Annotated[int, Field(ge=0)] = 0
    learner: Literal["probe", "lora", "full"] = "probe"
    """How the student learns: heads on its frozen features, adapters, or all its weights."""
    retrain_every: Positive = 5
    """With lora or full: rounds between two trainings; the last round ends with one. Between, heads learn."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """How it is finetuned, where that differs from :class:`Recipe`: r, epochs, learning_rate, …"""
    accelerate: str | None = None
    """A configuration file of accelerate, to finetune on several devices (FSDP); by default in this process."""
    backend: Literal["local", "vllm"] = "local"
    reasoner: str = "auto"
    """Who samples chains: the student with the shipped warm-up ("auto"), "prompts" alone, or an adapter's folder."""
    pool_size: Positive | None = None
    """At most so many pool cases, for quick looks; all by default."""
    test_size: Positive | None = None
    """At most so many cases in validation and in test."""
    chains_first: Annotated[int, Field(ge=0)] = 48
    """Chains of thought sampled in the first round."""
    chains: Annotated[int, Field(ge=0)] = 48
    """Chains of thought sampled in each later round."""
    chains_per_case: Positive = 6
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 1.0
    written_first: Annotated[int, Field(ge=0)] = 800
    """Cases the strong model writes before it asks anything: what it knows already, in examples."""
    written: Annotated[int, Field(ge=0)] = 80
    """Cases the strong model writes each round."""
    proposed: Annotated[int, Field(ge=0)] = 8
    """Cases the strong model naively proposes to ask, each round: candidates like any other, kept as a control."""
    a_min: Fraction = 0.5
    """Least expected accuracy of the supervisor on a case, unless the experiment is about the mistake."""
    tau: Annotated[float, Field(ge=0.0)] = 0.0
    """Stop early when the best candidate's information gain per unit of cost is below this (nats)."""
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
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is not valid TOML: {error}.") from error
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])} = {item['input']!r}: {item['msg']}"
            for item in error.errors()
        )
        raise InputError(f"unusable settings: {problems}. See 'askew run --help'.") from None
