"""The options of ``serve`` for the address, requests, responses, logs and the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import field
from mockserver.diagnostics import UsageError

if TYPE_CHECKING:
    from mockserver.plan import Delay


@dataclass(frozen=True, slots=True, kw_only=True)
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
