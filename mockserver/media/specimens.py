"""The smallest whole files of binary media types, for answers whose schema tells nothing of their bytes.

A client that opens what it is sent (a picture, an archive, a page to print) can.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from functools import cache

_BASE64 = {
    # One pixel
    "image/png": (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    ),
    "image/gif": "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "image/jpeg": (
        "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8Q"
        "EBEQCgwSExIQEw8QEBD/yQALCAABAAEBAREA/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k="
    ),
    # Nothing in it
    "application/zip": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==",
}
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n'
_PDF_OBJECTS = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>",
)


@cache
def specimen(media_type: str) -> bytes | None:
    """A file of a media type (lower case, no parameters); None where none is known here."""
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
    """A page of one square inch (ISO 32000-1, 7.5)."""
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
