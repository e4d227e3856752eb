"""Code of the user's own: a function named by ``package.module:function`` or ``path/to/file.py:function``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from askew.errors import InputError


def load_function(spec: str, used_as: str, folder: Path | None = None) -> Callable[..., Any]:
    """The function that ``spec`` names; a path is relative to ``folder`` (by default where one is).

    ``used_as`` begins every message: "--supervisor", say.

    Raises:
        InputError: nothing can be imported under that name, or importing raised; the cause is named.
    """
    place, _, attribute = spec.rpartition(":")
    if place.endswith(".py"):
        module = _from_file((folder or Path()) / place, f"{used_as} {spec}")
    elif place:
        module = _from_package(place, f"{used_as} {spec}")
    else:
        raise InputError(f"{used_as} {spec}: expected FILE.py:FUNCTION or package.module:FUNCTION.")
    function = getattr(module, attribute, None)
    if not callable(function):
        offered = ", ".join(name for name, value in vars(module).items() if callable(value) and name[0] != "_")
        raise InputError(f"{used_as} {spec}: {place} has no function {attribute!r}. It has: {offered or 'none'}.")
    return function  # type: ignore[no-any-return]


def _from_package(name: str, asked: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # a module beside the user's own files, as 'python -m' would find it
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InputError(f"{asked}: importing {name!r} raised {type(error).__name__}: {error}.") from error


def _from_file(path: Path, asked: str) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{asked}: no file {path}. Expected path/to/file.py:function.")
    name = f"askew_plugin_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise InputError(f"{asked}: {path} can't be read as Python source.")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"{asked}: running {path} raised {type(error).__name__}: {error}.") from error
    return module
