from __future__ import annotations

import pytest

from mockserver.http.hosts import Cors
from mockserver.messages import Request, Response

ORIGIN = "https://app.example"


def asked(origin: str = ORIGIN, method: str = "OPTIONS", **fields: str) -> Request:
    headers = {"origin": origin, **{name.replace("_", "-"): value for name, value in fields.items()}}
    return Request(method, "/pets", "", headers)


def test_a_preflight_request_is_answered() -> None:
    request = asked(access_control_request_method="PUT", access_control_request_headers="x-a, authorization")
    response = Cors([f"{ORIGIN}/"]).preflight(request)
    assert response is not None
    assert response.status == 204
    assert dict(response.headers) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "vary": "Origin",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "x-a, authorization",
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize(
    "request_",
    [
        asked(),
        asked(method="GET", access_control_request_method="PUT"),
        asked("https://evil.example", access_control_request_method="PUT"),
        asked("null", access_control_request_method="PUT"),
    ],
)
def test_a_request_that_is_no_preflight_is_not_answered_by_cors(request_: Request) -> None:
    assert Cors([ORIGIN]).preflight(request_) is None


def test_an_answer_exposes_every_header() -> None:
    response = Response(200, [("x-total", "1")])
    Cors([ORIGIN]).allow(asked(method="GET"), response)
    headers = dict(response.headers)
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-expose-headers"] == "x-mock-decision, x-total"


def test_any_origin_is_allowed_without_credentials() -> None:
    response = Response(200)
    Cors(["*"]).allow(asked("https://whoever.example", method="GET"), response)
    headers = dict(response.headers)
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers


def test_an_origin_that_is_not_allowed_gets_no_cors_headers() -> None:
    response = Response(200)
    Cors([ORIGIN]).allow(asked("https://evil.example", method="GET"), response)
    assert response.headers == []
