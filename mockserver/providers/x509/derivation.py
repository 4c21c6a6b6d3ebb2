"""Octets that follow from a seed, a purpose and an identity; the source of keys and serials."""

from __future__ import annotations

from hashlib import blake2b

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
