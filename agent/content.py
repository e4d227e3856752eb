"""What the records of a log hold for a reader: words to search, cases, and what a chain of thought says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence

from askew.agent.journal import Data, Event

_TEXTS: dict[str, Callable[[Data], list[str]]] = {
    "chain": lambda data: [f"{data['case']} {data['text']}"],
    "cluster": lambda data: [f"{data['subject']}: {data['claim']}"],
    "hypothesis-born": lambda data: [f"{data['id']} {data['statement']}", str(data.get("why", ""))],
    "hypothesis-merged": lambda data: [f"{data.get('id', '')} {data['why']}"],
    "hypothesis-killed": lambda data: [f"{data.get('id', '')} {data['why']}"],
    "annotation": lambda data: [str(data["subject"])],
    "experiment": lambda data: [f"{data['id']} {case_text(data['case'])}"],
    "written": lambda data: [case_text(case) for case in data["cases"]],
    "proposed": lambda data: [case_text(case) for case in data["cases"]],
    "clarification": lambda data: [f"{data['question']} {data.get('words') or ''}"],
    "check": lambda data: [f"{data['code']} {data['message']}"],
}


def texts_of(event: Event) -> list[str]:
    """What can be searched of an event."""
    find = _TEXTS.get(event.kind)
    return find(event.data) if find else []


def most_telling(texts: Sequence[str], words: Sequence[str]) -> str:
    """Of an event's texts the one that holds most of the words."""
    folded = [word.casefold() for word in words]
    return max(texts, key=lambda text: sum(word in text.casefold() for word in folded), default="")


def cases_in(event: Event) -> Iterator[Data]:
    """The cases whose text an event holds."""
    if event.kind == "experiment":
        yield event.data["case"]
    elif event.kind in {"written", "proposed"}:
        yield from event.data["cases"]


def case_text(case: Data) -> str:
    """A case as one text."""
    return f"{case['id']} {case['text']} {' / '.join(case['options'])}"


def says(chain: Data) -> str:
    """What a chain says, whatever its wording: equal for chains that give the same reasons and labels."""
    if chain["malformed"]:
        told = ["malformed", chain["malformed"], chain["text"].strip()]
    else:
        reasons = [[step["subject"].casefold(), step["favours"]] for step in chain["steps"]]
        told = [reasons, chain["weak_label"], chain["true_label"]]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest()
