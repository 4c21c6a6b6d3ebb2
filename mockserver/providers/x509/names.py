"""Host names for mocked resources, and the error of those who ask for what cannot be certified."""

from __future__ import annotations

import re
from hashlib import blake2b

from mockserver.errors import MockServerError

DOMAIN = "mock.test"
"""``test`` is reserved (RFC 6761): no such name is ever looked up outside."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)


class CertificateRequestError(MockServerError):
    """What was asked for cannot be certified; the text says why, for whoever asked (400 or 422)."""


def host_name(key: str) -> str:
    """A name under ``mock.test`` for a resource's key: the key itself where it can be a DNS label."""
    label = key.lower()
    if not _KEY.fullmatch(label):
        label = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{label}.{DOMAIN}"


def is_host(text: str) -> bool:
    """Whether ``text`` can stand in a subjectAltName as a DNS name; ``*.`` in front is allowed."""
    return _HOST.fullmatch(text) is not None
