"""Examples of a request and of a response with one name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.engine.engine import Engine
from tests.live import Write, ask, compiled, engine_of

DOCUMENT = """
    openapi: 3.0.3
    info: {title: Pets, version: "1"}
    paths:
      /pets:
        get:
          parameters:
            - name: kind
              in: query
              schema: {type: string}
              examples: {cats: {value: cat}, dogs: {value: dog}}
            - {name: limit, in: query, schema: {type: integer}, examples: {cats: {value: 2}, one: {value: 1}}}
          responses:
            "200":
              description: pets
              content:
                application/json:
                  examples: {all: {value: [Rex, Zed]}, dogs: {value: [Rex]}, cats: {value: [Zed]}}
        post:
          requestBody:
            content:
              application/json:
                schema: {type: object, properties: {name: {type: string}, age: {type: number}}}
                examples:
                  rex: {value: {name: Rex, age: 1}}
                  zed: {value: {name: Zed, age: 2}}
                  taken: {value: {name: Taken}}
                  bad: {value: {name: Bad}}
          responses:
            "201":
              description: a pet
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Pet"}
                  examples:
                    rex: {value: {id: 1, name: Rex}}
                    zed: {value: {id: 7, name: Zed}}
                    bad: {value: {id: none}}
                text/plain: {schema: {type: string}}
            "409":
              description: taken
              content: {application/json: {examples: {taken: {value: {message: This name is taken}}}}}
      /pets/{petId}:
        put:
          parameters: [{name: petId, in: path, required: true, schema: {type: integer}}]
          requestBody:
            content:
              application/json: {schema: {type: object}, examples: {zed: {value: {name: Zed}}}}
          responses:
            "200":
              description: a pet
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Pet"}
                  examples: {rex: {value: {id: 1, name: Rex}}, zed: {value: {id: 7, name: Zed}}}
    components:
      schemas: {Pet: {type: object, properties: {id: {type: integer}, name: {type: string}}}}
"""


@pytest.fixture
def pets(write: Write) -> Engine:
    return engine_of(compiled(write("pets.yaml", DOCUMENT)))


def send(engine: Engine, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = b"" if body is None else json.dumps(body).encode()
    fields = {"content-type": "application/json", **headers} if data else headers
    response = ask(engine, method, target, fields, data)
    return response.status, json.loads(response.body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "Rex", "age": 1}, (201, {"id": 1, "name": "Rex"})),
        ({"age": 2.0, "name": "Zed"}, (201, {"id": 7, "name": "Zed"})),
        ({"name": "Taken"}, (409, {"message": "This name is taken"})),
        ({"name": "Zed"}, (201, {"id": 1, "name": "Rex"})),
        ({"name": "Bad"}, (201, {"id": 1, "name": "Rex"})),
    ],
    ids=[
        "body of the first example → its response",
        "body equal to the second example → its response",
        "body whose response example is an error → the error",
        "body of no example → the first response example",
        "body whose response example is invalid → the first response example",
    ],
)
def test_request_body_of_an_example_gets_the_response_of_that_name(
    pets: Engine, body: Any, expected: tuple[int, Any]
) -> None:
    assert send(pets, "POST", "/pets", body) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/pets", ["Rex", "Zed"]),
        ("/pets?kind=dog", ["Rex"]),
        ("/pets?kind=cat&limit=2", ["Zed"]),
        ("/pets?kind=cat", ["Rex", "Zed"]),
        ("/pets?kind=cat&limit=1", ["Rex", "Zed"]),
    ],
    ids=["no parameters", "one parameter", "both parameters", "one of two parameters", "another value"],
)
def test_all_parameters_of_an_example_get_the_response_of_that_name(
    pets: Engine, target: str, expected: Any
) -> None:
    assert send(pets, "GET", target) == (200, expected)


def test_response_that_belongs_to_a_request_has_the_key_of_the_path(pets: Engine) -> None:
    assert send(pets, "PUT", "/pets/8", {"name": "Zed"}) == (200, {"id": 8, "name": "Zed"})


def test_preference_goes_before_the_example_of_the_request(pets: Engine) -> None:
    body = {"name": "Rex", "age": 1}
    expected = (201, {"id": 7, "name": "Zed"})
    assert send(pets, "POST", "/pets", body, prefer="example=zed") == expected


def test_media_type_without_the_example_is_still_accepted(pets: Engine) -> None:
    body = json.dumps({"name": "Rex", "age": 1}).encode()
    fields = {"content-type": "application/json", "accept": "text/plain"}
    response = ask(pets, "POST", "/pets", fields, body)
    assert (response.status, dict(response.headers)["content-type"]) == (201, "text/plain")
