"""The invariant: for any schema, a valid value or Unsatisfiable. And how often it is the latter."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml12
from hypothesis import HealthCheck, given, settings

from mockserver.generate import Fakes, Unsatisfiable
from mockserver.jsonschema import Schemas
from mockserver.plan import Dialect
from tests.documents import DOCUMENTS
from tests.generate.schema_strategies import TREE, schemas

URI = "file:///api.yaml"


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_a_value_is_valid_and_most_schemas_have_one(dialect: Dialect) -> None:
    found: list[bool] = []

    @settings(
        max_examples=3 * settings().max_examples // 2,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(schemas(draft_4=dialect == "3.0"))
    def check(schema: Any) -> None:
        these = Schemas({URI: {"x": schema, "defs": {"tree": TREE}}}, dialect)
        for direction in ("request", "response"):
            try:
                value = Fakes(these).value(f"{URI}#/x", key="k", direction=direction)
            except Unsatisfiable:
                found.append(False)
                continue
            found.append(True)
            assert these.validator(f"{URI}#/x", direction).is_valid(value)
            json.dumps(value)

    check()
    assert sum(found) > 0.6 * len(found)


def response_schemas(document: Any) -> list[str]:
    """References to the schemas of all responses, wherever they stand."""
    found: list[str] = []
    stack: list[tuple[Any, str]] = [(document, "")]
    while stack:
        node, pointer = stack.pop()
        if isinstance(node, dict):
            for key, each in node.items():
                here = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
                if key == "schema" and isinstance(each, dict) and "/responses/" in here:
                    found.append(here)
                elif key not in ("schema", "schemas", "example", "examples", "definitions"):
                    stack.append((each, here))
        elif isinstance(node, list):
            stack.extend((each, f"{pointer}/{i}") for i, each in enumerate(node))
    return found


def test_every_response_of_public_documents_has_a_value() -> None:
    satisfied, failed = 0, []
    for path in DOCUMENTS:
        document: Any = yaml12.parse_yaml(path.read_text(encoding="utf-8"))
        these = Schemas({URI: document}, document.get("swagger") or document["openapi"][:3])
        fakes = Fakes(these)
        for pointer in response_schemas(document):
            ref = URI + "#" + pointer
            try:
                value = fakes.value(ref, key="k")
            except Unsatisfiable as reason:
                failed.append(f"{path.name}: {reason}")
            else:
                assert these.validator(ref, "response").is_valid(value)
                satisfied += 1
    assert not failed, "\n".join(failed)
    assert satisfied >= 54
