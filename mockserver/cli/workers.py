"""Worker processes that serve one port, and the parent process that supervises them.

The parent opens a socket for each worker, and closes it when all have to stop: connections wait while a
worker is replaced. The parent does not serve requests.

Each worker sends a beat every second from its event loop. If the loop is blocked, the worker writes
its stack to stderr (``Watchdog``). If it stays blocked, the parent kills and replaces the worker.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from socket import socket
from typing import NamedTuple

import click

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_GRACE = 15.0
"""Seconds in which workers must end before they are killed."""
_QUICK, _MAX_QUICK = 2.0, 5
"""The server stops after so many quick failures in a row. A quick failure is an error exit within so many
seconds of the start, or an end before the worker is ready. Killed workers are always replaced."""

_BEAT = 1.0
"""Seconds between two beats of a worker."""
STUCK = 5
"""Number of missed beats after which a worker writes its stack."""
_MAX_MISSED = 10
"""Number of missed beats after which the parent kills a worker. The parent counts its own rounds, so that a
suspended machine causes no missed beats."""


class Watchdog:
    """Writes the stacks of all threads to stderr when the event loop is blocked for ``STUCK`` seconds.

    It uses the signal of a timer. faulthandler handles the signal in C, even during a long call of a C
    function. The timer of faulthandler itself is a thread. A thread makes system calls and large
    allocations slower (3 to 5 % of a poll).
    """

    def __init__(self, on_beat: Callable[[], None]) -> None:
        self._on_beat = on_beat
        faulthandler.register(signal.SIGALRM)

    def beat(self) -> None:
        """Report that the event loop runs."""
        signal.setitimer(signal.ITIMER_REAL, STUCK * _BEAT)
        self._on_beat()

    def stop(self) -> None:
        """Stop the timer."""
        signal.setitimer(signal.ITIMER_REAL, 0)


class Worker(NamedTuple):
    """The connection of a worker to its supervisor."""

    number: int
    beat: Callable[[], None]
    """Reports that the worker is ready, and then every second that its event loop runs."""
    parent_pipe: int | None
    """A descriptor that becomes readable (end of file) when the supervisor has ended."""


class Supervisor:
    """Forks workers, kills blocked workers and replaces dead ones.

    Create it before any thread or event loop.
    """

    def __init__(self, count: int, listeners: Sequence[socket] = (), *, keeps_state: bool = True) -> None:
        """``listeners``: the sockets of the workers, which refuse connections when the workers stop.

        ``keeps_state``: whether the state of resources survives the end of a worker.
        """
        self._count = count
        self._listeners = listeners
        self._loss_note = "" if keeps_state else "; the state of its resources is lost"
        self._children: dict[int, int] = {}
        self._started: dict[int, float] = {}
        self._missed: dict[int, int] = {}
        """Worker → number of missed beats, for workers that are ready."""
        self._announced = False
        self._quick = 0
        self._code = 0
        self._stopping = False
        self._parent_pipe, self._parent_pipe_end = os.pipe()
        self._beats, self._beats_end = os.pipe()
        os.set_blocking(self._beats, False)
        os.set_blocking(self._beats_end, False)

    def run(self, announce: Callable[[], None]) -> Worker:
        """Return in each worker. In this process raise SystemExit with the exit code when all have ended.

        This process calls ``announce`` when all workers are ready. If the only worker ends before
        that, its exit code is the exit code.
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
            if len(self._missed) == self._count and not self._announced and not self._stopping:
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

    def _on_signal(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            for listener in self._listeners:
                listener.close()
            self._kill(signal.SIGTERM)

    def _kill(self, number: int) -> None:
        for process in self._children:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _end_stuck(self) -> None:
        """Count a missed beat for each ready worker, and kill those that missed too many."""
        max_missed = STUCK if self._stopping else _MAX_MISSED
        for process, index in self._children.items():
            if index in self._missed:
                self._missed[index] += 1
                if self._missed[index] == max_missed:
                    click.echo(
                        f"worker {index} was blocked for {max_missed * _BEAT:.0f} s and is killed",
                        err=True,
                    )
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)

    def _reap(self) -> list[int]:
        """Return the indices of dead workers that must be replaced."""
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
            was_ready = self._missed.pop(index, None) is not None
            code = os.waitstatus_to_exitcode(status)
            if code == 0:  # stopped by POST /__admin/shutdown
                self._stop()
                continue
            if code > 0 and self._count == 1 and not self._announced:  # it has printed the error
                self._code = code
                self._stop()
                continue
            end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            is_quick = code > 0 and time.monotonic() - self._started[index] < _QUICK
            self._quick = self._quick + 1 if is_quick or not was_ready else 0
            if self._quick >= _MAX_QUICK:
                click.echo(f"Error: worker {index} {end} too many times; the server stops.", err=True)
                self._code = 1
                self._stop()
                continue
            click.echo(f"worker {index} {end}; it is replaced{self._loss_note}", err=True)
            died.append(index)
        return died

    def _send_beat(self, index: int) -> None:
        """Send a beat to the parent. Runs in a worker."""
        with suppress(BlockingIOError):  # the parent has unread beats
            os.write(self._beats_end, bytes([index]))

    def _read_beats(self) -> None:
        """Read the beats of the workers."""
        with suppress(BlockingIOError):
            self._missed.update(dict.fromkeys(os.read(self._beats, 4096), 0))

    def _start(self, index: int) -> Worker | None:
        """Fork. Return the worker in the new process, None in this one."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._started[index] = time.monotonic()
        # Until a worker has its own handlers, it has the parent's and would ignore a signal to stop.
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
