"""Processes that answer on one port, and the parent that keeps them alive.

The parent makes the sockets, one for each worker, and keeps them: what connects
while a worker is dead waits for the next one. It answers nothing itself.

Every worker sends a beat each second from its event loop. One whose loop stands
still writes its stack to stderr (``Watchdog``); the parent ends it when it stays
so, and starts another in its place.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import click

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_GRACE = 15.0
"""Seconds that workers have to end, after which they are killed."""
_QUICK, _MAX_QUICK = 2.0, 5
"""A worker that dies before it can answer, or by its own fault within so many seconds of its start, so often
in a row, is not started again. One that is killed is, however often."""

_BEAT = 1.0
"""Seconds between two beats of a worker."""
STUCK = 5
"""Beats that a worker misses before its stack is written."""
_MAX_MISSED = 10
"""Beats that a worker misses before it is ended, counted by rounds of the parent: after both of them slept,
as a machine does that is suspended, none is missed."""


class Watchdog:
    """Writes the stacks of all threads to stderr when the event loop stands still for ``STUCK`` seconds.

    The signal of a timer does it, which faulthandler handles in C: also while one call into C holds
    the interpreter. faulthandler's own timer would be a thread, and in a process with threads every
    system call and every large piece of memory costs more (3 to 5 % of a poll).
    """

    def __init__(self, on_beat: Callable[[], None]) -> None:
        self._on_beat = on_beat
        faulthandler.register(signal.SIGALRM)

    def beat(self) -> None:
        """Say that the loop turns."""
        signal.setitimer(signal.ITIMER_REAL, STUCK * _BEAT)
        self._on_beat()

    def stop(self) -> None:
        """Watch no longer."""
        signal.setitimer(signal.ITIMER_REAL, 0)


class Worker(NamedTuple):
    """What a process that serves has of its supervisor."""

    number: int
    beat: Callable[[], None]
    """Says that it can answer, and from then on each second that its event loop turns."""
    parent_pipe: int | None
    """A descriptor that is at its end when the supervisor is gone."""


class Supervisor:
    """Forks workers, ends those that stand still, and starts those anew that die.

    Make it before there are threads or loops.
    """

    def __init__(self, count: int, *, keeps_state: bool = True) -> None:
        """``keeps_state``: whether the state of resources outlives a worker."""
        self._count = count
        self._loss_note = "" if keeps_state else "; the state of its resources is lost"
        self._children: dict[int, int] = {}
        self._started: dict[int, float] = {}
        self._missed: dict[int, int] = {}
        """Beats that a worker has missed, of those that can answer."""
        self._announced = False
        self._quick = 0
        self._code = 0
        self._stopping = False
        self._parent_pipe, self._parent_pipe_end = os.pipe()
        self._beats, self._beats_end = os.pipe()
        os.set_blocking(self._beats, False)
        os.set_blocking(self._beats_end, False)

    def run(self, announce: Callable[[], None]) -> Worker:
        """Return in each worker; in this process raise SystemExit with the exit code when all have ended.

        ``announce`` is called here when all can answer. Where the only worker ends before that, its exit
        code is the code.
        """
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        for index in range(self._count):
            if (worker := self._start(index)) is not None:
                return worker
        end, round_ends = 0.0, time.monotonic() + _BEAT
        while self._children:
            readable, _, _ = select.select(
                [wake, self._beats], [], [], max(0.0, round_ends - time.monotonic())
            )
            if wake in readable:
                os.read(wake, 4096)
            self._read_beats()
            if len(self._missed) == self._count and not self._announced:
                self._announced = True
                announce()
            for index in self._reap():
                if (worker := self._start(index)) is not None:
                    return worker
            if time.monotonic() >= round_ends:
                round_ends = time.monotonic() + _BEAT
                self._end_stuck()
            if self._stopping:
                end = end or time.monotonic() + _GRACE
                if time.monotonic() >= end:
                    self._kill(signal.SIGKILL)
        sys.exit(self._code)

    def _on_signal(self, number: int, frame: object) -> None:
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

    def _end_stuck(self) -> None:
        """Count a beat as missed by all that can answer, and end those that missed too many."""
        max_missed = STUCK if self._stopping else _MAX_MISSED
        for process, index in self._children.items():
            if index in self._missed:
                self._missed[index] += 1
                if self._missed[index] == max_missed:
                    click.echo(
                        f"worker {index} has stood still for {max_missed * _BEAT:.0f} s and is ended",
                        err=True,
                    )
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)

    def _reap(self) -> list[int]:
        """The indices of workers that have died and are to be started anew."""
        died = []
        while self._children:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if process == 0:
                break
            index = self._children.pop(process, None)
            if index is None or self._stopping:
                continue
            self._read_beats()
            was_able = self._missed.pop(index, None) is not None
            code = os.waitstatus_to_exitcode(status)
            if code == 0:  # it was told to stop, by POST /__admin/shutdown
                self._stop()
                continue
            if code > 0 and self._count == 1 and not self._announced:  # it has said why
                self._code = code
                self._stop()
                continue
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            is_quick = code > 0 and time.monotonic() - self._started[index] < _QUICK
            self._quick = self._quick + 1 if is_quick or not was_able else 0
            if self._quick >= _MAX_QUICK:
                click.echo(f"Error: worker {index} {how} again and again; the server stops.", err=True)
                self._code = 1
                self._stop()
                continue
            click.echo(f"worker {index} {how}; another takes its place{self._loss_note}", err=True)
            died.append(index)
        return died

    def _send_beat(self, index: int) -> None:
        """In a worker: say that it can answer."""
        with suppress(BlockingIOError):  # the parent is behind with reading, so it has beats enough
            os.write(self._beats_end, bytes([index]))

    def _read_beats(self) -> None:
        """Note which workers say that they can answer."""
        with suppress(BlockingIOError):
            self._missed.update(dict.fromkeys(os.read(self._beats, 4096), 0))

    def _start(self, index: int) -> Worker | None:
        """Fork: the worker in the new process, None in this one."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._started[index] = time.monotonic()
        # A worker that is told to stop before it has its own handlers would go on: it has the parent's.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        process = os.fork()
        if process:
            self._children[process] = index
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return None
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(self._parent_pipe_end)
        return Worker(index, partial(self._send_beat, index), self._parent_pipe)
