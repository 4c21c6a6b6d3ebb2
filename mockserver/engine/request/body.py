"""The body of a request: select the documented media type, decompress, decode and validate."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from mockserver.diagnostics import Violation
from mockserver.media.codec import Codec
from mockserver.media.coercion import Literal, Reader
from mockserver.media.json import merge_patch
from mockserver.media.size import BoundedReader, TooManyNodesError
from mockserver.media.types import ContentType, Malformed, match_content, parse_content_type
from mockserver.messages import BodyLimits
from mockserver.plan import JSON, MediaType, RequestBody

UNKNOWN = "application/octet-stream"
"""The content type of a body without ``Content-Type`` (RFC 9110, section 8.3)."""

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15
_MAX_CONTENT_TYPES = 16
"""The number of ``Content-Type`` values in the cache. Clients send few, but multipart boundaries vary."""
_TOO_MANY_FOR_SIZE = ", which is too many for its compressed size"
_MAX_MEMBERS = 16
"""The members of a gzip file (RFC 1952, section 2.2). Each one costs a copy of the data after it."""


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body. ``status`` is 0 if it is valid, else 413, 415 or 422."""

    value: JSON = None
    violations: tuple[Violation, ...] = ()
    status: int = 0
    warnings: tuple[str, ...] = ()


NO_BODY = Body()


class BodyReader:
    """Decodes and validates the request bodies of one operation."""

    __slots__ = ("_codecs", "_content", "_content_types", "_limits", "_reader", "_required")

    def __init__(self, body: RequestBody, reader: Reader, limits: BodyLimits) -> None:
        self._content = body.content
        self._required = body.required
        self._reader = BoundedReader(reader)
        self._limits = limits
        self._codecs: dict[str, Codec] = {}
        self._content_types: dict[str, tuple[ContentType, MediaType | None]] = {}

    def read(self, headers: Mapping[str, str], data: bytes) -> Body:
        """Decode and validate a body. Without a documented media type, every body is valid."""
        sent = headers.get("content-type")
        if not data and sent is None:
            return _invalid("required", "The body is required") if self._required else NO_BODY
        if not self._content:
            return NO_BODY
        described = self._find_media(UNKNOWN if sent is None else sent)
        if isinstance(described, Malformed):
            return self._unsupported(sent, described.message)
        content_type, media = described
        if not data and not self._required and (media is None or not self._codec(media).is_form):
            return NO_BODY
        if media is None:
            message = "The body has no Content-Type" if sent is None else f"The body is {content_type.name}"
            return self._unsupported(sent, message)
        nodes = self._limits.nodes
        if coding := headers.get("content-encoding"):
            unpacked = _unpack(data, coding, self._limits)
            if isinstance(unpacked, Body):
                return unpacked
            if unpacked is not data:
                nodes = self._limits.unpacked_nodes(len(data))
                data = unpacked
        try:
            return self._read(media, content_type, data, nodes)
        except TooManyNodesError:
            return self._too_many(nodes)

    def _find_media(self, sent: str) -> tuple[ContentType, MediaType | None] | Malformed:
        """Parse a ``Content-Type`` and find its documented media type; cache the first results."""
        found = self._content_types.get(sent)
        if found is None:
            content_type = parse_content_type(sent)
            if isinstance(content_type, Malformed):
                return content_type
            found = (content_type, match_content(self._content, content_type))
            if len(self._content_types) < _MAX_CONTENT_TYPES:
                self._content_types[sent] = found
        return found

    def _codec(self, media: MediaType) -> Codec:
        codec = self._codecs.get(media.name)
        if codec is None:
            codec = self._codecs[media.name] = Codec(media, self._reader)
        return codec

    def _unsupported(self, sent: str | None, reason: str) -> Body:
        documented = ", ".join(media.name for media in self._content)
        message = f"{reason}; documented: {documented}"
        return Body(None, (Violation("body", "", "", "mediaType", message, sent, documented),), 415)

    def _read(self, media: MediaType, content_type: ContentType, data: bytes, nodes: int) -> Body:
        codec = self._codec(media)
        if not data and codec.needs_text:
            return _invalid("required", "The body is required")
        if codec.exceeds(data, content_type, nodes):
            return self._too_many(nodes)
        self._reader.begin(nodes)
        raw = codec.decode(data, content_type)
        if isinstance(raw, Malformed):
            return _invalid(raw.keyword, raw.message)
        decoded = codec.validate(raw)
        violations = decoded.violations
        if violations and isinstance(raw, Literal) and content_type.name == "application/merge-patch+json":
            # null removes a member, whatever its schema is (RFC 7396 section 1)
            violations = codec.validate(Literal(merge_patch({}, raw.value))).violations
        warnings = tuple(f"body: {warning}" for warning in decoded.warnings)
        return Body(decoded.value, violations, 422 if violations else 0, warnings)

    def _too_many(self, nodes: int) -> Body:
        few, option = (
            ("", "--max-nodes") if nodes == self._limits.nodes else (_TOO_MANY_FOR_SIZE, "--max-ratio")
        )
        message = f"The body has over {nodes:,} values{few}; {option} allows more"
        return _invalid("size", message, 413)


def _invalid(keyword: str, message: str, status: int = 422) -> Body:
    return Body(None, (Violation("body", "", "", keyword, message),), status)


def _unpack(data: bytes, codings: str, limits: BodyLimits) -> bytes | Body:
    """Decode the codings of ``Content-Encoding`` (RFC 9110, section 8.4), the last one first.

    Return the octets, or a Body with a violation.
    """
    limit = limits.unpacked(len(data))
    for coding in reversed([coding.strip().lower() for coding in codings.split(",")]):
        if coding in ("", "identity"):
            continue
        if coding not in _WINDOW_BITS:
            return _invalid(
                "mediaType", f"Content-Encoding {coding!r} is none of gzip, deflate, identity", 415
            )
        try:
            data = _inflate(data, _WINDOW_BITS[coding], limit)
        except zlib.error:
            return _invalid("syntax", f"The body is not {coding} as its Content-Encoding says")
        if len(data) > limit:
            few = f"{_TOO_MANY_FOR_SIZE}; --max-ratio allows more" if limit < limits.octets else ""
            return _invalid("size", f"The body is over {limit} bytes after decompression{few}", 413)
    return data


def _inflate(data: bytes, window_bits: int, limit: int) -> bytes:
    """Decompress at most ``limit`` + 1 octets.

    Raises zlib.error for data that is invalid, truncated or followed by other data.
    """
    if window_bits == _WINDOW_BITS["deflate"] and (not data or data[0] & 0x0F != 8):
        window_bits = _RAW_DEFLATE  # many clients send deflate without the header of zlib
    out = b""
    for _ in range(_MAX_MEMBERS):
        inflater = zlib.decompressobj(window_bits)
        out += inflater.decompress(data, limit + 1 - len(out))
        if len(out) > limit:
            return out
        if not inflater.eof:
            raise zlib.error("incomplete")
        data = inflater.unused_data
        if not data:
            return out
    raise zlib.error("too many members")
