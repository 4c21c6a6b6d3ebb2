"""Media types, codecs and styles: between what is on the wire and JSON values.

``types``, ``codec`` and one module per family of formats turn bodies into
*raws* and values into bodies; ``styles``, ``fields`` and ``expansion`` do so
for parameters; ``reading`` makes JSON of raws with the help of a schema, whose
forms ``shapes`` knows. What clients send never raises: see ``Malformed``.
"""

from mockserver.media.coercion import Decoded, Literal, Reader, Undecoded
from mockserver.media.types import ContentType, Malformed, match_content, parse_content_type

__all__ = [
    "ContentType",
    "Decoded",
    "Literal",
    "Malformed",
    "Reader",
    "Undecoded",
    "match_content",
    "parse_content_type",
]
