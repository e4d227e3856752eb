"""What a method is, and the one registry of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from askew.agent.lab import Lab
from askew.agent.supervisors.base import Supervisor
from askew.errors import InputError
from askew.registry import Registry
from askew.tasks.case import Task
from askew.tasks.gold import LoadedTask

Run = Callable[[Lab, LoadedTask], None]
Needs = Callable[[Supervisor, Task], str | None]
"""What a method needs and is lacking, in words that fit after "needs"; ``None`` where nothing is."""


class NotApplicableError(InputError):
    """The method can't be run with this supervisor or without a package. A bench leaves the cell out and says so."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to a student. ``reference`` marks those that are a bound to compare with, not a rival."""

    description: str
    run: Run
    reference: bool = False
    needs: Needs = lambda _, __: None


METHODS: Registry[Method] = Registry("method")
"""In the order in which tables show them."""


def method(
    name: str, description: str, *, reference: bool = False, needs: Needs = lambda _, __: None
) -> Callable[[Run], Run]:
    """Add the decorated function to ``METHODS``."""

    def add(run: Run) -> Run:
        METHODS.add(name, Method(description, run, reference, needs))
        return run

    return add


def check_method(name: str, supervisor: Supervisor, spec: str, task: Task) -> None:
    """Raise ``NotApplicableError`` where the method needs what supervisor ``spec``, task or machine hasn't got."""
    lacking = METHODS[name].needs(supervisor, task)
    if lacking is not None:
        raise NotApplicableError(f"method {name!r} with supervisor {spec!r} on {task.name!r} needs {lacking}.")
