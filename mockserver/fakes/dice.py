"""Chance that comes out the same in every process, on every machine."""

from __future__ import annotations

import hashlib
import random


def dice(*parts: int | str) -> random.Random:
    """A generator of random numbers that belongs to ``parts`` alone."""
    text = "\x1f".join(str(part) for part in parts)
    return random.Random(
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
    )
