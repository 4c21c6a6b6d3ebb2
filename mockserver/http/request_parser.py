"""The requests of one connection, parsed by llhttp (through httptools), with the limits that llhttp lacks.

It rejects every message whose framing can be read in two ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

from mockserver.diagnostics import reason
from mockserver.http import wire
from mockserver.http.owner import ConnectionOwner
from mockserver.http.sections import Section
from mockserver.messages import Request

if TYPE_CHECKING:
    from mockserver.http.connection import Connection

_REQUEST_LINE_OVERHEAD = 64
"""Octets of a head besides the target and the fields: method, version and line breaks."""
_MAX_FRAMING = 8
"""Octets of chunk framing that are allowed for each octet of the body, in addition to ``Limits.head``."""
_MAX_VALIDATED = 4096
"""Octets of a header section that is compared with the next one."""
_NAMES: dict[bytes, str] = {}
_VALUES: dict[bytes, str] = {}
_MAX_TEXTS, _MAX_TEXT_LENGTH = 4096, 64
_NO_FIELDS: dict[str, str] = {}
"""The fields of a connection between requests, so that it does not keep those of the last one."""
_CLOSED = httptools.HttpRequestParser(object())


class RequestParser:
    """The parser of one connection. It gives each complete request to the connection."""

    __slots__ = (
        "_body",
        "_connection",
        "_field_bytes",
        "_fields",
        "_framing",
        "_head_bytes",
        "_length",
        "_octets",
        "_offset",
        "_parser",
        "_refused",
        "_server",
        "_sole_section",
        "_target",
        "_validated",
        "in_head",
        "in_request",
    )

    def __init__(self, connection: Connection, server: ConnectionOwner) -> None:
        self._connection = connection
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._refused = False
        self.in_request = False
        """Whether a request has begun and is incomplete."""
        self.in_head = False
        self._sole_section: tuple[str, dict[str, str], bool] | tuple[()] | None = None
        """The method, the header fields and whether the connection stays open, of the only request in the
        data that is being parsed. Empty: its section cannot be repeated."""
        self._validated: dict[str, str] | None = None
        """The last header fields whose ``Host`` and version were accepted."""
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
        """Octets of the body so far; inside of a head, the number of header fields."""
        self._framing = 0
        """Octets received after the data in which the head ended."""

    # What the connection calls

    @property
    def held(self) -> int:
        """The octets of an incomplete request that are in memory."""
        return len(self._octets) + self._length

    @property
    def body_left(self) -> int:
        """The number of octets that are missing of a body of a known length; 0 for chunks."""
        fields = self._fields
        return 0 if "transfer-encoding" in fields else int(fields.get("content-length", 0)) - self._length

    def feed(self, data: bytes) -> Section | None:
        """Parse data of the client. Return its section if it was one request that later ones may repeat."""
        between = not self.in_request
        if self.in_head:
            self._head_bytes += len(data)  # on_message_begin sets it to 0 for a head that begins here
            self._octets += data
        else:
            self._octets = data
            self._offset = 0
            if self.in_request:
                self._framing += len(data)
                self._offset = self.body_left
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._connection.refuse(400, f"the request is not HTTP/1.1: {reason(error)}")
            return None
        sole, self._sole_section = self._sole_section, None
        limits = self._server.limits
        if self.in_head:
            if self._head_bytes > limits.head + _REQUEST_LINE_OVERHEAD:
                self._connection.refuse(431, f"the header section is over {limits.head:,} bytes")
            elif not self._head_bytes:  # the head begins in this data
                self._octets = wire.unfinished(self._octets[self._offset :], limits.head)
                self._offset = 0
            return None
        self._octets = b""
        if self.in_request:
            if self._framing > _MAX_FRAMING * self._length + limits.head:
                self._connection.refuse(413, "the framing of the chunks is too large for their content")
            return None
        if not sole or not between or self._refused:
            return None
        method, fields, persistent = sole
        return self._server.sections.share(data, method, fields, persistent=persistent)

    def expect_body(self) -> None:
        """Start the timeout of a body: now, or when the previous responses are complete."""
        if (
            self._connection.expect_body()
            and not self._length
            and self._fields.get("expect", "").lower() == "100-continue"
            and self._parser.get_http_version() != "1.0"
        ):
            self._connection.send_continue()

    def stop(self) -> None:
        """Drop the request in progress, and ignore the rest of the data."""
        self._refused = True
        self._body = b""

    def close(self) -> None:
        """Break the reference cycle with llhttp's parser.

        Otherwise the garbage collector has to, which pauses all connections for a tenth of a second.
        """
        self._parser = _CLOSED

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

    # What llhttp calls

    def on_message_begin(self) -> None:
        """Start a request."""
        self.in_request = self.in_head = True
        self._head_bytes = 0
        self._field_bytes = 0
        self._fields = {}
        self._target = b""
        self._body = b""
        self._length = 0
        if self._connection.task is None:
            self._connection.deadline = self._server.time() + self._server.limits.head_time

    def on_url(self, url: bytes) -> None:
        """Add a part of the request target. Refuse a long one with 414."""
        self._target += url
        self._field_bytes = len(self._target)
        if len(self._target) > self._server.limits.target:
            self._connection.refuse(414, f"the request target is over {self._server.limits.target:,} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header field. Refuse repeated framing fields with 400, and large sections with 431."""
        if not self.in_head:
            return  # trailer fields are ignored (RFC 9110 section 6.5.1)
        fields = self._fields
        field = _NAMES.get(name) or _cached_text(_NAMES, name, name.lower())
        text = _VALUES.get(value)
        if text is None:
            text = _cached_text(_VALUES, value, value.rstrip(b" \t"))
        if field in fields:
            if field in ("host", "content-length", "transfer-encoding"):
                self._connection.refuse(400, f"the header {field} occurs twice")
            fields[field] += (";" if field == "cookie" else ",") + " " + text
        else:
            fields[field] = text
        self._length += 1
        if self._length > self._server.limits.headers:
            self._connection.refuse(431, f"there are more than {self._server.limits.headers} header fields")
        self._field_bytes += len(name) + len(value) + 4
        if self._field_bytes > self._server.limits.head:
            self._connection.refuse(431, f"the header section is over {self._server.limits.head:,} bytes")

    def on_headers_complete(self) -> None:
        """Validate the framing of the request (RFC 9112 section 6), and expect its body."""
        self.in_head = False
        self._length = 0
        self._framing = 0
        fields = self._fields
        if self._refused:
            return
        octets = self._octets
        if b"  " in octets or b" HTTP/" not in octets:
            line = b"%b %b HTTP/" % (self._parser.get_method(), self._target)
            if octets.find(line, self._offset) < 0:
                self._connection.refuse(
                    400, "the request line is not method, target and HTTP version, one space apart"
                )
        self._offset = octets.find(b"\r\n\r\n", self._offset) + 4 + self.body_left
        if self._refused or ("upgrade" in fields and self._parser.should_upgrade()):
            return
        if "transfer-encoding" in fields:
            if "content-length" in fields:
                self._connection.refuse(400, "the request has both Content-Length and Transfer-Encoding")
            elif self._parser.get_http_version() == "1.0":
                self._connection.refuse(400, "HTTP/1.0 has no transfer codings")
            elif fields["transfer-encoding"].strip().lower() != "chunked":
                self._connection.refuse(501, "the only transfer coding served is chunked")
            else:
                self.expect_body()
        elif (length := fields.get("content-length")) is not None and length != "0":
            if length.isdigit() and int(length) > self._server.limits.body:
                self._connection.refuse(413, f"the body is over {self._server.limits.body:,} bytes")
            else:
                self.expect_body()

    def on_body(self, body: bytes) -> None:
        """Add a part of the body. Refuse a large one with 413."""
        self._length += len(body)
        if self._length > self._server.limits.body:
            self._connection.refuse(413, f"the body is over {self._server.limits.body:,} bytes")
        elif not self._body:
            self._body = body
        else:  # one buffer: an object for each part would take many times the memory of its content
            if not isinstance(self._body, bytearray):
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        """Validate a complete request, and serve it or add it to the waiting ones."""
        self.in_request = False
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
            self._connection.refuse(400, "the request target is neither a path nor an http URL")
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
        is_http10 = version == "1.0"
        is_alone = self._sole_section is None and not is_http10 and not is_absolute
        is_alone = is_alone and "expect" not in fields and "transfer-encoding" not in fields
        self._sole_section = (method, fields, persistent) if is_alone else ()
        self._connection.receive(request, keep, is_http10=is_http10, field_bytes=self._field_bytes)

    def _check_host(self, fields: dict[str, str], version: str) -> bool:
        """Return whether the version is supported and ``Host`` has valid syntax; else refuse the request."""
        host = fields.get("host")
        if (host is None and version == "1.1") or (host is not None and not wire.is_host(host)):
            self._connection.refuse(
                400, "the Host header is missing" if host is None else f"Host: {host} is not a valid host"
            )
            return False
        if version not in ("1.1", "1.0"):
            self._connection.refuse(505, f"HTTP/{version} is not supported")
            return False
        return True

    def _check_host_name(self, fields: dict[str, str], version: str, *, is_absolute: bool) -> bool:
        """Return whether the host of the request is a name of this server; else refuse with 400 or 421."""
        host = fields.get("host", "")
        if is_absolute and not wire.is_host(host):
            self._connection.refuse(400, f"the host {host} of the request target is not a valid host")
            return False
        if not self._server.hosts.serves(host):
            self._connection.refuse(
                421,
                f"Host: {host[:200]} is not a name of this server; add it with --hosts {host[:200]}",
            )
            return False
        if (
            version == "1.1" and not is_absolute and "upgrade" not in fields
            and self._field_bytes <= _MAX_VALIDATED
        ):  # fmt: skip
            self._validated = fields
        return True


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


NO_PARSER = RequestParser(None, None)  # type: ignore[arg-type]
"""The parser of the connections whose requests had known header sections so far."""
