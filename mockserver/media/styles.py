"""Styles of parameters and fields: values to text and back (OpenAPI 3.2, "Style Values"; RFC 6570)."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Callable, Iterator
from urllib.parse import quote

from mockserver.media.coercion import Undecoded
from mockserver.media.json import encode_json
from mockserver.media.shapes import Types
from mockserver.media.types import Malformed
from mockserver.plan import JSON

RESERVED = ":/?[]@!$'()*,;"
"""What ``allowReserved`` leaves unencoded in a query. Not ``# & + =``, which are delimiters."""

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode(text: str) -> str | None:
    """Decode percent-encoded text. Return None if an escape is malformed or the bytes are not UTF-8."""
    if "%" not in text and text.isascii():
        return text
    try:
        # As quoted-printable, whose escapes begin with "=": ten times as fast as urllib
        data = text.encode("latin-1").replace(b"=", b"=3D").replace(b"%", b"=")
        decoded = a2b_qp(data)
        if len(data) - len(decoded) != 2 * data.count(b"=") or b"=\n" in data or b"=\r" in data:
            return None  # an escape that is not of three characters
        return decoded.decode("utf-8")
    except UnicodeError:
        return None


def find_broken_escape(text: str) -> str:
    """Return the first malformed escape, at most three characters, or an empty text."""
    found = _BROKEN.search(text)
    return text[found.start() : found.start() + 3] if found else ""


def decode_form(text: str) -> str | None:
    """Do as ``decode``, with ``+`` for a space (application/x-www-form-urlencoded)."""
    return decode(text.replace("+", " "))


def encode(text: str, *, safe: str = "") -> str:
    """Percent-encode all characters except the unreserved ones and ``safe``."""
    return quote(text, safe=safe)


Decode = Callable[[str], str | None]
Raws = list[Undecoded]

DELIMITED = {
    "spaceDelimited": re.compile(r"%20|\+| "),
    "pipeDelimited": re.compile(r"%7[Cc]|\|"),
    "tabDelimited": re.compile(r"%09|\t"),
}
COMMA = re.compile(",")
ENCODED_COMMA = re.compile("%2[Cc]|,")
_DOT = re.compile(r"\.")


def split(
    text: str, style: str, explode: bool, types: Types, decode: Decode = decode_form
) -> Raws | Malformed:
    """Return the interpretations of a text without name and prefix: at least one.

    With ``explode`` the members of an object are ``k=v``. In style label, it also
    changes the delimiter.
    """
    whole = decode(text)
    if whole is None:
        return Malformed(f"{text!r} is not percent-encoded UTF-8")
    strict = DELIMITED.get(style) or (_DOT if style == "label" and explode else COMMA)
    lenient = ENCODED_COMMA if strict is COMMA else strict
    structured = [*_structured(text, strict, explode, types, decode)]
    if lenient is not strict and "%2" in text:
        structured += _structured(text, lenient, explode, types, decode)
    if not structured:
        return [whole]
    if types <= {"array", "object"}:
        return [*structured, whole]
    return [*structured, whole] if strict.search(text) else [whole, *structured]


def _structured(
    text: str, delimiter: re.Pattern[str], explode: bool, types: Types, decode: Decode
) -> Iterator[Undecoded]:
    # decode() of a part cannot fail if that of the whole did not, because delimiters are ASCII
    parts = delimiter.split(text)
    if "array" in types:
        yield [decode(part) or "" for part in parts]
        if not text:
            yield []
    if "object" in types:
        members = _pairs(parts) if explode else _alternating(parts)
        if members is not None:
            yield {decode(name) or "": decode(value) or "" for name, value in members}
        elif not text:
            yield {}


def _pairs(parts: list[str]) -> list[tuple[str, str]] | None:
    pairs = [part.partition("=") for part in parts]
    return [(name, value) for name, _, value in pairs] if all(equals for _, equals, _ in pairs) else None


def _alternating(parts: list[str]) -> list[tuple[str, str]] | None:
    return None if len(parts) % 2 else list(zip(parts[::2], parts[1::2], strict=True))


def split_path(
    text: str, name: str, style: str, explode: bool, types: Types, decode: Decode
) -> Raws | Malformed:
    """Return the interpretations of a path segment, or of a part of it, as sent."""
    if style == "label":
        if not text.startswith("."):
            return Malformed(f"{text!r} does not start with a dot, as style label does", "style")
        return split(text[1:], style, explode, types, decode)
    if style == "matrix":
        return _split_matrix(text, name, explode, types, decode)
    return split(text, style, explode, types, decode)


def _split_matrix(text: str, name: str, explode: bool, types: Types, decode: Decode) -> Raws | Malformed:
    start, *parts = text.split(";")
    wrong = Malformed(f"{text!r} is not of style matrix: expected ;{name}=…", "style")
    if start or not parts:
        return wrong
    if decode(text) is None:
        return Malformed(f"{text!r} is not percent-encoded UTF-8")
    pairs = [(decode(key) or "", value) for key, _, value in (part.partition("=") for part in parts)]
    raws: Raws = []
    if all(key == name for key, _ in pairs):
        if len(pairs) == 1 and not (explode and types <= {"array", "object"}):
            found = split(
                pairs[0][1], "simple", False, types - {"array", "object"} if explode else types, decode
            )
            raws += found if isinstance(found, list) else []
        if explode and "array" in types:
            raws.append([decode(value) or "" for _, value in pairs])
    if explode and "object" in types:
        raws.append({key: decode(value) or "" for key, value in pairs})
    return raws or wrong


Encode = Callable[[str], str]

_DELIMITERS = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "tabDelimited": "%09"}


def expand_fields(
    name: str, value: JSON, style: str = "form", explode: bool = True, *, allow_reserved: bool = False
) -> str:
    """Encode a value as fields, such as ``a=1&a=2``. An empty array or object is an empty text.

    Items of the delimited styles must not contain the delimiter, because no escape exists for it.
    """
    safe = RESERVED.replace(",", "") if allow_reserved else ""

    def encoded(text: str) -> str:
        return encode(text, safe=safe)

    key = encode(name, safe="[]")
    if style == "deepObject" and isinstance(value, (dict, list)):
        return "&".join(_expand_deep(key, value, encoded))
    if isinstance(value, list) and explode:
        return "&".join(f"{key}={encoded(text_of(item))}" for item in value)
    if isinstance(value, dict) and explode:
        return "&".join(f"{encode(member)}={encoded(text_of(item))}" for member, item in value.items())
    if value in ([], {}):
        return ""
    return f"{key}={_join(value, _DELIMITERS.get(style, ','), encoded)}"


def expand_header(value: JSON, explode: bool = False) -> str:
    """Encode a header field: style simple without percent-encoding (OpenAPI 3.2, Appendix D)."""
    return _join(value, ",", str, explode=explode)


def text_of(value: JSON) -> str:
    """Return a scalar as text, and a nested array or object as JSON."""
    if isinstance(value, str):
        return value
    return encode_json(value).decode()


def _join(value: JSON, delimiter: str, encoded: Encode, *, explode: bool = False) -> str:
    if isinstance(value, list):
        return delimiter.join(encoded(text_of(item)) for item in value)
    if isinstance(value, dict):
        equals = "=" if explode else delimiter
        return delimiter.join(
            f"{encoded(name)}{equals}{encoded(text_of(item))}" for name, item in value.items()
        )
    return encoded(text_of(value))


def _expand_deep(key: str, value: JSON, encoded: Encode) -> list[str]:
    """Encode in style deepObject: an object by names, an array of scalars with ``[]``, others by index."""
    if isinstance(value, dict):
        return [
            field
            for name, item in value.items()
            for field in _expand_deep(f"{key}[{encode(name)}]", item, encoded)
        ]
    if isinstance(value, list):
        if any(isinstance(field, (dict, list)) for field in value):
            return [
                field for i, item in enumerate(value) for field in _expand_deep(f"{key}[{i}]", item, encoded)
            ]
        return [f"{key}[]={encoded(text_of(item))}" for item in value]
    return [f"{key}={encoded(text_of(value))}"]
