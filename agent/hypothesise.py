"""Step 1: sample chains of thought that predict both what the supervisor will say and what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from askew.agent.conditional_logit import Array
from askew.agent.models.base import Completion, LanguageModel, SamplingRequest
from askew.prompts.loader import load_prompt
from askew.tasks.case import Case, Task
from askew.tasks.text import LETTERS

PROMPT, SHORT_PROMPT = "chain", "chain_short"
"""With examples, for models that only follow instructions; without, for those that were warmed up."""
MAX_TOKENS = 72
LONGEST_SUBJECT, LONGEST_CLAIM = 60, 300
"""Characters; what is longer is no step. A grammar keeps to less, a backend without one may not."""
LONGEST_TEXT = 1200
"""Characters of a case that a chain is shown; chains about longer texts see their beginning."""


@dataclass(frozen=True, slots=True)
class Step:
    """One claim: what it is about, what it says, and the option (by index) it speaks for."""

    subject: str
    claim: str
    favours: int


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain of thought about one case. ``malformed`` says why it can't be used, or is ``None``."""

    case: str
    text: str
    steps: tuple[Step, ...]
    weak_label: int | None
    true_label: int | None
    malformed: str | None
    prompt: str
    prompt_sha: str
    model_version: str

    def data(self) -> dict[str, Any]:
        """The chain as a record of the log."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Chain:
        """The chain in a record of the log."""
        steps = tuple(Step(**step) for step in data["steps"])
        return cls(**{**data, "steps": steps})


def informative_cases(truth_N_K: Array, weak_N_K: Array, n: int, rng: np.random.Generator) -> list[int]:
    """Indices of ``n`` cases worth thinking about, drawn without replacement.

    The weight of a case is how far the predicted weak label is from the predicted truth (total
    variation) plus how unsure that is (1 - its likeliest option's): where the two theories part, or neither is sure.
    """
    apart_N = 0.5 * np.abs(truth_N_K - weak_N_K).sum(axis=1)
    unsure_N = 1.0 - truth_N_K.max(axis=1)
    weight_N = apart_N + unsure_N + 1e-3
    chosen = rng.choice(len(weight_N), size=min(n, len(weight_N)), replace=False, p=weight_N / weight_N.sum())
    return [int(index) for index in chosen]


def sample_chains(
    model: LanguageModel,
    prompt_id: str,
    task: Task,
    cases: Sequence[Case],
    n: int,
    temperature: float,
    seed: int,
    heard: Callable[[Chain], None] = lambda _: None,
) -> list[Chain]:
    """``n`` chains for each case, structured by a grammar, in the order of the cases.

    ``heard`` is told every chain as soon as it is there, in whatever order they come.
    """
    prompt = load_prompt(prompt_id)
    texts = [
        prompt.render(
            noun=task.noun,
            question=task.question,
            choices=", ".join(option_names(task, case)),
            text=case.text[:LONGEST_TEXT],
            shown=_shown_options(task, case),
        )
        for case in cases
    ]
    chains_of: dict[int, list[Chain]] = {}
    # Cases whose options have the same names share one grammar, and with it one request.
    for names, members in _by_names(task, cases).items():
        request = SamplingRequest(
            prompts=tuple(texts[index] for index in members),
            n=n,
            max_tokens=MAX_TOKENS,
            temperature=temperature,
            top_p=0.95,
            grammar=chain_grammar(names),
            seed=seed,
        )

        def arrived(
            place: int,
            completions: Sequence[Completion],
            names: tuple[str, ...] = names,
            members: Sequence[int] = members,
        ) -> None:
            index = members[place]
            chains_of[index] = [read_chain(c, cases[index].id, names, prompt.id, prompt.sha) for c in completions]
            for chain in chains_of[index]:
                heard(chain)

        model.sample(request, arrived)
    return [chain for index in range(len(cases)) for chain in chains_of[index]]


def option_names(task: Task, case: Case) -> tuple[str, ...]:
    """What the options are called in a chain: class names, or letters where the options vary."""
    if task.options_vary:
        return tuple(LETTERS[: len(case.options)])
    return tuple(" ".join(option.split()) or option for option in case.options)


def chain_grammar(names: Sequence[str]) -> str:
    """A grammar (llguidance's Lark dialect) of one to three steps and the two verdicts.

    The arrow is part of the claim: a blank and a hyphen may stand in a claim too, and a lexer that never goes back
    would take them for more of it and let no claim end before its greatest length.
    """
    options = " | ".join(json.dumps(name, ensure_ascii=False) for name in names)
    return f"""start: " " step ("- " step){{0,2}} "Rater: " option "\\nTruth: " option
step: SUBJECT ": " CLAIM option "\\n"
option: {options}
SUBJECT: /[a-z][a-z' -]{{0,28}}[a-z]/
CLAIM: /[a-zA-Z][a-zA-Z0-9',. !?-]{{3,60}}[a-zA-Z.!?] -> /
"""


_REASON = re.compile(r"^-?\s*(?P<subject>[^:\n]+): (?P<claim>.+)$")


def read_chain(completion: Completion, case: str, names: Sequence[str], prompt: str, sha: str) -> Chain:
    """The chain in a completion. What doesn't parse is kept, as malformed, with the reason."""
    steps: list[Step] = []
    labels: dict[str, int | None] = {"Rater": None, "Truth": None}
    index_of = {name: index for index, name in enumerate(names)}
    malformed = None
    for line in completion.text.strip().splitlines():
        # Options may hold an arrow too: the longest that the line ends with.
        option = max((name for name in names if line.endswith(f" -> {name}")), key=len, default=None)
        found = _REASON.match(line.removesuffix(f" -> {option}")) if option is not None else None
        head, _, tail = line.partition(": ")
        if head in labels and tail in index_of:
            labels[head] = index_of[tail]
        elif found and (len(found["subject"]) > LONGEST_SUBJECT or len(found["claim"]) > LONGEST_CLAIM):
            malformed = f"a step of {len(line)} characters: {line[:80]}"
        elif found and option is not None:
            steps.append(Step(found["subject"].strip(), found["claim"].strip(), index_of[option]))
        else:
            malformed = f"unreadable line: {line[:80]}"
    if labels["Rater"] is None or labels["Truth"] is None:
        malformed = malformed or ("cut off" if not completion.finished else "no verdict")
    if not steps:
        malformed = malformed or "no steps"
    return Chain(
        case, completion.text, tuple(steps), labels["Rater"], labels["Truth"], malformed,
        prompt, sha, completion.model_version,
    )  # fmt: skip


def _shown_options(task: Task, case: Case) -> str:
    if not task.options_vary:
        return ""
    longest = 2 * LONGEST_TEXT // len(case.options)
    return "".join(f"\n{letter}: {option[:longest]}" for letter, option in zip(LETTERS, case.options, strict=False))


def _by_names(task: Task, cases: Sequence[Case]) -> dict[tuple[str, ...], list[int]]:
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, case in enumerate(cases):
        groups.setdefault(option_names(task, case), []).append(index)
    return groups
