"""One client's connection: HTTP/1.1 in, answers out, on asyncio and llhttp.

llhttp (by httptools) parses; this module keeps the limits that it leaves open,
answers in the order of the requests, and never trusts a framing that could be
read in two ways. Answers that are ready are written at once, without a task;
those that wait (for a delay, a store, a stream) make later ones wait behind
them, as HTTP/1.1 has it.
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
from mockserver.messages import Deferred, Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.memory import Memory

_LINGER = 1.0
"""Seconds in which a client that was refused may go on sending."""
_MOST_WAITING = 32
"""Pipelined requests that wait before reading pauses."""
_PIECE = 8192
"""Octets that a connection looks at before others have their turn."""
_MOST_UNTAKEN = 4096
"""Octets that a client leaves untaken before it is counted, and gets no more answers."""
_HEAVY = 16 * 1024
"""Octets of a body that are little work, where they are not compressed."""
_EACH = 512
"""Bytes that a request takes beside its fields and body."""
_LINE = 64
"""Octets of a head that are neither target nor fields: method, version and line breaks."""
_FRAMING = 8
"""Octets of a chunked body's framing for each of the body, beside those that a head may have."""

Handler = Callable[[Request], "Response | Awaitable[Response]"]


class Limits(Struct, frozen=True):
    """What a client may send, and how long it may take. Bytes and seconds."""

    head: int = 64 * 1024
    headers: int = 100
    target: int = 16 * 1024
    body: int = 10 * 1024 * 1024
    client_connections: int = 0
    """Connections of one client, told by its address; 0: any number. Loopback is never counted."""
    head_time: float = 10.0
    body_time: float = 30.0
    idle_time: float = 120.0
    stall_time: float = 300.0
    """For how long the ``stall`` fault keeps a client waiting that does not leave."""


class Connection(asyncio.Protocol):
    """Made by the server for each client; ``server`` keeps the set of them and the handler."""

    __slots__ = (
        "_alone",
        "_announces",
        "_behind",
        "_body",
        "_client",
        "_closing",
        "_ends",
        "_field_bytes",
        "_fields",
        "_framing",
        "_head_bytes",
        "_held",
        "_in_head",
        "_known",
        "_last",
        "_later",
        "_left_unsent",
        "_length",
        "_octets",
        "_parser",
        "_place",
        "_refusal",
        "_refused",
        "_repeated",
        "_rest",
        "_resume",
        "_server",
        "_serving",
        "_target",
        "_task",
        "_transport",
        "_under_way",
        "_waiting",
        "deadline",
        "taken",
        "unsent",
    )

    def __init__(self, server: ConnectionOwner) -> None:
        self._server = server
        self._waiting: deque[tuple[Request, bool, int]] = deque()
        self._behind = 0
        """Octets that those take."""
        self._held = 0
        """Octets of all that is not served yet, as the account of memory has them, …"""
        self._serving = 0
        """… of the one that is being served, where that takes time, …"""
        self.unsent = 0
        """… and of what was answered and is not taken, …"""
        self._left_unsent = 0
        """… of which the socket has not taken so many."""
        self.taken = 0.0
        """When the client last took something of that."""
        self._client = ""
        """The address of the client, where clients are told apart."""
        self._task: asyncio.Task[None] | Deferred | Turn | None = None
        self._closing = False
        self._refused = False
        self._refusal: Response | None = None
        self._ends = False
        self._announces = False
        self._under_way = False
        """Whether a request has begun and is not whole."""
        self._alone: _Parsed | tuple[()] | None = None
        self._last: _Parsed = ("", {}, True)
        """What the request before said, where the next may be like it, …"""
        self._repeated: tuple[bytes, Request] = _NONE_REPEATED
        """Its octets and what they say, if it was like the one before itself, …"""
        self._rest = _NOTHING
        """… and all its octets after the target."""
        self._known: dict[str, str] | None = None
        self._resume: asyncio.Event | None = None
        self._in_head = False
        self._later = b""
        """What was read and has not been looked at; while there is any, no more is read."""
        self._octets: bytes | bytearray = b""
        """What was read last; all of a head that is not whole."""
        self._place = 0
        """Where in it the next request begins, or somewhere before."""
        self._head_bytes = 0
        self._field_bytes = 0
        self._fields: dict[str, str] = {}
        self._target = b""
        self._body: bytes | bytearray = b""
        self._length = 0
        self._framing = 0
        """Octets that came after the pieces in which the head ended."""
        self.deadline = 0.0

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._parser = _NO_PARSER  # until octets come that are not known
        self._server.connections.add(self)
        self.deadline = self._server.time() + self._server.limits.head_time
        transport.set_write_buffer_limits(_MOST_UNTAKEN)  # type: ignore[attr-defined]
        if self._server.tells_clients_apart:
            self._enter()

    def _enter(self) -> None:
        """Count a connection for its client; one too many is told so and closed."""
        self._client = client_of(self._transport)
        if not self._client:
            return
        count = self._server.clients[self._client] = self._server.clients.get(self._client, 0) + 1
        if 0 < self._server.limits.client_connections < count:
            self._refuse(503, f"there are {count - 1} connections from {self._client} already")

    def _leave(self) -> None:
        if self._client:
            self._server.clients[self._client] -= 1
            if not self._server.clients[self._client]:
                del self._server.clients[self._client]
            self._client = ""

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._closing = True
        # A parser refers back to this: left to the garbage collector, connections of one request each
        # would hold up all others for a tenth of a second at a time
        self._parser = _NO_PARSER
        self._server.memory.unfinished -= self._held + self._serving
        self._held = self._serving = 0
        self._let_go()
        self._leave()
        if self._resume is not None:
            self._resume.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._resume = asyncio.Event()
        if not self._closing:
            self._transport.pause_reading()
        self._hold_answer(0)

    def resume_writing(self) -> None:
        self._let_go()
        if self._resume is not None:
            self._resume.set()
            self._resume = None
        if self._waiting:
            self._next()
        self._go_on()

    def eof_received(self) -> bool:
        """A client that has said all it wants still gets what is under way (half-close)."""
        self._ends = True
        return self._task is not None or bool(self._waiting)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._parser is _NO_PARSER and self._rest is _NOTHING:
            self._recall(data)
        if data.endswith(self._rest) and not self._under_way and self._task is None:
            request = self._like_the_last(data)
            if request is not None:
                self._serve(request, keep=self._last[2] and not self._server.draining)
                return
        if self._parser is _NO_PARSER:
            self._parser = httptools.HttpRequestParser(self)
        if len(data) > _PIECE:
            data = self._piece(data)
        between = not self._under_way
        if self._in_head:
            self._head_bytes += len(data)  # a head that begins in these octets begins to count again
            self._octets += data
        else:
            self._octets = data
            self._place = 0
            if self._under_way:
                self._framing += len(data)
                self._place = self._left()
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(400, f"the request is no HTTP/1.1: {reason(error)}")
            return
        if self._in_head:
            self._alone = None
            if self._head_bytes > self._server.limits.head + _LINE:
                self._refuse(431, f"the header section is over {self._server.limits.head:,} bytes")
            elif not self._head_bytes:  # it begins in these octets
                self._octets = wire.unfinished(self._octets[self._place :], self._server.limits.head)
                self._place = 0
            self._hold()
            return
        self._octets = b""
        if self._under_way or self._waiting or self._held or self._later:
            self._hold()
            if self._under_way and self._framing > _FRAMING * self._length + self._server.limits.head:
                self._refuse(413, "the chunks have more about them than in them")
        is_whole = between and not self._under_way and not self._refused
        if is_whole and self._alone and len(data) <= _LONGEST_SECTION:
            self._rest = data[data.index(_END_OF_LINE) :]
            self._last = self._shared(self._rest, self._alone)
            self._repeated = _NONE_REPEATED
        self._alone = None

    def _piece(self, data: bytes) -> bytes:
        """The beginning of what was read; the rest has its turn when other connections have had theirs.

        A read may bring thousands of requests. A body of a known length is no work.
        """
        most = _PIECE
        if self._under_way and not self._in_head:
            most = max(most, self._left())
        if len(data) <= most:
            return data
        self._later = data[most:]
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._read_on)
        return data[:most]

    def _left(self) -> int:
        """Octets of a body of a known length that are to come."""
        fields = self._fields
        return 0 if "transfer-encoding" in fields else int(fields.get("content-length", 0)) - self._length

    def _read_on(self) -> None:
        """Look at more of what was read, unless what it asks for would have to wait."""
        if self._later and not (self._closing or self._resume is not None or self._is_full()):
            data, self._later = self._later, b""
            self.data_received(data)
            if not self._later:
                self._go_on()

    def _go_on(self) -> None:
        """Read, where nothing stands against it: what was read already, then more."""
        if self._closing or self._resume is not None or self._is_full():
            return
        if self._later:
            asyncio.get_running_loop().call_soon(self._read_on)
        else:
            self._transport.resume_reading()

    def _recall(self, data: bytes) -> None:
        """Take a header section that came on another connection for that of the request before."""
        start = data.find(_END_OF_LINE)
        rest = data[start:]
        known = self._server.sections.get((data[: data.find(b" ")], rest)) if start > 0 else None
        if known is not None:
            self._last, self._rest = known, rest

    def _like_the_last(self, data: bytes) -> Request | None:
        """A request that differs from the one before in its target alone, which is plain; None for others.

        Who polls sends the same header section again and again. It was parsed
        and judged once, as a whole request without a body in octets of its
        own: what is before it can only be a method and a target.
        """
        if data == self._repeated[0]:
            return self._repeated[1]
        method, fields, _ = self._last
        start = len(method) + 1
        line = data[: -len(self._rest)].decode("latin-1")
        if (
            line[:start] != method + " "
            or len(line) > self._server.limits.target
            or len(data) > self._server.limits.head
            or _PLAIN.match(line, start) is None
        ):
            return None
        path, _, query = line[start:].partition("?")
        request = Request(method, path, query, fields, b"", repeats=True)
        if not path.startswith("/__"):  # else the request may be given its namespace
            self._repeated = data, request
        return request

    def _shared(self, rest: bytes, parsed: _Parsed) -> _Parsed:
        """One object for the same header section, whichever connection it came on."""
        sections = self._server.sections
        if len(sections) >= _MOST_SECTIONS:
            sections.clear()
        return sections.setdefault((parsed[0].encode(), rest), parsed)

    def _feed(self, data: bytes) -> None:
        """Parse. No other protocol is spoken here, so ``Upgrade`` is ignored (RFC 9110 section 7.8).

        llhttp reads no further than the head of such a request: it is given the
        head again without that field, and what follows.
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
                self._octets, self._place = data, 0

    # What the parser calls

    def on_message_begin(self) -> None:
        self._under_way = self._in_head = True
        self._head_bytes = 0
        self._field_bytes = 0
        self._fields = {}
        self._target = b""
        self._body = b""
        self._length = 0
        if self._task is None:
            self.deadline = self._server.time() + self._server.limits.head_time

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._field_bytes = len(self._target)
        if len(self._target) > self._server.limits.target:
            self._refuse(414, f"the request target is over {self._server.limits.target:,} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # trailers say nothing that is asked for (RFC 9110 section 6.5.1)
        fields = self._fields
        field = _NAMES.get(name) or _seen(_NAMES, name, name.lower())
        text = _VALUES.get(value)
        if text is None:
            text = _seen(_VALUES, value, value.rstrip(b" \t"))
        if field in fields:
            if field in ("host", "content-length", "transfer-encoding"):
                self._refuse(400, f"the header {field} is given twice")
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
        self._in_head = False
        self._length = 0
        self._framing = 0
        fields = self._fields
        if self._refused:
            return
        octets = self._octets
        if b"  " in octets or b" HTTP/" not in octets:
            line = b"%b %b HTTP/" % (self._parser.get_method(), self._target)
            if octets.find(line, self._place) < 0:
                self._refuse(400, "the request line is not method, target and HTTP version, one space apart")
        self._place = octets.find(b"\r\n\r\n", self._place) + 4 + self._left()
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
        """Give a body its time: now, or when the answers before it are over."""
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
        self._length += len(body)
        if self._length > self._server.limits.body:
            self._refuse(413, f"the body is over {self._server.limits.body:,} bytes")
        elif not self._body:
            self._body = body
        else:  # an object for each piece would take many times what is in them
            if not isinstance(self._body, bytearray):
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        self._under_way = False
        if self._refused:
            return
        name = self._parser.get_method()
        method = _VALUES.get(name) or _seen(_VALUES, name, name)
        fields = self._fields
        version = self._parser.get_http_version()
        is_absolute = not self._target.startswith((b"/", b"*"))
        if fields == self._known and version == "1.1" and not is_absolute:
            fields = self._known  # judged before; and one object for all requests that send the same
        elif "upgrade" in fields and self._parser.should_upgrade() and method != "CONNECT":  # noqa: SIM114
            return
        elif not self._is_sound(fields, version):
            return
        target = wire.split_target(self._target.decode("latin-1"), method)
        if target is None:
            self._refuse(400, "the request target is neither a path nor an http URL")
            return
        if is_absolute:
            fields = {**fields, "host": wire.authority(self._target.decode("latin-1"))}
        if fields is not self._known and not self._is_served(fields, version, is_absolute=is_absolute):
            return
        body = self._body if isinstance(self._body, bytes) else bytes(self._body)
        request = Request(method, target[0], target[1], fields, body)
        self._length = 0
        self._body = b""
        self._fields = _NO_FIELDS
        persistent = self._parser.should_keep_alive()
        keep = persistent and not self._server.draining
        self._announces = version == "1.0"
        is_alone = self._alone is None and not self._announces and not body and "expect" not in fields
        is_alone = is_alone and not is_absolute
        self._alone = (method, fields, persistent) if is_alone else ()
        if self._task is not None or self._waiting or self._resume is not None:
            size = len(body) + self._field_bytes + _EACH
            self._waiting.append((request, keep, size))
            self._behind += size
            if self._is_full():
                self._transport.pause_reading()
            return
        if request.body:
            self._begin(request, keep)
        else:
            self._serve(request, keep)

    def _is_sound(self, fields: dict[str, str], version: str) -> bool:
        """Whether version and Host are what is served; else the request is refused."""
        host = fields.get("host")
        if (host is None and version == "1.1") or (host is not None and not wire.is_host(host)):
            self._refuse(400, "the Host header is missing" if host is None else f"Host: {host} is no host")
            return False
        if version not in ("1.1", "1.0"):
            self._refuse(505, f"HTTP/{version} is not served")
            return False
        return True

    def _is_served(self, fields: dict[str, str], version: str, *, is_absolute: bool) -> bool:
        """Whether the request names this server; else it is refused."""
        host = fields.get("host", "")
        if is_absolute and not wire.is_host(host):
            self._refuse(400, f"the host {host} of the request target is no host")
            return False
        if not self._server.hosts.serves(host):
            self._refuse(
                421,
                f"Host: {host[:200]} is no name of this server; have it served by --hosts {host[:200]}",
            )
            return False
        if (
            version == "1.1" and not is_absolute and "upgrade" not in fields
            and self._field_bytes <= _LONGEST_SECTION
        ):  # fmt: skip
            self._known = fields
        return True

    # Answering

    def _begin(self, request: Request, keep: bool) -> None:
        """Serve a request: at once, or when its turn comes where its body may be much work."""
        if len(request.body) <= _HEAVY and not (request.body and "content-encoding" in request.headers):
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
        self._served()
        self._serve(request, keep)
        if self._task is None and not self._closing:
            self._next()

    def _served(self) -> None:
        """The body of the request is no longer held."""
        self._server.memory.unfinished -= self._serving
        self._serving = 0

    def _serve(self, request: Request, keep: bool) -> None:
        """Answer now where the answer is ready, else by a task."""
        if self._closing:
            return
        started = self._server.time()
        if self._server.tells_clients_apart:
            self._server.memory.client = self._client
        try:
            response = self._server.handle(request)
        except Exception as error:  # noqa: BLE001 - the client is owed an answer, the log the traceback
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
            response.then(partial(self._arrived, request, keep, started))
            return
        if isinstance(response, Response):
            request = replace(request, body=b"")  # it is done with, and not to be held meanwhile
        else:
            self._serving = len(request.body)
            self._server.memory.unfinished += self._serving
        self._task = asyncio.get_running_loop().create_task(
            self._serve_later(request, response, keep, started)
        )

    def _arrived(self, request: Request, keep: bool, started: float, response: Response) -> None:
        """An answer is there that was waited for without a task."""
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
        if self._waiting or self._refusal is not None or self._ends or self._under_way:
            self._next()

    async def _serve_later(
        self, request: Request, deferred: Response | Awaitable[Response], keep: bool, started: float
    ) -> None:
        try:
            response = deferred if isinstance(deferred, Response) else await deferred
            self._served()
            if response.delay:
                request = replace(request, body=b"")
                del deferred
                with self._server.memory.wait(len(response.body), self._client):
                    await self._server.clock_of(request).sleep(response.delay)
            if response.fault:
                self._break(response, request)
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
            self._served()
        if self._resume is not None:
            await self._resume.wait()
        self._next()

    def _break(self, response: Response, request: Request) -> None:
        """A fault of the network. A stalled connection waits until the client leaves, or for long enough."""
        self._closing = True
        is_open = faults.commit(response, request, self._transport, self._server.clock_of(request))
        if self._resume is not None:
            self._hold_answer(len(response.body))
        if is_open:
            self.deadline = self._server.time() + self._server.limits.stall_time

    def _next(self) -> None:
        """Serve the pipelined requests that waited, until one of them takes time."""
        full = self._is_full()
        while self._waiting and self._task is None and self._resume is None and not self._closing:
            request, keep, size = self._waiting.popleft()
            self._behind -= size
            self._begin(request, keep)
        self._hold()
        if self._closing:
            return
        if full:
            self._go_on()
        if self._task is not None or self._waiting:
            return
        if self._refusal is not None:
            self._close_with(self._refusal)
        elif self._ends:
            self.close()
        elif self._in_head:
            self.deadline = self._server.time() + self._server.limits.head_time
        elif self._under_way:
            self._expect_body()

    def _hold(self) -> None:
        """Have the server count what this connection holds, and refuse where all together hold too much."""
        held = len(self._octets) + self._length + self._behind + len(self._later)
        memory = self._server.memory
        memory.unfinished += held - self._held
        more = held > self._held
        self._held = held
        if more and memory.unfinished > memory.limits.unfinished:
            self._refuse(503, "the requests that clients are sending take too much memory; try again later")

    def _hold_answer(self, size: int) -> None:
        """Count octets that the client does not take: all of an answer is held until the last are taken."""
        left = self._transport.get_write_buffer_size()
        held = max(size, left)
        memory = self._server.memory
        if held > self.unsent and not self._transport.is_closing():
            memory.unsent += held - self.unsent
            self.unsent, self._left_unsent, self.taken = held, left, self._server.time()
            memory.readers.add(self)
            memory.make_room(but=self)

    def _let_go(self) -> None:
        """Nothing is held of what was answered."""
        if self.unsent:
            memory = self._server.memory
            memory.unsent -= self.unsent
            if self in memory.readers:
                memory.readers.discard(self)
            else:
                memory.leaving -= self.unsent
            self.unsent = 0

    def _is_full(self) -> bool:
        """Whether so much waits for its turn that no more is read until there is room."""
        limits = self._server.limits
        return len(self._waiting) >= _MOST_WAITING or self._behind > max(limits.body, limits.head)

    def _write(self, request: Request, response: Response, keep: bool, now: float) -> None:
        clock = self._server.clock_of(request) if Clock.moved else None
        if keep and not self._announces and request.method != "HEAD" and wire.has_content(response.status):
            self._transport.write(wire.usual(response, clock))
            self.deadline = now + self._server.limits.idle_time
            if self._resume is not None:
                self._hold_answer(len(response.body))
            return
        body = response.body
        length = len(body) if wire.has_content(response.status) else None
        head = wire.head(
            response,
            length=length,
            close=not keep,
            keep_alive=keep and self._announces,
            clock=clock,
        )
        self._transport.write(head if length is None or request.method == "HEAD" else head + body)
        if self._resume is not None:
            self._hold_answer(len(body))
        self._done(keep)

    async def _stream(self, request: Request, response: Response, keep: bool) -> bool:
        """Send a body of chunks as they come (RFC 9112 section 7.1); to HTTP/1.0, until the end."""
        framed = not self._announces
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
                        self._hold_answer(len(chunk))
        if self._closing:
            return False
        if framed and request.method != "HEAD":
            self._transport.write(b"0\r\n\r\n")
        self._done(keep)
        return keep

    def _done(self, keep: bool) -> None:
        if keep:
            self.deadline = self._server.time() + self._server.limits.idle_time
        else:
            self._closing = True
            self._transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer what cannot be read on from, and close. Requests before it are answered first."""
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
        """A last answer. What the client still sends is read for a while, or a reset would overtake it."""
        clock = self._server.clock_of(None)
        head = wire.head(response, length=len(response.body), close=True, keep_alive=False, clock=clock)
        self._transport.write(head + response.body)
        self._transport.write_eof()
        self._later = b""
        self._transport.resume_reading()
        self._closing = True
        self.deadline = self._server.time() + _LINGER

    # What the server calls

    @property
    def idle(self) -> bool:
        busy = self._task is not None or self._waiting or self._under_way or self._later
        return not busy or self._closing

    def expire(self) -> None:
        """The time for the head, the body or the next request is over."""
        if self._closing:
            self.abort()
        elif self._under_way:
            self._refuse(408, "the request took too long to arrive")
        else:
            self.close()

    def close(self) -> None:
        self._closing = True
        self._transport.close()

    def abort(self) -> None:
        """Close without waiting for what the client has not taken yet."""
        self._closing = True
        self._transport.abort()

    def look(self) -> None:
        """See whether the client takes something of what it was answered."""
        left = self._transport.get_write_buffer_size()
        if left < self._left_unsent:
            self._left_unsent, self.taken = left, self._server.time()


class Turn:
    """Work that waits for its turn, unless it is cancelled."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work

    def take(self) -> None:
        if self._work is not None:
            self._work()

    def cancel(self) -> None:
        self._work = None


class ConnectionOwner:
    """What a connection needs of its server."""

    connections: set[Connection]
    limits: Limits
    hosts: Hosts = Hosts((ANY,))
    """The names by which it is called."""
    draining: bool
    memory: Memory
    """What all connections hold."""
    clients: dict[str, int]
    """The connections of each client, where clients are told apart."""
    tells_clients_apart: bool
    sections: dict[tuple[bytes, bytes], _Parsed]
    """What was parsed, by method and all octets after the target."""
    handle: Handler
    log_access: Callable[[Request, Response, float], None] | None

    def time(self) -> float:
        raise NotImplementedError

    def in_turn(self, work: Callable[[], None]) -> Turn:
        """Do ``work`` that may take long when its turn comes."""
        raise NotImplementedError

    def clock_of(self, request: Request | None) -> Clock:
        """The clock of a request's namespace, or the default one's where there is none: none is made."""
        raise NotImplementedError


_Parsed = tuple[str, dict[str, str], bool]
"""Method, header fields, and whether they let the connection stay open."""
_NO_PARSER = httptools.HttpRequestParser(object())
_NOTHING = b"no request ends like this"
_NONE_REPEATED = b"", Request("", "")
_END_OF_LINE = b" HTTP/1.1\r\n"
_PLAIN = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*\Z")
"""A target in origin form of the characters that RFC 3986 has for paths and queries."""


_NAMES: dict[bytes, str] = {}
_VALUES: dict[bytes, str] = {}
_MOST_SEEN, _LONGEST_SEEN = 4096, 64


_NO_FIELDS: dict[str, str] = {}
"""Instead of those of a request that is served: what it sent is not kept for it while it is idle."""
_MOST_SECTIONS, _LONGEST_SECTION = 256, 4096


def _seen(texts: dict[bytes, str], octets: bytes, meant: bytes) -> str:
    """The text of a header name or value, one object for each that comes again.

    Clients send the same ones with every request; sharing them saves the
    decoding, and the memory of the journal that keeps the requests.
    """
    text = meant.decode("latin-1")
    if len(octets) <= _LONGEST_SEEN:
        if len(texts) >= _MOST_SEEN:
            texts.clear()
        texts[octets] = text
    return text


def client_of(transport: asyncio.Transport) -> str:
    """The address of a client; empty for one of this machine, which may be a proxy for many."""
    peer = transport.get_extra_info("peername")
    host = str(peer[0]) if isinstance(peer, tuple) else ""
    return "" if is_loopback(host.removeprefix("::ffff:")) else host
