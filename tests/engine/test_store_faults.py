"""Servers whose Redis is killed, frozen, full, slow or cut off: what they answer meanwhile, and afterwards.

Nothing is started anew but Redis: what serves in the last test has been through
all faults before.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockserver import inputs
from tests.cli.command import run
from tests.live import MISSION, PATIENCE, Process, Reply, Wire, children, get
from tests.proxy import Proxy
from tests.redis import Redis
from tests.soak import timelines

_names = itertools.count()

PETS = """\
openapi: 3.1.0
info: {title: Pets, version: '1'}
paths:
  /pets/{id}:
    get:
      operationId: pet
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: A pet.
          content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}
        '503':
          description: Not now.
          content: {application/json: {schema: {$ref: '#/components/schemas/Fault'}}}
  /kinds:
    get:
      responses: {'200': {description: Kinds., content: {application/json: {example: [cat, dog]}}}}
components:
  schemas:
    Fault:
      type: object
      required: [code, text]
      additionalProperties: false
      properties: {code: {type: integer}, text: {type: string}}
"""
PET_FILE = """\
resource: pet
key: path.id
operations: {read: pet}
states: {here: {body: {id: '{{ resource.key }}'}}}
scenarios: {here: [here]}
select: [{scenario: here}]
"""


class Server:
    """A server process; ``call`` polls a key of its own."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.port = process.port
        self.key = ""

    def call(self, *fields: str) -> Reply:
        return get(self.port, timelines.PATH + self.key, *fields)

    def next(self) -> int:
        """The position of the next answer: how many calls were counted before."""
        return self.position(self.call())

    def position(self, reply: Reply) -> int:
        assert reply.status == 200, reply.body
        told = reply.body.decode()
        return next(place for place in range(100) if timelines.body(self.key, place) == told)

    def begin(self, *fields: str) -> Wire:
        """A call that is not answered yet."""
        wire = Wire(self.port)
        lines = [f"GET {timelines.PATH}{self.key} HTTP/1.1", "Host: test", *fields, "", ""]
        wire.send("\r\n".join(lines).encode())
        return wire

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = get(self.port, "/__admin/health").json()
        return found

    def recovers(self) -> None:
        """Wait until the server says that its store is there."""
        until(lambda: self.health()["ready"])


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it does not come true"


def refused(reply: Reply, counted: str = "no") -> str:
    """The detail of a 503 for want of the store."""
    assert reply.status == 503, reply.body
    assert reply.headers["retry-after"] == "1"
    assert reply.headers["x-mock-decision"] == f"store away; counted={counted}"
    assert reply.headers["content-type"] == "application/problem+json"
    told = reply.json()
    assert (told["status"], told["title"]) == (503, "Service Unavailable")
    return str(told["detail"])


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis(durable=True) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    timelines.write(folder)
    (folder / "pets.yaml").write_text(PETS, "utf-8")
    (folder / "pet-scenarios.yaml").write_text(PET_FILE, "utf-8")
    return folder


@contextmanager
def started(folder: Path, url: str, *options: str) -> Iterator[Server]:
    documents = [folder / "jobs.yaml", folder / "pets.yaml", inputs.DOCUMENT]
    files = [folder / "job-scenarios.yaml", folder / "pet-scenarios.yaml", inputs.SCENARIOS]
    scenarios = [word for file in files for word in ("--scenarios", file)]
    prefix = f"faults-{next(_names)}"
    store = ("--store", url, "--store-prefix", prefix)
    with Process(*documents, *scenarios, *store, *options, cache=folder / "cache") as process:
        yield Server(process)


@pytest.fixture(scope="module")
def servers(redis: Redis, folder: Path) -> Iterator[Callable[..., Server]]:
    """Servers by their options, each started once."""
    with ExitStack() as stack:
        known: dict[tuple[str, ...], Server] = {}

        def find(*options: str) -> Server:
            if options not in known:
                known[options] = stack.enter_context(started(folder, redis.url, *options))
            found = known[options]
            found.key = f"ladder-{next(_names)}"
            return found

        yield find


@pytest.fixture
def failing(servers: Callable[..., Server]) -> Server:
    """Fails while the store is away; is patient while it is there and silent."""
    return servers("--store-timeout", "60s")


@pytest.fixture
def hasty(servers: Callable[..., Server]) -> Server:
    """Takes the store to be away when it is silent for a moment."""
    return servers("--store-timeout", "1s")


@pytest.fixture
def waiting(servers: Callable[..., Server]) -> Server:
    return servers("--store-down", "wait", "--store-timeout", "60s")


@pytest.fixture
def waiting_briefly(servers: Callable[..., Server]) -> Server:
    return servers("--store-down", "wait", "--store-timeout", "1s")


@contextmanager
def killed(redis: Redis) -> Iterator[None]:
    redis.kill()
    try:
        yield
    finally:
        redis.start()


@contextmanager
def frozen(redis: Redis) -> Iterator[None]:
    redis.freeze()
    try:
        yield
    finally:
        redis.thaw()


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    """Without memory for anything more: writes are refused."""
    redis.say("CONFIG", "SET", "maxmemory", "1")
    try:
        yield
    finally:
        redis.say("CONFIG", "SET", "maxmemory", "0")


# Killed


def test_while_redis_is_killed_calls_fail_at_once(redis: Redis, failing: Server) -> None:
    assert failing.next() == 0
    with killed(redis):
        until(lambda: not failing.health()["ready"])
        assert "cannot be reached" in refused(failing.call())
        assert "cannot be reached" in refused(failing.call("Prefer: scenario=ladder"))
    failing.recovers()
    assert [failing.next() for _ in range(3)] == [1, 2, 3]


def test_while_redis_is_killed_calls_wait_for_it(redis: Redis, waiting: Server) -> None:
    assert waiting.next() == 0
    with ExitStack() as stack:
        with killed(redis):
            wires = [stack.enter_context(waiting.begin()) for _ in range(3)]
        assert sorted(waiting.position(wire.reply()) for wire in wires) == [1, 2, 3]
    assert waiting.next() == 4


def test_calls_wait_no_longer_than_they_may(redis: Redis, waiting_briefly: Server) -> None:
    assert waiting_briefly.next() == 0
    with killed(redis):
        until(lambda: not waiting_briefly.health()["ready"])
        assert "no answer within 1 s" in refused(waiting_briefly.call())
    waiting_briefly.recovers()
    assert waiting_briefly.next() == 1


def test_after_a_redis_without_persistence_restarts_resources_begin_anew(folder: Path) -> None:
    with Redis() as redis, started(folder, redis.url, "--store-down", "wait") as server:
        server.key = "ladder-0"
        assert [server.next() for _ in range(5)] == [0, 1, 2, 3, 4]
        with killed(redis):
            pass
        assert [server.next() for _ in range(5)] == [0, 1, 2, 3, 4]


# Frozen


def test_while_redis_is_frozen_calls_are_given_up_and_not_counted(redis: Redis, hasty: Server) -> None:
    assert hasty.next() == 0
    with frozen(redis):
        assert "no answer within 1 s" in refused(hasty.call(), "unknown")
        # By now it is known to be away
        assert "gives no answer" in refused(hasty.call())
        assert "gives no answer" in refused(hasty.call("Prefer: scenario=ladder"))
        assert not hasty.health()["ready"]
    hasty.recovers()
    assert hasty.next() == 1


def test_while_redis_is_frozen_calls_wait_for_it(redis: Redis, waiting: Server) -> None:
    assert waiting.next() == 0
    with ExitStack() as stack:
        with frozen(redis):
            wires = [stack.enter_context(waiting.begin()) for _ in range(3)]
        assert sorted(waiting.position(wire.reply()) for wire in wires) == [1, 2, 3]
    assert waiting.next() == 4


def test_a_connection_that_is_silent_for_long_is_made_anew(redis: Redis, hasty: Server) -> None:
    connections = hasty.health
    assert hasty.next() == 0
    with frozen(redis):
        refused(hasty.call(), "unknown")
        until(lambda: "cannot be reached" in refused(hasty.call()))
    hasty.recovers()
    assert connections()["store"]["connected"]
    assert hasty.next() == 1


# Full


def test_while_redis_is_full_calls_are_refused_and_not_counted(redis: Redis, failing: Server) -> None:
    assert failing.next() == 0
    with full(redis):
        detail = refused(failing.call())
        assert "refuses: OOM command not allowed when used memory > 'maxmemory'" in detail
        assert "user_script" not in detail
        refused(failing.call("Prefer: scenario=ladder"))
    assert [failing.next() for _ in range(3)] == [1, 2, 3]


def test_while_redis_is_full_calls_wait_for_room(redis: Redis, waiting: Server) -> None:
    assert waiting.next() == 0
    redis.say("CONFIG", "RESETSTAT")
    with ExitStack() as stack:
        with full(redis):
            wires = [stack.enter_context(waiting.begin()) for _ in range(3)]
            until(lambda: b"errorstat_OOM" in redis.say("INFO", "errorstats"))
        assert sorted(waiting.position(wire.reply()) for wire in wires) == [1, 2, 3]
    assert waiting.next() == 4


def test_calls_wait_for_room_no_longer_than_they_may(redis: Redis, waiting_briefly: Server) -> None:
    with full(redis):
        refused(waiting_briefly.call())
    assert waiting_briefly.next() == 0


# A replica, as after a change of masters


@contextmanager
def replica(redis: Redis) -> Iterator[None]:
    """Of a master that is not there: it reads, and writes nothing."""
    redis.say("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        redis.say("REPLICAOF", "NO", "ONE")


def test_a_replica_counts_nothing(redis: Redis, failing: Server) -> None:
    assert failing.next() == 0
    with replica(redis):
        assert "refuses: READONLY You can't write against a read only replica." in refused(failing.call())
    assert failing.next() == 1


def test_calls_wait_for_a_replica_to_become_master(redis: Redis, waiting: Server) -> None:
    assert waiting.next() == 0
    redis.say("CONFIG", "RESETSTAT")
    with ExitStack() as stack:
        with replica(redis):
            wires = [stack.enter_context(waiting.begin()) for _ in range(3)]
            until(lambda: b"errorstat_READONLY" in redis.say("INFO", "errorstats"))
        assert sorted(waiting.position(wire.reply()) for wire in wires) == [1, 2, 3]


# Slow, or cut off


@pytest.fixture(scope="module")
def proxy(redis: Redis) -> Iterator[Proxy]:
    with Proxy(redis.port) as found:
        yield found


@pytest.fixture(scope="module")
def proxied(proxy: Proxy, folder: Path) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:
        known: dict[tuple[str, ...], Server] = {}

        def find(*options: str) -> Server:
            if options not in known:
                url = f"redis://127.0.0.1:{proxy.port}"
                known[options] = stack.enter_context(started(folder, url, *options))
            found = known[options]
            found.key = f"ladder-{next(_names)}"
            found.recovers()
            return found

        yield find


ASKED, ANSWERED = b"$4\r\npoll\r\n$6\r\nladder\r\n", b" ladder\r\n"
"""What a call to a key of the ladder is asked and answered with."""
DONE = b"$4\r\ndone\r\n"
DOWN = pytest.mark.parametrize("down", ["fail", "wait"])


@DOWN
def test_a_slow_store_is_waited_for(proxy: Proxy, proxied: Callable[..., Server], down: str) -> None:
    server = proxied("--store-down", down, "--store-timeout", "60s")
    for direction, octets in (("there", ASKED), ("back", ANSWERED)):
        before = server.next()
        proxy.hold(direction)
        with server.begin() as wire:
            proxy.kept(octets)
            proxy.let_go()
            assert server.position(wire.reply()) == before + 1


@DOWN
def test_a_call_whose_answer_is_late_was_counted_once(
    proxy: Proxy, proxied: Callable[..., Server], down: str
) -> None:
    server = proxied("--store-down", down, "--store-timeout", "1s")
    assert server.next() == 0
    proxy.hold("back")
    assert "no answer within 1 s" in refused(server.call(), "unknown")
    proxy.let_go()
    server.recovers()
    assert server.next() == 2


@DOWN
def test_a_call_that_comes_late_is_not_counted(
    proxy: Proxy, proxied: Callable[..., Server], down: str
) -> None:
    server = proxied("--store-down", down, "--store-timeout", "1s")
    assert server.next() == 0
    proxy.hold("there")
    assert "no answer within 1 s" in refused(server.call(), "unknown")
    proxy.let_go()
    server.recovers()
    assert server.next() == 1


def test_a_call_that_is_cut_off_after_it_was_counted_may_have_been(
    proxy: Proxy, proxied: Callable[..., Server]
) -> None:
    server = proxied("--store-down", "fail", "--store-timeout", "60s")
    assert server.next() == 0
    proxy.hold("back")
    with server.begin() as wire:
        proxy.kept(ANSWERED)
        proxy.cut()
        assert "broke off" in refused(wire.reply(), "unknown")
    server.recovers()
    assert server.next() == 2


@pytest.mark.parametrize("fields", [(), ("Prefer: scenario=ladder",)])
def test_a_call_that_is_cut_off_after_it_was_counted_has_its_answer(
    proxy: Proxy, proxied: Callable[..., Server], fields: tuple[str, ...]
) -> None:
    server = proxied("--store-down", "wait", "--store-timeout", "60s")
    assert server.next() == 0
    response = DONE if fields else ANSWERED
    proxy.hold("back", since=response)
    with server.begin(*fields) as wire:
        proxy.kept(response)
        proxy.cut()
        assert server.position(wire.reply()) == 1
    assert server.next() == 2


def test_a_call_that_is_cut_off_before_it_was_counted_is_sent_again(
    proxy: Proxy, proxied: Callable[..., Server]
) -> None:
    server = proxied("--store-down", "wait", "--store-timeout", "60s")
    assert server.next() == 0
    proxy.hold("there")
    with server.begin() as wire:
        proxy.kept(ASKED)
        proxy.cut()
        assert server.position(wire.reply()) == 1
    assert server.next() == 2


def test_a_call_that_is_cut_off_fails_at_once(proxy: Proxy, proxied: Callable[..., Server]) -> None:
    server = proxied("--store-down", "fail", "--store-timeout", "60s")
    assert server.next() == 0
    proxy.hold("there")
    with server.begin() as wire:
        proxy.kept(ASKED)
        proxy.cut()
        assert "broke off" in refused(wire.reply(), "unknown")
    server.recovers()
    assert server.next() == 1


# What is said


def test_refusals_have_the_shape_of_the_document(redis: Redis, failing: Server) -> None:
    with killed(redis):
        until(lambda: not failing.health()["ready"])
        mission = get(failing.port, f"{MISSION}/6f0c5a60-52f1-4b52-a1a0-000000000001")
        pet = get(failing.port, "/pets/7")
        kinds = get(failing.port, "/kinds")
    for reply in (mission, pet):
        assert reply.status == 503
        assert reply.headers["retry-after"] == "1"
        assert reply.headers["content-type"].startswith("application/json")
    told = mission.json()
    assert sorted(told) == ["error", "message", "reqId", "statusCode"]
    assert told["statusCode"] == 503
    assert told["error"] == "Service Unavailable"
    assert "cannot be reached" in told["message"]
    assert pet.json() == {"code": 503, "text": told["message"]}
    assert (kinds.status, kinds.json()) == (200, ["cat", "dog"])  # has no resource, and needs no store
    failing.recovers()


def test_the_control_plane_says_that_the_store_is_away(redis: Redis, failing: Server) -> None:
    assert get(failing.port, "/__admin/requests").status == 200
    well = failing.health()
    assert (well["status"], well["live"], well["ready"]) == ("healthy", True, True)
    assert well["store"] == {"address": f"{redis.url}/0", "connected": True}
    with killed(redis):
        until(lambda: not failing.health()["ready"])
        ill = failing.health()
        replies = [get(failing.port, f"/__admin/{noun}") for noun in ("requests", "resources", "namespaces")]
        reset = get(failing.port, "/__admin/reset", "Content-Length: 0", method="POST")
    assert (ill["status"], ill["live"], ill["store"]["connected"]) == ("the store is away", True, False)
    for reply in (*replies, reset):
        assert reply.status == 503, reply.body
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["retry-after"] == "1"
        assert f"the store at {redis.url}/0 cannot be reached" in reply.json()["detail"]
    failing.recovers()
    assert get(failing.port, "/__admin/requests").status == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_does_not_start_without_its_store(folder: Path, workers: str) -> None:
    with Redis() as redis:
        url = redis.url
    ran = run("serve", "--port", "0", "--store", url, "--workers", workers)
    assert ran.code == 1
    assert f"the store at {url}/0 does not answer: " in ran.err
    assert "start Redis there, or correct --store." in ran.err


def test_a_server_does_not_start_on_a_store_without_room(redis: Redis) -> None:
    with full(redis):
        ran = run("serve", "--port", "0", "--store", redis.url)
    assert ran.code == 1
    assert "OOM command not allowed when used memory > 'maxmemory'" in ran.err
    assert "user_script" not in ran.err


# Workers


def test_a_worker_that_is_killed_while_redis_is_away_is_replaced(redis: Redis, folder: Path) -> None:
    with started(folder, redis.url, "--workers", "2") as server:
        server.key = f"ladder-{next(_names)}"
        before = children(server.process.pid)
        assert server.next() == 0
        with killed(redis):
            for each in before:
                os.kill(each, signal.SIGKILL)
            until(lambda: len(set(children(server.process.pid)) - set(before)) == 2)
            refused(server.call())
        # A connection goes to either of the two.
        until(lambda: all(server.health()["ready"] for _ in range(10)))
        assert server.next() == 1
        code, errors = server.process.stop(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in errors


def test_what_killed_workers_had_counted_stays_counted(redis: Redis, folder: Path) -> None:
    with started(folder, redis.url, "--workers", "2") as server:
        server.key = f"ladder-{next(_names)}"
        for turn in range(6):
            assert server.next() == turn
            before = children(server.process.pid)
            os.kill(before[turn % 2], signal.SIGKILL)
            until(lambda before=before: len(set(children(server.process.pid)) & set(before)) == 1)  # type: ignore[misc]
            until(lambda: len(children(server.process.pid)) == 2)
        code, errors = server.process.stop(signal.SIGTERM)
    assert code == 0
    assert errors.count("was killed by SIGKILL; it is replaced") == 6
