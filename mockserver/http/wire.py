"""Answers as HTTP/1.1 bytes (RFC 9112), and requests as a parser's events give them."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from mockserver.messages import Response
from mockserver.namespaces.clock import Clock, http_date

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_HEADS: dict[tuple[int, tuple[tuple[str, str], ...]], bytes] = {}
_MOST_HEADS, _LONGEST_HEAD = 4096, 1024
_LONGEST_HOST = 300
"""Characters of the hosts that are remembered: what clients make up may be as long as a head."""
_HOST = re.compile(
    r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?::\d{0,5})?|\[[0-9A-Fa-f:.]+\](?::\d{0,5})?"
)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no field value may hold (RFC 9110 section 5.5)."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def head(
    response: Response, *, length: int | None, close: bool, keep_alive: bool, clock: Clock | None = None
) -> bytes:
    """Status line and header section. ``length`` None: no content at all, or chunks.

    ``clock`` is what Date follows, where that is not the machine's.
    """
    rest = b"\r\n"
    if length is not None:
        rest = b"content-length: %d\r\n\r\n" % length
    if close:
        rest = b"connection: close\r\n" + rest
    elif keep_alive:
        rest = b"connection: keep-alive\r\n" + rest
    return b"%bdate: %b\r\n%b%b" % (
        response.head or _known_first(response),
        _date(clock),
        _decision(response.decision),
        rest,
    )


def usual(response: Response, clock: Clock | None = None) -> bytes:
    """The whole answer, where its connection stays open and it has content: what nearly all are."""
    body = response.body
    return b"%bdate: %b\r\n%bcontent-length: %d\r\n\r\n%b" % (
        response.head or _known_first(response),
        _date(clock),
        _decision(response.decision),
        len(body),
        body,
    )


def _known_first(response: Response) -> bytes:
    place = (response.status, tuple(response.headers))
    first = _HEADS.get(place)
    if first is None:
        first = first_part(*place)
        if len(first) > _LONGEST_HEAD:
            return first
        if len(_HEADS) >= _MOST_HEADS:
            _HEADS.clear()
        _HEADS[place] = first
    return first


def _decision(text: str) -> bytes:
    if not text:
        return b""
    return b"x-mock-decision: %b\r\n" % field_value(text)


def first_part(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Status line and header fields, as they are sent."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}".encode()]
    lines += [b"%b: %b" % (name.encode("latin-1"), field_value(value)) for name, value in headers]
    return b"\r\n".join([*lines, b""])


def field_value(text: str) -> bytes:
    """``text`` as a header can carry it: no control character, and Latin-1."""
    plain = text if text.isprintable() else CONTROL.sub(" ", text)
    return plain.encode("latin-1", "backslashreplace")


_dated: tuple[int, bytes] = (0, b"")


def _date(clock: Clock | None) -> bytes:
    """Of the machine's time, made once a second; of a clock's, where there is one."""
    global _dated
    if clock is not None:
        return _date_of(clock.now() // 1000)
    now = int(time.time())
    if _dated[0] != now:
        _dated = (now, _date_of(now))
    return _dated[1]


@lru_cache(maxsize=256)
def _date_of(second: int) -> bytes:
    return http_date(second * 1000).encode()


def has_content(status: int) -> bool:
    """Whether an answer of this status may have content and Content-Length (RFC 9110 section 8.6)."""
    return status not in (204, 304) and status >= 200


def is_host(value: str) -> bool:
    """Whether ``value`` is a Host field's value (RFC 9110 section 7.2)."""
    return _is_host(value) if len(value) <= _LONGEST_HOST else _HOST.fullmatch(value) is not None


@lru_cache(maxsize=256)
def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None


def split_target(target: str, method: str) -> tuple[str, str] | None:
    """Raw path and query of a request target in any form that is served (RFC 9112 section 3.2)."""
    if target.startswith("/") and method != "CONNECT":
        path, _, query = target.partition("?")
        return path, query.partition("#")[0]
    if target == "*" and method == "OPTIONS":
        return "*", ""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme.lower() in ("http", "https") and parts.netloc:
        return parts.path or "/", parts.query
    return None


def authority(target: str) -> str:
    """The host of a target in absolute form, with its port; it goes before Host (RFC 9112 section 3.2.2)."""
    return urlsplit(target).netloc.rpartition("@")[2]


def unfinished(octets: bytes | bytearray, most: int) -> bytearray:
    """The head that has no end in ``octets``: what follows the last head in them, ``most`` bytes of it."""
    start = octets.rfind(b"\r\n\r\n") + 1
    return bytearray(octets[max(start, len(octets) - most) :])
