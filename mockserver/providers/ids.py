"""Identifiers: stable ones derived from what they identify, and fresh ones for each call.

Nothing here is a secret. Stable identifiers are the same after a restart and on
every replica; fresh ones repeat only when the whole run of calls repeats.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from string import ascii_lowercase, ascii_uppercase, digits

ALPHABET = digits + ascii_uppercase + ascii_lowercase
"""What a token is made of: ``0-9A-Za-z``."""
MAX_TOKEN = 10_000
"""Characters of one token."""

_FROM_BYTE = (ALPHABET * 5)[:256].encode()
# 256 is no multiple of 62, so the first eight characters come up 5 times in 256 instead of 4.
# That costs 14 characters 0.1 of their 83 bits and makes a token one C call, ten times faster.


def join(*parts: str) -> bytes:
    """``parts`` as one key that no other parts give (netstrings: each with its length in front)."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(b"%d:%b," % (len(part), part) for part in encoded)


def identity(seed: str, namespace: str, resource: str, key: str) -> str:
    """64 hexadecimal digits that stand for one resource of one world, and for no other."""
    return blake2b(join(seed, namespace, resource, key), digest_size=32).hexdigest()


def uuid(identity: str, name: str) -> str:
    """A UUID of version 4's shape (RFC 9562) for the ``name``\\ d part of the identified thing."""
    digest = int.from_bytes(blake2b(join(identity, name), digest_size=16, person=b"uuid").digest(), "big")
    text = f"{digest & _RANDOM_BITS | _VERSION_AND_VARIANT:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_VERSION_AND_VARIANT = 0x4 << 76 | 0b10 << 62
_RANDOM_BITS = ~(0xF << 76 | 0b11 << 62)


class Tokens:
    """A run of fresh tokens: the n-th call gives the same token in every run of the same seed.

    ``stream`` tells apart runs that must not repeat each other: a namespace, a
    worker. Safe to call from several threads; the order is then theirs.
    """

    __slots__ = ("_random",)

    def __init__(self, seed: str, *stream: str) -> None:
        self._random = Random(join("token", seed, *stream))

    def token(self, length: int) -> str:
        """``length`` characters of ``ALPHABET``. Raises ValueError for more than ``MAX_TOKEN``."""
        if not 0 <= length <= MAX_TOKEN:
            raise ValueError(f"a token has 0 to {MAX_TOKEN:,} characters, not {length:,}")
        return self._random.randbytes(length).translate(_FROM_BYTE).decode("ascii")
