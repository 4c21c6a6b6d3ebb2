"""The pytest plugin: ``mock_server``, ``mock_api`` and ``@pytest.mark.mock_scenario``; no conftest needed.

Every session of pytest imports this module where the package is installed:
the server comes in with the first test that asks for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mockserver.testing.namespace import Namespace
    from mockserver.testing.server import MockServer

_NAMESPACE = pytest.StashKey["Namespace"]()
_OPTIONS = {
    "mock_document": ("paths", "OpenAPI document that mock_server serves; default: the packaged example."),
    "mock_scenarios": ("paths", "Scenario file of mock_server, or folder of them."),
    "mock_url": ("string", "A server that runs, to test against instead of one of its own."),
    "mock_seed": ("string", "Everything that mock_server generates follows from it."),
    "mock_clock": ("string", "Freeze the clock of mock_server at an ISO 8601 date-time."),
    "mock_validation": ("string", "What becomes of requests that break the document: strict, warn or off."),
}
_INVALID = re.compile(r"[^A-Za-z0-9._-]+")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Each option may stand on the command line and in the ini-file."""
    group = parser.getgroup("mockserver", "mock server")
    for name, (kind, text) in _OPTIONS.items():
        option = "--" + name.replace("_", "-")
        action = "append" if kind == "paths" else "store"
        group.addoption(option, action=action, default=None, metavar=kind.upper().rstrip("S"), help=text)
        parser.addini(name, text, type=kind, default=None)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    """The marker, for ``--strict-markers``."""
    config.addinivalue_line(
        "markers",
        "mock_scenario(name, key=None, resource=None): let the resource of a key begin a scenario in "
        "mock_api; without a key, every resource that the test asks for.",
    )


@pytest.fixture(scope="session")
def mock_server(pytestconfig: pytest.Config) -> Iterator[MockServer]:
    """A mock server for the whole session: one of its own, or the one at ``--mock-url``.

    Under pytest-xdist each worker has one of its own, unless ``--mock-url``
    gives all of them the same. Override this fixture to start it otherwise.
    """
    from mockserver.testing.server import MockServer

    url = _option(pytestconfig, "mock_url") or os.environ.get("MOCKSERVER_URL")
    if url:
        with _without_traceback():
            server = MockServer.connect(url, token=os.environ.get("MOCKSERVER_ADMIN_TOKEN"))
        yield server
        return
    with _without_traceback():
        server = MockServer(
            _paths(pytestconfig, "mock_document") or None,
            scenarios=_paths(pytestconfig, "mock_scenarios"),
            seed=_option(pytestconfig, "mock_seed") or "0",
            clock=_option(pytestconfig, "mock_clock"),
            validation=_option(pytestconfig, "mock_validation") or "strict",
        ).start()
    yield server
    server.stop()


@pytest.fixture
def mock_api(request: pytest.FixtureRequest, mock_server: MockServer) -> Iterator[Namespace]:
    """The test's own namespace of ``mock_server``: nothing in it is shared with any other test.

    Give its ``url`` to what is tested, or the server's with its ``headers``.
    """
    namespace = mock_server.namespace(_namespace_name(request.node.nodeid))
    try:
        with _without_traceback():
            namespace.reset()
            for mark in reversed(list(request.node.iter_markers("mock_scenario"))):
                namespace.scenario(*mark.args, **mark.kwargs)
        request.node.stash[_NAMESPACE] = namespace
        yield namespace
    finally:
        with _without_traceback():
            namespace.drop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing test tells what it called."""
    report = yield
    namespace = item.stash.get(_NAMESPACE, None)
    if namespace is not None and report.failed and report.when != "teardown":
        from mockserver.testing.namespace import describe_calls

        report.sections.append((f"mock server, namespace {namespace.name}", describe_calls(namespace)))
    return report


@contextmanager
def _without_traceback() -> Iterator[None]:
    """What is wrong with the set-up is told as it would be on the command line, without a traceback."""
    from mockserver.diagnostics import MockServerError

    try:
        yield
    except MockServerError as error:
        raise pytest.fail.Exception(f"mock server: {error}", pytrace=False) from None


def _option(config: pytest.Config, name: str) -> str | None:
    found: str | None = config.getoption(name)
    return found if found is not None else config.getini(name)


def _paths(config: pytest.Config, name: str) -> list[Path]:
    """Those of the command line are relative to where it was typed, those of the ini-file to it."""
    found = config.getoption(name)
    if found is not None:
        return [config.invocation_params.dir / path for path in found]
    return config.getini(name) or []


def _namespace_name(nodeid: str) -> str:
    """A namespace for a test: the same in every run, for its fakes follow from it."""
    digest = blake2b(nodeid.encode("utf-8", "replace"), digest_size=4).hexdigest()
    words = _INVALID.sub("-", nodeid.rpartition("::")[2]).strip("-._")
    return f"{words[:80] or 'test'}-{digest}"
