from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest

from mockserver import problem
from mockserver.diagnostics import Violation
from mockserver.messages import Response

UUID = Violation("path", "requestId", "", "format", '"abc" is not a "uuid"', "abc", "uuid")
LIMIT = Violation("query", "limit", "", "maximum", "500 is greater than the maximum of 100", 500, 100)
NAME = Violation("body", "", "/pets/0/name", "type", '7 is not of type "string"', 7, "string")
CREDENTIALS = Violation("security", "bearerAuth", "", "security", "the Authorization header is missing")


def body(response: Response) -> Any:
    assert dict(response.headers)["content-type"] == "application/problem+json"
    value = json.loads(response.body)
    assert value["status"] == response.status
    return value


def test_a_problem_has_the_members_of_rfc_9457_in_their_order() -> None:
    value = body(problem.problem(422, "no", instance="/x", members={"more": 1}))
    assert list(value) == ["type", "title", "status", "detail", "instance", "more"]
    assert value["title"] == "Unprocessable Content"


def test_an_unknown_path_names_its_neighbours() -> None:
    response = problem.unknown_path("GET", "/pet", [("GET", "/pets"), ("POST", "/pets")])
    assert response.status == 404
    value = body(response)
    assert value["detail"] == "the document has no path for GET /pet; nearest: GET /pets, POST /pets"
    assert value["nearby"][0] == {"method": "GET", "path": "/pets"}
    assert body(problem.unknown_path("GET", "/pet"))["detail"] == "the document has no path for GET /pet"


def test_an_unknown_method_says_what_is_allowed() -> None:
    response = problem.unknown_method("PUT", "/pets", ["GET", "HEAD", "OPTIONS"])
    assert response.status == 405
    assert ("allow", "GET, HEAD, OPTIONS") in response.headers
    assert body(response)["allowed"] == ["GET", "HEAD", "OPTIONS"]


@pytest.mark.parametrize(
    ("response", "status", "told"),
    [
        (problem.not_acceptable("text/csv", ["application/json"]), 406, "there is application/json"),
        (problem.undocumented("example=cat", ["dog"]), 400, "Prefer asks for example=cat"),
        (problem.undocumented("code=418", []), 400, "there is none"),
        (problem.internal("the template went wrong"), 500, "the template went wrong"),
        (problem.unavailable("the store does not answer", retry_after=3), 503, "the store"),
    ],
)
def test_problem_of_each_kind_has_its_status_and_detail(response: Response, status: int, told: str) -> None:
    assert response.status == status
    assert told in body(response)["detail"]


def test_unavailable_problem_has_retry_after() -> None:
    assert ("retry-after", "3") in problem.unavailable("later", retry_after=3).headers


def test_a_sentence_tells_every_violation_with_its_place() -> None:
    assert problem.sentence([UUID, LIMIT, NAME, CREDENTIALS]) == (
        'path parameter requestId: "abc" is not a "uuid"; '
        "query parameter limit: 500 is greater than the maximum of 100; "
        'body /pets/0/name: 7 is not of type "string"; '
        "credentials bearerAuth: the Authorization header is missing"
    )


def test_sentence_about_a_thousand_violations_is_bounded() -> None:
    told = problem.sentence([UUID] * 1000)
    assert len(told) <= problem.MAX_SENTENCE
    assert len(problem.listed([UUID] * 1000)) == problem.MAX_VIOLATIONS


def test_violations_are_listed_whole() -> None:
    assert problem.listed([NAME]) == [
        {
            "in": "body",
            "name": "",
            "pointer": "/pets/0/name",
            "keyword": "type",
            "message": '7 is not of type "string"',
            "value": 7,
        }
    ]


def test_credentials_are_not_quoted() -> None:
    wrong = Violation("security", "basic", "", "security", "malformed", "Basic c2VjcmV0")
    assert problem.listed([wrong])[0]["value"] is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (10**30, 10**30),
        (10**4000, "an integer of 13288 bits"),
        ("short", "short"),
        ("x" * 500, "x" * 199 + "…"),
        ("\ud800", "?"),
        (b"abc", "3 bytes"),
        ({"a": [1, "é"]}, {"a": [1, "é"]}),
        ({"a": "\ud800"}, {"a": "?"}),
        (["x" * 500], '["' + "x" * 197 + "…"),
        ([0] * 1_000_000, "[" + "0," * 99 + "…"),
    ],
)
def test_values_are_quoted_within_bounds(value: object, expected: object) -> None:
    assert problem.quoted(value) == expected


@pytest.mark.parametrize(
    ("status", "expected"), [(413, "Content Too Large"), (404, "Not Found"), (799, "Error")]
)
def test_status_gives_its_reason_phrase(status: int, expected: str) -> None:
    assert problem.phrase(status) == expected


def test_a_large_value_that_was_quoted_is_not_left_to_the_garbage_collector() -> None:
    """It can be a whole body, and collecting holds up every client."""

    class Items(list[int]):
        pass

    value = Items(range(5000))
    alive = weakref.ref(value)
    gc.disable()
    try:
        assert (
            problem.quoted(value) == json.dumps(value, separators=(",", ":"))[: problem.MAX_VALUE - 1] + "…"
        )
        del value
        assert alive() is None
    finally:
        gc.enable()
