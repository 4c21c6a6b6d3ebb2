"""Sample requests hold what the document requires of every request, in its form, and nothing else."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote

import pytest

from mockserver.compile.scenario.responses import Binding
from mockserver.compile.scenario.samples import MAX_KEYS, SampleRequests
from mockserver.engine.engine import Options
from mockserver.engine.service import Service
from tests.live import Write, ask, compiled, engine_of

DOCUMENT = """
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  /a/{kind}/b/{id}:
    parameters:
      - {name: kind, in: path, required: true, schema: {type: string, enum: [x/y]}}
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 5, maximum: 900}}
    put:
      operationId: put
      parameters:
        - {name: flag, in: query, required: true, schema: {type: boolean}}
        - {name: word, in: query, required: true, schema: {type: string, pattern: '^[a-c]{4}&$'}}
        - {name: page, in: query, schema: {type: integer}}
        - {name: X-Level, in: header, required: true, schema: {type: integer, minimum: 3, maximum: 3}}
        - {name: X-Other, in: header, schema: {type: string}}
        - {name: session, in: cookie, required: true, schema: {type: string, enum: [a b]}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [n]
              properties: {n: {type: integer}, me: {type: string, readOnly: true}}
      responses: {'204': {description: done}}
    delete:
      operationId: drop
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {'204': {description: done}}
"""


def samples(write: Write, name: str) -> SampleRequests:
    [document] = compiled(write("doc.yaml", DOCUMENT)).documents
    service = Service(document, "0")
    operation = next(operation for operation in document.operations if operation.id == name)
    return SampleRequests(Binding(name, operation, document, service.schemas), service.fakes)


def test_sample_request_has_all_required_parts(write: Write) -> None:
    request, path, body = samples(write, "put").request("id", "7")
    assert (request.method, request.raw_path, path) == ("PUT", "/a/x%2Fy/b/7", {"kind": "x/y", "id": "7"})
    query = parse_qs(request.query_string)
    assert query.keys() == {"flag", "word"}
    assert query["flag"] in (["true"], ["false"])
    assert set(query["word"][0]) <= set("abc&")
    assert request.headers["x-level"] == "3"
    assert unquote(request.headers["cookie"]) == "session=a b"
    assert request.headers.keys() == {"x-level", "cookie"}
    assert isinstance(body, dict)
    assert isinstance(body["n"], int)
    assert "me" not in body


def test_sample_request_is_accepted_by_the_server(write: Write) -> None:
    request, _, _ = samples(write, "put").request("id", "7")
    engine = engine_of(compiled(write("doc.yaml", DOCUMENT)), options=Options())
    headers = {**request.headers, "content-type": "application/json"}
    target = f"{request.raw_path}?{request.query_string}"
    assert ask(engine, "PUT", target, headers, b'{"n": 1}').status == 204
    assert ask(engine, "PUT", request.raw_path, headers, b'{"n": 1}').status == 422


def test_optional_body_is_left_out_of_the_sample(write: Write) -> None:
    request, path, body = samples(write, "drop").request("id", "7")
    assert (request.query_string, request.headers, body) == ("", {}, None)
    assert path["id"] == "7"


@pytest.mark.parametrize("name", ["put", "drop"])
def test_sample_keys_are_valid_for_their_parameter(write: Write, name: str) -> None:
    keys = samples(write, name).keys("id")
    assert len(keys) == MAX_KEYS
    assert all(5 <= int(key) <= 900 for key in keys)
    assert samples(write, name).keys("unknown") == [f"sample-{number}" for number in range(MAX_KEYS)]
