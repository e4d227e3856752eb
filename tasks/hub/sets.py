"""The public sets, ready: 22 classification sets of the weak-to-strong paper and two of its open reimplementation.

Names, splits and the kind of conversion follow Burns et al. 2023, "Weak-to-strong generalization", appendix A, and its
open reimplementations; the wording is ours. One departure is on purpose: an answer is always given in its words, also
for OpenBookQA, where showing the right answer by its letter and wrong ones by their words gives the label away.

A row as it is on the hub stands with each set in ``tests/contract/hub_rows.py``.
"""

from __future__ import annotations

from typing import Any

from askew.tasks.hub.definition import Definition, Record

RIGHT_ANSWER = "Is the answer at the end right?"
BY_READING = "Is that the right answer, going by the passage?"
NEGATIVE_POSITIVE = ("negative", "positive")
NONE_OF_THESE = "None of the above choices"


def _columns(*names: str) -> Any:
    """Answers that stand in columns of their own."""
    return lambda row: [row[name] for name in names]


def _keyed(row: Record) -> int:
    """The place of ``answerKey`` among the labels of ``choices``."""
    return list(row["choices"]["label"]).index(row["answerKey"])


def _cosmos(row: Record) -> int | None:
    """The right answer, unless that is that none of them is."""
    right = int(row["label"])
    return None if NONE_OF_THESE in row[f"answer{right}"] else right


def _cosmos_answers(row: Record) -> list[str]:
    """The answers; that none of them is right is no answer where it is the right one."""
    answers = [row[f"answer{place}"] for place in range(4)]
    return answers if _cosmos(row) is not None else [answer for answer in answers if NONE_OF_THESE not in answer]


SETS: dict[str, Definition] = {
    "boolq": Definition(
        "google/boolq", "Is the answer to this question yes?", "{passage}\nQuestion: {question}?", label="answer",
        group="passage", noun="passage and question",
    ),
    "cosmos-qa": Definition(
        "allenai/cosmos_qa", RIGHT_ANSWER, "{context}\nQuestion: {question}\nAnswer: {answer}",
        answers=_cosmos_answers, right=_cosmos, group="context", noun="passage",
    ),
    "dream": Definition(
        "dataset-org/dream", RIGHT_ANSWER, "{dialogue}\nQuestion: {question}\nAnswer: {answer}", answers="choice",
        right=lambda row: list(row["choice"]).index(row["answer"]), test="test", group="dialogue_id", noun="dialogue",
    ),
    "ethics-justice": Definition(
        "hendrycks/ethics", "Is this just and reasonable?", "{scenario}", label="label", config="justice", test="test",
        noun="statement",
    ),
    "ethics-deontology": Definition(
        "hendrycks/ethics", "Is this a reasonable excuse or duty?", "{scenario}\n{excuse}", label="label",
        config="deontology", test="test", group="scenario", noun="exchange",
    ),
    "ethics-virtue": Definition(
        "hendrycks/ethics", "Does the trait after [SEP] fit the person?", "{scenario}", label="label", config="virtue",
        test="test", noun="scenario", editable=False,
    ),
    "ethics-utilitarianism": Definition(
        "hendrycks/ethics", "Is the first of the two more pleasant than the second?", "{answer}",
        answers=lambda row: [f"First: {first}\nSecond: {second}" for first, second in (
            (row["baseline"], row["less_pleasant"]), (row["less_pleasant"], row["baseline"]))],
        right=lambda row: 0, config="utilitarianism", test="test", noun="pair of events",
    ),
    "anli-r2": Definition(
        "facebook/anli", "Does the hypothesis follow from the premise?", "Premise: {premise}\nHypothesis: {hypothesis}",
        label=lambda row: row["label"] == 0, train="train_r2", test="test_r2", group="premise", noun="pair of texts",
        editable=False,
    ),
    "cola": Definition(
        "nyu-mll/glue", "Is this sentence good grammatical English?", "{sentence}", label="label", config="cola",
        noun="sentence", editable=False,
    ),
    "sst2": Definition(
        "nyu-mll/glue", "Is this movie review positive or negative?", "{sentence}", label="label", config="sst2",
        options=NEGATIVE_POSITIVE, noun="review", cue=" The sentiment of this review is",
    ),
    "hellaswag": Definition(
        "Rowan/hellaswag", "Does the last sentence go on as is most likely?", "{ctx}\nIt goes on: {answer}",
        answers="endings", right="label", noun="scene",
    ),
    "mc-taco": Definition(  # its test split is the larger one
        "CogComp/mc_taco", "Is that answer likely?", "{sentence}\nQuestion: {question}\nAnswer: {answer}",
        label="label", train="test", group="sentence", noun="passage",
    ),
    "openbookqa": Definition(
        "allenai/openbookqa", RIGHT_ANSWER, "{question_stem}\nAnswer: {answer}",
        answers=lambda row: row["choices"]["text"], right=_keyed, config="main", test="test", noun="question",
    ),
    "paws": Definition(
        "google-research-datasets/paws", "Do the two sentences mean the same?", "1: {sentence1}\n2: {sentence2}",
        label="label", config="labeled_final", test="test", noun="pair of sentences", editable=False,
    ),
    "quail": Definition(
        "textmachinelab/quail", BY_READING, "{context}\nQuestion: {question}\nAnswer: {answer}", answers="answers",
        right="correct_answer_id", group="context", noun="passage",
    ),
    "piqa": Definition(
        "ybisk/piqa", "Is that the way to do it?", "{goal}\nAnswer: {answer}", answers=_columns("sol1", "sol2"),
        right="label", noun="goal",
    ),
    "quartz": Definition(
        "allenai/quartz", BY_READING, "{para}\nQuestion: {question}\nAnswer: {answer}",
        answers=lambda row: row["choices"]["text"], right=_keyed, test="test", group="para", noun="passage",
    ),
    "sciq": Definition(
        "allenai/sciq", RIGHT_ANSWER, "{question}\nAnswer: {answer}",
        answers=_columns("correct_answer", "distractor1", "distractor2", "distractor3"), right=lambda row: 0,
        test="test", noun="question",
    ),
    "social-iqa": Definition(
        "allenai/social_i_qa", RIGHT_ANSWER, "{context}\nQuestion: {question}\nAnswer: {answer}",
        answers=_columns("answerA", "answerB", "answerC"), right=lambda row: int(row["label"]) - 1, group="context",
        noun="situation",
    ),
    "multirc": Definition(
        "aps/super_glue", BY_READING, "{paragraph}\nQuestion: {question}\nAnswer: {answer}", label="label",
        config="multirc", group="paragraph", noun="passage",
    ),
    "wic": Definition(
        "aps/super_glue", "Does the word mean the same in both sentences?", "{word}\n1: {sentence1}\n2: {sentence2}",
        label="label", config="wic", noun="word in two sentences", editable=False,
    ),
    "twitter-sentiment": Definition(
        "EleutherAI/twitter-sentiment", "Is this tweet positive or negative?", "{text}", label="label", test="test",
        options=NEGATIVE_POSITIVE, noun="tweet", cue=" The sentiment of this tweet is",
    ),
    "amazon-polarity": Definition(
        "fancyzhx/amazon_polarity", "Is this product review positive or negative?", "{title}. {content}", label="label",
        test="test", options=NEGATIVE_POSITIVE, noun="review", cue=" The sentiment of this review is",
    ),
    "anthropic-hh": Definition(
        "Anthropic/hh-rlhf", "Is the assistant's last answer the preferred one?", "{answer}",
        answers=_columns("chosen", "rejected"), right=lambda row: 0, test="test", noun="conversation",
    ),
}  # fmt: skip
"""By the name after ``hf:``."""
