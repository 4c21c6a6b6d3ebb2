"""WireMock's patterns of one value: ``equalTo``, ``contains``, ``matches`` and others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mockserver.admin.http import MAX_VALUES, Budget, ControlError, has_too_many_values
from mockserver.admin.matching import expressions
from mockserver.jsonschema.references import escape
from mockserver.media.json import decode_json, encode_json
from mockserver.media.types import Malformed
from mockserver.plan import JSON

Test = Callable[[str | None, Budget], bool]
"""Returns whether a value matches; None stands for an absent value."""

_MODIFIERS = {
    "equalTo": {"caseInsensitive"},
    "contains": {"caseInsensitive"},
    "doesNotContain": {"caseInsensitive"},
    "equalToJson": {"ignoreArrayOrder", "ignoreExtraElements"},
}
_MAX_DEPTH = 20


class ValuePattern:
    """A compiled pattern. ``source`` is the pattern as the client sent it."""

    __slots__ = ("source", "test")

    def __init__(self, source: JSON, pointer: str, depth: int = 0) -> None:
        """Compile a pattern. Raise ControlError 422 with its location if it is invalid."""
        self.source = source
        self.test = _compile(source, pointer, depth)

    @property
    def wants_absence(self) -> bool:
        """Whether the pattern matches absent values only."""
        return isinstance(self.source, dict) and self.source.get("absent") is True


def _compile(source: JSON, pointer: str, depth: int) -> Test:
    if isinstance(source, str):
        source = {"equalTo": source}
    if not isinstance(source, dict):
        raise ControlError(422, 'a pattern is an object such as {"equalTo": "…"}, or a string', pointer)
    if depth > _MAX_DEPTH:
        raise ControlError(422, f"patterns are nested deeper than {_MAX_DEPTH} levels", pointer)
    named = [name for name in source if name in _OPERATORS]
    if len(named) != 1:
        known = ", ".join(_OPERATORS)
        problem = f"{' and '.join(named)} cannot be combined" if named else "the operator is missing"
        raise ControlError(422, f"{problem}; use one of {known}", pointer)
    [name] = named
    for other in source:
        if other != name and other not in _MODIFIERS.get(name, ()):
            raise ControlError(422, f"{other!r} cannot be combined with {name}", f"{pointer}/{escape(other)}")
        if other != name and not isinstance(source[other], bool):
            raise ControlError(422, f"{other} must be true or false", f"{pointer}/{other}")
    return _OPERATORS[name](_Operand(source[name], source, f"{pointer}/{name}", depth))


@dataclass(frozen=True, slots=True)
class _Operand:
    """The value of an operator, its modifiers and its location."""

    value: JSON
    source: Mapping[str, JSON]
    pointer: str
    depth: int

    @property
    def text(self) -> str:
        """The value, which must be a string."""
        return string_at(self.value, self.pointer)

    @property
    def fold(self) -> Callable[[str], str]:
        """The function that prepares texts for comparing."""
        return str.casefold if self.flag("caseInsensitive") else str

    def flag(self, name: str) -> bool:
        """Return whether a modifier is true."""
        return self.source.get(name) is True

    def inner(self, value: JSON, suffix: str = "") -> ValuePattern:
        """Compile a pattern inside this one."""
        return ValuePattern(value, self.pointer + suffix, self.depth + 1)

    def parts(self) -> list[ValuePattern]:
        """Compile the value as a list of patterns."""
        if not isinstance(self.value, list) or not self.value:
            raise ControlError(422, "the value must be a list of patterns", self.pointer)
        return [self.inner(pattern, f"/{index}") for index, pattern in enumerate(self.value)]


def _equal_to(operand: _Operand) -> Test:
    fold = operand.fold
    wanted = fold(operand.text)
    return lambda actual, budget: actual is not None and fold(actual) == wanted


def _contains(operand: _Operand) -> Test:
    fold = operand.fold
    wanted = fold(operand.text)
    return lambda actual, budget: actual is not None and wanted in fold(actual)


def _does_not_contain(operand: _Operand) -> Test:
    contains = _contains(operand)
    return lambda actual, budget: not contains(actual, budget)


def _matches(operand: _Operand) -> Test:
    pointer = operand.pointer
    matches = expressions.full_match(operand.text, pointer)

    def test(actual: str | None, budget: Budget) -> bool:
        budget.check(pointer)
        return actual is not None and matches(actual)

    return test


def _does_not_match(operand: _Operand) -> Test:
    matches = _matches(operand)
    return lambda actual, budget: not matches(actual, budget)


def _absent(operand: _Operand) -> Test:
    value = operand.value
    if not isinstance(value, bool):
        raise ControlError(422, "absent must be true or false", operand.pointer)
    return lambda actual, budget: (actual is None) == value


def _equal_to_json(operand: _Operand) -> Test:
    wanted, pointer = operand.value, operand.pointer
    if isinstance(wanted, str):
        data = wanted.encode("utf-8", "surrogatepass")
        if has_too_many_values(data):
            raise ControlError(422, f"equalToJson has more than {MAX_VALUES:,} values", pointer)
        wanted = decode_json(data)
        if isinstance(wanted, Malformed):
            raise ControlError(422, f"equalToJson is not valid JSON: {wanted.message}", pointer)
    unordered, extra = operand.flag("ignoreArrayOrder"), operand.flag("ignoreExtraElements")

    if unordered and not extra:
        canonical = _canonical(wanted)
        return lambda actual, budget: _canonical(_parse(actual)) == canonical

    def test(actual: str | None, budget: Budget) -> bool:
        parsed = _parse(actual)
        return not isinstance(parsed, Malformed) and _json_equal(
            wanted, parsed, unordered=unordered, extra=extra, budget=budget, pointer=pointer
        )

    return test


def _matches_json_path(operand: _Operand) -> Test:
    inner: ValuePattern | None = None
    value, pointer = operand.value, operand.pointer
    if isinstance(value, dict):
        rest = {name: member for name, member in value.items() if name != "expression"}
        inner = operand.inner(rest) if rest else None
        value, pointer = value.get("expression"), f"{pointer}/expression"
    select = expressions.json_path(string_at(value, pointer), pointer)

    def test(actual: str | None, budget: Budget) -> bool:
        parsed = _parse(actual)
        if isinstance(parsed, Malformed):
            return False
        found = select(parsed, budget)
        if inner is None:
            return any(selected is not None for selected in found)
        if inner.wants_absence:
            return all(selected is None for selected in found)
        return any(inner.test(_as_text(selected), budget) for selected in found)

    return test


def _and(operand: _Operand) -> Test:
    parts = operand.parts()
    return lambda actual, budget: all(part.test(actual, budget) for part in parts)


def _or(operand: _Operand) -> Test:
    parts = operand.parts()
    return lambda actual, budget: any(part.test(actual, budget) for part in parts)


def _not(operand: _Operand) -> Test:
    inner = operand.inner(operand.value)
    return lambda actual, budget: not inner.test(actual, budget)


_OPERATORS: dict[str, Callable[[_Operand], Test]] = {
    "equalTo": _equal_to,
    "contains": _contains,
    "doesNotContain": _does_not_contain,
    "matches": _matches,
    "doesNotMatch": _does_not_match,
    "absent": _absent,
    "equalToJson": _equal_to_json,
    "matchesJsonPath": _matches_json_path,
    "and": _and,
    "or": _or,
    "not": _not,
}


def string_at(value: JSON, pointer: str) -> str:
    """Return ``value``. Raise ControlError 422 if it is not a string."""
    if not isinstance(value, str):
        raise ControlError(422, "the value must be a string", pointer)
    return value


def _parse(text: str | None) -> JSON | Malformed:
    return Malformed("") if text is None else decode_json(text.encode("utf-8", "surrogatepass"))


def _as_text(value: JSON) -> str | None:
    """Return a value that a JSONPath selected as text."""
    if value is None or isinstance(value, str):
        return value
    return encode_json(value).decode()


def _json_equal(
    wanted: JSON, actual: JSON, *, unordered: bool, extra: bool, budget: Budget, pointer: str
) -> bool:
    """Return whether JSON values are equal.

    Numbers are compared by value. ``unordered`` ignores the order of arrays; ``extra`` allows more
    members and elements in ``actual``.
    """
    budget.spend(pointer)

    def equal(one: JSON, other: JSON) -> bool:
        return _json_equal(one, other, unordered=unordered, extra=extra, budget=budget, pointer=pointer)

    if isinstance(wanted, dict) and isinstance(actual, dict):
        if not extra and wanted.keys() != actual.keys():
            return False
        return all(name in actual and equal(member, actual[name]) for name, member in wanted.items())
    if isinstance(wanted, list) and isinstance(actual, list):
        if len(wanted) > len(actual) or (not extra and len(wanted) != len(actual)):
            return False
        if not unordered:
            return all(map(equal, wanted, actual))
        fits = cache(lambda one, other: equal(wanted[one], actual[other]))
        return _can_pair(len(wanted), len(actual), fits)
    return _scalar(wanted) == _scalar(actual) if not isinstance(wanted, dict | list) else False


def _can_pair(count: int, others: int, fits: Callable[[int, int], bool]) -> bool:
    """Return whether each wanted element can have its own fitting element (by augmenting paths)."""
    owners: dict[int, int] = {}
    free = list(range(others))
    for start in range(count):
        asked_by: dict[int, int] = {}
        asking = [start]
        for one in asking:  # the list grows: an owner looks for another element
            choice = next((candidate for candidate in free if fits(one, candidate)), None)
            if choice is not None:
                break
            for taken, owner in owners.items():
                if taken not in asked_by and fits(one, taken):
                    asked_by[taken] = one
                    asking.append(owner)
        else:
            return False
        free.remove(choice)
        before = {owner: taken for taken, owner in owners.items()} if one != start else {}
        while one != start:  # each takes its new element, and gives the old one away
            owners[choice] = one
            choice = before[one]
            one = asked_by[choice]
        owners[choice] = one
    return True


def _scalar(value: Any) -> tuple[bool, Any]:
    """Return a value for comparing in which ``true`` differs from ``1``."""
    return (isinstance(value, bool), value if not isinstance(value, dict | list) else id(value))


def _canonical(value: JSON) -> Hashable:
    """Return a value that is equal for JSON values that differ in the order of arrays only."""
    if isinstance(value, dict):
        return frozenset((name, _canonical(member)) for name, member in value.items())
    if isinstance(value, list):
        return "array", frozenset(Counter(map(_canonical, value)).items())
    return _scalar(value)
