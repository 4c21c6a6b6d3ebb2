"""Documented answers belong to the operation and its parameters, not to the way they were asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.live import Live, Write, compiled, engine_of, get, serving_engine

DOCUMENT = """
openapi: 3.0.3
info: {title: Pets, version: '1'}
servers: [{url: /v1}, {url: 'https://pets.test/v2'}]
paths:
  /pets/{name}:
    parameters: [{in: path, name: name, required: true, schema: {type: string}}]
    get: {responses: {'200': {$ref: '#/components/responses/Pet'}}}
    put: {responses: {'200': {$ref: '#/components/responses/Pet'}}}
  /owners/{name}:
    get:
      parameters: [{in: path, name: name, required: true, schema: {type: string}}]
      responses: {'200': {$ref: '#/components/responses/Pet'}}
components:
  responses:
    Pet:
      description: one
      content:
        application/json: {schema: {$ref: '#/components/schemas/Pet'}}
        application/vnd.pets+json: {schema: {$ref: '#/components/schemas/Pet'}}
  schemas:
    Pet:
      type: object
      required: [code, town]
      properties: {code: {type: string, pattern: '^[a-z]{20}$'}, town: {type: string, pattern: '^[a-z]{20}$'}}
"""


@pytest.fixture
def pets(write: Write) -> Iterator[Live]:
    with serving_engine(engine_of(compiled(write("pets.yaml", DOCUMENT)))) as live:
        yield live


def told(live: Live, target: str, *fields: str, method: str = "GET") -> dict[str, str]:
    reply = get(live.port, target, *fields, method=method)
    assert reply.status == 200, reply.body
    value: dict[str, str] = json.loads(reply.body)
    return value


def test_every_prefix_and_spelling_leads_to_one_answer(pets: Live) -> None:
    first = told(pets, "/pets/rex")
    assert told(pets, "/v1/pets/rex") == told(pets, "/v2/pets/rex") == told(pets, "/pets/r%65x") == first


def test_every_media_type_and_method_of_one_schema_has_one_answer(pets: Live) -> None:
    first = told(pets, "/pets/rex")
    assert told(pets, "/pets/rex", "Accept: application/vnd.pets+json") == first
    assert told(pets, "/pets/rex", method="PUT") == first


def test_another_key_and_another_path_have_answers_of_their_own(pets: Live) -> None:
    answers = [told(pets, target)["code"] for target in ("/pets/rex", "/pets/tom", "/owners/rex")]
    assert len(set(answers)) == 3
