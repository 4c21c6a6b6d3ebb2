"""The operations on the values of templates, with limits of their time and memory.

Each rendering has a budget (``Rendering``). Every operation subtracts its cost in units *before* it runs.
A step (an operation, a round of a loop, an item of a list) costs ``STEP`` units, and a character of a
text costs 1 unit, in proportion to the time that they take: a unit is some nanoseconds. An operation pays
for all that it reads and creates. The size of a value includes all that is in it: a list that contains
another list twice counts it twice. So no single operation can run long or take much memory, and no
deadline is necessary.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import ChainableUndefined, StrictUndefined, Undefined
from jinja2.exceptions import SecurityError
from jinja2.utils import missing

from mockserver.engine.resources.context import NAMES
from mockserver.engine.resources.templates import unknown_name

STEP = 40
"""The units of one operation, or of one item."""
MAX_HELD = 1024 * 1024
"""The units of the largest value: a text of a million characters, or a list of 26,214 numbers."""
MAX_SPENT = 7 * MAX_HELD // 4
"""The budget of one rendering in units: some hundredths of a second."""
MAX_BITS = 256
"""The bits of the largest integer."""
MAX_RANGE = 1000
"""The items of the longest ``range``."""
MAX_WIDTH = 10_000
"""The characters of the widest field of a format."""
MAX_DEPTH = 100
"""The levels of nested lists, and of macros that call macros."""
_NAMES = dict.fromkeys(NAMES)
NESTED = 8 * STEP
"""The units of looking into a list or mapping, in addition to those of its items and a quarter of them."""
FILTER = 14 * STEP
"""The units of a filter, a test or a field of a format, in addition to those of its values."""
MACRO = 18 * STEP
"""The units of a call to a macro, in addition to those of its parameters and its body."""
METHOD = 10 * STEP
"""The units of a call to a method, and of the text of a list, in addition to those of its values."""
CALL = 6 * 1024
"""The units of a call to a provider: Faker takes up to a millisecond."""


class Absent(ChainableUndefined):
    """An absent part of a request: undefined, like all of its members."""

    is_absent = True


class Unknown(StrictUndefined):
    """An unknown name: every use raises an error that lists the known names."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        holder = _NAMES if self._undefined_obj is missing else self._undefined_obj
        return unknown_name(self._undefined_name, holder)


_SCALARS = frozenset((bool, float, type(None), Absent, Unknown))
_SIMPLE = _SCALARS | {str, int}
# Tuples: ``isinstance`` of ``A | B`` creates the union at each call, which takes ten times as long
_NUMBERS = (int, float)
_LISTS = (list, tuple)
CONTAINERS = (*_LISTS, Mapping)
_TEXTS_AND_LISTS = (str, *_LISTS)
_WEIGHED = (str, *CONTAINERS)
_ORDERED = (*_TEXTS_AND_LISTS, range)
_INDEXED = (*_ORDERED, Mapping)
_ITERABLE = (*_INDEXED, Undefined)
_PRINTED = (*_NUMBERS, *CONTAINERS, Undefined, type(None))


class Rendering:
    """One rendering of a template: the values of its names, the rest of its budget, its depth of macros."""

    __slots__ = ("depth", "left", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.left = MAX_SPENT
        self.depth = 0

    def spend(self, units: int) -> None:
        """Subtract the cost of an operation. Raises SecurityError if the budget is used up."""
        self.left -= units
        if self.left < 0:
            raise SecurityError("it takes too many operations")

    def hold(self, *values: Any) -> int:
        """Subtract the size of ``values``, and return it in units. Raises SecurityError."""
        units = nested = 0
        for value in values:
            units += weigh(value)
            nested += type(value) not in _SIMPLE
        self.spend(units + (units >> 2) + NESTED * nested if nested else units)
        return units


def weigh(value: Any) -> int:
    """Return the size of ``value`` with all that is in it, in units. Raises SecurityError."""
    if type(value) is str:
        units = STEP + len(value)
    elif type(value) is int:
        units = STEP + (value.bit_length() >> 3)
    elif type(value) not in _SCALARS and isinstance(value, _WEIGHED):
        return _weigh_nested(value)
    else:
        return STEP
    return bounded(units)


def bounded(units: int) -> int:
    """Return ``units``. Raises SecurityError above ``MAX_HELD``."""
    if units > MAX_HELD:
        raise SecurityError(
            f"a value over the limit of {MAX_HELD:,} characters or {MAX_HELD // STEP:,} items"
        )
    return units


def _weigh_nested(value: Any) -> int:
    """Return the size of a nested value, level by level. An item counts each time that it occurs."""
    units, level = 0, [value]
    for _ in range(MAX_DEPTH):
        units = bounded(units + STEP * len(level))
        below: list[Any] = []
        for found in level:
            type_ = type(found)
            if type_ is str:
                units += len(found)
            elif type_ is int:
                units += found.bit_length() >> 3
            elif type_ is list or type_ is tuple:
                below += found
            elif type_ in _SCALARS:
                continue
            elif type_ is dict or isinstance(found, Mapping):
                below += found
                below += found.values()
            elif isinstance(found, _TEXTS_AND_LISTS):  # of a subclass, such as Jinja2's Markup
                below += [str(found)] if isinstance(found, str) else found
            if len(below) > MAX_HELD // STEP:
                bounded(MAX_HELD + 1)
        if not below:
            return bounded(units)
        level = below
    raise SecurityError(f"a value of over {MAX_DEPTH} levels")


def iterable(value: Any) -> Iterable[Any]:
    """Return ``value`` if it has items. Raises TypeError for other values."""
    if not isinstance(value, _ITERABLE):
        raise TypeError(f"{kind(value)} cannot be iterated")
    return value


def iterate(rendering: Rendering, value: Any, units: int = STEP) -> Iterable[Any]:
    """Return ``value``, whose items cost ``units`` each. Raises TypeError for a value without items."""
    rendering.spend(units * len(iterable(value)))  # type: ignore[arg-type]
    return value  # type: ignore[no-any-return]


def text(rendering: Rendering, value: Any) -> str:
    """Return ``value`` as text, and subtract its cost. Raises TypeError for values that JSON lacks."""
    if isinstance(value, str):
        rendering.spend(STEP + len(value))
        return str(value)
    if type(value) is int:
        rendering.spend(3 * STEP + (value.bit_length() >> 3))
        return str(value)
    if not isinstance(value, _PRINTED):
        raise TypeError(f"it is not a JSON value but {kind(value)}")
    rendering.spend(METHOD)
    rendering.hold(value)
    return str(dict(value) if isinstance(value, Mapping) else value)


def kind(value: Any) -> str:
    """Return the name of the type of ``value`` for a message."""
    return "a function" if callable(value) else type(value).__name__


def range_of(*bounds: int) -> range:
    """Return ``range(*bounds)``. Raises SecurityError for more than ``MAX_RANGE`` items."""
    found = range(*bounds)
    if len(found) > MAX_RANGE:
        raise SecurityError(f"a range of over {MAX_RANGE:,} items")
    return found


# Members


class Method(NamedTuple):
    """A method of a text, list or mapping, which ``call_method`` calls."""

    owner: Any
    name: str


_WITHOUT_MEMBERS = (*_NUMBERS, range, Method, type(None))


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
"""The methods that templates may call, by the type of their owner. None of them changes its owner."""


@lru_cache(maxsize=256)
def _owner(type_: type) -> type | None:
    """Return the type in METHODS that ``type_`` is of; None for others."""
    return next((owner for owner in METHODS if issubclass(type_, owner)), None)


def attribute(value: Any, name: str) -> Any:
    """Return ``value.name``; undefined if there is none. Members of a mapping precede its methods.

    Raises SecurityError for private names.
    """
    if isinstance(value, Undefined):
        return getattr(value, name) if isinstance(value, Absent) else str(value)
    owner = _owner(type(value))  # type: ignore[arg-type]
    if owner is Mapping and name in value:
        return value[name]
    if name.startswith("_"):
        raise SecurityError(f"templates cannot use {name!r} of {kind(value)}")
    if owner is not None:
        if name in METHODS[owner]:
            return Method(value, name)
        return item(value, name) if owner is Mapping else _missing(value, name)
    if isinstance(value, _WITHOUT_MEMBERS) or callable(value):
        return _missing(value, name)
    return getattr(value, name) if hasattr(value, name) else _missing(value, name)


def item(value: Any, key: Any) -> Any:
    """Return ``value[key]``; undefined if there is none."""
    if isinstance(value, Undefined):
        return value[key] if isinstance(value, Absent) else str(value)
    if isinstance(value, _INDEXED):
        try:
            return value[key]
        except (KeyError, IndexError, TypeError):
            pass
    if isinstance(key, str) and not isinstance(value, Mapping):
        return attribute(value, key)
    return _missing(value, key)


def slice_of(rendering: Rendering, value: Any, bounds: slice) -> Any:
    """Return ``value[a:b:c]``. Raises TypeError for values without an order."""
    if not isinstance(value, _ORDERED):
        raise TypeError(f"{kind(value)} cannot be sliced")
    rendering.spend(2 * STEP)
    rendering.hold(value)
    return value[bounds]


def _missing(value: Any, name: Any) -> Undefined:
    return Unknown(obj=value, name=name)


# Operators


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS)


def add(rendering: Rendering, left: Any, right: Any) -> Any:
    """Return ``left + right``: numbers, texts or lists."""
    if not (_is_number(left) and _is_number(right)):
        bounded(rendering.hold(left, right))
    return _check_size(left + right)


def subtract(rendering: Rendering, left: Any, right: Any) -> Any:
    """Return ``left - right``."""
    return _check_size(left - right)


def multiply(rendering: Rendering, left: Any, right: Any) -> Any:
    """Return ``left * right``: numbers, or a repeated text or list."""
    if not (_is_number(left) and _is_number(right)):
        times, repeated = (left, right) if isinstance(left, int) else (right, left)
        if not isinstance(times, int):
            raise TypeError(f"{kind(left)} and {kind(right)} cannot be multiplied")
        rendering.spend(bounded(STEP + (weigh(repeated) - STEP) * max(times, 0)))
    return _check_size(left * right)


def divide(rendering: Rendering, left: Any, right: Any) -> Any:
    """Return ``left / right``."""
    return left / right


def floor_divide(rendering: Rendering, left: Any, right: Any) -> Any:
    """Return ``left // right``."""
    return left // right


def power(rendering: Rendering, left: Any, right: Any) -> Any:
    """Return ``left ** right``. Raises SecurityError for a result of over ``MAX_BITS``."""
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > MAX_BITS:
        raise SecurityError("a power that is too large")
    return _check_size(left**right)


def remainder(rendering: Rendering, left: Any, right: Any) -> Any:
    """Return ``left % right``; printf-style formatting if ``left`` is a text."""
    if isinstance(left, str):
        return format_percent(rendering, left, right)
    return left % right


def _check_size(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise SecurityError(f"an integer of over {MAX_BITS:,} bits")
    return value


def contains(rendering: Rendering, needle: Any, haystack: Any) -> bool:
    """Return ``needle in haystack``. Raises TypeError for a haystack without items."""
    if isinstance(haystack, Undefined):
        return needle in haystack
    if not isinstance(haystack, _INDEXED):
        raise TypeError(f"{kind(haystack)} has no items")
    if isinstance(haystack, _LISTS):  # each item is compared with the whole needle
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
    """Compare ``left`` and ``right`` with an operator of Jinja2, including ``in`` and ``notin``."""
    if operator == "in":
        return contains(rendering, left, right)
    if operator == "notin":
        return not contains(rendering, left, right)
    if not (_is_number(left) and _is_number(right)):
        rendering.hold(left, right)
    return COMPARISONS[operator](left, right)


# Formats


def _field_width(digits: str) -> int:
    width = int(digits) if digits.isdigit() and len(digits) < 9 else MAX_WIDTH + 1
    if width > MAX_WIDTH:
        raise SecurityError(f"a format with a field of over {MAX_WIDTH:,} characters")
    return width


def format_percent(rendering: Rendering, template: str, values: Any) -> str:
    """Return ``template % values`` (printf-style formatting), and subtract the cost of each field."""
    units, end = weigh(template) + 2 * STEP, 0
    held = weigh(values if isinstance(values, CONTAINERS) else [values])
    while (start := template.find("%", end)) >= 0:
        end, widths = _percent_field(template, start + 1)
        units = bounded(units + held + 4 * STEP + sum(map(_field_width, widths)))
    rendering.spend(units)
    if not isinstance(values, (tuple, Mapping)):
        values = (values,)
    return template % (dict(values) if isinstance(values, Mapping) else values)


def _percent_field(template: str, position: int) -> tuple[int, list[str]]:
    """Return the end of a field that begins after ``%``, and its width and precision."""
    size, depth = len(template), 0
    if position < size and template[position] == "(":  # a name with balanced parentheses
        while position < size:
            depth += {"(": 1, ")": -1}.get(template[position], 0)
            position += 1
            if not depth:
                break
    numbers = [""]
    while position < size and template[position] in "#0- +.0123456789hlL*":
        if template[position] == "*":
            raise SecurityError("a format whose width is one of the values")
        if template[position].isdigit():
            numbers[-1] += template[position]
        else:
            numbers.append("")
        position += 1
    return position + 1, [number for number in numbers if number]


class _Formatter(string.Formatter):
    """``str.format``, limited to the members that templates may read, with the cost of each field."""

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
        width = "".join(character if character.isdigit() else " " for character in format_spec).split()
        self._rendering.spend(FILTER + sum(map(_field_width, width)))
        if not isinstance(value, (str, *_NUMBERS)):
            value = text(self._rendering, value)
        self._rendering.hold(value)
        return format(value, format_spec)

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion is not None:
            self._rendering.hold(value)
        return super().convert_field(value, conversion)


def format_braces(rendering: Rendering, template: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return ``template.format(*args, **kwargs)``."""
    rendering.spend(FILTER)
    rendering.hold(template)
    return _Formatter(rendering).vformat(template, args, kwargs)
