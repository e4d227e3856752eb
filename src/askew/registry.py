"""A typed registry: names map to values, duplicates raise, an unknown name lists the known ones."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from askew.errors import InputError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named values of one kind (``kind`` is the word used in messages)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, value: T) -> T:
        """Register ``value``; raises ``ValueError`` when the name is taken."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = value
        return value

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate a function or class to register it under ``name``."""
        return lambda value: self.add(name, value)

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            known = ", ".join(sorted(self._entries))
            raise InputError(f"unknown {self.kind} {name!r}: expected one of {known}.{hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def items(self) -> list[tuple[str, T]]:
        """Every entry, in the order it was registered."""
        return list(self._entries.items())
