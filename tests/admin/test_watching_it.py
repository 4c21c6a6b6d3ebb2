"""Events, metrics and pages: what a person or a monitor sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mockserver.plan import Plan
from tests.admin.mocking import KEY, Mock, mocking
from tests.live import MISSION, PATIENCE, Write, ask, compiled, engine_of


@contextmanager
def events(mock: Mock, query: str = "") -> Iterator[Iterator[tuple[str, Any]]]:
    """The events of a server from now on: kind and data."""
    with (
        httpx.Client(base_url=mock.live.url, timeout=PATIENCE) as client,
        client.stream("GET", f"/__admin/events{query}") as stream,
    ):
        assert stream.headers["content-type"] == "text/event-stream"
        lines = stream.iter_lines()
        next(lines)

        def read() -> Iterator[tuple[str, Any]]:
            kind = ""
            for line in lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)

        yield read()


def test_calls_and_state_changes_as_they_happen(mock: Mock) -> None:
    with events(mock, "?most=4") as found:
        for _ in range(3):
            mock.poll()
        heard = list(found)
    assert [kind for kind, _ in heard] == ["call", "call", "state", "call"]
    calls = [data for kind, data in heard if kind == "call"]
    assert calls[0]["url"] == f"{MISSION}/{KEY}"
    assert calls[0]["decision"] == "scenario=issued; state=pending; call=1"
    [change] = [data for kind, data in heard if kind == "state"]
    assert (change["from"], change["state"], change["key"]) == ("pending", "issued", KEY)


def test_assignments_resets_and_other_namespaces(mock: Mock) -> None:
    with events(mock, "?kinds=state,reset&most=2") as found:
        mock.poll(x_mock_namespace="a")
        mock.said("PUT", f"/resources/certificate-request/{KEY}", {"state": "failed"}, x_mock_namespace="a")
        mock.said("POST", "/reset", x_mock_namespace="a")
        heard = list(found)
    [(kind, change), reset] = heard
    assert (kind, change["cause"], change["namespace"]) == ("state", "assigned", "a")
    assert reset == ("reset", {"namespace": "a", "deleted": False})


@pytest.mark.parametrize("query", ["?kinds=weather", "?most=x", "?most=-1", "?since=1"])
def test_faulty_choices_of_events(mock: Mock, query: str) -> None:
    assert mock.fault("GET", f"/events{query}")[0] == 400
    assert mock.control("POST", "/events").status_code == 405


def test_closed_stream_is_no_longer_a_subscriber(mock: Mock) -> None:
    journal_pool = mock.live.server.namespaces.journal_pool
    with events(mock):
        assert journal_pool.watch is not None
    while journal_pool.watch is not None:
        mock.poll()


def test_metrics_count_calls(mock: Mock) -> None:
    mock.poll()
    mock.poll()
    mock.client.get("/nowhere")
    response = mock.control("GET", "/metrics")
    found = {family.name: family for family in text_string_to_metric_families(response.text)}
    calls = {
        tuple(sample.labels[name] for name in ("document", "operation", "status")): sample.value
        for sample in found["mockserver_calls"].samples
    }
    operation = f"GET {MISSION}/{{requestId}}"
    assert calls == {("certificate-request", operation, "200"): 2.0, ("", "", "404"): 1.0}
    [resources] = found["mockserver_resources"].samples
    assert (resources.labels, resources.value) == (
        {"namespace": "default", "resource": "certificate-request"},
        1.0,
    )
    [plan] = found["mockserver_plan_info"].samples
    assert plan.labels["hash"] == mock.client.get("/__admin/health").json()["plan"]


def test_two_documents_that_share_an_operation_id_have_series_of_their_own_after_a_reload_too(
    write: Write,
) -> None:
    documents = [
        write(
            f"{name}.yaml",
            f"""
            openapi: 3.0.3
            info: {{title: t, version: "1"}}
            paths: {{/{name}: {{get: {{operationId: list, responses: {{'200': {{description: ok}}}}}}}}}}
            """,
        )
        for name in ("cats", "dogs")
    ]
    engine = engine_of(compiled(*documents))
    for _ in range(2):
        ask(engine, "GET", "/cats")
        ask(engine, "GET", "/dogs")
        ask(engine, "GET", "/dogs")
        engine.adopt(engine_of(compiled(*documents)))
    with mocking(engine) as mock:
        lines = mock.control("GET", "/metrics").text.splitlines()
    assert [each for each in lines if each.startswith("mockserver_calls_total")] == [
        'mockserver_calls_total{document="cats",operation="list",status="200"} 2.0',
        'mockserver_calls_total{document="dogs",operation="list",status="200"} 4.0',
    ]


def test_health(mock: Mock) -> None:
    found = mock.client.get("/__admin/health").json()
    assert (found["live"], found["ready"]) == (True, True)
    assert found["documents"] == ["certificate-request"]


def test_pages_load_nothing_from_other_hosts(mock: Mock) -> None:
    assert mock.client.get("/__admin").headers["location"] == "/__admin/"
    for path in ("/", "/docs"):
        response = mock.control("GET", path)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http://" not in response.text
        assert "https://" not in response.text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "initializer.js", "favicon-32x32.png"):
        assert mock.control("GET", f"/docs/{name}").status_code == 200
    for name in ("index.html", "..%2F__init__.py", "%2e%2e"):
        assert mock.control("GET", f"/docs/{name}").status_code in (404, 405)


def test_swagger_ui_takes_no_document_from_the_query(mock: Mock) -> None:
    script = mock.control("GET", "/docs/initializer.js").text
    assert "queryConfigEnabled: false" in script
    assert mock.said("GET", "/openapi.json")["info"]["title"] == "mockserver: control interface"


def test_first_control_request_does_not_delay_mocked_operations(mock: Mock) -> None:
    """Imports happen on a thread of their own: polls are answered until the first control answer is there."""
    done = threading.Event()

    def ask() -> None:
        httpx.get(f"{mock.live.url}/__admin/version", timeout=PATIENCE)
        done.set()

    threading.Thread(target=ask).start()
    polled = 0
    while not done.is_set():
        mock.poll()
        polled += 1
    assert done.is_set()


def test_a_server_that_stops_under_a_stream_writes_nothing_more_to_it(
    mission: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    with httpx.Client(timeout=PATIENCE) as client:
        with mocking(engine_of(mission)) as mock:
            found = client.send(client.build_request("GET", f"{mock.live.url}/__admin/events"), stream=True)
            assert found.status_code == 200
        found.close()
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == []
