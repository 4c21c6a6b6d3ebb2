from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mockserver import inputs
from mockserver.engine.engine import Engine
from mockserver.namespaces.namespaces import Namespaces
from mockserver.plan import Plan
from mockserver.state.memory import MemoryStore
from tests.admin.mocking import KEY, POLL, Mock, mocking
from tests.live import MISSION, PATIENCE, Wire, ask, compiled, engine_of

PLACE = f"/resources/certificate-request/{KEY}"


def test_namespaces_do_not_share_state(mock: Mock) -> None:
    def live_in(name: str) -> list[str]:
        return [mock.state(x_mock_namespace=name) for _ in range(3)]

    names = [f"t{number}" for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(live_in, names)) == [["pending", "pending", "issued"]] * 10
    for name in names:
        assert mock.said("POST", "/requests/count", {}, x_mock_namespace=name)["count"] == 3
    assert mock.said("POST", "/requests/count", {})["count"] == 0
    assert mock.state() == "pending"


POLLS = """
import http.client, json, sys
port, path, name = sys.argv[1:]
client = http.client.HTTPConnection("127.0.0.1", int(port))
for _ in range(30):
    client.request("GET", path, headers={"Authorization": "Bearer any", "X-Mock-Namespace": name})
    print(json.loads(client.getresponse().read())["status"])
"""


def test_ten_processes_poll_one_id_in_ten_namespaces(mock: Mock) -> None:
    names = [f"p{number}" for number in range(10)]
    command = [sys.executable, "-I", "-c", POLLS, str(mock.live.port), POLL]
    polling = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in names]
    told = [each.communicate(timeout=PATIENCE)[0].split() for each in polling]
    assert told == [["pending", "pending", *["issued"] * 28]] * 10
    for name in names:
        mock.said("POST", "/verify", {"exactly": 30}, x_mock_namespace=name)


def test_assignments_clocks_and_resets_stay_inside(mock: Mock) -> None:
    mock.said("PUT", PLACE, {"scenario": "failed-at-once"}, x_mock_namespace="a")
    mock.said("POST", "/clock/advance", {"by": "1h"}, x_mock_namespace="a")
    assert mock.state(x_mock_namespace="a") == "failed"
    assert mock.state(x_mock_namespace="b") == "pending"
    assert mock.said("GET", "/clock", x_mock_namespace="b")["now"] == "2026-01-01T00:00:00.000Z"
    mock.said("POST", "/reset", x_mock_namespace="b")
    assert mock.said("GET", PLACE, x_mock_namespace="a")["state"] == "failed"
    assert mock.said("GET", "/resources", x_mock_namespace="b")["meta"]["total"] == 0


def test_lists_reads_and_deletes(mock: Mock) -> None:
    mock.poll(x_mock_namespace="a")
    found = mock.said("GET", "/namespaces")
    assert [each["name"] for each in found["namespaces"]] == ["default", "a"]
    assert found["namespaces"][1]["resources"] == 1
    assert mock.said("GET", "/namespaces/a")["journal"] == {"calls": 1, "lost": 0}
    mock.said("DELETE", "/namespaces/a")
    assert mock.fault("GET", "/namespaces/a") == (404, None)
    assert mock.fault("DELETE", "/namespaces/a") == (404, None)
    assert mock.fault("DELETE", "/namespaces/default") == (409, None)
    assert mock.state(x_mock_namespace="a") == "pending"


def test_reset_restores_the_first_state_and_time(mock: Mock) -> None:
    first = [mock.poll() for _ in range(3)]
    mock.said("POST", "/clock/advance", {"by": "2d"})
    mock.said("POST", "/reset")
    assert mock.said("GET", "/requests")["meta"]["total"] == 0
    assert [mock.poll() for _ in range(3)] == first


def test_least_recently_used_namespace_is_deleted_first_with_its_state(mission: Plan) -> None:
    namespaces = Namespaces(max_namespaces=2)
    engine = Engine(mission, store=MemoryStore(), namespaces=namespaces)
    with mocking(engine) as mock:
        for name in ("a", "b", "a", "c"):
            mock.poll(x_mock_namespace=name)
        found = mock.said("GET", "/namespaces")
        assert [each["name"] for each in found["namespaces"]] == ["default", "a", "c"]
        assert found["meta"] == {"total": 3, "most": 3, "evicted": 1}
        assert mock.said("GET", "/resources", x_mock_namespace="b")["meta"]["total"] == 0


def test_prepared_namespace_stays_when_a_thousand_others_are_created(mission: Plan) -> None:
    with mocking(engine_of(mission)) as mock:
        mock.said("POST", "/clock/freeze", {"at": "2030-01-01T00:00:00Z"}, x_mock_namespace="mine")
        engine = mock.engine

        def crowd() -> None:
            for number in range(1_100):
                ask(engine, "GET", f"/__ns/n{number}/nothing")
                ask(engine, "GET", f"/__ns/n{number}{POLL}", {"authorization": "Bearer any"})

        mock.live.run(crowd)
        found = {each["name"]: each["clock"]["now"] for each in mock.said("GET", "/namespaces")["namespaces"]}
        assert found["mine"] == "2030-01-01T00:00:00.000Z"
        assert len(found) == 1_001


def test_control_request_above_the_maximum_of_namespaces_gets_503(mission: Plan) -> None:
    with mocking(Engine(mission, store=MemoryStore(), namespaces=Namespaces(max_namespaces=1))) as mock:
        mock.said("POST", "/clock/advance", {"by": "1h"}, x_mock_namespace="a")
        assert mock.fault("POST", "/clock/advance", {"by": "1h"}, x_mock_namespace="b") == (503, None)
        mock.said("DELETE", "/namespaces/a")
        mock.said("POST", "/clock/advance", {"by": "1h"}, x_mock_namespace="b")


def test_calls_of_a_deleted_namespace_are_counted_as_lost(mission: Plan) -> None:
    with mocking(Engine(mission, store=MemoryStore(), namespaces=Namespaces(max_namespaces=1))) as mock:
        for name in ("a", "a", "b"):
            mock.poll(x_mock_namespace=name)
        never = {"request": {"method": "GET"}, "never": True}
        told = mock.control("POST", "/verify", never, x_mock_namespace="a").json()
        assert (told["status"], told["lost"]) == (409, 2)
        mock.said("POST", "/reset", x_mock_namespace="a")
        assert mock.said("POST", "/verify", never, x_mock_namespace="a")["verified"] is True
        mock.said("DELETE", "/namespaces/a")
        assert mock.said("POST", "/verify", never, x_mock_namespace="a")["verified"] is True


@pytest.mark.parametrize("name", ["a b", "-a", "a" * 200, "../x"])
def test_invalid_name_of_a_namespace_is_refused(mock: Mock, name: str) -> None:
    assert mock.fault("GET", "/clock", x_mock_namespace=name)[0] == 400


def test_a_name_of_another_engine_is_unknown(mission: Plan) -> None:
    with mocking(engine_of(mission)) as mock:
        assert mock.fault("GET", "/namespaces/%ff")[0] == 400
        assert mock.fault("GET", "/namespaces/a%2Fb") == (404, None)


DELAYED = f"""
resource: request
key: path.requestId
operations: {{poll: "GET {MISSION}/{{requestId}}"}}
states: {{late: {{body: {{status: pending}}, delay: 1h}}}}
scenarios: {{late: [late]}}
"""


@pytest.mark.parametrize("ending", ["DELETE /namespaces/t", "POST /reset"])
def test_delayed_response_is_sent_when_its_namespace_is_deleted(
    write: Callable[[str, str], Path], ending: str
) -> None:
    plan = compiled(inputs.DOCUMENT, scenarios=(write("scenarios.yaml", DELAYED),))
    with mocking(engine_of(plan)) as mock, Wire(mock.live.port) as wire:
        mock.said("POST", "/clock/advance", {"by": "1d"}, x_mock_namespace="t")
        lines = [f"GET {POLL} HTTP/1.1", "Host: localhost", "Authorization: Bearer a", "X-Mock-Namespace: t"]
        wire.send("\r\n".join([*lines, "", ""]).encode())
        while not mock.said("GET", "/requests", x_mock_namespace="t")["requests"]:
            pass
        mock.said(*ending.split(), x_mock_namespace="t")
        assert wire.reply().status == 200
