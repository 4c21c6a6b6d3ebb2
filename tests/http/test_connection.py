"""Time limits and the order of answers; what single requests may look like is in ``tests/hardening``."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from msgspec.structs import replace

from mockserver.http.connection import Connection
from mockserver.http.owner import Limits
from mockserver.http.request_parser import RequestParser
from mockserver.messages import MAX_DIFFERING, Request, Response
from mockserver.namespaces.clock import parse_time
from mockserver.namespaces.memory import Memory, MemoryLimits
from mockserver.namespaces.namespaces import Namespaces
from tests.live import NOON, Live, Wire, get, serving

LIMITS = Limits(body=1000, head_time=10, body_time=30, idle_time=120)
HOST = b"Host: localhost\r\n"
A = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n"


class Behaviour:
    """A handler with its own paths, and a clock that stands still."""

    def __init__(self) -> None:
        self.namespaces = Namespaces(parse_time(NOON))
        self.served: list[str] = []

    def handle(self, request: Request) -> Response:
        self.served.append(f"{request.method} {request.raw_path}")
        response = Response(200, [("content-type", "text/plain")], request.raw_path.encode())
        match request.raw_path:
            case "/slow":
                response.delay = 5000
            case "/large":
                response.body = b"x" * 5_000_000
            case "/stream":
                response.stream = self.chunks()
            case "/raise":
                raise RuntimeError("on purpose")
            case "/empty":
                response = Response(204)
            case "/reset":
                response.fault = "reset"
        return response

    @staticmethod
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"one", b"", b"two"):
            await asyncio.sleep(0)
            yield chunk


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def live(behaviour: Behaviour) -> Iterator[Live]:
    with serving(behaviour.handle, namespaces=behaviour.namespaces, limits=LIMITS) as found:
        yield found


def later(live: Live, seconds: float) -> None:
    """Let so much time pass for the server's limits, and look at them as its sweeper does."""

    def pass_time() -> None:
        was = live.server.time
        live.server.time = lambda: was() + seconds  # type: ignore[method-assign]
        live.server.expire()

    live.run(pass_time)


def seen(live: Live) -> None:
    """Return when the server has read all that was sent so far on other connections."""
    assert get(live.port, "/seen").status == 200


# Time


@pytest.mark.parametrize("head", [b"GET /a HTTP/1.1\r\nHos", b"G", A[:-2]])
def test_a_slow_head_is_closed_in_time(live: Live, head: bytes) -> None:
    with Wire(live.port) as wire:
        wire.send(head)
        seen(live)
        later(live, 9)
        wire.send(b"t: localhost\r\n" if head.endswith(b"Hos") else b"")
        seen(live)
        later(live, 2)  # each byte that comes gives no more time
        reply = wire.reply()
        assert reply.status == 408
        assert reply.headers["connection"] == "close"
        assert wire.rest() == b""


def test_a_connection_that_says_nothing_is_closed_in_time(live: Live) -> None:
    with Wire(live.port) as wire:
        seen(live)
        later(live, 11)
        assert wire.rest() == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nhel",
        b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
        b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n",
    ],
)
def test_a_slow_body_is_closed_in_time(live: Live, behaviour: Behaviour, sent: bytes) -> None:
    with Wire(live.port) as wire:
        wire.send(sent)
        seen(live)
        later(live, 29)
        assert live.run(lambda: len(live.server.connections)) >= 1
        later(live, 2)
        assert wire.rest().startswith(b"HTTP/1.1 408 ")
    assert "POST /a" not in behaviour.served


def test_an_idle_connection_is_closed_in_time(live: Live) -> None:
    post = b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
    for sent in (A, post):
        with Wire(live.port) as wire:
            wire.send(sent)
            assert wire.reply().status == 200
            later(live, 119)
            wire.send(sent)
            assert wire.reply().status == 200
            later(live, 121)
            assert wire.rest() == b""


def test_an_answer_that_takes_its_time_is_not_cut_off(live: Live, behaviour: Behaviour) -> None:
    post = b"POST /b HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
    for behind in (b"", A, post, post[:-3]):
        with Wire(live.port) as wire:
            wire.send(A.replace(b"/a", b"/slow") + behind)
            seen(live)
            later(live, 500)
            live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
            assert wire.reply().body == b"/slow"
            if behind in (A, post):
                assert wire.reply().status == 200


@pytest.mark.parametrize(("begun", "time"), [(A[:9], 10), (A[:-2], 10), (POST, 30), (POST + b"he", 30)])
def test_the_timeout_of_a_pipelined_request_starts_when_the_delay_before_it_ends(
    live: Live, behaviour: Behaviour, begun: bytes, time: int
) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/slow") + begun)
        seen(live)
        later(live, 500)
        live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
        assert wire.reply().body == b"/slow"
        seen(live)
        later(live, time - 1)
        assert live.run(lambda: len(live.server.connections)) == 1
        later(live, 2)
        assert wire.reply().status == 408
        assert wire.rest() == b""


def test_expect_100_continue_behind_a_delay_is_answered_after_it(live: Live, behaviour: Behaviour) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/slow") + POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        seen(live)
        live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
        assert wire.reply().body == b"/slow"
        assert wire.reply().status == 100
        wire.send(b"hello")
        assert wire.reply().body == b"/a"


def test_a_client_that_was_refused_and_stays_is_cut_off(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert wire.reply().status == 400
        wire.send(b"more")
        seen(live)
        later(live, 2)
        assert wire.rest() == b""


def test_a_client_that_takes_nothing_is_cut_off(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/large") * 20)
        seen(live)
        later(live, 121)  # asks it to close, which waits for the client
        later(live, 0)
        later(live, 0)
        seen(live)
        assert live.run(lambda: [each for each in live.server.connections if each.unread]) == []


# Order


def test_a_delay_holds_up_its_own_connection_alone(live: Live, behaviour: Behaviour) -> None:
    with Wire(live.port) as slow, Wire(live.port) as other:
        slow.send(A.replace(b"/a", b"/slow") + A)
        seen(live)
        other.send(A)
        assert other.reply().body == b"/a"
        assert "GET /slow" in behaviour.served
        live.run(lambda: behaviour.namespaces.default.clock.advance(4999))
        seen(live)
        live.run(lambda: behaviour.namespaces.default.clock.advance(1))
        assert slow.reply().body == b"/slow"
        assert slow.reply().body == b"/a"


def test_what_waits_behind_a_delay_is_not_served_before_its_turn(live: Live, behaviour: Behaviour) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/slow") + A)
        seen(live)
        assert "GET /a" not in behaviour.served
        live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
        assert wire.reply().body == b"/slow"
        assert wire.reply().body == b"/a"


def test_a_client_that_leaves_during_a_delay_is_forgotten(live: Live, behaviour: Behaviour) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/slow") + A)
        seen(live)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # by a reset
    while live.run(lambda: any(each.task for each in live.server.connections)):
        pass
    live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
    seen(live)
    assert "GET /a" not in behaviour.served


def test_half_a_connection_gets_its_answer_and_is_closed(live: Live, behaviour: Behaviour) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/slow") + A)
        wire.finish()
        seen(live)
        live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
        assert wire.reply().body == b"/slow"
        assert wire.reply().body == b"/a"
        assert wire.rest() == b""


def test_a_large_answer_arrives_whole_before_the_next(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/large") * 3 + A)
        for _ in range(3):
            assert len(wire.reply().body) == 5_000_000
        assert wire.reply().body == b"/a"


# Answers


def test_an_exception_in_the_handler_is_answered_500_and_logged(
    live: Live, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mockserver"), "propagate", True)
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/raise") + A)
        reply = wire.reply()
        assert reply.status == 500
        assert "its log has the traceback" in reply.json()["detail"]
        assert wire.reply().status == 200
    assert "RuntimeError: on purpose" in caplog.text


def test_a_stream_is_sent_in_chunks(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/stream") + A)
        reply = wire.reply()
        assert reply.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in reply.headers
        wire.finish()
        body, _, following = wire.rest().partition(b"0\r\n\r\n")
        assert body == b"3\r\none\r\n3\r\ntwo\r\n"
        assert following.startswith(b"HTTP/1.1 200 ")


def test_the_head_of_a_stream(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"GET /a", b"HEAD /stream") + A)
        assert wire.reply(to_head=True).status == 200
        assert wire.reply().body == b"/a"


def test_an_answer_without_content(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/empty") + A)
        reply = wire.reply()
        assert reply.status == 204
        assert "content-length" not in reply.headers
        assert wire.reply().body == b"/a"


def test_keeping_alive_is_announced_to_1_0_alone(live: Live) -> None:
    old = b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    with Wire(live.port) as wire:
        wire.send(old + A + A.replace(b"1.1\r\n", b"1.1\r\nConnection: close\r\n"))
        assert wire.reply().headers["connection"] == "keep-alive"
        assert "connection" not in wire.reply().headers
        assert wire.reply().headers["connection"] == "close"
        assert wire.rest() == b""


def test_trailers_are_not_read_as_headers() -> None:
    found: list[dict[str, str]] = []

    def handle(request: Request) -> Response:
        found.append(request.headers)
        return Response(200)

    with serving(handle) as live, Wire(live.port) as wire:
        wire.send(
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\nPrefer: code=500\r\nAuthorization: me\r\n\r\n"
        )
        assert wire.reply().status == 200
    assert found == [{"host": "localhost", "transfer-encoding": "chunked"}]


def test_repeated_fields_are_joined() -> None:
    found: list[dict[str, str]] = []

    def handle(request: Request) -> Response:
        found.append(request.headers)
        return Response(200)

    with serving(handle) as live:
        get(live.port, "/", "Accept: a", "Cookie: b=1", "accept: c", "COOKIE: d=2")
    assert found[0]["accept"] == "a, c"
    assert found[0]["cookie"] == "b=1; d=2"


def test_the_same_octets_again_are_the_same_request(live: Live, behaviour: Behaviour) -> None:
    other = A.replace(b"/a", b"/b")
    with Wire(live.port) as wire:
        for sent in (A, A, other, A, other, A * 2, A[:9], A[9:], A):
            wire.send(sent)
        paths = [wire.reply().body for _ in range(9)]
    assert paths == [b"/a", b"/a", b"/b", b"/a", b"/b", b"/a", b"/a", b"/a", b"/a"]


def test_a_header_section_that_came_on_another_connection_is_not_read_again() -> None:
    heads: list[tuple[str, str, dict[str, str], bool]] = []

    def handle(request: Request) -> Response:
        heads.append((request.method, request.raw_path, request.headers, request.section is not None))
        return Response(200, [], b"")

    with serving(handle) as other:
        for target in ("/a", "/b"):
            assert get(other.port, target).headers["connection"] == "close"
        get(other.port, "/c", method="POST")
        for path in (b"/d", b"/e"):
            with Wire(other.port) as wire:
                for _ in range(2):
                    wire.send(A.replace(b"/a", path))
                    assert "connection" not in wire.reply().headers
    assert [(method, path, again) for method, path, _, again in heads] == [
        ("GET", "/a", False), ("GET", "/b", True), ("POST", "/c", False),
        ("GET", "/d", False), ("GET", "/d", True), ("GET", "/e", True), ("GET", "/e", True),
    ]  # fmt: skip
    assert heads[0][2] is heads[1][2] is not heads[2][2]
    assert heads[0][2] == heads[2][2] == {"host": "localhost", "connection": "close"}
    assert heads[3][2] is heads[6][2] == {"host": "localhost"}


LONG = b"x" * (MAX_DIFFERING + 1)


@pytest.mark.parametrize(
    ("fields", "is_similar"),
    [
        (b"X-Trace: 2\r\nB: c\r\n", True),
        (b'X-Trace: 2 3, "4"  \r\nB: d\r\n', True),
        (b"X-Trace: \r\nB: c\r\n", True),
        (b"X-Trace: 1\r\nB: c\r\nC: d\r\n", False),
        (b"B: c\r\nX-Trace: 1\r\n", False),
        (b"X-Tracer: 1\r\nB: c\r\n", False),
        (b"X-Trace: 2\t3\r\nB: c\r\n", False),
        (b"X-Trace: \xe9\r\nB: c\r\n", False),
        (b"X-Trace: " + LONG + b"\r\nB: c\r\n", False),
        (b"X-Trace: 2\r\nX-Trace: 3\r\n", False),
        (b"X-Trace:2\r\nB: c\r\n", False),
        (b"x-trace: 2\r\nb: c\r\n", False),
    ],
)
def test_a_section_with_other_values_is_read_as_by_the_parser(fields: bytes, is_similar: bool) -> None:
    heads: list[Request] = []

    def handle(request: Request) -> Response:
        heads.append(request)
        return Response(200, [], b"")

    first = b"GET /a HTTP/1.1\r\n" + HOST + b"X-Trace: 1\r\nB: c\r\n\r\n"
    second = b"GET /b?c=d HTTP/1.1\r\n" + HOST + fields + b"\r\n"
    for sent in ((second,), (first, second, second, first)):
        with serving(handle) as other, Wire(other.port) as wire:
            for octets in sent:
                wire.send(octets)
                assert wire.reply().status == 200
    parsed, _, similar, again, last = heads
    for request in (similar, again):
        assert (request.method, request.raw_path, request.query_string) == ("GET", "/b", "c=d")
        assert request.headers == parsed.headers
    assert (similar.section is not None) is is_similar
    if is_similar:
        assert similar.section == last.headers == last.section
        assert set(similar.differing) == {
            name for name, value in parsed.headers.items() if value != last.headers[name]
        }


def test_first_request_of_connection_is_similar_to_one_of_another_connection_reads_as_by_the_parser() -> None:
    heads: list[Request] = []

    def handle(request: Request) -> Response:
        heads.append(request)
        return Response(200, [], b"")

    def sent(number: int, *fields: str) -> bytes:
        lines = ("Host: localhost", f"X-Trace: {number}", *fields, "", "")
        return "\r\n".join((f"GET /{number} HTTP/1.1", *lines)).encode()

    close = "Connection: close"
    with serving(handle) as live:
        for each in (
            sent(1, close), sent(2, close), sent(3, close),
            sent(4, "Accept: a", "B: c"), sent(5, close), sent(6, "Accept: a", "B: c"),
            sent(7, "accept: a", "B: c"), sent(8, "Content-Length: 1") + b"x",
        ):  # fmt: skip
            with Wire(live.port) as wire:
                wire.send(each)
                reply = wire.reply()
                assert reply.status == 200
                assert reply.headers.get("connection", "keep") == ("close" if b"close" in each else "keep")
    assert [request.raw_path for request in heads] == [f"/{number}" for number in range(1, 9)]
    assert [request.headers["x-trace"] for request in heads] == [str(number) for number in range(1, 9)]
    assert all(request.headers["connection"] == "close" for request in (*heads[:3], heads[4]))
    assert all(request.headers["accept"] == "a" for request in (heads[3], *heads[5:7]))
    assert (heads[7].headers["content-length"], heads[7].body) == ("1", b"x")
    of_another = [request.section is not None for request in heads]
    assert of_another == [False, True, True, False, True, True, False, False]
    assert heads[1].section is heads[2].section is heads[0].headers
    assert heads[1].differing == heads[5].differing == ("x-trace",)


def test_second_request_of_such_a_connection_repeats_the_first_one_of_its_own() -> None:
    """Fields such as Authorization differ between clients, and seldom on one connection."""
    heads: list[Request] = []

    def handle(request: Request) -> Response:
        heads.append(request)
        return Response(200, [], b"")

    def sent(user: str) -> bytes:
        return A[:-2] + f"Authorization: {user}\r\n\r\n".encode()

    with serving(handle) as live:
        for users in ("a", "bbc", "b"):
            with Wire(live.port) as wire:
                for user in users:
                    wire.send(sent(user))
                    assert wire.reply().status == 200
    assert [request.headers["authorization"] for request in heads] == ["a", "b", "b", "c", "b"]
    assert [request.differing for request in heads] == [(), ("authorization",), (), ("authorization",), ()]
    assert heads[1].section is heads[0].headers
    assert heads[2].section is heads[3].section is heads[4].section == heads[1].headers


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (b"Host: a b\r\nConnection: keep-alive\r\nContent-Length: 0\r\n", 400),
        (HOST + b"Connection: close\r\nContent-Length: 0\r\n", 200),
        (HOST + b"Connection: keep-alive\r\nContent-Length: 5\r\n", None),
        (HOST + b"Connection: keep-alive\r\nContent-Length: x\r\n", 400),
        (HOST + b"Connection: keep-alive\r\nContent-Length : 0\r\n", 400),
        (HOST + b"Connection: keep-alive\nX: Content-Length: 0\r\n", 400),
    ],
)
def test_a_field_of_http_with_another_value_is_parsed(
    live: Live, behaviour: Behaviour, changed: bytes, status: int | None
) -> None:
    section = HOST + b"Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"
    with Wire(live.port) as wire:
        for _ in range(2):
            wire.send(b"GET /a HTTP/1.1\r\n" + section)
            assert wire.reply().status == 200
        wire.send(b"GET /b HTTP/1.1\r\n" + changed + b"\r\n")
        if status is None:
            wire.send(b"12345")
            assert wire.reply().status == 200
            wire.send(b"GET /c HTTP/1.1\r\n" + section)
            assert wire.reply().body == b"/c"
        else:
            assert wire.reply().status == status
            assert wire.rest() == b""


def test_a_request_is_refused_once_it_is_refused_on_every_connection(live: Live) -> None:
    for _ in range(3):
        with Wire(live.port) as wire:
            wire.send(A + b"GET /b HTTP/1.1\r\n\r\n")
            assert [wire.reply().status, wire.reply().status] == [200, 400]
            assert wire.rest() == b""


def test_a_known_header_section_with_a_longer_target_the_head_is_as_bounded(behaviour: Behaviour) -> None:
    with serving(behaviour.handle, limits=Limits(head=100)) as live:
        for _ in range(2):
            with Wire(live.port) as wire:
                for _ in range(2):
                    wire.send(A)
                    assert wire.reply().status == 200
                wire.send(A.replace(b"/a", b"/" + b"a" * 100))
                assert wire.reply().status == 431
                assert wire.rest() == b""


def test_a_known_header_section_with_a_longer_value_is_as_bounded(behaviour: Behaviour) -> None:
    with serving(behaviour.handle, limits=Limits(head=100)) as live, Wire(live.port) as wire:
        for value in (b"1", b"2", b"3" * 100):
            wire.send(b"GET /a HTTP/1.1\r\n" + HOST + b"X-Trace: " + value + b"\r\n\r\n")
            assert wire.reply().status == (431 if len(value) > 1 else 200)
        assert wire.rest() == b""


def test_a_body_that_looks_like_the_request_before_is_a_body(live: Live, behaviour: Behaviour) -> None:
    """A whole request and the head of another in one piece; then a body that ends as that piece did."""
    rest = b" HTTP/1.1\r\n" + HOST + b"\r\n" + POST.replace(b"5", b"98")
    body = b"GET /hidden" + rest
    assert len(body) == 98
    with Wire(live.port) as wire:
        wire.send(b"GET /a" + rest)
        assert wire.reply().body == b"/a"
        wire.send(body)
        assert wire.reply().body == b"/a"
    assert behaviour.served == ["GET /a", "POST /a"]


def test_a_head_in_pieces_is_judged_by_itself(live: Live) -> None:
    """Not by the one before it, whose end came with its beginning."""
    for cut in range(1, len(A)):
        with Wire(live.port) as wire:
            wire.send(A[:9])
            seen(live)
            wire.send(A[9:] + A.replace(b" /a", b"  /a")[:cut])
            assert wire.reply().status == 200
            wire.send(A.replace(b" /a", b"  /a")[cut:])
            assert wire.reply().status == 400


@pytest.mark.parametrize("between", [b"", A, POST + b"hello"])
def test_a_head_behind_a_body_of_its_words_is_judged_by_itself(live: Live, between: bytes) -> None:
    """However the octets are cut."""
    words = b"GET /a HTTP/1.1\r"
    post = POST.replace(b"5", b"16") + words
    broken = A.replace(b" /a", b"  /a")
    sent = post + between + broken
    for cut in range(len(POST), len(sent)):
        with Wire(live.port) as wire:
            wire.send(sent[:cut])
            seen(live)
            wire.send(sent[cut:])
            statuses = [wire.reply().status for _ in range(3 if between else 2)]
            assert statuses == [200] * (len(statuses) - 1) + [400], cut


def test_requests_after_one_that_came_in_pieces(live: Live, behaviour: Behaviour) -> None:
    with Wire(live.port) as wire:
        for sent in (A, A[:20], A[20:], A, POST, b"hello", A, A.replace(b"/a", b"/b")):
            wire.send(sent)
            seen(live)
        assert [wire.reply().body for _ in range(6)] == [b"/a", b"/a", b"/a", b"/a", b"/a", b"/b"]


def test_what_a_client_asks_for_and_does_not_take_is_not_made(live: Live, behaviour: Behaviour) -> None:
    """Answers wait for a client that reads none of them, rather than to pile up; requests behind them too."""
    with Wire(live.port) as wire:
        wire.send(A.replace(b"/a", b"/large") * 1000)
        seen(live)
        served = live.run(lambda: behaviour.served.count("GET /large"))
        assert served < 5
        for _ in range(10):
            assert len(wire.reply().body) == 5_000_000


def test_bodies_that_wait_behind_a_delay_are_not_gathered_without_end(
    live: Live, behaviour: Behaviour
) -> None:
    post = POST.replace(b"5", b"1000") + b"x" * 1000
    with Wire(live.port) as wire:
        wire.socket.settimeout(0)
        sent = wire.socket.send(A.replace(b"/a", b"/slow"))
        try:
            while sent < 100_000_000:
                sent += wire.socket.send(post * 100)
                seen(live)
        except BlockingIOError:
            pass
        [held] = live.run(lambda: [each._behind for each in live.server.connections if each.task])
        assert 1000 < held < 1_000_000
        assert live.run(lambda: live.server.memory.unfinished) >= held
    live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
    while live.run(lambda: len(live.server.connections)):
        pass
    assert live.run(lambda: live.server.memory.unfinished) == 0


def test_a_read_of_many_requests_is_looked_at_in_pieces() -> None:
    """Others have their turn between them."""
    turn = 0
    served: list[int] = []

    def handle(request: Request) -> Response:
        if not served:
            tick()
        served.append(turn)
        return Response(200)

    def tick() -> None:
        nonlocal turn
        turn += 1
        if len(served) < many:
            asyncio.get_running_loop().call_soon(tick)

    many = 3000
    with serving(handle) as live, Wire(live.port) as wire:
        wire.send(A * many)
        for _ in range(many):
            assert wire.reply().status == 200
    assert len(served) == many
    assert max(served.count(each) for each in set(served)) <= 2 * 8192 / len(A) + 2


@pytest.mark.parametrize("size", [8191, 8192, 8193, 200_000, 300_000])
def test_large_bodies_arrive_whole_between_others(size: int) -> None:
    found: list[bytes] = []

    def handle(request: Request) -> Response:
        found.append(request.body)
        return Response(200)

    body = bytes(n % 251 for n in range(size))
    by_length = b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size + body
    chunked = b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n" % size + body + b"\r\n0\r\n\r\n"
    with serving(handle) as live, Wire(live.port) as wire:
        wire.send(A + by_length + A + chunked + A + A)
        for _ in range(6):
            assert wire.reply().status == 200
    assert found == [b"", body, b"", body, b"", b""]


def test_a_body_of_tiny_chunks_takes_little_more_than_it_holds(behaviour: Behaviour) -> None:
    """An object for each of them would take twenty times as much."""
    many = 400_000
    with serving(behaviour.handle, limits=Limits(body=2 * many + 1)) as live, Wire(live.port) as wire:
        wire.send(b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        wire.send(b"2\r\nxy\r\n" * many + b"1\r\n")

        def kept() -> int:
            whole = [each for each in live.server.connections if each._parser._length == 2 * many]
            return sum(sys.getsizeof(each._parser._body) for each in whole)

        while not live.run(kept):
            pass
        assert 2 * many < live.run(kept) < 3 * many
        wire.send(b"z\r\n0\r\n\r\n")
        assert wire.reply().status == 200


def test_a_connection_that_is_idle_keeps_no_large_head(live: Live) -> None:
    large = b"X: " + b"x" * 60_000 + b"\r\n"
    with Wire(live.port) as wire:
        for _ in range(2):
            wire.send(A[:-2] + large + b"\r\n")
            assert wire.reply().status == 200
        [idle] = live.run(lambda: list(live.server.connections))

        def kept(of: object) -> int:
            others = ("_connection", "_parser", "_server", "server")
            names = [name for name in type(of).__slots__ if name not in others]  # type: ignore[attr-defined]
            return sum(len(repr(getattr(of, name))) for name in names)

        assert isinstance(idle._parser, RequestParser)
        assert kept(idle) + kept(idle._parser) < 10_000


@pytest.mark.parametrize(
    "sent",
    [
        A[:-2] + b"Connection: close\r\n\r\n",
        A.replace(b"HTTP/1.1", b"HTTP/1.0"),
        A,
        A[:-2],
        POST,
        POST + b"hello",
        b"no request\r\n\r\n",
        A[:-2] + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        *(A.replace(b"/a", path) for path in (b"/slow", b"/stream", b"/large", b"/reset")),
        A.replace(b"/a", b"/slow") + A,
    ],
)
def test_connection_that_ends_leaves_nothing_to_the_garbage_collector(live: Live, sent: bytes) -> None:
    """Collecting holds up every client, and the longer, the more connections there were."""
    gc.freeze()  # so that what is found is of this connection alone
    gc.disable()
    try:
        with Wire(live.port) as wire:
            wire.send(sent)
            seen(live)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while live.run(lambda: live.server.connections):
            pass
        for _ in range(10):  # of the event loop, in which what asyncio has of it is gone
            live.run(lambda: None)
        left = [each for each in gc.get_objects() if isinstance(each, Connection)]
        assert not any(each.server is live.server for each in left)
    finally:
        gc.enable()
        gc.unfreeze()


def test_unfinished_requests_are_bounded_in_all(behaviour: Behaviour) -> None:
    """A request is refused that would take more than all may; those that are there go on."""
    namespaces = Namespaces(memory=Memory(MemoryLimits(unfinished=5000)))
    post = POST.replace(b"5", b"1000")
    head = A[:-2] + b"X: " + b"x" * 900
    with serving(behaviour.handle, namespaces=namespaces, limits=Limits(body=1000)) as live:
        wires = [Wire(live.port) for _ in range(7)]
        for wire, sent in zip(wires, [post + b"x" * 900] * 3 + [head] * 2, strict=False):
            wire.send(sent)
        seen(live)
        assert 4500 < live.run(lambda: live.server.memory.unfinished) < 5000
        for wire, sent in ((wires[5], post + b"x" * 900), (wires[6], head)):
            wire.send(sent)
            refused = wire.reply()
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert wire.rest() == b""
        wires[0].send(b"x" * 100 + POST + b"hello")
        wires[3].send(b"\r\n\r\n")
        assert [wires[0].reply().status, wires[0].reply().status, wires[3].reply().status] == [200] * 3
        for wire in wires:
            wire.socket.close()
        while live.run(lambda: len(live.server.connections)):
            pass
        assert live.run(lambda: live.server.memory.unfinished) == 0


POSTED = b"POST /a HTTP/1.1\r\n" + HOST + b"X-Trace: 1\r\nContent-Length: 4\r\nContent-Type: a/b\r\n\r\nbody"


@pytest.mark.parametrize(
    "second",
    [
        POSTED.replace(b"body", b"\r\n\r\n"),
        POSTED.replace(b"/a", b"/b?c=%20").replace(b": 1", b": 2"),
        POSTED.replace(b": 4", b": 40").replace(b"body", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n GET /y HTTP"),
        POSTED.replace(b": 4", b": 0").replace(b"body", b""),
        POSTED.replace(b": 4", b": 5"),
        POSTED.replace(b": 4", b": 3"),
        POSTED.replace(b": 4", b": 0"),
        POSTED.replace(b": 4", b": +4"),
        POSTED.replace(b": 4", b": 4 "),
        POSTED.replace(b": 4", b": 04"),
        POSTED.replace(b": 4", b": 4_0"),
        POSTED.replace(b": 4", b": 4, 4"),
        POSTED.replace(b": 4", b": 4\r\nContent-Length: 4"),
        POSTED.replace(b": 4", b": 4\r\nTransfer-Encoding: chunked"),
        POSTED.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked").replace(b"body", b"0\r\n\r\n"),
        POSTED.replace(b"Content-Length: 4", b"Content-Type: a/b"),
        POSTED.replace(b": 4", b": 10485761"),
        POSTED.replace(b": 4", b": " + b"9" * 5000),
        POSTED.replace(b"/a", b"/\xff"),
        POSTED.replace(b"/a", b"/a b"),
        POSTED.replace(b"POST", b"GET"),
        POSTED + POSTED,
        POSTED + A,
        POSTED + b"\r\n",
        b"\r\n" + POSTED,
        A,
    ],
    ids=range(26),
)
def test_a_request_with_a_body_after_one_with_such_a_section_is_read_as_by_the_parser(second: bytes) -> None:
    found: list[tuple[list[Request], list[bytes]]] = []
    for before in ((), (POSTED,), (POSTED, A), (POSTED, POSTED.replace(b": 1", b": 3"))):
        heads: list[Request] = []

        def handle(request: Request, heads: list[Request] = heads) -> Response:
            heads.append(replace(request, section=None, differing=()))
            return Response(200, [], request.body)

        with serving(handle) as live, Wire(live.port) as wire:
            for sent in before:
                wire.send(sent)
                assert wire.reply().status == 200
            wire.send(second)
            wire.finish()
            statuses = re.findall(rb"HTTP/1\.1 (\d{3})", wire.rest())
            found.append((heads[len(before) :], statuses))
    assert found == [found[0]] * 4


def test_a_header_section_with_a_body_that_came_on_another_connection_is_not_read_again() -> None:
    heads: list[Request] = []

    def handle(request: Request) -> Response:
        heads.append(request)
        return Response(200, [], b"")

    with serving(handle) as live:
        for sent in ((POSTED, A, POSTED), (POSTED.replace(b"body", b"text"), A)):
            with Wire(live.port) as wire:
                for octets in sent:
                    wire.send(octets)
                    assert wire.reply().status == 200
    assert [request.body for request in heads] == [b"body", b"", b"body", b"text", b""]
    assert heads[0].headers is heads[2].headers is heads[3].headers
    assert heads[1].headers is heads[4].headers
