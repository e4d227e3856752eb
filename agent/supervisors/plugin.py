"""A weak supervisor of your own: ``package.module:factory`` or ``path/to/file.py:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from askew.agent.config import Settings
from askew.agent.supervisors.base import Supervisor
from askew.errors import InputError


def load_plugin(spec: str, settings: Settings) -> Supervisor:
    """Import the factory that ``spec`` names and call it with the run's settings.

    Raises:
        InputError: nothing can be imported under that name, importing or calling it raised, or what it
            returned has no ``label`` method; the cause is named.
    """
    place, _, attribute = spec.rpartition(":")
    module = _from_file(Path(place), spec) if place.endswith(".py") else _from_package(place, spec)
    factory = getattr(module, attribute, None)
    if not callable(factory):
        offered = ", ".join(name for name, value in vars(module).items() if callable(value) and name[0] != "_")
        raise InputError(f"--supervisor {spec}: {place} has no function {attribute!r}. It has: {offered or 'none'}.")
    return checked_supervisor(spec, factory, settings)


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


def _from_package(name: str, spec: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # a module beside the user's own files, as 'python -m' would find it
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InputError(f"--supervisor {spec}: importing {name!r} raised {type(error).__name__}: {error}.") from error


def _from_file(path: Path, spec: str) -> ModuleType:
    if not path.is_file():
        raise InputError(f"--supervisor {spec}: no file {path}. Expected path/to/file.py:factory.")
    name = f"askew_plugin_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise InputError(f"--supervisor {spec}: {path} can't be read as Python source.")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"--supervisor {spec}: running {path} raised {type(error).__name__}: {error}.") from error
    return module
