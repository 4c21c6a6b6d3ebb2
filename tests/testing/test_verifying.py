from __future__ import annotations

from typing import Any

import httpx
import pytest

from mockserver.testing import MockServer, Namespace
from tests.live import MISSION
from tests.testing.conftest import KEY, poll

OTHER = "22222222-2222-4222-8222-222222222222"
FIRST = f"GET {MISSION}/{KEY} → 500   certificate-request {KEY}: scenario=flaky; state=server-error; call=1"
SECOND = f"GET {MISSION}/{OTHER} → 200   certificate-request {OTHER}: scenario=issued; state=pending; call=1"
TEMPLATE = f"{MISSION}/{{requestId}}"


@pytest.fixture
def called(api: Namespace) -> Namespace:
    """Three calls of one key, one of another: 500, pending, pending, issued."""
    api.scenario("flaky", key=KEY)
    for key in (KEY, OTHER, KEY, KEY):
        poll(api, key)
    return api


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 4),
        ({"key": KEY, "exactly": 3}, 3),
        ({"key": KEY, "at_least": 2, "at_most": 3}, 3),
        ({"at_most": 4}, 4),
        ({"method": "POST", "never": True}, 0),
        ({"status": 500}, 1),
        ({"state": "pending", "exactly": 2}, 2),
        ({"scenario": "flaky"}, 3),
        ({"resource": "certificate-request"}, 4),
        ({"operation": f"GET {TEMPLATE}"}, 4),
        ({"path": TEMPLATE}, 4),
        ({"path": f"{MISSION}/{KEY}"}, 3),
        ({"url": f"{MISSION}/{OTHER}"}, 1),
        ({"headers": {"Authorization": "Bearer any"}}, 4),
        ({"headers": {"Authorization": "Bearer other"}, "never": True}, 0),
        ({"query": {"a": "1"}, "never": True}, 0),
        ({"json": {"a": 1}, "never": True}, 0),
        ({"pattern": {"urlPathPattern": f".*/{KEY}"}, "status": 200}, 2),
        ({"in_order": [{"status": 500}, {"state": "pending"}, {"state": "issued"}]}, 3),
    ],
)
def test_calls_that_came_as_wanted(called: Namespace, wanted: dict[str, Any], count: int) -> None:
    assert called.verify(**wanted) == count


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        (
            {"key": KEY, "state": "failed"},
            [
                f"a call with key={KEY}, state=failed: 0 calls of 4 matched; wanted: at least once",
                f"closest: #4 GET {MISSION}/{KEY} → 200",
                f"  certificate-request {KEY} was issued (scenario flaky)",
                f"    key: {KEY}",
                "  - state: failed",
                "  + state: issued",
            ],
        ),
        (
            {"key": KEY, "exactly": 2},
            [
                f"a call with key={KEY}: 3 calls of 4 matched; wanted: exactly 2 times",
                "calls of this namespace:",
                f"  #1 {FIRST}",
                f"  #2 {SECOND}",
            ],
        ),
        ({"never": True}, ["any call: 4 calls of 4 matched; wanted: never"]),
        (
            {"headers": {"X-Trace": "7"}},
            [
                "a call with headers.X-Trace=7: 0 calls of 4 matched; wanted: at least once",
                "  - headers.X-Trace: 7",
                "  + headers.X-Trace: nothing",
            ],
        ),
        (
            {"in_order": [{"state": "issued"}, {"state": "pending"}]},
            ["in order a call with state=issued, then a call with state=pending: call 2 of 2 came too early"],
        ),
        (
            {"in_order": [{"state": "failed"}]},
            ["in order a call with state=failed: call 1 of 1 did not come", "  - state: failed"],
        ),
    ],
)
def test_calls_that_did_not(called: Namespace, wanted: dict[str, Any], lines: list[str]) -> None:
    with pytest.raises(AssertionError) as caught:
        called.verify(**wanted)
    said = str(caught.value).splitlines()
    assert [each for each in lines if each not in said] == [], str(caught.value)


def test_calls_that_differ_alike_are_told_once(called: Namespace) -> None:
    with pytest.raises(AssertionError) as caught:
        called.verify(method="POST", scenario="flaky", state="gone")
    said = str(caught.value)
    assert said.count("closest: ") == len(set(said.split("\n\n")[1:]))


def test_a_call_that_no_operation_answered_says_what_did(api: Namespace) -> None:
    httpx.get(f"{api.url}/nowhere")
    with pytest.raises(AssertionError, match="decided by: unknown path"):
        api.verify(path="/somewhere")


def test_nothing_was_called(api: Namespace) -> None:
    with pytest.raises(AssertionError, match="there were no calls in this namespace"):
        api.verify()


def test_bodies_are_compared_as_values(api: Namespace) -> None:
    httpx.post(f"{api.url}/orders", json={"id": 1, "tags": ["a"]})
    assert api.verify(json={"tags": ["a"]}) == 1
    with pytest.raises(AssertionError):
        api.verify(json={"tags": ["b"]})


def test_calls_that_the_journal_lost_are_told(local: MockServer) -> None:
    api = local.namespace("bounded")
    poll(api)
    poll(api)
    host = local._in_process()
    host.control.in_namespace("bounded", lambda world: world.journal.drop(1))
    with pytest.raises(AssertionError, match="the journal has lost 1 call, so the result is not certain"):
        api.verify(exactly=1)
    api.drop()


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"in_order": [{"colour": "red"}]}])
def test_unknown_field_of_a_call_is_refused(api: Namespace, wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="'colour' is not a field of a call; use method"):
        api.verify(**wrong)
