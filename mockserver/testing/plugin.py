"""The pytest plugin: ``mock_server``, ``mock_api`` and ``@pytest.mark.mock_scenario``; no conftest needed.

Each session of pytest imports this module if the package is installed. The first test that uses the
server imports the rest.
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
    "mock_url": ("string", "URL of a running server that mock_server uses instead of its own."),
    "mock_seed": ("string", "Seed of all values that mock_server generates."),
    "mock_clock": ("string", "Freeze the clock of mock_server at an ISO 8601 date-time."),
    "mock_stateful": ("bool", "Store what clients write to mock_server, so that later requests read it."),
    "mock_validation": ("string", "How requests that break the document are handled: strict, warn or off."),
}
_INVALID = re.compile(r"[^A-Za-z0-9._-]+")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for the command line and the ini-file."""
    group = parser.getgroup("mockserver", "mock server")
    for name, (kind, text) in _OPTIONS.items():
        option = "--" + name.replace("_", "-")
        if kind == "bool":
            group.addoption(option, action="store_true", default=None, help=text)
        else:
            action = "append" if kind == "paths" else "store"
            group.addoption(option, action=action, default=None, metavar=kind.upper().rstrip("S"), help=text)
        parser.addini(name, text, type=kind, default=None)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, for ``--strict-markers``."""
    config.addinivalue_line(
        "markers",
        "mock_scenario(name, key=None, resource=None): set the scenario of the resource with a key in "
        "mock_api; without a key, of all new resources.",
    )


@pytest.fixture(scope="session")
def mock_server(pytestconfig: pytest.Config) -> Iterator[MockServer]:
    """Provide a mock server for the session: its own, or the one at ``--mock-url``.

    With pytest-xdist each worker has its own server, unless ``--mock-url`` names one. Override this
    fixture to start the server in another way.
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
            stateful=bool(_option(pytestconfig, "mock_stateful")),
        ).start()
    yield server
    server.stop()


@pytest.fixture
def mock_api(request: pytest.FixtureRequest, mock_server: MockServer) -> Iterator[Namespace]:
    """Provide a namespace of ``mock_server`` that only this test uses.

    Give its ``url`` to the tested client, or the URL of the server and the ``headers`` of the namespace.
    """
    namespace = mock_server.namespace(namespace_name(request.node.nodeid))
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
    """Add the calls of the namespace to the report of a failing test."""
    report = yield
    namespace = item.stash.get(_NAMESPACE, None)
    if namespace is not None and report.failed and report.when != "teardown":
        from mockserver.testing.namespace import describe_calls

        report.sections.append((f"mock server, namespace {namespace.name}", describe_calls(namespace)))
    return report


@contextmanager
def _without_traceback() -> Iterator[None]:
    """Report a MockServerError of the set-up in one sentence, without a traceback."""
    from mockserver.diagnostics import MockServerError

    try:
        yield
    except MockServerError as error:
        raise pytest.fail.Exception(f"mock server: {error}", pytrace=False) from None


def _option(config: pytest.Config, name: str) -> str | None:
    found: str | None = config.getoption(name)
    return found if found is not None else config.getini(name)


def _paths(config: pytest.Config, name: str) -> list[Path]:
    """Return the paths of an option.

    Paths of the command line are relative to the working folder, paths of the ini-file to its folder.
    """
    found = config.getoption(name)
    if found is not None:
        return [config.invocation_params.dir / path for path in found]
    return config.getini(name) or []


def namespace_name(nodeid: str) -> str:
    """Return the namespace of a test: the same in every run, because generated values depend on it."""
    digest = blake2b(nodeid.encode("utf-8", "replace"), digest_size=4).hexdigest()
    words = _INVALID.sub("-", nodeid.rpartition("::")[2]).strip("-._")
    return f"{words[:80] or 'test'}-{digest}"
