"""JSON pointers (RFC 6901), unencoded: ``/paths/~1pets/get``."""

from __future__ import annotations

from collections.abc import Iterable


def escape(token: str) -> str:
    """One reference token, ready to stand after a ``/``."""
    return token.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """The member name that a reference token stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def pointer(tokens: Iterable[str | int]) -> str:
    """The pointer of a path of member names and array indices."""
    return "".join(f"/{escape(str(token))}" for token in tokens)


def is_index(token: str) -> bool:
    """Whether a reference token is the index of an item (section 4), of a list that there can be."""
    return token.isascii() and token.isdigit() and len(token) < 10
