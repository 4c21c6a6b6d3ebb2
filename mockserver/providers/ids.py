"""Identifiers: stable ones, derived from the resource that they identify, and fresh tokens for each call.

Nothing here is a secret. Stable identifiers are the same after a restart and on
every replica. Fresh tokens repeat only if the whole sequence of calls repeats.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from string import ascii_lowercase, ascii_uppercase, digits

ALPHABET = digits + ascii_uppercase + ascii_lowercase
"""The characters of a token: ``0-9A-Za-z``."""
DAY = 86_400_000
"""A day in milliseconds, for which generated values that contain dates stay the same."""
MAX_TOKEN = 10_000
"""The maximum length of a token."""

_FROM_BYTE = (ALPHABET * 5)[:256].encode()
# 256 is no multiple of 62, so the first eight characters come up 5 times in 256 instead of 4.
# That costs 14 characters 0.1 of their 83 bits and makes a token one C call, ten times faster.


def join(*parts: str) -> bytes:
    """Join ``parts`` so that different parts give different results (netstrings: length, then text)."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(b"%d:%b," % (len(part), part) for part in encoded)


def derive_identity(seed: str, namespace: str, resource: str, key: str) -> str:
    """Return 64 hexadecimal digits that identify one resource of one namespace."""
    return blake2b(join(seed, namespace, resource, key), digest_size=32).hexdigest()


def uuid(identity: str, name: str) -> str:
    """Return a UUID in the form of version 4 (RFC 9562) for the part ``name`` of an identified resource."""
    digest = int.from_bytes(blake2b(join(identity, name), digest_size=16, person=b"uuid").digest(), "big")
    text = f"{digest & _RANDOM_BITS | _VERSION_AND_VARIANT:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_VERSION_AND_VARIANT = 0x4 << 76 | 0b10 << 62
_RANDOM_BITS = ~(0xF << 76 | 0b11 << 62)


class Tokens:
    """A sequence of fresh tokens. The n-th token is the same in every sequence of the same seed and stream.

    ``stream`` identifies sequences that must differ, for example by namespace
    and worker. Several threads may call it.
    """

    __slots__ = ("_random",)

    def __init__(self, seed: str, *stream: str) -> None:
        self._random = Random(join("token", seed, *stream))

    def token(self, length: int) -> str:
        """Return ``length`` characters of ``ALPHABET``. Raises ValueError above ``MAX_TOKEN``."""
        if not 0 <= length <= MAX_TOKEN:
            raise ValueError(f"a token has 0 to {MAX_TOKEN:,} characters, not {length:,}")
        return self._random.randbytes(length).translate(_FROM_BYTE).decode("ascii")
