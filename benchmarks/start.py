"""From spawning a server to its first valid answer."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable

from benchmarks.process import Process
from benchmarks.wire import Connection, Response

TIMEOUT = 60.0
_POLL = 0.001


class StartError(Exception):
    """The server ended, or gave no valid answer in time; the text holds what it printed."""


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def has_status(response: Response) -> bool:
    """Whether it is a 200 with a JSON object that has a ``status``. ValueError: no JSON."""
    return response.status == 200 and "status" in json.loads(response.body)


def first_answer(
    process: Process,
    port: int,
    path: str,
    *fields: str,
    is_meant: Callable[[Response], bool] = has_status,
) -> Response:
    """Wait for the answer that ``is_meant``, asking anew with header ``fields`` every millisecond."""
    deadline = time.monotonic() + TIMEOUT
    last = "nothing listens"
    while time.monotonic() < deadline:
        if not process.running:
            raise StartError(f"it ended before the first answer:\n{process.output()}")
        try:
            with Connection(port, timeout=TIMEOUT) as connection:
                response = connection.get(path, *fields)
            if is_meant(response):
                return response
            last = f"it answers {response.status} {response.body[:200]!r}"
        except (OSError, ValueError) as reason:
            last = str(reason)
        time.sleep(_POLL)
    raise StartError(f"no valid answer within {TIMEOUT:.0f} s ({last}):\n{process.output()}")
