"""A server process with its children: started on one core, watched through /proc, ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

SERVER_CORE = 0
LOAD_CORE = 1

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a process and all its descendants, in bytes; ``pss`` is 0 where the kernel does not tell."""

    rss: int
    """Pages shared by several processes counted in each of them."""
    pss: int
    """Shared pages divided by the number of processes that share them."""


def pin(core: int) -> None:
    """Keep the calling process on a core, where there is more than one and the system can do it."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > max(SERVER_CORE, LOAD_CORE):
        os.sched_setaffinity(0, {core})


def unpin() -> None:
    """Let the calling process run on every core again."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


class Process:
    """A process group of one command; it is ended on leaving the ``with`` block."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        core: int | None = SERVER_CORE,
    ) -> None:
        """``core`` None: any core, even where the calling process is kept on one."""
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: pin(core) if core is not None else unpin(),
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(10)
        # Also when the first process is gone: a child may have outlived it.
        self._signal(signal.SIGKILL)
        self._popen.wait()

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def output(self, characters: int = 2000) -> str:
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-characters:].strip()

    def memory(self) -> Memory:
        """What the process and its descendants have in memory now."""
        amounts = [_rollup(pid) for pid in self._tree()]
        return Memory(sum(each.rss for each in amounts), sum(each.pss for each in amounts))

    def peak(self) -> int:
        """The most that the process and its descendants had in memory, each at its own time, in bytes."""
        return sum(_high_water(pid) for pid in self._tree())

    def processor_seconds(self) -> float:
        """User and system time of the process and its descendants so far, to 10 ms."""
        return sum(_ticks(pid) for pid in self._tree()) / _TICKS

    def _tree(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := _stat(int(entry.name))):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        tree = [self._popen.pid]
        for pid in tree:  # grows while it is walked
            tree += children.get(pid, [])
        return tree

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, number)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state, ppid, …); none for a process that is gone."""
    try:
        # The second field is a name in parentheses and may hold spaces and parentheses itself.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _high_water(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _rollup(pid: int) -> Memory:
    sizes = {"Rss": 0, "Pss": 0}
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name in sizes:
            sizes[name] = int(value.split()[0]) * 1024
    if not sizes["Rss"]:
        with suppress(OSError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            sizes["Rss"] = pages * os.sysconf("SC_PAGE_SIZE")
    return Memory(sizes["Rss"], sizes["Pss"])
