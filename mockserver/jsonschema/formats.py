"""Formats: the registries of OpenAPI and of JSON Schema.

Formats of text are checked by jsonschema-rs; those that Draft 4 does not know
are lent to it from 2020-12. Formats of numbers are ranges. A format that is
listed nowhere here asserts nothing.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from functools import cache

from mockserver.plan import JSON

RANGES: Mapping[str, tuple[int | float, int | float]] = {
    "int8": (-(2**7), 2**7 - 1),
    "uint8": (0, 2**8 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
    "float": (-3.4028234663852886e38, 3.4028234663852886e38),
    "double": (-1.7976931348623157e308, 1.7976931348623157e308),
}
"""Format → the least and the greatest number it has."""

LENT = (
    "duration",
    "idn-hostname",
    "iri",
    "iri-reference",
    "json-pointer",
    "relative-json-pointer",
    "uri-reference",
    "uri-template",
    "uuid",
)

_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9:.]{8,30})([Zz]|[+-][0-9]{2}:[0-9]{2})?")
"""RFC 3339, which lets a blank stand for the T (section 5.6); the offset may be left out."""


@cache
def checks() -> dict[str, Callable[[str], bool]]:
    """Formats that jsonschema-rs lacks in one dialect or in both, with their checks."""
    from jsonschema_rs import Draft202012Validator

    lent = {
        name: Draft202012Validator({"format": name}, validate_formats=True, offline=True).is_valid
        for name in LENT
    }
    return {**lent, "byte": is_base64, "base64url": is_base64url}


@cache
def forgiving_checks() -> dict[str, Callable[[str], bool]]:
    """As ``checks``, and date-times as people write them."""
    from jsonschema_rs import Draft202012Validator

    is_date_time = Draft202012Validator({"format": "date-time"}, validate_formats=True, offline=True).is_valid

    def forgives(text: str) -> bool:
        match = _DATE_TIME.fullmatch(text)
        return match is not None and is_date_time(f"{match[1]}T{match[2]}{match[3] or 'Z'}")

    return {**checks(), "date-time": forgives}


def is_base64(text: str) -> bool:
    """RFC 4648, section 4, with padding."""
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    return True


def is_base64url(text: str) -> bool:
    """RFC 4648, section 5; padding may be left out."""
    if "+" in text or "/" in text:
        return False
    bare = text.rstrip("=")
    return is_base64(bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4))


def within_range(schema: dict[str, JSON], *, draft_4: bool) -> None:
    """Narrow the schema's bounds, in place, to those of its format."""
    name = schema.get("format")
    bounds = RANGES.get(name) if isinstance(name, str) else None
    if bounds is None:
        return
    for keyword, exclusive, bound, sign in (
        ("minimum", "exclusiveMinimum", bounds[0], 1),
        ("maximum", "exclusiveMaximum", bounds[1], -1),
    ):
        stated = schema.get(keyword)
        if isinstance(stated, (int, float)) and sign * stated >= sign * bound:
            continue
        if stated is None or isinstance(stated, (int, float)):
            schema[keyword] = bound
            if draft_4:
                schema.pop(exclusive, None)
