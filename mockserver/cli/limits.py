"""The options of ``serve`` that bound what a client may send and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import option, options
from mockserver.duration import milliseconds
from mockserver.errors import UsageError

if TYPE_CHECKING:
    from mockserver.serve.connection import Limits

limit_options = options(
    option(
        "--max-body",
        default=10 * 1024 * 1024,
        type=click.IntRange(1),
        metavar="BYTES",
        help="Largest request body.",
    ),
    option(
        "--max-nodes",
        default=500_000,
        type=click.IntRange(1),
        metavar="NUMBER",
        help="Most values in a request body; a field of a form or an element of XML counts as five.",
    ),
    option(
        "--max-ratio",
        default=100,
        type=click.IntRange(1),
        metavar="NUMBER",
        help="How many times its size on the wire a compressed body may be, once it is over 1 MiB.",
    ),
    option(
        "--max-head",
        default=64 * 1024,
        type=click.IntRange(256, 16 * 1024 * 1024),
        metavar="BYTES",
        help="Largest head of a request: its first line and header fields.",
    ),
    option(
        "--max-headers",
        default=100,
        type=click.IntRange(1, 10_000),
        metavar="NUMBER",
        help="Most header fields of a request.",
    ),
    option(
        "--max-target",
        default=16 * 1024,
        type=click.IntRange(64, 16 * 1024 * 1024),
        metavar="BYTES",
        help="Longest request target: path and query.",
    ),
    option(
        "--max-unfinished",
        type=click.IntRange(1),
        metavar="BYTES",
        help="What all requests that are arriving or waiting their turn may take together; "
        "default: 256 MiB, or one that is as large as may be.",
    ),
    option(
        "--head-timeout",
        default="10s",
        metavar="DURATION",
        help="How long a client may take to send a request's head.",
    ),
    option(
        "--body-timeout",
        default="30s",
        metavar="DURATION",
        help="How long it may take to send the body then.",
    ),
    option(
        "--idle-timeout",
        default="2m",
        metavar="DURATION",
        help="How long a connection stays open between two requests.",
    ),
)
"""Every option of ``Bounds``."""
_SHORTEST, _LONGEST = 100, 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The options, as click hands them over."""

    max_body: int
    max_nodes: int
    max_ratio: int
    max_head: int
    max_headers: int
    max_target: int
    max_unfinished: int | None
    head_timeout: str
    body_timeout: str
    idle_timeout: str

    def check(self) -> None:
        """Raises UsageError for what cannot be."""
        if self.max_target > self.max_head:
            raise UsageError(
                f"--max-target {self.max_target} is more than --max-head {self.max_head}, which a target is "
                "part of: lower the one or raise the other."
            )
        if self.max_unfinished is not None and self.max_unfinished < self._one:
            raise UsageError(
                f"--max-unfinished {self.max_unfinished} is less than one request may take: make it "
                f"{self._one} or more, or lower --max-body {self.max_body} or --max-head {self.max_head}."
            )
        for name in ("head_timeout", "body_timeout", "idle_timeout"):
            self._seconds(name)

    @property
    def _one(self) -> int:
        """What one request may take."""
        return self.max_head + self.max_body

    def limits(self) -> Limits:
        """What a connection keeps."""
        from mockserver.serve.connection import Limits

        return Limits(
            head=self.max_head,
            headers=self.max_headers,
            target=self.max_target,
            body=self.max_body,
            unfinished=self.max_unfinished or max(Limits().unfinished, self._one),
            head_time=self._seconds("head_timeout"),
            body_time=self._seconds("body_timeout"),
            idle_time=self._seconds("idle_timeout"),
        )

    def _seconds(self, name: str) -> float:
        shown = "--" + name.replace("_", "-")
        try:
            found = milliseconds(getattr(self, name))
        except ValueError as error:
            raise UsageError(f"{shown}: {error}.") from None
        if not _SHORTEST <= found <= _LONGEST:
            raise UsageError(f"{shown} {getattr(self, name)} is out of range; write 100ms to 1d.")
        return found / 1000
