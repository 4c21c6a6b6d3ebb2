from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockserver.plan import Plan
from tests.admin.mocking import Mock, mocking
from tests.live import engine_of


@pytest.fixture(scope="session")
def shared(mission: Plan) -> Iterator[Mock]:
    """One server for all: its control plane takes a while to come into being."""
    with mocking(engine_of(mission)) as found:
        yield found


@pytest.fixture
def mock(shared: Mock) -> Mock:
    """The default inputs, on a clock that stands still, with nothing called yet."""
    shared.begin_anew()
    return shared
