"""The strong model read the other way round: for which option would it have written this text?

Asked what a text is, a model reads it and says a word. Asked to write an example of an option, it gives every text a
probability. By Bayes' rule that is an opinion too (a noisy channel: Min et al. 2022, "Noisy channel language model
prompting for few-shot text classification"), and another one: where a small model says "positive" to whatever has
praise in it, it may still find the text an unlikely example of a good review. What is read so of the pool is learned
from, as cases are that the model writes; other cases need no second reading.
"""

from __future__ import annotations

import numpy as np

from askew.agent.conditional_logit import Array
from askew.prompts.loader import load_prompt
from askew.tasks.case import Task

LONGEST = 96
"""Tokens of a text that are read: its beginning says for what it was written, and a long one would take minutes."""


def beginnings(task: Task) -> list[str]:
    """What stands before a text that is written for each option: the prompt for writing cases, without an example."""
    prompt = load_prompt("write_case")
    return [
        prompt.render(noun=task.noun, question=task.question, examples=[], option=option)
        for option in task.cases[0].options
    ]


def channel_likelihood(said_N_K: Array, opinion_N_K: Array) -> Array:
    """loglik_N_Y: what the reading says of the truth, in as many log-odds as go with it in the model's own opinion.

    A text that the model finds twice as probable for one option isn't twice as probably of it: what it finds may be too
    much or too little. The slope of its opinion on the reading says how far to follow it, and is 0 where one has
    nothing to do with the other.

    Args:
        said_N_K: log-probability of each of N texts as an example of each option.
        opinion_N_K: the model's own log-odds of the same cases, balanced over the pool.
    """
    # Some words are usual after any text: what counts is how a text differs from the others, as with the opinion.
    centred_N_K = said_N_K - said_N_K.mean(axis=1, keepdims=True)
    centred_N_K = centred_N_K - np.median(centred_N_K, axis=0)
    centred_N_K = centred_N_K - centred_N_K.mean(axis=1, keepdims=True)
    spread = float((centred_N_K**2).sum())
    slope = float((centred_N_K * opinion_N_K).sum()) / spread if spread > 0.0 else 0.0
    loglik_N_Y: Array = max(0.0, slope) * centred_N_K
    return loglik_N_Y
