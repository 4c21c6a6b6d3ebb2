"""Which example of the document answers a key, and what the key changes in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.engine.response.documented import Documented
from mockserver.generate import Fakes
from mockserver.jsonschema import Schemas
from mockserver.messages import Response
from mockserver.plan import Document, DocumentedResponse, Example, MediaType, Operation

URI = "file:///api.yaml"
SCHEMAS: dict[str, Any] = {
    "Pet": {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
    },
    "Coded": {
        "type": "object",
        "properties": {"id": {"type": "string", "maxLength": 3}, "name": {"type": "string"}},
    },
    "Owned": {"type": "object", "properties": {"id": {"type": "integer"}, "ownerId": {"type": "integer"}}},
    "Message": {"type": "object", "properties": {"text": {"type": "string"}}},
    "Schema": {"type": "object", "properties": {"id": {"type": "integer"}}, "example": {"id": 1}},
    "Uuid": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}},
}
REX, ZED = {"id": 1, "name": "Rex"}, {"id": 7, "name": "Zed"}


def media(schema: str | None, *examples: Any, name: str = "application/json") -> MediaType:
    known = tuple(
        each if isinstance(each, Example) else Example(f"e{number}", each)
        for number, each in enumerate(examples)
    )
    return MediaType(name, schema and f"{URI}#/{schema}", known)


def operation(path: str, content: MediaType, method: str = "GET", status: str = "200") -> Operation:
    return Operation(
        f"{method} {path}", method, path, responses=(DocumentedResponse(status, (content,)),), pointer="/op"
    )


def ask(*operations: Operation, key: dict[str, str], **wish: Any) -> Response:
    trees = {URI: SCHEMAS}
    document = Document("api", "API", "1", "3.1", URI, trees, ("",), operations, {})
    schemas = Schemas(trees, "3.1")
    documented = Documented(document, schemas, Fakes(schemas))
    given = {"accept": None, "key": str(key), "hints": key, "now_ms": 0, **wish}
    return documented.response(operations[0], **given)


@pytest.mark.parametrize(
    ("schema", "examples", "key", "expected"),
    [
        ("Pet", (REX, ZED), "7", ZED),
        ("Pet", (REX, ZED), "1", REX),
        ("Pet", (REX, ZED), "8", {"id": 8, "name": "Rex"}),
        ("Coded", ({"id": "1"}, {"id": "7"}), "7", {"id": "7"}),
        ("Coded", ({"id": "1"},), "07", {"id": "07"}),
        (None, ({"id": "1"},), "8", {"id": "8"}),
        (None, ({"id": 1},), "8", {"id": 8}),
        ("Schema", (), "8", {"id": 8}),
        ("Pet", (Example("text", '{"id": 1, "name": "Rex"}', serialized=True),), "8", {**REX, "id": 8}),
    ],
    ids=[
        "of two examples, the second has the key → the second",
        "of two examples, the first has the key → the first",
        "no example has the key → the first one with the key",
        "text key in the examples → the example with that text",
        "number as key of a text member → a text",
        "no schema, text in the example → a text",
        "no schema, number in the example → a number",
        "example in the schema → the key",
        "serialized example → the key",
    ],
)
def test_key_in_the_path_chooses_or_changes_the_example(
    schema: str | None, examples: tuple[Any, ...], key: str, expected: Any
) -> None:
    asked = operation("/pets/{petId}", media(schema, *examples))
    assert json.loads(ask(asked, key={"petId": key}).body) == expected


@pytest.mark.parametrize(
    ("path", "schema", "example", "key"),
    [
        ("/pets/{petId}", "Message", {"text": "1"}, {"petId": "8"}),
        ("/pets/{name}x", "Owned", {"id": 1}, {"name": "8"}),
        ("/pets/{petId}", "Coded", {"id": "1"}, {"petId": "8888"}),
        ("/pets/{petId}", "Pet", REX, {"petId": "eight"}),
        ("/pets/{petId}", "Uuid", {"id": "1f0c9f0e-6b0a-4f0e-8d0e-2b1f0c9f0e6b"}, {"petId": "8"}),
        ("/pets/{petId}", None, [{"id": 1}], {"petId": "8"}),
        ("/pets/{petId}", None, {"id": {"value": 1}}, {"petId": "8"}),
        ("/owners/{ownerId}/pets", "Pet", REX, {"ownerId": "8"}),
        ("/pets/{petId}/feed", "Pet", REX, {"petId": "8"}),
    ],
    ids=[
        "no member of the name",
        "parameter of another name",
        "the key breaks the schema",
        "text for a number",
        "no UUID",
        "a list",
        "the member is an object",
        "collection below another item",
        "action without an item to read",
    ],
)
def test_key_that_does_not_fit_leaves_the_example_as_written(
    path: str, schema: str | None, example: Any, key: dict[str, str]
) -> None:
    assert json.loads(ask(operation(path, media(schema, example)), key=key).body) == example


def test_nested_item_has_the_keys_of_both_levels() -> None:
    asked = operation("/owners/{ownerId}/pets/{petId}", media("Owned", {"id": 1, "ownerId": 2}))
    body = json.loads(ask(asked, key={"ownerId": "20", "petId": "10"}).body)
    assert body == {"id": 10, "ownerId": 20}


def test_action_whose_response_is_the_item_has_the_key_of_the_item() -> None:
    action = operation("/pets/{petId}/feed", media("Pet", REX), "POST")
    item = operation("/pets/{id}", media("Pet"))
    assert json.loads(ask(action, item, key={"petId": "8"}).body) == {"id": 8, "name": "Rex"}


def test_member_with_the_name_of_the_parameter_goes_before_id() -> None:
    asked = operation("/pets/{petId}", media(None, {"id": "row-1", "petId": 1}))
    assert json.loads(ask(asked, key={"petId": "8"}).body) == {"id": "row-1", "petId": 8}


def test_xml_example_given_as_an_object_has_the_key() -> None:
    asked = operation("/pets/{petId}", media("Pet", REX, name="application/xml"))
    assert b"<id>8</id>" in ask(asked, key={"petId": "8"}).body


def test_named_example_is_answered_as_written() -> None:
    asked = operation("/pets/{petId}", media("Pet", REX, ZED))
    response = ask(asked, key={"petId": "8"}, example="e1")
    assert json.loads(response.body) == ZED
    assert response.decision == "document; status=200; example=e1"


def test_error_is_answered_as_written() -> None:
    asked = operation("/pets/{petId}", media("Pet", REX), status="404")
    assert json.loads(ask(asked, key={"petId": "8"}).body) == REX
