"""The engine as an ASGI application, for uvicorn, Granian, Hypercorn and ``httpx.ASGITransport``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal
from urllib.parse import quote

from mockserver import problem
from mockserver.diagnostics import UsageError
from mockserver.engine.engine import Engine
from mockserver.http.faults import stated
from mockserver.http.wire import field_value, has_content
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import DEFAULT

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """An ASGI 3 application with HTTP and lifespan. Delays follow the namespace's clock."""

    def __init__(self, engine: Engine, *, faults: Literal["refuse", "off"] = "refuse") -> None:
        """Create the application. ``faults`` off: send whole responses in place of network faults.

        Raises UsageError if ``faults`` is refuse and a scenario file uses network faults: an ASGI
        application cannot reset a connection.
        """
        self.engine = engine
        if faults == "refuse" and (places := list(stated(engine.plan))):
            raise UsageError(
                "wire faults are impossible under an ASGI server; run `mockserver serve`, or pass "
                f'faults="off" to serve without them. They are used at {"; ".join(places)}.'
            )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1003})
            return
        try:
            body = await _body(receive, self.engine.options.max_body)
        except _Disconnected:
            return
        if body is None:
            response = problem.problem(
                413, f"the body is over {self.engine.options.max_body:,} bytes", decision="wire"
            )
            await _send(response, scope["method"], send)
            return
        request = _request(scope, body)
        deferred = self.engine.handle(request)
        response = deferred if isinstance(deferred, Response) else await deferred
        if response.delay:
            worlds = self.engine.worlds
            world = worlds.shown(request.headers.get("x-mock-namespace", DEFAULT))
            with worlds.memory.wait(len(response.body)):
                await world.clock.sleep(response.delay)
        await _send(response, request.method, send)


class _Disconnected(Exception):  # noqa: N818 - an event, not an error
    """The client disconnected before its request was complete."""


def _request(scope: MutableMapping[str, Any], body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        field, text = name.decode("latin-1").lower(), value.decode("latin-1")
        separator = "; " if field == "cookie" else ", "
        headers[field] = f"{headers[field]}{separator}{text}" if field in headers else text
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"], safe="/~!$&'()*+,;=:@")
    return Request(
        scope["method"], path.partition("?")[0], scope["query_string"].decode("latin-1"), headers, body
    )


async def _body(receive: Receive, limit: int) -> bytes | None:
    """Return the body; None if it has over ``limit`` bytes. Raises _Disconnected."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return None
        parts.append(chunk)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(response: Response, method: str, send: Send) -> None:
    headers = [(name.encode("latin-1"), field_value(value)) for name, value in response.headers]
    if response.decision:
        headers.append((b"x-mock-decision", field_value(response.decision)))
    if response.stream is None and has_content(response.status):
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.stream is not None and method != "HEAD":
        async for chunk in response.stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else response.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
