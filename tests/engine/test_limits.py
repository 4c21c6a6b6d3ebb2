"""Limits, queues and chance: what stands before an operation."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockserver.engine.engine import Engine
from mockserver.messages import Response
from tests.fixtures import things
from tests.live import PATIENCE, Live, Wire, ask, serving_engine

LIMITED = """
resource: thing
key: path.id
operations:
  look: {operation: look, limit: %s}
  drop: drop
states:
  here: {look: {body: {state: here}}, drop: {}}
  told-off: {look: {status: 429, body: {message: slow down}}}
scenarios: {here: [here]}
"""


def statuses(engine: Engine, count: int, target: str = "/things/1", **headers: str) -> list[int]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return [ask(engine, "GET", target, fields).status for _ in range(count)]


def limited(folder: Path, limit: str, **more: str) -> Engine:
    file = LIMITED % limit
    if not more.get("state"):
        file = file.replace("  told-off: {look: {status: 429, body: {message: slow down}}}\n", "")
    return things(folder, file)


def test_calls_beyond_the_limit_in_a_window_are_answered_429(tmp_path: Path) -> None:
    engine = limited(tmp_path, "3/2s")
    assert statuses(engine, 5) == [200, 200, 200, 429, 429]
    engine.namespaces.default.clock.advance(1999)
    assert statuses(engine, 1) == [429]
    engine.namespaces.default.clock.advance(1)
    assert statuses(engine, 4) == [200, 200, 200, 429]
    assert statuses(engine, 1, x_mock_namespace="other") == [200]


def test_a_limited_answer_has_the_rate_limit_headers(tmp_path: Path) -> None:
    engine = limited(tmp_path, "2/10s")
    told = []
    for wait in (0, 4500, 1):
        engine.namespaces.default.clock.advance(wait)
        headers = dict(ask(engine, "GET", "/things/1").headers)
        told.append(
            {name: value for name, value in headers.items() if "ratelimit" in name or "retry" in name}
        )
    policy = {"ratelimit-policy": "2;w=10", "ratelimit-limit": "2"}
    assert told == [
        {**policy, "ratelimit-remaining": "1", "ratelimit-reset": "10"},
        {**policy, "ratelimit-remaining": "0", "ratelimit-reset": "6"},
        {**policy, "ratelimit-remaining": "0", "ratelimit-reset": "6", "retry-after": "6"},
    ]


def test_a_429_has_the_shape_of_the_document(tmp_path: Path) -> None:
    engine = limited(tmp_path, "1/1h")
    statuses(engine, 1)
    response = ask(engine, "GET", "/things/1")
    assert response.status == 429
    assert json.loads(response.body).keys() == {"message"}
    assert "3600" in json.loads(response.body)["message"]


@pytest.mark.parametrize("limit", ["1/1h", "{rate: 1/1h, state: told-off}"])
def test_a_limited_call_is_answered_by_the_state_that_is_named(tmp_path: Path, limit: str) -> None:
    engine = limited(tmp_path, limit, state="told-off")
    statuses(engine, 1)
    assert json.loads(ask(engine, "GET", "/things/1").body) == {"message": "slow down"}


@pytest.mark.parametrize(
    ("by", "apart", "together"),
    [
        ("key", [("/things/1", {}), ("/things/2", {})], [("/things/1", {}), ("/things/1", {"x-a": "b"})]),
        (
            "header.X-Api-Key",
            [("/things/1", {"x-api-key": "a"}), ("/things/1", {"x-api-key": "b"})],
            [("/things/1", {"x-api-key": "a"}), ("/things/2", {"x-api-key": "a"})],
        ),
        (
            "namespace",
            [("/things/1", {}), ("/things/1", {"x-mock-namespace": "n"})],
            [("/things/1", {}), ("/things/2", {})],
        ),
    ],
)
def test_calls_with_other_values_of_the_bucket_are_counted_apart(
    tmp_path: Path,
    by: str,
    apart: list[tuple[str, dict[str, str]]],
    together: list[tuple[str, dict[str, str]]],
) -> None:
    for calls, expected in ((apart, [200, 200]), (together, [200, 429])):
        engine = limited(tmp_path, f"{{rate: 1/1m, by: {by}}}")
        assert [ask(engine, "GET", target, dict(headers)).status for target, headers in calls] == expected


def test_a_header_of_the_scenario_file_is_not_replaced(tmp_path: Path) -> None:
    file = (LIMITED % "1/1h").replace("{status: 429,", "{status: 429, headers: {Retry-After: 7},")
    engine = things(tmp_path, file)
    statuses(engine, 1)
    headers = ask(engine, "GET", "/things/1").headers
    assert [value for name, value in headers if name == "retry-after"] == ["7"]
    assert ("ratelimit-remaining", "0") in headers


def test_a_request_without_an_api_key_has_no_bucket(tmp_path: Path) -> None:
    engine = limited(tmp_path, "{rate: 1/1m, by: header.X-Api-Key}")
    assert statuses(engine, 3) == [200, 200, 200]


def test_a_limit_of_the_file_counts_all_operations_together(tmp_path: Path) -> None:
    file = LIMITED % "100/1s"
    engine = things(tmp_path, file + "limit: [{rate: 2/1m}, {rate: 3/1h, by: key}]\n")
    assert ask(engine, "GET", "/things/1").status == 200
    assert ask(engine, "DELETE", "/things/1").status == 204
    assert ask(engine, "GET", "/things/1").status == 429
    engine.namespaces.default.clock.advance(60_000)
    assert statuses(engine, 1) == [200]
    assert statuses(engine, 1) == [429], "three an hour for this key"


def test_a_rejected_request_does_not_change_the_resource(tmp_path: Path) -> None:
    file = (LIMITED % "1/1s").replace("here: [here]", "here: [{here: 1}, told-off]")
    engine = things(tmp_path, file)
    seen = []
    for _ in range(3):
        seen.append(ask(engine, "GET", "/things/1").decision)
        assert ask(engine, "GET", "/things/1").status == 429
        engine.namespaces.default.clock.advance(1000)
    assert seen == [
        "scenario=here; state=here; call=1",
        "scenario=here; state=told-off; call=1",
        "scenario=here; state=told-off; call=2",
    ]


def test_a_reset_clears_the_counts_of_limits(tmp_path: Path) -> None:
    engine = limited(tmp_path, "1/1h")
    assert statuses(engine, 2) == [200, 429]
    engine.reset("default")
    assert statuses(engine, 2) == [200, 429]


FLAKY = """
resource: thing
key: path.id
operations: {look: look}
states:
  here: {body: {state: here}}
  lost: {status: 404, body: {message: lost}}
scenarios: {here: [{here: 20}, lost]}
flaky: {rate: 25%, answers: [500, reset, lost, 429]}
"""


def flaked(engine: Engine) -> list[str]:
    told = []
    for key in range(1, 401):
        response = ask(engine, "GET", f"/things/{key}")
        told.append(response.fault or str(response.status))
    return told


def test_the_same_seed_gives_the_same_random_failures(tmp_path: Path) -> None:
    run = flaked(things(tmp_path, FLAKY))
    assert run == flaked(things(tmp_path, FLAKY))
    assert run != flaked(things(tmp_path, FLAKY, seed="other"))
    assert 60 < sum(each != "200" for each in run) < 140
    assert set(run) == {"200", "500", "reset", "404", "429"}


def test_the_nth_call_of_a_key_fails_or_not_in_any_order_of_calls(tmp_path: Path) -> None:
    """However the calls of many clients fall between each other."""
    engine, other = things(tmp_path, FLAKY), things(tmp_path, FLAKY)
    one_by_one = {
        key: [ask(engine, "GET", f"/things/{key}").status for _ in range(12)] for key in range(1, 9)
    }
    mixed: dict[int, list[int]] = {key: [] for key in range(1, 9)}
    for _ in range(12):
        for key in reversed(mixed):
            mixed[key].append(ask(other, "GET", f"/things/{key}").status)
    assert one_by_one == mixed


def test_a_random_failure_does_not_count_as_a_call(tmp_path: Path) -> None:
    engine = things(tmp_path, FLAKY)
    calls = [response.decision for response in (ask(engine, "GET", "/things/1") for _ in range(60))]
    lived = [each for each in calls if each.startswith("scenario=")]
    assert lived[:20] == [f"scenario=here; state=here; call={number}" for number in range(1, 21)]
    assert lived[20].startswith("scenario=here; state=lost")


BUSY = """
resource: thing
key: path.id
operations: {look: {operation: look, concurrency: %s}}
states: {slow: {body: {state: slow}, delay: 10s}, quick: {body: {state: quick}}}
scenarios: {slow: [slow], quick: [quick]}
"""


@pytest.fixture
def live(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Live]:
    with serving_engine(things(tmp_path, BUSY % request.param)) as found:
        yield found


class Waiting:
    """A call that is under way."""

    def __init__(self, port: int, scenario: str = "slow") -> None:
        self.wire = Wire(port)
        lines = ["GET /things/1 HTTP/1.1", "Host: localhost", f"Prefer: scenario={scenario}"]
        self.wire.send("\r\n".join([*lines, "", ""]).encode())

    def status(self) -> int:
        try:
            return self.wire.reply().status
        finally:
            self.wire.socket.close()

    def has_nothing(self) -> bool:
        self.wire.socket.settimeout(0.1)
        try:
            self.wire.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.wire.socket.settimeout(PATIENCE)
        return False


def advance(live: Live, milliseconds: int) -> None:
    live.run(lambda: live.server.namespaces.default.clock.advance(milliseconds))


@pytest.mark.parametrize("live", ["2"], indirect=True)
def test_a_request_above_the_concurrency_limit_is_rejected(live: Live) -> None:
    first = [Waiting(live.port) for _ in range(2)]
    assert all(each.has_nothing() for each in first)
    assert Waiting(live.port).status() == 503
    advance(live, 10_000)
    assert [each.status() for each in first] == [200, 200]
    assert [Waiting(live.port, "quick").status() for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("live", ["{most: 1, wait: 15s}"], indirect=True)
def test_a_queued_request_is_answered_when_another_is_done(live: Live) -> None:
    first, second, third = (Waiting(live.port), Waiting(live.port), Waiting(live.port))
    assert all(each.has_nothing() for each in (first, second, third))
    advance(live, 10_000)
    answered = [each for each in (first, second, third) if not each.has_nothing()]
    assert [each.status() for each in answered] == [200]
    advance(live, 5_000)
    left = [each for each in (first, second, third) if each not in answered]
    gone = [each for each in left if not each.has_nothing()]
    assert [each.status() for each in gone] == [503], "fifteen seconds are over for who still waits"
    advance(live, 5_000)
    assert [each.status() for each in left if each not in gone] == [200]


@pytest.mark.parametrize("live", ["{most: 1, wait: 1h}"], indirect=True)
def test_a_queued_client_that_disconnects_frees_its_place(live: Live) -> None:
    first = Waiting(live.port)
    assert first.has_nothing()
    second = Waiting(live.port)
    assert second.has_nothing()
    third = Waiting(live.port, "quick")
    assert third.has_nothing()
    for each in (second, first):
        each.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        each.wire.socket.close()
    assert third.status() == 200


def test_without_a_concurrency_limit_a_request_is_answered_at_once(tmp_path: Path) -> None:
    engine = things(tmp_path, LIMITED % "1/1s")
    assert isinstance(ask(engine, "GET", "/things"), Response)
