"""A training run as a folder, so that other processes can do it: ``accelerate launch -m askew.agent.learners.job JOB``.

``job.json`` says what is trained and how, ``examples.jsonl`` and ``validation.jsonl`` on what; ``trained/`` is what
comes of it. ``accelerate`` brings the devices: one, several with copies (DDP), or several with shares (FSDP); every
process runs this same code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from askew.agent.learners.examples import Example, Passage
from askew.agent.learners.finetune import Learner, finetune_labels, finetune_texts
from askew.agent.learners.recipe import Recipe
from askew.errors import InputError, RunError

JOB, EXAMPLES, VALIDATION, TRAINED = "job.json", "examples.jsonl", "validation.jsonl", "trained"
TOLD = 2_000
"""Characters of a failed process's last words that are passed on."""


class Job(BaseModel):
    """What is trained, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Path
    name: str = ""
    learns: Literal["labels", "texts"] = "labels"
    words: tuple[str, ...] = ()
    recipe: Recipe = Recipe()


def write_job(
    folder: Path, job: Job, data: Sequence[Example] | Sequence[Passage], validation: Sequence[Example] = ()
) -> Path:
    """Write a job's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOB).write_text(job.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for name, items in ((EXAMPLES, data), (VALIDATION, validation)):
        lines = (json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in items)
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return folder


def run_job(folder: Path) -> Path | None:
    """Train in this process, as one of those that ``accelerate`` started; the trained folder, from the first of them.

    Raises ``InputError`` when the folder holds no job.
    """
    from accelerate import PartialState

    try:
        job = Job.model_validate_json((folder / JOB).read_text(encoding="utf-8"))
        learner = _learn(folder, job)
    except (OSError, ValidationError) as error:
        raise InputError(f"{folder} holds no training job: {error}. 'write_job' makes one.") from error
    if PartialState().is_main_process:
        learner.save(folder / TRAINED)
    PartialState().wait_for_everyone()
    return folder / TRAINED if PartialState().is_main_process else None


def check_configuration(config: Path) -> None:
    """Raise ``InputError`` where there is no file that accelerate could be configured by."""
    if not config.is_file():
        raise InputError(f"no accelerate configuration {config}: expected the file that 'accelerate config' writes.")


def launch(folder: Path, config: Path | None, options: Sequence[str] = ()) -> Path:
    """Train a job's folder on the devices of an ``accelerate`` configuration file; the trained folder.

    Raises ``RunError`` with the last words of the process when it fails.
    """
    command = [sys.executable, "-m", "accelerate.commands.launch", *options]
    if config is not None:
        check_configuration(config)
        command += ["--config_file", str(config)]
    command += ["-m", "askew.agent.learners.job", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode:
        raise RunError(f"training on several devices failed (exit {done.returncode}):\n{done.stderr.strip()[-TOLD:]}")
    return folder / TRAINED


def _learn(folder: Path, job: Job) -> Learner:
    lines = (folder / EXAMPLES).read_bytes().splitlines()
    if job.learns == "texts":
        passage = TypeAdapter(Passage)
        return finetune_texts(job.base, [passage.validate_json(line) for line in lines], job.recipe, name=job.name)
    example = TypeAdapter(Example)
    held_out = [example.validate_json(line) for line in (folder / VALIDATION).read_bytes().splitlines()]
    return finetune_labels(
        job.base,
        [example.validate_json(line) for line in lines],
        job.words,
        job.recipe,
        validation=held_out,
        name=job.name,
    )


if __name__ == "__main__":
    run_job(Path(sys.argv[1]))
