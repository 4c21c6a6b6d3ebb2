"""A small part of what ``negative`` does: wrong requests are refused, and right ones taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from schemathesis.generation import GenerationMode

from mockserver.engine.engine import Options
from tests.conformance.negative import Attack, Tally, is_excused, load
from tests.documents import FOLDER
from tests.live import compiled, engine_of, serving_engine

SAMPLE = ("oas-2.0-petstore.yaml", "oas-3.0-discriminators.yaml", "oas-3.1-petstore.yaml")
OPERATIONS, REQUESTS = 4, 4

OPEN_API = """
openapi: 3.1.0
info: {title: Wrong requests, version: "1"}
paths:
  /items/{id}:
    put:
      parameters:
        - {in: path, name: id, required: true, schema: {type: integer, minimum: 1}}
        - {in: query, name: tags, required: true, schema: {type: array, items: {enum: [a, b]}, minItems: 1}}
        - {in: header, name: X-Size, required: true, schema: {type: integer, multipleOf: 3}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name, kind]
              properties:
                name: {type: string, minLength: 2, pattern: "^[A-Z]"}
                kind: {const: item}
                at: {type: string, format: date-time}
              additionalProperties: false
      responses: {"204": {description: ok}}
"""

SWAGGER = """
swagger: "2.0"
info: {title: Wrong requests, version: "1"}
consumes: [application/json]
paths:
  /items:
    post:
      parameters:
        - {in: query, name: limit, required: true, type: integer, maximum: 9}
        - in: body
          name: body
          required: true
          schema:
            type: object
            required: [a]
            properties: {a: {type: integer, minimum: 0, exclusiveMinimum: true}}
      responses: {"204": {description: ok}}
"""


def attacked(path: Path, document: dict[str, Any], mode: GenerationMode, count: int = REQUESTS) -> Tally:
    tally = Tally()
    engine = engine_of(compiled(path), options=Options(security="off"))
    with serving_engine(engine) as live:
        attack = Attack(document, live.url)
        for operation in attack.operations[:OPERATIONS]:
            tally.add(attack.run(operation, mode, count))
    return tally


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("text", [OPEN_API, SWAGGER], ids=["3.1", "2.0"])
def test_requests_are_judged_by_the_document(text: str, mode: GenerationMode, tmp_path: Path) -> None:
    path = tmp_path / "api.yaml"
    path.write_text(text, "utf-8")
    tally = attacked(path, yaml.safe_load(text), mode, 8)
    assert tally.is_clean, tally.notes
    assert tally.total >= 8


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("name", SAMPLE)
def test_public_documents_are_held_to(name: str, mode: GenerationMode) -> None:
    tally = attacked(FOLDER / name, load(FOLDER / name), mode)
    assert tally.is_clean, tally.notes
    assert tally.verdicts["right"] >= REQUESTS


@pytest.mark.parametrize(
    ("operation", "told", "sent", "expected"),
    [
        ("GET /path/label/{a}", "`type` at /properties/array (was array, became null)", "/.", True),
        ("GET /path/simple/{a}", "`type` at /properties/array (was array, became null)", "/", False),
        ("GET /path/label/{a}", "`enum` at /properties/array", "/.", False),
        ("POST /", "`type` at /properties/a (was integer, became array)", "multipart/form-data", True),
        (
            "POST /",
            "`type` at /properties/a (was integer, became array)",
            'multipart/form-data name="a"',
            False,
        ),
        ("POST /", "`type` at /properties/a (was integer, became string)", "multipart/form-data", False),
        ("POST /", "`additionalProperties`", "application/x-www-form-urlencoded", True),
        ("POST /", "`required` (was a)", "application/json", False),
        ("POST /v1/skills?beta=true", "`anyOf` at /properties/files", "multipart/form-data", True),
        ("POST /v1/skills", "`anyOf` at /properties/files", "application/json", False),
        (
            "GET /v1/a",
            "`type` at /properties/limit/anyOf/0 (was integer, became string)",
            "/v1/a?limit= {}",
            True,
        ),
        (
            "GET /v1/a",
            "`type` at /properties/limit/anyOf/0 (was integer, became string)",
            "/v1/a?limit=x {}",
            False,
        ),
        ("PUT /", "`required` (was Finch-API-Version, Content-Type)", "/ {'Finch-API-Version': '1'}", True),
        ("PUT /", "`required` (was Finch-API-Version, Content-Type)", "/ {}", False),
    ],
)
def test_only_what_is_right_on_the_wire_is_excused(
    operation: str, told: str, sent: str, expected: bool
) -> None:
    assert is_excused(f"{operation}: 200 [violates {told}] {sent}") is expected
    assert not is_excused(f"{operation}: 200 [- violates {told} - violates `enum` at /b] {sent}")
