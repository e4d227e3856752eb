"""What keeps a text's numbers the same: batches whose shape depends on its length alone, and the weights' digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


def fixed_batches(lengths: Sequence[int], bucket: int, rows: Callable[[int], int]) -> Iterator[tuple[int, list[int]]]:
    """(length, indices) of batches that always have one shape for each length, whatever else there is to compute.

    Args:
        lengths: tokens of each text.
        bucket: texts are padded to the next multiple of it.
        rows: how many texts a batch of a length has room for; fewer may be left for the last one.
    """
    buckets: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        buckets.setdefault(-(-length // bucket) * bucket, []).append(index)
    for length, members in sorted(buckets.items()):
        size = rows(length)
        for start in range(0, len(members), size):
            yield length, members[start : start + size]


def weights_fingerprint(folder: Path, use: str = "") -> str:
    """Digest of a model folder's weights and tokenizer, and of what they are used for where that is given."""
    digest = hashlib.sha256(use.encode())
    for path in sorted([*folder.glob("*.safetensors"), folder / "tokenizer.json"]):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
