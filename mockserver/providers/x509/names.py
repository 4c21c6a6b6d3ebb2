"""Host names for resources, and bytes derived from a seed, a purpose and an identity."""

from __future__ import annotations

import re
from hashlib import blake2b

from mockserver.diagnostics import MockServerError

DOMAIN = "mock.test"
"""``test`` is reserved (RFC 6761), so no such name exists in the public DNS."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)


class CertificateRequestError(MockServerError):
    """The request cannot be certified. The message says why, and becomes a 400 or 422 response."""


def host_name(key: str) -> str:
    """Return a name under ``mock.test`` for a key: the key itself if it is a DNS label, else its hash."""
    label = key.lower()
    if not _KEY.fullmatch(label):
        label = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{label}.{DOMAIN}"


def is_host(text: str) -> bool:
    """Return whether ``text`` is a DNS name for a subjectAltName. It may begin with ``*.``."""
    return _HOST.fullmatch(text) is not None


SERIAL_BYTES = 20
"""The maximum length of a serial number (RFC 5280, section 4.1.2.2)."""


class Derivation:
    """Derives bytes from a seed by a keyed hash (BLAKE2b, RFC 7693)."""

    __slots__ = ("_key",)

    def __init__(self, seed: str) -> None:
        self._key = blake2b(seed.encode("utf-8", "surrogatepass"), person=b"x509 seed").digest()

    def octets(self, purpose: str, identity: str, size: int) -> bytes:
        """Return ``size`` bytes (at most 64). ``purpose`` has at most 16 ASCII characters."""
        message = identity.encode("utf-8", "surrogatepass")
        return blake2b(message, digest_size=size, key=self._key, person=purpose.encode("ascii")).digest()

    def serial(self, identity: str, purpose: str = "serial") -> bytes:
        """Return a serial number of 20 bytes: positive, and always written with 40 hexadecimal digits.

        The top bit is 0, so that DER needs no 21st byte. The first byte is not 0,
        so that all tools print the same number of digits.
        """
        octets = self.octets(purpose, identity, SERIAL_BYTES)
        return bytes((octets[0] & 0x7F or 1,)) + octets[1:]
