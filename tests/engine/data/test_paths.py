"""Creations and reads with different schemas, and creations whose items have a path elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis import Redis
from tests.stateful import Ask, in_namespace, stateful_on

DOCUMENT = """
openapi: 3.0.3
info: {title: Paths, version: '1'}
servers: [{url: /v2}]
paths:
  /pets:
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}}
      responses: {'201': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/NewPet'}}}}}
    get:
      responses:
        '200':
          description: ok
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/ListedPet'}}}}
  /pets/{petId}/:
    parameters: [{name: petId, in: path, required: true, schema: {type: integer}}]
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
        '404': {description: no}
  /users/{id}/orders:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {note: {type: string}}}}}}
      responses: {'201': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}
    get:
      responses:
        '200':
          description: ok
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Order'}}}}
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
        '404': {description: no}
    delete: {responses: {'204': {description: gone}}}
  /cats:
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}}
      responses:
        '201':
          description: ok
          content: {application/json: {schema: {type: object, required: [tag], properties: {tag: {type: string}}}}}
          links: {animal: {operationId: getAnimal, parameters: {animalId: $response.body#/tag}}}
  /animals/{animalId}:
    parameters: [{name: animalId, in: path, required: true, schema: {type: string}}]
    get:
      operationId: getAnimal
      responses:
        '200':
          description: ok
          content: {application/json: {schema: {type: object, required: [tag], properties: {tag: {type: string}, name: {type: string}}}}}
        '404': {description: no}
components:
  schemas:
    Order:
      type: object
      required: [id]
      properties: {id: {type: string}, userId: {type: integer}, note: {type: string}}
    Pet:
      type: object
      required: [id, state, label]
      properties:
        id: {type: integer}
        name: {type: string}
        state: {enum: [new, old, sold, lost]}
        label: {type: string}
        note: {type: string}
    NewPet:
      type: object
      required: [id, state, token, note, label]
      properties:
        id: {type: integer}
        name: {type: string}
        state: {enum: [new]}
        label: {type: string, pattern: '^L[0-9]{4}$'}
        token: {type: string}
        note: {type: string}
    ListedPet:
      type: object
      required: [id, token]
      properties: {id: {type: integer}, token: {type: string}, state: {type: string}}
"""  # noqa: E501


@pytest.fixture(scope="module", params=["memory", "redis"])
def server(
    request: pytest.FixtureRequest, redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    document: Path = tmp_path_factory.mktemp("paths") / "paths.yaml"
    document.write_text(DOCUMENT, "utf-8")
    with stateful_on(request.param, redis, document) as ask:
        yield ask


@pytest.fixture
def ask(server: Ask, request: pytest.FixtureRequest) -> Ask:
    """The server, in a namespace of the test."""
    return in_namespace(server, request.node.originalname)


def test_answers_of_different_schemas_agree_in_their_common_fields(ask: Ask) -> None:
    for number in range(1, 6):
        made = ask("POST", "/v2/pets", {"name": "Zed"}).json()
        read = ask("GET", f"/v2/pets/{made['id']}/").json()
        listed = ask("GET", "/v2/pets").json()[-1]
        assert (made["id"], made["name"], made["state"]) == (number, "Zed", "new")
        assert {name: read[name] for name in ("id", "name", "state", "label", "note")} == {
            name: made[name] for name in ("id", "name", "state", "label", "note")
        }
        assert (listed["token"], listed["state"]) == (made["token"], "new")


def test_location_is_the_path_of_the_item_with_its_base_and_slash(ask: Ask) -> None:
    made = ask("POST", "/v2/pets", {"name": "Zed"})
    assert made.headers["location"] == "/v2/pets/1/"
    assert ask("GET", made.headers["location"]).json()["name"] == "Zed"


def test_a_creation_below_another_item_creates_where_items_are_read(ask: Ask) -> None:
    made = ask("POST", "/v2/users/7/orders", {"note": "quick"})
    assert made.headers["location"] == f"/v2/orders/{made.json()['id']}"
    assert made.json()["userId"] == 7
    assert ask("GET", made.headers["location"]).json() == made.json()
    other = ask("POST", "/v2/users/8/orders", {"note": "slow"}).json()
    assert ask("GET", "/v2/users/7/orders").json() == [made.json()]
    assert ask("GET", "/v2/users/8/orders").json() == [other]
    assert ask("GET", "/v2/users/9/orders").json() == []
    assert ask("DELETE", made.headers["location"]).status == 204
    assert ask("GET", "/v2/users/7/orders").json() == []


def test_a_link_of_a_creation_says_where_its_items_are_read(ask: Ask) -> None:
    made = ask("POST", "/v2/cats", {"name": "Tom"})
    assert made.headers["location"] == f"/v2/animals/{made.json()['tag']}"
    assert ask("GET", made.headers["location"]).json() == {**made.json(), "name": "Tom"}
