"""Secrets: read from the environment alone, and never repeated."""

from __future__ import annotations

import os

from askew.errors import InputError


def secret(variable: str) -> str | None:
    """The secret in an environment variable, without blanks around it; ``None`` where there is none.

    Raises ``InputError``, which doesn't repeat it, for one that no HTTP header can hold.
    """
    value = os.environ.get(variable, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise InputError(f"{variable} holds what no key or token does: expected printable ASCII. Set it anew.")
    return value or None
