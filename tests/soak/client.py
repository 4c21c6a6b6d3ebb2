"""One connection that polls, and writes down what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.connections import Connection, connect
from tests.soak import timelines
from tests.soak.attempt import Attempt, Outcome

_COUNTED = b"; counted="
_SAID: dict[bytes, Outcome] = {b"no": "refused", b"unknown": "unknown"}


class Client:
    """Polls one key at a time. A connection that breaks is made anew with the next poll."""

    def __init__(self, number: int, port: int, write: Callable[[Attempt], None]) -> None:
        self._number = number
        self._port = port
        self._write = write
        self._connection: Connection | None = None
        self._instance = 0

    async def poll(self, key: str) -> Attempt:
        """One attempt, which is written down. It waits for as long as the server does."""
        start = time.monotonic_ns()
        if self._connection is None or self._connection.is_closed:
            self._instance += 1
            self._connection = await connect(self._port)
        outcome: Outcome
        status, body = 0, b""
        if self._connection.is_closed:
            outcome = "unsent"
        else:
            try:
                answer = await self._connection.send(_request(key))
            except (OSError, EOFError):
                outcome = "cut"
            else:
                outcome, status, body = "answered", answer.status, answer.body
                if status == 503 and _COUNTED in answer.head:
                    outcome = _SAID[answer.head.partition(_COUNTED)[2].partition(b"\r\n")[0]]
        told = json.loads(body)["detail"] if outcome in _SAID.values() else body.decode()
        end = time.monotonic_ns()
        attempt = Attempt(self._number, key, start, end, outcome, status, told, self._instance)
        self._write(attempt)
        return attempt

    def close(self) -> None:
        if self._connection is not None:
            self._connection.transport.close()


def _request(key: str) -> bytes:
    return f"GET {timelines.PATH}{key} HTTP/1.1\r\nHost: soak\r\n\r\n".encode()
