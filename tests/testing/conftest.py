from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockserver.testing import MockServer, Namespace
from tests.live import CERTIFICATES, MISSION

KEY = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled Plans of these tests, apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def local(own_cache: None) -> Iterator[MockServer]:
    with MockServer(clock="2026-01-01T00:00:00Z") as server:
        yield server


@pytest.fixture(scope="session")
def remote(local: MockServer) -> MockServer:
    return MockServer.connect(local.url)


@pytest.fixture(params=["local", "remote"])
def server(request: pytest.FixtureRequest) -> MockServer:
    """A server by each of the two ways to control one."""
    found: MockServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def api(request: pytest.FixtureRequest, server: MockServer) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    namespace = server.namespace(f"n{abs(hash(request.node.nodeid))}")
    yield namespace
    namespace.drop()


def poll(api: Namespace, key: str = KEY) -> str:
    """The status that one poll of a certificate request finds; the error where it finds none."""
    with api.client(headers={"Authorization": "Bearer any"}, verify=CERTIFICATES) as client:
        said = client.get(f"{MISSION}/{key}").json()
    return str(said.get("status") or said["error"])
