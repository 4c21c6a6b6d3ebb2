"""Proactive content negotiation: which documented media type an ``Accept`` header gets.

RFC 9110, section 12.5.1: the most specific range that matches a media type
gives it its quality; the highest quality wins and 0 excludes. Where qualities
tie, what the client was more specific about goes first, then what it named
first, then JSON, then what the document names first.

Two things go beyond the RFC. A documented media *range* (``*/*``, ``text/*``)
is made a concrete type. And where no range matches to the letter, one that
differs only in parameters or in the part before a structured suffix (RFC 6839)
still does: clients ask for ``application/vnd.acme+json`` or
``application/json;v=2`` and are served JSON by services that document just that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mockserver.plan import MediaType

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = rf'(?:{_WORD}|"(?:[^"\\]|\\.)*+")'
_MEDIA_RANGE = re.compile(rf"({_WORD})/({_WORD})((?:\s*+;\s*+(?:{_WORD}={_VALUE})?+)*+)")
_PARAMETER = re.compile(rf"({_WORD})=({_VALUE})")
_SEPARATOR = re.compile(r"\s*+(?:,[\s,]*+|\Z)")
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_MAX_RANGES = 100

_CONCRETE = {
    "*": "application/json",
    "application": "application/json",
    "text": "text/plain",
    "image": "image/png",
    "audio": "audio/mpeg",
    "video": "video/mp4",
    "font": "font/woff2",
    "multipart": "multipart/form-data",
}
"""The type that a documented range stands for, unless the client excludes it."""

_ANY, _ANY_SUBTYPE, _ANY_SUFFIX, _EXACT = range(4)


@dataclass(frozen=True, slots=True)
class Choice:
    """A documented media type and the concrete ``content-type`` it is sent as."""

    media: MediaType
    content_type: str


@dataclass(frozen=True, slots=True)
class _Range:
    """A media type or range, lower case; ``quality`` is a weight from 0 to 1."""

    type: str
    subtype: str
    parameters: frozenset[tuple[str, str]] = frozenset()
    quality: float = 1.0

    @property
    def suffix(self) -> str:
        """``json`` for ``json`` and ``problem+json``: what the syntax is."""
        return self.subtype.rpartition("+")[2]

    @property
    def is_concrete(self) -> bool:
        return "*" not in (self.type, self.subtype)


@dataclass(frozen=True, slots=True, order=True)
class _Match:
    """How well a client takes a media type; the greater the better."""

    quality: float
    specificity: int
    precedence: int
    """Minus the place in ``Accept``: what is named first is the greater."""


_Rank = tuple[_Match, bool, bool, int]
"""The match, whether the type is documented as it is, whether it is JSON, minus its place."""


_ANYTHING = _Range("*", "*")


def negotiate(content: Sequence[MediaType], accept: str | None) -> Choice | None:
    """The best of ``content`` for an ``Accept`` header; None where it takes none of them (406).

    A missing or malformed header takes everything. ``content`` is not empty.
    """
    wanted = _accepted(accept or "")
    offers = [offer for place, media in enumerate(content) if (offer := _offer(media, -place, wanted))]
    return max(offers)[1] if offers else None


def is_json(content_type: str) -> bool:
    """Whether a content type is JSON, by itself or by its structured suffix (RFC 6839)."""
    return _parsed(content_type).suffix == "json"


def _offer(media: MediaType, order: int, wanted: Sequence[_Range]) -> tuple[_Rank, Choice] | None:
    """What a documented media type would be sent as, and how much the client would like it."""
    offered = _parsed(media.name)
    for name, concrete in _concretes(media.name, offered, wanted):
        if match := _match(concrete, wanted):
            return (match, offered.is_concrete, concrete.suffix == "json", order), Choice(media, name)
    return None


def _concretes(name: str, offered: _Range, wanted: Sequence[_Range]) -> Iterator[tuple[str, _Range]]:
    """What ``offered`` can be sent as, preferred ones first: itself, or for a range what lies in it."""
    if offered.is_concrete:
        yield name, offered
        return
    asked = (
        f"{each.type}/{each.subtype}" if each.is_concrete else _CONCRETE.get(each.type, "")
        for each in sorted(wanted, key=lambda each: -each.quality)
    )
    names = [_CONCRETE.get(offered.type, "application/octet-stream"), *asked]
    for candidate in names:
        concrete = _parsed(candidate)
        if concrete.is_concrete and offered.type in ("*", concrete.type):
            yield candidate, concrete


def _match(concrete: _Range, wanted: Sequence[_Range]) -> _Match | None:
    """How the most specific range takes ``concrete``; None where none does, or it is excluded."""
    ranked = [
        (specificity, len(each.parameters), -place, each.quality)
        for place, each in enumerate(wanted)
        if (specificity := _specificity(each, concrete)) is not None
        and (each.parameters - {("charset", "utf-8")}) <= concrete.parameters
    ]
    if ranked:
        specificity, parameters, precedence, quality = max(ranked)
        return _Match(quality, specificity + parameters, precedence) if quality else None
    akin = [
        (each.quality, -place) for place, each in enumerate(wanted) if each.quality and _akin(each, concrete)
    ]
    if not akin:
        return None
    quality, precedence = max(akin)
    return _Match(quality, _ANY - 1, precedence)


def _specificity(wanted: _Range, concrete: _Range) -> int | None:
    """How closely a range names the type without regard to parameters; None where it does not."""
    if wanted.type == "*":
        return _ANY
    if wanted.type != concrete.type:
        return None
    if wanted.subtype == concrete.subtype:
        return _EXACT
    if wanted.subtype == "*":
        return _ANY_SUBTYPE
    if wanted.subtype.startswith("*+") and wanted.suffix == concrete.suffix:
        return _ANY_SUFFIX
    return None


def _akin(wanted: _Range, concrete: _Range) -> bool:
    """Whether they differ only before a structured suffix and in parameters that one of them lacks."""
    values = dict(concrete.parameters)
    return (
        wanted.type == concrete.type
        and (wanted.suffix == concrete.suffix or wanted.subtype == "*")
        and all(values.get(name, value) == value for name, value in wanted.parameters)
    )


@lru_cache(maxsize=256)
def _accepted(accept: str) -> tuple[_Range, ...]:
    """The ranges of an ``Accept`` header, not too many of them; ``*/*`` for an empty or malformed one."""
    text, end = accept.strip(", \t"), 0
    ranges: list[_Range] = []
    while end < len(text) and len(ranges) < _MAX_RANGES:
        element = _MEDIA_RANGE.match(text, end)
        separator = element and _SEPARATOR.match(text, element.end())
        named = element and _named(element)
        if not separator or not named:
            return (_ANYTHING,)
        ranges.append(named)
        end = separator.end()
    return tuple(ranges) or (_ANYTHING,)


@lru_cache(maxsize=1024)
def _parsed(name: str) -> _Range:
    """A documented media type or range; what is none is as opaque as bytes."""
    element = _MEDIA_RANGE.fullmatch(name.strip())
    return (element and _named(element)) or _Range("application", "octet-stream")


def _named(element: re.Match[str]) -> _Range | None:
    """The range that an element of ``Accept`` names; None where its wildcard or weight is malformed."""
    kind, subtype = element[1].lower(), element[2].lower()
    parameters: set[tuple[str, str]] = set()
    for name, value in _PARAMETER.findall(element[3]):
        plain = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        if name.lower() == "q":
            if not _WEIGHT.fullmatch(plain):
                return None
            # What follows the weight is an extension of Accept, which RFC 9110 has dropped.
            return _Range(kind, subtype, frozenset(parameters), float(plain))
        parameters.add((name.lower(), plain.lower()))
    return None if kind == "*" != subtype else _Range(kind, subtype, frozenset(parameters))
