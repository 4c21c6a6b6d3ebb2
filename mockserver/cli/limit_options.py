"""The options of ``serve`` that bound what clients may send and how much memory the server may hold."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import option, options
from mockserver.diagnostics import UsageError
from mockserver.inputs import parse_duration

if TYPE_CHECKING:
    from mockserver.http.connection import Limits
    from mockserver.namespaces.memory import MemoryLimits


_LEAST_MEMORY = 16 * 1024 * 1024
_QUARTER = 4
limit_options = options(
    option(
        "--max-body",
        default=10 * 1024 * 1024,
        type=click.IntRange(1),
        metavar="BYTES",
        help="Maximum size of a request body.",
    ),
    option(
        "--max-nodes",
        default=500_000,
        type=click.IntRange(1),
        metavar="NUMBER",
        help="Maximum number of values in a request body. A form field or an XML element counts as five.",
    ),
    option(
        "--max-ratio",
        default=100,
        type=click.IntRange(1),
        metavar="NUMBER",
        help="Maximum ratio of the size of a body to its compressed size. It applies to bodies of "
        "more than 1 MiB.",
    ),
    option(
        "--max-head",
        default=64 * 1024,
        type=click.IntRange(256, 16 * 1024 * 1024),
        metavar="BYTES",
        help="Maximum size of the request line and the header fields.",
    ),
    option(
        "--max-headers",
        default=100,
        type=click.IntRange(1, 10_000),
        metavar="NUMBER",
        help="Maximum number of header fields in a request.",
    ),
    option(
        "--max-target",
        default=16 * 1024,
        type=click.IntRange(64, 16 * 1024 * 1024),
        metavar="BYTES",
        help="Maximum size of the request target (path and query).",
    ),
    option(
        "--max-unfinished",
        type=click.IntRange(1),
        metavar="BYTES",
        help="Maximum memory of all requests that are not complete or wait to be processed. The "
        "default is a share of --max-memory, at most 256 MiB. It is never less than one "
        "request can need.",
    ),
    option(
        "--max-memory",
        type=click.IntRange(_LEAST_MEMORY),
        metavar="BYTES",
        help="Maximum memory of recorded calls, resources, responses and requests. Each has a share"
        " of it. The default is a quarter of the memory of the machine or container.",
    ),
    option(
        "--max-delay",
        default="2m",
        metavar="DURATION",
        help="Maximum delay that a client can request with `Prefer: wait`.",
    ),
    option(
        "--max-waiting",
        default=10_000,
        type=click.IntRange(0),
        metavar="NUMBER",
        help="Maximum number of responses that wait for a delay at the same time. More requests get 503.",
    ),
    option(
        "--max-waiting-per-client",
        default=0,
        type=click.IntRange(0),
        metavar="NUMBER",
        help="The same maximum for one client address. 0 means no maximum. Loopback is not counted.",
    ),
    option(
        "--max-connections-per-client",
        default=0,
        type=click.IntRange(0),
        metavar="NUMBER",
        help="Maximum number of connections from one client address. 0 means no maximum. Loopback "
        "is not counted.",
    ),
    option(
        "--head-timeout",
        default="10s",
        metavar="DURATION",
        help="How long a client can take to send the request line and the header fields.",
    ),
    option(
        "--body-timeout",
        default="30s",
        metavar="DURATION",
        help="How long a client can take to send the body after that.",
    ),
    option(
        "--idle-timeout",
        default="2m",
        metavar="DURATION",
        help="How long a connection without requests stays open.",
    ),
)
"""Every option of ``LimitOptions``."""
_SHORTEST, _LONGEST = 100, 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """The options, as click hands them over."""

    max_body: int
    max_nodes: int
    max_ratio: int
    max_head: int
    max_headers: int
    max_target: int
    max_unfinished: int | None
    max_memory: int | None
    max_delay: str
    max_waiting: int
    max_waiting_per_client: int
    max_connections_per_client: int
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
        self.longest_delay()

    def longest_delay(self) -> int:
        """Milliseconds. Raises UsageError for what cannot be."""
        try:
            found = parse_duration(self.max_delay)
        except ValueError as error:
            raise UsageError(f"--max-delay: {error}.") from None
        if found > _LONGEST:
            raise UsageError(f"--max-delay {self.max_delay} is out of range; write 0s to 1d.")
        return found

    def memory(self, journal_bytes: int, *, processes: int = 1) -> MemoryLimits:
        """What each kind may take of the memory of one of so many processes."""
        from msgspec.structs import replace

        from mockserver.namespaces.memory import MemoryLimits

        total = self.max_memory or available() // _QUARTER
        shares = MemoryLimits.of(total // processes) if total else MemoryLimits()
        unfinished = min(shares.unfinished, self.max_unfinished or shares.unfinished)
        return replace(
            shares, journals=min(shares.journals, journal_bytes), unfinished=max(unfinished, self._one)
        )

    @property
    def _one(self) -> int:
        """What one request may take."""
        return self.max_head + self.max_body

    def limits(self) -> Limits:
        """What a connection keeps."""
        from mockserver.http.connection import Limits

        return Limits(
            head=self.max_head,
            headers=self.max_headers,
            target=self.max_target,
            body=self.max_body,
            client_connections=self.max_connections_per_client,
            head_time=self._seconds("head_timeout"),
            body_time=self._seconds("body_timeout"),
            idle_time=self._seconds("idle_timeout"),
        )

    def _seconds(self, name: str) -> float:
        shown = "--" + name.replace("_", "-")
        try:
            found = parse_duration(getattr(self, name))
        except ValueError as error:
            raise UsageError(f"{shown}: {error}.") from None
        if not _SHORTEST <= found <= _LONGEST:
            raise UsageError(f"{shown} {getattr(self, name)} is out of range; write 100ms to 1d.")
        return found / 1000


_UNLIMITED = 1 << 60
"""What control groups say where nothing is bounded is more than this, or ``max``."""
_FILES = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
"""By the controller that a line of /proc/self/cgroup names: the folder of its hierarchy, and the file."""


def available(root: Path = Path("/")) -> int:
    """Bytes: the smallest of the limits that there are; 0 where nothing tells of one."""
    return min(_limits(root), default=0)


def _limits(root: Path) -> Iterator[int]:
    with suppress(ValueError, OSError):  # no such name on this system
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield from _of_control_groups(root)
    taken = _taken(root)
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            yield max(0, soft - taken.get(name, 0))


def _of_control_groups(root: Path) -> Iterator[int]:
    """The limits of our control groups, of both versions, and of those that they are in."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            if controller in _FILES:
                folder, name = _FILES[controller]
                mount = root / "sys/fs/cgroup" / folder
                group = mount / path.lstrip("/")
                for each in (group, *group.parents):
                    if each == mount.parent:
                        break
                    found = _text(each / name).strip()
                    if found.isdigit() and int(found) < _UNLIMITED:
                        yield int(found)


def _taken(root: Path) -> dict[str, int]:
    """Bytes that this process has by now, by the names of /proc/self/status."""
    lines = (line.partition(":") for line in _text(root / "proc/self/status").splitlines())
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in lines if rest.endswith("kB")}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
