from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockserver import inputs
from tests.admin.mocking import KEY, POLL, Mock, mocking, named
from tests.live import MISSION, PATIENCE, Wire, compiled, engine_of

SLOW = f"/resources/certificate-request/{KEY}"


def test_advancing_ends_holds_and_moves_timestamps(mock: Mock) -> None:
    mock.said("PUT", SLOW, {"scenario": "slow"})
    assert mock.state() == "pending"
    assert mock.said("POST", "/clock/advance", {"by": "30s"})["now"] == "2026-01-01T00:00:30.000Z"
    body = mock.poll()
    assert body["status"] == "issued"
    assert body["updatedAt"] == "2026-01-01T00:00:30.000Z"


def test_freezes_sets_and_resumes(mock: Mock) -> None:
    assert mock.said("GET", "/clock")["frozen"] is True
    assert mock.said("POST", "/clock/resume")["frozen"] is False
    shown = mock.said("POST", "/clock/freeze", {"at": "2030-06-01T12:00:00+02:00"})
    assert shown == {"now": "2030-06-01T10:00:00.000Z", "milliseconds": 1906538400000, "frozen": True}
    assert mock.said("POST", "/clock/set", {"at": "2029-01-01T00:00:00Z"})["frozen"] is True
    assert mock.said("GET", "/clock")["now"] == "2029-01-01T00:00:00.000Z"
    assert mock.said("POST", "/clock/freeze")["now"] == "2029-01-01T00:00:00.000Z"
    assert mock.said("POST", "/clock/reset")["frozen"] is False


def test_the_date_of_answers_follows_the_clock_of_their_namespace(mock: Mock) -> None:
    def date(**headers: str) -> str:
        response = mock.client.get(POLL, headers={"Authorization": "Bearer any", **named(headers)})
        return response.headers["date"]

    assert date() == "Thu, 01 Jan 2026 00:00:00 GMT"
    mock.said("POST", "/clock/advance", {"by": "36h"}, x_mock_namespace="t")
    assert date(x_mock_namespace="t") == "Fri, 02 Jan 2026 12:00:00 GMT"
    assert date() == "Thu, 01 Jan 2026 00:00:00 GMT"
    mock.said("POST", "/clock/advance", {"by": "90061s"})
    assert date() == mock.control("GET", "/health").headers["date"] == "Fri, 02 Jan 2026 01:01:01 GMT"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_other_responses_of_a_connection_have_the_date_of_the_clock(mock: Mock, method: str) -> None:
    """Answers without a body, of a stream, and the refusal of what is no request."""
    date = "date: Thu, 01 Jan 2026 00:00:00 GMT"
    for target, line in ((POLL, "HTTP/1.1"), ("/__admin/events", "HTTP/1.1"), (POLL, "HTTP/9.9")):
        with Wire(mock.live.port) as wire:
            wire.send(f"{method} {target} {line}\r\nHost: localhost\r\n\r\n".encode())
            assert date in wire.reply(to_head=True).head.decode().split("\r\n")


def test_a_running_clock_that_was_set_back_dates_answers(mock: Mock) -> None:
    mock.said("POST", "/clock/resume", x_mock_namespace="t")
    mock.said("POST", "/clock/set", {"at": "2001-01-01T00:00:00Z"}, x_mock_namespace="t")
    response = mock.control("GET", "/clock", x_mock_namespace="t")
    assert response.headers["date"].startswith("Mon, 01 Jan 2001 00:")


def test_date_of_a_response_creates_no_namespace(mock: Mock) -> None:
    mock.control("GET", "/health", x_mock_namespace="never")
    assert [each["name"] for each in mock.said("GET", "/namespaces")["namespaces"]] == ["default"]


FAULTS: list[tuple[str, Any, tuple[int, str]]] = [
    ("advance", {"by": "soon"}, (422, "/by")),
    ("advance", {"by": "9999999d"}, (422, "/by")),
    ("advance", {"by": 30}, (400, "/by")),
    ("advance", {"by": "9" * 30 + "s"}, (400, "/by")),
    ("advance", {}, (400, "")),
    ("set", {"at": "tomorrow"}, (422, "/at")),
    ("set", {"at": "1969-12-31T00:00:00Z"}, (422, "/at")),
    ("set", {"at": "9999-12-31T00:00:00Z"}, (422, "/at")),
    ("freeze", {"until": "x"}, (400, "/until")),
]


@pytest.mark.parametrize(("verb", "body", "fault"), FAULTS, ids=str)
def test_faults_change_nothing(mock: Mock, verb: str, body: Any, fault: tuple[int, str]) -> None:
    assert mock.fault("POST", f"/clock/{verb}", body) == fault
    assert mock.said("GET", "/clock")["now"] == "2026-01-01T00:00:00.000Z"


def test_a_delay_in_flight_ends_when_the_clock_moves_on(write: Callable[[str, str], Path]) -> None:
    scenarios = write(
        "scenarios.yaml",
        f"""
        resource: request
        key: path.requestId
        operations: {{poll: "GET {MISSION}/{{requestId}}"}}
        states: {{late: {{body: {{status: pending}}, delay: 1h}}}}
        scenarios: {{late: [late]}}
        """,
    )
    with mocking(engine_of(compiled(inputs.DOCUMENT, scenarios=(scenarios,)))) as mock:
        arrived: list[int] = []

        def poll() -> None:
            headers = {"Authorization": "Bearer any"}
            response = httpx.get(f"{mock.live.url}{MISSION}/{KEY}", headers=headers, timeout=PATIENCE)
            arrived.append(response.status_code)

        thread = threading.Thread(target=poll)
        thread.start()
        while not mock.said("GET", "/requests")["requests"]:
            pass
        assert not arrived
        mock.said("POST", "/clock/advance", {"by": "1h"})
        thread.join(PATIENCE)
        assert arrived == [200]


LONG = ["99999999999999999999d", "9" * 400 + "d", "365001d", "9" * 17 + "d", "1" * 5000 + "ms"]


@pytest.mark.parametrize("by", LONG)
def test_advance_after_the_latest_time_is_refused(mock: Mock, by: str) -> None:
    before = mock.said("GET", "/clock")
    status, pointer = mock.fault("POST", "/clock/advance", {"by": by})
    assert (status, pointer) in ((400, "/by"), (422, "/by"))
    assert mock.said("GET", "/clock") == before


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "0000-00-00T00:00:00Z", ""])
@pytest.mark.parametrize("verb", ["set", "freeze"])
def test_set_to_a_time_out_of_range_is_refused(mock: Mock, verb: str, at: str) -> None:
    status, _ = mock.fault("POST", f"/clock/{verb}", {"at": at})
    assert status in (400, 422)
    assert mock.said("GET", "/clock")["now"] == "2026-01-01T00:00:00.000Z"


def test_the_longest_hold_has_an_end_that_can_be_shown_at_the_latest_time(
    tmp_path: Path, write: Callable[[str, str], Path]
) -> None:
    life = inputs.SCENARIOS.read_text("utf-8") if inputs.SCENARIOS.is_file() else ""
    files = [inputs.SCENARIOS] if life else sorted(inputs.SCENARIOS.glob("*.yaml"))
    texts = [(each.name, each.read_text("utf-8").replace("30s", "365000d")) for each in files]
    plan = compiled(inputs.DOCUMENT, scenarios=[write(*each) for each in texts])
    with mocking(engine_of(plan, clock="9000-01-01T00:00:00Z")) as mock:
        mock.said("PUT", SLOW, {"scenario": "slow"})
        [found] = mock.said("GET", "/resources")["resources"]
        assert found["next"] == {"state": "issued", "at": found["next"]["at"], "in": "365000d"}
        assert mock.poll()["status"] == "pending"
