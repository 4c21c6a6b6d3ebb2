"""A store that is there and cannot be used, or not as it should be; and whose time servers take."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import run
from tests.redis import Redis
from tests.workers import Line
from tests.workers import Workers as Crowd

LIFE = "/loops/slow-1"
KEYS = [
    ("SET {}/s/default/loop x", "s/default/loop is a string and not a hash"),
    ("SET {}/u/default/loop x", "u/default/loop is a string and not a zset"),
    ("HSET {}/r/default a b", "r/default is a hash and not a list"),
    ("SET {}/m/t1 x", "m/t1 is a string and not a hash"),
    ("SET {}/ns x", "ns is a string and not a zset"),
    ("SET {}/g x", "g is a string and not a hash"),
]


@pytest.fixture(scope="module")
def own() -> Iterator[Redis]:
    """A Redis that may be spoilt."""
    with Redis() as found:
        yield found


@pytest.fixture(scope="module")
def server(own: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with Crowd(own.url, "spoilt", tmp_path_factory.mktemp("spoilt"), workers=1) as found:
        yield found


@pytest.fixture
def line(server: Crowd) -> Iterator[Line]:
    found = Line(server.port)
    yield found
    found.socket.close()


def health(line: Line) -> Any:
    return line.ask("GET", "/__admin/health").json()


@pytest.mark.parametrize(("command", "told"), KEYS)
def test_a_key_of_a_wrong_type_makes_the_server_not_ready_until_it_is_gone(
    own: Redis, server: Crowd, line: Line, command: str, told: str
) -> None:
    assert line.ask("GET", LIFE, X_Mock_Namespace="t1").status == 200
    assert health(line)["ready"] is True
    key = command.split()[1].format("spoilt")
    own.say("RENAME", key, "aside")
    own.say(*command.format("spoilt").split())
    try:
        found = health(line)
        assert (found["live"], found["ready"], found["store"]["connected"]) == (True, False, True)
        assert found["status"] == f"the store cannot be used: spoilt/{told}"
        ran = run("health", "--url", f"http://127.0.0.1:{server.port}")
        assert (ran.code, told in ran.err) == (1, True)
    finally:
        own.say("DEL", key)
        own.say("RENAME", "aside", key)
    assert health(line)["status"] == "healthy"


def test_a_key_of_a_wrong_type_is_in_the_log_once_however_many_calls_meet_it(
    own: Redis, tmp_path: Path
) -> None:
    with Crowd(own.url, "wrong", tmp_path, workers=1) as server:
        line = Line(server.port)
        own.say("SET", "wrong/s/default/loop", "x")
        for _ in range(3):
            reply = line.ask("GET", LIFE)
            assert reply.status == 503
        line.socket.close()
        code, told = server.stop(signal.SIGTERM)
    assert code == 0
    [line_of_it] = [each for each in told.splitlines() if "WRONGTYPE" in each]
    assert " ERROR mockserver.state: " in line_of_it
    assert line_of_it.endswith("somebody else writes under the prefix 'wrong'")


def test_a_key_of_a_wrong_type_is_in_the_log_at_the_start(own: Redis, tmp_path: Path) -> None:
    own.say("SET", "early/m/default", "x")
    with Crowd(own.url, "early", tmp_path, workers=1) as server:
        _, told = server.stop(signal.SIGTERM)
    assert "cannot be used: early/m/default is a string and not a hash" in told


def test_a_store_that_takes_no_writes_makes_the_server_not_ready(own: Redis, line: Line) -> None:
    own.say("CONFIG", "SET", "maxmemory", "1")
    try:
        found = health(line)
    finally:
        own.say("CONFIG", "SET", "maxmemory", "0")
    assert found["ready"] is False
    assert "OOM command not allowed" in found["status"]
    assert health(line)["ready"] is True


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--maxmemory-policy", "allkeys-lru"), True),
        (("--maxmemory-policy", "volatile-ttl"), True),
        ((), False),
    ],
)
def test_a_policy_that_drops_what_is_kept_is_warned_of_at_the_start(
    tmp_path: Path, options: tuple[str, ...], told: bool
) -> None:
    with Redis(*options) as redis, Crowd(redis.url, "policy", tmp_path, workers=2) as server:
        _, errors = server.stop(signal.SIGTERM)
    lines = [each for each in errors.splitlines() if "maxmemory-policy" in each]
    assert len(lines) == int(told)
    assert [each for each in lines if options[1] not in each or "set it to noeviction" not in each] == []


# Time

SHIFT = """
import time
_ns, _s = time.time_ns, time.time
time.time_ns, time.time = (lambda: _ns() + 3_600_000_000_000), (lambda: _s() + 3600)
"""


@pytest.fixture
def an_hour_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Whether servers that start from now on are on a machine whose clock is an hour ahead."""
    (tmp_path / "ahead").mkdir()
    (tmp_path / "ahead" / "sitecustomize.py").write_text(SHIFT)

    def shift(is_ahead: bool) -> None:
        if is_ahead:
            monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ahead"))
        else:
            monkeypatch.delenv("PYTHONPATH")

    return shift


def test_hosts_whose_clocks_are_an_hour_apart_have_one_time_the_stores(
    redis: Redis, tmp_path: Path, an_hour_ahead: Callable[[bool], None]
) -> None:
    an_hour_ahead(True)
    with Crowd(redis.url, "hour", tmp_path / "a", workers=1) as ahead:
        an_hour_ahead(False)
        with Crowd(redis.url, "hour", tmp_path / "a", workers=1, write=False) as other:
            lines = [Line(ahead.port), Line(other.port)]
            for line in (*lines, *lines):  # it is there for 30 s
                assert line.ask("GET", LIFE).json()["state"] == "one"
            times = [line.ask("GET", "/__admin/clock").json()["milliseconds"] for line in lines]
            seconds = int(redis.say("TIME").split(b"\r\n")[2])
            assert abs(times[0] - times[1]) < 60_000
            assert abs(times[0] - seconds * 1000) < 60_000
            calls = lines[1].ask("GET", "/__admin/requests").json()["requests"]
            whens = [each["request"]["loggedDate"] for each in calls]
            assert len(whens) == 4
            assert max(whens) - min(whens) < 60_000
            dates = [parsedate_to_datetime(line.ask("GET", LIFE).headers["date"]) for line in lines]
            assert abs(dates[0] - dates[1]).total_seconds() < 60
            moved = lines[0].ask("POST", "/__admin/clock/advance", {"by": "30s"})
            assert moved.status == 200
            for line in lines:
                assert line.ask("GET", LIFE).json()["state"] == "two"
                line.socket.close()
            _, told = other.stop(signal.SIGTERM)
            assert "the clock of this machine" not in told
        _, told = ahead.stop(signal.SIGTERM)
    assert "the clock of this machine is 3600 s ahead of the clock of the store at" in told
