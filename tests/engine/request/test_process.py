"""The process that works for the server: what it returns, and what ends it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable

import pytest

from mockserver.engine.request import process
from mockserver.engine.request.process import NOT_STARTED, Process
from tests.live import children


def results(work: Callable[[bytes], bytes], *inputs: bytes) -> list[bytes]:
    """Return the results of a process for these inputs, which it gets at once."""

    async def run() -> list[bytes]:
        worker = Process(work)
        try:
            return [await job for job in [worker.run(data) for data in inputs]]
        finally:
            worker.end()

    before = set(children(os.getpid()))
    try:
        return asyncio.run(run())
    finally:
        for number in set(children(os.getpid())) - before:
            os.waitpid(number, 0)


def test_results_come_in_the_order_of_the_inputs_from_one_process() -> None:
    found = results(lambda data: data + b" %d" % os.getpid(), b"a", b"", b"b" * 3_000_000)
    texts, numbers = zip(*(each.rsplit(b" ", 1) for each in found), strict=True)
    assert texts == (b"a", b"", b"b" * 3_000_000)
    assert len(set(numbers)) == 1
    assert int(numbers[0]) != os.getpid()


def test_a_failure_has_an_empty_result_and_the_next_input_gets_its_own() -> None:
    def work(data: bytes) -> bytes:
        if data == b"bad":
            raise RuntimeError
        return data

    assert results(work, b"bad", b"good", b"bad", b"bad", b"more") == [b"", b"good", b"", b"", b"more"]


def test_an_input_that_takes_too_much_memory_has_an_empty_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_MAX_MEMORY", 64 * 1024**2)
    assert results(lambda data: bytes(int(data)), b"1000000000", b"3") == [b"", bytes(3)]


def test_an_input_that_takes_too_much_processor_time_has_an_empty_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "MAX_SECONDS", 0)

    def work(data: bytes) -> bytes:
        while data == b"long":
            pass
        return data

    assert results(work, b"long", b"short") == [b"", b"short"]


def test_an_input_that_waits_too_long_has_an_empty_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_MAX_WAIT", 0.05)

    def work(data: bytes) -> bytes:
        if data == b"wait":
            signal.pause()
        return data

    assert results(work, b"wait", b"more") == [b"", b"more"]


def test_a_process_without_a_job_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_MAX_IDLE", 0.0)

    async def run() -> set[bytes]:
        worker = Process(lambda data: b"%d" % os.getpid())
        first = await worker.run(b"")
        for _ in range(5):
            await asyncio.sleep(0)
        found = {first, await worker.run(b"")}
        worker.end()
        return found

    assert len(asyncio.run(run())) == 2


def test_a_process_that_has_grown_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bytes] = []

    def work(data: bytes) -> bytes:
        held.append(b"x" * (32 * 1024**2))
        return b"%d" % os.getpid()

    assert len(set(results(work, b"1", b"2"))) == 1
    monkeypatch.setattr(process, "_MAX_KEPT", 1024**2)
    assert len(set(results(work, b"1", b"2"))) == 2
    assert not held


def test_without_a_process_the_result_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError

    monkeypatch.setattr(os, "fork", refuse)
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert results(lambda data: data, b"a", b"b") == [NOT_STARTED, NOT_STARTED]
    assert resource.getrlimit(resource.RLIMIT_AS) == before
