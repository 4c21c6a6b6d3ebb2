from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis import Redis
from tests.state.desk import DESKS, Desk, Desks, desks_of, prefix_of


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return prefix_of(request)


@pytest.fixture(params=DESKS)
def desks(request: pytest.FixtureRequest, redis: Redis, prefix: str) -> Iterator[Desks]:
    """Makes empty stores of every kind in turn."""
    with desks_of(request.param, redis, prefix) as found:
        yield found


@pytest.fixture
def desk(desks: Desks) -> Desk:
    return desks()
