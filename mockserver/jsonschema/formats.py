"""Formats of the registries of OpenAPI and of JSON Schema.

jsonschema-rs checks formats of strings. Draft 4 gets the formats of 2020-12 too.
Formats of numbers are ranges. Other formats assert nothing.
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
"""Format to its minimum and maximum."""

BORROWED = (
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
"""RFC 3339, section 5.6, which allows a space instead of the T. The offset is optional here."""


@cache
def checks() -> dict[str, Callable[[str], bool]]:
    """Return the checks of formats that jsonschema-rs lacks in one dialect or in both."""
    from jsonschema_rs import Draft202012Validator  # slow to import, not always needed

    borrowed = {
        name: Draft202012Validator({"format": name}, validate_formats=True, offline=True).is_valid
        for name in BORROWED
    }
    return {**borrowed, "byte": is_base64, "base64url": is_base64url}


@cache
def forgiving_checks() -> dict[str, Callable[[str], bool]]:
    """Return ``checks`` with a date-time that allows common variants."""
    from jsonschema_rs import Draft202012Validator  # slow to import, as above

    is_date_time = Draft202012Validator({"format": "date-time"}, validate_formats=True, offline=True).is_valid

    def forgives(text: str) -> bool:
        match = _DATE_TIME.fullmatch(text)
        return match is not None and is_date_time(f"{match[1]}T{match[2]}{match[3] or 'Z'}")

    return {**checks(), "date-time": forgives}


def is_base64(text: str) -> bool:
    """Return whether a text is base64 with padding (RFC 4648, section 4)."""
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    return True


def is_base64url(text: str) -> bool:
    """Return whether a text is base64url, with or without padding (RFC 4648, section 5)."""
    if "+" in text or "/" in text:
        return False
    bare = text.rstrip("=")
    return is_base64(bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4))


def within_range(schema: dict[str, JSON], *, draft_4: bool) -> None:
    """Narrow the minimum and maximum of a schema, in place, to those of its format."""
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
