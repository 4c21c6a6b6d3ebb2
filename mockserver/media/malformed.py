"""What cannot be read, as a value: nothing in this package raises for what a client sends."""

from __future__ import annotations

from msgspec import Struct


class Malformed(Struct, frozen=True):
    """``keyword`` is ``syntax``, or ``style`` where the text is sound but not of the documented style."""

    message: str
    keyword: str = "syntax"
