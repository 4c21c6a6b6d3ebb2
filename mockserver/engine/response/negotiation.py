"""Which documented response belongs to a status, and which of its media types an ``Accept`` field gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from mockserver.media.types import ContentType, Malformed, parse_content_type
from mockserver.plan import DocumentedResponse, MediaType, Operation

_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+")++')
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_MAX_RANGES = 100
_LONGEST = 500
"""Characters of the headers that are remembered."""

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

_AKIN, _ANY, _ANY_SUBTYPE, _ANY_SUFFIX, _EXACT = range(5)


class Choice(Struct, frozen=True):
    """A documented media type and the concrete ``content-type`` it is sent as."""

    media: MediaType
    content_type: str


class _Range(Struct, frozen=True):
    """An element of ``Accept``; ``quality`` is its weight, from 0 to 1."""

    type: ContentType
    quality: float = 1.0


class _Match(Struct, frozen=True, order=True):
    """How well a client takes a media type; the greater the better."""

    quality: float
    specificity: int
    precedence: int
    """Minus the place in ``Accept``: what is named first is the greater."""


_Rank = tuple[_Match, bool, int]
"""The match, whether the type is documented as it is, minus its place."""


_ANYTHING = _Range(ContentType("*", "*"))
_OPAQUE = ContentType("application", "octet-stream")


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
            return (match, _is_concrete(offered), order), Choice(media, name)
    return None


def _concretes(
    name: str, offered: ContentType, wanted: Sequence[_Range]
) -> Iterator[tuple[str, ContentType]]:
    """What ``offered`` can be sent as, preferred ones first: itself, or for a range what lies in it."""
    if _is_concrete(offered):
        yield name, offered
        return
    asked = (
        each.type.name if _is_concrete(each.type) else _CONCRETE.get(each.type.type, "")
        for each in sorted(wanted, key=lambda each: -each.quality)
    )
    for candidate in (_CONCRETE.get(offered.type, ""), *asked):
        concrete = parse_content_type(candidate)
        if isinstance(concrete, ContentType) and offered.type in ("*", concrete.type):
            yield candidate, concrete


def _match(concrete: ContentType, wanted: Sequence[_Range]) -> _Match | None:
    """How the most specific range takes ``concrete``; None where none does, or it is excluded."""
    ranked = [
        (specificity, len(each.type.parameters), -place, each.quality)
        for place, each in enumerate(wanted)
        if (specificity := _specificity(each.type, concrete)) is not None
        and _agree(each.type, concrete, strictly=True)
    ]
    if ranked:
        specificity, parameters, precedence, quality = max(ranked)
        return _Match(quality, specificity + parameters, precedence) if quality else None
    akin = [
        (each.quality, -place)
        for place, each in enumerate(wanted)
        if each.quality and _is_akin(each.type, concrete) and _agree(each.type, concrete, strictly=False)
    ]
    if not akin:
        return None
    quality, precedence = max(akin)
    return _Match(quality, _AKIN, precedence)


def _specificity(wanted: ContentType, concrete: ContentType) -> int | None:
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


def _is_akin(wanted: ContentType, concrete: ContentType) -> bool:
    """Whether they differ at most before a structured suffix."""
    return wanted.type == concrete.type and (wanted.subtype == "*" or wanted.suffix == concrete.suffix)


def _agree(wanted: ContentType, concrete: ContentType, *, strictly: bool) -> bool:
    """Whether the parameters of a range hold; not ``strictly``, those that the type does not have may."""
    for name, value in wanted.parameters.items():
        missing = "utf-8" if name == "charset" else "" if strictly else value
        if concrete.parameters.get(name, missing).lower() != value.lower():
            return False
    return True


def _is_concrete(type_: ContentType) -> bool:
    return "*" not in (type_.type, type_.subtype)


def _accepted(accept: str) -> tuple[_Range, ...]:
    """The ranges of an ``Accept`` header, not too many of them; ``*/*`` for an empty or malformed one."""
    return _remembered(accept) if len(accept) <= _LONGEST else _ranges(accept)


@lru_cache(maxsize=256)
def _remembered(accept: str) -> tuple[_Range, ...]:
    return _ranges(accept)


def _ranges(accept: str) -> tuple[_Range, ...]:
    elements = (each.group().strip() for each in islice(_ELEMENT.finditer(accept), _MAX_RANGES))
    ranges = [_range(each) for each in elements if each]
    known = [each for each in ranges if each]
    return tuple(known) if known and len(known) == len(ranges) else (_ANYTHING,)


def _range(element: str) -> _Range | None:
    """None where the element is malformed."""
    type_ = parse_content_type(element)
    if isinstance(type_, Malformed) or type_.type == "*" != type_.subtype:
        return None
    parameters = dict(type_.parameters)
    weight = parameters.pop("q", "1")
    if not _WEIGHT.fullmatch(weight):
        return None
    return _Range(ContentType(type_.type, type_.subtype, parameters), float(weight))


def _parsed(name: str) -> ContentType:
    """A documented media type or range; what is none is as opaque as bytes."""
    type_ = parse_content_type(name)
    return _OPAQUE if isinstance(type_, Malformed) else type_


_LOWEST, _HIGHEST = 200, 999

_RESPONSES_EXACT = re.compile(r"[2-9][0-9][0-9]")
_RANGE = re.compile(r"[2-5]XX")
_UNDOCUMENTED = DocumentedResponse(status="default")


def response_for(operation: Operation, status: int) -> DocumentedResponse | None:
    """The response documented for ``status``: exact, then its range, then ``default``."""
    documented = {response.status: response for response in operation.responses}
    names = (str(status), f"{status // 100}XX", "default")
    return next((documented[name] for name in names if name in documented), None)


def default_response(operation: Operation) -> tuple[DocumentedResponse, int]:
    """The response and status that the operation gives when nothing else is asked for.

    The lowest documented 2xx, ``2XX`` as 200, ``default`` as 200, or the lowest
    3xx. Of errors alone it is the first that the document has. An operation that
    documents nothing that can be sent answers an empty 200.
    """
    ranked = sorted(operation.responses, key=_rank)
    status = _status(ranked[0]) if ranked else None
    return (_UNDOCUMENTED, _LOWEST) if status is None else (ranked[0], status)


def documented_statuses(operation: Operation) -> list[str]:
    """What the document has for the operation, in its own words, to name in a message."""
    return sorted(response.status for response in operation.responses)


def is_sendable(status: int) -> bool:
    """Whether a status is one that a server may be asked to send as its final one."""
    return _LOWEST <= status <= _HIGHEST


def bodiless(status: int) -> bool:
    """Whether HTTP gives the status no content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5)."""
    return status < _LOWEST or status in {204, 205, 304}


def _status(response: DocumentedResponse) -> int | None:
    if _RESPONSES_EXACT.fullmatch(response.status):
        return int(response.status)
    if _RANGE.fullmatch(response.status):
        return int(response.status[0]) * 100
    return _LOWEST if response.status == "default" else None


def _rank(response: DocumentedResponse) -> tuple[int, bool, int]:
    """Success, default, redirection by number, errors as they stand, what cannot be sent.

    Within a class of numbers exact ones go first.
    """
    status = _status(response)
    if status is None:
        return 4, False, 0
    if response.status == "default":
        return 1, False, 0
    place = {2: 0, 3: 2}.get(status // 100)
    return (3, False, 0) if place is None else (place, response.status.endswith("XX"), status)
