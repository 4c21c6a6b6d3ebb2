"""The way into the Connexion application: ASGI, called in this process, on a thread and a loop of its own.

Importing Connexion takes half a second and each of its requests half a
millisecond. Neither is spent by the thread that answers mocked operations.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future
from typing import Any

from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.request import Request
from mockserver.serve.routing import Router

_HOPS = frozenset(["content-length", "transfer-encoding", "connection"])

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class Gateway:
    """Answers requests by an ASGI application that ``build`` makes, on a thread that starts at once."""

    def __init__(self, build: Callable[[], tuple[App, Router[str]]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._built: Future[tuple[App, Router[str]]] = Future()
        self._build = build
        threading.Thread(target=self._run, name="mockserver-admin", daemon=True).start()

    async def answer(self, request: Request) -> Answer:
        """The application's answer; 500 where it fails."""
        coming = asyncio.run_coroutine_threadsafe(self._call(request), self._loop)
        return await asyncio.wrap_future(coming)

    def _run(self) -> None:
        try:
            self._built.set_result(self._build())
        except BaseException as error:  # noqa: BLE001 - told to every request, as there is no one else to tell
            self._built.set_exception(error)
        self._loop.run_forever()

    async def _call(self, request: Request) -> Answer:
        answer = Answer(500, [], b"", "admin")
        chunks: list[bytes] = []
        arrived = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Message:
            return arrived.pop() if arrived else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                fields = [
                    (name.decode("latin-1").lower(), value.decode("latin-1"))
                    for name, value in message["headers"]
                ]
                answer.headers = [each for each in fields if each[0] not in _HOPS]
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        try:
            app, router = self._built.result()
            if (refusal := _unrouted(request, router)) is not None:
                return refusal
            await app(_scope(request), receive, send)
        except Exception as error:  # noqa: BLE001 - a request is answered, whatever happens
            return problem.failed(request, error)
        answer.body = b"".join(chunks)
        return answer


def _unrouted(request: Request, router: Router[str]) -> Answer | None:
    """What to answer where the document has no such path or method; None where it has."""
    method, path = request.method, request.raw_path
    found = router.find("GET" if method == "HEAD" else method, path)
    if found is None:
        return problem.unknown_path(method, path, router.nearby(path)[:5])
    if found.target is None:
        return problem.unknown_method(method, path, sorted(found.allowed))
    return None


def _scope(request: Request) -> Message:
    """The path stays as sent: a parameter is decoded by whoever reads it, so that it may hold a slash."""
    headers = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
        if name not in _HOPS
    ]
    headers.append((b"content-length", b"%d" % len(request.body)))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET" if request.method == "HEAD" else request.method,
        "scheme": "http",
        "path": request.raw_path,
        "raw_path": request.raw_path.encode("latin-1", "replace"),
        "query_string": request.query_string.encode("latin-1", "replace"),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
