from __future__ import annotations

from typing import Any

import pytest

from mockserver.engine.response.examples import Values
from mockserver.engine.response.headers import Headers
from mockserver.generate import Fakes
from mockserver.jsonschema import Schemas
from mockserver.plan import DocumentedResponse, Example, Header, MediaType

URI = "file:///api.yaml"


class Case:
    """Headers given as name → schema, or a Header of which ``schema`` is filled in."""

    def __init__(self, **schemas: Any) -> None:
        self.schemas = Schemas({URI: schemas}, "3.1")
        self.headers = Headers(Values(self.schemas, Fakes(self.schemas)))

    def text(self, name: str, key: str = "k", **header: Any) -> str | None:
        fields = dict(self.headers.fields(self.response(name, **header), key=key, now_ms=0))
        return fields.get(name.lower())

    def response(self, name: str, **header: Any) -> DocumentedResponse:
        content = header.pop("content", None)
        schema = None if content else f"{URI}#/{name}"
        media = MediaType(content, f"{URI}#/{name}") if content else None
        return DocumentedResponse("200", headers=(Header(name, schema=schema, content=media, **header),))


@pytest.mark.parametrize(
    ("schema", "header", "expected"),
    [
        ({"const": "abc"}, {}, "abc"),
        ({"const": 5}, {}, "5"),
        ({"const": 1.5}, {}, "1.5"),
        ({"const": True}, {}, "true"),
        ({"const": [1, "b", True]}, {}, "1,b,true"),
        ({"const": {"a": 1, "b": "x"}}, {}, "a,1,b,x"),
        ({"const": {"a": 1, "b": "x"}}, {"explode": True}, "a=1,b=x"),
        ({"const": {"a": [1, None]}}, {"content": "application/json"}, '{"a":[1,null]}'),
        ({"const": "é"}, {"content": "application/json"}, '"\\u00e9"'),
        ({"const": "abc"}, {"content": "text/plain"}, "abc"),
        ({"type": "integer"}, {"examples": (Example("a", "x"), Example("b", 7))}, "7"),
        ({"type": "string", "example": "of the schema"}, {}, "of the schema"),
        ({"type": "string"}, {"examples": (Example("a", "first"),)}, "first"),
        # nothing that can be sent, or that would be read back as something else
        ({"const": None}, {}, None),
        ({"const": []}, {}, None),
        ({"const": "a\r\nSet-Cookie: b"}, {}, None),
        ({"const": "a\0"}, {}, None),
        ({"const": " a"}, {}, None),
        ({"const": "é"}, {}, None),
        ({"const": ["a,b"]}, {}, None),
        ({"const": [[1]]}, {}, None),
        (False, {}, None),
    ],
)
def test_a_header_is_written_in_style_simple(
    schema: Any, header: dict[str, Any], expected: str | None
) -> None:
    assert Case(X=schema).text("X", **header) == expected


@pytest.mark.parametrize(
    "name",
    ["Content-Type", "content-length", "Transfer-Encoding", "Content-Encoding", "Date", "Bad Name", "X\r\nY"],
)
def test_some_headers_are_not_ours_to_send(name: str) -> None:
    assert Case(**{name: {"const": "a"}}).text(name) is None


def test_another_fake_is_tried_where_one_cannot_be_sent() -> None:
    case = Case(X={"enum": [None, "a"]})
    assert {case.text("X", key=str(i)) for i in range(20)} == {"a"}


def test_an_example_that_cannot_be_sent_makes_room_for_a_fake() -> None:
    case = Case(X={"type": "string", "pattern": "^[a-z]{3,5}$|\n"})
    text = case.text("X", examples=(Example("a", "a\nb"),))
    assert text is not None
    assert text.isalpha()


def test_values_are_stable_for_a_key() -> None:
    case = Case(X={"type": "string", "format": "uuid"})
    assert case.text("X", key="a") == case.text("X", key="a")
    assert case.text("X", key="a") != case.text("X", key="b")


def test_a_name_is_sent_once_and_in_lower_case() -> None:
    case = Case(A={"const": "1"}, B={"const": "2"})
    response = DocumentedResponse(
        "200", headers=(Header("X-A", schema=f"{URI}#/A"), Header("x-a", schema=f"{URI}#/B"))
    )
    assert case.headers.fields(response, key="", now_ms=0) == [("x-a", "2")]


def test_faults_tell_of_a_required_header_that_cannot_be_sent() -> None:
    case = Case(X={"const": None})
    assert not [*case.headers.faults(case.response("X"), "/r")]
    (fault,) = case.headers.faults(case.response("X", required=True), "/r")
    assert (fault.kind, fault.where) == ("unsatisfiable", "/r/headers/X")


def test_faults_tell_of_examples() -> None:
    case = Case(X={"type": "integer"})
    (fault,) = case.headers.faults(case.response("X", examples=(Example("bad", "x"),)), "/r")
    assert fault.kind == "example"
    assert "bad" in fault.message
