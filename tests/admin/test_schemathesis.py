"""Schemathesis against the control plane: whatever is sent, the answer is one that the document knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from schemathesis.checks import load_all_checks
from schemathesis.generation import GenerationMode

from mockserver.inputs import DOCUMENT, SCENARIOS, Inputs
from mockserver.plan import Plan
from tests.admin.attacking import MODES, OPERATIONS, attack
from tests.admin.mocking import KEY, Mock, mocking
from tests.live import engine_of

EXAMPLES = 4
"""For each operation; ``make fuzz TARGETS=control`` makes many more."""
COMPILING = 1
"""Examples of what starts the compiler, which takes its time."""


@pytest.fixture(scope="module")
def target(mission: Plan) -> Iterator[Mock]:
    load_all_checks()
    inputs = Inputs((DOCUMENT,), (SCENARIOS,))
    with mocking(engine_of(mission), inputs=inputs) as found:
        yield found


@pytest.mark.parametrize("mode", MODES, ids=lambda each: each.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.label)
def test_responses_match_the_document_of_the_control_plane(
    target: Mock, operation: Any, mode: GenerationMode
) -> None:
    target.begin_anew()
    for key in (KEY, KEY, "22222222-2222-4222-8222-222222222222"):
        target.poll(key)

    if not attack(target, operation, mode, 1, examples=EXAMPLES, compiling=COMPILING):
        pytest.skip("nothing that breaks the document can be made for this operation")
