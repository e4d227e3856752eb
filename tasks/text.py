"""Cleaning text that comes from outside: nothing in it may drive a terminal or break an encoding."""

from __future__ import annotations

import re

# C0 and C1 control characters but tab and newline, and lone surrogates (which UTF-8 can't carry).
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What options are called where they differ from case to case."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def without_control(text: str) -> str:
    """The text with control characters replaced by spaces; tabs and line ends stay, CRLF becomes LF."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n"))


def printable(text: str) -> str:
    """The text for a terminal: whatever could steer one is shown as a replacement character; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
