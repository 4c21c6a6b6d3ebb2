"""Media types and media ranges (RFC 9110, section 8.3.1; suffixes: RFC 6839), and malformed input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from msgspec import Struct, field

from mockserver.plan import MediaType


class Malformed(Struct, frozen=True):
    """Input that cannot be decoded. ``keyword`` is ``syntax``, or ``style`` if only the style is wrong."""

    message: str
    keyword: str = "syntax"


_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TYPE = re.compile(rf"\s*+({_WORD})/({_WORD})\s*+")
_PARAMETER = re.compile(rf';\s*+(?:({_WORD})=(?:({_WORD})|"((?:[^"\\]|\\.)*+)"))?+\s*+')
_MAX_CACHED_LENGTH = 500
"""The maximum length of cached media types, because clients may send any text."""
_QUOTED_PAIR = re.compile(r"\\(.)")


class ContentType(Struct, frozen=True):
    """A media type or range. All texts are lower case, except the values of parameters."""

    type: str
    subtype: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The type without parameters, such as ``application/json``."""
        return f"{self.type}/{self.subtype}"

    @property
    def suffix(self) -> str:
        """The structured syntax suffix, else the subtype: ``json`` for ``problem+json`` and ``json``."""
        return self.subtype.rpartition("+")[2]

    @property
    def charset(self) -> str:
        """The charset in lower case. The default is ``utf-8``."""
        return self.parameters.get("charset", "utf-8").lower()


def parse_content_type(text: str) -> ContentType | Malformed:
    """Parse a media type with its parameters. Of a repeated parameter the first one counts."""
    return _parse_cached(text) if len(text) <= _MAX_CACHED_LENGTH else _parse(text)


@lru_cache(maxsize=1024)
def _parse_cached(text: str) -> ContentType | Malformed:
    return _parse(text)


def _parse(text: str) -> ContentType | Malformed:
    match = _TYPE.match(text)
    if match is None:
        return Malformed(f"{text!r} is not a media type")
    parameters = parse_parameters(text[match.end() :])
    if isinstance(parameters, Malformed):
        return Malformed(f"{text!r} is not a media type: its parameters are malformed")
    return ContentType(match[1].lower(), match[2].lower(), parameters)


def parse_parameters(text: str) -> dict[str, str] | Malformed:
    """Parse ``; a=b; c="d"`` (RFC 9110, section 5.6.6). The names become lower case."""
    parameters: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            return Malformed(f"{text!r} is not a list of parameters")
        name, token, quoted = match.groups()
        if name is not None:
            value = token if token is not None else _QUOTED_PAIR.sub(r"\1", quoted)
            parameters.setdefault(name.lower(), value)
        at = match.end()
    return parameters


def match_content(content: Iterable[MediaType], sent: ContentType) -> MediaType | None:
    """Return the most specific entry of a ``content`` map that matches the type ``sent``, or None."""
    best: MediaType | None = None
    best_rank = 0
    for media in content:
        rank = _rank(media.name, sent)
        if rank > best_rank:
            best, best_rank = media, rank
    return best


def _rank(name: str, sent: ContentType) -> int:
    """Return 0 for no match, and a higher number for a more specific match."""
    documented = parse_content_type(name)
    if isinstance(documented, Malformed):
        return 0
    wanted = documented.parameters.items()
    if any(
        sent.parameters.get(key, "utf-8" if key == "charset" else "").lower() != value.lower()
        for key, value in wanted
    ):
        return 0
    extra = len(wanted)
    if documented.name == sent.name:
        return 40 + extra
    if documented.type not in ("*", sent.type):
        return 0
    if documented.subtype.startswith("*+") and documented.suffix == sent.suffix:
        return 30 + extra
    if documented.subtype != "*":
        return 0
    return (20 if documented.type != "*" else 10) + extra
