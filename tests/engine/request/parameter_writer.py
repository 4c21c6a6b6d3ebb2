"""Writes parameters as a client does, in every style of OpenAPI: the inverse of ``ParameterReader``."""

from __future__ import annotations

from collections.abc import Callable

from mockserver.media.json import encode_json
from mockserver.media.styles import encode, expand_fields, expand_header, text_of
from mockserver.plan import JSON, MediaType, Parameter


def write_parameter(parameter: Parameter, value: JSON) -> str:
    """Return the text of a value in a request: a path segment, query or cookie fields, or a header value.

    An empty array or object may be an empty text.
    """
    location, name, style, explode = parameter.location, parameter.name, parameter.style, parameter.explode
    if parameter.content:
        return _write_content(parameter, parameter.content, value)
    if location == "path":
        return _expand_path(name, value, style, explode)
    if location == "header":
        return expand_header(value, explode)
    return expand_fields(name, value, style, explode, allow_reserved=parameter.allow_reserved)


def _write_content(parameter: Parameter, content: MediaType, value: JSON) -> str:
    if parameter.location == "querystring" and content.name == "application/x-www-form-urlencoded":
        return "&".join(part for name, member in value.items() if (part := expand_fields(name, member)))
    text = encode_json(value).decode() if "json" in content.name else text_of(value)
    if parameter.location == "header":
        return text
    encoded = encode(text)
    return encoded if parameter.location in ("path", "querystring") else f"{encode(parameter.name)}={encoded}"


def _expand_path(name: str, value: JSON, style: str, explode: bool) -> str:
    if style == "label":
        delimiter = "." if explode else ","
        return "." + _join(value, delimiter, lambda text: encode(text).replace(".", "%2E"), explode=explode)
    if style == "matrix":
        key = encode(name)
        if explode and isinstance(value, list):
            return "".join(f";{key}={encode(text_of(item))}" for item in value)
        if explode and isinstance(value, dict):
            return "".join(f";{encode(member)}={encode(text_of(item))}" for member, item in value.items())
        return f";{key}={_join(value, ',', encode)}"
    return _join(value, ",", encode, explode=explode)


def _join(value: JSON, delimiter: str, encoded: Callable[[str], str], *, explode: bool = False) -> str:
    if isinstance(value, list):
        return delimiter.join(encoded(text_of(item)) for item in value)
    if isinstance(value, dict):
        equals = "=" if explode else delimiter
        return delimiter.join(
            f"{encoded(key)}{equals}{encoded(text_of(item))}" for key, item in value.items()
        )
    return encoded(text_of(value))
