"""A server with its control plane, for tests to talk to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from mockserver.admin.plane import ControlPlane
from mockserver.engine.engine import Engine
from tests.live import CERTIFICATES, MISSION, PATIENCE, Live, serving_engine

KEY = "11111111-1111-4111-8111-111111111111"
POLL = f"{MISSION}/{KEY}"
_ALLOWED = {"Authorization": "Bearer any"}


@dataclass(frozen=True)
class Mock:
    """A server with its control plane, and a client of it."""

    engine: Engine
    live: Live
    client: httpx.Client

    def begin_anew(self) -> None:
        """As after the start, but for what is served."""

        def work() -> None:
            namespaces = self.engine.namespaces
            for name in [each.name for each in namespaces if each is not namespaces.default]:
                namespaces.drop(name)
            self.engine.reset(namespaces.default.name)
            namespaces.default.journal.clear()
            namespaces.default.clock.freeze(namespaces.frozen_at)
            self.engine.unrouted.clear()
            for service in self.engine.services:
                for route in service.routes:
                    route.tally.clear()

        self.live.run(work)

    def poll(self, key: str = KEY, **headers: str) -> Any:
        """The body of one poll of a certificate request."""
        response = self.client.get(f"{MISSION}/{key}", headers={**_ALLOWED, **named(headers)})
        return response.json()

    def state(self, key: str = KEY, **headers: str) -> str:
        return str(self.poll(key, **headers)["status"])

    def control(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {} if body is None else {"json": body}
        return self.client.request(method, f"/__admin{path}", headers=named(headers), **sent)

    def said(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a control request that succeeds."""
        response = self.control(method, path, body, **headers)
        assert response.is_success, response.text
        return response.json()

    def fault(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and pointer of a control request that fails."""
        response = self.control(method, path, body, **headers)
        assert response.headers["content-type"] == "application/problem+json", response.text
        assert response.json()["detail"]
        return response.status_code, response.json().get("pointer")


def named(headers: dict[str, str]) -> dict[str, str]:
    """``x_mock_namespace="a"`` as header fields."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def mocking(engine: Engine, **settings: Any) -> Iterator[Mock]:
    plane = ControlPlane(engine, **settings)
    engine.control = plane.response
    with serving_engine(engine) as live:
        live.server.on_stop = plane.close
        with httpx.Client(base_url=live.url, timeout=PATIENCE, verify=CERTIFICATES) as client:
            yield Mock(engine, live, client)
