"""What a response field says where HTTP itself tells its form, and the document only that it is text.

RFC 9110 (``Allow``, ``Content-Language``, ``ETag``, ``Last-Modified``, ``Location``,
``Retry-After``, ``Vary``, ``WWW-Authenticate``), RFC 9111 (``Age``, ``Cache-Control``,
``Expires``), RFC 6265 (``Set-Cookie``), RFC 6266 (``Content-Disposition``), RFC 8288
(``Link``) and Fetch (``Access-Control-*``). Clients parse these, and a word there breaks them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from mockserver.serve.clock import http_date

_HOUR = 3_600_000

_FIXED = {
    "accept-ranges": "bytes",
    "access-control-allow-headers": "Content-Type, Authorization",
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "access-control-max-age": "600",
    "age": "0",
    "allow": "GET, HEAD, OPTIONS",
    "cache-control": "no-cache",
    "content-disposition": 'attachment; filename="file"',
    "content-language": "en",
    "content-location": "/",
    "link": '</>; rel="self"',
    "location": "/",
    "retry-after": "1",
    "vary": "Accept",
    "www-authenticate": "Bearer",
}


def field_text(name: str, key: str, now_ms: int) -> str | None:
    """The text of the field ``name`` (in lower case), the same for one ``key``; None where any will do."""
    maker = _MAKERS.get(name)
    return _FIXED.get(name) if maker is None else maker(key, now_ms)


def _token(key: str) -> str:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


_MAKERS: dict[str, Callable[[str, int], str]] = {
    "etag": lambda key, _: f'"{_token(key)}"',
    "expires": lambda _, now_ms: http_date(now_ms + _HOUR),
    "last-modified": lambda _, now_ms: http_date(now_ms - _HOUR),
    "set-cookie": lambda key, _: f"session={_token(key)}; Path=/; HttpOnly",
}
