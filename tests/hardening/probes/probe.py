"""What a probe is, and the words that probes are made of."""

from __future__ import annotations

from typing import NamedTuple

from mockserver.http.owner import Limits
from mockserver.messages import Request, Response

LIMITS = Limits(head=2000, headers=20, target=500, body=1000)
"""What the probes that go over a limit go over."""
HOST = b"Host: localhost\r\n"
CLOSE = HOST + b"Connection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: "
END = b"0\r\n\r\n"


class Probe(NamedTuple):
    name: str
    sent: bytes
    expected: str
    """A pattern for the answers of ``echo``: status and body (or detail) of each, one after the other."""


def echo(request: Request) -> Response:
    """Says what it understood, in one line; of ``/slow`` a little later."""
    told = f"{request.method} {request.raw_path} {request.query_string} {len(request.body)}"
    response = Response(200, [("content-type", "text/plain")], told.encode("latin-1"))
    if request.raw_path == "/slow":
        response.delay = 30
    return response


def get(target: bytes, *fields: bytes, method: bytes = b"GET") -> bytes:
    """A request without a body that is the last on its connection."""
    return line(b"%b %b HTTP/1.1" % (method, target), *fields)


def line(text: bytes, *fields: bytes) -> bytes:
    """A request of any first line; after its fields the connection is to be closed."""
    return text + b"\r\n" + CLOSE + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def bare(*lines: bytes) -> bytes:
    """Lines as they are, each with its end, and the empty one."""
    return b"".join(each + b"\r\n" for each in lines) + b"\r\n"


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /x HTTP/1.1\r\n" + CLOSE + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def more(*fields: bytes, body: bytes = b"", path: bytes = b"/a", method: bytes = b"GET") -> bytes:
    """A request that others follow."""
    head = b"%b %b HTTP/1.1\r\n" % (method, path) + HOST
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + END
