"""``mockserver serve`` as users start it, and what it takes of the machine while it runs (Linux)."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mockserver.http.listener import raise_descriptors
from tests.live import Process

MEBI = 1024 * 1024
_PATIENCE = 15.0
_SCHEDULER = 2
"""What makes a process's number the clock of its processor time (Linux: clock_getcpuclockid)."""


class Served(Process):
    """A server process, with its memory, descriptors and processor time."""

    @property
    def memory(self) -> int:
        """Bytes of its resident set."""
        return self._status("VmRSS") * 1024

    @property
    def peak(self) -> int:
        """Bytes of the largest resident set that it had."""
        return self._status("VmHWM") * 1024

    @property
    def descriptors(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.id}/fd").iterdir())

    def forget_peak(self) -> None:
        """Let ``peak`` begin with what the resident set is now."""
        Path(f"/proc/{self.id}/clear_refs").write_text("5")

    @property
    def worked(self) -> float:
        """Seconds of processor time of it, and of its children that have ended."""
        fields = Path(f"/proc/{self.id}/stat").read_text().rpartition(")")[2].split()
        children = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        clock = ~self.id << 3 | _SCHEDULER
        return time.clock_gettime(clock) + children

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def comes_back_to(self, descriptors: int) -> bool:
        """Whether it has no more descriptors than it had, some seconds after its clients are gone at most."""
        return until(lambda: self.descriptors <= descriptors)

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.id}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise LookupError(name)


@contextmanager
def served(*arguments: str | Path, cache: Path | None = None, by: Sequence[str] = ()) -> Iterator[Served]:
    """A server of ``arguments``. Compiled documents are kept in ``cache``, else in a folder of its own."""
    with tempfile.TemporaryDirectory() as own, Served(*arguments, cache=cache or Path(own), by=by) as process:
        yield process


def until(holds: Callable[[], bool], patience: float = _PATIENCE) -> bool:
    """Whether ``holds`` comes to hold within so many seconds."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def need_descriptors(wanted: int) -> None:
    """Let this process, which is the clients, have so many descriptors. Raises OSError where it may not."""
    if (most := raise_descriptors()) < wanted and most != resource.RLIM_INFINITY:
        raise OSError(f"{wanted} descriptors are needed, and {most} may be had: raise the limit (ulimit -Hn)")


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of them do not go over."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
