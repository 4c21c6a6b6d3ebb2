"""Delays by the seed and the clock, and bodies that dribble."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockserver.engine.delays import LONGEST, length, stated
from mockserver.engine.engine import Options
from mockserver.plan import Delay
from tests.fixtures import things
from tests.live import PATIENCE, Live, Wire, ask, serving_engine

FILE = """
resource: thing
key: path.id
delay: 5ms
operations: {look: look, drop: {operation: drop, delay: {min: 10ms, max: 20ms}}}
states:
  plain: {look: {body: {state: plain}}, drop: {}}
  slow: {look: {body: {state: slow}, delay: {median: 100ms, sigma: 0.5}}, drop: {delay: 1s}}
  dribbling: {look: {body: {state: dribbling}, delay: 0ms, dribble: {chunks: 4, over: 3s}}}
scenarios:
  plain: [plain]
  slow: [{state: slow, until: {calls: 1}, delay: 7s}, slow]
"""


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("200ms", Delay(low=200)),
        ("100ms..2s", Delay("uniform", 100, 2000)),
        ("200ms~0.5", Delay("lognormal", 200, sigma=0.5)),
    ],
)
def test_a_delay_option_is_parsed(text: str, delay: Delay) -> None:
    assert stated(text) == delay


@pytest.mark.parametrize("text", ["", "200", "2s..1s", "2s~x", "2s~9", "1s..", "2d", "-1s", "~1"])
def test_an_invalid_delay_option_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        stated(text)


def test_a_fixed_delay_is_the_same_for_every_draw() -> None:
    assert length(Delay(low=30), "seed", "a") == 30


def test_a_uniform_delay_is_within_its_bounds() -> None:
    draws = [length(Delay("uniform", 100, 200), "seed", str(number)) for number in range(2000)]
    assert (min(draws), max(draws)) == (100, 200)
    assert 145 < statistics.mean(draws) < 155


def test_a_lognormal_delay_has_the_given_median_and_deviation() -> None:
    draws = [length(Delay("lognormal", 100, sigma=0.5), "seed", str(number)) for number in range(4000)]
    assert 96 < statistics.median(draws) < 104
    assert 0.45 < statistics.stdev(math.log(each) for each in draws) < 0.55
    assert length(Delay("lognormal", LONGEST, sigma=5), "seed", "4") <= LONGEST


def test_the_most_specific_delay_applies(tmp_path: Path) -> None:
    engine = things(tmp_path, FILE)
    assert ask(engine, "GET", "/things/1").delay == 5, "the file's"
    assert 10 <= ask(engine, "DELETE", "/things/1").delay <= 20, "the operation's"
    first = ask(engine, "GET", "/things/2", {"prefer": "scenario=slow"})
    assert first.delay == 7000, "the step's"
    assert ask(engine, "GET", "/things/2").delay not in (5, 7000), "the answer's"
    assert ask(engine, "DELETE", "/things/2").delay == 1000
    assert ask(engine, "GET", "/things/3", {"prefer": "scenario=state:dribbling"}).delay == 0


def test_the_same_seed_gives_the_same_delays(tmp_path: Path) -> None:
    def run(seed: str) -> list[int]:
        engine = things(tmp_path, FILE, seed=seed)
        preferred = {"prefer": "scenario=state:slow"}
        return [ask(engine, "GET", f"/things/{key}", preferred).delay for key in (1, 1, 1, 2, 3)]

    assert run("a") == run("a") != run("b")
    assert len(set(run("a"))) > 3


def test_a_delay_of_the_server_applies_to_every_answer(tmp_path: Path) -> None:
    file = FILE.replace("delay: 5ms\n", "")
    engine = things(tmp_path, file, options=Options(delay=Delay("uniform", 1, 1000)))
    assert ask(engine, "GET", "/things/1").delay
    assert ask(engine, "GET", "/things").delay, "an operation that no file names"
    assert ask(engine, "GET", "/things/x").delay, "a refusal"
    assert ask(engine, "GET", "/nowhere").delay == 0
    drawn = [ask(engine, "GET", "/things").delay for _ in range(5)]
    assert len(set(drawn)) > 1


def test_prefer_wait_delays_the_answer(tmp_path: Path) -> None:
    engine = things(tmp_path, FILE)
    response = ask(engine, "GET", "/things/1", {"prefer": "wait=1.5"})
    assert response.delay == 1500
    assert ("preference-applied", "wait=1.5") in response.headers
    slow = ask(engine, "GET", "/things/2", {"prefer": "scenario=slow, wait=1"})
    assert slow.delay == 1000, "no longer than the client waits"
    assert ask(engine, "GET", "/things/3", {"prefer": "code=404; wait=2"}).delay == 2000


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    engine = things(tmp_path, FILE)
    with serving_engine(engine) as found:
        yield found


def advance(live: Live, milliseconds: int) -> None:
    live.run(lambda: live.server.namespaces.default.clock.advance(milliseconds))


def test_a_delay_ends_when_the_clock_is_advanced(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(b"GET /things/1 HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=3600\r\n\r\n")
        wire.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)
        advance(live, 3_600_000)
        wire.socket.settimeout(PATIENCE)
        assert wire.reply().status == 200


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_dribbled_body_arrives_in_parts(live: Live, version: str) -> None:
    """Four parts, a second between each and the next."""
    with Wire(live.port) as wire:
        lines = [f"GET /things/1 HTTP/{version}", "Host: localhost", "Prefer: scenario=state:dribbling"]
        wire.send("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        found = wire.socket.recv(65536)
        while found.count(b"\r\n\r\n") < 1 or found.endswith(b"\r\n\r\n"):
            found += wire.socket.recv(65536)
        for _ in range(3):
            wire.socket.settimeout(0.05)
            with pytest.raises(TimeoutError):
                wire.socket.recv(1)
            advance(live, 1000)
            wire.socket.settimeout(PATIENCE)
            found += wire.socket.recv(65536)
        found += wire.rest()
    head, _, rest = found.partition(b"\r\n\r\n")
    if version == "1.0":
        assert b"chunked" not in head
        body = rest
    else:
        assert b"transfer-encoding: chunked" in head
        parts = rest.split(b"\r\n")
        assert parts[-3:] == [b"0", b"", b""]
        body = b"".join(parts[1:-3:2])
        assert len(parts[1:-3:2]) == 4
    assert b'"state":"dribbling"' in body
    assert body.startswith(b"{")
    assert body.endswith(b"}")
