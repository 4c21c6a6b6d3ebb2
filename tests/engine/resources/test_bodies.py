"""Bodies of scenario files in every kind of media type: what arrives, and what breaks the document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mockserver.diagnostics import CompileError
from mockserver.engine.engine import Engine
from mockserver.messages import Response
from tests.live import ask, compiled, engine_of

N = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
    "additionalProperties": False,
}
EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "event": {"enum": ["progress", "done"]},
        "data": {"type": "string"},
        "id": {"type": "string"},
    },
    "additionalProperties": False,
}


def engine(folder: Path, response: dict[str, Any], content: dict[str, Any] | None = None) -> Engine:
    """An engine whose one state gives ``response``; ``content`` is that of the documented 200."""
    document = {
        "openapi": "3.2.0",
        "info": {"title": "Bodies", "version": "1"},
        "paths": {
            "/bodies/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": {
                    "operationId": "read",
                    "responses": {"200": {"description": "it", "content": content or {}}},
                },
            }
        },
    }
    scenario = {
        "resource": "body",
        "key": "path.id",
        "operations": {"read": "read"},
        "states": {"only": response},
        "scenarios": {"only": ["only"]},
    }
    first, second = folder / "bodies.yaml", folder / "mine.yaml"
    first.write_text(yaml.safe_dump(document), "utf-8")
    second.write_text(yaml.safe_dump(scenario), "utf-8")
    return engine_of(compiled(first, scenarios=[second]))


def sent(folder: Path, response: dict[str, Any], content: dict[str, Any] | None = None) -> tuple[str, bytes]:
    """The Content-Type and the body that a client is sent."""
    reply = ask(engine(folder, response, content), "GET", "/bodies/k")
    assert reply.status == response.get("status", 200), reply.body
    return field(reply, "content-type"), reply.body


def field(reply: Response, name: str) -> str:
    return next(value for each, value in reply.headers if each == name)


def told(folder: Path, response: dict[str, Any], content: dict[str, Any]) -> list[str]:
    """What `check` says is wrong with a state."""
    with pytest.raises(CompileError) as failure:
        engine(folder, response, content)
    return [f"{each.code} {each.message}" for each in failure.value.diagnostics]


UNDOCUMENTED = [
    ("text/html", "<h1>Bad gateway</h1>", b"<h1>Bad gateway</h1>"),
    ("text/plain", "no upstream", b"no upstream"),
    ("text/plain; charset=utf-8", "Zürich {{ resource.key }}", "Zürich k".encode()),
    ("application/xml", "<a>1 &amp; 2</a>", b"<a>1 &amp; 2</a>"),
    ("application/x-www-form-urlencoded", "a=1&b=2", b"a=1&b=2"),
    ("application/x-ndjson", '{"a":1}\n', b'{"a":1}\n'),
    ("application/x-ndjson", [{"a": 1}, {"a": "{{ resource.key }}"}], b'{"a":1}\n{"a":"k"}\n'),
    ("application/json-seq", [{"a": 1}, 2], b'\x1e{"a":1}\n\x1e2\n'),
    ("text/event-stream", "event: progress\n\n", b"event: progress\n\n"),
    ("text/event-stream", [1, "two", {"a": 3}], b'data: 1\n\ndata: two\n\ndata: {"a":3}\n\n'),
    (
        "text/event-stream",
        [{"event": "progress", "id": 7, "data": {"n": 1}}, {"retry": 500, "data": "{{ resource.key }}"}],
        b'id: 7\nevent: progress\ndata: {"n":1}\n\nretry: 500\ndata: k\n\n',
    ),
    ("text/event-stream", [{"event": "done"}, {"retry": 500}], b"event: done\n\nretry: 500\n\n"),
    ("application/json", "text", b'"text"'),
    ("application/problem+json", "text", b'"text"'),
]


@pytest.mark.parametrize(("media_type", "body", "expected"), UNDOCUMENTED)
def test_an_undocumented_body_is_written_as_its_media_type_has_it(
    tmp_path: Path, media_type: str, body: Any, expected: bytes
) -> None:
    response = {"status": 502, "undocumented": True, "mediaType": media_type, "body": body}
    assert sent(tmp_path, response) == (media_type, expected)


def test_a_content_type_among_the_headers_says_how_a_body_is_written(tmp_path: Path) -> None:
    response = {
        "status": 502,
        "undocumented": True,
        "headers": {"Content-Type": "text/html; charset=utf-8"},
        "body": "<h1>Bad gateway</h1>",
    }
    assert sent(tmp_path, response) == ("text/html; charset=utf-8", b"<h1>Bad gateway</h1>")


def test_a_body_without_a_media_type_is_json(tmp_path: Path) -> None:
    response = {"status": 502, "undocumented": True, "body": "text"}
    assert sent(tmp_path, response) == ("application/json", b'"text"')


STRING = {"type": "string"}
DOCUMENTED = [
    # media type, what the document says of it, body, what is sent
    ("text/event-stream", {"schema": STRING}, "event: progress\n\n", b"event: progress\n\n"),
    ("text/event-stream", {"schema": STRING}, ["a", "b"], b"data: a\n\ndata: b\n\n"),
    ("text/event-stream", {"schema": STRING}, [{"event": "x", "data": "a"}], b"event: x\ndata: a\n\n"),
    ("text/event-stream", {"schema": N}, [{"event": "x", "data": {"n": 1}}], b'event: x\ndata: {"n":1}\n\n'),
    ("text/event-stream", {"schema": N}, [{"n": 1}, {"n": 2}], b'data: {"n":1}\n\ndata: {"n":2}\n\n'),
    ("text/event-stream", {"schema": N}, 'event: x\ndata: {"n":1}\n\n', b'event: x\ndata: {"n":1}\n\n'),
    ("text/event-stream", {"schema": N}, {"event": "x", "data": {"n": 1}}, b'event: x\ndata: {"n":1}\n\n'),
    ("text/event-stream", {"itemSchema": EVENT}, [{"event": "done", "data": {"n": 1}}],
     b'event: done\ndata: {"n":1}\n\n'),
    ("text/event-stream", {"itemSchema": EVENT}, [{"id": 5, "data": "a"}], b"id: 5\ndata: a\n\n"),
    ("application/x-ndjson", {"schema": N}, [{"n": 1}, {"n": 2}], b'{"n":1}\n{"n":2}\n'),
    ("application/x-ndjson", {"schema": N}, {"n": 1}, b'{"n":1}\n'),
    ("application/x-ndjson", {"schema": STRING}, ["a"], b'"a"\n'),
    ("application/x-ndjson", {"schema": {"type": "array", "items": N}}, [{"n": 1}], b'{"n":1}\n'),
    ("application/x-ndjson", {"itemSchema": N}, [{"n": 1}], b'{"n":1}\n'),
    ("application/x-ndjson", {"itemSchema": N}, '{"n": 1}\n', b'{"n": 1}\n'),
    ("application/json-seq", {"itemSchema": N}, [{"n": 1}], b'\x1e{"n":1}\n'),
    ("application/xml", {"schema": {**N, "xml": {"name": "N"}}}, "<N><n>1</n></N>", b"<N><n>1</n></N>"),
    ("text/plain", {"schema": {"type": "integer"}}, "5", b"5"),
    ("text/plain", {"schema": {"type": "integer"}}, 5, b"5"),
    ("text/csv", {"schema": N}, "n\n1\n", b"n\n1\n"),
    ("text/*", {"schema": STRING}, "plain", b"plain"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "media", "body", "expected"), DOCUMENTED)
def test_a_documented_body_is_written_as_its_media_type_has_it(
    tmp_path: Path, name: str, media: dict[str, Any], body: Any, expected: bytes
) -> None:
    content_type, data = sent(tmp_path, {"body": body}, {name: media})
    assert (content_type, data) == (name.replace("*", "plain"), expected)


BROKEN = [
    ("application/x-ndjson", {"itemSchema": N}, [{"n": 1}, {"n": "two"}], "at /1/n"),
    ("application/x-ndjson", {"itemSchema": N}, [{"n": 1}, {}], "at /1"),
    ("application/x-ndjson", {"itemSchema": N}, '{"n":1}\n{"n":"two"}\n', "at /1/n"),
    ("application/x-ndjson", {"itemSchema": N}, "no JSON", "not JSON"),
    ("application/x-ndjson", {"schema": N}, [{"n": "two"}], "at /0/n"),
    ("application/x-ndjson", {"schema": {"type": "array", "maxItems": 1}, "itemSchema": N},
     [{"n": 1}, {"n": 2}], "breaks the document"),
    ("application/json-seq", {"itemSchema": N}, [{"n": 1, "m": 2}], "at /0"),
    ("text/event-stream", {"itemSchema": EVENT}, [{"event": "nothing", "data": "a"}], "at /0/event"),
    ("text/event-stream", {"schema": N}, [{"event": "x", "data": {"n": "one"}}], "at /0/data/n"),
    ("text/event-stream", {"schema": N}, [{"n": "one"}], "at /0/n"),
    ("application/xml", {"schema": N}, "<N><n>one</n></N>", "at /n"),
    ("application/xml", {"schema": N}, "no XML", "XML"),
    ("text/plain", {"schema": {"type": "integer"}}, "five", "integer"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "media", "body", "expected"), BROKEN)
def test_what_breaks_the_document_is_told(
    tmp_path: Path, name: str, media: dict[str, Any], body: Any, expected: str
) -> None:
    (found,) = told(tmp_path, {"body": body}, {name: media})
    assert found.startswith("S503")
    assert expected in found


def test_items_that_a_template_makes_are_judged_when_they_are_sent(tmp_path: Path) -> None:
    body = [{"n": "{{ request.query.n | default('1') | int(default='no') }}"}]
    served = engine(tmp_path, {"body": body}, {"application/x-ndjson": {"itemSchema": N}})
    assert ask(served, "GET", "/bodies/k?n=4").body == b'{"n":4}\n'
    broken = ask(served, "GET", "/bodies/k?n=x")
    assert broken.status == 500
    assert "breaks the document at /0/n" in json.loads(broken.body)["detail"]


def test_a_state_without_a_body_is_a_sequence_of_what_the_item_schema_says(tmp_path: Path) -> None:
    _, data = sent(tmp_path, {}, {"application/x-ndjson": {"itemSchema": N}})
    items = [json.loads(line) for line in data.splitlines()]
    assert len(items) == 3
    assert all(isinstance(each["n"], int) for each in items)


def test_a_generated_xml_text_stands_in_an_element(tmp_path: Path) -> None:
    content = {"application/xml": {"schema": {"type": "string", "const": "a & b", "xml": {"name": "T"}}}}
    assert sent(tmp_path, {}, content)[1].endswith(b"<T>a &amp; b</T>")


def test_a_multipart_body_of_a_scenario_names_its_boundary(tmp_path: Path) -> None:
    content_type, data = sent(tmp_path, {"body": {"n": 1}}, {"multipart/form-data": {"schema": N}})
    boundary = content_type.partition("boundary=")[2]
    assert boundary
    assert data.startswith(f"--{boundary}".encode())


LIST = """
openapi: 3.2.0
info: {title: Lines, version: '1'}
paths:
  /lines:
    get:
      operationId: all
      responses: {'200': {description: all, content: {application/x-ndjson: {itemSchema: &line
        {type: object, required: [id], properties: {id: {type: string}}, additionalProperties: false}}}}}
  /lines/{id}:
    get:
      operationId: read
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: one, content: {application/json: {schema: *line}}}}
"""
LINES = """
resource: line
key: path.id
operations: {read: read, all: {operation: all, lists: body}}
states: {only: {body: {id: "{{ resource.key }}"}}}
scenarios: {only: [only]}
"""


def test_a_list_of_json_lines_is_a_line_for_each_resource(tmp_path: Path) -> None:
    first, second = tmp_path / "lines.yaml", tmp_path / "mine.yaml"
    first.write_text(LIST, "utf-8")
    second.write_text(LINES, "utf-8")
    served = engine_of(compiled(first, scenarios=[second]))
    for key in ("a", "b"):
        ask(served, "GET", f"/lines/{key}")
    reply = ask(served, "GET", "/lines")
    assert (reply.status, reply.body) == (200, b'{"id":"a"}\n{"id":"b"}\n')


NEVER = {"type": "object", "required": ["a", "n"], "properties": {"a": False, "n": {"type": "integer"}}}
NEVER_JSON = {"application/json": {"schema": NEVER}}
BY_NONE = "its schema is false"


@pytest.mark.parametrize(
    "response",
    [
        {"body": {"n": 5}},
        {"body": {"n": "{{ 5 }}"}},
        {"body": {"n": 5, "a": "{{ now }}"}},
        {"status": 200},
    ],
    ids=str,
)
def test_an_answer_over_a_schema_that_nothing_satisfies_is_sent_with_a_warning(
    response: dict[str, Any], tmp_path: Path
) -> None:
    served = engine(tmp_path, response, NEVER_JSON)
    for _ in range(3):  # the third is answered as the one before it was
        found = ask(served, "GET", "/bodies/1")
        assert (found.status, "n" in json.loads(found.body)) == (200, True)
        [warning] = found.warnings
        assert warning.startswith("D502 ")
        assert BY_NONE in warning
        assert dict(found.headers)["x-mock-warning"] == warning


def test_what_another_body_would_not_break_is_refused_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as failure:
        engine(tmp_path, {"body": {"n": "text"}}, NEVER_JSON)
    [fault] = failure.value.diagnostics
    assert fault.code == "S503"
    assert "at /n " in fault.message


def test_a_body_that_is_valid_where_none_can_be_made_carries_no_warning(tmp_path: Path) -> None:
    both = {"type": "string", "pattern": "^[a-z]{12}$", "not": {"pattern": "[^q]"}}
    hard = {"type": "object", "required": ["a"], "properties": {"a": both}}
    served = engine(tmp_path, {"body": {"a": "q" * 12}}, {"application/json": {"schema": hard}})
    assert ask(served, "GET", "/bodies/1", {"prefer": "dynamic=true"}).warnings
    found = ask(served, "GET", "/bodies/1")
    assert (json.loads(found.body), [*found.warnings]) == ({"a": "q" * 12}, [])


def test_a_list_over_a_schema_that_nothing_satisfies_is_sent_with_a_warning(tmp_path: Path) -> None:
    page = {"type": "object", "required": ["things", "a"], "properties": {
        "things": {"type": "array", "items": NEVER}, "a": False,
    }}  # fmt: skip
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {
            "/things": {
                "get": {"operationId": "list", "responses": {"200": _described(page)}},
                "post": {"operationId": "create", "responses": {"201": _described(NEVER)}},
            },
        },
    }
    scenario = {
        "resource": "thing",
        "key": "body.n",
        "operations": {
            "create": {"operation": "create", "creates": "body.n"},
            "list": {"operation": "list", "lists": "body.things"},
        },
        "states": {"only": {"body": {"n": 1}}},
        "scenarios": {"only": ["only"]},
    }
    first, second = tmp_path / "things.yaml", tmp_path / "mine.yaml"
    first.write_text(yaml.safe_dump(document), "utf-8")
    second.write_text(yaml.safe_dump(scenario), "utf-8")
    served = engine_of(compiled(first, scenarios=[second]))
    for method, status in (("POST", 201), ("GET", 200)):
        found = ask(served, method, "/things")
        assert found.status == status, found.body
        assert [BY_NONE in each for each in found.warnings] == [True]
    assert len(json.loads(found.body)["things"]) == 1


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "it", "content": {"application/json": {"schema": schema}}}
