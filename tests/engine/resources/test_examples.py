"""States whose body is an example of the document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mockserver.diagnostics import CompileError
from mockserver.engine.engine import Engine
from tests.fixtures import things_plan
from tests.live import ask, engine_of

PET = "{$ref: '#/components/schemas/Pet'}"
EXAMPLES = (
    "{awake: {value: {id: 1, name: Rex, mood: lively}}, sleepy: {value: {id: 7, name: Zed, mood: calm}}}"
)
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
          content: {{application/json: {{schema: {{type: array, items: {PET}}}}}}}
    post:
      operationId: make
      responses:
        '201':
          description: a pet
          content: {{application/json: {{schema: {PET}, examples: {EXAMPLES}}}}}
  /pets/{{petId}}:
    get:
      operationId: look
      parameters: [{{name: petId, in: path, required: true, schema: {{type: integer, minimum: 1}}}}]
      responses:
        '200':
          description: a pet
          content: {{application/json: {{schema: {PET}, examples: {EXAMPLES}}}}}
components:
  schemas:
    Pet:
      type: object
      required: [id, name, mood]
      properties: {{id: {{type: integer}}, name: {{type: string}}, mood: {{type: string}}}}
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
  awake: {example: awake}
  sleepy: {example: sleepy, body: {mood: "{{ resource.state }}"}}
defaults: {name: nobody}
scenarios:
  usual: [awake: 1, sleepy]
"""


def pets(folder: Path, file: str = FILE) -> Engine:
    return engine_of(things_plan(folder, file, document=DOCUMENT))


def body(engine: Engine, method: str, target: str) -> Any:
    return json.loads(ask(engine, method, target).body)


def test_state_with_an_example_answers_it_with_the_key_of_the_resource(tmp_path: Path) -> None:
    engine = pets(tmp_path)
    assert body(engine, "GET", "/pets/5") == {"id": 5, "name": "Rex", "mood": "lively"}
    assert body(engine, "GET", "/pets/5") == {"id": 5, "name": "Zed", "mood": "sleepy"}


def test_created_resource_has_the_example_with_its_new_key_also_in_the_list(tmp_path: Path) -> None:
    engine = pets(tmp_path)
    created = body(engine, "POST", "/pets")
    assert created == {"id": created["id"], "name": "Rex", "mood": "lively"}
    assert body(engine, "GET", "/pets") == [created]
    assert body(engine, "GET", f"/pets/{created['id']}") == created


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{look: {example: awke}}", "look has no example 'awke'"),
        ("{look: {example: awake, undocumented: true}}", "look has no example 'awake'"),
        ("{look: {example: awake, body: text}}", "the body replaces the whole example"),
    ],
    ids=["unknown name", "undocumented response", "body that is a text"],
)
def test_example_that_cannot_be_the_body_is_reported(tmp_path: Path, state: str, message: str) -> None:
    file = f"""
resource: pet
key: path.petId
operations: {{look: look}}
states: {{awake: {state}}}
scenarios: {{usual: [awake]}}
"""
    with pytest.raises(CompileError) as caught:
        pets(tmp_path, file)
    assert [(each.code, message in each.message) for each in caught.value.diagnostics] == [("S317", True)]
