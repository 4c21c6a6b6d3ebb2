"""A process that works for the server, so that its event loop does not wait for a long call.

To validate a body of ten megabytes takes up to two seconds, and nothing can interrupt one call of the
validator. The process is a fork, so that it has the document and its validators without a copy. It can be
ended: an input that takes too much time or memory costs one response, not the server. (Linux only: on other
systems, forks of a process that uses system libraries are not safe.)
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import warnings
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mockserver.messages import Deferred

MAX_SECONDS = 20
"""Seconds of processor time for one job."""
_MAX_MEMORY = 1024**3
"""Bytes of memory for one job, in addition to what the server has."""
_MAX_KEPT = 64 * 1024**2
"""Bytes by which a process may grow before another one replaces it."""
_MAX_WAIT = 60.0
"""Seconds of real time for one job. A fork could wait for a lock that another thread held."""
_MAX_IDLE = 10.0
"""Seconds after the last job at which the process ends."""
_RETRY = 0.02
"""Seconds after which the server asks again whether a process has ended."""
_SOCKET = 3
NOT_STARTED = b"-"
"""The result if no process can be started. So a result of ``work`` must not be this one."""
_DONE, _LAST = b"d", b"l"
"""A result is ready; it is ready, and the process ends."""

Work = Callable[[bytes], bytes]


class Job(Deferred[bytes]):
    """The deferred result for one input; empty if the process failed, NOT_STARTED if there is none."""

    __slots__ = ("data", "is_cancelled", "owner")

    def __init__(self, owner: Process, data: bytes) -> None:
        super().__init__()
        self.owner = owner
        self.data = data
        self.is_cancelled = False

    def cancel(self) -> None:
        """Drop the job: its result is not needed any more."""
        super().cancel()
        self.is_cancelled = True
        self.data = b""
        self.owner.drop(self)


class Process:
    """Does one job after the other, so that all together take the memory of one."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._file = -1
        """The descriptor of the memory that has the input, and then the result, of the current job."""
        self._socket: socket.socket | None = None
        """The connection to the process; None if no process runs."""
        self._id = 0
        self._timer: asyncio.TimerHandle | None = None
        """Ends the process after too long a job, or when it has no job."""

    def run(self, data: bytes) -> Job:
        """Let the process do a job. Start it if it does not run."""
        job = Job(self, data)
        self._waiting.append(job)
        self._start_next()
        return job

    def drop(self, job: Job) -> None:
        """End the process if it does this job."""
        if job is self._current:
            self.end()
            self._start_next()

    def end(self) -> None:
        """End the process. The job in progress, if there is one, gets no result."""
        if self._socket is not None:
            os.kill(self._id, signal.SIGKILL)
            self._close()

    def _close(self) -> None:
        """Forget the process, which has ended or is about to end, and its job."""
        self._set_timer(0, None)
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            _reap(self._id)
        self._current = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _start_next(self) -> None:
        """Give the next job to the process, unless it does one."""
        while self._current is None and self._waiting:
            job = self._waiting.popleft()
            if job.is_cancelled:
                continue
            try:
                connection = self._socket or self._start()
                self._current, self._file = job, os.memfd_create("job")
                os.write(self._file, job.data)
                socket.send_fds(connection, [_DONE], [self._file])
                self._set_timer(_MAX_WAIT, self._kill)
            except OSError:  # no memory or descriptors, or the system does not allow it
                self.end()
                job.resolve(NOT_STARTED)
        if self._current is None and self._socket is not None:
            self._set_timer(_MAX_IDLE, self.end)

    def _set_timer(self, seconds: float, work: Callable[[], None] | None) -> None:
        """Call ``work`` in some seconds, and not what was to be called before."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if work is None else asyncio.get_running_loop().call_later(seconds, work)

    def _kill(self) -> None:
        """End a process whose job takes too long. So its connection ends, and the job gets no result."""
        os.kill(self._id, signal.SIGKILL)

    def _start(self) -> socket.socket:
        """Start the process. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter(
                        "ignore"
                    )  # from Python 3.12 on, of threads: the idle one of asyncio
                    self._id = os.fork()
            except OSError:
                ours.close()
                raise
            if not self._id:
                _serve(self._work, theirs.fileno())
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours, self._receive)
        return ours

    def _receive(self) -> None:
        """Pass on the result of the current job."""
        job, file = self._current, self._file
        self._current, self._file = None, -1
        message = result = b""
        with suppress(ConnectionResetError):  # it was killed before it took the job
            message = self._socket.recv(1) if self._socket is not None else b""
        if file >= 0:
            if message:
                result = _content(file)
            os.close(file)
        if message != _DONE:
            self._close()
        try:
            if job is not None:
                job.resolve(result)
        finally:
            self._start_next()


def _reap(process: int) -> None:
    """Release the number of a process, as soon as the system has freed its memory."""
    with suppress(ChildProcessError):
        if os.waitpid(process, os.WNOHANG) != (0, 0):
            return
        asyncio.get_running_loop().call_later(_RETRY, _reap, process)


def _serve(work: Work, descriptor: int) -> None:
    """Do the jobs of the server in the new process until it closes the connection; then end the process."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C of a terminal: the server ends this process
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(descriptor, _SOCKET)
        os.closerange(_SOCKET + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        gc.freeze()
        size, started = _memory()
        _limit(resource.RLIMIT_AS, size + _MAX_MEMORY)
        with socket.socket(fileno=_SOCKET) as connection:
            while True:
                files = socket.recv_fds(connection, 1, 1)[1]
                if not files:
                    break
                used = resource.getrusage(resource.RUSAGE_SELF)
                _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + MAX_SECONDS)
                _do(work, files[0])
                message = _LAST if _memory()[1] > started + _MAX_KEPT else _DONE
                connection.send(message)
                if message == _LAST:
                    break
    finally:
        os._exit(0)


def _do(work: Work, file: int) -> None:
    """Replace the input in a file by the result."""
    result = work(_content(file))
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, result)
    os.close(file)


def _content(file: int) -> bytes:
    """Return all that a file in memory has."""
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, os.fstat(file).st_size)


def _memory() -> tuple[int, int]:
    """Return the bytes of virtual memory of this process, and those of its resident set."""
    size, resident = Path("/proc/self/statm").read_bytes().split()[:2]
    return int(size) * resource.getpagesize(), int(resident) * resource.getpagesize()


def _limit(kind: int, most: int) -> None:
    """Limit what this process may take, below the limit that it has already."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, hard))
