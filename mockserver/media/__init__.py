"""Media types, codecs and styles: conversion between bytes on the wire and JSON values.

``codec`` and one module per family of formats decode and encode bodies.
``styles`` and ``form`` do this for parameters and fields. The result of decoding
is *undecoded* text; ``coercion`` turns it into JSON values with the help of the
schema, whose types ``shapes`` lists. Decoding of requests does not raise; it
returns ``Malformed``.
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
