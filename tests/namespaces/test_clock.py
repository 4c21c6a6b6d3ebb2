from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.namespaces.clock import Clock, iso, parse_time

NOON = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", NOON),
        ("2026-01-01T00:00:00.250Z", NOON + 250),
        ("2026-01-01T01:00:00+01:00", NOON),
        ("2026-01-01T00:00:00", NOON),
        ("2026-01-01", NOON),
        (" 2026-01-01T00:00:00Z ", NOON),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_valid_times_are_parsed(text: str, expected: int) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", "2026-01-01T25:00:00Z", "1767225600000"])
def test_invalid_times_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 8601 date-time such as 2026-01-01T00:00:00Z"):
        parse_time(text)


@given(st.integers(parse_time("0001-01-01"), parse_time("9999-12-31")))
def test_times_are_written_as_they_are_read(moment: int) -> None:
    text = iso(moment)
    assert parse_time(text) == moment
    assert len(text) == len("2026-01-01T00:00:00.000Z")


def test_a_frozen_clock_stands_until_it_is_moved() -> None:
    clock = Clock(NOON)
    assert clock.frozen
    assert clock.now() == clock.now() == NOON
    clock.advance(5)
    assert clock.now() == NOON + 5
    clock.set(7)
    assert clock.now() == 7


def test_a_running_clock_can_be_set() -> None:
    clock = Clock()
    clock.set(NOON)
    assert not clock.frozen
    assert NOON <= clock.now() < NOON + 60_000
    clock.advance(86_400_000)
    assert clock.now() >= NOON + 86_400_000


def test_freezing_and_going_on() -> None:
    clock = Clock()
    clock.freeze(NOON)
    assert clock.now() == NOON
    clock.resume()
    assert not clock.frozen
    assert NOON <= clock.now() < NOON + 60_000
    clock.resume()
    clock.freeze()
    assert clock.now() == clock.now()
    clock.reset()
    assert not clock.frozen
    assert clock.now() > parse_time("2026-01-01") + 1


def test_a_sleep_ends_when_the_frozen_clock_has_moved_on_so_far() -> None:
    async def run() -> list[str]:
        clock, told = Clock(NOON), list[str]()

        async def sleep(name: str, length: int) -> None:
            await clock.sleep(length)
            told.append(name)

        async def settle() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        sleepers = [asyncio.create_task(sleep("long", 1000)), asyncio.create_task(sleep("short", 10))]
        await settle()
        clock.advance(9)
        await settle()
        told.append("9 ms")
        clock.advance(1)
        await settle()
        told.append("10 ms")
        clock.advance(10_000)
        await asyncio.gather(*sleepers)
        return told

    assert asyncio.run(run()) == ["9 ms", "short", "10 ms", "long"]


def test_a_sleep_on_a_running_clock_ends_by_itself_or_when_it_is_set() -> None:
    async def run() -> None:
        clock = Clock()
        await clock.sleep(0)
        await clock.sleep(5)
        sleeper = asyncio.create_task(clock.sleep(86_400_000))
        await asyncio.sleep(0)
        clock.advance(86_400_000)
        await sleeper

    asyncio.run(run())


def test_a_cancelled_sleep_leaves_nothing_behind() -> None:
    async def run() -> set[asyncio.Event]:
        clock = Clock(NOON)
        sleeper = asyncio.create_task(clock.sleep(5))
        await asyncio.sleep(0)
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        return clock._sleepers

    assert asyncio.run(run()) == set()
