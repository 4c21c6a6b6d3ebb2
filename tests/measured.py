"""``mockserver serve`` as users start it, and what it takes of the machine while it runs (Linux)."""

from __future__ import annotations

import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mockserver.http.listener import raise_descriptors
from tests.live import Process, children

MEBI = 1024 * 1024
_PATIENCE = 15.0
_LOOK = 0.004
"""Seconds between two looks at a process that may end at any time."""
_SCHEDULER = 2
"""What makes a process's number the clock of its processor time (Linux: clock_getcpuclockid)."""


class Served(Process):
    """A server process, with its memory, descriptors and processor time."""

    @property
    def memory(self) -> int:
        """Bytes of its resident set."""
        return _status(self.id, "VmRSS")

    @property
    def peak(self) -> int:
        """Bytes of the largest resident set that it had."""
        return _status(self.id, "VmHWM")

    @property
    def readers(self) -> list[int]:
        """The processes that read heavy requests for it."""
        return children(self.id)

    @property
    def descriptors(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.id}/fd").iterdir())

    def forget_peak(self) -> None:
        """Let ``peak`` begin with what the resident set is now."""
        Path(f"/proc/{self.id}/clear_refs").write_text("5")

    @property
    def worked(self) -> float:
        """Seconds of processor time of it and its children."""
        fields = Path(f"/proc/{self.id}/stat").read_text().rpartition(")")[2].split()
        ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        return ended + sum(map(_processor_time, (self.id, *self.readers)))

    @contextmanager
    def readers_watched(self) -> Iterator[list[int]]:
        """Watch the processes that read for it; the list gets the bytes by which the largest one grew."""
        before: dict[int, int] = {}
        for each in self.readers:
            with suppress(OSError, LookupError):  # it has ended
                Path(f"/proc/{each}/clear_refs").write_text("5")
                before[each] = _own_peak(each)
        grown: list[int] = []
        ended = threading.Event()

        def watch() -> None:
            most = 0
            while not ended.wait(_LOOK):
                for each in self.readers:
                    with suppress(OSError, LookupError):  # it has ended meanwhile
                        peak = _own_peak(each)
                        most = max(most, peak - before.setdefault(each, peak))
            grown.append(most)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield grown
        finally:
            ended.set()
            watching.join()

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def comes_back_to(self, descriptors: int) -> bool:
        """Whether it has no more descriptors than it had, some seconds after its clients are gone at most."""
        return until(lambda: self.descriptors <= descriptors)


def _status(process: int, name: str) -> int:
    """Bytes. Raises OSError or LookupError if the process has ended."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def _own_peak(process: int) -> int:
    """Bytes of the largest resident set of a fork, without files, which it has only touched."""
    return _status(process, "VmHWM") - _status(process, "RssFile") - _status(process, "RssShmem")


def _processor_time(process: int) -> float:
    with suppress(OSError):  # it has ended
        return time.clock_gettime(~process << 3 | _SCHEDULER)
    return 0.0


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
