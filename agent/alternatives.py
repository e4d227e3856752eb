"""Cases that the strong model writes to tell two alternatives of a hypothesis set apart.

The two are the set's likeliest, "none of these" among them. The model is told the subject and shown short pool cases in
which the two expect the most different answers; it writes more of that kind, with the truth for which they differ most.
What it wrote is a candidate like any other: the supervisor is asked only where it is worth more than what else is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from askew.agent.belief import SetBelief
from askew.agent.conditional_logit import Array
from askew.agent.design import Candidate
from askew.agent.hypotheses import HypothesisSet
from askew.agent.infogain import eig
from askew.agent.journal import Data
from askew.agent.lab import Lab, case_data, case_from
from askew.agent.notebook import Notebook
from askew.agent.write import EXAMPLES_PER_OPTION, LONGEST, continued_cases, key, short_enough, usable
from askew.prompts.loader import load_prompt
from askew.seeds import stream
from askew.tasks.case import Case, Split, Task

SETS = 4
"""Sets that cases are written for in a round: those most in doubt."""


@dataclass(frozen=True)
class Pair:
    """Two alternatives, the label of a case that tells them apart best, and pool cases that do, for each option."""

    set_id: str
    subject: str
    hypotheses: tuple[str, str]
    intended: int
    shown: tuple[tuple[int, ...], ...]
    """Indices into the pool, for each option: the most telling cases of which it is believed to be right."""


def pair_of(
    hypothesis_set: HypothesisSet, belief: SetBelief, q_H_N_K: Array, truth_N: NDArray[np.int64], short: Sequence[int]
) -> Pair | None:
    """The two likeliest hypotheses of a set and what tells them apart; ``None`` where no pool case does.

    Args:
        hypothesis_set: the set.
        belief: its posterior.
        q_H_N_K: the answers that each hypothesis expects to the pool's cases, ``h0`` last.
        truth_N: the options believed to be right.
        short: indices of the cases that may be shown.
    """
    first, second = (int(h) for h in np.argsort(-belief.p_H, kind="stable")[:2])
    tells_N = eig(np.full(2, 0.5), q_H_N_K[[first, second]])
    shown, telling = [], []
    for option in range(q_H_N_K.shape[2]):
        best = sorted((n for n in short if truth_N[n] == option), key=lambda n: -tells_N[n])[:EXAMPLES_PER_OPTION]
        shown.append(tuple(best))
        telling.append(float(tells_N[best].mean()) if best else 0.0)
    if max(telling) <= 0.0 or not all(shown):
        return None
    names = (belief.names[first], belief.names[second])
    return Pair(hypothesis_set.id, hypothesis_set.subject, names, int(np.argmax(telling)), tuple(shown))


def pairs_in_doubt(notebook: Notebook, pool: Sequence[Case]) -> list[Pair]:
    """The pairs of the sets most in doubt, most first."""
    short, unsure = short_enough(pool, range(len(pool))), notebook.in_doubt()[:SETS]
    truth_N = notebook.unasked_truth(pool).argmax(axis=1)
    predicted = notebook.set_predictions(pool, unsure)
    pairs = (pair_of(one, notebook.beliefs[one.id], predicted[one.id][0], truth_N, short) for one in unsure)
    return [pair for pair in pairs if pair is not None]


def prompt_for(task: Task, pair: Pair) -> str:
    """What the model continues with a case that tells the pair apart: the most telling examples stand last."""
    pool, options = task.split(Split.POOL), task.cases[0].options
    rows = zip(*(reversed(indices) for indices in pair.shown), strict=False)
    examples = [
        {"option": options[option], "text": pool[index].text[: 2 * LONGEST]}
        for row in rows
        for option, index in enumerate(row)
    ]
    return load_prompt("write_alternatives").render(
        noun=task.noun,
        question=task.question,
        examples=examples,
        option=options[pair.intended],
        subject=pair.subject,
    )


def alternatives(lab: Lab, notebook: Notebook, seen: set[str]) -> list[Candidate]:
    """Cases written for pairs of alternatives, as many for each, as a recorded fact; none where options vary.

    ``seen`` holds the normalised texts that exist already; the new ones are added.
    """
    task, n = lab.task, lab.settings.alternatives
    if task.options_vary or n == 0:
        return []

    def compute() -> Data:
        pairs = pairs_in_doubt(notebook, task.split(Split.POOL))[:n]
        rng = stream(lab.settings.seed, "alternatives", lab.journal.round)
        with lab.stage("write"):
            prompts = [prompt_for(task, pair) for pair in pairs]
            each = -(-n // max(1, len(pairs)))
            options = task.cases[0].options
            written = continued_cases(lab.model, prompts, each, options, rng) if prompts else []
        return {
            "cases": [
                {
                    **case_data(case), "intended": pair.intended, "set": pair.set_id,
                    "alternatives": list(pair.hypotheses),
                }
                for pair, cases in zip(pairs, written, strict=True)
                for case in cases
                if usable(task, case, seen)
            ]
        }  # fmt: skip

    recorded = lab.journal.fact("written", compute)["cases"]
    made = [
        Candidate(case_from(data, Split.WRITTEN), "written", intended=data["intended"], about=(data["set"],))
        for data in recorded
    ]
    seen.update(key(candidate.case) for candidate in made)
    return made
