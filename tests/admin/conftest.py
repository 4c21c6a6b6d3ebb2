from __future__ import annotations

from collections.abc import Iterator

import pytest
from live import engine_of
from mocking import Mock, mocking

from mockserver import default
from mockserver.inputs import Inputs
from mockserver.plan import Plan


@pytest.fixture
def mock(mission: Plan) -> Iterator[Mock]:
    """The default inputs, on a clock that stands still."""
    inputs = Inputs((default.DOCUMENT,), (default.SCENARIOS,))
    with mocking(engine_of(mission), inputs=inputs) as found:
        yield found
