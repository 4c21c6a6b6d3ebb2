from __future__ import annotations

import asyncio

import pytest

from mockserver.admin.plane import MAX_BODY, Guard
from mockserver.http.egress import Egress, OutgoingRequest
from mockserver.http.hosts import is_loopback
from mockserver.messages import Request
from mockserver.plan import Plan
from tests.admin.mocking import Mock, mocking
from tests.live import engine_of


def asked(headers: dict[str, str] | None = None, method: str = "POST", body: bytes = b"") -> Request:
    return Request(method, "/__admin/reset", "", {"host": "localhost:8080", **(headers or {})}, body)


def status(guard: Guard, request: Request, *, public: bool = False) -> int:
    response = guard.refusal(request, public=public)
    return 0 if response is None else response.status


HOSTS = [
    ("localhost", 0),
    ("LOCALHOST:80", 0),
    ("127.0.0.1:8080", 0),
    ("[::1]:8080", 0),
    ("192.168.0.7", 0),
    ("mock:8080", 0),
    ("app.localhost:1", 0),
    ("mock.internal:8080", 0),
    ("evil.example", 403),
    ("evil.example:8080", 403),
    ("localhost.evil.example", 403),
    ("127.0.0.1.evil.example", 403),
    ("evil.example.", 403),
    ("a:b:c", 403),
    ("evil%2eexample", 403),
    ("evil%2Eexample:8080", 403),
    ("[evil.example]", 403),
    ("evil,example", 403),
    ("", 0),
]


@pytest.mark.parametrize(("host", "expected"), HOSTS)
def test_rebound_host_name_is_refused(host: str, expected: int) -> None:
    guard = Guard(hosts=("mock.internal",))
    assert status(guard, asked({"host": host})) == expected


PAGES = [
    ({}, 0),
    ({"origin": "http://localhost:8080"}, 0),
    ({"origin": "http://localhost:8080", "sec-fetch-site": "same-origin"}, 0),
    ({"sec-fetch-site": "none"}, 0),
    ({"origin": "http://localhost:3000"}, 403),
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": ""}, 403),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
]


@pytest.mark.parametrize(("headers", "expected"), PAGES, ids=str)
def test_pages_of_other_sites_are_refused(headers: dict[str, str], expected: int) -> None:
    assert status(Guard(), asked(headers)) == expected


def test_a_link_from_another_site_may_be_followed() -> None:
    assert status(Guard(), asked({"sec-fetch-site": "cross-site"}, "GET")) == 0


BODIES = [
    (b"{}", "application/json", 0),
    (b"{}", "application/json; charset=utf-8", 0),
    (b"a: b", "application/yaml", 0),
    (b"", "", 0),
    (b"{}", "", 415),
    (b"{}", "text/plain", 415),
    (b"a=b", "application/x-www-form-urlencoded", 415),
    (b"", "multipart/form-data", 415),
    (b" " * (MAX_BODY + 1), "application/json", 413),
    (b" " * MAX_BODY, "application/json", 0),
]


@pytest.mark.parametrize(("body", "media", "expected"), BODIES, ids=lambda each: str(each)[:20])
def test_content_types_of_forms_are_refused(body: bytes, media: str, expected: int) -> None:
    assert status(Guard(), asked({"content-type": media} if media else {}, body=body)) == expected


TOKENS = [
    ("Bearer secret", 0),
    ("bearer secret", 0),
    ("Bearer secre", 401),
    ("Bearer secrets", 401),
    ("Basic secret", 401),
    ("secret", 401),
    ("Bearer", 401),
    ("Bearer \xff", 401),
    ("", 401),
]


@pytest.mark.parametrize(("given", "expected"), TOKENS)
def test_request_without_the_token_gets_401(given: str, expected: int) -> None:
    request = asked({"authorization": given} if given else {})
    assert status(Guard("secret"), request) == expected
    assert status(Guard("secret"), request, public=True) == 0
    assert status(Guard(), request) == 0


def test_token_allows_every_host_name_but_not_every_origin() -> None:
    known = {"authorization": "Bearer secret", "host": "mock.example"}
    assert status(Guard("secret"), asked(known)) == 0
    assert status(Guard("secret"), asked({"origin": "http://evil.example", **known})) == 403


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("::ffff:127.0.0.1", True),
     ("0.0.0.0", False), ("::ffff:192.168.0.1", False), ("::", False), ("192.168.0.1", False),
     ("mock", False)],
)  # fmt: skip
def test_knows_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_with_a_token_only_pages_and_health_are_public(mission: Plan) -> None:
    with mocking(engine_of(mission), token="secret") as mock:
        for path in ("/health", "/", "/docs", "/docs/swagger-ui.css", "/openapi.json"):
            assert mock.control("GET", path).status_code == 200
        for path in ("/requests", "/events", "/metrics", "/resources", "/document", "/docs/../requests"):
            assert mock.control("GET", path).status_code == 401
        response = mock.control("POST", "/reset")
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        assert mock.said("POST", "/reset", authorization="Bearer secret") == {}
        assert mock.state() == "pending"


def test_refused_request_changes_nothing(mock: Mock) -> None:
    mock.poll()
    attacks: list[dict[str, str]] = [
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Content-Type": "text/plain"},
    ]
    for headers in attacks:
        assert mock.client.post("/__admin/reset", headers=headers).status_code in (403, 415)
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    response = mock.client.options("/__admin/reset", headers=preflight)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers
    assert mock.said("GET", "/requests")["meta"]["total"] == 1


@pytest.mark.parametrize("path", ["/reset", "/shutdown", "/health", "/requests"])
def test_a_webhook_of_any_mock_server_is_refused(mock: Mock, path: str) -> None:
    mock.poll()
    elsewhere = Egress()
    assert asyncio.run(elsewhere.send(OutgoingRequest("POST", f"{mock.live.url}/__admin{path}"))) == 403
    assert mock.said("GET", "/requests")["meta"]["total"] == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/health"), ("GET", ""), ("GET", "/"), ("GET", "/docs/swagger-ui.css"), ("GET", "/requests"),
     ("GET", "/nothing"), ("POST", "/clock/set"), ("GET", "/events?most=0")],
)  # fmt: skip
def test_pages_of_other_sites_cannot_embed_responses_of_the_control_plane(
    mock: Mock, method: str, path: str
) -> None:
    headers = mock.control(method, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
