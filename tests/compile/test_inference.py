"""Which operations of a document create, read, list and change the same thing."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.compile.stateful.inference import Inference, infer
from mockserver.jsonschema import Schemas
from tests.live import Write
from tests.stateful import PETSTORE, stateful


def inferred(path: Path) -> tuple[Inference, dict[str, str]]:
    """What is inferred, and the verb of each operation that has one."""
    [document] = compile_plan(Inputs((path,))).plan.documents
    found = infer(document, Schemas(document.trees, document.dialect))
    verbs = {}
    for resource in found.resources:
        for index, operation in resource.operations.items():
            entry = document.operations[index]
            verbs[f"{entry.method} {entry.path}"] = f"{operation.verb} {resource.name}"
    return found, verbs


def document(write: Write, paths: str, schemas: str = "") -> Path:
    text = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n"
    text += "".join(f"  {line}\n" for line in dedent(paths).strip().splitlines())
    if schemas:
        text += "components:\n  schemas:\n"
        text += "".join(f"    {line}\n" for line in dedent(schemas).strip().splitlines())
    return write("api.yaml", text)


def ok(schema: str) -> str:
    return f"{{description: ok, content: {{application/json: {{schema: {schema}}}}}}}"


ITEM = "{type: object, properties: {id: {type: string}, name: {type: string}}}"
REF = "{$ref: '#/components/schemas/Item'}"
BODY = f"requestBody: {{content: {{application/json: {{schema: {REF}}}}}}}"
ID = "{name: id, in: path, required: true, schema: {type: string}}"
PARENT = "{name: parent, in: path, required: true, schema: {type: string}}"


def test_a_petstore_is_a_collection_and_a_singleton() -> None:
    found, verbs = inferred(PETSTORE)
    assert verbs == {
        "GET /pets": "lists /pets",
        "POST /pets": "creates /pets",
        "GET /pets/{petId}": "reads /pets",
        "PUT /pets/{petId}": "replaces /pets",
        "PATCH /pets/{petId}": "merges /pets",
        "DELETE /pets/{petId}": "deletes /pets",
        "GET /settings": "reads /settings",
        "PATCH /settings": "merges /settings",
    }
    pets, settings = found.resources
    assert (pets.key_field, pets.times) == ("id", {"createdAt": "created", "updatedAt": "changed"})
    assert settings.is_singleton


def test_nested_collections_have_their_parents(write: Write) -> None:
    found, verbs = inferred(
        document(
            write,
            f"""
            /orders/{{parent}}/items:
              parameters: [{PARENT}]
              get: {{responses: {{'200': {ok("{type: array, items: " + REF + "}")}}}}}
              post: {{{BODY}, responses: {{'201': {ok(REF)}}}}}
            /orders/{{parent}}/items/{{id}}:
              parameters: [{PARENT}, {ID}]
              get: {{responses: {{'200': {ok(REF)}}}}}
            """,
            f"Item: {ITEM}",
        )
    )
    assert set(verbs.values()) == {
        f"{verb} /orders/{{parent}}/items" for verb in ("lists", "creates", "reads")
    }
    [items] = found.resources
    assert {operation.parents for operation in items.operations.values()} == {("parent",)}


@pytest.mark.parametrize(
    ("wrapper", "path"),
    [("{type: object, properties: {data: %s, meta: {type: object}}}", ("data",)), ("%s", ())],
)
def test_an_envelope_is_found_by_its_schema(write: Write, wrapper: str, path: tuple[str, ...]) -> None:
    found, _ = inferred(
        document(
            write,
            f"""
            /items:
              get: {{responses: {{'200': {ok(wrapper % ("{type: array, items: " + REF + "}"))}}}}}
              post: {{{BODY}, responses: {{'201': {ok(wrapper % REF)}}}}}
            /items/{{id}}:
              parameters: [{ID}]
              get: {{responses: {{'200': {ok(wrapper % REF)}}}}}
            """,
            f"Item: {ITEM}",
        )
    )
    [items] = found.resources
    assert items.key_field == "id"
    assert {operation.path for operation in items.operations.values()} == {path}


def test_put_alone_creates(write: Write) -> None:
    _, verbs = inferred(
        document(
            write,
            f"""
            /items/{{id}}:
              parameters: [{ID}]
              get: {{responses: {{'200': {ok(REF)}}}}}
              put: {{{BODY}, responses: {{'200': {ok(REF)}}}}}
            """,
            f"Item: {ITEM}",
        )
    )
    assert verbs == {"GET /items/{id}": "reads /items", "PUT /items/{id}": "replaces /items"}


def test_what_nothing_creates_stays_stateless(write: Write) -> None:
    found, verbs = inferred(
        document(
            write,
            f"""
            /items/{{id}}:
              parameters: [{ID}]
              get: {{responses: {{'200': {ok(REF)}}}}}
              delete: {{responses: {{'204': {{description: gone}}}}}}
            """,
            f"Item: {ITEM}",
        )
    )
    assert verbs == {}
    assert set(found.stateless.values()) == {"no operation creates an item of /items"}


def test_an_action_that_answers_with_the_item_acts_on_it(write: Write) -> None:
    _, verbs = inferred(
        document(
            write,
            f"""
            /items:
              post: {{{BODY}, responses: {{'201': {ok(REF)}}}}}
            /items/{{id}}:
              parameters: [{ID}]
              get: {{responses: {{'200': {ok(REF)}}}}}
            /items/{{id}}/cancel:
              parameters: [{ID}]
              post: {{responses: {{'200': {ok(REF)}}}}}
            /items/{{id}}/export:
              parameters: [{ID}]
              post: {{responses: {{'200': {ok("{type: object, properties: {url: {type: string}}}")}}}}}
            """,
            f"Item: {ITEM}",
        )
    )
    assert verbs["POST /items/{id}/cancel"] == "acts /items"
    assert "POST /items/{id}/export" not in verbs


def test_a_creation_that_is_not_like_an_item_is_reported(write: Write) -> None:
    path = document(
        write,
        f"""
        /items:
          post: {{responses: {{'200': {ok("{type: object, properties: {count: {type: integer}}}")}}}}}
        /items/{{id}}:
          parameters: [{ID}]
          get: {{responses: {{'200': {ok(REF)}}}}}
          put: {{{BODY}, responses: {{'200': {ok(REF)}}}}}
        """,
        f"Item: {ITEM}",
    )
    compiled = compile_plan(Inputs((path,), stateful=True))
    [warning] = [warning for warning in compiled.warnings if warning.code == "D411"]
    assert warning.message == (
        "POST /items stays stateless: neither its request nor its response is like an item"
    )
    assert warning.where.line > 1


def test_the_document_may_say_that_an_operation_is_stateless(write: Write) -> None:
    found, verbs = inferred(
        document(
            write,
            f"""
            /items:
              get:
                x-mock-resource: false
                responses: {{'200': {ok("{type: array, items: " + REF + "}")}}}
              post: {{{BODY}, responses: {{'201': {ok(REF)}}}}}
            /items/{{id}}:
              parameters: [{ID}]
              get: {{responses: {{'200': {ok(REF)}}}}}
            """,
            f"Item: {ITEM}",
        )
    )
    assert "GET /items" not in verbs
    assert "x-mock-resource says so" in found.stateless.values()


def test_the_key_has_the_same_value_under_another_name(write: Write) -> None:
    path = document(
        write,
        f"""
        /items:
          post: {{{BODY}, responses: {{'200': {ok("{type: object, properties: {Id: {type: string}}}")}}}}}
        /items/{{id}}:
          parameters: [{ID}]
          get: {{responses: {{'200': {ok(REF)}}}}}
        """,
        f"Item: {ITEM}",
    )
    with stateful(path) as client:
        created = client("POST", "/items", {"name": "Zed"})
        assert created.headers["location"] == f"/items/{created.json()['Id']}"
        assert client("GET", created.headers["location"]).json()["name"] == "Zed"


def jobs(write: Write, *, cancel: str = "", listed: str = "", post: str = "") -> Path:
    """Jobs with a number besides their id, two lists in the answer, and an action of unclear effect."""
    lists = (
        "{type: object, properties: {old: {type: array, items: " + REF + "}, new: {type: array, items: " + REF
    )
    return document(
        write,
        f"""
        /jobs:
          get: {{{listed} responses: {{'200': {ok(lists + "}}}")}}}}}
          post: {{{post} {BODY}, responses: {{'201': {ok(REF)}}}}}
        /jobs/{{id}}:
          parameters: [{ID}]
          get: {{responses: {{'200': {ok(REF)}, '404': {{description: none}}}}}}
        /jobs/{{id}}/cancel:
          parameters: [{ID}]
          post: {{{cancel} responses: {{'204': {{description: gone}}}}}}
        """,
        "Item: {type: object, properties: {id: {type: string}, number: {type: string}}}",
    )


def test_the_document_states_what_operations_do(write: Write) -> None:
    path = jobs(
        write,
        cancel="x-mock-resource: deletes,",
        listed="x-mock-resource: {does: lists, list: new},",
        post="x-mock-resource: {key: number},",
    )
    found, verbs = inferred(path)
    assert verbs["POST /jobs/{id}/cancel"] == "deletes /jobs"
    [resource] = found.resources
    assert resource.key_field == "number"
    assert next(o for o in resource.operations.values() if o.verb == "lists").path == ("new",)
    assert not found.unclear
    with stateful(path) as client:
        made = client("POST", "/jobs", {"id": "mine"}).json()
        assert made["id"] == "mine"
        assert client("GET", "/jobs").json()["new"] == [made]
        assert client("POST", f"/jobs/{made['number']}/cancel").status == 204
        assert client("GET", f"/jobs/{made['number']}").status == 404
        assert client("GET", "/jobs").json()["new"] == []


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        ({"cancel": "x-mock-resource: destroys,"}, "x-mock-resource is destroys; it can be creates, "),
        ({"cancel": "x-mock-resource: lists,"}, "says that it lists, which its path does not allow"),
        ({"cancel": "x-mock-resource: {verb: deletes},"}, "has the unknown member verb"),
        ({"cancel": "x-mock-resource: {does: [deletes]},"}, "does in x-mock-resource is not a text"),
        (
            {"listed": "x-mock-resource: {does: lists, list: data.jobs},"},
            "the list is body.data.jobs, which is",
        ),
        ({"post": "x-mock-resource: {key: code},"}, "has the key code; the fields are id, number"),
    ],
)
def test_an_impossible_statement_of_the_document_is_told(
    write: Write, statements: dict[str, str], why: str
) -> None:
    found = compile_plan(Inputs((jobs(write, **statements),), stateful=True))
    assert any(why in each.message for each in found.warnings if each.code == "D411"), found.warnings


def test_a_creation_with_a_link_to_another_thing_does_not_create_that_thing(write: Write) -> None:
    order = "{type: object, properties: {id: {type: string}, userId: {type: string}}}"
    user = "{type: object, properties: {userId: {type: string}, name: {type: string}}}"
    link = "{operationId: getUser, parameters: {userId: $response.body#/userId}}"
    found, verbs = inferred(
        document(
            write,
            f"""
            /orders:
              post: {{{BODY}, responses: {{'201': {ok(order)[:-1]}, links: {{user: {link}}}}}}}}}
            /users/{{userId}}:
              parameters: [{{name: userId, in: path, required: true, schema: {{type: string}}}}]
              get: {{operationId: getUser, responses: {{'200': {ok(user)}}}}}
            """,
            f"Item: {ITEM}",
        )
    )
    assert verbs == {}
    assert found.resources == []
