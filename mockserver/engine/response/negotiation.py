"""Select the documented response of a status, and its media type for ``Accept`` (RFC 9110, section 12)."""

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
_MAX_CACHED = 500
"""Characters of the longest ``Accept`` that is cached."""

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
"""The type that is sent for a documented range, unless the client excludes it."""

_RELATED, _ANY, _ANY_SUBTYPE, _ANY_SUFFIX, _EXACT = range(5)


class Choice(Struct, frozen=True):
    """A documented media type and the concrete ``content-type`` of the response."""

    media: MediaType
    content_type: str


class _Range(Struct, frozen=True):
    """An element of ``Accept``; ``quality`` is its weight, from 0 to 1."""

    type: ContentType
    quality: float = 1.0


class _Match(Struct, frozen=True, order=True):
    """How well a media type matches ``Accept``; greater is better."""

    quality: float
    specificity: int
    precedence: int
    """The negative position in ``Accept``: the first one is the greatest."""


_Rank = tuple[_Match, bool, int]
"""The match, whether the documented type is concrete, and its negative position."""


_ANYTHING = _Range(ContentType("*", "*"))
_OPAQUE = ContentType("application", "octet-stream")


def negotiate(content: Sequence[MediaType], accept: str | None) -> Choice | None:
    """Return the best media type for an ``Accept`` header; None if no one is acceptable (406).

    A missing or malformed header accepts everything. ``content`` is not empty.
    """
    names, accept = tuple([media.name for media in content]), accept or ""
    best = _cached_best(names, accept) if len(accept) <= _MAX_CACHED else _best(names, accept)
    return Choice(content[best[0]], best[1]) if best is not None else None


@lru_cache(maxsize=1024)
def _cached_best(names: tuple[str, ...], accept: str) -> tuple[int, str] | None:
    return _best(names, accept)


def _best(names: tuple[str, ...], accept: str) -> tuple[int, str] | None:
    """Return the index of the best of documented media types, and its content type; None without one."""
    wanted = _ranges(accept)
    offers = [offer for index, name in enumerate(names) if (offer := _offer(name, -index, wanted))]
    if not offers:
        return None
    (_, _, order), content_type = max(offers)
    return -order, content_type


def is_json(content_type: str) -> bool:
    """Return whether a content type is JSON, or has the structured suffix ``+json`` (RFC 6839)."""
    return _parsed(content_type).suffix == "json"


def _offer(documented: str, order: int, wanted: Sequence[_Range]) -> tuple[_Rank, str] | None:
    """Return the rank of a documented media type and its content type; None if it is not acceptable."""
    offered = _parsed(documented)
    for name, concrete in _concretes(documented, offered, wanted):
        if match := _match(concrete, wanted):
            return (match, _is_concrete(offered), order), name
    return None


def _concretes(
    name: str, offered: ContentType, wanted: Sequence[_Range]
) -> Iterator[tuple[str, ContentType]]:
    """Yield the content types of ``offered``, preferred ones first: itself, or the types in its range."""
    if _is_concrete(offered):
        yield name, offered
        return
    asked = (
        accepted.type.name if _is_concrete(accepted.type) else _CONCRETE.get(accepted.type.type, "")
        for accepted in sorted(wanted, key=lambda accepted: -accepted.quality)
    )
    for candidate in (_CONCRETE.get(offered.type, ""), *asked):
        concrete = parse_content_type(candidate)
        if isinstance(concrete, ContentType) and offered.type in ("*", concrete.type):
            yield candidate, concrete


def _match(concrete: ContentType, wanted: Sequence[_Range]) -> _Match | None:
    """Match ``concrete`` with the most specific range; None if there is none, or it has quality 0."""
    ranked = [
        (specificity, len(accepted.type.parameters), -index, accepted.quality)
        for index, accepted in enumerate(wanted)
        if (specificity := _specificity(accepted.type, concrete)) is not None
        and _parameters_agree(accepted.type, concrete, strictly=True)
    ]
    if ranked:
        specificity, parameters, precedence, quality = max(ranked)
        return _Match(quality, specificity + parameters, precedence) if quality else None
    related = [
        (accepted.quality, -index)
        for index, accepted in enumerate(wanted)
        if accepted.quality
        and _is_related(accepted.type, concrete)
        and _parameters_agree(accepted.type, concrete, strictly=False)
    ]
    if not related:
        return None
    quality, precedence = max(related)
    return _Match(quality, _RELATED, precedence)


def _specificity(wanted: ContentType, concrete: ContentType) -> int | None:
    """Return how specific a range is for a type, without the parameters; None if it does not match."""
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


def _is_related(wanted: ContentType, concrete: ContentType) -> bool:
    """Return whether the types differ only before a structured suffix."""
    return wanted.type == concrete.type and (wanted.subtype == "*" or wanted.suffix == concrete.suffix)


def _parameters_agree(wanted: ContentType, concrete: ContentType, *, strictly: bool) -> bool:
    """Return whether the parameters agree; not ``strictly``: the type may lack parameters of the range."""
    for name, value in wanted.parameters.items():
        missing = "utf-8" if name == "charset" else "" if strictly else value
        if concrete.parameters.get(name, missing).lower() != value.lower():
            return False
    return True


def _is_concrete(type_: ContentType) -> bool:
    return "*" not in (type_.type, type_.subtype)


def _ranges(accept: str) -> tuple[_Range, ...]:
    """Return at most ``_MAX_RANGES`` ranges of an ``Accept`` header; ``*/*`` if empty or malformed."""
    elements = (match.group().strip() for match in islice(_ELEMENT.finditer(accept), _MAX_RANGES))
    ranges = [_range(element) for element in elements if element]
    known = [accepted for accepted in ranges if accepted]
    return tuple(known) if known and len(known) == len(ranges) else (_ANYTHING,)


def _range(element: str) -> _Range | None:
    """Parse an element of ``Accept``; None if it is malformed."""
    type_ = parse_content_type(element)
    if isinstance(type_, Malformed) or type_.type == "*" != type_.subtype:
        return None
    parameters = dict(type_.parameters)
    weight = parameters.pop("q", "1")
    if not _WEIGHT.fullmatch(weight):
        return None
    return _Range(ContentType(type_.type, type_.subtype, parameters), float(weight))


def _parsed(name: str) -> ContentType:
    """Parse a documented media type or range; a malformed one is ``application/octet-stream``."""
    type_ = parse_content_type(name)
    return _OPAQUE if isinstance(type_, Malformed) else type_


_LOWEST, _HIGHEST = 200, 999

_RESPONSES_EXACT = re.compile(r"[2-9][0-9][0-9]")
_RANGE = re.compile(r"[2-5]XX")
_UNDOCUMENTED = DocumentedResponse(status="default")


def response_for(operation: Operation, status: int) -> DocumentedResponse | None:
    """Return the response for ``status``: the exact one, its range, else ``default``; None without one."""
    for name in (str(status), f"{status // 100}XX", "default"):
        for response in operation.responses:
            if response.status == name:
                return response
    return None


def default_response(operation: Operation) -> tuple[DocumentedResponse, int]:
    """Return the response and the status of an operation without preferences.

    It is the lowest 2xx, else ``2XX`` as 200, else ``default`` as 200, else the lowest 3xx, else the first
    error of the document. An operation without a response that can be sent has an empty 200.
    """
    ranked = sorted(operation.responses, key=_rank)
    status = _status(ranked[0]) if ranked else None
    return (_UNDOCUMENTED, _LOWEST) if status is None else (ranked[0], status)


def documented_statuses(operation: Operation) -> list[str]:
    """Return the statuses of an operation as the document writes them, for a message."""
    return sorted(response.status for response in operation.responses)


def is_sendable(status: int) -> bool:
    """Return whether a client may ask for a status: a final one, from 200 to 999."""
    return _LOWEST <= status <= _HIGHEST


def bodiless(status: int) -> bool:
    """Return whether a status has no content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5)."""
    return status < _LOWEST or status in {204, 205, 304}


def _status(response: DocumentedResponse) -> int | None:
    if _RESPONSES_EXACT.fullmatch(response.status):
        return int(response.status)
    if _RANGE.fullmatch(response.status):
        return int(response.status[0]) * 100
    return _LOWEST if response.status == "default" else None


def _rank(response: DocumentedResponse) -> tuple[int, bool, int]:
    """Return the sort key: success by number, ``default``, redirection by number, errors, others.

    An exact status precedes a range of its class. Errors keep the order of the document.
    """
    status = _status(response)
    if status is None:
        return 4, False, 0
    if response.status == "default":
        return 1, False, 0
    rank = {2: 0, 3: 2}.get(status // 100)
    return (3, False, 0) if rank is None else (rank, response.status.endswith("XX"), status)
