"""Schemathesis against the control plane: whatever is sent, the answer is one that the document knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from mockserver import default
from mockserver.inputs import Inputs
from mockserver.plan import Plan
from tests.admin.mocking import KEY, Mock, mocking
from tests.live import PATIENCE, engine_of

EXAMPLES = 10
COMPILING = 2
"""Examples of what starts the compiler, which takes its time."""
CHECKS: list[Any] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
SCHEMA: Any = schemathesis.openapi.from_path(default.ADMIN_DOCUMENT)
OPERATIONS = [each.ok() for each in SCHEMA.get_all_operations()]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def target(mission: Plan) -> Iterator[Mock]:
    load_all_checks()
    inputs = Inputs((default.DOCUMENT,), (default.SCENARIOS,))
    with mocking(engine_of(mission), inputs=inputs) as found:
        yield found


@pytest.mark.parametrize("mode", MODES, ids=lambda each: each.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.label)
def test_answers_as_documented(target: Mock, operation: Any, mode: GenerationMode) -> None:
    compiles = operation.method != "get" and operation.path.startswith(("/document", "/scenario-files"))
    target.begin_anew()
    for key in (KEY, KEY, "22222222-2222-4222-8222-222222222222"):
        target.poll(key)

    @seed(1)
    @settings(
        max_examples=COMPILING if compiles else EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attack(case: Any) -> None:
        if operation.path == "/events":
            case.query = {**(case.query if isinstance(case.query, dict) else {}), "most": 0}
        answer = case.call(base_url=f"{target.live.url}/__admin", timeout=PATIENCE)
        case.validate_response(answer, checks=CHECKS)

    try:
        attack()
    except Exception as error:
        if "Unsatisfiable" in type(error).__name__:
            pytest.skip("nothing that breaks the document can be made for this operation")
        raise
