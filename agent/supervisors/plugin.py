"""A weak supervisor of your own: ``package.module:factory`` or ``path/to/file.py:factory``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from askew.agent.config import Settings
from askew.agent.supervisors.base import Supervisor
from askew.errors import InputError
from askew.tasks.plugin import load_function


def load_plugin(spec: str, settings: Settings) -> Supervisor:
    """Import the factory that ``spec`` names and call it with the run's settings.

    Raises:
        InputError: nothing can be imported under that name, importing or calling it raised, or what it
            returned has no ``label`` method; the cause is named.
    """
    return checked_supervisor(spec, load_function(spec, "--supervisor"), settings)


def checked_supervisor(spec: str, factory: Callable[[Settings], Any], settings: Settings) -> Supervisor:
    """What ``factory(settings)`` returns, once it is seen to be a supervisor."""
    try:
        supervisor = factory(settings)
    except Exception as error:
        raise InputError(
            f"--supervisor {spec}: the factory raised {type(error).__name__}: {error}. "
            "It is called with the run's settings (an askew.agent.config.Settings)."
        ) from error
    if not callable(getattr(supervisor, "label", None)) or isinstance(supervisor, type):
        raise InputError(
            f"--supervisor {spec}: the factory returned {type(supervisor).__name__} {supervisor!r}, expected an "
            "object with a method label(cases) -> list[int | None]."
        )
    return supervisor  # type: ignore[no-any-return]
