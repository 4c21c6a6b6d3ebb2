"""Encode responses as HTTP/1.1 (RFC 9112), and check parts of requests."""

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
_MAX_HEADS, _MAX_HEAD_LENGTH = 4096, 1024
_MAX_HOST_LENGTH = 300
"""Characters of the longest host that is cached; a client may send hosts as long as a head."""
_HOST = re.compile(
    r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?::\d{0,5})?|\[[0-9A-Fa-f:.]+\](?::\d{0,5})?"
)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""The characters that no field value may contain (RFC 9110 section 5.5)."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def head(
    response: Response, *, length: int | None, close: bool, keep_alive: bool, clock: Clock | None = None
) -> bytes:
    """Return the status line and the header section of a response.

    ``length`` None: no content, or chunked. ``clock``: the clock of Date, if it is not the machine's.
    """
    rest = b"\r\n"
    if length is not None:
        rest = b"content-length: %d\r\n\r\n" % length
    if close:
        rest = b"connection: close\r\n" + rest
    elif keep_alive:
        rest = b"connection: keep-alive\r\n" + rest
    return b"%bdate: %b\r\n%b%b" % (
        response.head or _cached_first_part(response),
        _date(clock),
        _decision_field(response.decision),
        rest,
    )


def usual(response: Response, clock: Clock | None = None) -> bytes:
    """Return a whole response that has content and keeps its connection open, as nearly all do."""
    body = response.body
    return b"%bdate: %b\r\n%bcontent-length: %d\r\n\r\n%b" % (
        response.head or _cached_first_part(response),
        _date(clock),
        _decision_field(response.decision),
        len(body),
        body,
    )


def _cached_first_part(response: Response) -> bytes:
    cache_key = (response.status, tuple(response.headers))
    first = _HEADS.get(cache_key)
    if first is None:
        first = first_part(*cache_key)
        if len(first) > _MAX_HEAD_LENGTH:
            return first
        if len(_HEADS) >= _MAX_HEADS:
            _HEADS.clear()
        _HEADS[cache_key] = first
    return first


def _decision_field(text: str) -> bytes:
    if not text:
        return b""
    return b"x-mock-decision: %b\r\n" % field_value(text)


def first_part(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return the octets of the status line and of header fields."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}".encode()]
    lines += [b"%b: %b" % (name.encode("latin-1"), field_value(value)) for name, value in headers]
    return b"\r\n".join([*lines, b""])


def field_value(text: str) -> bytes:
    """Encode the value of a field: a blank for a control character, Latin-1, other characters escaped."""
    plain = text if text.isprintable() else CONTROL.sub(" ", text)
    return plain.encode("latin-1", "backslashreplace")


_cached_date: tuple[int, bytes] = (0, b"")


def _date(clock: Clock | None) -> bytes:
    """Return the value of Date: by ``clock``, else by the machine's time, formatted once a second."""
    global _cached_date
    if clock is not None:
        return _format_date(clock.now() // 1000)
    now = int(time.time())
    if _cached_date[0] != now:
        _cached_date = (now, _format_date(now))
    return _cached_date[1]


@lru_cache(maxsize=256)
def _format_date(second: int) -> bytes:
    return http_date(second * 1000).encode()


def has_content(status: int) -> bool:
    """Return whether a response of this status may have Content-Length (RFC 9110 section 8.6)."""
    return status not in (204, 304) and status >= 200


def is_host(value: str) -> bool:
    """Return whether ``value`` is a valid value of a Host field (RFC 9110 section 7.2)."""
    return _is_host(value) if len(value) <= _MAX_HOST_LENGTH else _HOST.fullmatch(value) is not None


@lru_cache(maxsize=256)
def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None


def split_target(target: str, method: str) -> tuple[str, str] | None:
    """Return the raw path and the query of a request target (RFC 9112 section 3.2).

    None for a target in authority form, and for an absolute target that is not an http or https URL.
    """
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
    """Return host and port of a target in absolute form, which replaces Host (RFC 9112 section 3.2.2)."""
    return urlsplit(target).netloc.rpartition("@")[2]


def unfinished(octets: bytes | bytearray, limit: int) -> bytearray:
    """Return the incomplete head at the end of ``octets``, at most its last ``limit`` bytes."""
    start = octets.rfind(b"\r\n\r\n") + 1
    return bytearray(octets[max(start, len(octets) - limit) :])
