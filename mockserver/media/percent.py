"""Percent-encoding (RFC 3986, section 2.1) of UTF-8 text.

Text off the wire is latin-1: a raw byte above 127 is a character above 127.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

RESERVED = ":/?[]@!$'()*,;"
"""What ``allowReserved`` may leave unencoded in a query; ``# & + =`` would change its structure."""

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode(text: str) -> str | None:
    """The text meant; None where an escape is broken or the bytes are not UTF-8."""
    if "%" not in text and text.isascii():
        return text
    if _BROKEN.search(text):
        return None
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        return None


def broken(text: str) -> str:
    """What stands where an escape should, three characters at most; empty where no escape is broken."""
    found = _BROKEN.search(text)
    return text[found.start() : found.start() + 3] if found else ""


def decode_form(text: str) -> str | None:
    """As ``decode``, with ``+`` for a space (application/x-www-form-urlencoded)."""
    return decode(text.replace("+", " "))


def encode(text: str, *, safe: str = "") -> str:
    """Everything but the unreserved characters, and ``safe``, as escapes."""
    return quote(text, safe=safe)
