from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis import Redis
from tests.state.store_harness import STORE_KINDS, HarnessFactory, StoreHarness, harness_factory, prefix_of


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return prefix_of(request)


@pytest.fixture(params=STORE_KINDS)
def harnesses(request: pytest.FixtureRequest, redis: Redis, prefix: str) -> Iterator[HarnessFactory]:
    """Makes empty stores of every kind in turn."""
    with harness_factory(request.param, redis, prefix) as found:
        yield found


@pytest.fixture
def harness(harnesses: HarnessFactory) -> StoreHarness:
    return harnesses()
