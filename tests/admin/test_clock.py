from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockserver import default
from tests.admin.mocking import KEY, Mock, mocking
from tests.live import MISSION, PATIENCE, compiled, engine_of

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
    with mocking(engine_of(compiled(default.DOCUMENT, scenarios=(scenarios,)))) as mock:
        arrived: list[int] = []

        def poll() -> None:
            headers = {"Authorization": "Bearer any"}
            answer = httpx.get(f"{mock.live.url}{MISSION}/{KEY}", headers=headers, timeout=PATIENCE)
            arrived.append(answer.status_code)

        thread = threading.Thread(target=poll)
        thread.start()
        while not mock.said("GET", "/requests")["requests"]:
            pass
        assert not arrived
        mock.said("POST", "/clock/advance", {"by": "1h"})
        thread.join(PATIENCE)
        assert arrived == [200]
