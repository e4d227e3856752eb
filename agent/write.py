"""Cases the strong model makes: short ones it writes for a label, and minimal edits of cases it has.

A written case carries the label it was *meant* to have: evidence about the truth, weighed by the theory,
never the truth itself. A minimal edit raises how much there is of one attribute, changes little else and keeps the
truth, so the pair shows what the attribute does to the supervisor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from askew.agent.conditional_logit import Array
from askew.agent.conditions import parts_of
from askew.agent.hypotheses import Grounding
from askew.agent.journal import Data
from askew.agent.lab import Lab, case_data, case_from
from askew.agent.models.base import LanguageModel, SamplingRequest
from askew.prompts.loader import load_prompt
from askew.tasks.case import Case, Split, Task
from askew.tasks.minimal_edits import edited, edited_at, more_of, turned

EXAMPLES_PER_OPTION = 4
SHORTEST, LONGEST = 25, 160
"""Length in characters of the pool cases that are shown as examples."""
MAX_TOKENS = 36
TEMPERATURE = 0.9
CONTINUATIONS = 4
"""Cases sampled from one prompt."""
COMBINED = (16, 4)
"""Attributes that one combined edit raises in one place, for one parent after the other: many tell of much, and few
change little else, length above all."""
SUREST = 0.15
"""Share of the pool from which examples are drawn: the cases the student is surest of."""


@dataclass(frozen=True, slots=True)
class Written:
    """A case that isn't the task's. ``intended`` for written cases, ``parent`` for edited ones."""

    case: Case
    intended: int | None = None
    parent: str | None = None


def write_cases(
    model: LanguageModel, task: Task, truth_N_K: Array, n: int, rng: np.random.Generator, seen: set[str]
) -> list[Written]:
    """About ``n`` short cases, as many for each option, shown pool cases the student is sure of.

    Args:
        model: the strong model.
        task: its options are class names; where options vary nothing is written (edits are used there).
        truth_N_K: the student's predictions on the pool.
        n: how many to sample; what is unfinished, refused by the task or a repeat is left out.
        rng: draws the examples and the sampling seeds.
        seen: normalised texts that exist already; the new ones are added.
    """
    if task.options_vary or n == 0:
        return []
    prompt = load_prompt("write_case")
    options = task.cases[0].options
    prompts, intended_of = [], []
    # Few continuations of many prompts: what a small model writes varies with the examples it is shown.
    for _ in range(-(-n // (len(options) * CONTINUATIONS))):
        examples = _examples(task, truth_N_K, rng)
        for intended, option in enumerate(options):
            prompts.append(prompt.render(noun=task.noun, question=task.question, examples=examples, option=option))
            intended_of.append(intended)
    continued = continued_cases(model, prompts, CONTINUATIONS, options, rng)
    return [
        Written(case, intended=intended)
        for intended, cases in zip(intended_of, continued, strict=True)
        for case in cases
        if usable(task, case, seen)
    ]


def written_cases(
    lab: Lab, truth: Callable[[], Array], n: int, rng: np.random.Generator, seen: set[str]
) -> list[Written]:
    """:func:`write_cases` as a recorded fact. ``truth`` gives truth_N_K of the pool, where anything is sampled."""

    def compute() -> Data:
        with lab.stage("write"):
            cases = write_cases(lab.model, lab.task, truth(), n, rng, seen)
        return {"cases": [{**case_data(w.case), "intended": w.intended} for w in cases]}

    recorded = lab.journal.fact("written", compute)["cases"]
    written = [Written(case_from(data, Split.WRITTEN), intended=data["intended"]) for data in recorded]
    seen.update(key(w.case) for w in written)
    return written


def proposed_cases(lab: Lab, n: int, rng: np.random.Generator, seen: set[str]) -> list[Case]:
    """The strong model's own, naive proposals of what to ask, as a recorded fact: a control for design."""
    task = lab.task
    pool = task.split(Split.POOL)
    short = [pool[i] for i in short_enough(pool, range(len(pool)))]

    def compute() -> Data:
        prompt = load_prompt("propose_case")
        shown = [short[int(i)].text[: 2 * LONGEST] for i in rng.permutation(len(short))[:EXAMPLES_PER_OPTION]]
        rendered = prompt.render(noun=task.noun, question=task.question, examples=shown)
        with lab.stage("propose"):
            (cases,) = continued_cases(lab.model, [rendered], n, task.cases[0].options, rng)
        return {"cases": [case_data(case) for case in cases if usable(task, case, seen)]}

    if task.options_vary or n == 0:
        return []
    proposed = [case_from(data, Split.WRITTEN) for data in lab.journal.fact("proposed", compute)["cases"]]
    seen.update(map(key, proposed))
    return proposed


def edits_for(task: Task, grounding: Grounding, parents: Sequence[Case], seen: set[str]) -> list[Written]:
    """Minimal edits of ``parents`` that raise one attribute, where the attribute knows such an edit.

    Of options that vary also those that turn round which has more of it. There are none where an edit may change the
    truth.
    """
    if grounding.concept or not task.edits_keep_truth:
        return []
    made = []
    measure = parts_of(grounding).subject
    for parent in parents:
        changes = edited(measure, parent, task.options_vary)
        changes += turned(measure, parent) if task.options_vary else []
        for index, (text, options) in enumerate(changes):
            case = Case(_edit_id(parent, measure, index), text, options, Split.WRITTEN)
            if usable(task, case, seen):
                made.append(Written(case, parent=parent.id))
    return made


def combined_edits(
    task: Task, groundings: Sequence[Grounding], parents: Sequence[Case], rng: np.random.Generator, seen: set[str]
) -> list[tuple[Written, list[str]]]:
    """Edits of ``parents`` that raise several attributes at once, each with the measures that it raises.

    One answer bears on all of them: of many subjects, few of which matter, that tells most (group testing: Dorfman
    1943, "The detection of defective members of large populations"). Groups are drawn anew for every parent, so that
    no two subjects always go together.
    """
    if not task.edits_keep_truth:
        return []
    measures = list(dict.fromkeys(parts_of(grounding).subject for grounding in groundings if not grounding.concept))
    made = []
    for parent, size in zip(parents, cycle(COMBINED)):
        order = [measures[int(i)] for i in rng.permutation(len(measures))]
        waiting = [name for name in order if edited(name, parent, task.options_vary)]
        # Two answers get something each, or a longer one would be all that there is to choose by.
        n_places = 2 if task.options_vary else 1
        for first in range(0, len(waiting), size * n_places):
            group, places = waiting[first : first + size * n_places], rng.permutation(task.n_options)[:n_places]
            case, raised = _combined(task, parent, [(name, int(p)) for name, p in zip(group, cycle(places))])
            if len(raised) > 1 and usable(task, case, seen):
                made.append((Written(case, parent=parent.id), raised))
    return made


def _combined(task: Task, parent: Case, wanted: Sequence[tuple[str, int]]) -> tuple[Case, list[str]]:
    """Edits, one after the other, each of a measure for an option, and the measures of which there is more then."""
    vary, case = task.options_vary, parent
    for name, place in wanted:
        if (changed := edited_at(name, case, place, vary)) is not None:
            case = Case(parent.id, *changed, Split.WRITTEN)
    raised = [name for name, place in wanted if more_of(name, case, parent, place, vary)]
    called = hashlib.sha256(" + ".join(raised).encode()).hexdigest()[:10]
    return Case(_edit_id(parent, called, wanted[0][1]), case.text, case.options, Split.WRITTEN), raised


def _edit_id(parent: Case, measure: str, index: int) -> str:
    return f"{parent.id}~{measure}~{index}"


def parent_of(edit_id: str) -> str:
    """The id of the case that an edit was made of."""
    return edit_id.rsplit("~", 2)[0]


def key(case: Case) -> str:
    """What makes two cases the same for the purpose of asking."""
    return " ".join([case.text, *case.options]).casefold()


def continued_cases(
    model: LanguageModel, prompts: Sequence[str], n: int, options: tuple[str, ...], rng: np.random.Generator
) -> list[list[Case]]:
    """The cases that the model writes after each prompt, one a line; what it didn't finish is left out."""
    request = SamplingRequest(
        prompts=tuple(prompts),
        n=n,
        max_tokens=MAX_TOKENS,
        temperature=TEMPERATURE,
        top_p=0.95,
        stop=("\n",),
        seed=int(rng.integers(2**31)),
    )
    return [
        [_case(completion.text.strip().strip('"'), options) for completion in completions if completion.finished]
        for completions in model.sample(request)
    ]


def _case(text: str, options: tuple[str, ...]) -> Case:
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return Case(f"written-{digest}", text, options, Split.WRITTEN)


def usable(task: Task, case: Case, seen: set[str]) -> bool:
    """Whether the task takes the case and it is new; ``seen``, the normalised texts that exist already, has it then."""
    if task.validator(case) is not None or key(case) in seen:
        return False
    seen.add(key(case))
    return True


def short_enough(pool: Sequence[Case], among: Sequence[int]) -> list[int]:
    """Indices of the cases, of those ``among`` the pool, that are short enough to be examples; all where none is."""
    return [i for i in among if SHORTEST <= len(pool[i].text) <= LONGEST] or list(among)


def _examples(task: Task, truth_N_K: Array, rng: np.random.Generator) -> list[dict[str, str]]:
    """For each option a few short pool cases that the student is surest of, in mixed order."""
    pool = task.split(Split.POOL)
    options = task.cases[0].options
    examples = []
    for option, name in enumerate(options):
        ranked = np.argsort(-truth_N_K[:, option])[: max(EXAMPLES_PER_OPTION, int(SUREST * len(pool)))]
        short = short_enough(pool, [int(i) for i in ranked])
        chosen = rng.choice(short, size=min(EXAMPLES_PER_OPTION, len(short)), replace=False)
        examples += [{"option": name, "text": pool[int(i)].text[: 2 * LONGEST]} for i in chosen]
    return [examples[int(i)] for i in rng.permutation(len(examples))]
