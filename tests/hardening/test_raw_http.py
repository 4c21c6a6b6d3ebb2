"""Bytes that no polite client sends: answered by 4xx or a close, never by a crash or a 500 of ours."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.serve.answer import Answer
from mockserver.serve.connection import Limits
from mockserver.serve.request import Request
from tests.live import Live, Wire, get, serving

LIMITS = Limits(head=2000, headers=20, target=500, body=1000)
HOST = b"Host: localhost\r\n"
CLOSE = HOST + b"Connection: close\r\n"


def echo(request: Request) -> Answer:
    """Says what it understood, in one line."""
    told = f"{request.method} {request.raw_path} {request.query_string} {len(request.body)}"
    answer = Answer(200, [("content-type", "text/plain")], told.encode("latin-1"))
    if request.raw_path == "/slow":
        answer.delay = 30
    return answer


@pytest.fixture(scope="module")
def echoing() -> Iterator[Live]:
    with serving(echo, limits=LIMITS) as live:
        yield live


class Probe(NamedTuple):
    name: str
    sent: bytes
    expected: str
    """A pattern for the answers, as status and body (or detail) of each, one after the other."""


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /x HTTP/1.1\r\n" + CLOSE + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: "
HEX = f"{LIMITS.body:x}".encode()

PROBES = [
    # Request lines
    Probe("plain", b"GET /a?b=c HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a b=c 0"),
    Probe("1.0", b"GET /a HTTP/1.0\r\n\r\n", "200 GET /a  0"),
    Probe("1.0 with a host", b"GET /a HTTP/1.0\r\n" + HOST + b"\r\n", "200 GET /a  0"),
    Probe("0.9", b"GET /a\r\n\r\n", "(400|505) .*"),
    Probe("2.0", b"GET /a HTTP/2.0\r\n" + HOST + b"\r\n", "(400|505) .*"),
    Probe("1.2", b"GET /a HTTP/1.2\r\n" + HOST + b"\r\n", "(400|505) .*"),
    Probe("a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "(400|505) .*"),
    Probe("lower-case protocol", b"GET /a http/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("no protocol", b"GET /a FTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("lower-case method", b"get /a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("unknown method", b"BREW /a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("method with a colon", b"G:T /a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("two spaces", b"GET  /a HTTP/1.1\r\n" + CLOSE + b"\r\n", "400 .*"),
    Probe("tab", b"GET\t/a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("space in the target", b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("no target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("NUL in the target", b"GET /a\0b HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("control character in the target", b"GET /a\x01b HTTP/1.1\r\n" + CLOSE + b"\r\n", "400 .*"),
    Probe("bytes of UTF-8 in the target", "GET /é HTTP/1.1\r\n".encode() + CLOSE + b"\r\n", "200 GET /Ã©  0|400 .*"),
    Probe("broken escape", b"GET /%zz HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /%zz  0"),
    Probe("escaped NUL", b"GET /%00 HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /%00  0"),
    Probe("dots stay", b"GET /a/../b HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a/../b  0"),
    Probe("two slashes", b"GET //evil/a HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET //evil/a  0"),
    Probe("fragment", b"GET /a?b#c HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a b 0"),
    Probe("long target", b"GET /" + b"a" * 500 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "414 .*"),
    Probe("target at the limit", b"GET /" + b"a" * 499 + b" HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a{499}  0"),
    Probe("empty lines before", b"\r\n\r\nGET /a HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a  0"),
    Probe("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 .*"),
    Probe("noise", bytes(range(256)), "400 .*"),
    Probe("nothing", b"", ""),
    # Target forms (RFC 9112 section 3.2)
    Probe("absolute", b"GET http://other/a?b=c HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a b=c 0"),
    Probe("absolute without a path", b"GET http://other HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /  0"),
    Probe("absolute, secure", b"GET https://other:8443/a HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a  0"),
    Probe("absolute, another scheme", b"GET ftp://other/a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("absolute, no authority", b"GET http:///a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("absolute, broken", b"GET http://[x/a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("asterisk", b"OPTIONS * HTTP/1.1\r\n" + CLOSE + b"\r\n", r"200 OPTIONS \*  0"),
    Probe("asterisk for another method", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("authority", b"CONNECT other:443 HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("relative", b"GET a HTTP/1.1\r\n" + HOST + b"\r\n", "400 .*"),
    # Host (RFC 9112 section 3.2: 400 for none, two, or a bad one)
    Probe("no host", b"GET /a HTTP/1.1\r\n\r\n", "400 the Host header is missing"),
    Probe("two hosts", b"GET /a HTTP/1.1\r\n" + HOST * 2 + b"\r\n", "400 .*given twice"),
    Probe("two hosts in one", b"GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n", "400 .*is no host"),
    Probe("host with a path", b"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 .*is no host"),
    Probe("host with a user", b"GET /a HTTP/1.1\r\nHost: me@a\r\n\r\n", "400 .*is no host"),
    Probe("host with a bad port", b"GET /a HTTP/1.1\r\nHost: a:b\r\n\r\n", "400 .*is no host"),
    Probe("host with markup", b"GET /a HTTP/1.1\r\nHost: <a>\r\n\r\n", "400 .*is no host"),
    Probe("host with a broken address", b"GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", "400 .*is no host"),
    Probe("bad host in 1.0", b"GET /a HTTP/1.0\r\nHost: a b\r\n\r\n", "400 .*is no host"),
    Probe("address as host", b"GET /a HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", "200 GET /a  0"),
    Probe("empty host", b"GET /a HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", "200 GET /a  0"),
    # Header fields
    Probe("space before the colon", b"GET /a HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n", "400 .*"),
    Probe("no colon", b"GET /a HTTP/1.1\r\n" + HOST + b"nothing\r\n\r\n", "400 .*"),
    Probe("no name", b"GET /a HTTP/1.1\r\n" + HOST + b": y\r\n\r\n", "400 .*"),
    Probe("NUL in a value", b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", "400 .*"),
    Probe("NUL in a name", b"GET /a HTTP/1.1\r\n" + HOST + b"X\0: b\r\n\r\n", "400 .*"),
    Probe("bare CR in a value", b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", "400 .*"),
    Probe("bare LF", b"GET /a HTTP/1.1\nHost: localhost\nConnection: close\n\n", "400 .*"),
    Probe("obs-fold", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: a\r\n b\r\n\r\n", "400 .*"),
    Probe("a fold first", b"GET /a HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("bytes above 127", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: \xff\xfe\r\n\r\n", "200 GET /a  0"),
    Probe("fields at the limit", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\r\n" * 18 + b"\r\n", "200 GET /a  0"),
    Probe("one field too many", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\r\n" * 19 + b"\r\n", "431 .*over|431 .*20.*"),
    Probe("a long field", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: " + b"y" * 2000 + b"\r\n\r\n", "431 .*"),
    Probe("a field without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: " + b"y" * 1_000_000, "431 .*"),
    Probe("fields without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\r\n" * 100_000, "431 .*"),
    Probe("a name without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"y" * 1_000_000, "431 .*"),
    # Bodies by length
    Probe("no body", post(LENGTH + b"0"), "200 POST /x  0"),
    Probe("a body", post(LENGTH + b"5", body=b"hello"), "200 POST /x  5"),
    Probe("a body at the limit", post(LENGTH + b"1000", body=b"x" * 1000), "200 POST /x  1000"),
    Probe("one byte more", post(LENGTH + b"1001", body=b"x" * 1001), "413 .*1,000 bytes"),
    Probe("a huge length", post(LENGTH + b"9" * 18), "413 .*|400 .*"),
    Probe("a length that overflows", post(LENGTH + b"9" * 40), "413 .*|400 .*"),
    Probe("a negative length", post(LENGTH + b"-1"), "400 .*"),
    Probe("a signed length", post(LENGTH + b"+5", body=b"hello"), "400 .*"),
    Probe("a length in words", post(LENGTH + b"five", body=b"hello"), "400 .*"),
    Probe("a list of lengths", post(LENGTH + b"5, 5", body=b"hello"), "400 .*"),
    Probe("two lengths", post(LENGTH + b"5", LENGTH + b"5", body=b"hello"), "400 .*"),
    Probe("two other lengths", post(LENGTH + b"5", LENGTH + b"6", body=b"hello!"), "400 .*"),
    Probe("an empty length", post(LENGTH, body=b""), "400 .*|200 POST /x  0"),
    Probe("a body of GET", b"GET /a HTTP/1.1\r\n" + CLOSE + LENGTH + b"2\r\n\r\nhi", "200 GET /a  2"),
    # Bodies by chunks
    Probe("chunks", post(CHUNKED, body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "200 POST /x  5"),
    Probe("no chunks", post(CHUNKED, body=b"0\r\n\r\n"), "200 POST /x  0"),
    Probe("chunks at the limit", post(CHUNKED, body=HEX + b"\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"), "200 POST /x  1000"),
    Probe("chunks over it", post(CHUNKED, body=b"1\r\nx\r\n" + HEX + b"\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"), "413 .*"),
    Probe("chunk extensions", post(CHUNKED, body=b'3;a=b;c="d"\r\nabc\r\n0\r\n\r\n'), "200 POST /x  3|400 .*"),
    Probe("a trailer", post(CHUNKED, body=b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"), "200 POST /x  3"),
    Probe("a host as trailer", post(CHUNKED, body=b"3\r\nabc\r\n0\r\nHost: other\r\n\r\n"), "200 POST /x  3|400 .*"),
    Probe("a length as trailer", post(CHUNKED, body=b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n"), "200 POST /x  3|400 .*"),
    Probe("a chunk that is no number", post(CHUNKED, body=b"zz\r\nabc\r\n"), "400 .*"),
    Probe("a negative chunk", post(CHUNKED, body=b"-1\r\nabc\r\n"), "400 .*"),
    Probe("a hexadecimal prefix", post(CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n"), "400 .*"),
    Probe("a chunk that overflows", post(CHUNKED, body=b"f" * 30 + b"\r\nabc\r\n"), "400 .*"),
    Probe("a chunk longer than said", post(CHUNKED, body=b"3\r\nabcdef\r\n0\r\n\r\n"), "400 .*"),
    Probe("a chunk without its line break", post(CHUNKED, body=b"3\r\nabc0\r\n\r\n"), "400 .*"),
    # Framing that could be read in two ways (request smuggling)
    Probe("length and chunks", post(LENGTH + b"5", CHUNKED, body=b"0\r\n\r\n"), "400 .*"),
    Probe("chunks and length", post(CHUNKED, LENGTH + b"5", body=b"0\r\n\r\n"), "400 .*"),
    Probe("two codings", post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), "400 .*"),
    Probe("another coding", post(b"Transfer-Encoding: gzip", body=b"x"), "(400|501) .*"),
    Probe("a coding before chunked", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), "(400|501) .*"),
    Probe("chunked is not last", post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), "(400|501) .*"),
    Probe("a coding with a tab", post(b"Transfer-Encoding:\tchunked", body=b"0\r\n\r\n"), "200 POST /x  0|(400|501) .*"),
    Probe("a quoted coding", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), "(400|501) .*"),
    Probe("a misspelt coding", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), "(400|501) .*"),
    Probe("chunked in capitals", post(b"Transfer-Encoding: Chunked", body=b"0\r\n\r\n"), "200 POST /x  0"),
    Probe("chunks in 1.0", b"POST /x HTTP/1.0\r\n" + CHUNKED + b"\r\n\r\n0\r\n\r\n", "200 POST /x  0|400 .*"),
    # Ends that come early
    Probe("half a request line", b"GET /a", "|400 .*"),
    Probe("half a head", b"GET /a HTTP/1.1\r\n" + HOST, "|400 .*"),
    Probe("half a body", post(LENGTH + b"10", body=b"hello"), "|400 .*"),
    Probe("half a chunk", post(CHUNKED, body=b"a\r\nhello"), "|400 .*"),
    # Several requests
    Probe(
        "pipelined",
        b"".join(b"GET /%d HTTP/1.1\r\n%b\r\n" % (n, HOST) for n in range(5)),
        " ".join(f"200 GET /{n}  0" for n in range(5)),
    ),
    Probe(
        "pipelined behind a delay",
        b"".join(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, HOST) for path in (b"/a", b"/slow", b"/b", b"/slow", b"/c")),
        "200 GET /a  0 200 GET /slow  0 200 GET /b  0 200 GET /slow  0 200 GET /c  0",
    ),
    Probe(
        "more than may wait behind a delay",
        b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n" + (b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n") * 100,
        "200 GET /slow  0( 200 GET /a  0){100}",
    ),
    Probe(
        "pipelined with bodies",
        (b"POST /x HTTP/1.1\r\n" + HOST + LENGTH + b"5\r\n\r\nhello") * 3,
        "200 POST /x  5 200 POST /x  5 200 POST /x  5",
    ),
    Probe(
        "a broken one at the end",
        b"GET /a HTTP/1.1\r\n" + HOST + b"\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n" + HOST + b"\r\n",
        "200 GET /a  0 400 the Host header is missing",
    ),
    Probe(
        "a broken one behind a delay",
        b"".join(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, HOST) for path in (b"/slow", b"/a")) + b"nonsense\r\n\r\n",
        "200 GET /slow  0 200 GET /a  0 400 .*",
    ),
    Probe(
        "nothing after a close",
        b"GET /a HTTP/1.1\r\n" + CLOSE + b"\r\nGET /b HTTP/1.1\r\n" + HOST + b"\r\n",
        "200 GET /a  0",
    ),
    Probe("1.0 closes", b"GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n", "200 GET /a  0"),
    Probe(
        "1.0 that stays",
        b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
        "200 GET /a  0 200 GET /b  0",
    ),
    # Other protocols
    Probe(
        "an upgrade is ignored",
        b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nGET /b HTTP/1.1\r\n" + HOST + b"\r\n",
        "200 GET /a  0 200 GET /b  0",
    ),
    Probe(
        "an upgrade with a body",
        b"POST /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH + b"5\r\n\r\nhello"
        b"GET /b HTTP/1.1\r\n" + HOST + b"\r\n",
        "200 POST /a  5 200 GET /b  0",
    ),
    Probe(
        "an upgrade with chunks that is told to go on",
        b"POST /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n" + CHUNKED
        + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\n" + HOST + b"\r\n",
        "100 200 POST /a  3 200 GET /b  0",
    ),
    Probe(
        "an upgrade to be refused",
        b"POST /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /b HTTP/1.1\r\n" + HOST + b"\r\n",
        "400 the Host header is missing",
    ),
    Probe(
        "an upgrade of a connection, through a tunnel",
        b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "400 .*",
    ),
    Probe(
        "an upgrade behind a delay",
        b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\nGET /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\n"
        b"Upgrade: websocket\r\n\r\n",
        "200 GET /slow  0 200 GET /a  0",
    ),
    Probe(
        "a WebSocket handshake",
        b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x85....",
        "200 GET /a  0 400 .*",
    ),
    # Expectations
    Probe("expecting to go on", post(LENGTH + b"5", b"Expect: 100-continue", body=b"hello"), "100 200 POST /x  5"),
    Probe("expecting, in 1.0", b"POST /x HTTP/1.0\r\nExpect: 100-continue\r\n" + LENGTH + b"2\r\n\r\nhi", "200 POST /x  2"),
    Probe("expecting too much", post(LENGTH + b"2000", b"Expect: 100-continue"), "413 .*"),
    Probe("expecting something else", post(LENGTH + b"2", b"Expect: tea", body=b"hi"), "200 POST /x  2|417 .*"),
]  # fmt: skip


def answers(received: bytes) -> str:
    """Status and body, or the problem's detail, of each answer in ``received``."""
    told = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        assert end, head
        status, *fields = head.decode("latin-1").split("\r\n")
        line = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", status)
        assert line is not None, status
        lengths = [
            int(field.split(": ")[1]) for field in fields if field.lower().startswith("content-length")
        ]
        assert len(lengths) == (line[1] != "100")
        length = sum(lengths)
        body, received = (
            received[:length].decode("utf-8" if "json" in head.decode("latin-1") else "latin-1"),
            received[length:],
        )
        detail = re.search(r'"detail":"([^"]*)"', body)
        told.append(f"{line[1]} {detail[1] if detail else body}".strip())
    return " ".join(told)


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_a_probe_is_answered_or_closed_and_the_next_client_is_served(echoing: Live, probe: Probe) -> None:
    with Wire(echoing.port) as wire:
        try:
            wire.send(probe.sent)
            wire.finish()
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass  # it has seen enough
        received = wire.rest()
    assert re.fullmatch(probe.expected, answers(received)), answers(received)
    assert get(echoing.port, "/next").body == b"GET /next  0"


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_a_probe_byte_by_byte_is_answered_the_same(echoing: Live, probe: Probe) -> None:
    """The parser's events come in any grouping; long probes are cut into larger pieces."""
    size = len(probe.sent) // 700 + 1
    with Wire(echoing.port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for start in range(0, len(probe.sent), size):
                wire.send(probe.sent[start : start + size])
            wire.finish()
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass
        received = wire.rest()
    assert re.fullmatch(probe.expected, answers(received)), answers(received)


def test_octets_of_whole_requests_do_not_count_for_the_head_that_follows_them(echoing: Live) -> None:
    """One piece that ends a head, has whole requests and begins a head: more than a head may have, and right."""
    request = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
    many = 2 * LIMITS.head // len(request)
    with Wire(echoing.port) as wire:
        wire.send(request + request[:9])
        assert wire.reply().body == b"GET /a  0"
        wire.send(request[9:] + request * many + request[:9])
        assert {wire.reply().body for _ in range(1 + many)} == {b"GET /a  0"}
        wire.send(request[9:])
        assert wire.reply().body == b"GET /a  0"


def test_there_are_enough_probes() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES) >= 100


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(PROBES).map(lambda probe: probe.sent[:3000]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), max_size=4),
)
def test_damaged_probes(echoing: Live, sent: bytes, damages: list[tuple[float, bytes]]) -> None:
    for place, noise in damages:
        start = int(place * len(sent))
        sent = sent[:start] + noise + sent[start + len(noise) :]
    with Wire(echoing.port) as wire:
        try:
            wire.send(sent)
            wire.finish()
        except OSError:
            pass
        for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", wire.rest()):
            assert status == b"501" or status == b"505" or status < b"500"
    assert get(echoing.port, "/next").status == 200


def test_a_refusal_reaches_a_client_that_is_still_sending(echoing: Live) -> None:
    with Wire(echoing.port) as wire:
        wire.send(post(LENGTH + b"50000000"))
        for _ in range(50):
            wire.send(b"x" * 20_000)
        assert wire.reply().status == 413


def test_a_reset_mid_body_harms_nobody(echoing: Live) -> None:
    for _ in range(20):
        with Wire(echoing.port) as wire:
            wire.send(post(LENGTH + b"10", body=b"he"))
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert get(echoing.port, "/next").status == 200


def test_a_client_that_leaves_during_a_delay_harms_nobody(echoing: Live) -> None:
    for _ in range(20):
        with Wire(echoing.port) as wire:
            wire.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n" * 2)
    assert get(echoing.port, "/next").status == 200


def test_a_batch_of_requests_with_half_a_request_at_its_end(echoing: Live) -> None:
    """What is complete in a read does not count as the head that is not."""
    one = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
    with Wire(echoing.port) as wire:
        wire.send(one * 500 + one[:20])
        for _ in range(500):
            assert wire.reply().status == 200
        wire.send(one[20:])
        assert wire.reply().status == 200


def test_hundreds_of_connections_at_once(echoing: Live) -> None:
    wires = [Wire(echoing.port) for _ in range(300)]
    for wire in wires:
        wire.send(b"GET /a HTTP/1.1\r\n" + CLOSE + b"\r\n")
    for wire in wires:
        assert wire.reply().status == 200
        wire.socket.close()
