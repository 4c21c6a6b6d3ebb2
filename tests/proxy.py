"""A TCP proxy in a thread: what goes through it can be held back, let go and cut off."""

from __future__ import annotations

import selectors
import socket
import threading
from types import TracebackType

from tests.live import PATIENCE


class Proxy:
    """Before ``port`` of this machine. Directions are ``there`` (of requests) and ``back`` (of answers)."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Condition()
        self._held: dict[str, bytes] = {}
        self._kept: list[tuple[socket.socket, bytes]] = []
        self._pairs: dict[socket.socket, tuple[socket.socket, str]] = {}
        self._wake, self._woken = socket.socketpair()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Proxy:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._wake.send(b"!")
        self._thread.join(PATIENCE)
        self.cut()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        self._selector.close()

    def hold(self, direction: str, since: bytes = b"") -> None:
        """Keep what comes in this direction, beginning with what has these octets in it."""
        with self._lock:
            self._held[direction] = since

    def kept(self, wanted: bytes) -> None:
        """Wait until something is kept that has these octets in it."""
        with self._lock:
            came = self._lock.wait_for(lambda: any(wanted in data for _, data in self._kept), PATIENCE)
            assert came, f"{wanted!r} did not come"

    def let_go(self) -> None:
        """Pass on what was kept, and what comes."""
        with self._lock:
            self._held.clear()
            for target, data in self._kept:
                target.sendall(data)
            self._kept.clear()

    def cut(self) -> None:
        """Close every connection. What is kept is lost, and nothing more is kept."""
        with self._lock:
            self._held.clear()
            self._kept.clear()
            while self._pairs:
                self._drop(next(iter(self._pairs)))

    def _run(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                channel = key.fileobj
                assert isinstance(channel, socket.socket)
                if channel is self._listener:
                    self._accept()
                elif channel is not self._woken:
                    self._pass(channel)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        with self._lock:
            self._pairs[client], self._pairs[server] = (server, "there"), (client, "back")
            for each in (client, server):
                self._selector.register(each, selectors.EVENT_READ)

    def _pass(self, channel: socket.socket) -> None:
        with self._lock:
            if channel not in self._pairs:
                return
            target, direction = self._pairs[channel]
            try:
                data = channel.recv(65536)
                if data and direction in self._held and self._held[direction] in data:
                    self._held[direction] = b""
                    self._kept.append((target, data))
                    self._lock.notify_all()
                elif data:
                    target.sendall(data)
            except OSError:
                data = b""
            if not data:
                self._drop(channel)

    def _drop(self, channel: socket.socket) -> None:
        other, _ = self._pairs.pop(channel)
        self._pairs.pop(other, None)
        for each in (channel, other):
            self._selector.unregister(each)
            each.close()
