"""The plugin as users have it: tests in files of their own, in sessions of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import httpx
import pytest

from mockserver import inputs
from mockserver.namespaces.namespaces import Namespaces
from mockserver.testing import MockServer
from mockserver.testing.plugin import namespace_name
from tests.live import MISSION, Process

pytest_plugins = ["pytester"]

CONSUMER = f'''
import json
import urllib.error
import urllib.request

KEY = "11111111-1111-4111-8111-111111111111"


def poll(api, key=KEY, path="{MISSION}"):
    url, headers = f"{{api.url}}{{path}}/{{key}}", {{"Authorization": "Bearer any"}}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["status"]
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
'''


@pytest.fixture
def consumer(
    pytester: pytest.Pytester, local: MockServer, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """A project with a consumer of the mocked service, and no test yet."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(consumer=CONSUMER)
    return pytester


def run(consumer: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """A session in this process, which has imported already what a server needs."""
    return consumer.runpytest_inprocess("-p", "mockserver.testing.plugin", *arguments)


def run_apart(consumer: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """A session in a process of its own, as users have it."""
    return consumer.runpytest_subprocess("-p", "mockserver.testing.plugin", *arguments)


@pytest.fixture(scope="module")
def shared(own_cache: None, cache: Path) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    with Process(cache=cache) as server:
        yield f"http://127.0.0.1:{server.port}"


def write(consumer: pytest.Pytester, text: str, name: str = "test_it") -> None:
    consumer.makepyfile(**{name: "from consumer import *\nimport pytest\n" + dedent(text)})


def test_it_is_found_without_a_conftest() -> None:
    assert [each.value for each in entry_points(group="pytest11", name="mockserver")] == [
        "mockserver.testing.plugin"
    ]


def test_a_session_that_does_not_use_it_does_not_pay_for_it() -> None:
    asked = (
        "import sys, mockserver.testing.plugin;"
        "print(*sorted(each for each in sys.modules if each.startswith('mockserver')))"
    )
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["mockserver", "mockserver.testing", "mockserver.testing.plugin"]


def test_each_test_has_a_world_of_its_own(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        @pytest.mark.parametrize("number", [1, 2])
        def test_polls(mock_api, number):
            assert [poll(mock_api) for _ in range(3)] == ["pending", "pending", "issued"]
            mock_api.verify(key=KEY, exactly=3)

        def test_control(mock_api, mock_server):
            mock_api.scenario("slow")
            mock_api.clock.freeze("2026-01-01T00:00:00Z")
            assert poll(mock_api) == "pending"
            mock_api.clock.advance("30s")
            assert poll(mock_api) == "issued"
            assert poll(mock_server) == "pending"
        """,
    )
    run_apart(consumer, "--strict-markers", "--strict-config").assert_outcomes(passed=3)


def test_markers_choose_scenarios_nearest_last(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        pytestmark = pytest.mark.mock_scenario("failed-at-once")
        OTHER = KEY.replace("1", "2")

        def test_of_the_module(mock_api):
            assert poll(mock_api) == "failed"

        @pytest.mark.mock_scenario("not-found")
        @pytest.mark.mock_scenario("issued-at-once", key=KEY)
        def test_of_its_own(mock_api):
            assert [poll(mock_api), poll(mock_api, OTHER)] == ["issued", 404]
        """,
    )
    run(consumer, "--strict-markers").assert_outcomes(passed=2)


def test_a_marker_that_names_no_scenario_says_which_there_are(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        @pytest.mark.mock_scenario("faild")
        def test_it(mock_api):
            pass
        """,
    )
    found = run(consumer)
    found.assert_outcomes(errors=1)
    found.stdout.fnmatch_lines(["mock server: there is no scenario 'faild'; there is issued, *"])


@pytest.mark.parametrize("marker", ['"faild"', '"failed", kee="1"'])
def test_a_marker_that_is_wrong_leaves_no_namespace_on_a_shared_server(
    consumer: pytest.Pytester, shared: str, marker: str
) -> None:
    write(
        consumer,
        f"""
        @pytest.mark.mock_scenario({marker})
        def test_it(mock_api):
            pass
        """,
    )
    run(consumer, f"--mock-url={shared}").assert_outcomes(errors=1)
    found = httpx.get(f"{shared}/__admin/namespaces").json()["namespaces"]
    assert [each["name"] for each in found] == ["default"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('mock_api.state("typo", key=KEY)', "*ControlError: there is no state 'typo'*"),
        ('mock_api.scenario("typo")', "*ControlError: there is no scenario 'typo'*"),
        ('mock_api.scenario("failed", resource="typo")', "*ControlError: *'typo'*"),
        ('mock_api.clock.advance("30 parsecs")', "*ControlError: *30 parsecs*"),
        ("mock_api.verify(stat=1)", "*TypeError: 'stat' is not a field of a call; use *"),
        (
            "mock_api.verify(pattern={'methd': 'GET'})",
            "*ControlError: 'methd' is not a field of a request pattern*",
        ),
        ("mock_server.stop(); mock_api.calls", "*UsageError: the mock server does not run*"),
        ("MockServer('nowhere.yaml').start()", "*CompileError: *nowhere.yaml*"),
        ("MockServer.connect('nowhere')", "*UsageError: 'nowhere' is not an http or https URL*"),
        ('asyncio.run(mock_api.aio.state("typo", key=KEY))', "*ControlError: there is no state 'typo'*"),
    ],
)
def test_a_mistake_is_shown_at_the_line_that_makes_it(
    consumer: pytest.Pytester, line: str, error: str
) -> None:
    write(
        consumer,
        f"""
        import asyncio
        from mockserver.testing import MockServer

        def test_it(mock_api, mock_server):
            {line}
        """,
    )
    found = run(consumer)
    found.stdout.fnmatch_lines([f"*{line.partition('[')[0]}*", f"E {error}"])
    found.stdout.no_fnmatch_line("*mockserver/*.py:*")


def test_a_failing_test_tells_its_calls(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            poll(mock_api)
            poll(mock_api, "no-uuid")
            poll(mock_api, path="/api/v1/cert-manager/certificates/certificate-request")
            mock_api.verify(key=KEY, state="issued")
        """,
    )
    found = run_apart(consumer)
    found.assert_outcomes(failed=1)
    key = "11111111-1111-4111-8111-111111111111"
    found.stdout.fnmatch_lines(
        [
            "*AssertionError: a call with key=*, state=issued: 0 calls of 3 matched; wanted: at least once",
            f"E*closest: #1 GET {MISSION}/{key} → 200",
            f"E*certificate-request {key} was pending (scenario issued)",
            "E*- state: issued",
            "E*+ state: pending",
            "*mock server, namespace test_it-*",
            f"#1 GET {MISSION}/{key} → 200   certificate-request {key}: *; state=pending; call=1",
            f"#2 GET {MISSION}/no-uuid → 422*",
            "    path requestId: *uuid*",
            "#3 GET */certificate-request/* → 404   unknown path",
            "    the document has no path for *; nearest: GET *",
        ]
    )


def test_a_failing_test_that_called_nothing_is_asked_where_it_went(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            assert poll is None
        """,
    )
    found = run(consumer)
    found.stdout.fnmatch_lines(["there were no calls. Does the client use http://127.0.0.1:*/__ns/test_it-*"])


def test_only_the_newest_of_many_calls_are_told(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            for _ in range(53):
                poll(mock_api)
            assert poll is None
        """,
    )
    found = run(consumer)
    found.stdout.fnmatch_lines(["3 earlier calls", "#4 GET *", "#53 GET *"])
    found.stdout.no_fnmatch_line("#3 GET *")


def test_a_server_that_is_gone_does_not_hide_the_failure(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api, mock_server):
            mock_server.stop()
            assert poll is None
        """,
    )
    found = run(consumer)
    found.stdout.fnmatch_lines(
        ["E*assert * is None", "its calls cannot be read: the mock server does not run*"]
    )


def test_a_passing_test_tells_nothing(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            poll(mock_api)
        """,
    )
    found = run(consumer, "-rA")
    found.assert_outcomes(passed=1)
    found.stdout.no_fnmatch_line("*mock server, namespace*")


SCENARIOS = """
resource: request
key: path.requestId
operations: {poll: "GET /api/v1/cert-manager/certificates/certificate-requests/{requestId}"}
states: {broken: {status: 500}, gone: {status: 404}}
scenarios: {broken: [broken], gone: [gone]}
"""
MINE = """
        def test_it(mock_api):
            assert poll(mock_api) == 500
            assert mock_api.clock.now.year == 2031
        """


@pytest.mark.parametrize("where", ["ini", "command line", "toml"])
def test_what_is_served_is_an_option(consumer: pytest.Pytester, where: str) -> None:
    (consumer.mkdir("scenarios") / "mine.yaml").write_text(SCENARIOS)
    (consumer.path / "openapi.yaml").write_text(inputs.DOCUMENT.read_text())
    write(consumer, MINE)
    arguments: list[str] = []
    match where:
        case "ini":
            consumer.makeini(
                """
                [pytest]
                mock_document = openapi.yaml
                mock_scenarios = scenarios
                mock_clock = 2031-01-01T00:00:00Z
                """
            )
        case "toml":
            consumer.makepyprojecttoml(
                """
                [tool.pytest.ini_options]
                mock_document = ["openapi.yaml"]
                mock_scenarios = ["scenarios"]
                mock_clock = "2031-01-01T00:00:00Z"
                """
            )
        case "command line":
            arguments = [
                "--mock-document=openapi.yaml",
                "--mock-scenarios=scenarios",
                "--mock-clock=2031-01-01T00:00:00Z",
            ]
    run(consumer, *arguments).assert_outcomes(passed=1)


def test_requests_are_judged_as_an_option_says(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            assert poll(mock_api, "no-uuid") == "pending"
        """,
    )
    run(consumer, "--mock-validation=off", "--mock-seed=1").assert_outcomes(passed=1)
    run(consumer).assert_outcomes(failed=1)


@pytest.mark.parametrize("how", ["option", "variable"])
def test_one_server_may_be_shared(
    consumer: pytest.Pytester, shared: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    write(
        consumer,
        f"""
        def test_it(mock_api, mock_server):
            assert mock_server.url == "{shared}"
            assert poll(mock_api) == "pending"
            mock_api.verify(key=KEY, exactly=1)
        """,
    )
    arguments = []
    if how == "option":
        arguments = [f"--mock-url={shared}"]
    else:
        monkeypatch.setenv("MOCKSERVER_URL", shared)
    for _ in range(2):
        run(consumer, *arguments).assert_outcomes(passed=1)


def test_a_server_that_is_not_there_is_told_in_a_sentence(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            pass
        """,
    )
    found = run(consumer, "--mock-url=http://127.0.0.1:9")
    found.assert_outcomes(errors=1)
    found.stdout.fnmatch_lines(["mock server: http://127.0.0.1:9 does not respond: *"])
    found.stdout.no_fnmatch_line("*UsageError*")


def test_a_document_that_cannot_be_served_is_told_as_check_tells_it(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            pass
        """,
    )
    consumer.makefile(".yaml", openapi="openapi: 3.0.3\ninfo: {title: t}\n")
    found = run(consumer, "--mock-document=openapi.yaml")
    found.assert_outcomes(errors=1)
    found.stdout.fnmatch_lines(["mock server: *openapi.yaml:1:1: error D111: *", "    *"])
    found.stdout.no_fnmatch_line("*CompileError*")
    found.stdout.no_fnmatch_line("*another exception*")


PARALLEL = """
        import os

        @pytest.mark.parametrize("number", range(8))
        def test_polls(mock_api, mock_server, number):
            with open("urls", "a") as file:
                print(os.environ["PYTEST_XDIST_WORKER"], mock_server.url, file=file)
            assert [poll(mock_api) for _ in range(3)] == ["pending", "pending", "issued"]
            assert len(mock_api.calls) == 3
        """


@pytest.mark.parametrize("is_shared", [True, False])
def test_it_works_with_workers(consumer: pytest.Pytester, shared: str, is_shared: bool) -> None:
    write(consumer, PARALLEL)
    arguments = [f"--mock-url={shared}"] if is_shared else []
    found = run_apart(consumer, "-p", "xdist", "-n2", *arguments)
    found.assert_outcomes(passed=8)
    seen = {tuple(line.split()) for line in (consumer.path / "urls").read_text().splitlines()}
    workers, urls = {worker for worker, _ in seen}, {url for _, url in seen}
    assert workers == {"gw0", "gw1"}
    assert urls == {shared} if is_shared else len(urls) == 2


def test_a_failure_on_a_worker_tells_its_calls(consumer: pytest.Pytester) -> None:
    write(
        consumer,
        """
        def test_it(mock_api):
            poll(mock_api)
            assert poll is None
        """,
    )
    found = run_apart(consumer, "-p", "xdist", "-n1")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["*mock server, namespace test_it-*", "#1 GET *"])


@pytest.mark.parametrize(
    ("nodeid", "begins"),
    [
        ("a.py::test_it", "test_it-"),
        ("a.py::TestIt::test_it[x/y z]", "test_it-x-y-z-"),
        ("a.py::test_it[" + "x" * 300 + "]", "test_it-xxx"),
        ("a.py::ä", "test-"),
    ],
)
def test_namespaces_are_named_after_tests(nodeid: str, begins: str) -> None:
    name = namespace_name(nodeid)
    assert name.startswith(begins)
    assert Namespaces().get_or_create(name) is not None
    assert name == namespace_name(nodeid) != namespace_name(nodeid + "x")
