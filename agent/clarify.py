"""Asking a person about the supervisor itself: does a subject matter, or does it only sway people?

Labels alone rarely tell what is better from what is merely liked. A person can say which, in words. The answer is an
experiment like any other: it costs one label, it is recorded before it is used, and it moves the belief by a
likelihood of its own, since people know themselves only so well.
"""

from __future__ import annotations

from askew.agent.belief import CLARIFIED
from askew.agent.hypotheses import HypothesisSet, Kind
from askew.agent.journal import Data
from askew.agent.lab import Lab
from askew.agent.notebook import Notebook
from askew.agent.supervisors.base import Clarifies, whole_number
from askew.errors import RunError, SupervisorError

MATTERS = 0.5
"""Least probability that a subject matters at all, for it to be asked about."""
UNDECIDED = 0.1
"""Least probability of each of the two ways in which it may matter."""


def clarify(lab: Lab, notebook: Notebook) -> None:
    """Ask about the set on which better and liked are most evenly matched, if there is one and anyone to ask."""
    supervisor = lab.supervisor
    left = lab.settings.budget - lab.labels_used
    # A question may not take the last label: a round without a case would end the run.
    if not isinstance(supervisor, Clarifies) or left < 2 or not notebook.answered():
        return
    open_sets = [s for s in notebook.sets if s.id in notebook.beliefs and s.id not in notebook.told]
    matched = {s.id: _matched(notebook, s) for s in open_sets}
    asked = max(open_sets, key=lambda s: matched[s.id], default=None)
    if asked is None or matched[asked.id] < UNDECIDED:
        return
    question = question_about(lab, asked)
    options = ["it matters for what is right", "it only sways people", "neither"]

    def answer() -> Data:
        try:
            choice, words = supervisor.clarify(f"clarify-{lab.settings.method}-{asked.id}", question, options)
        except RunError:
            raise
        except Exception as error:
            raise SupervisorError(f"the supervisor raised {type(error).__name__} at a question: {error}") from error
        number = None if choice is None else whole_number(choice)
        if choice is not None and (number is None or not 0 <= number < len(CLARIFIED)):
            raise SupervisorError(
                f"the supervisor answered {choice!r} to a question: expected 0 to {len(CLARIFIED) - 1}, or None."
            )
        return {
            "set": asked.id, "question": question, "options": options, "answer": number, "words": str(words or ""),
            "labels_used": lab.labels_used + 1,
        }  # fmt: skip

    told = lab.journal.fact("clarification", answer)
    lab.labels_used = told["labels_used"]
    notebook.told[asked.id] = told["answer"]
    if told["answer"] is not None:
        notebook.update_beliefs()


def question_about(lab: Lab, asked: HypothesisSet) -> str:
    """The question, in words that give no prediction away."""
    if lab.task.options_vary:
        return f"When one option has more '{asked.subject}' than the other: does that make it the better one?"
    return f"When a {lab.task.noun} has more '{asked.subject}': does that change what the right answer is?"


def _matched(notebook: Notebook, asked: HypothesisSet) -> float:
    """How evenly the two ways of mattering are matched; 0 where the subject hardly matters."""
    belief = notebook.beliefs[asked.id]
    better, liked = (belief.probability(kind, asked) for kind in (Kind.BETTER, Kind.LIKED))
    return min(better, liked) if better + liked >= MATTERS else 0.0
