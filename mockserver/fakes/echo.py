"""Values that the request already named: ``GET /pets/42`` answers ``id: 42``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mockserver.fakes.names import words
from mockserver.plan import JSON


def echo(
    value: JSON, hints: Mapping[str, JSON], names: Iterable[str], is_valid: Callable[[JSON], bool]
) -> JSON:
    """``value`` with members of a hint's name set to the hint, where that is valid.

    ``names``: the members that there can be. A sole hint like ``petId`` also
    sets ``id``. Texts become numbers where only that is valid.
    """
    if not isinstance(value, dict):
        return value
    known = [*value, *(name for name in names if name not in value)]
    for name, hint in _targets(hints, known):
        for candidate in _readings(hint, value.get(name)):
            changed = {**value, name: candidate}
            if is_valid(changed):
                value = changed
                break
    return value


def _targets(hints: Mapping[str, JSON], known: list[str]) -> Iterable[tuple[str, JSON]]:
    by_words = {words(name): name for name in reversed(known)}
    identifiers = [name for name in hints if words(name)[-1:] == ("id",)]
    for name, hint in hints.items():
        same = name if name in known else by_words.get(words(name))  # user_id is userId
        if same is not None:
            yield same, hint
        elif identifiers == [name] and "id" in known:
            yield "id", hint


def _readings(hint: JSON, current: JSON) -> list[JSON]:
    """What a text from a path may mean; first the type that the value has now."""
    if not isinstance(hint, str):
        return [hint]
    readings: list[JSON] = [hint]
    for read in (int, float):
        try:
            readings.append(read(hint))
        except (ValueError, OverflowError):
            continue
    if hint in ("true", "false"):
        readings.append(hint == "true")
    readings = [each for each in readings if each == each and each not in (float("inf"), float("-inf"))]
    return sorted(readings, key=lambda each: type(each) is not type(current))
