"""Header sections that were parsed and validated, so that equal and similar ones need no parsing.

A client that polls sends the same header section again and again. It was parsed and validated once, as that
of a complete request that was alone in its data. So what precedes these octets in other data can only be a
method and a target. The body after them has a known length: a section with chunks is not stored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mockserver.messages import MAX_DIFFERING, Request

if TYPE_CHECKING:
    from mockserver.http.owner import Limits

END_OF_LINE = b" HTTP/1.1\r\n"
"""The end of a request line. A section begins with it: the octets after the target."""
MAX_LENGTH = 4096
"""Octets of the longest request whose section is stored."""
_MAX_SECTIONS = 256
_VERSION = b" HTTP/1.1"
_END = b"\r\n\r\n"
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


class Section:
    """The header section of a valid request."""

    __slots__ = (
        "_lines",
        "_max_body",
        "_max_head",
        "_max_target",
        "_method",
        "_start",
        "_varying",
        "fields",
        "has_body",
        "persistent",
        "tail",
    )

    def __init__(
        self, method: str, tail: bytes, fields: dict[str, str], limits: Limits, *,
        persistent: bool, has_body: bool,
    ) -> None:  # fmt: skip
        self._method = method
        self._start = method + " "
        self.tail = tail
        """The octets after the target, which begin with ``END_OF_LINE``."""
        self.fields = fields
        self.persistent = persistent
        """Whether the connection stays open by these fields."""
        self.has_body = has_body
        """Whether a body follows it, of the length that ``Content-Length`` states."""
        self._max_head = limits.head
        self._max_target = limits.target
        self._max_body = limits.body
        self._lines: list[bytes] = []
        """The lines of ``tail``; empty until a request differs in one. The first one is the version of
        HTTP; the last two are empty."""
        self._varying: list[tuple[int, bytes, str]] = []
        """The lines that differ between requests: the index, the octets before the value, the name."""

    def request_with_body(self, data: bytes) -> Request | None:
        """Return the request of ``data`` if its section is equal or similar, and its body is complete."""
        end = data.find(_END) + len(_END)
        head = data[:end]
        request = self.equal_request(head) if head.endswith(self.tail) else self.similar_request(head)
        if request is None:
            return None
        stated = request.headers["content-length"]
        length = len(data) - end
        if length > self._max_body or not stated.isdecimal() or int(stated) != length:
            return None
        request.body = data[end:]
        request.section = None
        request.differing = ()
        return request

    def equal_request(self, data: bytes) -> Request | None:
        """Return the request of ``data``, which ends with this section; None unless its target is plain."""
        if len(data) > self._max_head:
            return None
        return self._request(data[: -len(self.tail)], self.fields, ())

    def similar_request(self, data: bytes) -> Request | None:
        """Return the request of ``data`` if it has these fields with other values; else None.

        Only fields that HTTP does not use may differ, and they have to consist of plain characters. A
        client that is instrumented sends such fields, a trace for example, with every request.
        """
        if len(data) > min(MAX_LENGTH, self._max_head):
            return None
        if not self._lines:
            self._lines = self.tail.split(b"\r\n")
        known = self._lines
        lines = data.split(b"\r\n")
        if len(lines) != len(known):
            return None
        line, lines[0] = lines[0], known[0]
        fields = self.fields.copy()
        differing: tuple[str, ...] = ()
        for place, prefix, name in self._varying:
            field, lines[place] = lines[place], known[place]
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
        if lines != known:
            return self.similar_request(data) if self._learn(lines) else None
        if not line.endswith(_VERSION):
            return None
        return self._request(line[: -len(_VERSION)], fields, differing)

    def _learn(self, others: list[bytes]) -> bool:
        """Take the lines that ``others`` has not as varying. Return whether all of them may differ."""
        names = [line.partition(b":")[0].lower() for line in self._lines]
        found: list[tuple[int, bytes, str]] = []
        for place, (line, other, name) in enumerate(zip(self._lines, others, names, strict=True)):
            if line == other:
                continue
            may_differ = name not in _FIELDS_OF_HTTP or (self.has_body and name == b"content-length")
            if not _NAME(name) or not may_differ or names.count(name) > 1:
                return False
            value = line[len(name) + 1 :].lstrip(b" \t")
            found.append((place, line[: len(line) - len(value)], name.decode()))
        self._varying += found
        return bool(found)

    def _request(self, octets: bytes, fields: dict[str, str], differing: tuple[str, ...]) -> Request | None:
        """Return the request that begins with ``octets``: this method, and a target of plain characters."""
        line = octets.decode("latin-1")
        start = len(self._start)
        if line[:start] != self._start or len(line) > self._max_target or _PLAIN.match(line, start) is None:
            return None
        path, _, query = line[start:].partition("?")
        return Request(self._method, path, query, fields, b"", self.fields, differing)


class Sections:
    """The header sections of a server: all its connections share one object for equal sections."""

    __slots__ = ("_known", "_latest", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._known: dict[tuple[bytes, bytes], Section] = {}
        """By method and the octets after the target."""
        self._latest: dict[tuple[bytes, int], Section] = {}
        """The last one that was parsed, by method and number of lines."""
        self._limits = limits

    def find(self, data: bytes) -> Section | None:
        """Return the section that ``data`` contains; else one to which that of ``data`` may be similar."""
        start = data.find(END_OF_LINE)
        if start < 0:
            return None
        end = data.find(_END, start) + len(_END)
        method = data[: data.find(b" ")]
        return self._known.get((method, data[start:end])) or self._latest.get(
            (method, data.count(b"\r\n", 0, end))
        )

    def share(self, data: bytes, method: str, fields: dict[str, str], *, persistent: bool) -> Section | None:
        """Return the section of ``data``, a request that was parsed; None if it is too long to be stored."""
        end = data.find(_END) + len(_END)
        length = len(data) - end
        if not len(_END) <= end <= MAX_LENGTH or length != int(fields.get("content-length", 0)):
            return None  # or other octets follow, such as a blank line
        tail = data[data.index(END_OF_LINE) : end]
        key = method.encode(), tail
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MAX_SECTIONS:
                self._known.clear()
                self._latest.clear()
            known = Section(method, tail, fields, self._limits, persistent=persistent, has_body=length > 0)
            self._known[key] = self._latest[key[0], data.count(b"\r\n", 0, end)] = known
        return known
