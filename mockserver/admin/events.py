"""``events``: calls, state changes, resets and reloads as they happen (server-sent, WHATWG HTML 9.2).

While nobody listens, nothing is done. A listener that is slower than the calls
loses events, and is told how many.
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
from mockserver.state.machine import advance_time

KINDS = ("call", "state", "reset", "reload")
_WAITING = 1000
"""Events that wait for a slow listener."""
_ALIVE = 15.0
"""Seconds after which a silent stream says that it still is there."""
_REMEMBERED = 10_000


class Events:
    """Everything here runs on the engine's loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followers: set[_Follower] = set()
        self._states: dict[tuple[str, str, str], str] = {}
        """The state in which each resource was last seen, while somebody listens."""
        self._number = 0

    @property
    def followers(self) -> int:
        return len(self._followers)

    def response(self, request: Request) -> Response:
        """A stream. The query may choose ``kinds`` (with commas) and end it after ``most`` events."""
        if request.method not in ("GET", "HEAD"):
            return problem.unknown_method(request.method, request.raw_path, ["GET", "HEAD"])
        chosen = dict(parse_qsl(request.query_string, keep_blank_values=True))
        kinds = frozenset(chosen.pop("kinds", ",".join(KINDS)).split(","))
        most = chosen.pop("most", None)
        if unknown := sorted(kinds - set(KINDS)):
            return problem.problem(400, f"kinds={unknown[0][:200]} is none of {', '.join(KINDS)}")
        if most is not None and not (most.isascii() and most.isdigit() and len(most) < 10):
            return problem.problem(400, f"most={most[:200]} is no number of events")
        if chosen:
            return problem.problem(
                400, f"there is no query parameter {min(chosen)[:200]}; there are kinds, most"
            )
        follower = _Follower(kinds, None if most is None else int(most))
        headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")]
        if request.method == "HEAD" or follower.left == 0:
            return Response(200, headers, b"", "admin")
        self._followers.add(follower)
        self._engine.worlds.journal_pool.watch = self._called
        return Response(200, headers, b"", "admin", stream=self._stream(follower))

    def publish(self, kind: str, data: dict[str, JSON]) -> None:
        """Tell everyone who listens."""
        if not self._followers:
            return
        self._number += 1
        text = b"event: %b\nid: %d\ndata: %b\n\n" % (kind.encode(), self._number, encode_json(data))
        for follower in self._followers:
            follower.take(kind, text)

    def close(self) -> None:
        """End every stream: the server stops."""
        for follower in self._followers:
            follower.end()

    async def _stream(self, follower: _Follower) -> AsyncIterator[bytes]:
        try:
            yield b": the events of this server from now on\n\n"
            while True:
                try:
                    text = await asyncio.wait_for(follower.waiting.get(), _ALIVE)
                except TimeoutError:
                    yield b": alive\n\n"
                    continue
                if text is None:
                    return
                if follower.lost:
                    yield b'event: lost\ndata: {"events":%d}\n\n' % follower.lost
                    follower.lost = 0
                yield text
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._engine.worlds.journal_pool.watch = None
                self._states.clear()

    def _called(self, namespace: str, record: Record) -> None:
        call = Call(*record)
        self.publish("call", {"namespace": namespace, **summary_json(namespace, call)})
        response = call.response
        runtime = self._engine.lifecycles.get(response.resource)
        if runtime is None:
            return
        known = self._engine.store.peek_cached(namespace, response.resource, response.key)
        if known is None or runtime.steps(known.scenario) is None:
            return
        steps = runtime.timeline(known.scenario)
        dice = runtime.dice(namespace, response.key)
        state = steps[advance_time(steps, known, call.when, dice).step].state
        place = namespace, response.resource, response.key
        before = self._states.pop(place, None) or call.decided("state")
        if len(self._states) >= _REMEMBERED:
            self._states.pop(next(iter(self._states)))
        self._states[place] = state
        if before != state:
            change = {"namespace": namespace, "resource": response.resource, "key": response.key}
            self.publish("state", {"cause": "call", **change, "from": before, "state": state})


class _Follower:
    """One listener. ``left`` counts down the events that it still wants; None: all there will be."""

    def __init__(self, kinds: frozenset[str], most: int | None) -> None:
        self.kinds = kinds
        self.left = most
        self.lost = 0
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    def take(self, kind: str, text: bytes) -> None:
        if kind not in self.kinds or self.left == 0:
            return
        if self.waiting.qsize() >= _WAITING:
            self.lost += 1
            return
        self.waiting.put_nowait(text)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.end()

    def end(self) -> None:
        self.waiting.put_nowait(None)
