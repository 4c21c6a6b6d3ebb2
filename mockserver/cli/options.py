"""Options that several commands share; each can be set by the environment as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mockserver import inputs as defaults

Command = TypeVar("Command", bound=Callable[..., Any])


def option(name: str, *more: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that the environment variable ``MOCKSERVER_<NAME>`` can set as well."""
    variable = "MOCKSERVER_" + name.split("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, *more, envvar=variable, show_envvar=True, show_default=True, **settings)


def options(*declared: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """All of ``declared``, in their order, by one decorator."""

    def decorate(command: Command) -> Command:
        for each in reversed(declared):
            command = each(command)
        return command

    return decorate


DOCUMENTS = click.argument(
    "document", nargs=-1, envvar="MOCKSERVER_DOCUMENT", type=click.Path(path_type=Path)
)
SCENARIOS = option(
    "--scenarios",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Scenario file, or folder of scenario files. Can be repeated.",
)
REMOTE_REFS = option(
    "--allow-remote-refs/--no-allow-remote-refs", default=False, help="Fetch files of $refs to other hosts."
)
STRICT_DOCUMENT = option(
    "--strict-document/--no-strict-document",
    default=False,
    help="Refuse a document in which `mockserver check` finds an error.",
)
REF_ROOT = option(
    "--ref-root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder from which $refs can read files. The default is the folder of the document.",
)


def inputs(
    document: tuple[Path, ...], scenarios: tuple[Path, ...]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The documents and scenarios to work on: the packaged example where none are named."""
    if document:
        return document, scenarios
    return (defaults.DOCUMENT,), scenarios or (defaults.SCENARIOS,)
