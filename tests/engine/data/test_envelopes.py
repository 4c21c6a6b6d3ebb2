"""Items and lists inside other objects: ``{"data": {…}}``, in requests, in responses and in examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import Write
from tests.stateful import Client, stateful

DOCUMENT = """
openapi: 3.1.0
info: {title: Envelopes, version: '1'}
paths:
  /pets:
    get:
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema: {type: object, properties: {data: {$ref: '#/components/schemas/Pets'}, meta: {$ref: '#/components/schemas/Meta'}}}
    post:
      requestBody: &pet {content: {application/json: {schema: {type: object, properties: {data: {$ref: '#/components/schemas/NewPet'}}}}}}
      responses: {'201': &shown {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/PetEnvelope'}}}}}
  /pets/{petId}:
    parameters: [{name: petId, in: path, required: true, schema: {type: integer}}]
    get: {responses: {'200': *shown, '404': {description: no}}}
    patch: {requestBody: *pet, responses: {'200': *shown, '404': {description: no}}}
    put: {requestBody: *pet, responses: {'200': *shown, '404': {description: no}}}
  /things:
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {thing: {$ref: '#/components/schemas/NewThing'}}}}}}
      responses: {'201': &thing {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/ThingEnvelope'}}}}}
  /things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': *thing, '404': {description: no}}}
  /hooks:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Hook'}}}}
      responses:
        '201':
          description: ok
          content:
            application/json:
              schema: {type: object, properties: {ok: {type: boolean}, hook: {$ref: '#/components/schemas/Hook'}}}
              examples:
                one: {value: {ok: true, hook: {id: h1, url: 'http://a'}}}
                two: {value: {ok: true, hook: {id: h2, url: 'http://b'}}}
  /hooks/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema: {type: object, properties: {ok: {type: boolean}, hook: {$ref: '#/components/schemas/Hook'}}}
        '404': {description: no}
components:
  schemas:
    Meta: {type: object, required: [total], properties: {total: {type: integer}}}
    NewPet: {type: object, properties: {name: {type: string}, note: {type: string}}}
    Pet: {type: object, required: [id], properties: {id: {type: integer}, name: {type: string}}}
    Pets: {type: array, items: {$ref: '#/components/schemas/Pet'}, examples: [[{id: 7, name: Zed}, {id: 8}]]}
    PetEnvelope: {type: object, required: [data], properties: {data: {$ref: '#/components/schemas/Pet'}}}
    NewThing: {type: object, properties: {color: {type: string}}}
    Thing:
      type: object
      required: [id]
      properties: {id: {type: string}, color: {type: string}}
      example: {id: t1, color: red}
    ThingEnvelope:
      type: object
      required: [response]
      properties: {response: {type: object, required: [data], properties: {data: {$ref: '#/components/schemas/Thing'}}}}
    Hook: {type: object, properties: {id: {type: string, readOnly: true}, url: {type: string}}}
"""  # noqa: E501


@pytest.fixture
def client(write: Write) -> Iterator[Client]:
    with stateful(write("envelopes.yaml", DOCUMENT)) as client:
        yield client


def test_an_item_in_an_envelope_is_stored_without_it(client: Client) -> None:
    made = client("POST", "/pets", {"data": {"name": "Abe"}})
    assert made.json() == {"data": {"id": 1, "name": "Abe"}}
    assert client("GET", "/pets/1").json() == made.json()
    assert client("GET", "/pets").json()["data"][-1] == made.json()["data"]
    assert client("PATCH", "/pets/1", {"data": {"name": "Ann"}}).json()["data"]["name"] == "Ann"
    assert client("PUT", "/pets/1", {"data": {"name": "Bob"}}).json()["data"]["name"] == "Bob"
    assert client("GET", "/pets/1").json() == {"data": {"id": 1, "name": "Bob"}}


def test_an_item_in_two_envelopes_is_found(client: Client) -> None:
    made = client("POST", "/things", {"thing": {"color": "blue"}})
    assert made.json()["response"]["data"]["color"] == "blue"
    assert client("GET", made.headers["location"]).json() == made.json()


def test_an_example_of_the_list_in_an_envelope_is_the_data_at_first(client: Client) -> None:
    assert client("GET", "/pets").json() == {
        "data": [{"id": 7, "name": "Zed"}, {"id": 8, **_name(client)}],
        "meta": {"total": 2},
    }
    assert client("GET", "/pets/7").json() == {"data": {"id": 7, "name": "Zed"}}


def _name(client: Client) -> dict[str, str]:
    found: dict[str, str] = client("GET", "/pets/8").json()["data"]
    return {name: value for name, value in found.items() if name == "name"}


def test_examples_of_a_response_in_an_envelope_are_the_data_at_first(client: Client) -> None:
    assert client("GET", "/hooks/h2").json()["hook"] == {"id": "h2", "url": "http://b"}
    assert client("GET", "/hooks/h1").json()["hook"] == {"id": "h1", "url": "http://a"}


def test_the_example_of_the_schema_in_an_envelope_is_the_data_at_first(client: Client) -> None:
    assert client("GET", "/things/t1").json() == {"response": {"data": {"id": "t1", "color": "red"}}}
