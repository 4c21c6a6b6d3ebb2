from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import programs

if TYPE_CHECKING:  # the process that distributes tests needs none of it, and all others wait for that one
    from playwright.sync_api import Browser

    from mockserver.engine.engine import Engine
    from mockserver.plan import Plan
    from tests.live import Live, Write
    from tests.redis import Redis
    from tests.workers import Workers

# How long an example takes says nothing of what is tested, and depends on the machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("untimed"), max_examples=25)
settings.load_profile("untimed")

_STARTS = frozenset(["subprocess.Popen", "os.fork", "os.posix_spawn"])
"""Audit events of Python: another process begins."""

_SERVERS = {
    "live", "echoing", "mock", "changeable", "target", "local", "shared", "server", "serve",
    "redis", "workers", "chromium", "browser", "site",
}  # fmt: skip
"""Fixtures that start them. Tests with one are not even collected; that of the others shows as they run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-servers",
        action="store_true",
        help="Leave out each test that starts or asks a server, a browser, Redis or another process.",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("no_servers"):
        settings.load_profile("quick")
        sys.addaudithook(_skip_where_a_server_starts)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("no_servers"):
        left_out = {item for item in items if not _SERVERS.isdisjoint(getattr(item, "fixturenames", ()))}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _skip_where_a_server_starts(
    event: str, arguments: tuple[object, ...], starts: frozenset[str] = _STARTS
) -> None:
    needs = event in starts or (event == "socket.__new__" and arguments[1] != socket.AF_UNIX)
    if needs and "PYTEST_CURRENT_TEST" in os.environ:
        pytest.skip(f"needs a server or another process ({event})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with _skipped_where_a_program_is_missing():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with _skipped_where_a_program_is_missing():
        return (yield)


@contextmanager
def _skipped_where_a_program_is_missing() -> Iterator[None]:
    """In CI it is an error instead."""
    try:
        yield
    except programs.MissingError as missing:
        if programs.is_ci():
            raise
        pytest.skip(str(missing))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of the given name into the test's own folder."""

    def writing(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), "utf-8")
        return path

    return writing


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where servers keep what they compiled, for tests to which it is all the same who did it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def mission() -> Plan:
    """The Plan of the document and scenarios that are served by default."""
    from tests.live import mission_plan

    return mission_plan()


@pytest.fixture
def engine(mission: Plan) -> Engine:
    """The default inputs on a clock that stands still at 2026-01-01."""
    from tests.live import engine_of

    return engine_of(mission)


@pytest.fixture
def live(engine: Engine) -> Iterator[Live]:
    from tests.live import serving_engine

    with serving_engine(engine) as found:
        yield found


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """One Redis for all tests that do it no harm: each keeps to a prefix of its own."""
    from tests.redis import Redis

    with Redis() as found:
        yield found


@pytest.fixture(scope="session")
def workers(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """A server of two workers, for tests that keep to a namespace of their own."""
    from tests.workers import Workers

    with Workers(redis.url, "workers", tmp_path_factory.mktemp("workers")) as found:
        yield found
        assert found.stop(signal.SIGTERM) == (0, "")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of one module: while it is open, its thread has a running event loop."""
    from playwright.sync_api import sync_playwright

    command = programs.path("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=["--no-sandbox"])
        yield browser
        browser.close()
