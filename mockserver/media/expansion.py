"""Values → text in a style: the inverse of ``styles`` and ``fields`` (RFC 6570, section 3)."""

from __future__ import annotations

from collections.abc import Callable

from mockserver.media.json import encode_json
from mockserver.media.percent import RESERVED, encode
from mockserver.plan import JSON

Encode = Callable[[str], str]

_DELIMITERS = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "tabDelimited": "%09"}


def expand_fields(
    name: str, value: JSON, style: str = "form", explode: bool = True, *, allow_reserved: bool = False
) -> str:
    """``a=1&a=2``, for a query, a cookie or a urlencoded body; an empty array or object is ``""``.

    Items of the delimited styles must not hold the delimiter: nothing could tell it apart.
    """
    safe = RESERVED.replace(",", "") if allow_reserved else ""

    def encoded(text: str) -> str:
        return encode(text, safe=safe)

    key = encode(name, safe="[]")
    if style == "deepObject" and isinstance(value, (dict, list)):
        return "&".join(_deep(key, value, encoded))
    if isinstance(value, list) and explode:
        return "&".join(f"{key}={encoded(text_of(each))}" for each in value)
    if isinstance(value, dict) and explode:
        return "&".join(f"{encode(each)}={encoded(text_of(item))}" for each, item in value.items())
    if value in ([], {}):
        return ""
    return f"{key}={_joined(value, _DELIMITERS.get(style, ','), encoded)}"


def expand_path(name: str, value: JSON, style: str = "simple", explode: bool = False) -> str:
    """The segment of a path, or the part of one, that stands for a parameter."""
    if style == "label":
        delimiter = "." if explode else ","
        return "." + _joined(value, delimiter, _encode_label, explode=explode)
    if style == "matrix":
        key = encode(name)
        if explode and isinstance(value, list):
            return "".join(f";{key}={encode(text_of(each))}" for each in value)
        if explode and isinstance(value, dict):
            return "".join(f";{encode(each)}={encode(text_of(item))}" for each, item in value.items())
        return f";{key}={_joined(value, ',', encode)}"
    return _joined(value, ",", encode, explode=explode)


def expand_header(value: JSON, explode: bool = False) -> str:
    """Style simple without percent-encoding, which header fields do not have (OpenAPI 3.2, Appendix D)."""
    return _joined(value, ",", str, explode=explode)


def text_of(value: JSON) -> str:
    """A scalar as text; an array or object, where no style reaches it, as JSON."""
    if isinstance(value, str):
        return value
    return encode_json(value).decode()


def _joined(value: JSON, delimiter: str, encoded: Encode, *, explode: bool = False) -> str:
    if isinstance(value, list):
        return delimiter.join(encoded(text_of(each)) for each in value)
    if isinstance(value, dict):
        equals = "=" if explode else delimiter
        return delimiter.join(
            f"{encoded(name)}{equals}{encoded(text_of(each))}" for name, each in value.items()
        )
    return encoded(text_of(value))


def _encode_label(text: str) -> str:
    return encode(text).replace(".", "%2E")


def _deep(key: str, value: JSON, encoded: Encode) -> list[str]:
    """An object by its names; an array by ``[]`` where its items are scalars, else by index."""
    if isinstance(value, dict):
        return [
            each for name, item in value.items() for each in _deep(f"{key}[{encode(name)}]", item, encoded)
        ]
    if isinstance(value, list):
        if any(isinstance(each, (dict, list)) for each in value):
            return [each for i, item in enumerate(value) for each in _deep(f"{key}[{i}]", item, encoded)]
        return [f"{key}[]={encoded(text_of(each))}" for each in value]
    return [f"{key}={encoded(text_of(value))}"]
