"""Options of commands. The environment variable ``MOCKSERVER_<NAME>`` sets an option as well.

The options of ``serve`` are fields of dataclasses: ``field`` declares the name, the default, the
type and the help of an option, and ``options_from`` makes click options of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from mockserver import inputs as defaults

Command = TypeVar("Command", bound=Callable[..., Any])
_DECLARATION = "option"


def option(name: str, *more: str, **settings: Any) -> Callable[[Command], Command]:
    """Declare an option that the environment variable ``MOCKSERVER_<NAME>`` can set as well."""
    variable = "MOCKSERVER_" + name.split("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, *more, envvar=variable, show_envvar=True, show_default=True, **settings)


def field(default: Any, help_text: str, **settings: Any) -> Any:
    """Declare a field of a dataclass as an option: ``max_body`` is ``--max-body``.

    A field with the default True is a switch ``--name/--no-name``, one with False is a flag.
    ``settings`` are settings of ``click.option``.
    """
    if default is False:
        settings["is_flag"] = True
    elif not settings.get("multiple"):
        settings["default"] = default
    return dataclasses.field(default=default, metadata={_DECLARATION: {"help": help_text, **settings}})


def options_from(**groups: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that dataclasses declare to a command, in their order.

    ``limits=LimitOptions`` passes the values of its options as the argument ``limits``.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def call(**values: Any) -> Any:
            for argument, group in groups.items():
                names = [declared.name for declared in dataclasses.fields(group)]
                values[argument] = group(**{name: values.pop(name) for name in names})
            return command(**values)

        for group in reversed(groups.values()):
            for declared in reversed(dataclasses.fields(group)):
                name = "--" + declared.name.replace("_", "-")
                if declared.default is True:
                    name += f"/--no-{name[2:]}"
                option(name, **declared.metadata[_DECLARATION])(call)
        return call

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
SEED = option(
    "--seed", default="0", help="Seed of all generated values. The same seed gives the same values."
)


def inputs(
    document: tuple[Path, ...], scenarios: tuple[Path, ...]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the documents and scenarios to use: those of the packaged example if none are given."""
    if document:
        return document, scenarios
    return (defaults.DOCUMENT,), scenarios or (defaults.SCENARIOS,)
