"""``events``: calls, state changes, resets and reloads as server-sent events (WHATWG HTML 9.2).

Without subscribers nothing is done. A subscriber that is slower than the calls loses events. The
stream reports how many.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from mockserver import problem
from mockserver.admin.calls import summary_json
from mockserver.engine.engine import Engine
from mockserver.media.json import encode_json
from mockserver.messages import Request, Response
from mockserver.namespaces.journal import Call, Record
from mockserver.plan import JSON

KINDS = ("call", "state", "reset", "reload")
_MAX_QUEUE = 1000
"""Maximum number of events that wait for a slow subscriber."""
_KEEPALIVE = 15.0
"""Seconds without an event after which a stream sends a comment."""
_MAX_STATES = 10_000


class Events:
    """The streams of events. All methods run on the engine's loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._subscribers: set[_Subscriber] = set()
        self._states: dict[tuple[str, str, str], str] = {}
        """Resource → its last known state, while there are subscribers."""
        self._number = 0

    @property
    def subscribers(self) -> int:
        """The number of open streams."""
        return len(self._subscribers)

    def response(self, request: Request) -> Response:
        """Return a stream. The query can have ``kinds`` (comma-separated) and ``most`` (number of events)."""
        if request.method not in ("GET", "HEAD"):
            return problem.unknown_method(request.method, request.raw_path, ["GET", "HEAD"])
        chosen = dict(parse_qsl(request.query_string, keep_blank_values=True))
        kinds = frozenset(chosen.pop("kinds", ",".join(KINDS)).split(","))
        max_events = chosen.pop("most", None)
        if unknown := sorted(kinds - set(KINDS)):
            return problem.problem(400, f"kinds={unknown[0][:200]} is not one of {', '.join(KINDS)}")
        if max_events is not None and not (
            max_events.isascii() and max_events.isdigit() and len(max_events) < 10
        ):
            return problem.problem(400, f"most={max_events[:200]} is not a number of events")
        if chosen:
            return problem.problem(400, f"there is no query parameter {min(chosen)[:200]}; use kinds or most")
        subscriber = _Subscriber(kinds, None if max_events is None else int(max_events))
        headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")]
        if request.method == "HEAD" or subscriber.left == 0:
            return Response(200, headers, b"", "admin")
        self._subscribers.add(subscriber)
        self._engine.namespaces.journal_pool.watch = self._on_call
        return Response(200, headers, b"", "admin", stream=self._stream(subscriber))

    def publish(self, kind: str, data: dict[str, JSON]) -> None:
        """Send an event to all subscribers of its kind."""
        if not self._subscribers:
            return
        self._number += 1
        text = b"event: %b\nid: %d\ndata: %b\n\n" % (kind.encode(), self._number, encode_json(data))
        for subscriber in self._subscribers:
            subscriber.add(kind, text)

    def close(self) -> None:
        """End all streams, because the server stops."""
        for subscriber in self._subscribers:
            subscriber.end()

    async def _stream(self, subscriber: _Subscriber) -> AsyncIterator[bytes]:
        try:
            yield b": the events of this server from now on\n\n"
            while True:
                try:
                    text = await asyncio.wait_for(subscriber.queue.get(), _KEEPALIVE)
                except TimeoutError:
                    yield b": alive\n\n"
                    continue
                if text is None:
                    return
                if subscriber.lost:
                    yield b'event: lost\ndata: {"events":%d}\n\n' % subscriber.lost
                    subscriber.lost = 0
                yield text
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._engine.namespaces.journal_pool.watch = None
                self._states.clear()

    def _on_call(self, namespace: str, record: Record) -> None:
        call = Call(*record)
        self.publish("call", {"namespace": namespace, **summary_json(namespace, call)})
        response = call.response
        runtime = self._engine.runtimes.get(response.resource)
        if runtime is None:
            return
        known = self._engine.store.peek_cached(namespace, response.resource, response.key)
        if known is None or not runtime.has_step(known):
            return
        reached = runtime.at(call.when, known, namespace, response.key)
        state = runtime.timeline(reached.scenario)[reached.step].state
        resource_key = namespace, response.resource, response.key
        before = self._states.pop(resource_key, None) or call.decided("state")
        if len(self._states) >= _MAX_STATES:
            self._states.pop(next(iter(self._states)))
        self._states[resource_key] = state
        if before != state:
            change = {"namespace": namespace, "resource": response.resource, "key": response.key}
            self.publish("state", {"cause": "call", **change, "from": before, "state": state})


class _Subscriber:
    """One stream. ``left`` is the number of events that it still gets; None for no limit."""

    def __init__(self, kinds: frozenset[str], max_events: int | None) -> None:
        self.kinds = kinds
        self.left = max_events
        self.lost = 0
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def add(self, kind: str, text: bytes) -> None:
        if kind not in self.kinds or self.left == 0:
            return
        if self.queue.qsize() >= _MAX_QUEUE:
            self.lost += 1
            return
        self.queue.put_nowait(text)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.end()

    def end(self) -> None:
        """End the stream after the events in the queue."""
        self.queue.put_nowait(None)
