"""Fields of bodies that are the HTTP status of their answer, and those that only look like it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mockserver.engine.engine import Engine
from tests.live import ask, compiled, engine_of


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties}


def engine(folder: Path, status: int, schema: Any, media_type: str, response: Any = None) -> Engine:
    documented = {"description": "it", "content": {media_type: {"schema": schema}}}
    path = folder / "api.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "openapi": "3.1.0",
                "info": {"title": "Statuses", "version": "1"},
                "paths": {
                    "/a/{id}": {
                        "parameters": [
                            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                        ],
                        "get": {"operationId": "a", "responses": {str(status): documented}},
                    }
                },
            }
        ),
        "utf-8",
    )
    if response is None:
        return engine_of(compiled(path))
    file = folder / "mine.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "resource": "a",
                "key": "path.id",
                "operations": {"a": "a"},
                "states": {"only": response},
                "scenarios": {"only": ["only"]},
            }
        ),
        "utf-8",
    )
    return engine_of(compiled(path, scenarios=[file]))


def body(folder: Path, status: int, schema: Any, media_type: str = "application/json") -> Any:
    """The body of a scenario's answer, which the document's own answer agrees with."""
    told = ask(engine(folder, status, schema, media_type, {"status": status}), "GET", "/a/k")
    documented = ask(engine(folder, status, schema, media_type), "GET", "/a/k")
    assert told.status == documented.status == status
    value, other = json.loads(told.body), json.loads(documented.body)
    assert value.keys() == other.keys()
    return value


INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
FOLLOWS = {
    "status of an error": (402, {"status": INTEGER}),
    "status with an example of another answer": (402, {"status": {**INTEGER, "examples": [200]}}),
    "status with a default": (503, {"status": {**INTEGER, "default": 500}}),
    "status by bounds": (402, {"status": {**INTEGER, "minimum": 100, "maximum": 599}}),
    "status code": (402, {"statusCode": INTEGER}),
    "HTTP status of a success": (201, {"http_status": INTEGER}),
    "status of a success by example": (201, {"status": {**INTEGER, "examples": [200]}}),
    "code by enum": (404, {"code": {"enum": [400, 404, 500]}}),
    "code by example": (404, {"code": {**INTEGER, "examples": [400]}}),
    "code by description": (404, {"code": {**INTEGER, "description": "The HTTP status code"}}),
    "text by example": (404, {"status": {**TEXT, "examples": ["400"]}}),
}


@pytest.mark.parametrize(("status", "properties"), FOLLOWS.values(), ids=FOLLOWS)
def test_a_field_that_is_the_status_says_what_is_sent(
    tmp_path: Path, status: int, properties: dict[str, Any]
) -> None:
    (value,) = body(tmp_path, status, obj(**properties)).values()
    assert str(value) == str(status)


STAYS = {
    "the application's own code": (404, {"code": {**INTEGER, "examples": [1042]}}, 1042),
    "a code of no class": (404, {"code": {**INTEGER, "default": 0}}, 0),
    "a state": (404, {"status": {"enum": ["failed"]}}, "failed"),
    "a state by example": (404, {"status": {**TEXT, "examples": ["failed"]}}, "failed"),
    "a number that it cannot be": (402, {"status": {"type": "integer", "minimum": 7, "maximum": 7}}, 7),
    "the status of another call": (200, {"statusCode": {**INTEGER, "examples": [503]}}, 503),
    "within a success": (200, {"last": obj(status={**INTEGER, "examples": [404]})}, {"status": 404}),
    "another name": (404, {"size": {**INTEGER, "examples": [400]}}, 400),
}


@pytest.mark.parametrize(("status", "properties", "expected"), STAYS.values(), ids=STAYS)
def test_a_field_that_is_not_the_status_stays(
    tmp_path: Path, status: int, properties: dict[str, Any], expected: Any
) -> None:
    (value,) = body(tmp_path, status, obj(**properties)).values()
    assert value == expected


@pytest.mark.parametrize("status", [200, 402])
def test_the_status_of_a_problem_is_the_answers_own(tmp_path: Path, status: int) -> None:
    schema = obj(title=TEXT, status=INTEGER)
    assert body(tmp_path, status, schema, "application/problem+json")["status"] == status


def test_an_error_says_its_status_at_any_depth(tmp_path: Path) -> None:
    code = {**INTEGER, "examples": [400]}
    schema = obj(error=obj(code=code), errors={"type": "array", "minItems": 1, "items": obj(status=INTEGER)})
    value = body(tmp_path, 404, schema)
    assert value["error"]["code"] == 404
    assert {each["status"] for each in value["errors"]} == {404}


def test_an_example_of_a_schema_says_the_status_of_the_answer(tmp_path: Path) -> None:
    schema = {**obj(title=TEXT, status=INTEGER), "examples": [{"title": "Wrong", "status": 400}]}
    assert body(tmp_path, 402, schema) == {"title": "Wrong", "status": 402}
    reply = ask(engine(tmp_path, 402, schema, "application/json"), "GET", "/a/k")
    assert json.loads(reply.body) == {"title": "Wrong", "status": 402}


def test_a_status_field_of_the_scenario_file_is_not_replaced(tmp_path: Path) -> None:
    response = {"status": 402, "body": {"status": 9}}
    served = engine(tmp_path, 402, obj(title=TEXT, status=INTEGER), "application/json", response)
    assert json.loads(ask(served, "GET", "/a/k").body)["status"] == 9
