"""Answers are given once at compile time, to requests as the document asks for them."""

from __future__ import annotations

import json

import pytest

from mockserver.diagnostics import CompileError
from tests.live import Write, ask, compiled, engine_of

DOCUMENT = """
    openapi: 3.1.0
    info: {title: t, version: "1"}
    paths:
      /users/{user}/orders/{id}:
        parameters:
          - {name: user, in: path, required: true, schema: {type: integer}}
          - {name: id, in: path, required: true, schema: {type: string}}
        put:
          operationId: put
          parameters:
            - {name: unit, in: query, required: true, schema: {enum: [kg, g]}}
            - {name: page, in: query, schema: {type: integer}}
            - {name: X-Tenant, in: header, required: true, schema: {type: string, minLength: 3}}
            - {name: session, in: cookie, required: true, schema: {type: string}}
          requestBody:
            required: true
            content:
              application/json:
                schema:
                  type: object
                  required: [count]
                  properties: {count: {type: integer}, unit: {enum: [kg, g]}}
          responses:
            "200":
              description: put
              content:
                application/json:
                  schema:
                    type: object
                    required: [value]
                    properties: {value: {type: [string, integer]}, unit: {enum: [kg, g]}}
"""


def scenarios(body: str) -> str:
    return f"""
        resource: order
        key: path.id
        operations: {{put: put}}
        states: {{made: {{body: {body}}}}}
        scenarios: {{normal: [made]}}
    """


@pytest.mark.parametrize(
    "template",
    [
        "{{ request.path.user }}",
        "{{ request.path.id }}",
        "{{ request.query.unit }}",
        "{{ request.headers['x-tenant'] }}",
        "{{ request.cookies.session }}",
        "{{ request.body.count }}",
        "{{ request.method }} {{ request.url }}",
        "{{ request.query.page | default('1') }}",
        "{{ request.headers['x-other'] | default('none') }}",
    ],
)
def test_template_that_reads_a_required_part_compiles(write: Write, template: str) -> None:
    path = write("mine.yaml", scenarios(f'{{value: "{template}"}}'))
    compiled(write("doc.yaml", DOCUMENT), scenarios=[path])


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ request.query.page }}", "no 'page'"),
        ("{{ request.headers['x-other'] }}", "x-other"),
        ("{{ request.body.missing }}", "no 'missing'"),
        ("{{ request.path.other }}", "no 'other'"),
    ],
)
def test_template_that_reads_an_optional_part_without_default_is_reported(
    write: Write, template: str, told: str
) -> None:
    path = write("mine.yaml", scenarios(f'{{value: "{template}"}}'))
    with pytest.raises(CompileError) as failure:
        compiled(write("doc.yaml", DOCUMENT), scenarios=[path])
    [diagnostic] = failure.value.diagnostics
    assert diagnostic.code == "S501"
    assert told in diagnostic.message


def test_response_that_repeats_the_request_is_validated(write: Write) -> None:
    document = write("doc.yaml", DOCUMENT)
    fine = write("fine.yaml", scenarios('{value: a, unit: "{{ request.query.unit }}"}'))
    compiled(document, scenarios=[fine])
    wrong = write("wrong.yaml", scenarios("{value: a, unit: \"{{ request.headers['x-tenant'] }}\"}"))
    with pytest.raises(CompileError) as failure:
        compiled(document, scenarios=[wrong])
    assert [diagnostic.code for diagnostic in failure.value.diagnostics] == ["S503"]


LINES = """
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /orders/{id}:
    get:
      operationId: put
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema:
                type: object
                properties:
                  "100%25": {type: integer}
                  lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
"""


def test_invalid_value_of_a_property_with_a_percent_sign_is_located(write: Write) -> None:
    path = write("mine.yaml", scenarios('{"100%25": lots}'))
    with pytest.raises(CompileError) as failure:
        compiled(write("doc.yaml", LINES), scenarios=[path])
    [diagnostic] = failure.value.diagnostics
    line = path.read_text().splitlines()[diagnostic.where.line - 1]
    assert line[diagnostic.where.column - 1 :].startswith("lots")


def test_member_of_an_item_whose_template_is_null_is_left_out(write: Write) -> None:
    path = write("mine.yaml", scenarios('{lines: [{sku: "{{ none }}"}, {sku: a}]}'))
    engine = engine_of(compiled(write("doc.yaml", LINES), scenarios=[path]))
    body = json.loads(ask(engine, "GET", "/orders/1").body)
    assert body["lines"] == [{}, {"sku": "a"}]


BODIES = """
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /jobs/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: ok, content: {text/plain: {schema: {type: string, enum: [DONE]}}}}
        "202":
          description: ok
          content: {application/json: {schema: {type: array, minItems: 2, items: {enum: [7]}}}}
        "203": {description: ok, content: {application/json: {schema: {type: integer, enum: [5]}}}}
        "404": {description: no, content: {text/plain: {schema: {type: string, pattern: "^No job$"}}}}
"""


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"DONE"), (202, b"[7,7]"), (203, b"5"), (404, b"No job")], ids=str
)
def test_state_without_a_body_gets_a_valid_body(write: Write, status: int, body: bytes) -> None:
    """Where it is no object, too, there is nothing to lay over it."""
    life = f"""
        resource: job
        key: path.id
        operations: {{look: "GET /jobs/{{id}}"}}
        states: {{only: {{status: {status}}}}}
        scenarios: {{usual: [only]}}
    """
    plan = compiled(write("api.yaml", BODIES), scenarios=(write("life.yaml", life),))
    response = ask(engine_of(plan), "GET", "/jobs/1")
    assert (response.status, response.body) == (status, body)
