"""The engine as an ASGI application: by hand, in httpx, and under uvicorn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, MutableMapping
from typing import Any

import httpx
import pytest
import uvicorn

from mockserver.engine.asgi import AsgiApp
from mockserver.engine.engine import Engine, Options
from mockserver.http.listener import bind
from mockserver.plan import Plan
from tests.live import MISSION, PATIENCE, engine_of

KEY = f"{MISSION}/5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"
LIMITED = f"{MISSION}/00000000-0000-4000-8000-000000000429"

Message = MutableMapping[str, Any]


def call(app: AsgiApp, scope: dict[str, Any], *messages: dict[str, Any]) -> list[Message]:
    """What the application sends when it is given ``messages``."""
    waiting, sent = list(messages), list[Message]()

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def scope(path: str = KEY, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        **more,
    }


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


@pytest.fixture
def app(engine: Engine) -> AsgiApp:
    return AsgiApp(engine)


def test_a_request_is_answered(app: AsgiApp) -> None:
    start, content = call(app, scope(), body())
    assert start["status"] == 200
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == str(len(content["body"])).encode()
    assert headers[b"x-mock-decision"] == b"scenario=issued; state=pending; call=1"
    assert content["body"].startswith(b'{"status":"pending"')


def test_a_body_in_parts_is_capped_to_the_byte(mission: Plan) -> None:
    app = AsgiApp(engine_of(mission, options=Options(max_body=10)))
    exact = call(app, scope(), body(b"12345", more=True), body(b"67890"))
    assert exact[0]["status"] == 200
    over = call(app, scope(), body(b"12345", more=True), body(b"678901", more=True))
    assert over[0]["status"] == 413


def test_a_client_that_leaves_before_its_request_is_whole_spends_no_call(app: AsgiApp) -> None:
    assert call(app, scope(), body(b"1", more=True), {"type": "http.disconnect"}) == []
    start, _ = call(app, scope(), body())
    assert dict(start["headers"])[b"x-mock-decision"] == b"scenario=issued; state=pending; call=1"


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/a b", None),
        ("/ü", None),
        ("/100%", None),
        ("/a%20b", b"/a%2520b"),
        ("/x", b"/x?y"),
    ],
)
def test_the_path_is_taken_raw_or_encoded_again(app: AsgiApp, path: str, raw: bytes | None) -> None:
    sent = call(app, scope(path, raw_path=raw), body())
    assert sent[0]["status"] == 404
    [record] = app.engine.namespaces.default.journal.records()
    expected = {"/a b": "/a%20b", "/ü": "/%C3%BC", "/100%": "/100%25", "/a%20b": "/a%2520b", "/x": "/x"}
    assert record[3].raw_path == expected[path]


def test_no_request_breaks_out_of_a_header(mission: Plan) -> None:
    app = AsgiApp(engine_of(mission, options=Options(validation="warn")))
    path = f"{MISSION}/%0d%0aSet-Cookie:%20a=b%01"
    start, _ = call(app, scope(path), body())
    told = dict(start["headers"])[b"x-mock-violations"]
    assert b"Set-Cookie" in told
    assert not any(mark in told for mark in b"\r\n\x01")


def test_lifespan_events_are_acknowledged(app: AsgiApp) -> None:
    sent = call(app, {"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [each["type"] for each in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_web_sockets_are_refused(app: AsgiApp) -> None:
    sent = call(app, {"type": "websocket"}, {"type": "websocket.connect"})
    assert sent == [{"type": "websocket.close", "code": 1003}]


def test_a_head_request_is_answered_without_a_body(app: AsgiApp) -> None:
    start, content = call(app, scope(method="HEAD"), body())
    assert content["body"] == b""
    assert int(dict(start["headers"])[b"content-length"]) > 100


def test_the_app_answers_in_httpx(app: AsgiApp) -> None:
    async def poll() -> list[Any]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
            return [(await client.get(KEY)).json()["status"] for _ in range(3)]

    assert asyncio.run(poll()) == ["pending", "pending", "issued"]


def test_concurrent_polls_in_httpx_are_counted_exactly(app: AsgiApp) -> None:
    async def poll() -> list[str]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
            answers = await asyncio.gather(*(client.get(KEY) for _ in range(16)))
        return sorted(response.json()["status"] for response in answers)

    assert asyncio.run(poll()) == ["issued"] * 14 + ["pending"] * 2


@pytest.fixture
def under_uvicorn(app: AsgiApp) -> Iterator[str]:
    listener = bind("127.0.0.1", 0)
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_app_answers_under_uvicorn(under_uvicorn: str) -> None:
    with httpx.Client(base_url=under_uvicorn) as client:
        assert [client.get(KEY).json()["status"] for _ in range(3)] == ["pending", "pending", "issued"]
        limited = client.get(LIMITED)
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "30")
        assert client.get(f"{MISSION}/x").status_code == 422
        assert client.post(KEY, content=b"x").headers["allow"] == "GET, HEAD, OPTIONS"
        assert client.get("/__admin/health").json()["status"] == "healthy"
        assert client.head(KEY).content == b""
