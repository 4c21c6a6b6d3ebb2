"""Host names for resources, and octets derived from a seed, a purpose and an identity."""

from __future__ import annotations

import re
from hashlib import blake2b

from mockserver.diagnostics import MockServerError

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


SERIAL_OCTETS = 20
"""The longest serial number that RFC 5280, 4.1.2.2, allows."""


class Derivation:
    """A keyed hash (BLAKE2b, RFC 7693) of the seed: one per seed, cheap to call."""

    __slots__ = ("_key",)

    def __init__(self, seed: str) -> None:
        self._key = blake2b(seed.encode("utf-8", "surrogatepass"), person=b"x509 seed").digest()

    def octets(self, purpose: str, identity: str, size: int) -> bytes:
        """``size`` octets (at most 64). ``purpose`` has at most 16 characters, ASCII."""
        message = identity.encode("utf-8", "surrogatepass")
        return blake2b(message, digest_size=size, key=self._key, person=purpose.encode("ascii")).digest()

    def serial(self, identity: str, purpose: str = "serial") -> bytes:
        """A serial number: positive, and always 40 hexadecimal digits when written out.

        The top bit is 0 so that DER needs no 21st octet; the first octet is not
        0 so that no tool prints fewer digits than another.
        """
        octets = self.octets(purpose, identity, SERIAL_OCTETS)
        return bytes((octets[0] & 0x7F or 1,)) + octets[1:]
