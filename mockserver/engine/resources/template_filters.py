"""The filters, tests and methods of templates: those of Jinja2, each with its cost.

A filter takes the ``Rendering``, the value and its arguments. Jinja2's own filter is used if its time and
memory are proportional to its input; the others are implemented here. ``batch``, ``pprint``, ``random``,
``slice``, ``urlize`` and ``xmlattr`` are not supported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import jinja2
from jinja2 import filters as jinja_filters
from jinja2.exceptions import FilterArgumentError, SecurityError
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import escape

from mockserver.diagnostics import did_you_mean
from mockserver.engine.resources.template_values import (
    COMPARISONS,
    MAX_WIDTH,
    METHOD,
    STEP,
    Absent,
    Method,
    Rendering,
    add,
    attribute,
    bounded,
    compare,
    contains,
    format_braces,
    format_percent,
    item,
    iterable,
    iterate,
    text,
    weigh,
)

Filter = Callable[..., Any]

_ENVIRONMENT = jinja2.Environment(autoescape=False)  # noqa: S701 - what is made is no HTML
_SCAN = 64
"""Units per character of the filters that scan a text several times."""


def _text_filter(function: Filter, *, units: int = 1, pads: bool = False) -> Filter:
    """Return a filter of a text; ``units``: its cost per character; ``pads``: its argument is a width."""

    def filtering(rendering: Rendering, value: Any, *args: Any, **kwargs: Any) -> Any:
        source = value if isinstance(value, str) else text(rendering, value)
        rendering.spend(units * weigh(source))
        for argument in (*args, *kwargs.values()):
            rendering.hold(argument)
            if isinstance(argument, int) and abs(argument) > MAX_WIDTH:
                raise SecurityError(f"a width of over {MAX_WIDTH:,} characters")
            if pads:
                padding = (
                    abs(argument)
                    if isinstance(argument, int)
                    else len(argument)
                    if isinstance(argument, str)
                    else 0
                )
                rendering.spend(bounded(padding * (source.count("\n") + 1)))
        return str(function(source, *args, **kwargs))

    return filtering


def _number_filter(function: Filter) -> Filter:
    def filtering(rendering: Rendering, value: Any, *args: Any, **kwargs: Any) -> Any:
        rendering.hold(value, *args, *kwargs.values())
        return function(value, *args, **kwargs)

    return filtering


def _attr(rendering: Rendering, value: Any, name: str) -> Any:
    return attribute(value, name)


def _default(rendering: Rendering, value: Any, default: Any = "", boolean: bool = False) -> Any:
    return default if isinstance(value, jinja2.Undefined) or (boolean and not value) else value


def _length(rendering: Rendering, value: Any) -> int:
    return len(value)


def _list(rendering: Rendering, value: Any) -> list[Any]:
    return list(iterate(rendering, value))


def _items(rendering: Rendering, value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, jinja2.Undefined):
        return []
    if not isinstance(value, Mapping):
        raise TypeError("it is not a mapping")
    return [(name, value[name]) for name in iterate(rendering, value)]


def _first(rendering: Rendering, value: Any) -> Any:
    return next(iter(iterable(value)), Absent(name="first"))


def _last(rendering: Rendering, value: Any) -> Any:
    return next(iter(_reverse(rendering, value)), Absent(name="last"))


def _reverse(rendering: Rendering, value: Any) -> Any:
    rendering.hold(value)
    return value[::-1] if isinstance(value, str) else [*iterate(rendering, value)][::-1]


def _join(rendering: Rendering, value: Any, d: str = "", attribute: Any = None) -> str:
    pieces = []
    for entry in iterate(rendering, value):
        rendering.spend(STEP + len(d))
        pieces.append(text(rendering, _member(entry, attribute)))
    return str(d).join(pieces)


def replace(rendering: Rendering, value: Any, old: str, new: str, count: int | None = None) -> str:
    """Replace ``old`` by ``new`` in ``value``, like Jinja2's filter and Python's method."""
    source, old, new = text(rendering, value), text(rendering, old), text(rendering, new)
    found = source.count(old)
    if count is not None and count >= 0:
        found = min(found, count)
    size = len(source) + found * len(new)
    rendering.spend(size)
    bounded(size)
    return source.replace(old, new, -1 if count is None else count)


def _member(value: Any, path: Any) -> Any:
    """Return the member that ``attribute=`` names: a path such as ``a.b.0``, or an index."""
    if path is None:
        return value
    for name in str(path).split(".") if isinstance(path, str) else [path]:
        value = item(value, int(name) if isinstance(name, str) and name.isdigit() else name)
    return value


def _sum(rendering: Rendering, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    if isinstance(start, str):
        raise TypeError("sum does not add texts; use join")
    total = start
    for entry in iterate(rendering, value):
        total = add(rendering, total, _member(entry, attribute))
    return total


def _fold_case(value: Any, case_sensitive: bool) -> Any:
    return value if case_sensitive or not isinstance(value, str) else value.lower()


def _items_to_sort(rendering: Rendering, values: Any) -> list[Any]:
    """Return the items of ``values``, and subtract the cost of sorting them."""
    found = list(iterate(rendering, values))
    rendering.spend(weigh(found) * max(1, math.ceil(math.log2(len(found) + 1))))
    return found


def _sort(
    rendering: Rendering,
    value: Any,
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: Any = None,
) -> list[Any]:
    names = str(attribute).split(",") if isinstance(attribute, str) else [attribute]

    def key(entry: Any) -> list[Any]:
        return [_fold_case(_member(entry, name), case_sensitive) for name in names]

    return sorted(_items_to_sort(rendering, value), key=key, reverse=reverse)


def _extreme(choose: Callable[..., Any]) -> Filter:
    def filtering(
        rendering: Rendering, value: Any, case_sensitive: bool = False, attribute: Any = None
    ) -> Any:
        found = _items_to_sort(rendering, value)
        if not found:
            return Absent(name="no item")
        return choose(found, key=lambda entry: _fold_case(_member(entry, attribute), case_sensitive))

    return filtering


def _unique(
    rendering: Rendering, value: Any, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    found = {
        _fold_case(_member(entry, attribute), case_sensitive): entry
        for entry in _items_to_sort(rendering, value)[::-1]
    }
    return list(found.values())[::-1]


def _groupby(
    rendering: Rendering,
    value: Any,
    attribute: Any,
    default: Any = None,
    case_sensitive: bool = False,
) -> list[tuple[Any, list[Any]]]:
    groups: dict[Any, tuple[Any, list[Any]]] = {}
    for entry in _sort(rendering, value, attribute=attribute, case_sensitive=case_sensitive):
        name = _default(rendering, _member(entry, attribute), default)
        groups.setdefault(_fold_case(name, case_sensitive), (name, []))[1].append(entry)
    return list(groups.values())


def _dictsort(
    rendering: Rendering,
    value: Mapping[str, Any],
    case_sensitive: bool = False,
    by: str = "key",
    reverse: bool = False,
) -> list[tuple[str, Any]]:
    position = ("key", "value").index(by)
    return sorted(
        _items_to_sort(rendering, _items(rendering, value)),
        key=lambda pair: _fold_case(pair[position], case_sensitive),
        reverse=reverse,
    )


def _map(rendering: Rendering, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    if not args and "attribute" in kwargs:
        name, default = kwargs.pop("attribute"), kwargs.pop("default", None)
        found = [_member(entry, name) for entry in iterate(rendering, value, 2 * STEP)]
        return found if default is None else [_default(rendering, entry, default) for entry in found]
    name, *rest = args
    function = filter_of(name)
    return [function(rendering, entry, *rest, **kwargs) for entry in iterate(rendering, value, 2 * STEP)]


def _selector(*, keep_matches: bool, by_attribute: bool) -> Filter:
    def filtering(rendering: Rendering, value: Any, *args: Any) -> list[Any]:
        name, rest = (args[0], args[1:]) if by_attribute else (None, args)
        matches = test_of(rest[0]) if rest else lambda _, entry: bool(entry)
        return [
            entry
            for entry in iterate(rendering, value, 2 * STEP)
            if bool(matches(rendering, _member(entry, name), *rest[1:])) is keep_matches
        ]

    return filtering


def _format(rendering: Rendering, value: str, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        raise FilterArgumentError("it takes values by position or by name, not both")
    return format_percent(rendering, value, kwargs or args)


def _tojson(rendering: Rendering, value: Any, indent: int | None = None) -> str:
    depth = 0 if indent is None else min(abs(indent), MAX_WIDTH)
    rendering.spend(weigh(value) * (4 + depth))
    return str(htmlsafe_json_dumps(_builtin(value), dumps=json.dumps, sort_keys=True, indent=indent))


def _builtin(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _builtin(entry) for name, entry in value.items()}
    return [_builtin(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _title(value: str) -> str:
    return jinja_filters.do_title(value)


FILTERS: dict[str, Filter] = {
    "abs": _number_filter(abs),
    "attr": _attr,
    "capitalize": _text_filter(jinja_filters.do_capitalize),
    "center": _text_filter(jinja_filters.do_center, pads=True),
    "count": _length,
    "d": _default,
    "default": _default,
    "dictsort": _dictsort,
    "e": _text_filter(escape, units=5),
    "escape": _text_filter(escape, units=5),
    "filesizeformat": _number_filter(jinja_filters.do_filesizeformat),
    "first": _first,
    "float": _number_filter(jinja_filters.do_float),
    "forceescape": _text_filter(jinja_filters.do_forceescape, units=5),
    "format": _format,
    "groupby": _groupby,
    "indent": _text_filter(jinja_filters.do_indent, pads=True),
    "int": _number_filter(jinja_filters.do_int),
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": _list,
    "lower": _text_filter(jinja_filters.do_lower),
    "map": _map,
    "max": _extreme(max),
    "min": _extreme(min),
    "reject": _selector(keep_matches=False, by_attribute=False),
    "rejectattr": _selector(keep_matches=False, by_attribute=True),
    "replace": replace,
    "reverse": _reverse,
    "round": _number_filter(jinja_filters.do_round),
    "safe": text,
    "select": _selector(keep_matches=True, by_attribute=False),
    "selectattr": _selector(keep_matches=True, by_attribute=True),
    "sort": _sort,
    "string": text,
    "striptags": _text_filter(jinja_filters.do_striptags, units=_SCAN),
    "sum": _sum,
    "title": _text_filter(_title, units=_SCAN),
    "tojson": _tojson,
    "trim": _text_filter(jinja_filters.do_trim),
    "truncate": _text_filter(
        lambda *args, **kwargs: jinja_filters.do_truncate(_ENVIRONMENT, *args, **kwargs)
    ),
    "unique": _unique,
    "upper": _text_filter(jinja_filters.do_upper),
    "urlencode": lambda rendering, value: _urlencode(rendering, value),
    "wordcount": lambda rendering, value: len(text(rendering, value).split()),
    "wordwrap": _text_filter(
        lambda *args, **kwargs: jinja_filters.do_wordwrap(_ENVIRONMENT, *args, **kwargs), units=_SCAN
    ),
}


def _urlencode(rendering: Rendering, value: Any) -> str:
    rendering.spend(8 * weigh(value))
    return jinja_filters.do_urlencode(_builtin(value))


def _test(function: Callable[..., bool]) -> Filter:
    def testing(rendering: Rendering, value: Any, *args: Any) -> bool:
        rendering.hold(value, *args)
        return function(value, *args)

    return testing


def _is_filter(rendering: Rendering, value: Any) -> bool:
    return value in FILTERS


def _is_test(rendering: Rendering, value: Any) -> bool:
    return value in TESTS


_OPERATORS = {
    "eq": ("==", "equalto"),
    "ne": ("!=",),
    "lt": ("<", "lessthan"),
    "lteq": ("<=", "le"),
    "gt": (">", "greaterthan"),
    "gteq": (">=", "ge"),
}


def _comparison(operator: str) -> Filter:
    return lambda rendering, left, right: compare(rendering, operator, left, right)


TESTS: dict[str, Filter] = {
    **{name: _test(cast("Callable[..., bool]", function)) for name, function in JINJA_TESTS.items()},
    **{
        name: _comparison(operator)
        for operator, names in _OPERATORS.items()
        for name in (operator, *names)
        if operator in COMPARISONS
    },
    "in": contains,
    "filter": _is_filter,
    "test": _is_test,
    **{
        name: lambda _, value, function=JINJA_TESTS[name]: function(value)
        for name in ("defined", "undefined", "none")
    },
}


def filter_of(name: str) -> Filter:
    """Return the filter with a name. Raises jinja2.TemplateSyntaxError if there is none."""
    return _find(FILTERS, name, "filter")


def test_of(name: str) -> Filter:
    """Return the test with a name (``is NAME``). Raises jinja2.TemplateSyntaxError if there is none."""
    return _find(TESTS, name, "test")


def _find(table: Mapping[str, Filter], name: str, what: str) -> Filter:
    found = table.get(name)
    if found is None:
        hint = did_you_mean(str(name), table)
        raise jinja2.TemplateSyntaxError("; ".join(filter(None, (f"there is no {what} {name!r}", hint))), 1)
    return found


def call_method(rendering: Rendering, method: Method, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call a method of a text, list or mapping, and subtract its cost."""
    owner, name = method
    rendering.spend(METHOD)
    if isinstance(owner, Mapping):
        return _mapping_method(rendering, owner, name, args, kwargs)
    if name in ("count", "index") and not isinstance(owner, str):
        rendering.spend(len(owner) * weigh(args))
        rendering.hold(owner)
        return getattr(owner, name)(*args)
    match name:
        case "format":
            return format_braces(rendering, owner, args, kwargs)
        case "join":
            return _join(rendering, _only(args), owner)
        case "replace":
            return replace(rendering, owner, *args, **kwargs)
        case "center" | "expandtabs" | "ljust" | "rjust" | "zfill":
            width = args[0] if args else kwargs.get("tabsize", 8)
            tabs = owner.count("\t") if name == "expandtabs" else 1
            rendering.spend(bounded(max(int(width), 0) * tabs))
        case "split" | "rsplit" | "splitlines":
            rendering.spend(STEP * len(owner))
    rendering.spend(3 * rendering.hold(owner, args, kwargs))
    return getattr(owner, name)(*args, **kwargs)


def _only(args: Iterable[Any]) -> Any:
    [only] = args
    return only


def _mapping_method(
    rendering: Rendering, owner: Mapping[str, Any], name: str, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    match name:
        case "get":
            key, *default = args
            rendering.hold(key)
            return owner[key] if key in owner else (default[0] if default else kwargs.get("default"))
        case "items":
            return _items(rendering, owner)
        case "keys":
            return _list(rendering, owner)
        case _:
            return [owner[entry] for entry in iterate(rendering, owner)]
