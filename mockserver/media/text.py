"""Text by its charset, and everything else as bytes, which JSON holds as latin-1 text."""

from __future__ import annotations

from mockserver.media.json import encode_json
from mockserver.media.malformed import Malformed
from mockserver.media.reading import Exact, Raw
from mockserver.media.types import ContentType
from mockserver.plan import JSON

_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}


def decode_text(data: bytes, content_type: ContentType) -> str | Malformed:
    """A body in one of the charsets that are still met."""
    charset = _CHARSETS.get(content_type.charset)
    if charset is None:
        return Malformed(f"The charset {content_type.charset!r} is not known")
    try:
        return data.decode(charset)
    except UnicodeDecodeError:
        return Malformed(f"The body is not {content_type.charset}")


def encode_text(value: JSON) -> bytes:
    """A string as it is; anything else as JSON."""
    return value.encode() if isinstance(value, str) else encode_json(value)


class TextFormat:
    """``text/*``: the schema says what is read from it."""

    def decode(self, data: bytes, content_type: ContentType) -> Raw | Malformed:
        """Read by its charset."""
        return decode_text(data, content_type)

    def encode(self, value: JSON) -> bytes:
        """Always UTF-8."""
        return encode_text(value)


class BinaryFormat:
    """Bytes: one character each, U+0000 to U+00FF."""

    def decode(self, data: bytes, content_type: ContentType) -> Raw | Malformed:
        """Any bytes will do."""
        return Exact(data.decode("latin-1"))

    def encode(self, value: JSON) -> bytes:
        """Text with characters that no byte stands for becomes UTF-8."""
        if not isinstance(value, str):
            return encode_json(value)
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            return value.encode()
