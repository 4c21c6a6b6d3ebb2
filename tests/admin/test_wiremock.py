"""The client that WireMock's users have (PyPI: wiremock), against this server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from wiremock.client import NearMisses, Requests, Scenarios
from wiremock.client import NearMissMatchPatternRequest as Pattern
from wiremock.constants import Config, make_headers
from wiremock.exceptions import NotFoundException

from tests.admin.mocking import KEY, POLL, Mock


@pytest.fixture(autouse=True)
def configured(mock: Mock) -> Iterator[None]:
    Config.base_url = f"{mock.live.url}/__admin"
    yield
    Config.base_url = ""


def test_lists_requests(mock: Mock) -> None:
    mock.poll()
    mock.client.get("/nowhere")
    found = Requests.get_all_received_requests(parameters={})
    assert found.meta.total == 2
    assert found.request_journal_disabled is False
    newest, oldest = found.requests
    assert (newest.request.method, newest.request.url) == ("GET", "/nowhere")
    assert oldest.request.url == POLL
    assert oldest.response_definition.status == 200
    assert oldest.response_definition.from_configured_stub is True
    assert len(Requests.get_all_received_requests(limit=1, parameters={}).requests) == 1
    assert len(Requests.get_all_received_requests(since="2026-01-02T00:00:00Z", parameters={}).requests) == 0


def test_reads_one_request(mock: Mock) -> None:
    mock.poll()
    [listed] = Requests.get_all_received_requests(parameters={}).requests
    assert Requests.get_request(listed.id).request.url == POLL
    with pytest.raises(NotFoundException):
        Requests.get_request("00000000-0000-4000-8000-000000000000")


def test_counts_and_finds(mock: Mock) -> None:
    for _ in range(3):
        mock.poll()
    pattern = Pattern(method="GET", url_path_pattern=".*/certificate-requests/[-0-9a-f]{36}")
    assert Requests.get_matching_request_count(pattern).count == 3
    found = Requests.get_matching_requests(pattern).requests
    assert [each.url for each in found] == [POLL] * 3
    assert found[0].headers["authorization"] == "Bearer any"
    assert Requests.get_matching_request_count(Pattern(method="POST")).count == 0


def test_counts_by_headers_and_body(mock: Mock) -> None:
    mock.client.post("/anything?page=2", json={"name": "x"}, headers={"X-Id": "7"})
    pattern = Pattern(
        url_path="/anything",
        headers={"X-Id": {"equalTo": "7"}},
        query_parameters={"page": {"matches": "\\d"}},
        body_patterns=[{"matchesJsonPath": "$.name"}, {"equalToJson": '{"name": "x"}'}],
    )
    assert Requests.get_matching_request_count(pattern).count == 1


def test_resets_the_journal(mock: Mock) -> None:
    mock.poll()
    Requests.reset_request_journal()
    assert Requests.get_all_received_requests(parameters={}).meta.total == 0


def test_lists_unmatched_requests(mock: Mock) -> None:
    mock.poll()
    mock.client.get("/nowhere")
    [unmatched] = Requests.get_unmatched_requests().requests
    assert unmatched.url == "/nowhere"


def test_finds_near_misses(mock: Mock) -> None:
    mock.poll()
    found = NearMisses.find_nearest_misses_by_request_pattern(Pattern(method="POST", url=POLL)).near_misses
    assert found[0].request.url == POLL
    assert 0 < found[0].match_result.distance < 1


def test_finds_near_misses_of_unmatched_requests(mock: Mock) -> None:
    mock.client.get(POLL.replace("certificate-requests", "certificate-request"))
    [nearest, *_] = Requests.get_unmatched_requests_near_misses().near_misses
    assert nearest.request.url.endswith(f"/certificate-request/{KEY}")
    assert 0 < nearest.match_result.distance < 1


def test_reads_and_resets_scenarios(mock: Mock) -> None:
    mock.poll()
    client = Scenarios.REST_CLIENT
    listed = client.get(Scenarios.get_base_uri(Scenarios.endpoint_single()), headers=make_headers())
    [scenario] = client.handle_response(listed).json()["scenarios"]
    assert scenario["name"] == f"certificate-request:{KEY}"
    assert scenario["state"] == "pending"
    assert "issued" in scenario["possibleStates"]
    uri = Scenarios.get_base_uri(f"/scenarios/{scenario['name']}/state")
    client.handle_response(client.put(uri, json={"state": "issued"}, headers=make_headers()))
    assert mock.state() == "issued"
    Scenarios.reset_all_scenarios()
    assert mock.state() == "pending"
