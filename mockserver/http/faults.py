"""Network faults on one connection. Other connections are not affected.

=======  ===================================  ===========================
name     what the client receives             WireMock's name
=======  ===================================  ===========================
reset    nothing; the connection is reset     CONNECTION_RESET_BY_PEER
empty    nothing; the connection is closed    EMPTY_RESPONSE
garbage  bytes that are not HTTP, then close  RANDOM_DATA_THEN_CLOSE
chunk    a valid head, a malformed chunk      MALFORMED_RESPONSE_CHUNK
short    half of the body, then close
stall    a valid head, then nothing more
close    the whole response, then close,
         without ``Connection: close``
=======  ===================================  ===========================
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from random import Random

from mockserver.http import wire
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.plan import Plan

_NO_LINGER = struct.pack("ii", 1, 0)
_GARBAGE_LENGTH = 96
_MALFORMED_CHUNK = b"no chunk begins like this\r\n"


def commit(response: Response, request: Request, transport: asyncio.Transport, clock: Clock) -> bool:
    """Apply ``response.fault`` instead of sending the response. Return whether the connection stays open."""
    body = b"" if request.method == "HEAD" else response.body
    match response.fault:
        case "reset":
            _reset(transport)
        case "garbage":
            transport.write(garbage(request))
        case "chunk":
            transport.write(_head(response, clock, ("transfer-encoding", "chunked")) + _MALFORMED_CHUNK)
        case "short":
            promised = str(max(2, len(response.body)))
            transport.write(_head(response, clock, ("content-length", promised)) + body[: len(body) // 2])
        case "stall":
            transport.write(_head(response, clock, ("content-length", str(max(1, len(response.body))))))
            return True
        case "close":
            length = len(response.body) if wire.has_content(response.status) else None
            head = wire.head(response, length=length, close=False, keep_alive=False, clock=clock)
            transport.write(head + body)
    transport.close()
    return False


def garbage(request: Request) -> bytes:
    """Return bytes that are not HTTP: the same bytes for the same method and path."""
    return b"\x00" + Random(f"garbage {request.method} {request.raw_path}").randbytes(_GARBAGE_LENGTH)


def _reset(transport: asyncio.Transport) -> None:
    """Close with a RST: with a linger time of 0, the kernel drops its buffers and resets at once."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def _head(response: Response, clock: Clock, *fields: tuple[str, str]) -> bytes:
    headed = Response(response.status, [*response.headers, *fields], b"", response.decision)
    return wire.head(headed, length=None, close=False, keep_alive=False, clock=clock)


def stated(plan: Plan) -> Iterator[str]:
    """List the locations at which the scenario files of a Plan use faults."""
    for resource in plan.resources:
        for state in resource.states.values():
            for recipe in state.answers.values():
                if recipe.fault:
                    yield f"{recipe.where}: {recipe.fault}"
        for scenario in resource.scenarios.values():
            for number, step in enumerate(scenario.steps, 1):
                if step.fault:
                    yield f"{resource.source}: {step.fault}, in step {number} of scenario {scenario.name}"
        flaky = {"": resource.flaky} | {alias: role.flaky for alias, role in resource.roles.items()}
        for alias, failures in flaky.items():
            for name in failures.answers if failures is not None else ():
                if not name.isdigit() and name not in resource.states:
                    yield f"{resource.source}: {name}, by `flaky`{f' of operation {alias}' if alias else ''}"
