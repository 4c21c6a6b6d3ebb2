"""What a fault of the server's own comes to: a 500 that says no more than that, and a log that says all."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mockserver.admin.app import _Body
from mockserver.admin.namespaces import Clocks
from mockserver.engine.engine import Engine
from mockserver.engine.resources.render import Renderer, RenderError
from mockserver.plan import Plan
from tests.admin.mocking import POLL, mocking
from tests.live import engine_of

SECRET = "a secret of the process"


def fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    ("owner", "name", "method", "path", "body"),
    [
        (Clocks, "get", "GET", "/__admin/clock", None),
        (_Body, "_validate", "POST", "/__admin/clock/advance", {"by": "1s"}),
        (Engine, "respond", "GET", POLL, None),
        (Renderer, "render", "GET", POLL, None),
    ],
)
def test_500_is_logged_with_its_traceback_that_the_client_does_not_get(
    mission: Plan,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    name: str,
    method: str,
    path: str,
    body: Any,
) -> None:
    with mocking(engine_of(mission)) as mock:
        monkeypatch.setattr(owner, name, fail)
        headers = {"Authorization": "Bearer any"}
        response = mock.client.request(
            method, path, headers=headers, **({} if body is None else {"json": body})
        )
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert SECRET not in response.text
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.name == "mockserver.problem"
    assert record.getMessage() == f"{method} {path}"
    assert f"RuntimeError: {SECRET}" in caplog.text
    assert "in fail" in caplog.text


def test_500_for_a_scenario_error_names_it_in_the_response_and_in_one_line_of_the_log(
    mission: Plan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> Any:
        raise RenderError("s.yaml:1:2: it cannot be made")

    with mocking(engine_of(mission)) as mock:
        monkeypatch.setattr(Renderer, "render", refuse)
        response = mock.client.get(POLL, headers={"Authorization": "Bearer any"})
    assert (response.status_code, response.json()["detail"]) == (500, "s.yaml:1:2: it cannot be made")
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.getMessage() == f"GET {POLL}: s.yaml:1:2: it cannot be made"
    assert record.exc_info is None
