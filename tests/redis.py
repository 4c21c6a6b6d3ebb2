"""A Redis of the tests' own: a real ``redis-server`` on a free port, with its data in a folder of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests import programs
from tests.live import PATIENCE


class Redis:
    """Started on entering, killed on leaving. Faults are ``kill``, ``freeze`` and their counterparts.

    Args:
        durable: Every write is in the append-only file before it is acknowledged, so that nothing
            that was acknowledged is lost by ``kill``. Else nothing is kept.
    """

    def __init__(self, *options: str, durable: bool = False) -> None:
        self._server = programs.path("redis-server")
        self._folder = Path(tempfile.mkdtemp(prefix="mockserver-redis-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._options = [*(("--appendonly", "yes", "--appendfsync", "always") if durable else ()), *options]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Redis:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start, and wait until it answers (after it has read its append-only file)."""
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [self._server, *where, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if self.say("PING") == b"+PONG\r\n":
                    return
            except OSError:
                pass
            assert time.monotonic() < end, "redis-server does not answer"
            assert self._process.poll() is None, "redis-server has ended"
            time.sleep(0.01)  # nothing tells of a server of another process that begins to listen

    def kill(self) -> None:
        """SIGKILL: as when the machine takes it away."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It holds its connections and answers nothing, until ``thaw``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def say(self, *words: str) -> bytes:
        """What it says to one inline command, as RESP octets: at most 64 KiB."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
            client.sendall(" ".join(words).encode() + b"\r\n")
            return client.recv(65536)
