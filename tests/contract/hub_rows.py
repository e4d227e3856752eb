"""One row of every public set as it is on the hub: its columns and their types, with contents of our own.

``number`` makes rows differ. A right answer says "right", a wrong one "wrong"; a text with a label says "class L".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


def boolq(n: int) -> Row:
    return {"question": f"is it class {n % 2}", "answer": bool(n % 2), "passage": f"Passage {n // 2} of many."}


def cosmos_qa(n: int) -> Row:
    answers = [f"wrong {place} {n}" for place in range(4)]
    answers[n % 4] = "None of the above choices ." if n % 5 == 0 else f"right {n}"
    named = {f"answer{place}": answer for place, answer in enumerate(answers)}
    return {"id": f"id{n}", "context": f"Context {n}.", "question": f"Why {n}?", **named, "label": n % 4}


def dream(n: int) -> Row:
    choice = [f"wrong a {n}", f"right {n}", f"wrong b {n}"]
    return {"id": n, "dialogue_id": f"5-{n // 2}", "dialogue": [f"M: Hello {n // 2}.", "W: Hello."],
            "question": f"What {n}?", "choice": choice, "answer": choice[1]}  # fmt: skip


def justice(n: int) -> Row:
    return {"label": n % 2, "scenario": f"I left early as class {n % 2} because of {n}."}


def deontology(n: int) -> Row:
    return {"label": n % 2, "scenario": f"Could you do it {n // 4}?", "excuse": f"No, class {n % 2}, number {n}."}


def virtue(n: int) -> Row:
    return {"label": int(n % 5 == 0), "scenario": f"Sam did it {n} times. [SEP] class {int(n % 5 == 0)}"}


def utilitarianism(n: int) -> Row:
    return {"baseline": f"I found right {n}.", "less_pleasant": f"I found wrong {n}."}


def anli(n: int) -> Row:
    return {"uid": f"u{n}", "premise": f"Premise {n // 2}.", "hypothesis": f"It is class {int(n % 3 == 0)}, {n}.",
            "label": n % 3, "reason": ""}  # fmt: skip


def sentence(n: int) -> Row:
    return {"sentence": f"A sentence of class {n % 2}, number {n}.", "label": n % 2, "idx": n}


def hellaswag(n: int) -> Row:
    endings = [f"wrong {place} {n}." for place in range(4)]
    endings[n % 4] = f"right {n}."
    return {"ind": n, "activity_label": "Cooking", "ctx_a": "A man cooks.", "ctx_b": "he",
            "ctx": f"A man cooks {n}. he", "endings": endings, "source_id": f"s{n}", "split": "train",
            "split_type": "indomain", "label": str(n % 4)}  # fmt: skip


def mc_taco(n: int) -> Row:
    return {"sentence": f"He slept {n // 3}.", "question": "How long?", "answer": f"{n} hours, class {n % 2}",
            "label": n % 2, "category": 0}  # fmt: skip


def openbookqa(n: int) -> Row:
    text = [f"wrong {letter} {n}" for letter in "ABCD"]
    text[n % 4] = f"right {n}"
    return {"id": f"7-{n}", "question_stem": f"The sun {n}", "choices": {"text": text, "label": list("ABCD")},
            "answerKey": "ABCD"[n % 4]}  # fmt: skip


def paws(n: int) -> Row:
    return {"id": n, "sentence1": f"From a to b {n}.", "sentence2": f"From b to a, class {n % 2}.", "label": n % 2}


def quail(n: int) -> Row:
    answers = [f"wrong {place} {n}" for place in range(4)]
    answers[n % 4] = f"right {n}"
    return {"id": f"f{n}", "context_id": f"f{n // 3}", "question_id": str(n), "domain": "fiction",
            "metadata": {"author": "A", "title": "T", "url": ""}, "context": f"A story {n // 3}.",
            "question": f"Who {n}?", "question_type": "Causality", "answers": answers,
            "correct_answer_id": n % 4}  # fmt: skip


def piqa(n: int) -> Row:
    pair = [f"right {n}", f"wrong {n}"] if n % 2 == 0 else [f"wrong {n}", f"right {n}"]
    return {"goal": f"Open a jar {n}", "sol1": pair[0], "sol2": pair[1], "label": n % 2}


def quartz(n: int) -> Row:
    text = [f"right {n}", f"wrong {n}"] if n % 2 == 0 else [f"wrong {n}", f"right {n}"]
    return {"id": f"Q{n}", "question": f"More or less {n}?", "choices": {"text": text, "label": ["A", "B"]},
            "answerKey": "AB"[n % 2], "para": f"Warm air rises {n // 2}.", "para_id": f"K{n}",
            "para_anno": {"effect_prop": ""}, "question_anno": {"more_effect_dir": ""}}  # fmt: skip


def sciq(n: int) -> Row:
    return {"question": f"What is it {n}?", "distractor3": f"wrong 3 {n}", "distractor1": f"wrong 1 {n}",
            "distractor2": f"wrong 2 {n}", "correct_answer": f"right {n}", "support": "A text."}  # fmt: skip


def social_iqa(n: int) -> Row:
    answers = [f"wrong {place} {n}" for place in range(3)]
    answers[n % 3] = f"right {n}"
    return {"context": f"Alex left {n}.", "question": "Why?", "answerA": answers[0], "answerB": answers[1],
            "answerC": answers[2], "label": str(n % 3 + 1)}  # fmt: skip


def multirc(n: int) -> Row:
    return {"paragraph": f"Sent 1: Once {n // 6}.", "question": f"Who {n // 3}?", "answer": f"{n}, class {n % 2}",
            "idx": {"paragraph": n // 6, "question": n // 3, "answer": n}, "label": n % 2}  # fmt: skip


def wic(n: int) -> Row:
    return {"word": f"place{n}", "sentence1": "A place to go.", "sentence2": f"Place it here, class {n % 2}.",
            "start1": 0, "start2": 0, "end1": 1, "end2": 1, "idx": n, "label": n % 2}  # fmt: skip


def twitter(n: int) -> Row:
    return {"text": f"@you class {n % 2} today {n}", "label": n % 2}


def amazon(n: int) -> Row:
    return {"label": n % 2, "title": f"Title {n}", "content": f"It is class {n % 2}."}


def hh(n: int) -> Row:
    before = f"\n\nHuman: How {n}?\n\nAssistant: "
    return {"chosen": f"{before}right {n}", "rejected": f"{before}wrong {n}"}


ROWS: dict[str, Callable[[int], Row]] = {
    "boolq": boolq, "cosmos-qa": cosmos_qa, "dream": dream, "ethics-justice": justice, "ethics-deontology": deontology,
    "ethics-virtue": virtue, "ethics-utilitarianism": utilitarianism, "anli-r2": anli, "cola": sentence,
    "sst2": sentence, "hellaswag": hellaswag, "mc-taco": mc_taco, "openbookqa": openbookqa, "paws": paws,
    "quail": quail, "piqa": piqa, "quartz": quartz, "sciq": sciq, "social-iqa": social_iqa, "multirc": multirc,
    "wic": wic, "twitter-sentiment": twitter, "amazon-polarity": amazon, "anthropic-hh": hh,
}  # fmt: skip
