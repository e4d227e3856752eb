"""Errors a person can act on.

Every error askew raises on purpose names the thing, the value it had, what was expected and how to mend
it. The command line prints exactly that, without a traceback, and exits with ``exit_code``.
"""

from __future__ import annotations


class AskewError(Exception):
    """Base of all deliberate errors. ``exit_code`` is what the command line returns."""

    exit_code = 1


class InputError(AskewError, ValueError):
    """The user's input can't be used: nothing was run (exit code 2)."""

    exit_code = 2


class RunError(AskewError, RuntimeError):
    """The run failed on its way. Everything recorded before it is kept (exit code 1)."""

    exit_code = 1


class SupervisorError(RunError):
    """The weak supervisor raised, answered out of range or answered the wrong number of cases."""


class ModelError(RunError):
    """The strong model's backend can't be had, refused a request, or answered what makes no sense."""
