"""Requests that Schemathesis makes from the control plane's document, good ones and bad ones."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from mockserver import inputs
from tests.admin.mocking import Mock
from tests.live import PATIENCE

CHECKS: list[Any] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
SCHEMA: Any = schemathesis.openapi.from_path(inputs.ADMIN_DOCUMENT)
OPERATIONS = [each.ok() for each in SCHEMA.get_all_operations()]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


def attack(
    mock: Mock, operation: Any, mode: GenerationMode, number: int, *, examples: int, compiling: int
) -> bool:
    """Ask so many times, ``compiling`` times what starts the compiler; whether anything could be made to ask.

    Raises what the checks find. ``number`` is the seed.
    """
    compiles = operation.method != "get" and operation.path.startswith(("/document", "/scenario-files"))

    @seed(number)
    @settings(
        max_examples=compiling if compiles else examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asking(case: Any) -> None:
        if operation.path == "/events":
            case.query = {**(case.query if isinstance(case.query, dict) else {}), "most": 0}
        response = case.call(base_url=f"{mock.live.url}/__admin", timeout=PATIENCE)
        case.validate_response(response, checks=CHECKS)

    try:
        asking()
    except Exception as error:
        if "Unsatisfiable" in type(error).__name__:
            return False
        raise
    return True
