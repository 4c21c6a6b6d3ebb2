"""``--workers``: processes that answer on one port, and the parent that keeps them alive.

The parent makes the sockets, one for each worker, and keeps them: what connects
while a worker is dead waits for the next one. It answers nothing itself.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import click

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_GRACE = 15.0
"""Seconds that workers have to end, after which they are killed."""
_QUICK, _MOST_QUICK = 2.0, 5
"""A worker that dies before it can answer, or by its own fault within so many seconds of its start, so often
in a row, is not started again. One that is killed is, however often."""


class Supervisor:
    """Forks workers and starts those anew that die. Call it before there are threads or loops."""

    def __init__(self, count: int, work: Callable[[int, Callable[[], None], int], None]) -> None:
        """``work(index, ready, leash)`` serves until SIGTERM, or until nobody holds ``leash`` any more."""
        self._count = count
        self._work = work
        self._children: dict[int, int] = {}
        self._started: dict[int, float] = {}
        self._able: set[int] = set()
        """Those that can answer, of those that run."""
        self._announced = False
        self._quick = 0
        self._stopping = False
        self._leash, self._held = os.pipe()
        self._news, self._tell = os.pipe()
        os.set_blocking(self._news, False)

    def run(self, announce: Callable[[], None]) -> int:
        """Until told to stop; ``announce`` is called when all can answer. The exit code."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        for number in _SIGNALS:
            signal.signal(number, self._heard)
        for index in range(self._count):
            self._start(index)
        end = 0.0
        while self._children:
            timeout = max(0.0, end - time.monotonic()) if self._stopping else None
            readable, _, _ = select.select([wake, self._news], [], [], timeout)
            if wake in readable:
                os.read(wake, 4096)
            self._hear()
            if len(self._able) == self._count and not self._announced:
                self._announced = True
                announce()
            self._reap()
            if self._stopping:
                end = end or time.monotonic() + _GRACE
                if time.monotonic() >= end:
                    self._kill(signal.SIGKILL)
        return 1 if self._quick >= _MOST_QUICK else 0

    def _heard(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD:
            self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._kill(signal.SIGTERM)

    def _kill(self, number: int) -> None:
        for process in self._children:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _reap(self) -> None:
        while self._children:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            index = self._children.pop(process, None)
            if index is None or self._stopping:
                continue
            self._hear()
            was_able = index in self._able
            self._able.discard(index)
            code = os.waitstatus_to_exitcode(status)
            if code == 0:  # it was told to stop, by POST /__admin/shutdown
                self._stop()
                continue
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            is_quick = code > 0 and time.monotonic() - self._started[index] < _QUICK
            self._quick = self._quick + 1 if is_quick or not was_able else 0
            if self._quick >= _MOST_QUICK:
                click.echo(f"Error: worker {index} {how} again and again; the server stops.", err=True)
                self._stop()
                continue
            click.echo(f"worker {index} {how}; another takes its place", err=True)
            self._start(index)

    def _tell_of(self, index: int) -> None:
        """In a worker: say that it can answer."""
        os.write(self._tell, bytes([index]))

    def _hear(self) -> None:
        """Note which workers say that they can answer."""
        with suppress(BlockingIOError):
            self._able.update(os.read(self._news, 4096))

    def _start(self, index: int) -> None:
        sys.stdout.flush()
        self._started[index] = time.monotonic()
        # A worker that is told to stop before it has its own handlers would go on: it has the parent's.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        process = os.fork()
        if process:
            self._children[process] = index
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._held)
            self._work(index, partial(self._tell_of, index), self._leash)
            code = 0
        except click.ClickException as error:
            error.show()
        except BaseException:  # noqa: BLE001 - a worker's end is told by its exit code
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
