"""HTTP/1.1 over a raw socket: as little client as will do, so that it costs the measurement little."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from benchmarks.load import Request, filled


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

    def ask(self, request: Request) -> Response:
        """The answer to ``request``, read to its end (RFC 9112)."""
        self._socket.sendall(self._octets(request))
        return self._answer()

    def ask_all(self, requests: Sequence[Request]) -> None:
        """Send all of ``requests`` together, and read the answers."""
        self._socket.sendall(b"".join(map(self._octets, requests)))
        for _ in requests:
            self._answer()

    def _octets(self, request: Request) -> bytes:
        body = request.body.read_bytes() if request.body else b""
        length = (f"Content-Length: {len(body)}",) if request.body else ()
        start = f"{request.method} {request.target} HTTP/1.1"
        head = "\r\n".join((start, f"Host: {self._host}", *request.fields, *length, "", ""))
        return filled(head).encode("latin-1") + body

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
