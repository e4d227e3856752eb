"""The contract of a task, checked on the task as it is loaded: what every experiment on it takes for granted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from askew.agent.cluster import Embed
from askew.agent.representation import case_texts
from askew.evals.statistics import rightness
from askew.tasks.case import Case, Split
from askew.tasks.gold import LoadedTask
from askew.tasks.splits import normalised

NEAR_DUPLICATE = 0.9
"""Cosine similarity of two texts' sentence embeddings from which they are taken for one."""
LEAST_ALIKE, LEAST_OVERLAP = 0.5, 0.4
"""What two texts must share in letters to be embedded at all: the cosine of their tf-idf weighted character n-grams,
and the share of their pieces of five characters that both have. Texts from one mould (sums, stories, positions) mean
nearly the same to an encoder, and are different cases."""
SAME = 0.95
"""The share from which letters alone say that two texts are one."""
CLOSEST = 5
"""Texts that one is compared with, the most alike by n-grams."""
LEAST_SHARE = 0.2
"""Share of the rarest class, relative to an even one, below which accuracy misleads."""
ROWS = 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the contract: whether it holds, and what was seen."""

    name: str
    holds: bool
    seen: str


def check_task(loaded: LoadedTask, count_tokens: Callable[[str], int], context: int, embed: Embed) -> list[Finding]:
    """Check every line of the contract.

    Args:
        loaded: the task with its gold labels.
        count_tokens: how many tokens a text has for the student.
        context: how many tokens the student can read.
        embed: sentence embeddings, each of length 1.
    """
    checks = (_ids, _splits_filled, _options, _gold, _truth, _balance, _duplicates, _written_back)
    alone = [check(loaded) for check in checks]
    return [*alone, _near_duplicates(loaded, embed), _fits(loaded, count_tokens, context)]


def _ids(loaded: LoadedTask) -> Finding:
    counted = Counter(case.id for case in loaded.task.cases)
    twice = [name for name, times in counted.items() if times > 1]
    return Finding("ids are unique", not twice, f"{len(counted)} ids" if not twice else f"used twice: {twice[:3]}")


def _splits_filled(loaded: LoadedTask) -> Finding:
    sizes = {split.value: len(loaded.task.split(split)) for split in Split if split is not Split.WRITTEN}
    needed = ("pool", "test") if loaded.gold else ("pool",)
    return Finding("there is something to ask and to test on", all(sizes[name] for name in needed), str(sizes))


def _options(loaded: LoadedTask) -> Finding:
    cases = loaded.task.cases
    wrong = [c.id for c in cases if len(set(c.options)) != loaded.task.n_options or not all(map(str.strip, c.options))]
    return Finding(
        "options are valid", not wrong, f"{loaded.task.n_options} in every case" if not wrong else f"not in {wrong[:3]}"
    )


def _gold(loaded: LoadedTask) -> Finding:
    """Answering with the gold label scores 1.0, by the arithmetic that grades every student."""
    test = [case for case in loaded.task.split(Split.TEST) if case.id in loaded.gold]
    if not test:
        return Finding("gold scores 1.0", not loaded.gold, "no gold labels: accuracy can't be measured")
    gold_N = loaded.gold.of(test)
    inside_N = (gold_N >= 0) & (gold_N < loaded.task.n_options)
    right = rightness(np.eye(loaded.task.n_options)[gold_N[inside_N]], gold_N[inside_N])
    accuracy = float(right.sum() / len(gold_N))
    return Finding("gold scores 1.0", accuracy == 1.0, f"{accuracy:.3f} on {len(test)} test cases")


def _truth(loaded: LoadedTask) -> Finding:
    """Where code can decide the truth of a case, it agrees with the gold label."""
    if loaded.truth is None:
        return Finding("code agrees with gold", True, "truth can't be decided by code here")
    known = [case for case in loaded.task.cases if case.id in loaded.gold][:500]
    said = [(loaded.truth(case), loaded.gold[case.id]) for case in known]
    wrong = sum(found is not None and found != label for found, label in said)
    return Finding("code agrees with gold", wrong == 0, f"{wrong} disagreements in {len(said)} cases")


def _balance(loaded: LoadedTask) -> Finding:
    counted = Counter(loaded.gold.values())
    if not counted:
        return Finding("classes are balanced", True, "no gold labels")
    k, total = loaded.task.n_options, sum(counted.values())
    shares = [counted.get(label, 0) / total for label in range(k)]
    return Finding(
        "classes are balanced", min(shares) * k >= LEAST_SHARE, ", ".join(f"{share:.2f}" for share in shares)
    )


def _duplicates(loaded: LoadedTask) -> Finding:
    split_of: dict[str, set[Split]] = {}
    for case in loaded.task.cases:
        split_of.setdefault(normalised(_content(case)), set()).add(case.split)
    shared = sum(len(splits) > 1 for splits in split_of.values())
    return Finding("no case is in two splits", shared == 0, f"{shared} texts in more than one split")


def _near_duplicates(loaded: LoadedTask, embed: Embed) -> Finding:
    judged = [*loaded.task.split(Split.TEST), *loaded.task.split(Split.VALIDATION)]
    learned = [*loaded.task.split(Split.WEAK), *loaded.task.split(Split.POOL)]
    # Options that every case has say nothing about it.
    texts, others = (
        [_content(c) if loaded.task.options_vary else c.text for c in cases] for cases in (judged, learned)
    )
    found = near_duplicates(texts, others, embed)
    shown = "; ".join(f"{judged[a].id} ~ {learned[b].id}" for a, b in found[:3])
    # A few are the nature of human text; many mean that the test was seen.
    return Finding(
        "test cases are not near-duplicates of pool cases",
        len(found) <= 0.01 * max(1, len(judged)),
        f"{len(found)} of {len(judged)}" + (f" ({shown})" if shown else ""),
    )


def near_duplicates(first: Sequence[str], second: Sequence[str], embed: Embed) -> list[tuple[int, int]]:
    """Pairs (index in ``first``, index in ``second``) of texts that say the same, at most one for each of ``first``.

    They share nearly all of their letters, or most of them, in whatever order, and their sentence embeddings are near.
    """
    alike = list(_alike(first, second))
    near = {one: other for one, other, shared in reversed(alike) if shared >= SAME}
    pairs = [(one, other) for one, other, _ in alike if one not in near]
    texts = list(dict.fromkeys(text for one, other in pairs for text in (first[one], second[other])))
    vectors = dict(zip(texts, embed(texts), strict=True))
    near |= {a: b for a, b in reversed(pairs) if vectors[first[a]] @ vectors[second[b]] >= NEAR_DUPLICATE}
    return sorted(near.items())


def _alike(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Pairs of texts that share much of their letters, and the share."""
    if not first or not second:
        return
    from sklearn.feature_extraction.text import TfidfVectorizer

    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 5), sublinear_tf=True, max_df=0.05, dtype=np.float32)
    try:
        pieces.fit([*first, *second])
    except ValueError:  # texts too few or too short to have telling n-grams: equal ones are found elsewhere
        return
    others = pieces.transform(second).T.tocsr()
    for start in range(0, len(first), ROWS):
        similar = (pieces.transform(first[start : start + ROWS]) @ others).tocsr()
        similar.data[similar.data < LEAST_ALIKE] = 0.0
        similar.eliminate_zeros()
        for row in np.unique(similar.nonzero()[0]).tolist():
            span = slice(similar.indptr[row], similar.indptr[row + 1])
            closest = similar.indices[span][np.argsort(-similar.data[span], kind="stable")[:CLOSEST]]
            for column in closest.tolist():
                shared = _overlap(first[start + row], second[column])
                if shared >= LEAST_OVERLAP:
                    yield start + row, column, shared


def _overlap(one: str, other: str) -> float:
    """Share of the pieces of five characters that two texts have in common, of all that either has.

    What nearly every text of a task has is not among the n-grams. Where that is most of a text (moves of a game), two
    that share one rare piece would be taken for alike.
    """
    pieces, others = ({text[i : i + 5] for i in range(max(1, len(text) - 4))} for text in (one, other))
    return len(pieces & others) / len(pieces | others)


def _written_back(loaded: LoadedTask) -> Finding:
    """The validator accepts the task's own cases, and refuses an empty one."""
    refused = [(c.id, why) for c in loaded.task.cases[:500] if (why := loaded.task.validator(c)) is not None]
    empty = Case("empty", " ", tuple(" " for _ in range(loaded.task.n_options)))
    strict = loaded.task.validator(empty) is not None
    seen = f"refuses {refused[0]}" if refused else "accepts the task's cases" + ("" if strict else " and an empty one")
    return Finding("the validator can tell", not refused and strict, seen)


def _fits(loaded: LoadedTask, count_tokens: Callable[[str], int], context: int) -> Finding:
    """Rendered as the student reads them, the longest cases fit its context."""
    longest = sorted(loaded.task.cases, key=lambda case: len(_content(case)))[-20:]
    tokens = max(count_tokens(text) for case in longest for text in case_texts(loaded.task, case))
    return Finding("rendered cases fit the context", tokens <= context, f"at most {tokens} of {context} tokens")


def _content(case: Case) -> str:
    return "\n".join([case.text, *sorted(case.options)])
