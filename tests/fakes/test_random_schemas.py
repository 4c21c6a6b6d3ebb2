"""The invariant: for any schema, a valid value or Unsatisfiable. And how often it is the latter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml12
from hypothesis import HealthCheck, given, settings

from mockserver.fakes import Fakes, Unsatisfiable
from mockserver.plan import Dialect
from mockserver.schema import Schemas
from tests.fakes.schema_strategies import TREE, schemas

URI = "file:///api.yaml"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def check(schema: Any, dialect: Dialect) -> None:
    these = Schemas({URI: {"x": schema, "defs": {"tree": TREE}}}, dialect)
    for direction in ("request", "response"):
        try:
            value = Fakes(these).value(f"{URI}#/x", key="k", direction=direction)
        except Unsatisfiable:
            continue
        assert these.validator(f"{URI}#/x", direction).is_valid(value)
        json.dumps(value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas(draft_4=True))
def test_draft_4(schema: Any) -> None:
    check(schema, "3.0")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas(draft_4=False))
def test_draft_2020_12(schema: Any) -> None:
    check(schema, "3.1")


def documents() -> list[Path]:
    return sorted(CORPUS.glob("*.json")) + sorted(CORPUS.glob("*.yaml"))


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


@pytest.mark.skipif(not documents(), reason="the corpus is not there")
def test_the_corpus() -> None:
    satisfied, failed = 0, []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        document: Any = json.loads(text) if path.suffix == ".json" else yaml12.parse_yaml(text)
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
    print(f"{satisfied} of {satisfied + len(failed)} response schemas satisfied")  # noqa: T201
    assert len(failed) <= 0.002 * (satisfied + len(failed)), "\n".join(failed)
