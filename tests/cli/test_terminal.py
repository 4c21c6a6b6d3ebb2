"""``serve`` on a terminal: a person reads along, who is told more than a script is."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live import MISSION, PATIENCE, Process, get

KEY = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"
ALLOWED = "Authorization: Bearer any"


class Terminal:
    """The lines that a process writes to a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], handle: int) -> None:
        self._process = process
        self._handle = handle
        self._read = b""
        self._ended = False

    def line(self) -> str:
        """The next line as a person sees it; empty where the process has ended."""
        while b"\n" not in self._read and not self._ended:
            self._more()
        line, _, self._read = self._read.partition(b"\n")
        return line.decode().rstrip("\r").rpartition("\x1b[K")[2]  # what stood there was erased

    def end(self) -> list[str]:
        """The lines that are left when the server is told to stop."""
        self._process.send_signal(signal.SIGTERM)
        while not self._ended:
            self._more()
        assert self._process.wait(PATIENCE) == 0
        return self._read.decode().splitlines()

    def _more(self) -> None:
        assert select.select([self._handle], [], [], PATIENCE)[0], self._read
        try:
            data = os.read(self._handle, 65536)
        except OSError:  # how Linux says that nobody writes to it any more
            data = b""
        self._ended = not data
        self._read += data


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Terminal]:
    """``mockserver serve --port 0`` on a terminal."""
    handle, inner = pty.openpty()
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", *arguments]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment)
    os.close(inner)
    try:
        yield Terminal(process, handle)
    finally:
        process.kill()
        process.wait()
        os.close(handle)


def first(terminal: Terminal) -> str:
    """The first line with a URL, as scripts look for it."""
    while "http://" not in (line := terminal.line()):
        assert line, "the server has ended"
    return line


def port_of(line: str) -> int:
    found = re.fullmatch(r"mockserver \S+ answers on http://127\.0\.0\.1:(\d+)", line)
    assert found is not None, line
    return int(found[1])


def test_addresses_and_requests_are_shown(cache: Path) -> None:
    with serving(cache) as terminal:
        port = port_of(first(terminal))
        assert terminal.line() == f"  page: http://127.0.0.1:{port}/__admin/"
        assert terminal.line() == f"  docs: http://127.0.0.1:{port}/__admin/docs"
        assert get(port, "/__admin/health").status == 200
        assert get(port, f"{MISSION}/{KEY}", ALLOWED).status == 200
        assert get(port, "/nowhere").status == 404
        polled, not_found = terminal.line(), terminal.line()
        assert re.fullmatch(
            rf"\d\d:\d\d:\d\d GET {MISSION}/{KEY} 200 \d+ \S+ms scenario=issued; state=pending; call=1",
            polled,
        )
        assert re.fullmatch(r"\d\d:\d\d:\d\d GET /nowhere 404 \d+ \S+ms unknown path", not_found)
        assert terminal.end() == []


def test_requests_are_not_shown_where_warnings_are_asked_for(cache: Path) -> None:
    with serving(cache, "--log-level", "warning") as terminal:
        port = port_of(first(terminal))
        assert get(port, f"{MISSION}/{KEY}", ALLOWED).status == 200
        assert [each.split(":")[0] for each in terminal.end()] == ["  page", "  docs"]


def test_the_control_plane_has_its_own_port_or_none(cache: Path) -> None:
    with serving(cache, "--admin-port", "0") as terminal:
        port = port_of(first(terminal))
        found = re.fullmatch(r"its control plane is on (http://127\.0\.0\.1:(\d+)/__admin/)", terminal.line())
        assert found is not None
        assert int(found[2]) != port
        assert terminal.line() == f"  page: {found[1]}"
        assert terminal.line() == f"  docs: {found[1]}docs"
    with serving(cache, "--no-admin") as terminal:
        port_of(first(terminal))
        assert terminal.end() == []


@pytest.mark.parametrize(("arguments", "lines"), [((), 0), (("--log-level", "info"), 1)])
def test_without_a_terminal_requests_are_shown_where_they_are_asked_for(
    cache: Path, arguments: tuple[str, ...], lines: int
) -> None:
    with Process(*arguments, cache=cache) as server:
        assert get(server.port, f"{MISSION}/{KEY}", ALLOWED).status == 200
        code, errors = server.stop(signal.SIGTERM)
    assert (code, len(errors.splitlines())) == (0, lines)
