"""Header sections that were parsed and validated, so that equal and similar ones need no parsing.

A client that polls sends the same header section again and again. It was parsed and validated once, as that
of a complete request without a body and alone in its data. So what precedes these octets in other data can
only be a method and a target.
"""

from __future__ import annotations

import re

from mockserver.messages import MAX_DIFFERING, Request

END_OF_LINE = b" HTTP/1.1\r\n"
"""The end of a request line. A section begins with it: the octets after the target."""
MAX_LENGTH = 4096
"""Octets of the longest request whose section is stored."""
_MAX_SECTIONS = 256
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


class Section:
    """The header section of a valid request without a body."""

    __slots__ = (
        "_lines",
        "_max_head",
        "_max_target",
        "_method",
        "_start",
        "_varying",
        "fields",
        "persistent",
        "tail",
    )

    def __init__(
        self, method: str, tail: bytes, fields: dict[str, str], persistent: bool, *, head: int, target: int
    ) -> None:
        """``head``, ``target``: the limits of the server, in bytes."""
        self._method = method
        self._start = method + " "
        self.tail = tail
        """The octets after the target, which begin with ``END_OF_LINE``."""
        self.fields = fields
        self.persistent = persistent
        """Whether the connection stays open by these fields."""
        self._max_head = head
        self._max_target = target
        self._lines: list[bytes] = []
        """The lines of ``tail``; empty until a request differs in one. The first one is the version of
        HTTP; the last two are empty."""
        self._varying: list[tuple[int, bytes, str]] = []
        """The lines that differ between requests: the index, the octets before the value, the name."""

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
        if not self._lines:
            self._lines = self.tail.split(b"\r\n")
        known = self._lines
        lines = data.split(b"\r\n")
        if len(lines) != len(known) or len(data) > min(MAX_LENGTH, self._max_head):
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
            if not _NAME(name) or name in _FIELDS_OF_HTTP or names.count(name) > 1:
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

    __slots__ = ("_known", "_max_head", "_max_target")

    def __init__(self, *, head: int, target: int) -> None:
        """``head``, ``target``: the limits of the server, in bytes."""
        self._known: dict[tuple[bytes, bytes], Section] = {}
        """By method and the octets after the target."""
        self._max_head = head
        self._max_target = target

    def find(self, data: bytes) -> Section | None:
        """Return the section with which ``data`` ends, if it is known."""
        start = data.find(END_OF_LINE)
        return self._known.get((data[: data.find(b" ")], data[start:])) if start > 0 else None

    def share(self, data: bytes, method: str, fields: dict[str, str], persistent: bool) -> Section | None:
        """Return the section of ``data``, a request that was parsed; None if it is too long to be stored."""
        if len(data) > MAX_LENGTH:
            return None
        tail = data[data.index(END_OF_LINE) :]
        known = self._known.get((method.encode(), tail))
        if known is None:
            if len(self._known) >= _MAX_SECTIONS:
                self._known.clear()
            known = Section(method, tail, fields, persistent, head=self._max_head, target=self._max_target)
            self._known[method.encode(), tail] = known
        return known
