"""``serve --store`` and ``--workers`` as users start them: who shares with whom, and how processes end."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mockserver.diagnostics import UsageError
from mockserver.state.redis.handshake import Address, read_address
from tests.cli.command import run
from tests.fixtures import DOCUMENT as THINGS
from tests.live import PATIENCE, Reply
from tests.redis import Redis
from tests.workers import LOOP, LOOPS, Line, owner, written
from tests.workers import Workers as Crowd

STATES = ["one", "two", "three", "four"]


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    return name


def turn(line: Line, key: str) -> str:
    reply = line.ask("GET", f"/loops/{key}")
    assert reply.status == 200, reply.body
    state: str = reply.json()["state"]
    return state


def close(*lines: Line) -> None:
    for each in lines:
        each.socket.close()


def ended(process: int) -> bool:
    """Whether a process that is no child of ours comes to its end."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE)[0])
    finally:
        os.close(handle)


# What may be asked for


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", Address("localhost")),
        ("redis://:p%40ss@10.0.0.1:7000/3", Address("10.0.0.1", 7000, "", 3, "", "p@ss")),
        ("valkey://u:p@h", Address("h", user="u", password="p")),
        ("redis://[::1]:1", Address("::1", 1)),
        ("unix:///run/redis.sock", Address(path="/run/redis.sock")),
    ],
)
def test_an_address(url: str, address: Address) -> None:
    assert read_address(url) == address
    assert address.password == "" or address.password not in address.shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:6379", "is not the address"),
        ("http://localhost", "is not the address"),
        ("", "is not the address"),
        ("unix://", "is not the address"),
        ("redis://h:0", "port 0"),
        ("redis://h:nonsense", "nonsense"),
        ("redis://h:99999", "out of range"),
        ("redis://h/one", "'one' is not a number"),
        ("redis://h/²", "'²' is not a number"),
        ("rediss://h", "TLS"),
        ("redis://[::1", "IPv6"),
        ("redis://user:secret@h:x", "x"),
    ],
)
def test_invalid_store_address_is_reported_in_one_sentence(url: str, said: str) -> None:
    with pytest.raises(UsageError) as found:
        read_address(url)
    assert said in str(found.value)
    assert "write --store redis://" in str(found.value)
    assert "secret" not in str(found.value)


def refused(*arguments: str | Path, code: int = 2) -> str:
    """The one line that says why a server does not start."""
    ran = run("serve", "--port", "0", *arguments)
    assert (ran.code, ran.out) == (code, ""), ran
    [line] = ran.err.splitlines()
    assert line.startswith("mockserver: ")
    return line


def nobody() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"redis://127.0.0.1:{free.getsockname()[1]}"


def test_workers_without_a_store_are_refused_with_the_reason() -> None:
    assert "--workers 2 needs --store redis://HOST" in refused("--workers", "2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--store", "localhost:6379"), "is not the address of a store"),
        (("--store", "redis://h", "--store-prefix", "a/b"), "--store-prefix 'a/b' is not a valid name"),
        (("--store", "redis://h", "--store-timeout", "soon"), "--store-timeout: "),
    ],
)
def test_invalid_store_options_are_reported_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments)


def test_a_store_that_does_not_answer_is_told_in_one_line(redis: Redis) -> None:
    assert "does not answer" in refused("--store", nobody(), "--workers", "2", code=1)
    assert "DB index is out of range" in refused("--store", f"{redis.url}/99", code=1)


# Who shares with whom


def test_two_servers_of_one_prefix_are_one(redis: Redis, prefix: str, tmp_path: Path) -> None:
    with (
        Crowd(redis.url, prefix, tmp_path, workers=1) as one,
        Crowd(redis.url, prefix, tmp_path, workers=2) as two,
        Crowd(redis.url, f"{prefix}-other", tmp_path, workers=1) as apart,
    ):
        lines = [*one.lines(), *two.lines()]
        assert [turn(lines[number % 3], "a") for number in range(6)] == [*STATES, "one", "two"]
        [stranger] = apart.lines()
        assert turn(stranger, "a") == "one"
        assert lines[2].ask("POST", "/__admin/clock/freeze", {"at": "2030-01-01T00:00:00Z"}).status == 200
        assert [each.ask("GET", "/__admin/clock").json()["frozen"] for each in [*lines, stranger]] == [
            True, True, True, False,
        ]  # fmt: skip
        document = LOOPS.replace("/times:", "/hours:")
        assert lines[0].ask("PUT", "/__admin/document?name=loops", document).status == 200
        assert [each.ask("GET", "/hours").status for each in [*lines, stranger]] == [200, 200, 200, 404]
        # Who starts with what they were started with is given what they have by now.
        with Crowd(redis.url, prefix, tmp_path, workers=1) as late:
            [line] = late.lines()
            assert line.ask("GET", "/hours").status == 200
            assert turn(line, "a") == "three"
            close(line)
        said = refused("--store", redis.url, "--store-prefix", prefix, code=1)
        assert "3 other processes serve other documents or scenarios on the prefix" in said
        assert turn(lines[1], "a") == "four", "who was refused has changed nothing"
        close(*lines, stranger)


def test_a_prefix_that_nobody_uses_any_more_is_free(redis: Redis, prefix: str, tmp_path: Path) -> None:
    with Crowd(redis.url, prefix, tmp_path / "one", workers=1) as one:
        [line] = one.lines()
        assert turn(line, "a") == "one"
        close(line)
        one.tell(signal.SIGKILL)
        one.stop()
    other = LOOP.replace("{state: two}", "{state: second}")
    _, scenarios = written(tmp_path / "two")
    (scenarios / "loop.yaml").write_text(other, "utf-8")
    with Crowd(redis.url, prefix, tmp_path / "two", workers=1, write=False) as two:
        [line] = two.lines()
        assert turn(line, "a") == "second", "resources stay where they stood"
        line.socket.close()


def test_a_document_may_come_later(redis: Redis, prefix: str, tmp_path: Path) -> None:
    with Crowd(redis.url, prefix, tmp_path, "--wait-for-document", inputs=False) as server:
        one, other = server.lines()
        assert [each.ask("GET", "/times").status for each in (one, other)] == [503, 503]
        assert one.ask("PUT", "/__admin/document?name=loops", LOOPS).status == 200
        assert other.ask("PUT", "/__admin/scenario-files/loop", LOOP).status == 200
        assert [turn(each, "a") for each in (one, other, one)] == STATES[:3]
        close(one, other)


def test_body_is_read_where_requests_are_not_judged(redis: Redis, prefix: str, tmp_path: Path) -> None:
    document, file = tmp_path / "things.yaml", tmp_path / "thing.yaml"
    document.write_text(THINGS, "utf-8")
    file.write_text(
        "resource: thing\nkey: path.id\noperations: {act: act}\n"
        "states: {idle: {body: {state: idle}}, jumping: {body: {state: jumping}}}\n"
        "scenarios: {idle: [idle], jumps: [jumping]}\n"
        "select: [{body.verb: jump, scenario: jumps}, {scenario: idle}]\n",
        "utf-8",
    )
    arguments = (str(document), "--scenarios", str(file), "--validation", "off")
    with Crowd(redis.url, prefix, tmp_path, *arguments, workers=1, inputs=False) as server:
        [line] = server.lines()
        answers = [line.ask("POST", f"/things/{verb}", {"verb": verb}) for verb in ("jump", "sit")]
        assert [each.json()["state"] for each in answers] == ["jumping", "idle"]
        close(line)


# What becomes of processes


@pytest.fixture
def server(redis: Redis, prefix: str, tmp_path: Path) -> Iterator[Crowd]:
    with Crowd(redis.url, prefix, tmp_path) as found:
        yield found


def delayed(one: Line, other: Line) -> None:
    """Let a call be under way at ``one``."""
    one.put("GET", "/loops/slow", Prefer="wait=1")
    count = {"urlPattern": "/loops/slow"}
    while other.ask("POST", "/__admin/requests/count", count).json()["count"] == 0:
        pass  # it is counted before it is delayed


def test_sigterm_answers_what_is_under_way_and_ends_all(server: Crowd) -> None:
    one, other = server.lines()
    workers = server.workers()
    delayed(one, other)
    server.tell(signal.SIGTERM)
    assert one.reply().json()["state"] == "one"
    assert one.rest() == other.rest() == b""
    close(one, other)
    assert server.stop() == (0, "")
    assert all(ended(each) for each in workers)


def test_a_shutdown_by_one_worker_ends_all(server: Crowd) -> None:
    one, other = server.lines()
    delayed(other, one)
    assert one.ask("POST", "/__admin/shutdown").status == 202
    assert other.reply().json()["state"] == "one"
    assert one.rest() == other.rest() == b""
    close(one, other)
    assert server.stop() == (0, "")


def test_a_worker_that_is_killed_is_replaced_and_no_call_is_counted_twice(server: Crowd) -> None:
    one, other = server.lines()
    first, second = server.workers()
    assert turn(one, "once-a") == "one"
    done = threading.Event()

    def call() -> tuple[list[str], int]:
        """The numbers of the calls that were answered, and how many were broken off."""
        told, broken, line = [], 0, Line(server.port)
        while not done.is_set():
            try:
                told.append(line.ask("GET", "/loops/once-a").headers["x-mock-decision"])
            except (EOFError, ConnectionError):
                broken += 1
                close(line)
                line = Line(server.port)  # waits for the next one where nobody takes it yet
        close(line)
        return told, broken

    errors = server.errors()
    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(call) for _ in range(8)]
        while turn(other, "b") != "four":
            pass
        os.kill(first, signal.SIGKILL)
        assert next(errors) == "worker 0 was killed by SIGKILL; it is replaced\n"
        lines = server.lines()
        done.set()
        found = [each.result() for each in callers]
    assert one.rest() == b""
    workers = server.workers()
    assert (len(workers), first in workers, second in workers) == (2, False, True)
    told, broken = [each for numbers, _ in found for each in numbers], sum(each for _, each in found)
    counted = lines[0].ask("GET", "/__admin/resources/loop/once-a").json()["calls"]
    assert set(told) <= {f"scenario=once; state=two; call={number + 1}" for number in range(counted)}
    assert len(set(told)) == len(told), "every answer is to a call of its own"
    assert len(told) <= counted <= len(told) + broken
    close(*lines, one, other)


def test_no_worker_outlives_the_parent(server: Crowd) -> None:
    one, other = server.lines()
    workers = server.workers()
    delayed(one, other)
    server.tell(signal.SIGKILL)
    assert one.reply().json()["state"] == "one", "what is under way is answered"
    close(one, other)
    assert all(ended(each) for each in workers)


def test_a_worker_that_dies_while_the_store_is_away_is_replaced(prefix: str, tmp_path: Path) -> None:
    with Redis(durable=True) as store, Crowd(store.url, prefix, tmp_path) as server:
        one, other = server.lines()
        assert turn(one, "a") == "one"
        store.kill()
        for worker in server.workers():
            os.kill(worker, signal.SIGKILL)
        errors = server.errors()
        while "it is replaced" not in next(errors):
            pass
        while "it is replaced" not in next(errors):
            pass
        lines = server.lines()
        assert {owner(each, server.workers()) for each in lines} == set(server.workers())
        for line in lines:
            assert line.ask("GET", "/times").status == 200, "needs no store"
            reply: Reply = line.ask("GET", "/loops/a")
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        store.start()
        for line in lines:
            while (reply := line.ask("GET", "/loops/a")).status == 503:
                pass
            assert reply.json()["state"] in STATES[1:3]
        close(*lines, one, other)
        assert server.stop(signal.SIGTERM)[0] == 0
