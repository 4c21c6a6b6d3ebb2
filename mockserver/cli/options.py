"""Options of commands. The environment variable ``MOCKSERVER_<NAME>`` sets an option as well.

The options of ``serve`` are fields of dataclasses: ``field`` declares the name, the default, the
type and the help of an option, and ``options_from`` makes click options of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mockserver import inputs as defaults
from mockserver.diagnostics import UsageError

if TYPE_CHECKING:
    from mockserver.plan import Delay

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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What the server does with requests and how it runs."""

    host: str = field("127.0.0.1", "Address to listen on.")
    port: int = field(8080, "Port to listen on. 0 picks a free port.", type=click.IntRange(0, 65535))
    clock: str | None = field(None, "Freeze the clock at an ISO 8601 date-time.", metavar="DATE-TIME")
    validation: str = field(
        "strict",
        "strict: a request that breaks the document gets an error. warn: it gets a normal "
        "response with a warning. off: requests are not validated.",
        type=click.Choice(["strict", "warn", "off"]),
    )
    security: str = field(
        "presence",
        "Credentials that the document asks for. presence: any credentials (on means the "
        "same). strict: Basic and Bearer credentials must have the correct form. off: none.",
        type=click.Choice(["presence", "strict", "off", "on"]),
    )
    styles: str = field(
        "any",
        "How a client can write arrays and objects in queries and forms. any: in any style "
        "with a clear meaning. strict: in the documented style only.",
        type=click.Choice(["any", "strict"]),
    )
    base_path: str | None = field(
        None,
        "Serve under this path prefix, instead of the prefixes in the document's servers.",
        metavar="PATH",
    )
    max_resources: int = field(
        1_000_000,
        "Maximum number of resources of one kind in one namespace. The least recently used are"
        " deleted first.",
        type=click.IntRange(1),
    )
    delay: str | None = field(
        None,
        "Delay of every response that has no other delay: 200ms, 100ms..2s (uniform), "
        "200ms~0.5 (log-normal).",
        metavar="DELAY",
    )
    allow_callbacks: tuple[str, ...] = field(
        (),
        "Allow webhooks to this host, besides loopback; * allows all hosts. Can be repeated.",
        multiple=True,
        metavar="HOST",
    )
    log_level: str | None = field(
        None,
        "info logs each request to a mocked operation. debug logs control requests too. The "
        "default is info on a terminal, and warning elsewhere.",
        type=click.Choice(["debug", "info", "warning", "error"]),
    )
    log_format: str = field("text", "Format of log lines.", type=click.Choice(["text", "json"]))
    supervisor: bool = field(True, "Serve in a child process, and restart it if it stops responding.")
    cache: bool = field(
        True, "Store compiled documents in the user's cache folder, so that the next start is faster."
    )

    def frozen_at(self) -> int | None:
        """Return the time of ``--clock`` in milliseconds. Raise UsageError for an invalid one."""
        from mockserver.namespaces.clock import parse_time  # not needed for --help

        try:
            return parse_time(self.clock) if self.clock else None
        except ValueError as error:
            raise UsageError(f"--clock: {error}.") from None

    def default_delay(self) -> Delay | None:
        """Return the value of ``--delay``. Raise UsageError for an invalid one."""
        from mockserver.engine.delays import stated  # not needed for --help

        try:
            return stated(self.delay) if self.delay else None
        except ValueError as error:
            raise UsageError(f"--delay: {error}. Use 200ms, 100ms..2s or 200ms~0.5.") from None
