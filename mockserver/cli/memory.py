"""How much memory this process may have, by the machine, its container and its own limits."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

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
