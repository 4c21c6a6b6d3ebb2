from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mockserver.namespaces.journal import MAX_BODY, JournalPool
from mockserver.namespaces.memory import SHARES, Memory, MemoryLimits
from mockserver.plan import Plan
from tests.admin.mocking import KEY, POLL, Mock, mocking
from tests.live import MISSION, engine_of

TEMPLATE = f"{MISSION}/{{requestId}}"

PATTERNS: list[tuple[Any, int]] = [
    ({}, 3),
    ({"method": "ANY"}, 3),
    ({"method": "get"}, 2),
    ({"url": f"{POLL}?a=1&a=2&b="}, 1),
    ({"url": POLL}, 0),
    ({"urlPath": POLL}, 1),
    ({"urlPattern": ".*[?]a=1.*"}, 1),
    ({"urlPathPattern": ".*/certificate-requests/[^/]+"}, 2),
    ({"urlPathTemplate": TEMPLATE}, 2),
    ({"urlPathTemplate": TEMPLATE, "pathParameters": {"requestId": {"equalTo": KEY}}}, 1),
    ({"urlPathTemplate": TEMPLATE, "pathParameters": {"other": {"absent": True}}}, 2),
    ({"queryParameters": {"a": {"equalTo": "2"}}}, 1),
    ({"queryParameters": {"b": {"equalTo": ""}}}, 1),
    ({"queryParameters": {"a": {"absent": True}}}, 2),
    ({"headers": {"x-one": "1"}}, 1),
    ({"headers": {"X-One": {"absent": True}}}, 2),
    ({"cookies": {"session": {"matches": "s.*"}}}, 1),
    ({"bodyPatterns": [{"contains": "name"}, {"matchesJsonPath": "$[?@ == 'x']"}]}, 1),
    ({"bodyPatterns": [{"absent": True}]}, 2),
    ({"formParameters": {"name": {"absent": True}}}, 3),
    ({"basicAuthCredentials": {"username": "u", "password": "p"}}, 1),
    ({"basicAuthCredentials": {"username": "u", "password": "q"}}, 0),
    ({"operation": {"contains": "certificate-requests"}}, 2),
    ({"operation": {"absent": True}}, 1),
    ({"resource": "certificate-request", "key": KEY}, 1),
    ({"scenario": "issued", "state": "pending"}, 2),
    ({"state": "issued"}, 0),
    ({"status": 404}, 1),
    ({"status": {"matches": "2.."}}, 2),
]


@pytest.fixture
def called(mock: Mock) -> Mock:
    """A server that has been called three times."""
    basic = base64.b64encode(b"u:p").decode()
    mock.client.get(
        f"{POLL}?a=1&a=2&b=",
        headers={"Authorization": "Bearer any", "X-One": "1", "Cookie": "session=s1; other=2"},
    )
    mock.poll("22222222-2222-4222-8222-222222222222")
    mock.client.post("/nowhere", json={"name": "x"}, headers={"Authorization": f"Basic {basic}"})
    return mock


@pytest.mark.parametrize(("pattern", "count"), PATTERNS, ids=str)
def test_counts_by_pattern(called: Mock, pattern: Any, count: int) -> None:
    assert called.said("POST", "/requests/count", pattern)["count"] == count
    assert len(called.said("POST", "/requests/find", pattern)["requests"]) == count


FAULTS: list[tuple[Any, tuple[int, str]]] = [
    ({"metod": "GET"}, (400, "/metod")),
    ({"method": 7}, (400, "/method")),
    ({"headers": {"a/b": {"matches": "("}}}, (422, "/headers/a~1b/matches")),
    ({"bodyPatterns": [{"contains": "a"}, {"nothing": 1}]}, (422, "/bodyPatterns/1")),
    ({"bodyPatterns": [{"contains": "a"}] * 1001}, (422, "/bodyPatterns")),
    ({"headers": {f"a{i}": {"equalTo": "a"} for i in range(1001)}}, (422, "/headers")),
    ({"urlPattern": "*"}, (422, "/urlPattern")),
    ({"pathParameters": {"a": "b"}}, (422, "/pathParameters")),
    ([], (400, "")),
]


@pytest.mark.parametrize(("pattern", "fault"), FAULTS, ids=str)
@pytest.mark.parametrize("path", ["/requests/count", "/requests/find", "/requests/remove"])
def test_invalid_patterns_are_reported_with_a_pointer_and_change_nothing(
    called: Mock, path: str, pattern: Any, fault: tuple[int, str]
) -> None:
    assert called.fault("POST", path, pattern) == fault
    assert called.said("GET", "/requests")["meta"]["total"] == 3


def test_call_has_its_decision(mock: Mock) -> None:
    mock.client.get(f"{MISSION}/broken", headers={"Authorization": "Bearer any"})
    [event] = mock.said("GET", "/requests")["requests"]
    told = event["mock"]
    assert told["decision"] == "invalid; state=invalid"
    assert told["resource"] == "certificate-request"
    assert told["diagnostics"][0]["name"] == "requestId"
    assert event["response"]["status"] == 422
    assert event["response"]["headers"]["content-type"].startswith("application/json")
    assert event["wasMatched"] is True
    assert event["request"]["loggedDateString"] == "2026-01-01T00:00:00.000Z"


def test_removes_calls(called: Mock) -> None:
    removed = called.said("POST", "/requests/remove", {"method": "POST"})["serveEvents"]
    assert [each["request"]["url"] for each in removed] == ["/nowhere"]
    listed = called.said("GET", "/requests")
    assert (listed["meta"]["total"], listed["lost"]) == (2, 0)
    newest = listed["requests"][0]["id"]
    called.said("DELETE", f"/requests/{newest}")
    assert called.fault("DELETE", f"/requests/{newest}") == (404, None)
    assert called.fault("GET", "/requests/no-uuid") == (404, None)
    called.said("DELETE", "/requests")
    assert called.said("GET", "/requests")["meta"]["total"] == 0


def test_lists_by_time_and_outcome(called: Mock) -> None:
    called.said("POST", "/clock/advance", {"by": "1m"})
    called.poll()
    since = called.said("GET", "/requests?since=2026-01-01T00:01:00Z")["requests"]
    assert len(since) == 1
    assert called.said("GET", "/requests?unmatched=true")["meta"]["total"] == 1
    assert called.said("GET", "/requests?limit=0")["requests"] == []
    assert called.fault("GET", "/requests?since=soon")[0] == 400
    assert called.fault("GET", "/requests?limit=-1")[0] == 400
    assert called.fault("GET", "/requests?page=1")[0] == 400


def test_oldest_calls_are_deleted_and_counted_as_lost(mission: Plan) -> None:
    engine = engine_of(mission)
    engine.namespaces.journal_pool.calls = 0
    journal_pool = engine.namespaces.journal_pool = JournalPool(calls=3)
    engine.namespaces.default.journal = journal_pool.open("default")
    with mocking(engine) as mock:
        for number in range(5):
            mock.client.get(f"/{number}")
        listed = mock.said("GET", "/requests")
        assert [each["request"]["url"] for each in listed["requests"]] == ["/4", "/3", "/2"]
        assert listed["lost"] == 2
        assert mock.said("GET", "/namespaces/default")["journal"] == {"calls": 3, "lost": 2}


@pytest.fixture
def crowded(mission: Plan) -> Iterator[Mock]:
    """A server that has had thirty calls, of which an answer may hold a few."""
    engine = engine_of(mission, memory=Memory(MemoryLimits(response=20_000)))
    with mocking(engine) as mock:
        for number in range(30):
            mock.client.post(f"/{number}", content=b"x" * 1000)
        yield mock


def test_calls_above_the_maximum_size_of_a_response_come_in_pages(crowded: Mock) -> None:
    page = crowded.said("GET", "/requests")
    urls, sizes = [], []
    while True:
        assert page["meta"]["total"] == 30
        sizes.append(len(page["requests"]))
        urls += [each["request"]["url"] for each in page["requests"]]
        if "next" not in page["meta"]:
            break
        page = crowded.said("GET", f"/requests?before={page['meta']['next']}")
    assert urls == [f"/{number}" for number in reversed(range(30))]
    assert max(sizes) < 20


def test_a_page_of_calls_names_the_next_one_where_a_limit_ended_it(crowded: Mock) -> None:
    first = crowded.said("GET", "/requests?limit=2")
    second = crowded.said("GET", f"/requests?limit=2&before={first['meta']['next']}")
    assert [each["request"]["url"] for each in second["requests"]] == ["/27", "/26"]
    assert crowded.fault("GET", "/requests?before=none")[0] == 404


def test_found_calls_above_the_maximum_size_are_refused_and_stay(crowded: Mock) -> None:
    pattern = {"method": "POST"}
    for method, path, body in (
        ("POST", "/requests/find", pattern),
        ("POST", "/requests/remove", pattern),
        ("GET", "/requests/unmatched", None),
    ):
        response = crowded.control(method, path, body)
        assert response.status_code == 422
        assert "more than 20,000 bytes, the maximum size of a response" in response.json()["detail"]
    assert crowded.said("POST", "/requests/count", pattern)["count"] == 30
    assert len(crowded.said("POST", "/requests/find", {"url": "/3"})["requests"]) == 1


def test_metrics_show_used_memory_and_its_limit_by_kind(crowded: Mock) -> None:
    told = crowded.client.get("/__admin/metrics").text
    found = dict(re.findall(r'^mockserver_memory_bytes\{kind="(\w+)"\} (\S+)$', told, re.MULTILINE))
    bounds = dict(re.findall(r'^mockserver_memory_limit_bytes\{kind="(\w+)"\} (\S+)$', told, re.MULTILINE))
    assert found.keys() == bounds.keys() == SHARES.keys() - {"response"}
    assert 30_000 < float(found["journals"]) < float(bounds["journals"])


def test_without_a_journal_no_calls_are_recorded_and_responses_report_it(mission: Plan) -> None:
    engine = engine_of(mission)
    journal_pool = engine.namespaces.journal_pool = JournalPool(calls=0)
    engine.namespaces.default.journal = journal_pool.open("default")
    with mocking(engine) as mock:
        mock.poll()
        assert mock.said("POST", "/requests/count", {})["count"] == -1
        assert mock.said("GET", "/requests")["requestJournalDisabled"] is True
        assert mock.fault("POST", "/verify", {"never": True})[0] == 409


def test_long_bodies_are_cut(mock: Mock) -> None:
    mock.client.post("/nowhere", content=b"x" * (MAX_BODY + 10))
    [call] = mock.said("GET", "/requests/unmatched")["requests"]
    assert len(call["body"]) == MAX_BODY
    assert call["bodyLength"] == MAX_BODY + 10


@pytest.mark.parametrize("body", [b"{", b"[" * 10_000, b'{"a": NaN}', b"\xff", b""])
def test_body_that_is_not_json_is_refused(mock: Mock, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = mock.client.post("/__admin/requests/count", content=body, headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_unknown_paths_and_methods(mock: Mock) -> None:
    assert mock.fault("GET", "/request") == (404, None)
    response = mock.control("PATCH", "/clock")
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    head = mock.client.head("/__admin/version")
    assert (head.status_code, head.content) == (200, b"")
