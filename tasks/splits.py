"""Dividing cases into the splits of a task: balanced, disjoint, fixed by the seed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

import numpy as np

from askew.errors import InputError
from askew.tasks.case import Case, Split

SIZES: Mapping[Split, int] = {Split.WEAK: 100, Split.POOL: 1500, Split.VALIDATION: 300, Split.TEST: 1000}
"""Cases in each split of a built-in task, where the data has as many."""

SHARES: Mapping[Split, float] = {
    Split.WEAK: 0.1,
    Split.POOL: 0.5,
    Split.VALIDATION: 0.1,
    Split.TEST: 0.3,
}
"""Shares used for data that comes without splits."""


def normalised(text: str) -> str:
    """The text without case, punctuation and spacing: equal for exact duplicates up to typography."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def first_of_each(texts: Sequence[str]) -> list[int]:
    """Indices of the texts that are not duplicates (after :func:`normalised`) of an earlier one."""
    first: dict[str, int] = {}
    for index, text in enumerate(texts):
        first.setdefault(normalised(text), index)
    return sorted(first.values())


def balanced_splits(
    labels: Sequence[int], sizes: Mapping[Split, int], rng: np.random.Generator, test: int = 0
) -> list[tuple[int, Split]]:
    """Draw disjoint splits in which every class has the same number of items.

    When the rarest class can't fill ``sizes``, the weak split keeps its size and the others shrink by one
    common factor. Items that no split takes are left out, or in the test split where it is to be larger.

    Args:
        labels: class of each of the N items.
        sizes: wanted number of items of each split; the test split, if any, is the last.
        rng: decides which item goes where.
        test: wanted number of test cases, where ``sizes`` leaves items over; the other splits are the same for any.

    Returns:
        (index, split) pairs; inside a split the classes are mixed at random.

    Raises:
        InputError: fewer than two classes, or too few items for the weak split.
    """
    labels_N = np.asarray(labels, dtype=np.int64)
    classes = np.unique(labels_N)
    if len(classes) < 2:
        raise InputError(f"all {len(labels_N)} labels are {classes.tolist()}: expected at least two classes.")
    members = [rng.permutation(np.flatnonzero(labels_N == label)) for label in classes]
    available = min(len(indices) for indices in members)
    per_class = {split: size // len(classes) for split, size in sizes.items()}
    weak = per_class.get(Split.WEAK, 0)
    rest = sum(per_class.values()) - weak
    if available <= weak:
        raise InputError(f"the rarest class has {available} items: expected more than {weak}, one weak split.")
    shrink = min(1.0, (available - weak) / rest) if rest else 1.0
    drawn: list[tuple[int, Split]] = []
    start = 0
    for split, wanted in per_class.items():
        count = wanted if split is Split.WEAK else int(wanted * shrink)
        if split is Split.TEST:
            count = max(count, min(test // len(classes), available - start))
        chosen = np.concatenate([indices[start : start + count] for indices in members])
        drawn += [(int(index), split) for index in rng.permutation(chosen)]
        start += count
    return drawn


def grouped_splits(
    labels: Sequence[int], groups: Sequence[str], sizes: Mapping[Split, int], rng: np.random.Generator
) -> list[tuple[int, Split]]:
    """Draw splits as :func:`balanced_splits` does, where items of one group (a passage) never part.

    Where there are too few items, the weak split keeps its size and the others shrink by one common factor.

    Args:
        labels: class of each of the N items.
        groups: the group that each belongs to.
        sizes: wanted number of items of each split.
        rng: decides which group goes where.

    Returns:
        (index, split) pairs; every class is equally frequent in a split.

    Raises:
        InputError: fewer than two classes, or too few items for the weak split.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise InputError(f"all {len(labels)} labels are {classes.tolist()}: expected at least two classes.")
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    queue = [members[group] for group in rng.permutation(list(members))]
    weak = sizes.get(Split.WEAK, 0) // len(classes)
    rest = sum(sizes.values()) // len(classes) - weak
    if counts.min() <= weak:
        raise InputError(f"the rarest class has {counts.min()} items: expected more than {weak}, one weak split.")
    shrink = min(1.0, (int(counts.min()) - weak) / rest) if rest else 1.0
    drawn: list[tuple[int, Split]] = []
    for split, size in sorted(sizes.items(), key=lambda item: item[1]):  # the largest, last, takes what is left
        wanted = weak if split is Split.WEAK else int(size // len(classes) * shrink)
        found: dict[int, list[int]] = {int(one): [] for one in classes}
        while queue and min(map(len, found.values())) < wanted:
            for index in queue.pop():
                found[labels[index]].append(index)
        fewest = min(wanted, *map(len, found.values()))
        drawn += [(int(i), split) for i in rng.permutation([i for f in found.values() for i in f[:fewest]])]
    return drawn


def share_splits(n: int, shares: Mapping[Split, float], rng: np.random.Generator) -> list[Split]:
    """A split for each of ``n`` items, by ``shares`` (which sum to 1), at random."""
    ends = np.round(np.cumsum(list(shares.values())) * n).astype(int)
    order = np.searchsorted(ends, np.arange(n), side="right")
    names = list(shares)
    return [names[index] for index in rng.permutation(order)]


def fingerprint(cases: Sequence[Case]) -> str:
    """sha256 over ids, texts, options and splits, in order."""
    digest = hashlib.sha256()
    for case in cases:
        record = [case.id, case.text, list(case.options), case.split.value]
        digest.update(json.dumps(record, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()
