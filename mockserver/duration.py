"""Durations as people write them: ``200ms``, ``30s``, ``5m``, ``1h``, ``2d``, ``1.5s``."""

from __future__ import annotations

import re

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST = 365_000 * _UNITS["d"]
"""A thousand years or so: what lies so far ahead of any clock still has a date."""
_FORM = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*$")


def milliseconds(text: str) -> int:
    """A duration's length in milliseconds. Raises ValueError where the form is another, or it is too long."""
    found = _FORM.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration such as 200ms, 30s, 5m, 1h or 2d")
    length = float(found[1]) * _UNITS[found[2]]
    if length > LONGEST:
        raise ValueError(f"{text[:40]!r} is longer than {written(LONGEST)}")
    return round(length)


def written(length: int) -> str:
    """The shortest exact form of a length in milliseconds."""
    for unit in ("d", "h", "m", "s"):
        if length and length % _UNITS[unit] == 0:
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length}ms"
