"""The command line. Heavy imports happen inside the commands, so that ``askew --help`` is quick."""

from askew.agent.cli.app import main

__all__ = ["main"]
