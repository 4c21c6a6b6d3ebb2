from __future__ import annotations

from typing import Any

import pytest

from tests.admin.mocking import KEY, Mock

OTHER = "22222222-2222-4222-8222-222222222222"
PLACE = f"/resources/certificate-request/{KEY}"


def test_resource_has_its_state_and_the_next_one(mock: Mock) -> None:
    mock.poll()
    assert mock.said("GET", PLACE) == {
        "namespace": "default",
        "resource": "certificate-request",
        "key": KEY,
        "scenario": "issued",
        "state": "pending",
        "calls": 1,
        "since": "2026-01-01T00:00:00.000Z",
        "created": "2026-01-01T00:00:00.000Z",
        "changed": "2026-01-01T00:00:00.000Z",
        "next": {"state": "issued", "afterCalls": 1},
    }
    mock.poll()
    mock.poll()
    assert mock.said("GET", PLACE)["next"] is None


def test_assigns_a_scenario_before_the_first_call(mock: Mock) -> None:
    found = mock.said("PUT", PLACE, {"scenario": "slow"})
    assert found["next"] == {"state": "issued", "at": "2026-01-01T00:00:30.000Z", "in": "30s"}
    assert mock.state() == "pending"
    mock.said("POST", "/clock/advance", {"by": "30s"})
    assert mock.state() == "issued"


def test_assigning_a_scenario_starts_it_again(mock: Mock) -> None:
    for _ in range(3):
        mock.poll()
    mock.said("PUT", PLACE, {"scenario": "failed-at-once"})
    assert mock.state() == "failed"


def test_assigns_a_state_of_the_scenario_and_goes_on_from_there(mock: Mock) -> None:
    mock.said("PUT", PLACE, {"scenario": "retried", "state": "failed"})
    assert [mock.state() for _ in range(3)] == ["failed", "pending", "issued"]


def test_assigned_state_outside_the_scenario_has_no_end(mock: Mock) -> None:
    mock.poll()
    mock.said("PUT", PLACE, {"state": "failed"})
    assert [mock.state() for _ in range(3)] == ["failed"] * 3


FAULTS: list[tuple[Any, tuple[int, str]]] = [
    ({"scenario": "sloww"}, (422, "/scenario")),
    ({"state": "lost"}, (422, "/state")),
    ({"scenario": "slow", "state": "failed"}, (422, "/state")),
    ({}, (400, "")),
    ({"scenario": 1}, (400, "/scenario")),
    ({"step": 1}, (400, "/step")),
]


@pytest.mark.parametrize(("body", "fault"), FAULTS, ids=str)
def test_faulty_assignments_change_nothing(mock: Mock, body: Any, fault: tuple[int, str]) -> None:
    mock.poll()
    before = mock.said("GET", PLACE)
    assert mock.fault("PUT", PLACE, body) == fault
    assert mock.said("GET", PLACE) == before


def test_unknown_resources_are_not_found(mock: Mock) -> None:
    assert mock.fault("GET", PLACE) == (404, None)
    assert mock.fault("DELETE", PLACE) == (404, None)
    assert mock.fault("PUT", "/resources/pet/1", {"scenario": "a"}) == (404, None)
    assert mock.fault("GET", "/resources?resource=pet") == (404, None)
    assert mock.fault("DELETE", "/resources?resource=pet") == (404, None)
    assert mock.fault("PUT", "/scenarios/nothing/state", {"state": "issued"}) == (404, None)


def test_lists_filters_and_pages(mock: Mock) -> None:
    mock.poll()
    mock.poll(OTHER)
    mock.said("PUT", f"/resources/certificate-request/{OTHER}", {"scenario": "slow"})

    def keys(query: str) -> list[str]:
        return [each["key"] for each in mock.said("GET", f"/resources?{query}")["resources"]]

    assert keys("") == [KEY, OTHER]
    assert keys("limit=1") == [KEY]
    assert keys("offset=1") == [OTHER]
    assert keys("scenario=slow") == [OTHER]
    assert keys("state=issued") == []
    assert keys("key=1111*") == [KEY]
    assert mock.said("GET", "/resources?limit=0")["meta"]["total"] == 2


def test_keys_can_have_any_characters(mock: Mock) -> None:
    for sent, key in {"a%2Fb": "a/b", "%25": "%", "%C3%A9": "é"}.items():
        assert mock.said("PUT", f"/resources/certificate-request/{sent}", {"state": "issued"})["key"] == key
    response = mock.client.get("/__admin/resources/certificate-request/%ff")
    assert response.status_code == 400


def test_deletes_one_resource_or_all(mock: Mock) -> None:
    for _ in range(3):
        mock.poll()
        mock.poll(OTHER)
    mock.said("DELETE", PLACE)
    assert (mock.state(), mock.state(OTHER)) == ("pending", "issued")
    mock.said("DELETE", "/resources?resource=certificate-request")
    assert mock.said("GET", "/resources")["meta"]["total"] == 0


def test_five_hundred_assignments_at_once_are_all_there(mock: Mock) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def assign(number: int) -> int:
        path = f"/resources/certificate-request/{number:08x}-0000-4000-8000-000000000000"
        return mock.control("PUT", path, {"scenario": "failed"}).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(assign, range(500))) == {200}
    assert mock.said("GET", "/resources?scenario=failed&limit=0")["meta"]["total"] == 500


def test_assigns_a_scenario_to_every_new_key(mock: Mock) -> None:
    mock.poll(OTHER)
    mock.said("PUT", "/assignments/certificate-request", {"scenario": "failed-at-once"})
    assert mock.said("GET", "/assignments")["assignments"] == [
        {"resource": "certificate-request", "scenario": "failed-at-once"}
    ]
    assert (mock.state(), mock.state(OTHER), mock.state(x_mock_namespace="a")) == (
        "failed",
        "pending",
        "pending",
    )
    assert mock.fault("PUT", "/assignments/certificate-request", {"scenario": "x"}) == (422, "/scenario")
    mock.said("DELETE", "/assignments/certificate-request")
    assert mock.fault("DELETE", "/assignments/certificate-request") == (404, None)
    mock.said("DELETE", "/resources")
    assert mock.state() == "pending"
