"""The command line of mockserver."""

from mockserver.cli.commands import main

__all__ = ["main"]
