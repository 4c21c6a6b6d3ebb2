"""A whole request against its operation: everything wrong at once, and the status that follows."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.engine.request.validation import Checker, compile_checker
from mockserver.jsonschema import Schemas
from mockserver.messages import BodyLimits, Request
from mockserver.plan import MediaType, Operation, Parameter, RequestBody, SecurityScheme

TREES: dict[str, Any] = {
    "u": {
        "uuid": {"type": "string", "format": "uuid"},
        "integer": {"type": "integer", "default": 10},
        "pet": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    }
}
SCHEMES = {
    "key": SecurityScheme("key", "apiKey", location="header", parameter="X-Key"),
    "basic": SecurityScheme("basic", "http", scheme="basic"),
}
UUID = "00000000-0000-4000-8000-000000000404"
PATH = Parameter("id", "path", True, "u#/uuid", style="simple", explode=False)
BODY = RequestBody(True, (MediaType("application/json", "u#/pet"),))


def checker(*parameters: Parameter, security: str = "presence", **more: Any) -> Checker:
    operation = Operation("op", "POST", "/pets/{id}", parameters=parameters, **more)
    return compile_checker(
        operation, Schemas(TREES, "3.1"), SCHEMES, security=security, limits=BodyLimits(1000)
    )


def request(query: str = "", body: bytes = b"", **headers: str) -> Request:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", f"/pets/{UUID}", query, fields, body)


def test_path_parameter_is_read_and_validated() -> None:
    checked = checker(PATH).check(request(), {"id": UUID})
    assert (checked.path, checked.status, checked.violations) == ({"id": UUID}, 0, ())
    assert (dict(checked.query), dict(checked.header), dict(checked.cookie)) == ({}, {}, {})
    wrong = checker(PATH).check(request(), {"id": "x"})
    assert wrong.status == 422
    assert [(each.location, each.name, each.keyword, each.expected) for each in wrong.violations] == [
        ("path", "id", "format", "uuid")
    ]


@pytest.mark.parametrize("text", ["%00", "%2F", "é".encode().decode("latin-1"), "%25zz", ".."])
def test_an_undeclared_path_parameter_is_any_string(text: str) -> None:
    assert checker().check(request(), {"id": text}).status == 0


def test_an_undeclared_path_parameter_still_has_to_decode() -> None:
    checked = checker().check(request(), {"id": "%zz"})
    assert (checked.status, checked.violations[0].keyword) == (422, "syntax")


def test_everything_wrong_is_told_at_once() -> None:
    made = checker(
        PATH,
        Parameter("limit", "query", schema="u#/integer"),
        Parameter("must", "query", True, "u#/uuid"),
        Parameter("X-Id", "header", True, "u#/uuid", style="simple", explode=False),
        Parameter("session", "cookie", True, "u#/uuid"),
        body=BODY,
        security="presence",
    )
    checked = made.check(
        request("limit=x", b"{}", content_type="application/json", x_id="y", cookie="session=z"),
        {"id": "%ff"},
    )
    assert [(each.location, each.name, each.keyword) for each in checked.violations] == [
        ("path", "id", "syntax"),
        ("query", "limit", "type"),
        ("query", "must", "required"),
        ("header", "X-Id", "format"),
        ("cookie", "session", "format"),
        ("body", "", "required"),
    ]
    assert checked.status == 422
    assert checked.query == {"limit": "x"}


def test_absent_parameter_with_a_default_has_the_default() -> None:
    made = checker(
        Parameter("limit", "query", schema="u#/integer"), Parameter("id2", "query", schema="u#/uuid")
    )
    assert made.check(request(), {}).query == {"limit": 10}
    assert made.check(request("limit=5"), {}).query == {"limit": 5}


def test_headers_of_other_parts_of_the_document_are_ignored() -> None:
    made = checker(
        *(
            Parameter(name, "header", True, "u#/uuid", style="simple", explode=False)
            for name in ("Accept", "Content-Type", "authorization")
        )
    )
    assert made.check(request(), {}).status == 0


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"x_key": "k", "content_type": "application/json"}, b'{"name": "x"}', 0),
        ({"content_type": "application/json"}, b'{"name": "x"}', 401),
        ({"content_type": "text/plain"}, b"x", 401),
        ({"x_key": "k", "content_type": "text/plain"}, b"x", 415),
        ({"x_key": "k", "content_type": "application/json", "content_encoding": "gzip"}, b"x", 422),
        ({"x_key": "k", "content_type": "application/json"}, b"[]", 422),
    ],
)
def test_first_fault_of_a_request_decides_the_status(
    headers: dict[str, str], body: bytes, status: int
) -> None:
    operation = Operation("op", "POST", "/pets", body=BODY, security=({"key": ()}, {"basic": ()}))
    made = compile_checker(operation, Schemas(TREES, "3.1"), SCHEMES)
    checked = made.check(request(body=body, **headers), {})
    assert checked.status == status
    assert bool(checked.challenges) == (status == 401)
    assert [each.location for each in checked.violations[:1]] == {0: [], 401: ["security"]}.get(
        status, ["body"]
    )
    assert bool(checked.violations) == (status != 0)
    without = compile_checker(operation, Schemas(TREES, "3.1"), SCHEMES, security="off")
    assert without.check(request(body=body, **headers), {}).status != 401


def test_schemas_compile_at_the_first_request() -> None:
    broken = Parameter("q", "query", schema="u#/missing")
    checker(broken)


def test_querystring_parameter_is_read_from_the_whole_query() -> None:
    content = MediaType("application/x-www-form-urlencoded", "u#/pet")
    made = checker(Parameter("q", "querystring", True, content=content))
    assert made.check(request("name=x"), {}).query == {"q": {"name": "x"}}
    assert [each.keyword for each in made.check(request("x=y"), {}).violations] == ["required"]
    assert [each.keyword for each in made.check(request(), {}).violations] == ["required"]
