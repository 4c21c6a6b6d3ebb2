"""One request whose response is not ready: it waits for a delay or a store, or it is a stream or a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mockserver import problem
from mockserver.http import faults, wire
from mockserver.messages import Request, Response

if TYPE_CHECKING:
    from mockserver.http.connection import Connection


class Exchange:
    """The request in progress of a connection, until its response is sent."""

    __slots__ = ("_connection", "_keep", "_request", "_server", "_started")

    def __init__(self, connection: Connection, request: Request, keep: bool, started: float) -> None:
        self._connection = connection
        self._server = connection.server
        self._request = request
        self._keep = keep
        """Whether the connection stays open after the response."""
        self._started = started

    def on_response(self, response: Response) -> None:
        """Send a deferred response that has arrived."""
        connection = self._connection
        if response.delay or response.fault or response.stream is not None or connection.unread is not None:
            connection.task = asyncio.get_running_loop().create_task(self.respond(response))
            return
        connection.task = None
        if connection.closing:
            return
        connection.write(self._request, response, self._keep, self._server.time())
        self._log(response)
        connection.serve_rest()

    async def respond(self, deferred: Response | Awaitable[Response]) -> None:
        """Wait for the response and its delay, send it, and continue with the waiting requests."""
        connection = self._connection
        try:
            response = deferred if isinstance(deferred, Response) else await deferred
            connection.release_body()
            if response.delay:
                self._request = replace(self._request, body=b"")
                del deferred
                with self._server.memory.wait(len(response.body), connection.client):
                    await self._server.clock_of(self._request).sleep(response.delay)
            if response.fault:
                self._apply_fault(response)
                self._log(response)
                return
            if response.stream is not None:
                await self._stream(response)
            else:
                connection.write(self._request, response, self._keep, self._server.time())
            self._log(response)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the client gets a response, the log the traceback
            failed = problem.failed(self._request, error)
            connection.write(self._request, failed, keep=False, now=self._server.time())
        finally:
            connection.task = None
            connection.release_body()
        if connection.unread is not None:
            await connection.unread.wait()
        connection.serve_waiting()

    async def _stream(self, response: Response) -> None:
        """Send a stream with chunked coding (RFC 9112 section 7.1); to HTTP/1.0 until the connection ends."""
        connection, request = self._connection, self._request
        framed = not connection.is_http10
        coding = [("transfer-encoding", "chunked")] if framed else []
        keep = self._keep and framed
        chunked = Response(response.status, [*response.headers, *coding], b"", response.decision)
        clock = self._server.clock_of(request)
        connection.transport.write(
            wire.head(chunked, length=None, close=not keep, keep_alive=False, clock=clock)
        )
        if response.stream is not None and request.method != "HEAD":
            async for chunk in response.stream:
                if connection.closing:
                    return
                if connection.unread is not None:
                    await connection.unread.wait()
                if chunk:
                    connection.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if framed else chunk)
                    if connection.unread is not None:
                        connection.unread.count(len(chunk))
        if connection.closing:
            return
        if framed and request.method != "HEAD":
            connection.transport.write(b"0\r\n\r\n")
        connection.end_response(keep)

    def _apply_fault(self, response: Response) -> None:
        """Apply the network fault of a response. A stalled connection closes after ``stall_time``."""
        connection = self._connection
        connection.closing = True
        clock = self._server.clock_of(self._request)
        is_open = faults.commit(response, self._request, connection.transport, clock)
        if connection.unread is not None:
            connection.unread.count(len(response.body))
        if is_open:
            connection.deadline = self._server.time() + self._server.limits.stall_time

    def _log(self, response: Response) -> None:
        if self._server.log_access is not None:
            self._server.log_access(self._request, response, self._server.time() - self._started)
