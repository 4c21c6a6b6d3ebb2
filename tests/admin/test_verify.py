from __future__ import annotations

from typing import Any

import pytest

from tests.admin.mocking import KEY, POLL, Mock

OTHER = "22222222-2222-4222-8222-222222222222"
POLLS = {"urlPath": POLL}


@pytest.fixture
def polled(mock: Mock) -> Mock:
    """Two pending polls, then a certificate; then another request's."""
    for key in (KEY, KEY, KEY, OTHER):
        mock.poll(key)
    return mock


HOLDS: list[Any] = [
    {"request": POLLS},
    {"request": POLLS, "exactly": 3},
    {"request": POLLS, "atLeast": 2},
    {"request": POLLS, "atMost": 3},
    {"request": POLLS, "atLeast": 1, "atMost": 3},
    {"request": {"method": "DELETE"}, "never": True},
    {"request": {"method": "DELETE"}, "exactly": 0},
    {"request": {"method": "DELETE"}, "atMost": 1},
    {"request": {"key": KEY, "state": "issued"}, "exactly": 1},
    {"exactly": 4},
    {"inOrder": [{"key": KEY, "state": "pending"}, {"key": KEY, "state": "issued"}, {"key": OTHER}]},
]

FAILS: list[tuple[Any, str]] = [
    ({"request": POLLS, "exactly": 2}, "3 calls of 4 matched; wanted: exactly 2 times"),
    ({"request": POLLS, "atLeast": 4}, "3 calls of 4 matched; wanted: at least 4 times"),
    ({"request": POLLS, "atMost": 2}, "3 calls of 4 matched; wanted: at most 2 times"),
    ({"request": POLLS, "never": True}, "3 calls of 4 matched; wanted: never"),
    ({"request": {"method": "PUT"}}, "0 calls of 4 matched; wanted: at least once"),
    ({"inOrder": [{"key": OTHER}, {"key": KEY}]}, "call 2 of 2 came too early"),
    ({"inOrder": [{"key": KEY}, {"method": "PUT"}]}, "call 2 of 2 did not come"),
]

FAULTS: list[tuple[Any, tuple[int, str]]] = [
    ({"request": {"headers": {"a": {"matches": "("}}}}, (422, "/request/headers/a/matches")),
    ({"inOrder": [{}, {"urlPattern": "["}]}, (422, "/inOrder/1/urlPattern")),
    ({"inOrder": []}, (400, "/inOrder")),
    ({"inOrder": [{}], "exactly": 1}, (422, "/exactly")),
    ({"never": True, "exactly": 1}, (422, "")),
    ({"atLeast": 3, "atMost": 2}, (422, "/atMost")),
    ({"atLeast": -1}, (400, "/atLeast")),
    ({"often": 1}, (400, "/often")),
]


@pytest.mark.parametrize("wanted", HOLDS, ids=str)
def test_verification_that_holds_gives_verified(polled: Mock, wanted: Any) -> None:
    assert polled.said("POST", "/verify", wanted)["verified"] is True


@pytest.mark.parametrize(("wanted", "detail"), FAILS, ids=str)
def test_verification_that_fails_gives_409_and_a_sentence(polled: Mock, wanted: Any, detail: str) -> None:
    response = polled.control("POST", "/verify", wanted)
    assert response.status_code == 409
    assert response.json()["detail"] == detail


@pytest.mark.parametrize(("wanted", "fault"), FAULTS, ids=str)
def test_invalid_patterns_are_reported_with_a_pointer(
    polled: Mock, wanted: Any, fault: tuple[int, str]
) -> None:
    assert polled.fault("POST", "/verify", wanted) == fault


def test_near_misses_go_field_by_field(polled: Mock) -> None:
    wanted = {"request": {"method": "GET", "urlPath": POLL, "state": "failed", "headers": {"X-Id": "1"}}}
    not_found = polled.control("POST", "/verify", wanted).json()["nearMisses"]
    assert len(not_found) == 3
    closest = not_found[0]
    assert closest["call"]["url"] == POLL
    assert closest["scenario"] == "issued"
    fields = {each["field"]: each for each in closest["fields"]}
    assert fields["method"] == {"field": "method", "required": "GET", "actual": "GET", "matched": True}
    assert fields["state"]["required"] == "failed"
    assert fields["state"]["actual"] == closest["state"]
    assert fields["headers.X-Id"]["actual"] is None
    assert [each["distance"] for each in not_found] == sorted(each["distance"] for each in not_found)


TOLD_ALL_THE_SAME: list[Any] = [
    {"request": POLLS, "atLeast": 2},
    {"inOrder": [{"key": KEY, "state": "pending"}, {"key": KEY, "state": "issued"}]},
]
NOT_TOLD: list[Any] = [
    {"request": POLLS, "exactly": 2},
    {"request": POLLS, "exactly": 3},
    {"request": POLLS, "atMost": 5},
    {"request": POLLS, "atLeast": 1, "atMost": 5},
    {"request": {"method": "DELETE"}, "never": True},
    {"request": {"method": "DELETE"}},
    {"inOrder": [{"key": OTHER}, {"key": KEY}]},
    {"inOrder": [{"key": KEY}, {"method": "PUT"}]},
]


@pytest.fixture
def forgetful(polled: Mock) -> Mock:
    """The journal has lost the first call."""
    polled.live.run(lambda: polled.live.server.namespaces.default.journal.drop(1))
    return polled


@pytest.mark.parametrize("wanted", TOLD_ALL_THE_SAME, ids=str)
def test_found_calls_are_enough_for_a_minimum_when_calls_are_lost(forgetful: Mock, wanted: Any) -> None:
    assert forgetful.said("POST", "/verify", wanted)["lost"] == 1


@pytest.mark.parametrize("wanted", NOT_TOLD, ids=str)
def test_maximum_fails_when_calls_are_lost(forgetful: Mock, wanted: Any) -> None:
    response = forgetful.control("POST", "/verify", wanted)
    assert (response.status_code, response.json()["lost"]) == (409, 1)
    assert "the journal has lost 1 call, so the result is not certain" in response.json()["detail"]


def test_too_many_calls_fail_without_a_note_on_lost_calls(forgetful: Mock) -> None:
    response = forgetful.control("POST", "/verify", {"request": POLLS, "atMost": 1})
    assert response.json()["detail"] == "2 calls of 3 matched; wanted: at most once"


def test_too_many_calls_are_shown_as_near_misses(polled: Mock) -> None:
    response = polled.control("POST", "/verify", {"request": {"state": "pending", "key": KEY}, "exactly": 1})
    newest, oldest = response.json()["nearMisses"]
    assert newest["call"]["id"] > oldest["call"]["id"]
    assert (newest["state"], newest["distance"]) == ("pending", 0)
    assert {"field": "key", "required": KEY, "actual": KEY, "matched": True} in newest["fields"]


def test_control_request_with_too_many_values_is_refused_before_validation(mock: Mock) -> None:
    few, many = ({"bodyPatterns": [{"contains": "a"}] * count} for count in (1_000, 20_000))
    assert mock.control("POST", "/requests/count", few).status_code == 200
    refused = mock.control("POST", "/requests/count", many)
    assert refused.status_code == 413
    assert "more than 20,000 values" in refused.json()["detail"]
