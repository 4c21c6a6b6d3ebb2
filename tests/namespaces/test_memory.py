"""What clients make the server hold, over real sockets: each kind is counted, and bounded."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from mockserver.engine import engine as engine_module
from mockserver.engine.engine import Options
from mockserver.engine.response.negotiation import negotiate
from mockserver.http import owner, wire
from mockserver.http.owner import Limits
from mockserver.media.types import parse_content_type
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import parse_time
from mockserver.namespaces.memory import SHARES, Memory, MemoryLimits
from mockserver.namespaces.namespaces import Namespaces
from mockserver.plan import MediaType, Plan
from tests.live import MISSION, NOON, Live, Wire, ask, engine_of, get, serving, serving_engine

LARGE = 5_000_000
KEY = f"{MISSION}/1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b"
TOKEN = {"authorization": "Bearer any"}


class Behaviour:
    """A handler with its own paths, and a clock that stands still."""

    def __init__(self, memory: Memory) -> None:
        self.namespaces = Namespaces(parse_time(NOON), memory=memory)
        self.asked: list[Request] = []

    def handle(self, request: Request) -> Response | asyncio.Future[Response]:
        self.asked.append(request)
        match request.raw_path:
            case "/large":
                return Response(200, [], b"x" * LARGE)
            case "/slow":
                return Response(200, [], b"x" * 1000, delay=5000)
            case "/never":
                return asyncio.get_running_loop().create_future()
        return Response(200)


@contextmanager
def behaving(memory: Memory, limits: Limits | None = None) -> Iterator[tuple[Live, Behaviour]]:
    behaviour = Behaviour(memory)
    with serving(behaviour.handle, namespaces=behaviour.namespaces, limits=limits) as live:
        yield live, behaviour


class Reader(Wire):
    """A client whose socket takes little by itself."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self._read = b""

    def take(self) -> None:
        """Take some of what there is."""
        self._more()

    def ask(self, path: str) -> None:
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def test_answers_that_clients_do_not_take_are_bounded_and_the_last_clients_are_kept() -> None:
    memory = Memory(MemoryLimits(unsent=4 * LARGE))
    with behaving(memory) as (live, behaviour):
        readers = [Reader(live.port) for _ in range(9)]
        for number, reader in enumerate(readers, 1):
            reader.ask("/large")
            while len(behaviour.asked) < number:
                pass
            assert live.run(lambda: memory.unsent) == min(number, 4) * LARGE or number > 4
            assert live.run(lambda: memory.unsent) <= 4 * LARGE
        assert get(live.port, "/").status == 200
        assert len(readers[-1].reply().body) == LARGE
        assert memory.cut_off >= 5
        for reader in readers[:5]:
            with pytest.raises((EOFError, ConnectionResetError)):
                reader.reply()
        for reader in readers:
            reader.socket.close()
        while live.run(lambda: live.server.connections):
            pass
        assert memory.unsent == 0
        assert not memory.readers


def test_slow_reader_stays_connected_longer_than_one_that_reads_nothing() -> None:
    memory = Memory(MemoryLimits(unsent=3 * LARGE))
    with behaving(memory) as (live, _):
        slow, idle, third, last = (Reader(live.port) for _ in range(4))
        for number, reader in enumerate((slow, idle, third), 1):
            reader.ask("/large")
            while live.run(lambda: len(memory.readers)) < number:
                pass
        while live.run(lambda: len(memory.readers)) < 3:
            pass
        left = live.run(
            lambda: {each: each.unread._left for each in live.server.connections if each.unread is not None}
        )
        while live.run(lambda: {each: each.transport.get_write_buffer_size() for each in left}) == left:
            slow.take()
        live.run(live.server.expire)
        last.ask("/large")
        for reader in (last, slow):
            assert len(reader.reply().body) == LARGE
        with pytest.raises((EOFError, ConnectionResetError)):
            idle.reply()
        for reader in (slow, idle, third, last):
            reader.socket.close()


def test_an_answer_larger_than_all_that_may_be_untaken_is_sent_where_there_is_no_other() -> None:
    memory = Memory(MemoryLimits(unsent=1000))
    with behaving(memory) as (live, _):
        reader = Reader(live.port)
        reader.ask("/large")
        while not live.run(lambda: memory.unsent):
            pass
        assert len(reader.reply().body) == LARGE
        reader.socket.close()


def test_a_request_is_not_held_while_its_answer_waits_for_a_delay() -> None:
    memory = Memory()
    with behaving(memory) as (live, behaviour), Wire(live.port) as wire:
        body = b"x" * 100_000
        wire.send(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body)
        while not live.run(lambda: memory.waiting):
            pass
        assert live.run(lambda: (memory.delayed, memory.unfinished)) == (1000, 0)
        [request] = behaviour.asked
        assert live.run(lambda: sys.getrefcount(request)) == 3  # here, in the list, and as an argument
        live.run(lambda: behaviour.namespaces.default.clock.advance(5000))
        assert wire.reply().status == 200
        assert live.run(lambda: (memory.waiting, memory.delayed)) == (0, 0)


def test_a_request_whose_answer_takes_time_to_make_is_counted_as_unfinished() -> None:
    memory = Memory()
    with behaving(memory) as (live, _), Wire(live.port) as wire:
        wire.send(b"POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
        while live.run(lambda: memory.unfinished) != 5000:
            pass
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.socket.close()
        while live.run(lambda: live.server.connections):
            pass
        for _ in range(3):  # of the event loop, in which the task ends
            live.run(lambda: None)
        assert live.run(lambda: memory.unfinished) == 0


# What the engine refuses


def test_an_answer_that_is_too_large_is_refused_and_the_journal_says_so(mission: Plan) -> None:
    engine = engine_of(mission, memory=Memory(MemoryLimits(response=10)))
    response = ask(engine, "GET", KEY, TOKEN)
    assert response.status == 500
    assert b"the limit by --max-memory is 10 bytes" in response.body
    [record] = engine.namespaces.default.journal.records()
    assert record[4].status == 500


@pytest.mark.parametrize(("asked", "waited"), [("9999", "120"), ("120", "120"), ("0.2", "0.2")])
def test_a_delay_beyond_the_longest_is_cut_and_the_answer_says_so(
    mission: Plan, asked: str, waited: str
) -> None:
    response = ask(engine_of(mission), "GET", KEY, {**TOKEN, "prefer": f"wait={asked}"})
    assert dict(response.headers)["preference-applied"] == f"wait={waited}"
    assert response.delay == float(waited) * 1000


def test_the_longest_delay_is_an_option(mission: Plan) -> None:
    engine = engine_of(mission, options=Options(max_delay=500))
    assert ask(engine, "GET", KEY, {**TOKEN, "prefer": "wait=2"}).delay == 500


def test_more_answers_than_may_wait_are_refused_without_a_call_and_have_room_later(mission: Plan) -> None:
    memory = Memory(max_waiting=2)
    engine = engine_of(mission, memory=memory)
    with serving_engine(engine) as live:
        wires = [Wire(live.port) for _ in range(3)]
        sent = (
            f"GET {KEY} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer any\r\nPrefer: wait=5\r\n\r\n".encode()
        )
        for number, wire in enumerate(wires[:2], 1):
            wire.send(sent)
            while live.run(lambda: memory.waiting) < number:
                pass
        wires[2].send(sent)
        refused = wires[2].reply()
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert get(live.port, "/nothing").status == 404
        live.run(lambda: engine.namespaces.default.clock.advance(5000))
        calls = [wire.reply().headers["x-mock-decision"] for wire in wires[:2]]
        assert [call.rpartition("=")[2] for call in calls] == ["1", "2"]
        wires[2].send(sent)
        while not live.run(lambda: memory.waiting):
            pass
        live.run(lambda: engine.namespaces.default.clock.advance(5000))
        assert wires[2].reply().headers["x-mock-decision"] == "scenario=issued; state=issued; call=1"
        for wire in wires:
            wire.socket.close()


def test_a_delay_of_the_server_counts_and_what_is_refused_is_told_by_the_journal(mission: Plan) -> None:
    memory = Memory(MemoryLimits(delayed=0))
    engine = engine_of(mission, memory=memory)
    response = ask(engine, "GET", KEY, {**TOKEN, "prefer": "wait=1"})
    assert (response.status, dict(response.headers)["retry-after"], response.delay) == (503, "1", 0)
    [record] = engine.namespaces.default.journal.records()
    assert record[4].status == 503


class Idle:
    """A connection whose client takes nothing."""

    def __init__(self, memory: Memory, taken: float, unsent: int) -> None:
        self.taken = taken
        self.unsent = unsent
        self.is_broken_off = False
        memory.unsent += unsent
        memory.readers.add(self)

    def abort(self) -> None:
        self.is_broken_off = True


def test_a_large_answer_that_finds_no_room_is_503_and_makes_room_for_the_next(
    mission: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_LARGE", 100)  # as if answers of the document were large
    memory = Memory(MemoryLimits(unsent=100_000))
    engine = engine_of(mission, memory=memory)
    readers = [Idle(memory, taken, 50_000) for taken in (2.0, 1.0)]
    response = ask(engine, "GET", KEY, TOKEN)
    assert (response.status, dict(response.headers)["retry-after"]) == (503, "1")
    assert [each.is_broken_off for each in readers] == [False, True]
    assert ask(engine, "GET", KEY, TOKEN).status == 503  # what it held is not gone yet
    assert not readers[0].is_broken_off
    memory.unsent -= 50_000
    memory.leaving -= 50_000
    assert ask(engine, "GET", KEY, TOKEN).status == 200


# Requests that may be much work


def test_heavy_work_takes_turns_with_all_else() -> None:
    done: list[str] = []
    with behaving(Memory()) as (live, _):

        def begin() -> None:
            for name in ("first", "cancelled", "second"):
                turn = live.server.in_turn(partial(done.append, name))
                if name == "cancelled":
                    turn.cancel()
            asyncio.get_running_loop().call_soon(done.append, "other")

        live.run(begin)
        while live.run(lambda: len(done)) < 3:
            pass
    assert done == ["first", "other", "second"]


def test_requests_with_heavy_bodies_are_answered_in_order_and_not_held_then() -> None:
    memory = Memory()
    with behaving(memory) as (live, behaviour), Wire(live.port) as wire:
        heavy = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
        packed = b"POST /3 HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
        wire.send(heavy % 1 + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n" + packed + heavy % 4)
        assert [wire.reply().status for _ in range(4)] == [200] * 4
        assert [each.raw_path for each in behaviour.asked] == ["/1", "/2", "/3", "/4"]
        assert live.run(lambda: memory.unfinished) == 0


# Clients that are told apart


def test_connections_from_loopback_are_not_counted() -> None:
    with behaving(Memory(max_client_waiting=1), Limits(client_connections=1)) as (live, _):
        with Wire(live.port) as one, Wire(live.port) as other:
            for wire in (one, other):
                wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert wire.reply().status == 200
        assert live.server.clients == {}


def test_one_connection_too_many_of_a_client_is_told_so_and_another_has_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, "is_loopback", lambda host: False)
    with behaving(Memory(), Limits(client_connections=2)) as (live, _):
        first, second = Wire(live.port), Wire(live.port)
        for wire in (first, second):
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.reply().status == 200
        with Wire(live.port) as third:
            refused = third.reply()
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert third.rest() == b""
        first.socket.close()
        while live.run(lambda: live.server.clients != {"127.0.0.1": 1}):
            pass
        assert get(live.port, "/").status == 200
        second.socket.close()
        while live.run(lambda: live.server.clients):
            pass


def test_one_answer_too_many_that_waits_for_a_client_is_refused(
    mission: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "is_loopback", lambda host: False)
    memory = Memory(max_client_waiting=1)
    engine = engine_of(mission, memory=memory)
    sent = f"GET {KEY} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer any\r\nPrefer: wait=5\r\n\r\n".encode()
    with serving_engine(engine) as live, Wire(live.port) as first, Wire(live.port) as second:
        first.send(sent)
        while not live.run(lambda: memory.waiting):
            pass
        second.send(sent)
        assert second.reply().status == 503
        live.run(lambda: engine.namespaces.default.clock.advance(5000))
        assert first.reply().status == 200
        second.send(sent)
        while not live.run(lambda: memory.waiting):
            pass


# What is remembered of requests


@pytest.mark.parametrize(
    "remember",
    [
        lambda number: wire.is_host(f"{number:060000d}"),
        lambda number: parse_content_type(f"a/b; c={number:060000d}"),
        lambda number: negotiate((MediaType("a/b"),), f"a/b; c={number:060000d}"),
        lambda number: wire.usual(Response(200, [("x-a", f"{number:060000d}")])),
    ],
)
def test_long_texts_of_clients_are_not_remembered(remember: Callable[[int], object]) -> None:
    remember(0)
    tracemalloc.start()
    try:
        for number in range(1, 200):
            remember(number)
        traces = tracemalloc.take_snapshot().traces
    finally:
        tracemalloc.stop()
    # The texts alone: threads of other tests may allocate small objects meanwhile
    assert sum(trace.size for trace in traces if trace.size >= 50_000) < 200_000


# The shares


def test_shares_are_of_the_whole_and_no_larger_than_their_most() -> None:
    assert set(SHARES) == set(MemoryLimits.__struct_fields__)
    assert sum(SHARES.values()) == 32
    limits = MemoryLimits.of(32_000_000)
    assert (limits.journals, limits.response) == (6_000_000, 2_000_000)
    assert MemoryLimits.of(1 << 50) == MemoryLimits()
