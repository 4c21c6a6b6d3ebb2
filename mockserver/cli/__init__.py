"""The command line. Every option is also read from the environment, as ``MOCKSERVER_<OPTION>``."""

from mockserver.cli.commands import main

__all__ = ["main"]
