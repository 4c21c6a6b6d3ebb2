"""The HTTP/1.1 connection of one client, on asyncio and llhttp (RFC 9112).

It sends the responses in the order of the requests (RFC 9112 section 9.3.2). A response that is ready is
written at once, without a task. A response that waits (for a delay, a store or a stream) delays the
responses after it. ``RequestParser`` parses a request whose header section is not known.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial

from msgspec.structs import replace

from mockserver import problem
from mockserver.http import wire
from mockserver.http.exchange import Exchange
from mockserver.http.owner import ConnectionOwner, Turn, client_of
from mockserver.http.request_parser import NO_PARSER, RequestParser
from mockserver.http.sections import Section
from mockserver.http.unread import WRITE_BUFFER, UnreadResponses
from mockserver.messages import Deferred, Request, Response
from mockserver.namespaces.clock import Clock

_LINGER = 1.0
"""Seconds for which the server still reads from a client after an error response."""
_MAX_WAITING = 32
"""Number of waiting pipelined requests at which the server stops reading."""
_MAX_PARSED = 8192
"""Octets that the server parses for one connection before it serves the next one."""
_LARGE_BODY = 4 * 1024
"""Octets of an uncompressed request body. A larger body waits for its turn."""
_REQUEST_OVERHEAD = 512
"""Bytes of memory that a waiting request takes in addition to its fields and body."""


class Connection(asyncio.Protocol):
    """The protocol of one connection. Its server has the handler, the limits and the set of connections."""

    __slots__ = (
        "_behind",
        "_counted",
        "_has_eof",
        "_last_data",
        "_last_request",
        "_parser",
        "_refusal",
        "_refused",
        "_section",
        "_serving",
        "_unparsed",
        "_waiting",
        "client",
        "closing",
        "deadline",
        "is_http10",
        "server",
        "task",
        "transport",
        "unread",
    )

    def __init__(self, server: ConnectionOwner) -> None:
        self.server = server
        self._waiting: deque[tuple[Request, bool, int]] = deque()
        """Pipelined requests, with whether the connection stays open after each, and its octets."""
        self._behind = 0
        """Octets of the waiting requests."""
        self._counted = 0
        """Octets of unserved requests that ``memory.unfinished`` contains for this connection."""
        self._serving = 0
        """Octets of the body of the request in progress that ``memory.unfinished`` contains."""
        self.unread: UnreadResponses | None = None
        """The responses that wait for the client; None while the write buffer has room."""
        self.client = ""
        """The address of the client, where the server counts by client; else empty."""
        self.task: asyncio.Task[None] | Deferred[Response] | Deferred[bytes] | Turn | None = None
        self.closing = False
        self._refused = False
        self._refusal: Response | None = None
        self._has_eof = False
        self.is_http10 = False
        self._parser = NO_PARSER  # created for the first request with an unknown section
        self._section: Section | None = None
        """The section of the last request that a later request may repeat."""
        self._last_data, self._last_request = _NO_REQUEST
        """The octets of the last request with that section, and the request."""
        self._unparsed = b""
        """Data that was read and not yet parsed. The connection reads no more until it is empty."""
        self.deadline = 0.0
        """The time at which the server calls ``expire``, in seconds of the event loop."""

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection with its server."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.server.connections.add(self)
        self.deadline = self.server.time() + self.server.limits.head_time
        transport.set_write_buffer_limits(WRITE_BUFFER)  # type: ignore[attr-defined]
        if self.server.tells_clients_apart:
            self._count_client()

    def _count_client(self) -> None:
        """Count the connection for its client. Refuse it with 503 above ``Limits.client_connections``."""
        self.client = client_of(self.transport)
        if not self.client:
            return
        count = self.server.clients[self.client] = self.server.clients.get(self.client, 0) + 1
        if 0 < self.server.limits.client_connections < count:
            self.refuse(503, f"there are {count - 1} connections from {self.client} already")

    def _uncount_client(self) -> None:
        if self.client:
            self.server.clients[self.client] -= 1
            if not self.server.clients[self.client]:
                del self.server.clients[self.client]
            self.client = ""

    def connection_lost(self, error: Exception | None) -> None:
        """Release the memory of the connection, and cancel the request in progress."""
        self.server.connections.discard(self)
        self.closing = True
        if self._parser is not NO_PARSER:
            self._parser.close()
            self._parser = NO_PARSER
        self.server.memory.unfinished -= self._counted + self._serving
        self._counted = self._serving = 0
        self._uncount_client()
        if self.unread is not None:
            self.unread.release()
            self.unread = None
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        """Stop reading while the client does not read its responses."""
        self.unread = UnreadResponses(self)
        if not self.closing:
            self.transport.pause_reading()
        self.unread.count(0)

    def resume_writing(self) -> None:
        """Continue with the waiting requests, and read again."""
        if self.unread is not None:
            self.unread.release()
            self.unread = None
        if self._waiting:
            self.serve_waiting()
        self._resume_reading()

    def eof_received(self) -> bool:
        """Keep a half-closed connection open until the responses in progress are sent."""
        self._has_eof = True
        return self.task is not None or bool(self._waiting)

    def data_received(self, data: bytes) -> None:
        """Serve the requests in data of the client. Parse it unless its header section is known."""
        section = self._section
        if self.task is None and not self._parser.in_request:
            request: Request | None = None
            if section is not None:
                if data == self._last_data:
                    request = self._last_request
                elif section.has_body:
                    request = section.request_with_body(data)
                elif data.endswith(section.tail):
                    request = section.equal_request(data)
                    if request is not None and not request.raw_path.startswith("/__"):
                        # a request of a namespace is changed: it gets its namespace from the path
                        self._last_data, self._last_request = data, request
                else:
                    request = section.similar_request(data)
            if request is None and not self._refused:
                request = self._find_request(data)
                section = self._section
            if request is not None and section is not None:
                keep = section.persistent and not self.server.draining
                if request.body:
                    self._start(request, keep)
                else:
                    self._serve(request, keep)
                return
        if self._refused:
            return
        if self._parser is NO_PARSER:
            self._parser = RequestParser(self, self.server)
        if len(data) > _MAX_PARSED:
            data = self._first_part(data)
        section = self._parser.feed(data)
        if self._parser.in_request or self._waiting or self._counted or self._unparsed:
            self._count_memory()
        if section is not None:
            self._section = section
            self._last_data, self._last_request = _NO_REQUEST

    def _find_request(self, data: bytes) -> Request | None:
        """Return the request of ``data`` if its section is like another one of the server, and keep that.

        Clients that open a connection for each request send the same fields on each of them, and a
        connection with requests of several kinds repeats a few sections.
        """
        sections = self.server.sections
        section = sections.find(data)
        if section is None or section is self._section:
            return None
        if section.has_body:
            request = section.request_with_body(data)
        elif data.endswith(section.tail):
            request = section.equal_request(data)
        else:
            request = section.similar_request(data)
            if request is not None and section.persistent:
                # Fields such as Authorization differ between clients, and seldom on one connection
                section = sections.share(data, request.method, request.headers, persistent=True) or section
        if request is not None:
            self._section = section
            self._last_data, self._last_request = _NO_REQUEST
        return request

    def _first_part(self, data: bytes) -> bytes:
        """Return the first part of ``data``; schedule the rest behind the other connections.

        One read can contain thousands of requests. A body of a known length needs no parsing, so all
        of it belongs to the first part.
        """
        most = _MAX_PARSED
        if self._parser.in_request and not self._parser.in_head:
            most = max(most, self._parser.body_left)
        if len(data) <= most:
            return data
        self._unparsed = data[most:]
        self.transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._parse_more)
        return data[:most]

    def _parse_more(self) -> None:
        """Parse more of the data that was read, unless its requests would have to wait."""
        if self._unparsed and not (self.closing or self.unread is not None or self._is_full()):
            data, self._unparsed = self._unparsed, b""
            self.data_received(data)
            if not self._unparsed:
                self._resume_reading()

    def _resume_reading(self) -> None:
        """Parse what was read already, then read more, unless the connection is closing, paused or full."""
        if self.closing or self.unread is not None or self._is_full():
            return
        if self._unparsed:
            asyncio.get_running_loop().call_soon(self._parse_more)
        else:
            self.transport.resume_reading()

    # What the parser calls

    def expect_body(self) -> bool:
        """Start the timeout of a body. Return False if responses have to be sent before."""
        if self.task is not None or self._waiting:
            return False
        self.deadline = self.server.time() + self.server.limits.body_time
        return True

    def send_continue(self) -> None:
        """Send ``100 Continue`` to a client that waits for it before it sends the body."""
        self.transport.write(wire.CONTINUE)

    def receive(self, request: Request, keep: bool, *, is_http10: bool, field_bytes: int) -> None:
        """Serve a request, or add it to the waiting ones. ``keep``: the connection stays open after it."""
        self.is_http10 = is_http10
        if self.task is not None or self._waiting or self.unread is not None:
            size = len(request.body) + field_bytes + _REQUEST_OVERHEAD
            self._waiting.append((request, keep, size))
            self._behind += size
            if self._is_full():
                self.transport.pause_reading()
        elif request.body:
            self._start(request, keep)
        else:
            self._serve(request, keep)

    def refuse(self, status: int, detail: str) -> None:
        """Respond with an error and close: the rest cannot be parsed. Earlier responses are sent first."""
        if self._refused:
            return
        self._refused = True
        self._section = None
        if self._parser is not NO_PARSER:
            self._parser.stop()
        if self.closing:
            return
        response = problem.unavailable(detail) if status == 503 else problem.problem(status, detail)
        response.decision = "wire"
        if self.task is None and not self._waiting:
            self._close_with(response)
        else:
            self._refusal = response

    # Responses

    def _start(self, request: Request, keep: bool) -> None:
        """Serve a request: at once, or in turn if its body is large or compressed."""
        if len(request.body) <= _LARGE_BODY and not (request.body and "content-encoding" in request.headers):
            self._serve(request, keep)
            return
        if self.closing:
            return
        self.deadline = float("inf")
        self._serving = len(request.body)
        self.server.memory.unfinished += self._serving
        self.task = self.server.in_turn(partial(self._serve_in_turn, request, keep))

    def _serve_in_turn(self, request: Request, keep: bool) -> None:
        """Serve a request that may be heavy; in that case, another process reads it before."""
        reading = self.server.read_heavy(request)
        if reading is None:
            self._serve_read(request, keep, None)
        else:
            self.task = reading
            reading.then(partial(self._serve_read, request, keep))

    def _serve_read(self, request: Request, keep: bool, checked: bytes | None) -> None:
        request.checked = checked
        self.task = None
        self.release_body()
        self._serve(request, keep)
        if self.task is None and not self.closing:
            self.serve_waiting()

    def release_body(self) -> None:
        """Subtract the body of the request in progress from the memory in use."""
        self.server.memory.unfinished -= self._serving
        self._serving = 0

    def _serve(self, request: Request, keep: bool) -> None:
        """Handle a request: write a response that is ready, else wait for it."""
        if self.closing:
            return
        started = self.server.time()
        if self.server.tells_clients_apart:
            self.server.memory.client = self.client
        try:
            response = self.server.handle(request)
        except Exception as error:  # noqa: BLE001 - the client gets a response, the log the traceback
            response = problem.failed(request, error)
        if (
            isinstance(response, Response)
            and not response.delay
            and not response.fault
            and response.stream is None
        ):
            self.write(request, response, keep, started)
            if self.server.log_access is not None:
                self.server.log_access(request, response, self.server.time() - started)
            return
        self.deadline = float("inf")
        if isinstance(response, Deferred):
            self.task = response
            response.then(Exchange(self, request, keep, started).on_response)
            return
        if isinstance(response, Response):
            request = replace(request, body=b"")  # so that the memory of the body is free during the delay
        else:
            self._serving = len(request.body)
            self.server.memory.unfinished += self._serving
        exchange = Exchange(self, request, keep, started)
        self.task = asyncio.get_running_loop().create_task(exchange.respond(response))

    def serve_rest(self) -> None:
        """Serve what arrived during a deferred response, if anything did."""
        if self._waiting or self._refusal is not None or self._has_eof or self._parser.in_request:
            self.serve_waiting()

    def serve_waiting(self) -> None:
        """Serve the waiting pipelined requests until one of them has to wait for its response."""
        full = self._is_full()
        while self._waiting and self.task is None and self.unread is None and not self.closing:
            request, keep, size = self._waiting.popleft()
            self._behind -= size
            self._start(request, keep)
        self._count_memory()
        if self.closing:
            return
        if full:
            self._resume_reading()
        if self.task is not None or self._waiting:
            return
        if self._refusal is not None:
            self._close_with(self._refusal)
        elif self._has_eof:
            self.close()
        elif self._parser.in_head:
            self.deadline = self.server.time() + self.server.limits.head_time
        elif self._parser.in_request:
            self._parser.expect_body()

    def _count_memory(self) -> None:
        """Update the memory that unserved requests take; refuse with 503 above the limit of all together."""
        held = self._parser.held + self._behind + len(self._unparsed)
        memory = self.server.memory
        memory.unfinished += held - self._counted
        more = held > self._counted
        self._counted = held
        if more and memory.unfinished > memory.limits.unfinished:
            self.refuse(503, "the requests in progress of all clients take too much memory; try again later")

    def _is_full(self) -> bool:
        """Return whether so many requests wait that reading pauses."""
        limits = self.server.limits
        return len(self._waiting) >= _MAX_WAITING or self._behind > max(limits.body, limits.head)

    def write(self, request: Request, response: Response, keep: bool, now: float) -> None:
        """Send a whole response. ``keep``: the connection stays open after it."""
        clock = self.server.clock_of(request) if Clock.moved else None
        if keep and not self.is_http10 and request.method != "HEAD" and wire.has_content(response.status):
            self.transport.write(wire.usual(response, clock))
            self.deadline = now + self.server.limits.idle_time
            if self.unread is not None:
                self.unread.count(len(response.body))
            return
        body = response.body
        length = len(body) if wire.has_content(response.status) else None
        head = wire.head(
            response,
            length=length,
            close=not keep,
            keep_alive=keep and self.is_http10,
            clock=clock,
        )
        self.transport.write(head if length is None or request.method == "HEAD" else head + body)
        if self.unread is not None:
            self.unread.count(len(body))
        self.end_response(keep)

    def end_response(self, keep: bool) -> None:
        """Wait for the next request, or close."""
        if keep:
            self.deadline = self.server.time() + self.server.limits.idle_time
        else:
            self.closing = True
            self.transport.close()

    def _close_with(self, response: Response) -> None:
        """Send the last response and keep reading for ``_LINGER``.

        If the socket closed with unread data, the reset could arrive before the response.
        """
        clock = self.server.clock_of(None)
        head = wire.head(response, length=len(response.body), close=True, keep_alive=False, clock=clock)
        self.transport.write(head + response.body)
        self.transport.write_eof()
        self._unparsed = b""
        self.transport.resume_reading()
        self.closing = True
        self.deadline = self.server.time() + _LINGER

    # What the server calls

    @property
    def idle(self) -> bool:
        """Whether no request is in progress or waiting."""
        busy = self.task is not None or self._waiting or self._parser.in_request or self._unparsed
        return not busy or self.closing

    def expire(self) -> None:
        """End a connection after its deadline: with 408 inside of a request, else without a response."""
        if self.closing:
            self.abort()
        elif self._parser.in_request:
            self.refuse(408, "the request took too long to arrive")
        else:
            self.close()

    def close(self) -> None:
        """Close after the write buffer is sent."""
        self.closing = True
        self.transport.close()

    def abort(self) -> None:
        """Close without waiting until the client has read the responses."""
        self.closing = True
        self.transport.abort()


_NO_REQUEST = b"", Request("", "")
