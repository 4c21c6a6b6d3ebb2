"""Jinja2's sandbox, with the limits that it lacks.

The sandbox keeps templates away from attributes that lead out of it and from
changing what they are given. Here, besides: what one operation, method or
filter makes is held to ``MAX_OUTPUT`` before it is made, the rounds of all loops
and the calls of one rendering are counted, so that loops within loops and
macros that call themselves come to an end, nothing is random, and a member of a
mapping goes before a method of the same name, as in the plain expressions of
``templates``.

Imported when the first template is met that needs Jinja2.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

from jinja2 import ChainableUndefined, StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from mockserver.serve.context import NAMES
from mockserver.serve.templates import unknown_name

MAX_OUTPUT = 1024 * 1024
"""Characters of a text, items of a list."""
_MOST_ROUNDS = 1000
"""Of one range."""
_MOST_STEPS = 100_000
"""Rounds of loops, and calls, of one rendering: a tenth of a second at most."""
_COUNTED, _JOINED = "counted rounds", "joined texts"
"""Filters of our own; no template can write such a name."""
_UNKNOWN = 1000
"""Items that something without a length is taken to have."""
_NAMES = dict.fromkeys(NAMES)
_FIELD = re.compile(r"%(?:\(\w*\))?([^a-zA-Z%]*)|\{((?:[^{}]|\{[^{}]*\})*)\}")
_WIDE = re.compile(r"\d{5}|[*{]")
"""In a format's field: a width of five digits, or one that is given elsewhere."""
_PADDING = frozenset(["center", "expandtabs", "indent", "ljust", "rjust", "truncate", "wordwrap", "zfill"])
_PRODUCTS = frozenset(["join", "replace", "translate"])
_MEASURED_FILTERS = ("center", "format", "indent", "join", "replace", "truncate", "wordwrap")
_FILTERS_LEFT_OUT = ("batch", "pprint", "random", "slice", "urlize", "xmlattr")


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


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment that every template is compiled in."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])
    concat = staticmethod(lambda pieces: _joined(pieces))

    def __init__(self) -> None:
        super().__init__(undefined=Unknown, autoescape=False, keep_trailing_newline=True)
        self.globals = {"range": _range}
        for name in _FILTERS_LEFT_OUT:
            del self.filters[name]
        for name in _MEASURED_FILTERS:
            self.filters[name] = _measured(name, self.filters[name])
        self.filters[_COUNTED], self.filters[_JOINED] = _counted, _joined_values

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_Limiter(self).visit(source), *args, **kwargs)

    def expression(self, node: nodes.Expr) -> Callable[[Mapping[str, Any]], Any]:
        """From names to the value of ``node``: ``compile_expression`` for what is parsed already."""
        result = nodes.Assign(nodes.Name("result", "store", lineno=1), node, lineno=1)
        template = self.from_string(nodes.Template([result], lineno=1))

        def value(names: Mapping[str, Any]) -> Any:
            _steps.left = _MOST_STEPS
            context = template.new_context(dict(names))
            for _ in template.root_render_func(context):
                pass
            return context.vars["result"]

        return value

    def text(self, source: str) -> Callable[[Mapping[str, Any]], str]:
        """From names to the text that ``source`` makes."""
        template = self.from_string(source)

        def value(names: Mapping[str, Any]) -> str:
            _steps.left = _MOST_STEPS
            return template.render(names)

        return value

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        match operator:
            case "**":
                if not (abs(left) < 1e6 and abs(right) < 64):
                    raise SecurityError("a power beyond measure")
            case "*":
                _measure(max(_size(left), _size(right)) * _greatest([left, right], least=1))
            case "+":
                _measure(_size(left) + _size(right))
            case "%":
                _measure_format(left)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - Jinja2's
        _step()
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str | bytes):
            _measure_call(__obj.__name__, [owner, *args])
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            _measure_format(value.__self__)
        return wrapped


class _Steps(threading.local):
    """What the rendering that is under way on this thread has left."""

    left = _MOST_STEPS


_steps = _Steps()


def _step() -> None:
    _steps.left -= 1
    if _steps.left < 0:
        raise SecurityError(f"over {_MOST_STEPS:,} rounds and calls")


class _Limiter(NodeTransformer):
    """Has loops counted and texts measured that are put together."""

    def __init__(self, environment: Sandbox) -> None:
        self._environment = environment

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's
        self.generic_visit(node)
        node.iter = self._filtered(node.iter, _COUNTED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's
        self.generic_visit(node)
        return self._filtered(nodes.List(node.nodes, lineno=node.lineno), _JOINED)

    def _filtered(self, node: nodes.Node, name: str) -> nodes.Filter:
        made: Any = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
        made.set_environment(self._environment)
        return made  # type: ignore[no-any-return]


@pass_context  # which keeps the compiler from doing it once for all
def _counted(_: Any, values: Any) -> Iterator[Any]:
    for each in values:
        _step()
        yield each


@pass_context
def _joined_values(_: Any, values: list[Any]) -> str:
    return _joined(map(str, values))


def _joined(pieces: Iterable[str]) -> str:
    found, size = [], 0
    for each in pieces:
        size += len(each)
        if size > MAX_OUTPUT:
            raise SecurityError(f"a text over the limit of {MAX_OUTPUT:,} characters")
        found.append(each)
    return "".join(found)


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > _MOST_ROUNDS:
        raise SecurityError(f"a range of over {_MOST_ROUNDS:,}")
    return found


def _measured(name: str, made: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses to make what is beyond measure."""

    @functools.wraps(made)
    def measured(*args: Any, **kwargs: Any) -> Any:
        skipped = int(hasattr(made, "jinja_pass_arg"))  # the environment, say
        _measure_call(name, [*args[skipped:], *kwargs.values()])
        return made(*args, **kwargs)

    return measured


def _measure_call(name: str, values: list[Any]) -> None:
    """Refuse a method or filter that would make more of ``values`` than can be held."""
    if name in _PADDING:
        lines = str(values[0]).count("\n") + 1 if name == "indent" else 1
        _measure(_greatest(values[1:], least=0) * lines)
    elif name in _PRODUCTS:
        _measure((_size(values[0]) + 1) * max([_size(each) for each in values[1:]], default=1))
    elif name == "format":
        _measure_format(values[0])


def _measure_format(text: Any) -> None:
    for field in _FIELD.finditer(text) if isinstance(text, str) else ():
        if _WIDE.search(field[1] or field[2] or ""):
            raise SecurityError("a format beyond measure")


def _measure(size: float) -> None:
    if size > MAX_OUTPUT:
        raise SecurityError("a value beyond measure")


def _greatest(values: list[Any], *, least: int) -> int:
    return max([each for each in values if isinstance(each, int)], default=least)


def _size(value: Any) -> int:
    if isinstance(value, Sized):
        return len(value)
    return 0 if isinstance(value, int | float | None) else _UNKNOWN
