"""What a method is, and the one registry of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from askew.agent.lab import Lab
from askew.registry import Registry
from askew.tasks.gold import LoadedTask

Run = Callable[[Lab, LoadedTask], None]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to a student. ``reference`` marks those that are a bound to compare with, not a rival."""

    description: str
    run: Run
    reference: bool = False


METHODS: Registry[Method] = Registry("method")
"""In the order in which tables show them."""


def method(name: str, description: str, *, reference: bool = False) -> Callable[[Run], Run]:
    """Add the decorated function to ``METHODS``."""

    def add(run: Run) -> Run:
        METHODS.add(name, Method(description, run, reference))
        return run

    return add
