"""JSON pointers (RFC 6901), unencoded: ``/paths/~1pets/get``."""

from __future__ import annotations

from collections.abc import Iterable, Sized

from mockserver.plan import ROOT

_DIGITS = 10
"""So many has no index of a list that there can be; reading more takes long."""


def escape(token: str) -> str:
    """One reference token, ready to stand after a ``/``."""
    return token.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """The member name that a reference token stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def pointer(tokens: Iterable[str | int]) -> str:
    """The pointer of a path of member names and array indices."""
    return "".join(f"/{escape(str(token))}" for token in tokens)


def tokens(pointer: str) -> list[str]:
    """The member names and indices that a pointer leads through."""
    split = pointer.split("/")[1:]
    return [unescape(token) for token in split] if "~" in pointer else split


def shown(text: str) -> str:
    """A text that may quote references, as people know them: without the base of local files."""
    return text.replace(ROOT, "")


def index(token: str, items: Sized) -> int | None:
    """Which of ``items`` a reference token names (section 4); None where there is no such item."""
    if token.isascii() and token.isdigit() and len(token) < _DIGITS and int(token) < len(items):
        return int(token)
    return None
