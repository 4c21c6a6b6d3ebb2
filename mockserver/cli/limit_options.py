"""The options of ``serve`` that limit requests and memory, and the memory of the machine."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import field
from mockserver.diagnostics import UsageError
from mockserver.inputs import parse_duration

if TYPE_CHECKING:
    from mockserver.http.owner import Limits
    from mockserver.namespaces.memory import MemoryLimits


_MIN_MEMORY = 16 * 1024 * 1024
_QUARTER = 4
_MIN_TIME, _MAX_TIME = 100, 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """Limits of requests, of memory and of waiting."""

    max_body: int = field(
        10 * 1024 * 1024, "Maximum size of a request body.", type=click.IntRange(1), metavar="BYTES"
    )
    max_nodes: int = field(
        500_000,
        "Maximum number of values in a request body. A form field or an XML element counts as five.",
        type=click.IntRange(1),
        metavar="NUMBER",
    )
    max_ratio: int = field(
        100,
        "Maximum ratio of the size of a body to its compressed size. It applies to bodies of "
        "more than 1 MiB.",
        type=click.IntRange(1),
        metavar="NUMBER",
    )
    max_head: int = field(
        64 * 1024,
        "Maximum size of the request line and the header fields.",
        type=click.IntRange(256, 16 * 1024 * 1024),
        metavar="BYTES",
    )
    max_headers: int = field(
        100,
        "Maximum number of header fields in a request.",
        type=click.IntRange(1, 10_000),
        metavar="NUMBER",
    )
    max_target: int = field(
        16 * 1024,
        "Maximum size of the request target (path and query).",
        type=click.IntRange(64, 16 * 1024 * 1024),
        metavar="BYTES",
    )
    max_unfinished: int | None = field(
        None,
        "Maximum memory of all requests that are not complete or wait to be processed. The "
        "default is a share of --max-memory, at most 256 MiB. It is never less than one "
        "request can need.",
        type=click.IntRange(1),
        metavar="BYTES",
    )
    max_memory: int | None = field(
        None,
        "Maximum memory of recorded calls, resources, responses and requests. Each has a share"
        " of it. The default is a quarter of the memory of the machine or container.",
        type=click.IntRange(_MIN_MEMORY),
        metavar="BYTES",
    )
    max_delay: str = field(
        "2m", "Maximum delay that a client can request with `Prefer: wait`.", metavar="DURATION"
    )
    max_waiting: int = field(
        10_000,
        "Maximum number of responses that wait for a delay at the same time. More requests get 503.",
        type=click.IntRange(0),
        metavar="NUMBER",
    )
    max_waiting_per_client: int = field(
        0,
        "The same maximum for one client address. 0 means no maximum. Loopback is not counted.",
        type=click.IntRange(0),
        metavar="NUMBER",
    )
    max_connections_per_client: int = field(
        0,
        "Maximum number of connections from one client address. 0 means no maximum. Loopback is not counted.",
        type=click.IntRange(0),
        metavar="NUMBER",
    )
    head_timeout: str = field(
        "10s",
        "How long a client can take to send the request line and the header fields.",
        metavar="DURATION",
    )
    body_timeout: str = field(
        "30s", "How long a client can take to send the body after that.", metavar="DURATION"
    )
    idle_timeout: str = field("2m", "How long a connection without requests stays open.", metavar="DURATION")

    def check(self) -> None:
        """Check the limits. Raise UsageError for an invalid one."""
        if self.max_target > self.max_head:
            raise UsageError(
                f"--max-target {self.max_target} is more than --max-head {self.max_head}, and the head "
                "includes the target. Lower --max-target or raise --max-head."
            )
        if self.max_unfinished is not None and self.max_unfinished < self._max_request:
            raise UsageError(
                f"--max-unfinished {self.max_unfinished} is less than one request can need. Use "
                f"{self._max_request} or more, or lower --max-body {self.max_body} "
                f"or --max-head {self.max_head}."
            )
        for name in ("head_timeout", "body_timeout", "idle_timeout"):
            self._seconds(name)
        self.max_delay_ms()

    def max_delay_ms(self) -> int:
        """Return the milliseconds of ``--max-delay``. Raise UsageError for an invalid duration."""
        try:
            found = parse_duration(self.max_delay)
        except ValueError as error:
            raise UsageError(f"--max-delay: {error}.") from None
        if found > _MAX_TIME:
            raise UsageError(f"--max-delay {self.max_delay} is out of range. Use 0s to 1d.")
        return found

    def memory(self, journal_bytes: int, *, processes: int = 1) -> MemoryLimits:
        """Return the memory limits of one of ``processes`` processes."""
        from msgspec.structs import replace

        from mockserver.namespaces.memory import MemoryLimits

        total = self.max_memory or available_memory() // _QUARTER
        shares = MemoryLimits.of(total // processes) if total else MemoryLimits()
        unfinished = min(shares.unfinished, self.max_unfinished or shares.unfinished)
        return replace(
            shares,
            journals=min(shares.journals, journal_bytes),
            unfinished=max(unfinished, self._max_request),
        )

    @property
    def _max_request(self) -> int:
        """Return the maximum size of one request in bytes."""
        return self.max_head + self.max_body

    def limits(self) -> Limits:
        """Return the limits of a connection."""
        from mockserver.http.owner import Limits

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
        """Return the value of a timeout in seconds. Raise UsageError for an invalid one."""
        shown = "--" + name.replace("_", "-")
        try:
            found = parse_duration(getattr(self, name))
        except ValueError as error:
            raise UsageError(f"{shown}: {error}.") from None
        if not _MIN_TIME <= found <= _MAX_TIME:
            raise UsageError(f"{shown} {getattr(self, name)} is out of range. Use 100ms to 1d.")
        return found / 1000


_UNLIMITED = 1 << 60
"""A control group without a limit has ``max`` or a number above this one."""
_FILES = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
"""Controller in /proc/self/cgroup → the folder of its hierarchy and the file with the limit."""


def available_memory(root: Path = Path("/")) -> int:
    """Return the smallest memory limit of the machine, container and process in bytes; 0 if none is known."""
    return min(_limits(root), default=0)


def _limits(root: Path) -> Iterator[int]:
    with suppress(ValueError, OSError):  # no such name on this system
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield from _control_group_limits(root)
    used = _used(root)
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            yield max(0, soft - used.get(name, 0))


def _control_group_limits(root: Path) -> Iterator[int]:
    """Yield the limits of the control groups of this process and of their parents, versions 1 and 2."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            if controller in _FILES:
                folder, name = _FILES[controller]
                mount = root / "sys/fs/cgroup" / folder
                group = mount / path.lstrip("/")
                for parent in (group, *group.parents):
                    if parent == mount.parent:
                        break
                    found = _text(parent / name).strip()
                    if found.isdigit() and int(found) < _UNLIMITED:
                        yield int(found)


def _used(root: Path) -> dict[str, int]:
    """Return the bytes that this process uses now, by the names of /proc/self/status."""
    lines = (line.partition(":") for line in _text(root / "proc/self/status").splitlines())
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in lines if rest.endswith("kB")}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
