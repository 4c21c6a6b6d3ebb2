"""Our way through a document finds what jsonschema-path finds by its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema_path.paths import SchemaPath
from referencing.exceptions import Unresolvable

from mockserver.compile.references import ReferenceScope, Trees, load_trees
from mockserver.compile.spec_rules import spec_path
from tests.live import Write

MAIN = """
openapi: 3.1.0
info: {title: t, version: '1'}
paths:
  /a~b/{x}: {$ref: 'other.yaml#/items/x%20y'}
  /c: {get: {tags: [p, q], responses: {'200': {$ref: '#/components/responses/R'}}}}
components:
  responses:
    R: {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Named'}}}}
  schemas:
    Named: {$ref: 'https://ids.test/named'}
    Holder: {$id: 'https://ids.test/named', type: object, properties: {up: {$ref: '#'}}}
"""
OTHER = """
items:
  x y: {get: {responses: {'200': {$ref: '#/answer'}}}}
answer: {description: from the other file}
"""


@pytest.fixture
def trees(write: Write) -> Trees:
    write("other.yaml", OTHER)
    path = write("main.yaml", MAIN)
    found = load_trees(path, path.name, ReferenceScope(path.parent))
    assert not found.diagnostics
    return found


def both(trees: Trees) -> tuple[SchemaPath, SchemaPath]:
    """Ours, and that of the library."""

    def handler(uri: str) -> Any:
        return trees.sources[uri.partition("#")[0]].value

    handlers = dict.fromkeys(("", "file", "http", "https"), handler)
    root: Any = trees.sources[trees.root_uri].value
    return spec_path(trees, handlers), SchemaPath.from_dict(root, base_uri=trees.root_uri, handlers=handlers)


@pytest.mark.parametrize(
    "parts",
    [
        (),
        ("info", "title"),
        ("paths", "/a~b/{x}", "get", "responses", "200", "description"),
        ("paths", "/c", "get", "tags", 1),
        ("paths", "/c", "get", "responses", "200", "description"),
        ("components", "schemas", "Holder", "properties"),
    ],
    ids=str,
)
def test_path_gives_the_same_value_as_the_library(trees: Trees, parts: tuple[Any, ...]) -> None:
    ours, theirs = both(trees)
    assert ours.accessor[parts] == theirs.accessor[parts]
    assert ours.accessor.stat(parts) == theirs.accessor.stat(parts)


def test_reference_by_identifier_is_resolved_by_the_library(trees: Trees) -> None:
    for path in both(trees):
        with pytest.raises(Unresolvable):
            path.accessor[("components", "schemas", "Named", "type")]


@pytest.mark.parametrize(
    "parts", [("none",), ("info", "title", "x"), ("paths", "/c", "get", "tags", 2)], ids=str
)
def test_missing_path_raises_the_same_error_as_the_library(trees: Trees, parts: tuple[Any, ...]) -> None:
    for path in both(trees):
        assert not path.accessor.contains(parts[:-1], parts[-1])
        with pytest.raises(KeyError):
            path.accessor[parts]


def test_every_path_of_a_document_gives_the_same_value_as_the_library() -> None:
    path = Path(__file__).parents[2] / "openapi" / "certificate-request.yaml"
    ours, theirs = (
        path_of.accessor for path_of in both(load_trees(path, path.name, ReferenceScope(path.parent)))
    )
    pending: list[tuple[Any, ...]] = [()]
    seen = 0
    while pending:
        parts = pending.pop()
        node = ours[parts]
        assert node == theirs[parts]
        seen += 1
        if isinstance(node, dict):
            pending += [(*parts, key) for key in node]
    assert seen > 100


def test_a_start_imports_neither_a_web_application_nor_the_validator_of_rules_until_they_are_asked_for() -> (
    None
):
    script = (
        "import sys; from pathlib import Path; from mockserver.compile.document import load;"
        "loaded, found = load(Path('openapi/certificate-request.yaml'));"
        "print(loaded is not None, {'connexion', 'openapi_spec_validator'} & sys.modules.keys());"
        "import connexion; print(connexion.FlaskApp.__name__, connexion.resolver.Resolver.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["True set()", "FlaskApp Resolver"]
