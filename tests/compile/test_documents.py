"""Documents of every version and shape, compiled and answering; the refused ones are in ``tests/cli``."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mockserver.compile.compiler import compile_plan
from mockserver.diagnostics import CompileError
from mockserver.engine.routing import path_of
from mockserver.inputs import Inputs
from mockserver.plan import Document
from tests.documents import DOCUMENTS
from tests.live import Write, ask, compiled, engine_of

"""Public documents beside the checkout, where there are any."""
"""Bytes of the documents that are compiled in every run."""


def document(write: Write, text: str, name: str = "doc.yaml") -> Document:
    [found] = compiled(write(name, text)).documents
    return found


def get(write: Write, text: str, path: str) -> Any:
    response = ask(engine_of(compiled(write("doc.yaml", text))), "GET", path)
    assert response.status == 200, response.body
    return json.loads(response.body)


PET = "{type: object, required: [name], properties: {name: {type: string, enum: [Rex]}}}"


@pytest.mark.parametrize(
    ("version", "documented"),
    [
        ('swagger: "2.0"', f"schema: {PET}"),
        ("openapi: 3.0.0", f"content: {{application/json: {{schema: {PET}}}}}"),
        ("openapi: 3.0.4", f"content: {{application/json: {{schema: {PET}}}}}"),
        ("openapi: 3.1.0", f"content: {{application/json: {{schema: {PET}}}}}"),
        ("openapi: 3.1.1", f"content: {{application/json: {{schema: {PET}}}}}"),
        ("openapi: 3.2.0", f"content: {{application/json: {{schema: {PET}}}}}"),
    ],
)
def test_document_of_each_version_is_read_with_its_dialect(
    write: Write, version: str, documented: str
) -> None:
    text = f"""
        {version}
        info: {{title: t, version: "1"}}
        paths: {{/pet: {{get: {{responses: {{"200": {{description: a pet, {documented}}}}}}}}}}}
    """
    assert get(write, text, "/pet") == {"name": "Rex"}
    assert document(write, text).dialect == version.split()[1].strip('"')[:3]


def test_json_document_gives_the_same_plan_as_yaml(write: Write) -> None:
    text = json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "t", "version": "1"},
            "paths": {"/pet": {"get": {"responses": {"204": {"description": "none"}}}}},
        }
    )
    [operation] = document(write, text, "doc.json").operations
    assert (operation.id, operation.method, operation.path) == ("GET /pet", "GET", "/pet")


def test_yaml_1_1_words_stay_strings(write: Write) -> None:
    text = """
        openapi: 3.1.0
        info: {title: on, version: 2026-01-01}
        paths:
          /no:
            get:
              operationId: yes
              responses:
                "200":
                  description: off
                  content:
                    application/json:
                      schema: {type: string, enum: [no]}
                      example: no
    """
    found = document(write, text)
    assert (found.title, found.version, found.operations[0].id) == ("on", "2026-01-01", "yes")
    assert get(write, text, "/no") == "no"


def test_numeric_statuses_and_braces_in_descriptions_are_read_as_written(write: Write) -> None:
    text = """
        openapi: 3.0.3
        info: {title: "{{ title }} {% if x %}", version: "1"}
        paths:
          /a:
            get:
              description: "{{ undefined.name }}"
              responses:
                200:
                  description: ok
                  content: {application/json: {example: "{{ 1 + 1 }}"}}
    """
    assert document(write, text).title == "{{ title }} {% if x %}"
    assert get(write, text, "/a") == "{{ 1 + 1 }}"


def test_references_to_other_files_are_resolved(write: Write) -> None:
    write("paths/pet.yaml", """
        get:
          parameters: [{$ref: "../parts/all.yaml#/parameters/Kind"}]
          responses:
            "200": {$ref: "../parts/all.yaml#/responses/Pet"}
    """)  # fmt: skip
    write("parts/all.yaml", """
        parameters:
          Kind: {name: kind, in: query, schema: {$ref: "#/schemas/Kind"}}
        responses:
          Pet:
            description: a pet
            content: {application/json: {schema: {$ref: "pet-schema.json"}}}
        schemas:
          Kind: {type: string, enum: [dog]}
    """)  # fmt: skip
    write("parts/pet-schema.json", """
        {"type": "object", "required": ["kind", "parent"], "properties": {
          "kind": {"$ref": "all.yaml#/schemas/Kind"},
          "parent": {"oneOf": [{"type": "null"}, {"$ref": "pet-schema.json"}]}}}
    """)  # fmt: skip
    text = """
        openapi: 3.1.0
        info: {title: t, version: "1"}
        paths: {/pet: {$ref: paths/pet.yaml}}
    """
    assert get(write, text, "/pet?kind=dog")["kind"] == "dog"
    assert ask(engine_of(compiled(write("doc.yaml", text))), "GET", "/pet?kind=cat").status == 422
    files = {uri.rpartition("/")[2] for uri in document(write, text).trees}
    assert files == {"doc.yaml", "pet.yaml", "all.yaml", "pet-schema.json"}


def test_path_item_behind_a_reference_keeps_its_parameters(write: Write) -> None:
    text = """
        openapi: 3.1.0
        info: {title: t, version: "1"}
        paths:
          /a/{id}: {$ref: "#/components/pathItems/Thing"}
        components:
          pathItems:
            Thing:
              parameters:
                - {name: id, in: path, required: true, schema: {type: integer}}
                - {name: page, in: query, required: true, schema: {type: integer}}
              get:
                parameters: [{name: page, in: query, schema: {type: string}}]
                responses: {"204": {description: ok}}
    """
    [operation] = document(write, text).operations
    assert [
        (parameter.name, parameter.location, parameter.required) for parameter in operation.parameters
    ] == [
        ("page", "query", False),
        ("id", "path", True),
    ]


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("", ("",)),
        ("servers: [{url: /}]", ("",)),
        ("servers: [{url: /api/}]", ("/api", "")),
        ("servers: [{url: 'https://h.example/v1'}, {url: 'https://other.example/v1'}]", ("/v1", "")),
        ("servers: [{url: api}]", ("/api", "")),
        ("servers: [{url: '../v3'}]", ("/v3", "")),
        ("servers: [{url: 'http://[x/v4'}, {url: /v5}]", ("", "/v5")),
        (
            "servers: [{url: '//h/{base}', variables: {base: {default: v1, enum: [v1, v2]}}}]",
            ("/v1", "/v2", ""),
        ),
    ],
)
def test_server_paths_become_base_paths(write: Write, servers: str, expected: tuple[str, ...]) -> None:
    text = f"""
        openapi: 3.0.3
        info: {{title: t, version: "1"}}
        {servers}
        paths: {{}}
    """
    assert document(write, text).base_paths == expected


def test_servers_of_paths_and_operations_become_base_paths(write: Write) -> None:
    text = """
        openapi: 3.0.3
        info: {title: t, version: "1"}
        servers: [{url: /one}]
        paths:
          /a:
            servers: [{url: /two}]
            get: {servers: [{url: /three}], responses: {"204": {description: ok}}}
    """
    assert document(write, text).base_paths == ("/one", "/two", "/three", "")
    old = """
        swagger: "2.0"
        info: {title: t, version: "1"}
        basePath: /v2/
        paths: {}
    """
    assert document(write, old).base_paths == ("/v2", "")


def test_recursive_schema_is_served(write: Write) -> None:
    text = """
        openapi: 3.0.3
        info: {title: t, version: "1"}
        paths:
          /tree:
            get:
              responses:
                "200":
                  description: a tree
                  content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}
        components:
          schemas:
            Tree:
              type: object
              required: [children]
              properties: {children: {type: array, items: {$ref: "#/components/schemas/Tree"}}}
    """
    assert isinstance(get(write, text, "/tree")["children"], list)


@pytest.mark.parametrize("head", ['swagger: "2.0"', "openapi: 3.0.0", "openapi: 3.1.0", "openapi: 3.2.0"])
def test_repeated_operation_id_is_reported(write: Write, head: str) -> None:
    text = f"""
        {head}
        info: {{title: t, version: "1"}}
        paths:
          /a: {{get: {{operationId: same, responses: {{"200": {{description: one}}}}}}}}
          /b: {{get: {{operationId: other, responses: {{"200": {{description: one}}}}}}}}
          /c: {{get: {{operationId: same, responses: {{"200": {{description: one}}}}}}}}
    """
    [fault] = document(write, text).faults
    assert (fault.code, "'same' for GET in /c is not unique" in fault.message) == ("D316", True)
    line = dedent(text).lstrip().split("\n")[fault.where.line - 1]
    assert line.startswith("  /c: {get: {operationId: same")
    assert line[fault.where.column - 1 :].startswith("same")
    assert [operation.id for operation in document(write, text).operations] == ["same", "other", "GET /c"]


LONE = """
    openapi: 3.1.0
    info: {title: t, version: "1"}
    tags: [{name: a}, {name: a}]
    paths:
      /a/{x}:
        parameters: [{$ref: "#/components/parameters/Z"}]
        get: {operationId: one, responses: {"200": {description: one}}}
        put:
          operationId: two
          parameters: [{name: x, in: path, required: true, schema: {}}, {name: w, in: path, required: true, schema: {}}]
          responses: {"200": {description: one}}
      /b:
        get:
          operationId: three
          parameters: [{name: q, in: query, schema: {}}, {name: q, in: query, schema: {}}]
          responses: {"200": {description: one}}
      /c: {$ref: "#/components/pathItems/C"}
    components:
      pathItems:
        C:
          get: {operationId: one, responses: {"200": {description: one}}}
      parameters:
        Z: {name: z, in: path, required: true, schema: {}}
"""  # noqa: E501


def test_contradiction_between_two_parts_is_reported_at_its_location(write: Write) -> None:
    lines = dedent(LONE).lstrip("\n").split("\n")
    found = [
        (fault.code, fault.message, lines[fault.where.line - 1][fault.where.column - 1 :])
        for fault in document(write, LONE).faults
    ]
    assert [(code, message) for code, message, _ in found] == [
        ("D316", "the tag 'a' is given twice"),
        ("D315", "the path /a/{x} has no {z}, which this parameter describes"),
        ("D315", "no parameter describes {x} of the path /a/{x}"),
        ("D315", "the path /a/{x} has no {w}, which this parameter describes"),
        ("D316", "the parameter 'q' is given twice"),
        ("D316", "the operationId 'one' for GET in /c is not unique"),
    ]
    starts = [
        "{name: a}]",
        '{$ref: "#/components/parameters/Z',
        "get: {operationId: one",
        "{name: w",
        "{name: q, in: query, schema: {}}]",
        "one, resp",
    ]
    assert [text.startswith(start) for (_, _, text), start in zip(found, starts, strict=True)] == [True] * 6


def test_paths_that_match_the_same_requests_are_reported(write: Write) -> None:
    text = """
        openapi: 3.0.3
        info: {title: t, version: "1"}
        paths:
          /a/{x}:
            get:
              parameters: [{name: x, in: path, required: true, schema: {}}]
              responses: {"204": {description: ok}}
          /a/{y}:
            get:
              parameters: [{name: y, in: path, required: true, schema: {}}]
              responses: {"205": {description: ok}}
    """
    found = compile_plan(Inputs((write("doc.yaml", text),)))
    assert [(warning.code, warning.severity) for warning in found.warnings] == [("D303", "warning")]
    assert ask(engine_of(found.plan), "GET", "/a/1").status == 204


def test_two_documents_with_the_same_name_are_rejected(write: Write) -> None:
    text = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths: {}\n"
    with pytest.raises(CompileError) as failure:
        compiled(write("a/doc.yaml", text), write("b/doc.yaml", text))
    assert {diagnostic.code for diagnostic in failure.value.diagnostics} == {"D401"}


ORDERS = """
    openapi: 3.0.3
    info: {{title: t, version: "1"}}
    servers: {servers}
    paths:
      /orders/{{{name}}}:
        parameters: [{{name: {name}, in: path, required: true, schema: {{}}}}]
        get: {{responses: {{"{status}": {{description: ok}}}}}}
        delete: {{responses: {{"{status}": {{description: ok}}}}}}
"""


@pytest.mark.parametrize(
    ("one", "other", "warned"),
    [
        ("[{url: /}]", "[{url: /}]", True),
        ("[{url: /shop}]", "[{url: /shop/}]", True),
        ("[{url: /shop}, {url: /v1}]", "[{url: /v1}]", True),
        ("[{url: /shop}]", "[{url: /stock}]", False),
        ("[]", "[{url: /shop}]", False),
        ("[{url: /shop}]", "[]", True),
    ],
)
def test_overlap_of_two_documents_is_reported(write: Write, one: str, other: str, warned: bool) -> None:
    paths = (
        write("shop.yaml", ORDERS.format(servers=one, name="id", status=204)),
        write("stock.yaml", ORDERS.format(servers=other, name="order", status=205)),
    )
    found = compile_plan(Inputs(paths))
    told = [
        (warning.code, warning.severity, warning.where.line, warning.message[:23])
        for warning in found.warnings
    ]
    if warned:
        assert told == [
            ("D402", "warning", 7, "GET /orders/{order} is "),
            ("D402", "warning", 8, "DELETE /orders/{order} "),
        ]
        assert all(warning.where.source.endswith("stock.yaml") for warning in found.warnings)
        assert (
            ask(engine_of(found.plan), "GET", f"{found.plan.documents[1].base_paths[0]}/orders/1").status
            == 204
        )
    else:
        assert told == []
        bases = [document.base_paths[0] for document in found.plan.documents]
        asked = [ask(engine_of(found.plan), "GET", f"{base}/orders/1").status for base in bases]
        assert asked == [204, 205]


def of_path(path: str, method: str = "get") -> str:
    name = "parameters: [{name: x, in: path, required: true, schema: {}}], " if "{x}" in path else ""
    responses = "responses: {'204': {description: ok}}"
    head = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\n"
    return f"{head}paths:\n  {path}: {{{method}: {{{name}{responses}}}}}\n"


@pytest.mark.parametrize(
    ("one", "other", "warned"),
    [
        ("/a/{x}", "/a/b", True),
        ("/a/{x}", "/a/{x}.json", True),
        ("/a/b", "/a/{x}", False),
        ("/a/{x}", "/a/{x}/b", False),
    ],
)
def test_path_that_matches_a_template_of_an_earlier_document_is_reported(
    write: Write, one: str, other: str, warned: bool
) -> None:
    found = compile_plan(Inputs((write("one.yaml", of_path(one)), write("other.yaml", of_path(other)))))
    assert [warning.code for warning in found.warnings] == ["D402"] * warned


def test_methods_of_one_path_in_several_documents_do_not_overlap(write: Write) -> None:
    engine = engine_of(
        compiled(*(write(f"{method}.yaml", of_path("/a", method)) for method in ("get", "post", "put")))
    )
    assert ask(engine, "POST", "/a").status == 204
    refused = ask(engine, "DELETE", "/a")
    assert (refused.status, dict(refused.headers)["allow"]) == (405, "GET, HEAD, OPTIONS, POST, PUT")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_public_document_compiles(path: Path) -> None:
    """Every operation has an answer to ``Prefer: dynamic=true``, and none is a fault of ours."""
    plan = compiled(path)
    engine = engine_of(plan)
    [found] = plan.documents
    assert found.operations or "webhooks" in path.name
    for operation in found.operations:
        target = found.base_paths[0] + path_of(operation.path).replace("{", "").replace("}", "")
        response = ask(engine, operation.method, target, {"prefer": "dynamic=true"})
        assert response.status != 404
        assert response.decision != "internal error", response.body
