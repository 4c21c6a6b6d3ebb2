"""The consumers of ``examples/``, each run as a program against a server of its own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from mockserver.testing import MockServer, Namespace
from tests import programs

KEY = "11111111-1111-4111-8111-111111111111"
EXAMPLES = Path(__file__).parents[2] / "examples"
_PATIENCE = 60
"""Seconds until a consumer that hangs is given up; nothing is measured by it."""


@dataclass(frozen=True)
class Consumer:
    """A program, and what must be there to run it."""

    file: str
    command: tuple[str, ...]
    modules: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()

    def require(self) -> None:
        """Raises MissingError where it cannot be run."""
        for module in self.modules:
            if find_spec(module) is None:
                raise programs.MissingError(f"{module} is not installed; pip install --group examples")
        for tool in self.tools:
            programs.path(tool)


CONSUMERS = [
    Consumer("with_sdk.py", (sys.executable,), ("infisical_sdk",)),
    Consumer("with_httpx.py", (sys.executable,), ("httpx", "tenacity")),
    Consumer("with_requests.py", (sys.executable,), ("requests",)),
    Consumer("with_fetch.mjs", ("node",), (), ("node",)),
    Consumer("with_curl.sh", ("sh",), (), ("curl", "jq")),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with MockServer() as found:
            yield found


@pytest.fixture(params=CONSUMERS, ids=lambda each: each.file)
def consumer(request: pytest.FixtureRequest) -> Consumer:
    found: Consumer = request.param
    found.require()
    return found


@pytest.fixture
def api(server: MockServer) -> Iterator[Namespace]:
    namespace = server.namespace("consumer")
    yield namespace
    namespace.drop()


def run(consumer: Consumer, api: Namespace, attempts: int = 5) -> tuple[int, str]:
    """Its exit code and what it said."""
    environment = {**os.environ, "INTERVAL": "0", "ATTEMPTS": str(attempts)}
    done = subprocess.run(
        [*consumer.command, EXAMPLES / consumer.file, api.url, KEY],
        capture_output=True, text=True, env=environment, timeout=_PATIENCE, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_issued(consumer: Consumer, api: Namespace) -> None:
    code, said = run(consumer, api)
    assert code == 0
    assert re.fullmatch("issued [0-9a-f]{40}", said)
    api.verify(in_order=[{"state": "pending"}, {"state": "pending"}, {"state": "issued"}])
    api.verify(key=KEY, headers={"Authorization": "Bearer token"}, exactly=3)


def test_failed(consumer: Consumer, api: Namespace) -> None:
    api.scenario("failed", key=KEY)
    cause = "connection to the certificate authority timed out"
    assert run(consumer, api) == (1, f"failed: Certificate issuance failed: {cause}")
    api.verify(key=KEY, state="failed", exactly=1)


def test_a_wait_that_takes_too_long(consumer: Consumer, api: Namespace) -> None:
    api.scenario("pending", key=KEY)
    assert run(consumer, api, attempts=3) == (3, "no certificate after 3 polls")
    api.verify(key=KEY, state="pending", exactly=3)


def test_time_goes_by_between_two_runs(consumer: Consumer, api: Namespace) -> None:
    api.clock.freeze()
    api.scenario("slow", key=KEY)
    assert run(consumer, api, attempts=2)[0] == 3
    api.clock.advance("30s")
    assert run(consumer, api, attempts=1)[0] == 0


def test_a_server_error_is_survived(consumer: Consumer, api: Namespace) -> None:
    api.scenario("flaky", key=KEY)
    assert run(consumer, api)[0] == 0
    api.verify(in_order=[{"status": 500}, {"state": "pending"}, {"state": "issued"}])


def test_an_unknown_request_is_given_up_at_once(consumer: Consumer, api: Namespace) -> None:
    api.scenario("not-found", key=KEY)
    assert run(consumer, api) == (2, "error 404: Certificate request not found")
    api.verify(key=KEY, exactly=1)


def test_a_certificate_that_was_deleted_is_none(consumer: Consumer, api: Namespace) -> None:
    api.state("issued-then-deleted", key=KEY)
    assert run(consumer, api, attempts=2) == (3, "no certificate after 2 polls")
