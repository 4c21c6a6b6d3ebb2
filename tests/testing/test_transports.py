from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from urllib3 import Timeout

from mockserver.diagnostics import UsageError
from mockserver.testing import MockServer, Namespace
from tests.live import MISSION
from tests.testing.conftest import KEY

ALLOWED = {"Authorization": "Bearer any"}
POLL = f"http://api.example{MISSION}/{KEY}"


@pytest.fixture
def session(local: MockServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("http://", local.adapter())
        session.headers.update(ALLOWED)
        yield session


@pytest.fixture
def fresh(local: MockServer) -> MockServer:
    local.reset()
    return local


class TestAsgi:
    def test_answers_come_without_a_socket(self, fresh: MockServer) -> None:
        async def work() -> list[str]:
            transport = httpx.ASGITransport(app=fresh.asgi)
            async with httpx.AsyncClient(transport=transport, headers=ALLOWED) as client:
                return [(await client.get(POLL)).json()["status"] for _ in range(3)]

        assert asyncio.run(work()) == ["pending", "pending", "issued"]
        assert fresh.verify(key=KEY) == 3

    def test_a_namespace_by_its_url(self, fresh: MockServer) -> None:
        api = fresh.namespace("asgi")

        async def work() -> None:
            transport = httpx.ASGITransport(app=fresh.asgi)
            async with httpx.AsyncClient(transport=transport, base_url=api.url, headers=ALLOWED) as client:
                await client.get(f"{MISSION}/{KEY}")

        asyncio.run(work())
        assert (api.verify(), len(fresh.calls)) == (1, 0)
        api.drop()

    def test_bodies_arrive_whole(self, fresh: MockServer) -> None:
        async def body() -> AsyncIterator[bytes]:
            for part in (b"a", b"b" * 100_000, b"c"):
                yield part

        async def work() -> None:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=fresh.asgi)) as client:
                await client.post("http://api.example/orders", content=body())

        asyncio.run(work())
        [call] = fresh.calls
        assert call.body.startswith(b"abbb")

    def test_a_lifespan_is_taken(self, fresh: MockServer) -> None:
        said: list[str] = []

        async def work() -> None:
            deferred = iter(["lifespan.startup", "lifespan.shutdown"])

            async def receive() -> dict[str, str]:
                return {"type": next(deferred)}

            async def send(message: dict[str, str]) -> None:
                said.append(message["type"])

            await fresh.asgi({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]

        asyncio.run(work())
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


class TestRequests:
    def test_answers_come_without_a_socket(self, fresh: MockServer, session: requests.Session) -> None:
        found = session.get(POLL, params={"a": "1"})
        assert (found.status_code, found.reason, found.ok) == (200, "OK", True)
        assert found.json()["status"] == "pending"
        assert found.headers["X-Mock-Decision"] == "scenario=issued; state=pending; call=1"
        assert found.encoding == "utf-8"
        assert found.url == f"{POLL}?a=1"
        [call] = fresh.calls
        assert (call.headers["host"], call.url) == ("api.example", f"{MISSION}/{KEY}?a=1")

    def test_error_response_is_an_error_in_requests(
        self, fresh: MockServer, session: requests.Session
    ) -> None:
        fresh.scenario("not-found", key=KEY)
        with pytest.raises(requests.HTTPError, match="404 Client Error: Not Found"):
            session.get(POLL).raise_for_status()

    def test_a_head_has_no_body(self, fresh: MockServer, session: requests.Session) -> None:
        found = session.head(POLL)
        assert (found.status_code, found.content) == (200, b"")

    @pytest.mark.parametrize(
        ("data", "arrived"),
        [
            (b"\x00\xff", b"\x00\xff"),
            ("ä", "ä".encode()),
            ({"a": "1"}, b"a=1"),
            (BytesIO(b"file"), b"file"),
            (iter([b"one", b"two"]), b"onetwo"),
        ],
    )
    def test_bodies(self, fresh: MockServer, session: requests.Session, data: object, arrived: bytes) -> None:
        session.post("http://api.example/orders", data=data)  # type: ignore[arg-type]
        assert fresh.calls[0].body == arrived

    def test_a_stream_is_read_in_parts(self, fresh: MockServer, session: requests.Session) -> None:
        with session.get(POLL, stream=True) as found:
            parts = list(found.iter_content(16))
        assert b"pending" in b"".join(parts)
        assert len(parts) > 1

    def test_events_come_as_they_happen(self, fresh: MockServer, session: requests.Session) -> None:
        with session.get(f"{fresh.url}/__admin/events?kinds=call", stream=True, timeout=20) as found:
            assert found.headers["content-type"] == "text/event-stream"
            lines = found.iter_lines()
            for number in (1, 2):
                session.get(POLL)
                data = next(line for line in lines if line.startswith(b"data: "))
                assert json.loads(data.removeprefix(b"data: "))["decision"].endswith(f"call={number}")
            assert subscribers(fresh) == 1
        assert subscribers(fresh) == 0

    def test_events_that_end_are_a_body(self, fresh: MockServer, session: requests.Session) -> None:
        with ThreadPoolExecutor() as pool:
            deferred = pool.submit(session.get, f"{fresh.url}/__admin/events?kinds=call&most=1")
            while subscribers(fresh) == 0 and not deferred.done():
                pass
            session.get(POLL)
            assert "event: call\n" in deferred.result(20).text
        assert subscribers(fresh) == 0

    def test_a_stream_that_is_left_has_no_follower(
        self, fresh: MockServer, session: requests.Session
    ) -> None:
        assert session.head(f"{fresh.url}/__admin/events").status_code == 200
        with pytest.raises(requests.ConnectionError, match="timed out"):
            session.get(f"{fresh.url}/__admin/events", timeout=0.01)
        assert subscribers(fresh) == 0

    @pytest.mark.parametrize(
        "timeout", [None, 20, (None, 20), Timeout(20), Timeout(connect=1, read=None), Timeout(total=20)]
    )
    def test_timeouts_of_every_kind(self, fresh: MockServer, session: requests.Session, timeout: Any) -> None:
        assert session.get(POLL, timeout=timeout).status_code == 200


def subscribers(server: MockServer) -> int:
    """How many follow the server's events."""
    found = httpx.get(f"{server.url}/__admin/metrics").text
    [count] = re.findall(r"^mockserver_event_followers (\S+)$", found, re.MULTILINE)
    return int(float(count))


DOCUMENT = """
openapi: 3.0.3
info: {title: wire, version: "1"}
paths:
  /wire/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: ok
          headers: {Set-Cookie: {schema: {type: string, enum: [a=1]}}}
          content: {text/plain: {schema: {type: string, enum: [hello]}}}
"""
SCENARIOS = """
resource: wire
key: path.id
operations: {read: "GET /wire/{id}"}
states:
  fine: {body: hello}
  late: {body: hello, delay: 1h}
  slow: {body: hello, dribble: {chunks: 5, over: 1h}}
scenarios:
  fine: [fine]
  slow: [slow]
  late: [late]
  broken: [{state: fine, fault: reset}]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A document and scenarios at one place for all tests, so that they are compiled once."""
    folder = tmp_path_factory.mktemp("wire")
    document, scenarios = folder / "api.yaml", folder / "wire.yaml"
    document.write_text(DOCUMENT, "utf-8")
    scenarios.write_text(SCENARIOS, "utf-8")
    return document, scenarios


@pytest.fixture
def wire(files: tuple[Path, Path], own_cache: None) -> Iterator[MockServer]:
    document, scenarios = files
    with MockServer(document, scenarios=scenarios, clock="2026-01-01T00:00:00Z") as server:
        yield server


def client(server: MockServer) -> requests.Session:
    session = requests.Session()
    session.mount("http://wire", server.adapter())
    return session


def test_cookies_are_kept(wire: MockServer) -> None:
    session = client(wire)
    session.get("http://wire/wire/1")
    session.get("http://wire/wire/1")
    assert wire.calls[1].headers["cookie"] == "a=1"


@pytest.mark.parametrize(
    "timeout", [0.001, (1, 0.001), Timeout(0.001), Timeout(total=0.001), Timeout(total=20, read=0.001)]
)
def test_delay_longer_than_the_timeout_is_a_timeout(wire: MockServer, timeout: Any) -> None:
    wire.scenario("late")
    with pytest.raises(requests.ReadTimeout):
        client(wire).get("http://wire/wire/1", timeout=timeout)


def test_a_body_that_dribbles_comes_by_the_clock(wire: MockServer) -> None:
    wire.scenario("slow")
    with client(wire).get("http://wire/wire/1", stream=True, timeout=20) as found:
        parts = found.iter_content(None)
        assert next(parts) == b"h"
        for part in (b"e", b"l", b"l", b"o"):
            wire.clock.advance("15m")
            assert next(parts) == part
        assert list(parts) == []


@pytest.mark.parametrize("scenario", ["late", "slow"])
def test_a_server_that_stops_keeps_nobody_waiting(wire: MockServer, scenario: str) -> None:
    wire.scenario(scenario)
    with ThreadPoolExecutor() as pool:
        deferred = pool.submit(client(wire).get, "http://wire/wire/1")
        while not wire.calls:
            pass
        wire.stop()
        with pytest.raises(requests.RequestException):
            deferred.result(20)


def test_a_delay_is_over_when_the_clock_says_so(wire: MockServer) -> None:
    wire.scenario("late")
    with ThreadPoolExecutor() as pool:
        deferred = pool.submit(client(wire).get, "http://wire/wire/1", timeout=20)
        while not wire.calls:
            pass
        wire.clock.advance("1h")
        assert deferred.result(20).text == "hello"


def test_wire_fault_is_a_connection_error(wire: MockServer) -> None:
    wire.scenario("broken")
    with pytest.raises(requests.ConnectionError, match="reset"):
        client(wire).get("http://wire/wire/1")


def test_wire_fault_without_a_socket_is_refused(wire: MockServer) -> None:
    with pytest.raises(UsageError, match=r"Use the url of the server.*wire\.yaml: reset, in step 1"):
        _ = wire.asgi
    wire.scenario("broken")
    with pytest.raises(httpx.ReadError):
        httpx.get(f"{wire.url}/wire/1")


def test_a_server_that_was_stopped_answers_nobody(own_cache: None) -> None:
    with MockServer() as server:
        adapter = server.adapter()
    session = requests.Session()
    session.mount("http://gone", adapter)
    with pytest.raises(Exception, match="the mock server was stopped"):
        session.get("http://gone/")


def test_httpx_clients_need_no_more_than_the_url(fresh: MockServer) -> None:
    api: Namespace = fresh.namespace("client")
    with api.client(headers=ALLOWED, timeout=20) as found:
        assert found.get(f"{MISSION}/{KEY}").json()["status"] == "pending"
    api.drop()
