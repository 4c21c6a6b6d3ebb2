"""Styles: how a value is written as text (OpenAPI 3.2, "Style Values"; RFC 6570).

====================  =======  ==================================  ==============================
style                 explode  array ``[1, 2]`` named ``a``        object ``{"x": 1, "y": 2}``
====================  =======  ==================================  ==============================
simple                no       ``1,2``                             ``x,1,y,2``
simple                yes      ``1,2``                             ``x=1,y=2``
label                 no       ``.1,2``                            ``.x,1,y,2``
label                 yes      ``.1.2``                            ``.x=1.y=2``
matrix                no       ``;a=1,2``                          ``;a=x,1,y,2``
matrix                yes      ``;a=1;a=2``                        ``;x=1;y=2``
form, cookie          no       ``a=1,2``                           ``a=x,1,y,2``
form, cookie          yes      ``a=1&a=2``                         ``x=1&y=2``
space-, pipe-,        no       ``a=1%202``, ``a=1%7C2``            ``a=x%201%20y%202``, …
tabDelimited
deepObject            —        —                                  ``a[x]=1&a[y]=2``
====================  =======  ==================================  ==============================

``split`` undoes what follows the name, on text still encoded: delimiters first,
percent-encoding after, once. Clients often encode the delimiters too, so the
text split after decoding is a second reading, where the first is not valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mockserver.media.malformed import Malformed
from mockserver.media.percent import decode_form
from mockserver.media.reading import Raw
from mockserver.media.shapes import Types

Decode = Callable[[str], str | None]
Raws = list[Raw]

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
    """Readings, at least one, of a text that has neither name nor prefix.

    ``explode`` means ``k=v`` for the members of an object; for label it also
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
) -> Iterator[Raw]:
    # decode() cannot fail on a part where it did not on the whole: delimiters are ASCII
    parts = delimiter.split(text)
    if "array" in types:
        yield [decode(each) or "" for each in parts]
        if not text:
            yield []
    if "object" in types:
        members = _pairs(parts) if explode else _alternating(parts)
        if members is not None:
            yield {decode(name) or "": decode(value) or "" for name, value in members}
        elif not text:
            yield {}


def _pairs(parts: list[str]) -> list[tuple[str, str]] | None:
    pairs = [each.partition("=") for each in parts]
    return [(name, value) for name, _, value in pairs] if all(equals for _, equals, _ in pairs) else None


def _alternating(parts: list[str]) -> list[tuple[str, str]] | None:
    return None if len(parts) % 2 else list(zip(parts[::2], parts[1::2], strict=True))


def split_path(
    text: str, name: str, style: str, explode: bool, types: Types, decode: Decode
) -> Raws | Malformed:
    """Readings of one path segment, or part of a segment, as sent."""
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
    pairs = [(decode(key) or "", value) for key, _, value in (each.partition("=") for each in parts)]
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
