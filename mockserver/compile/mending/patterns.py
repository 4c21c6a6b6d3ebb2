"""Whether patterns can be run, by the engine that judges values."""

from __future__ import annotations

from collections.abc import Iterable

from mockserver.schema.patterns import strict


def all_run(patterns: Iterable[str]) -> bool:
    """Whether all of some patterns can be run."""
    from jsonschema_rs import Draft202012Validator, FancyRegexOptions
    from jsonschema_rs import ValidationError as Invalid

    try:
        Draft202012Validator(
            {"allOf": [{"pattern": strict(each)} for each in patterns]},
            pattern_options=FancyRegexOptions(backtrack_limit=1000),
            offline=True,
        )
    except (Invalid, ValueError):
        return False
    return True
