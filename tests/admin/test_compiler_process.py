"""Documents that come over HTTP are compiled in a process of its own, while the server goes on."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from tests.admin.mocking import Mock
from tests.admin.test_sources import YAML, put, scenario_text
from tests.live import PATIENCE

LOOP = "".join(f"{{% for {each} in range(9999) %}}" for each in "abc") + "{% endfor %}" * 3 + "x"


def test_endless_template_is_stopped(changeable: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.compile.process.MAX_SECONDS", 5)
    text = scenario_text(changeable).replace("error: NotFound}}", f'error: "{LOOP}"}}}}')
    assert LOOP in text
    response = put(changeable, "/scenario-files/certificate-request", text)
    assert response.status_code == 422
    assert changeable.state() == "pending"


def test_mocked_operations_are_answered_while_a_document_compiles(changeable: Mock) -> None:
    done: list[Any] = []
    text = scenario_text(changeable)
    with httpx.Client(base_url=changeable.live.url, timeout=PATIENCE) as client:

        def change() -> None:
            path = "/__admin/scenario-files/certificate-request"
            done.append(client.put(path, content=text.encode(), headers=YAML).status_code)

        thread = threading.Thread(target=change)
        thread.start()
        polled = 0
        while not done:
            assert changeable.state() in ("pending", "issued")
            polled += 1
        thread.join()
    assert done == [200]
    assert polled > 10
    assert changeable.said("POST", "/requests/count", {})["count"] == polled
