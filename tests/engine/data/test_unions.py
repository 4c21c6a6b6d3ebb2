"""Items of several branches, and with nested parts: responses show of them what a branch allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis import Redis
from tests.stateful import Ask, in_namespace, stateful_on

DOCUMENT = """
openapi: 3.1.0
info: {title: Unions, version: '1'}
paths:
  /rules:
    get: {responses: {'200': {description: ok, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Rule'}}}}}}}
    post:
      requestBody: &rule {content: {application/json: {schema: {$ref: '#/components/schemas/NewRule'}}}}
      responses: {'201': &shown {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Rule'}}}}}
  /rules/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {responses: {'200': *shown, '404': {description: no}}}
    put: {requestBody: *rule, responses: {'200': *shown, '404': {description: no}}}
    patch: {requestBody: *rule, responses: {'200': *shown, '404': {description: no}, '422': {description: no}}}
  /animals:
    get: {responses: {'200': {description: ok, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Animal'}}}}}}}
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {kind: {type: string}, name: {type: string}, age: {type: [integer, 'null']}}}}}}
      responses: {'201': &animal {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Animal'}}}}}
  /animals/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {responses: {'200': *animal, '404': {description: no}}}
components:
  schemas:
    NewRule:
      type: object
      properties:
        trigger: {type: [integer, 'null'], enum: [1, 2, 3, 4, 5, 6, 7, null]}
        image: {type: [string, 'null']}
        size: {type: object, properties: {width: {type: [integer, 'null']}, depth: {type: [integer, 'null']}}}
        enabled: {type: [boolean, 'null']}
        note: {type: string}
        actions:
          type: array
          items: {$ref: '#/components/schemas/NewAction'}
        folder: {type: object, properties: {id: {type: string}, type: {type: string}}}
        limits: {type: object, additionalProperties: {type: [integer, 'null']}}
        panel: {type: object, properties: {kind: {type: string}, parts: {type: array, items: {$ref: '#/components/schemas/NewAction'}}}}
    NewAction: {type: object, properties: {type: {type: integer}, target: {type: string}, flags: {type: [integer, 'null']}, sound: {type: [string, 'null']}, color: {type: [string, 'null']}}}
    Rule:
      oneOf:
        - {$ref: '#/components/schemas/Rule1'}
        - {$ref: '#/components/schemas/Rule2'}
        - {$ref: '#/components/schemas/Rule3'}
        - {$ref: '#/components/schemas/Rule4'}
        - {$ref: '#/components/schemas/Rule5'}
        - {$ref: '#/components/schemas/Rule6'}
        - {$ref: '#/components/schemas/Rule7'}
    Common:
      type: object
      required: [id, enabled, actions, folder, image]
      properties:
        id: {type: integer, readOnly: true}
        enabled: {type: boolean}
        note: {type: string}
        image: {type: [string, 'null']}
        size: {type: object, required: [width], properties: {width: {type: [integer, 'null']}, depth: {type: [integer, 'null']}}}
        actions: {type: array, items: {oneOf: [{$ref: '#/components/schemas/Alert'}, {$ref: '#/components/schemas/Block'}]}}
        folder: {$ref: '#/components/schemas/Folder'}
        limits: {type: object, additionalProperties: {type: integer}}
        panel: {oneOf: [{$ref: '#/components/schemas/Text'}, {$ref: '#/components/schemas/Row'}]}
    Rule1: {allOf: [{$ref: '#/components/schemas/Common'}], required: [trigger, only1], properties: {trigger: {const: 1}, only1: {type: string}}}
    Rule2: {allOf: [{$ref: '#/components/schemas/Common'}], required: [trigger, only2], properties: {trigger: {const: 2}, only2: {type: string}}}
    Rule3: {allOf: [{$ref: '#/components/schemas/Common'}], required: [trigger, only3], properties: {trigger: {const: 3}, only3: {type: string}}}
    Rule4: {allOf: [{$ref: '#/components/schemas/Common'}], required: [trigger, only4], properties: {trigger: {const: 4}, only4: {type: string}}}
    Rule5: {allOf: [{$ref: '#/components/schemas/Common'}], required: [trigger, only5], properties: {trigger: {const: 5}, only5: {type: string}}}
    Rule6: {allOf: [{$ref: '#/components/schemas/Common'}], required: [trigger, only6], properties: {trigger: {const: 6}, only6: {type: string}}}
    Rule7: {allOf: [{$ref: '#/components/schemas/Common'}], required: [trigger, only7], properties: {trigger: {const: 7}, only7: {type: string}}}
    Alert: {type: object, required: [type, target, flags], properties: {type: {const: 1}, target: {type: string}, flags: {type: integer}, sound: {type: string}, color: {type: string}}}
    Block: {type: object, required: [type, flags, reason], properties: {type: {const: 2}, flags: {type: integer}, reason: {type: string}}}
    Word: {type: object, required: [type, word], properties: {type: {const: 3}, word: {type: string}}}
    Text: {type: object, required: [kind, parts], properties: {kind: {const: text}, parts: {type: array, items: {$ref: '#/components/schemas/Word'}}}}
    Row:
      type: object
      required: [kind, parts]
      properties:
        kind: {const: row}
        parts: {type: array, items: {oneOf: [{$ref: '#/components/schemas/Word'}, {$ref: '#/components/schemas/Alert'}]}}
    Folder: {type: object, required: [id, type, owner], properties: {id: {type: string}, type: {enum: [folder]}}}
    Animal:
      oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}, {$ref: '#/components/schemas/Eel'}]
      discriminator: {propertyName: kind}
    Cat: {type: object, required: [id, kind, age, purrs], properties: {purrs: {type: boolean}, id: {type: integer, readOnly: true}, kind: {type: string}, name: {type: string}, age: {type: integer}}}
    Dog: {type: object, required: [id, kind, age, barks], properties: {id: {type: integer, readOnly: true}, kind: {type: string}, name: {type: string}, age: {type: integer}, barks: {type: boolean}}}
    Eel: {type: object, required: [id, kind, age, volts], properties: {id: {type: integer, readOnly: true}, kind: {type: string}, name: {type: string}, age: {type: integer}, volts: {type: integer}}}
"""  # noqa: E501


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unions") / "unions.yaml"
    path.write_text(DOCUMENT, "utf-8")
    return path


@pytest.fixture(scope="module", params=["memory", "redis"])
def server(request: pytest.FixtureRequest, redis: Redis, document: Path) -> Iterator[Ask]:
    with stateful_on(request.param, redis, document) as ask:
        yield ask


@pytest.fixture
def ask(server: Ask, request: pytest.FixtureRequest) -> Ask:
    """The server, in a namespace of the test."""
    return in_namespace(server, request.node.originalname)


@pytest.mark.parametrize("trigger", range(1, 8))
def test_a_sent_branch_beside_a_field_that_no_branch_allows_is_kept(ask: Ask, trigger: int) -> None:
    made = ask("POST", "/rules", {"trigger": trigger, "enabled": None, "note": "n"})
    assert (made.json()["trigger"], made.json()["note"]) == (trigger, "n")
    assert isinstance(made.json()["enabled"], bool)
    assert "/enabled" in made.headers["x-mock-warning"]
    assert ask("GET", made.headers["location"]).json() == made.json()
    assert made.json() in ask("GET", "/rules").json()


def test_a_sent_part_with_a_field_that_its_branch_does_not_allow_keeps_the_other_fields(
    ask: Ask,
) -> None:
    actions = [{"type": 2, "flags": 7}, {"type": 1, "target": "t", "flags": None}, {"type": 1, "target": "u"}]
    made = ask("POST", "/rules", {"trigger": 3, "actions": actions, "folder": {"id": "f", "type": "x"}})
    shown = made.json()["actions"]
    assert [action["type"] for action in shown] == [2, 1, 1]
    assert (shown[0]["flags"], shown[1]["target"], shown[2]["target"]) == (7, "t", "u")
    assert made.json()["folder"].keys() == {"id", "type", "owner"}
    assert (made.json()["folder"]["id"], made.json()["folder"]["type"]) == ("f", "folder")
    warning = made.headers["x-mock-warning"]
    assert "/actions/1/flags" in warning
    assert "/folder/type" in warning
    assert "/actions/0" not in warning
    assert ask("GET", made.headers["location"]).json() == made.json()
    assert made.json() in ask("GET", "/rules").json()


def test_a_map_with_a_value_that_the_response_does_not_allow_keeps_the_others(ask: Ask) -> None:
    made = ask("POST", "/rules", {"trigger": 4, "limits": {"a": 1, "b": None, "c": 3}})
    limits = made.json()["limits"]
    assert (limits["a"], limits["c"]) == (1, 3)
    assert ask("GET", made.headers["location"]).json() == made.json()


def test_a_replacement_with_another_branch_and_parts_is_shown(ask: Ask) -> None:
    made = ask("POST", "/rules", {"trigger": 1, "note": "old"})
    actions = [{"type": 1, "target": "t", "flags": None}]
    put = ask("PUT", made.headers["location"], {"trigger": 6, "enabled": False, "actions": actions})
    assert (put.status, put.json()["trigger"], put.json()["enabled"]) == (200, 6, False)
    assert (put.json()["actions"][0]["type"], put.json()["actions"][0]["target"]) == (1, "t")
    assert "only6" in put.json()
    assert ask("GET", made.headers["location"]).json() == put.json()


@pytest.mark.parametrize("kind", ["Cat", "Dog", "Eel"])
def test_the_branch_that_a_discriminator_selects_is_kept(ask: Ask, kind: str) -> None:
    made = ask("POST", "/animals", {"kind": kind, "name": "n", "age": None})
    assert (made.json()["kind"], made.json()["name"]) == (kind, "n")
    assert ask("GET", made.headers["location"]).json() == made.json()


def test_a_part_of_a_branch_is_not_shown_as_one_of_a_branch_that_does_not_know_its_fields(
    ask: Ask,
) -> None:
    action = {"type": 1, "target": None, "flags": None, "sound": None, "color": None}
    made = ask("POST", "/rules", {"trigger": 2, "actions": [{**action, "target": "t"}]})
    shown = made.json()["actions"][0]
    assert (shown["type"], shown["target"]) == (1, "t")


def test_a_merge_patch_with_null_sets_a_required_field_that_may_be_null(ask: Ask) -> None:
    sent = {"trigger": 1, "image": "i", "note": "n", "size": {"width": 1, "depth": 2}}
    path = ask("POST", "/rules", sent).headers["location"]
    merged = ask("PATCH", path, {"image": None, "size": {"width": None, "depth": None}})
    assert merged.headers["x-mock-decision"] == "data=merged"
    assert merged.json()["image"] is None
    assert merged.json()["size"] == {"width": None}
    assert ask("GET", path).json() == merged.json()


def test_a_merge_patch_that_removes_what_every_branch_requires_is_refused(ask: Ask) -> None:
    made = ask("POST", "/rules", {"trigger": 1, "note": "n"})
    path = made.headers["location"]
    refused = ask("PATCH", path, {"trigger": None, "note": "m"})
    assert (refused.status, refused.headers["x-mock-decision"]) == (422, "data=refused")
    assert ask("GET", path).json() == made.json()


def test_a_sent_field_that_the_schema_requires_and_does_not_describe_is_shown(ask: Ask) -> None:
    folder = {"id": "f", "type": "folder", "owner": "Ann"}
    made = ask("POST", "/rules", {"trigger": 5, "folder": {**folder, "color": "red"}})
    assert made.json()["folder"] == folder
    assert ask("GET", made.headers["location"]).json() == made.json()


def test_parts_of_a_branch_are_not_shown_by_the_schema_of_another_branch(ask: Ask) -> None:
    part = {"type": 1, "target": "t", "flags": None, "sound": None, "color": None}
    made = ask("POST", "/rules", {"trigger": 7, "panel": {"kind": "row", "parts": [part]}})
    panel = made.json()["panel"]
    assert (panel["kind"], panel["parts"][0]["type"], panel["parts"][0]["target"]) == ("row", 1, "t")
