"""What the values of a template may hold, and what a rendering may cost.

Each rendering has a ``Rendering``: a budget that every operation pays from
*before* it works, in units. A step (an operation, a round of a loop, one item
of a list) costs ``STEP`` units and one character of a text costs 1, because
that is about how long they take: a unit is some nanoseconds. An operation pays
for all that it reads and makes, and what it makes is weighed in full: a list
that holds another list twice counts it twice. So no single operation can run
long or hold much, and there is nothing that a deadline would have to stop.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import ChainableUndefined, StrictUndefined, Undefined
from jinja2.exceptions import SecurityError
from jinja2.utils import missing

from mockserver.engine.resources.context import NAMES
from mockserver.engine.resources.templates import unknown_name

STEP = 16
"""Units of one operation, or of one item."""
MAX_HELD = 1024 * 1024
"""Units that one value may hold: a text of a million characters, a list of 65,536 numbers."""
MAX_SPENT = 2 * 1024 * 1024
"""Units of one rendering: some hundredths of a second."""
MAX_BITS = 256
"""Of an integer."""
MAX_RANGE = 1000
"""Items of one ``range``."""
MAX_WIDTH = 10_000
"""Characters that one field of a format is padded to."""
MAX_DEPTH = 100
"""Lists within lists, and macros that call macros."""
_NAMES = dict.fromkeys(NAMES)
_SCALARS = frozenset((bool, float, type(None)))
FILTER = 28 * STEP
"""Units of a filter or a test, beside what it reads and makes."""
CALL = 4096
"""Units of a call to a provider: Faker takes up to a millisecond."""


class Absent(ChainableUndefined):
    """What a request did not have: undefined, and so is all that is looked for in it."""

    is_absent = True


class Unknown(StrictUndefined):
    """A name that is not there: an error wherever it is used, that says what there is."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        holder = _NAMES if self._undefined_obj is missing else self._undefined_obj
        return unknown_name(self._undefined_name, holder)


class Rendering:
    """One rendering of a template: where names come from, and what is left of its budget."""

    __slots__ = ("context", "depth", "left")

    def __init__(self, context: Mapping[str, Any]) -> None:
        self.context = context
        self.left = MAX_SPENT
        self.depth = 0

    def spend(self, units: int) -> None:
        """Pay for an operation. Raises SecurityError when the budget is used up."""
        self.left -= units
        if self.left < 0:
            raise SecurityError("it takes too many operations")

    def hold(self, *values: Any) -> int:
        """Pay for reading or making ``values``, and return their units. Raises SecurityError."""
        units = sum(map(weigh, values))
        self.spend(units)
        return units


def weigh(value: Any) -> int:
    """The units that ``value`` holds with all that is in it. Raises SecurityError over ``MAX_HELD``."""
    if type(value) is str:
        units = STEP + len(value)
    elif type(value) is int:
        units = STEP + (value.bit_length() >> 3)
    elif isinstance(value, list | tuple | Mapping | str):
        return _weigh_nested(value)
    else:
        return STEP
    return bounded(units)


def bounded(units: int) -> int:
    """``units``, if one value may hold as many. Raises SecurityError."""
    if units > MAX_HELD:
        raise SecurityError(
            f"a value over the limit of {MAX_HELD:,} characters or {MAX_HELD // STEP:,} items"
        )
    return units


def _weigh_nested(value: Any) -> int:
    """Level by level, each item as often as it is met."""
    units, level = 0, [value]
    for _ in range(MAX_DEPTH):
        units = bounded(units + STEP * len(level))
        below: list[Any] = []
        for found in level:
            made = type(found)
            if made is str:
                units += len(found)
            elif made is int:
                units += found.bit_length() >> 3
            elif made is list or made is tuple:
                below += found
            elif made in _SCALARS:
                continue
            elif isinstance(found, Mapping):
                below += found
                below += found.values()
            elif isinstance(found, str | list | tuple):  # of a class of its own, as Jinja's Markup
                below += [str(found)] if isinstance(found, str) else found
            if len(below) > MAX_HELD // STEP:
                bounded(MAX_HELD + 1)
        if not below:
            return bounded(units)
        level = below
    raise SecurityError(f"a value of over {MAX_DEPTH} levels")


def iterate(rendering: Rendering, value: Any, units: int = STEP) -> Iterator[Any]:
    """The items of ``value``, each paid for with so many units. Raises TypeError for what has none."""
    if not isinstance(value, str | list | tuple | range | Mapping | Undefined):
        raise TypeError(f"{kind(value)} cannot be iterated")
    for item in value:
        rendering.spend(units)
        yield item


def text(rendering: Rendering, value: Any) -> str:
    """``value`` as text, paid for. Raises TypeError for what is no value of JSON."""
    if isinstance(value, str):
        rendering.spend(STEP + len(value))
        return str(value)
    if not isinstance(value, bool | int | float | list | tuple | Mapping | Undefined | None):
        raise TypeError(f"it is no value of JSON but {kind(value)}")
    rendering.spend(2 * STEP)
    rendering.hold(value)
    return str(dict(value) if isinstance(value, Mapping) else value)


def kind(value: Any) -> str:
    """What ``value`` is, for a message."""
    return "a function" if callable(value) else type(value).__name__


def range_of(*bounds: int) -> range:
    """``range`` in a template. Raises SecurityError for more than ``MAX_RANGE`` items."""
    found = range(*bounds)
    if len(found) > MAX_RANGE:
        raise SecurityError(f"a range of over {MAX_RANGE:,} items")
    return found


# Members


class Method(NamedTuple):
    """A method of a text, list or mapping: called by ``template_methods``."""

    owner: Any
    name: str


METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        [
            "capitalize",
            "casefold",
            "center",
            "count",
            "endswith",
            "expandtabs",
            "find",
            "format",
            "index",
            "isalnum",
            "isalpha",
            "isascii",
            "isdecimal",
            "isdigit",
            "isidentifier",
            "islower",
            "isnumeric",
            "isprintable",
            "isspace",
            "istitle",
            "isupper",
            "join",
            "ljust",
            "lower",
            "lstrip",
            "partition",
            "removeprefix",
            "removesuffix",
            "replace",
            "rfind",
            "rindex",
            "rjust",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "upper",
            "zfill",
        ]
    ),
    list: frozenset(("count", "index")),
    tuple: frozenset(("count", "index")),
    Mapping: frozenset(("get", "items", "keys", "values")),
}
"""The methods that templates may call, by the type of their owner: those that change nothing."""


def attribute(value: Any, name: str) -> Any:
    """``value.name``: a member of a mapping before its methods; undefined where there is none."""
    if isinstance(value, Undefined):
        return getattr(value, name) if isinstance(value, Absent) else str(value)
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if name.startswith("_"):
        raise SecurityError(f"{name!r} of {kind(value)} is not for templates")
    for owner, names in METHODS.items():
        if isinstance(value, owner):
            if name in names:
                return Method(value, name)
            return item(value, name) if owner is Mapping else _missing(value, name)
    if isinstance(value, bool | int | float | range | Method | None) or callable(value):
        return _missing(value, name)
    return getattr(value, name) if hasattr(value, name) else _missing(value, name)


def item(value: Any, key: Any) -> Any:
    """``value[key]``; undefined where there is none."""
    if isinstance(value, Undefined):
        return value[key] if isinstance(value, Absent) else str(value)
    if isinstance(value, str | list | tuple | range | Mapping):
        try:
            return value[key]
        except (KeyError, IndexError, TypeError):
            pass
    if isinstance(key, str) and not isinstance(value, Mapping):
        return attribute(value, key)
    return _missing(value, key)


def slice_of(rendering: Rendering, value: Any, bounds: slice) -> Any:
    """``value[a:b:c]``. Raises TypeError for what has no order."""
    if not isinstance(value, str | list | tuple | range):
        raise TypeError(f"{kind(value)} cannot be sliced")
    rendering.hold(value)
    return value[bounds]


def _missing(value: Any, name: Any) -> Undefined:
    return Unknown(obj=value, name=name)


# Operators


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def add(rendering: Rendering, left: Any, right: Any) -> Any:
    """``left + right``: numbers, texts, lists."""
    if not (_number(left) and _number(right)):
        bounded(rendering.hold(left, right))
    return _checked(left + right)


def subtract(rendering: Rendering, left: Any, right: Any) -> Any:
    """``left - right``."""
    return _checked(left - right)


def multiply(rendering: Rendering, left: Any, right: Any) -> Any:
    """``left * right``: numbers, or a text or list so many times."""
    if not (_number(left) and _number(right)):
        times, repeated = (left, right) if isinstance(left, int) else (right, left)
        if not isinstance(times, int):
            raise TypeError(f"{kind(left)} and {kind(right)} cannot be multiplied")
        rendering.spend(bounded(STEP + (weigh(repeated) - STEP) * max(times, 0)))
    return _checked(left * right)


def divide(rendering: Rendering, left: Any, right: Any) -> Any:
    """``left / right``."""
    return left / right


def floor_divide(rendering: Rendering, left: Any, right: Any) -> Any:
    """``left // right``."""
    return left // right


def power(rendering: Rendering, left: Any, right: Any) -> Any:
    """``left ** right``."""
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > MAX_BITS:
        raise SecurityError("a power that is too large")
    return _checked(left**right)


def remainder(rendering: Rendering, left: Any, right: Any) -> Any:
    """``left % right``, or printf-style formatting where ``left`` is a text."""
    if isinstance(left, str):
        return format_percent(rendering, left, right)
    return left % right


def _checked(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise SecurityError(f"an integer of over {MAX_BITS:,} bits")
    return value


def contains(rendering: Rendering, needle: Any, haystack: Any) -> bool:
    """``needle in haystack``."""
    if isinstance(haystack, Undefined):
        return needle in haystack
    if not isinstance(haystack, str | list | tuple | range | Mapping):
        raise TypeError(f"{kind(haystack)} holds nothing")
    if isinstance(haystack, list | tuple):  # each item is compared with all of the needle
        rendering.spend(len(haystack) * weigh(needle))
    rendering.hold(haystack)
    return needle in haystack


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "lteq": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gteq": lambda left, right: left >= right,
}


def compare(rendering: Rendering, operator: str, left: Any, right: Any) -> Any:
    """``left`` and ``right`` by one of Jinja's comparisons, ``in`` and ``notin`` too."""
    if operator == "in":
        return contains(rendering, left, right)
    if operator == "notin":
        return not contains(rendering, left, right)
    if not (_number(left) and _number(right)):
        rendering.hold(left, right)
    return COMPARISONS[operator](left, right)


# Formats


def _field_width(digits: str) -> int:
    width = int(digits) if digits.isdigit() and len(digits) < 9 else MAX_WIDTH + 1
    if width > MAX_WIDTH:
        raise SecurityError(f"a format with a field of over {MAX_WIDTH:,} characters")
    return width


def format_percent(rendering: Rendering, template: str, values: Any) -> str:
    """``template % values``: printf-style formatting, each field paid for."""
    units, end = weigh(template), 0
    held = weigh(values if isinstance(values, list | tuple | Mapping) else [values])
    while (start := template.find("%", end)) >= 0:
        end, widths = _percent_field(template, start + 1)
        units = bounded(units + held + sum(map(_field_width, widths)))
    rendering.spend(units)
    if not isinstance(values, tuple | Mapping):
        values = (values,)
    return template % (dict(values) if isinstance(values, Mapping) else values)


def _percent_field(template: str, position: int) -> tuple[int, list[str]]:
    """The end of a field that begins after ``%``, and its width and precision."""
    size, depth = len(template), 0
    if position < size and template[position] == "(":  # a name, in which parentheses are balanced
        while position < size:
            depth += {"(": 1, ")": -1}.get(template[position], 0)
            position += 1
            if not depth:
                break
    numbers = [""]
    while position < size and template[position] in "#0- +.0123456789hlL*":
        if template[position] == "*":
            raise SecurityError("a format whose width is one of its values")
        if template[position].isdigit():
            numbers[-1] += template[position]
        else:
            numbers.append("")
        position += 1
    return position + 1, [number for number in numbers if number]


class _Formatter(string.Formatter):
    """``str.format`` with the members that templates may read, each field paid for."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        from _string import formatter_field_name_split  # type: ignore[import-not-found]

        first, rest = formatter_field_name_split(field_name)
        found = self.get_value(first, args, kwargs)
        for is_attribute, name in rest:
            self._rendering.spend(STEP)
            found = attribute(found, name) if is_attribute else item(found, name)
        return found, first

    def format_field(self, value: Any, format_spec: str) -> str:
        width = "".join(each if each.isdigit() else " " for each in format_spec).split()
        self._rendering.spend(sum(map(_field_width, width)))
        if not isinstance(value, str | int | float):
            value = text(self._rendering, value)
        self._rendering.hold(value)
        return format(value, format_spec)

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion is not None:
            self._rendering.hold(value)
        return super().convert_field(value, conversion)


def format_braces(rendering: Rendering, template: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """``template.format(*args, **kwargs)``."""
    rendering.hold(template)
    return _Formatter(rendering).vformat(template, args, kwargs)
