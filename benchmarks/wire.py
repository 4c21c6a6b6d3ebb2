"""HTTP/1.1 over a raw socket: as little client as will do, so that it costs the measurement little."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Response:
    """Status, header fields (names in lower case) and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The value of the field, empty where there is none."""
        return next((value for each, value in self.headers if each == name), "")


class Connection:
    """A keep-alive connection to a server on loopback; OSError when it breaks."""

    def __init__(self, port: int, timeout: float) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")
        self._host = f"127.0.0.1:{port}"

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()

    def get(self, path: str, *fields: str) -> Response:
        """The answer to GET with further header ``fields``, read to its end (RFC 9112)."""
        self._socket.sendall(self._head(path, fields))
        return self._answer()

    def get_all(self, paths: Sequence[str]) -> None:
        """GET every one of ``paths``, sent together, and read the answers."""
        self._socket.sendall(b"".join(self._head(path, ()) for path in paths))
        for _ in paths:
            self._answer()

    def _head(self, path: str, fields: Sequence[str]) -> bytes:
        lines = (f"GET {path} HTTP/1.1", f"Host: {self._host}", "Accept: */*", *fields, "", "")
        return "\r\n".join(lines).encode()

    def _answer(self) -> Response:
        status = self._line().split(" ", 2)[1:2]
        if not status:
            raise ConnectionResetError("closed without an answer")
        headers = []
        while line := self._line():
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        response = Response(int(status[0]), tuple(headers), b"")
        if response.header("transfer-encoding") == "chunked":
            body = self._chunks()
        else:
            body = self._reader.read(int(response.header("content-length") or 0))
        return Response(response.status, response.headers, body)

    def _line(self) -> str:
        return self._reader.readline().rstrip(b"\r\n").decode("latin-1")

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self._line().split(";")[0], 16):
            chunks.append(self._reader.read(size))
            self._line()
        self._line()
        return b"".join(chunks)
