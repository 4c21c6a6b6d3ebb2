"""The HTTP/1.1 connection of one client, on asyncio and llhttp (RFC 9112).

llhttp (by httptools) parses the requests. This module adds the limits that llhttp does not have, and
rejects every message whose framing can be read in two ways. It sends the responses in the order of
the requests (RFC 9112 section 9.3.2). A response that is ready is written at once, without a task. A
response that waits (for a delay, a store or a stream) delays the responses after it.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import httptools
from msgspec import Struct
from msgspec.structs import replace

from mockserver import problem
from mockserver.diagnostics import reason
from mockserver.http import faults, wire
from mockserver.http.hosts import ANY, Hosts, is_loopback
from mockserver.messages import MAX_DIFFERING, Deferred, Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.memory import Memory

_LINGER = 1.0
"""Seconds for which the server still reads from a client after an error response."""
_MAX_WAITING = 32
"""Number of waiting pipelined requests at which the server stops reading."""
_MAX_PARSED = 8192
"""Octets that the server parses for one connection before it serves the next one."""
_WRITE_BUFFER = 4096
"""Octets of responses that a client may leave unread. Above it, the server counts them and pauses."""
_LARGE_BODY = 16 * 1024
"""Octets of an uncompressed request body. A larger body waits for its turn."""
_REQUEST_OVERHEAD = 512
"""Bytes of memory that a waiting request takes in addition to its fields and body."""
_REQUEST_LINE_OVERHEAD = 64
"""Octets of a head besides the target and the fields: method, version and line breaks."""
_MAX_FRAMING = 8
"""Octets of chunk framing that are allowed for each octet of the body, in addition to ``Limits.head``."""

Handler = Callable[[Request], "Response | Awaitable[Response]"]


class Limits(Struct, frozen=True):
    """The limits of what a client may send, in bytes, and of how long it may take, in seconds."""

    head: int = 64 * 1024
    headers: int = 100
    target: int = 16 * 1024
    body: int = 10 * 1024 * 1024
    client_connections: int = 0
    """Connections from one address; 0: any number. Connections from loopback are not counted."""
    head_time: float = 10.0
    body_time: float = 30.0
    idle_time: float = 120.0
    stall_time: float = 300.0
    """The longest time that the ``stall`` fault keeps a connection open."""


class Connection(asyncio.Protocol):
    """The protocol of one connection. Its server has the handler, the limits and the set of connections."""

    __slots__ = (
        "_behind",
        "_body",
        "_client",
        "_closing",
        "_counted",
        "_field_bytes",
        "_fields",
        "_framing",
        "_has_eof",
        "_head_bytes",
        "_in_head",
        "_in_request",
        "_is_http10",
        "_last_lines",
        "_last_request",
        "_last_section",
        "_last_tail",
        "_left_unsent",
        "_length",
        "_octets",
        "_offset",
        "_parser",
        "_refusal",
        "_refused",
        "_resume",
        "_server",
        "_serving",
        "_sole_section",
        "_target",
        "_task",
        "_transport",
        "_unparsed",
        "_validated",
        "_waiting",
        "deadline",
        "taken",
        "unsent",
    )

    def __init__(self, server: ConnectionOwner) -> None:
        self._server = server
        self._waiting: deque[tuple[Request, bool, int]] = deque()
        """Pipelined requests, with whether the connection stays open after each, and its octets."""
        self._behind = 0
        """Octets of the waiting requests."""
        self._counted = 0
        """Octets of unserved requests that ``memory.unfinished`` contains for this connection."""
        self._serving = 0
        """Octets of the body of the request in progress that ``memory.unfinished`` contains."""
        self.unsent = 0
        """Octets of responses that the client has not read and that ``memory.unsent`` contains."""
        self._left_unsent = 0
        """Octets in the write buffer of the transport when they were last counted."""
        self.taken = 0.0
        """The time at which the client last read a part of them, in seconds of the event loop."""
        self._client = ""
        """The address of the client, where the server counts by client; else empty."""
        self._task: asyncio.Task[None] | Deferred[Response] | Turn | None = None
        self._closing = False
        self._refused = False
        self._refusal: Response | None = None
        self._has_eof = False
        self._is_http10 = False
        self._in_request = False
        """Whether a request has begun and is incomplete."""
        self._sole_section: _Section | tuple[()] | None = None
        """The section of the only request in the data that is being parsed. Empty: it cannot be repeated."""
        self._last_section: _Section = ("", {}, True)
        """The section of the last request that a later request may repeat."""
        self._last_request: tuple[bytes, Request] = _NO_REQUEST
        """The octets of the last request that repeated that section, and the request."""
        self._last_tail = _NO_TAIL
        """The octets after the target of a request with that section."""
        self._last_lines: _Lines | None = None
        """The lines of these octets; None until a request differs in one."""
        self._validated: dict[str, str] | None = None
        """The last header fields whose ``Host`` and version were accepted."""
        self._resume: asyncio.Event | None = None
        """Set when the client reads again; None while the write buffer has room."""
        self._in_head = False
        self._unparsed = b""
        """Data that was read and not yet parsed. The connection reads no more until it is empty."""
        self._octets: bytes | bytearray = b""
        """The data that was read last. Inside of a head: all of the head so far."""
        self._offset = 0
        """An offset in ``_octets`` at or before the start of the next request."""
        self._head_bytes = 0
        self._field_bytes = 0
        self._fields: dict[str, str] = {}
        self._target = b""
        self._body: bytes | bytearray = b""
        self._length = 0
        self._framing = 0
        """Octets received after the data in which the head ended."""
        self.deadline = 0.0
        """The time at which the server calls ``expire``, in seconds of the event loop."""

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection with its server."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._parser = _NO_PARSER  # a parser is created for the first request with an unknown section
        self._server.connections.add(self)
        self.deadline = self._server.time() + self._server.limits.head_time
        transport.set_write_buffer_limits(_WRITE_BUFFER)  # type: ignore[attr-defined]
        if self._server.tells_clients_apart:
            self._count_client()

    def _count_client(self) -> None:
        """Count the connection for its client. Refuse it with 503 above ``Limits.client_connections``."""
        self._client = client_of(self._transport)
        if not self._client:
            return
        count = self._server.clients[self._client] = self._server.clients.get(self._client, 0) + 1
        if 0 < self._server.limits.client_connections < count:
            self._refuse(503, f"there are {count - 1} connections from {self._client} already")

    def _uncount_client(self) -> None:
        if self._client:
            self._server.clients[self._client] -= 1
            if not self._server.clients[self._client]:
                del self._server.clients[self._client]
            self._client = ""

    def connection_lost(self, error: Exception | None) -> None:
        """Release the memory of the connection, and cancel the request in progress."""
        self._server.connections.discard(self)
        self._closing = True
        # The parser refers back to this object. Without this line the garbage collector has to break the
        # cycles, which pauses all connections for a tenth of a second at a time
        self._parser = _NO_PARSER
        self._server.memory.unfinished -= self._counted + self._serving
        self._counted = self._serving = 0
        self._release_unsent()
        self._uncount_client()
        if self._resume is not None:
            self._resume.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Stop reading while the client does not read its responses."""
        self._resume = asyncio.Event()
        if not self._closing:
            self._transport.pause_reading()
        self._count_unsent(0)

    def resume_writing(self) -> None:
        """Continue with the waiting requests, and read again."""
        self._release_unsent()
        if self._resume is not None:
            self._resume.set()
            self._resume = None
        if self._waiting:
            self._serve_waiting()
        self._resume_reading()

    def eof_received(self) -> bool:
        """Keep a half-closed connection open until the responses in progress are sent."""
        self._has_eof = True
        return self._task is not None or bool(self._waiting)

    def data_received(self, data: bytes) -> None:
        """Parse data of the client, and serve its requests."""
        if self._refused:
            return
        if self._parser is _NO_PARSER and self._last_tail is _NO_TAIL:
            self._find_section(data)
        if self._last_tail is not _NO_TAIL and not self._in_request and self._task is None:
            is_equal = data.endswith(self._last_tail)
            request = self._repeat_request(data) if is_equal else self._similar_request(data)
            if request is not None:
                self._serve(request, keep=self._last_section[2] and not self._server.draining)
                return
        if self._parser is _NO_PARSER:
            self._parser = httptools.HttpRequestParser(self)
        if len(data) > _MAX_PARSED:
            data = self._first_part(data)
        between = not self._in_request
        if self._in_head:
            self._head_bytes += len(data)  # on_message_begin sets it to 0 for a head that begins here
            self._octets += data
        else:
            self._octets = data
            self._offset = 0
            if self._in_request:
                self._framing += len(data)
                self._offset = self._body_left()
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(400, f"the request is not HTTP/1.1: {reason(error)}")
            return
        if self._in_head:
            self._sole_section = None
            if self._head_bytes > self._server.limits.head + _REQUEST_LINE_OVERHEAD:
                self._refuse(431, f"the header section is over {self._server.limits.head:,} bytes")
            elif not self._head_bytes:  # the head begins in this data
                self._octets = wire.unfinished(self._octets[self._offset :], self._server.limits.head)
                self._offset = 0
            self._count_memory()
            return
        self._octets = b""
        if self._in_request or self._waiting or self._counted or self._unparsed:
            self._count_memory()
            if self._in_request and self._framing > _MAX_FRAMING * self._length + self._server.limits.head:
                self._refuse(413, "the framing of the chunks is too large for their content")
        is_whole = between and not self._in_request and not self._refused
        if is_whole and self._sole_section and len(data) <= _MAX_SECTION_LENGTH:
            self._last_tail = data[data.index(_END_OF_LINE) :]
            self._last_section = self._share_section(self._last_tail, self._sole_section)
            self._last_request = _NO_REQUEST
            self._last_lines = None
        self._sole_section = None

    def _first_part(self, data: bytes) -> bytes:
        """Return the first part of ``data``; schedule the rest behind the other connections.

        One read can contain thousands of requests. A body of a known length needs no parsing, so all
        of it belongs to the first part.
        """
        most = _MAX_PARSED
        if self._in_request and not self._in_head:
            most = max(most, self._body_left())
        if len(data) <= most:
            return data
        self._unparsed = data[most:]
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._parse_more)
        return data[:most]

    def _body_left(self) -> int:
        """Return the number of octets that are missing of a body of a known length; 0 for chunks."""
        fields = self._fields
        return 0 if "transfer-encoding" in fields else int(fields.get("content-length", 0)) - self._length

    def _parse_more(self) -> None:
        """Parse more of the data that was read, unless its requests would have to wait."""
        if self._unparsed and not (self._closing or self._resume is not None or self._is_full()):
            data, self._unparsed = self._unparsed, b""
            self.data_received(data)
            if not self._unparsed:
                self._resume_reading()

    def _resume_reading(self) -> None:
        """Parse what was read already, then read more, unless the connection is closing, paused or full."""
        if self._closing or self._resume is not None or self._is_full():
            return
        if self._unparsed:
            asyncio.get_running_loop().call_soon(self._parse_more)
        else:
            self._transport.resume_reading()

    def _find_section(self, data: bytes) -> None:
        """Take the section of ``data`` from another connection, if it is known there, as the last section."""
        start = data.find(_END_OF_LINE)
        rest = data[start:]
        known = self._server.sections.get((data[: data.find(b" ")], rest)) if start > 0 else None
        if known is not None:
            self._last_section, self._last_tail = known, rest

    def _repeat_request(self, data: bytes) -> Request | None:
        """Return the request of ``data`` if only its target differs from the last one; else None.

        The target has to consist of plain characters. A client that polls sends the same header section
        again and again. The section was parsed and validated once, as that of a complete request without
        a body and alone in its data. So the octets before it can only be a method and a target.
        """
        if data == self._last_request[0]:
            return self._last_request[1]
        if len(data) > self._server.limits.head:
            return None
        fields = self._last_section[1]
        request = self._plain_request(data[: -len(self._last_tail)], fields, ())
        if request is not None and not request.raw_path.startswith("/__"):
            # a request of a namespace is changed: it gets its namespace from the path
            self._last_request = data, request
        return request

    def _similar_request(self, data: bytes) -> Request | None:
        """Return the request of ``data`` if it has the fields of the last one, with other values; else None.

        Only fields that HTTP does not use may differ, and they have to consist of plain characters. A
        client that is instrumented sends such fields, a trace for example, with every request.
        """
        known = self._last_lines
        if known is None:
            known = self._last_lines = _Lines(self._last_tail)
        lines = data.split(b"\r\n")
        most = min(_MAX_SECTION_LENGTH, self._server.limits.head)
        if len(lines) != len(known.lines) or len(data) > most:
            return None
        line, lines[0] = lines[0], known.lines[0]
        fields = self._last_section[1].copy()
        differing: tuple[str, ...] = ()
        for place, prefix, name in known.varying:
            field, lines[place] = lines[place], known.lines[place]
            if field == lines[place]:
                continue
            text = field[len(prefix) :].decode("latin-1")
            if (
                not field.startswith(prefix)
                or len(text) > MAX_DIFFERING
                or not (text.isascii() and text.isprintable())
            ):
                return None
            fields[name] = text.strip(" ")
            differing += (name,)
        if lines != known.lines:
            return self._similar_request(data) if known.learn(lines) else None
        if not line.endswith(_VERSION):
            return None
        return self._plain_request(line[: -len(_VERSION)], fields, differing)

    def _plain_request(
        self, octets: bytes, fields: dict[str, str], differing: tuple[str, ...]
    ) -> Request | None:
        """Return the request that begins with ``octets``: the method of the last one, and a plain target."""
        method, section, _ = self._last_section
        line = octets.decode("latin-1")
        start = len(method) + 1
        if (
            line[:start] != method + " "
            or len(line) > self._server.limits.target
            or _PLAIN.match(line, start) is None
        ):
            return None
        path, _, query = line[start:].partition("?")
        return Request(method, path, query, fields, b"", section, differing)

    def _share_section(self, rest: bytes, parsed: _Section) -> _Section:
        """Return the one object that all connections share for the same header section."""
        sections = self._server.sections
        if len(sections) >= _MAX_SECTIONS:
            sections.clear()
        return sections.setdefault((parsed[0].encode(), rest), parsed)

    def _feed(self, data: bytes) -> None:
        """Parse ``data``, and ignore ``Upgrade`` (RFC 9110 section 7.8): only HTTP/1.1 is supported.

        llhttp stops after the head of such a request. A new parser gets the head again without that
        field, and then the rest. Raises HttpParserError.
        """
        while data:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if self._refused:
                    return
                version = self._parser.get_http_version().encode()
                line = b"%b %b HTTP/%b" % (self._parser.get_method(), self._target, version)
                del self._fields["upgrade"]
                fields = [f"{name}: {value}".encode("latin-1") for name, value in self._fields.items()]
                data = b"\r\n".join([line, *fields, b"", data[upgrade.args[0] :]])
                self._parser = httptools.HttpRequestParser(self)
                self._octets, self._offset = data, 0

    # What the parser calls

    def on_message_begin(self) -> None:
        """Start a request."""
        self._in_request = self._in_head = True
        self._head_bytes = 0
        self._field_bytes = 0
        self._fields = {}
        self._target = b""
        self._body = b""
        self._length = 0
        if self._task is None:
            self.deadline = self._server.time() + self._server.limits.head_time

    def on_url(self, url: bytes) -> None:
        """Add a part of the request target. Refuse a long one with 414."""
        self._target += url
        self._field_bytes = len(self._target)
        if len(self._target) > self._server.limits.target:
            self._refuse(414, f"the request target is over {self._server.limits.target:,} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header field. Refuse repeated framing fields with 400, and large sections with 431."""
        if not self._in_head:
            return  # trailer fields are ignored (RFC 9110 section 6.5.1)
        fields = self._fields
        field = _NAMES.get(name) or _cached_text(_NAMES, name, name.lower())
        text = _VALUES.get(value)
        if text is None:
            text = _cached_text(_VALUES, value, value.rstrip(b" \t"))
        if field in fields:
            if field in ("host", "content-length", "transfer-encoding"):
                self._refuse(400, f"the header {field} occurs twice")
            fields[field] += (";" if field == "cookie" else ",") + " " + text
        else:
            fields[field] = text
        self._length += 1
        if self._length > self._server.limits.headers:
            self._refuse(431, f"there are more than {self._server.limits.headers} header fields")
        self._field_bytes += len(name) + len(value) + 4
        if self._field_bytes > self._server.limits.head:
            self._refuse(431, f"the header section is over {self._server.limits.head:,} bytes")

    def on_headers_complete(self) -> None:
        """Validate the framing of the request (RFC 9112 section 6), and expect its body."""
        self._in_head = False
        self._length = 0
        self._framing = 0
        fields = self._fields
        if self._refused:
            return
        octets = self._octets
        if b"  " in octets or b" HTTP/" not in octets:
            line = b"%b %b HTTP/" % (self._parser.get_method(), self._target)
            if octets.find(line, self._offset) < 0:
                self._refuse(400, "the request line is not method, target and HTTP version, one space apart")
        self._offset = octets.find(b"\r\n\r\n", self._offset) + 4 + self._body_left()
        if self._refused or ("upgrade" in fields and self._parser.should_upgrade()):
            return
        if "transfer-encoding" in fields:
            if "content-length" in fields:
                self._refuse(400, "the request has both Content-Length and Transfer-Encoding")
            elif self._parser.get_http_version() == "1.0":
                self._refuse(400, "HTTP/1.0 has no transfer codings")
            elif fields["transfer-encoding"].strip().lower() != "chunked":
                self._refuse(501, "the only transfer coding served is chunked")
            else:
                self._expect_body()
        elif (length := fields.get("content-length")) is not None and length != "0":
            if length.isdigit() and int(length) > self._server.limits.body:
                self._refuse(413, f"the body is over {self._server.limits.body:,} bytes")
            else:
                self._expect_body()

    def _expect_body(self) -> None:
        """Start the timeout of a body: now, or when the previous responses are complete."""
        if self._task is not None or self._waiting:
            return
        self.deadline = self._server.time() + self._server.limits.body_time
        if (
            not self._length
            and self._fields.get("expect", "").lower() == "100-continue"
            and self._parser.get_http_version() != "1.0"
        ):
            self._transport.write(wire.CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Add a part of the body. Refuse a large one with 413."""
        self._length += len(body)
        if self._length > self._server.limits.body:
            self._refuse(413, f"the body is over {self._server.limits.body:,} bytes")
        elif not self._body:
            self._body = body
        else:  # one buffer: an object for each part would take many times the memory of its content
            if not isinstance(self._body, bytearray):
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        """Validate a complete request, and serve it or add it to the waiting ones."""
        self._in_request = False
        if self._refused:
            return
        name = self._parser.get_method()
        method = _VALUES.get(name) or _cached_text(_VALUES, name, name)
        fields = self._fields
        version = self._parser.get_http_version()
        is_absolute = not self._target.startswith((b"/", b"*"))
        if fields == self._validated and version == "1.1" and not is_absolute:
            fields = self._validated  # validated before; equal requests share one object
        elif "upgrade" in fields and self._parser.should_upgrade() and method != "CONNECT":  # noqa: SIM114
            return
        elif not self._check_host(fields, version):
            return
        target = wire.split_target(self._target.decode("latin-1"), method)
        if target is None:
            self._refuse(400, "the request target is neither a path nor an http URL")
            return
        if is_absolute:
            fields = {**fields, "host": wire.authority(self._target.decode("latin-1"))}
        if fields is not self._validated and not self._check_host_name(
            fields, version, is_absolute=is_absolute
        ):
            return
        body = self._body if isinstance(self._body, bytes) else bytes(self._body)
        request = Request(method, target[0], target[1], fields, body)
        self._length = 0
        self._body = b""
        self._fields = _NO_FIELDS
        persistent = self._parser.should_keep_alive()
        keep = persistent and not self._server.draining
        self._is_http10 = version == "1.0"
        is_alone = self._sole_section is None and not self._is_http10 and not body and "expect" not in fields
        is_alone = is_alone and not is_absolute
        self._sole_section = (method, fields, persistent) if is_alone else ()
        if self._task is not None or self._waiting or self._resume is not None:
            size = len(body) + self._field_bytes + _REQUEST_OVERHEAD
            self._waiting.append((request, keep, size))
            self._behind += size
            if self._is_full():
                self._transport.pause_reading()
            return
        if request.body:
            self._start(request, keep)
        else:
            self._serve(request, keep)

    def _check_host(self, fields: dict[str, str], version: str) -> bool:
        """Return whether the version is supported and ``Host`` has valid syntax; else refuse the request."""
        host = fields.get("host")
        if (host is None and version == "1.1") or (host is not None and not wire.is_host(host)):
            self._refuse(
                400, "the Host header is missing" if host is None else f"Host: {host} is not a valid host"
            )
            return False
        if version not in ("1.1", "1.0"):
            self._refuse(505, f"HTTP/{version} is not supported")
            return False
        return True

    def _check_host_name(self, fields: dict[str, str], version: str, *, is_absolute: bool) -> bool:
        """Return whether the host of the request is a name of this server; else refuse with 400 or 421."""
        host = fields.get("host", "")
        if is_absolute and not wire.is_host(host):
            self._refuse(400, f"the host {host} of the request target is not a valid host")
            return False
        if not self._server.hosts.serves(host):
            self._refuse(
                421,
                f"Host: {host[:200]} is not a name of this server; add it with --hosts {host[:200]}",
            )
            return False
        if (
            version == "1.1" and not is_absolute and "upgrade" not in fields
            and self._field_bytes <= _MAX_SECTION_LENGTH
        ):  # fmt: skip
            self._validated = fields
        return True

    # Responses

    def _start(self, request: Request, keep: bool) -> None:
        """Serve a request: at once, or in turn if its body is large or compressed."""
        if len(request.body) <= _LARGE_BODY and not (request.body and "content-encoding" in request.headers):
            self._serve(request, keep)
            return
        if self._closing:
            return
        self.deadline = float("inf")
        self._serving = len(request.body)
        self._server.memory.unfinished += self._serving
        self._task = self._server.in_turn(partial(self._serve_in_turn, request, keep))

    def _serve_in_turn(self, request: Request, keep: bool) -> None:
        self._task = None
        self._release_body()
        self._serve(request, keep)
        if self._task is None and not self._closing:
            self._serve_waiting()

    def _release_body(self) -> None:
        """Subtract the body of the request in progress from the memory in use."""
        self._server.memory.unfinished -= self._serving
        self._serving = 0

    def _serve(self, request: Request, keep: bool) -> None:
        """Handle a request: write a response that is ready, else wait for it."""
        if self._closing:
            return
        started = self._server.time()
        if self._server.tells_clients_apart:
            self._server.memory.client = self._client
        try:
            response = self._server.handle(request)
        except Exception as error:  # noqa: BLE001 - the client gets a response, the log the traceback
            response = problem.failed(request, error)
        if (
            isinstance(response, Response)
            and not response.delay
            and not response.fault
            and response.stream is None
        ):
            self._write(request, response, keep, started)
            if self._server.log_access is not None:
                self._server.log_access(request, response, self._server.time() - started)
            return
        self.deadline = float("inf")
        if isinstance(response, Deferred):
            self._task = response
            response.then(partial(self._on_response, request, keep, started))
            return
        if isinstance(response, Response):
            request = replace(request, body=b"")  # so that the memory of the body is free during the delay
        else:
            self._serving = len(request.body)
            self._server.memory.unfinished += self._serving
        self._task = asyncio.get_running_loop().create_task(
            self._serve_later(request, response, keep, started)
        )

    def _on_response(self, request: Request, keep: bool, started: float, response: Response) -> None:
        """Send a deferred response that has arrived."""
        if response.delay or response.fault or response.stream is not None or self._resume is not None:
            later = self._serve_later(request, response, keep, started)
            self._task = asyncio.get_running_loop().create_task(later)
            return
        self._task = None
        if self._closing:
            return
        self._write(request, response, keep, self._server.time())
        if self._server.log_access is not None:
            self._server.log_access(request, response, self._server.time() - started)
        if self._waiting or self._refusal is not None or self._has_eof or self._in_request:
            self._serve_waiting()

    async def _serve_later(
        self, request: Request, deferred: Response | Awaitable[Response], keep: bool, started: float
    ) -> None:
        try:
            response = deferred if isinstance(deferred, Response) else await deferred
            self._release_body()
            if response.delay:
                request = replace(request, body=b"")
                del deferred
                with self._server.memory.wait(len(response.body), self._client):
                    await self._server.clock_of(request).sleep(response.delay)
            if response.fault:
                self._apply_fault(response, request)
                if self._server.log_access is not None:
                    self._server.log_access(request, response, self._server.time() - started)
                return
            if response.stream is not None:
                keep = await self._stream(request, response, keep)
            else:
                self._write(request, response, keep, self._server.time())
            if self._server.log_access is not None:
                self._server.log_access(request, response, self._server.time() - started)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._write(request, problem.failed(request, error), keep=False, now=self._server.time())
        finally:
            self._task = None
            self._release_body()
        if self._resume is not None:
            await self._resume.wait()
        self._serve_waiting()

    def _apply_fault(self, response: Response, request: Request) -> None:
        """Apply the network fault of a response. A stalled connection closes after ``stall_time``."""
        self._closing = True
        is_open = faults.commit(response, request, self._transport, self._server.clock_of(request))
        if self._resume is not None:
            self._count_unsent(len(response.body))
        if is_open:
            self.deadline = self._server.time() + self._server.limits.stall_time

    def _serve_waiting(self) -> None:
        """Serve the waiting pipelined requests until one of them has to wait for its response."""
        full = self._is_full()
        while self._waiting and self._task is None and self._resume is None and not self._closing:
            request, keep, size = self._waiting.popleft()
            self._behind -= size
            self._start(request, keep)
        self._count_memory()
        if self._closing:
            return
        if full:
            self._resume_reading()
        if self._task is not None or self._waiting:
            return
        if self._refusal is not None:
            self._close_with(self._refusal)
        elif self._has_eof:
            self.close()
        elif self._in_head:
            self.deadline = self._server.time() + self._server.limits.head_time
        elif self._in_request:
            self._expect_body()

    def _count_memory(self) -> None:
        """Update the memory that unserved requests take; refuse with 503 above the limit of all together."""
        held = len(self._octets) + self._length + self._behind + len(self._unparsed)
        memory = self._server.memory
        memory.unfinished += held - self._counted
        more = held > self._counted
        self._counted = held
        if more and memory.unfinished > memory.limits.unfinished:
            self._refuse(503, "the requests in progress of all clients take too much memory; try again later")

    def _count_unsent(self, size: int) -> None:
        """Count octets that the client has not read: a response takes memory until all of it is read."""
        left = self._transport.get_write_buffer_size()
        held = max(size, left)
        memory = self._server.memory
        if held > self.unsent and not self._transport.is_closing():
            memory.unsent += held - self.unsent
            self.unsent, self._left_unsent, self.taken = held, left, self._server.time()
            memory.readers.add(self)
            memory.make_room(but=self)

    def _release_unsent(self) -> None:
        """Subtract the unread responses of this connection from the memory in use."""
        if self.unsent:
            memory = self._server.memory
            memory.unsent -= self.unsent
            if self in memory.readers:
                memory.readers.discard(self)
            else:
                memory.leaving -= self.unsent
            self.unsent = 0

    def _is_full(self) -> bool:
        """Return whether so many requests wait that reading pauses."""
        limits = self._server.limits
        return len(self._waiting) >= _MAX_WAITING or self._behind > max(limits.body, limits.head)

    def _write(self, request: Request, response: Response, keep: bool, now: float) -> None:
        clock = self._server.clock_of(request) if Clock.moved else None
        if keep and not self._is_http10 and request.method != "HEAD" and wire.has_content(response.status):
            self._transport.write(wire.usual(response, clock))
            self.deadline = now + self._server.limits.idle_time
            if self._resume is not None:
                self._count_unsent(len(response.body))
            return
        body = response.body
        length = len(body) if wire.has_content(response.status) else None
        head = wire.head(
            response,
            length=length,
            close=not keep,
            keep_alive=keep and self._is_http10,
            clock=clock,
        )
        self._transport.write(head if length is None or request.method == "HEAD" else head + body)
        if self._resume is not None:
            self._count_unsent(len(body))
        self._end_response(keep)

    async def _stream(self, request: Request, response: Response, keep: bool) -> bool:
        """Send a stream with chunked coding (RFC 9112 section 7.1); to HTTP/1.0, until the connection closes.

        Return whether the connection stays open.
        """
        framed = not self._is_http10
        coding = [("transfer-encoding", "chunked")] if framed else []
        keep = keep and framed
        chunked = Response(response.status, [*response.headers, *coding], b"", response.decision)
        clock = self._server.clock_of(request)
        self._transport.write(wire.head(chunked, length=None, close=not keep, keep_alive=False, clock=clock))
        if response.stream is not None and request.method != "HEAD":
            async for chunk in response.stream:
                if self._closing:
                    return False
                if self._resume is not None:
                    await self._resume.wait()
                if chunk:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if framed else chunk)
                    if self._resume is not None:
                        self._count_unsent(len(chunk))
        if self._closing:
            return False
        if framed and request.method != "HEAD":
            self._transport.write(b"0\r\n\r\n")
        self._end_response(keep)
        return keep

    def _end_response(self, keep: bool) -> None:
        if keep:
            self.deadline = self._server.time() + self._server.limits.idle_time
        else:
            self._closing = True
            self._transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Respond with an error and close: the rest cannot be parsed. Earlier responses are sent first."""
        if self._refused:
            return
        self._refused = True
        self._body = b""
        if self._closing:
            return
        response = problem.unavailable(detail) if status == 503 else problem.problem(status, detail)
        response.decision = "wire"
        if self._task is None and not self._waiting:
            self._close_with(response)
        else:
            self._refusal = response

    def _close_with(self, response: Response) -> None:
        """Send the last response and keep reading for ``_LINGER``.

        If the socket closed with unread data, the reset could arrive before the response.
        """
        clock = self._server.clock_of(None)
        head = wire.head(response, length=len(response.body), close=True, keep_alive=False, clock=clock)
        self._transport.write(head + response.body)
        self._transport.write_eof()
        self._unparsed = b""
        self._transport.resume_reading()
        self._closing = True
        self.deadline = self._server.time() + _LINGER

    # What the server calls

    @property
    def idle(self) -> bool:
        """Whether no request is in progress or waiting."""
        busy = self._task is not None or self._waiting or self._in_request or self._unparsed
        return not busy or self._closing

    def expire(self) -> None:
        """End a connection after its deadline: with 408 inside of a request, else without a response."""
        if self._closing:
            self.abort()
        elif self._in_request:
            self._refuse(408, "the request took too long to arrive")
        else:
            self.close()

    def close(self) -> None:
        """Close after the write buffer is sent."""
        self._closing = True
        self._transport.close()

    def abort(self) -> None:
        """Close without waiting until the client has read the responses."""
        self._closing = True
        self._transport.abort()

    def look(self) -> None:
        """Note the time if the client has read a part of its responses since the last call."""
        left = self._transport.get_write_buffer_size()
        if left < self._left_unsent:
            self._left_unsent, self.taken = left, self._server.time()


class _Lines:
    """The lines of the last header section, and those of them that differ between requests."""

    __slots__ = ("lines", "varying")

    def __init__(self, tail: bytes) -> None:
        self.lines = tail.split(b"\r\n")
        """The first one is the version of HTTP; the last two are empty."""
        self.varying: list[tuple[int, bytes, str]] = []
        """The index of a line, the octets before its value, and the name of its field."""

    def learn(self, others: list[bytes]) -> bool:
        """Take the lines that ``others`` has not as varying. Return whether all of them may differ."""
        names = [line.partition(b":")[0].lower() for line in self.lines]
        found: list[tuple[int, bytes, str]] = []
        for place, (line, other, name) in enumerate(zip(self.lines, others, names, strict=True)):
            if line == other:
                continue
            if not _NAME(name) or name in _FIELDS_OF_HTTP or names.count(name) > 1:
                return False
            value = line[len(name) + 1 :].lstrip(b" \t")
            found.append((place, line[: len(line) - len(value)], name.decode()))
        self.varying += found
        return bool(found)


class Turn:
    """Work that waits for its turn in the event loop, and can be cancelled."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work

    def take(self) -> None:
        """Do the work, unless it was cancelled."""
        if self._work is not None:
            self._work()

    def cancel(self) -> None:
        """Drop the work."""
        self._work = None


class ConnectionOwner:
    """The interface of a server that its connections use."""

    connections: set[Connection]
    limits: Limits
    hosts: Hosts = Hosts((ANY,))
    """The names of the server."""
    draining: bool
    """Whether the server is stopping: connections close after the response in progress."""
    memory: Memory
    """The memory that all connections take."""
    clients: dict[str, int]
    """The number of connections by client address, where the server counts by client."""
    tells_clients_apart: bool
    """Whether the server counts connections and memory by client."""
    sections: dict[tuple[bytes, bytes], _Section]
    """Parsed header sections by method and the octets after the target."""
    handle: Handler
    log_access: Callable[[Request, Response, float], None] | None

    def time(self) -> float:
        """Return the time of the event loop in seconds."""
        raise NotImplementedError

    def in_turn(self, work: Callable[[], None]) -> Turn:
        """Schedule ``work`` that may take long."""
        raise NotImplementedError

    def clock_of(self, request: Request | None) -> Clock:
        """Return the clock of a request's namespace; that of the default one if it does not exist."""
        raise NotImplementedError


_Section = tuple[str, dict[str, str], bool]
"""The method, the header fields, and whether the connection stays open by them."""
_NO_PARSER = httptools.HttpRequestParser(object())
_NO_TAIL = b"no request ends like this"
_NO_REQUEST = b"", Request("", "")
_END_OF_LINE = b" HTTP/1.1\r\n"
_VERSION = b" HTTP/1.1"
_PLAIN = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*\Z")
"""A target in origin form that consists of the characters of paths and queries (RFC 3986)."""


_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_FIELDS_OF_HTTP = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_NAMES: dict[bytes, str] = {}
_VALUES: dict[bytes, str] = {}
_MAX_TEXTS, _MAX_TEXT_LENGTH = 4096, 64


_NO_FIELDS: dict[str, str] = {}
"""The fields of a connection between requests, so that it does not keep those of the last one."""
_MAX_SECTIONS, _MAX_SECTION_LENGTH = 256, 4096


def _cached_text(texts: dict[bytes, str], octets: bytes, normalized: bytes) -> str:
    """Decode the ``normalized`` form of a header name or value, and cache the text under ``octets``.

    Clients send the same names and values with every request. One shared object saves the decoding and
    memory of the journal.
    """
    text = normalized.decode("latin-1")
    if len(octets) <= _MAX_TEXT_LENGTH:
        if len(texts) >= _MAX_TEXTS:
            texts.clear()
        texts[octets] = text
    return text


def client_of(transport: asyncio.Transport) -> str:
    """Return the address of a client; empty for loopback, which may be a proxy of many clients."""
    peer = transport.get_extra_info("peername")
    host = str(peer[0]) if isinstance(peer, tuple) else ""
    return "" if is_loopback(host) else host
