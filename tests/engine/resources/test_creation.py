"""What a creating request says is what the resource shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mockserver.engine.engine import Engine
from mockserver.messages import Response
from tests.fixtures import things_plan
from tests.live import ask, engine_of

PET = "{application/json: {schema: {$ref: '#/components/schemas/Pet'}}}"
DOCUMENT = f"""
openapi: 3.0.3
info: {{title: Pets, version: '1'}}
paths:
  /pets:
    get:
      operationId: all
      responses:
        '200':
          description: pets
          content:
            application/json: {{schema: {{type: array, items: {{$ref: '#/components/schemas/Pet'}}}}}}
    post:
      operationId: make
      requestBody: {{content: {{application/json: {{schema: {{type: object}}}}}}}}
      responses: {{'201': {{description: a pet, content: {PET}}}}}
  /pets/{{petId}}:
    get:
      operationId: look
      parameters: [{{name: petId, in: path, required: true, schema: {{type: integer, minimum: 1}}}}]
      responses: {{'200': {{description: a pet, content: {PET}}}}}
components:
  schemas:
    Pet:
      type: object
      required: [id, name, age, mood, place]
      properties:
        id: {{type: integer}}
        name: {{type: string}}
        age: {{type: integer, maximum: 50}}
        mood: {{type: string}}
        place:
          type: object
          required: [town]
          properties: {{town: {{type: string}}, room: {{type: integer}}}}
        secret: {{type: string, writeOnly: true}}
        checked: {{type: boolean, readOnly: true}}
      additionalProperties: false
"""
FILE = """
resource: pet
key: path.petId
operations:
  make: {operation: make, creates: body.id}
  look: look
  all: {operation: all, lists: body, items: look}
states:
  awake: {make: {body: {mood: lively}}, look: {body: {mood: lively}}}
  asleep: {look: {body: {mood: "{{ resource.data.mood | default('calm') }}", place: {room: 7}}}}
scenarios:
  usual: [awake: 2, asleep]
"""


@pytest.fixture
def pets(tmp_path: Path) -> Engine:
    return engine_of(things_plan(tmp_path, FILE, document=DOCUMENT))


def make(engine: Engine, body: Any) -> Response:
    return ask(engine, "POST", "/pets", {"content-type": "application/json"}, json.dumps(body).encode())


def read(engine: Engine, target: str) -> Any:
    return json.loads(ask(engine, "GET", target).body)


def test_fields_of_the_creating_request_are_in_its_response_in_reads_and_in_the_list(pets: Engine) -> None:
    created = json.loads(make(pets, {"name": "Zed", "age": 3, "place": {"town": "Rome"}}).body)
    assert (created["name"], created["age"], created["place"]["town"]) == ("Zed", 3, "Rome")
    assert read(pets, "/pets/1") == created
    assert read(pets, "/pets") == [created]


def test_body_of_the_state_goes_before_the_request(pets: Engine) -> None:
    created = json.loads(make(pets, {"mood": "sad", "place": {"town": "Rome", "room": 1}}).body)
    assert created["mood"] == "lively"
    reads = [read(pets, "/pets/1") for _ in range(3)]
    assert [each["mood"] for each in reads] == ["lively", "lively", "sad"]
    assert reads[2]["place"] == {"town": "Rome", "room": 7}


@pytest.mark.parametrize(
    "sent",
    [{"age": 51}, {"age": "three"}, {"place": {"town": 1}}, {"secret": "x"}, {"other": 1}],
    ids=["too large", "other type", "invalid member", "write-only", "unknown"],
)
def test_field_that_no_response_may_have_does_not_change_it(tmp_path: Path, sent: dict[str, Any]) -> None:
    engines = [engine_of(things_plan(tmp_path, FILE, document=DOCUMENT)) for _ in range(2)]
    bodies = [make(engines[0], {**sent, "name": "Zed"}).body, make(engines[1], {"name": "Zed"}).body]
    assert bodies[0] == bodies[1]


def test_client_sets_neither_the_key_nor_a_read_only_field(pets: Engine) -> None:
    checked = json.loads(make(pets, {}).body).get("checked")
    created = json.loads(make(pets, {"id": 77, "petId": 77, "checked": not checked}).body)
    assert created["id"] == 2
    assert read(pets, "/pets/2") == created


def test_location_of_a_creation_is_the_path_that_reads_it(pets: Engine) -> None:
    assert dict(make(pets, {}).headers)["location"] == "/pets/1"


def test_location_that_the_state_sets_stays(tmp_path: Path) -> None:
    file = FILE.replace("make: {body: {mood: lively}}", "make: {headers: {Location: /here}}")
    engine = engine_of(things_plan(tmp_path, file, document=DOCUMENT))
    assert dict(make(engine, {}).headers)["location"] == "/here"
