"""Text bodies by their charset, binary bodies as latin-1 text, and small sample files of binary types."""

from __future__ import annotations

import zlib
from base64 import b64decode
from functools import cache

from mockserver.media.coercion import Literal, Undecoded
from mockserver.media.json import encode_json
from mockserver.media.types import ContentType, Malformed
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
    """Decode a body by its charset. Malformed if the charset is unknown or the bytes do not fit it."""
    charset = _CHARSETS.get(content_type.charset)
    if charset is None:
        return Malformed(f"The charset {content_type.charset!r} is not known")
    try:
        return data.decode(charset)
    except UnicodeDecodeError:
        return Malformed(f"The body is not {content_type.charset}")


def encode_text(value: JSON) -> bytes:
    """Encode a string as UTF-8, and any other value as JSON."""
    return value.encode() if isinstance(value, str) else encode_json(value)


class TextFormat:
    """``text/*``. The schema decides the type of the value."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode by the charset."""
        return decode_text(data, content_type)

    def encode(self, value: JSON) -> bytes:
        """Encode as UTF-8."""
        return encode_text(value)


class BinaryFormat:
    """Binary bodies. Each byte is one character, U+0000 to U+00FF."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode any bytes."""
        return Literal(data.decode("latin-1"))

    def encode(self, value: JSON) -> bytes:
        """Encode as latin-1, or as UTF-8 if the text has other characters."""
        if not isinstance(value, str):
            return encode_json(value)
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            return value.encode()


_BASE64 = {
    # One pixel each
    "image/png": (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    ),
    "image/gif": "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "image/jpeg": (
        "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8Q"
        "EBEQCgwSExIQEw8QEBD/yQALCAABAAEBAREA/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k="
    ),
    # Empty
    "application/zip": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==",
}
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n'
_PDF_OBJECTS = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>",
)


@cache
def sample_file(media_type: str) -> bytes | None:
    """Return a valid file of a media type (lower case, without parameters), or None."""
    if media_type == "application/pdf":
        return _pdf()
    if media_type == "image/svg+xml":
        return _SVG
    if media_type in ("application/gzip", "application/x-gzip"):
        packer = zlib.compressobj(wbits=31)
        return packer.compress(b"") + packer.flush()
    text = _BASE64.get({"image/jpg": "image/jpeg"}.get(media_type, media_type))
    return None if text is None else b64decode(text)


def _pdf() -> bytes:
    """Return a PDF file with one empty page of one square inch (ISO 32000-1, section 7.5)."""
    data, offsets = b"%PDF-1.4\n", []
    for number, text in enumerate(_PDF_OBJECTS, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, text)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(offsets) + 1
    return data + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(data))
    )
