"""Compile templates in the syntax of Jinja2, with native types.

Most templates contain plain expressions only, such as ``{{ resource.created_at }}`` or
``req-{{ token(14) }}``. This module compiles them into a few closures, which take well under a
microsecond. Jinja2 is imported when the first other template occurs (``template_compiler``).

A template of one expression keeps the type of its value: a number stays a number. The value of any other
template is text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from functools import lru_cache
from itertools import islice
from math import isfinite
from typing import Any, TypeGuard

from mockserver.diagnostics import MockServerError, did_you_mean

Values = Mapping[str, Any]
Template = Callable[[Values], Any]

MAX_SOURCE = 16 * 1024
MAX_OUTPUT = 1024 * 1024
_PLAIN = re.compile(r"\{\{\s*([^{}%#|]+?)\s*\}\}")
_SYNTAX = re.compile(r"\{\{|\{%|\{#")
VOLATILE = frozenset(["request", "now", "token", "violations", "dice"])
"""The names whose values differ from call to call."""
_PER_CALL = re.compile(r"\b(?:call|scenario)\b")
"""The members of ``resource`` whose values differ from call to call."""


class TemplateError(MockServerError):
    """A template that does not compile, or that fails when it is rendered."""


def is_template(value: object) -> TypeGuard[str]:
    """Return whether ``value`` is a text that contains Jinja2 syntax."""
    return isinstance(value, str) and _SYNTAX.search(value) is not None


@lru_cache(maxsize=4096)
def compile_template(source: str) -> Template:
    """Return the function that renders a template. Raises TemplateError if it does not compile."""
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"the template is {len(source):,} characters, over the limit of {MAX_SOURCE:,}")
    return _plain(source) or _jinja(source)


def names(source: str) -> frozenset[str]:
    """Return the names of the context that a template reads. Raises TemplateError."""
    # heavy; only the compiler of scenario files needs it
    from jinja2 import TemplateSyntaxError, meta, nodes
    from jinja2.visitor import NodeTransformer

    from mockserver.engine.resources.template_compiler import parse

    try:
        tree = parse(source)
    except TemplateSyntaxError as error:
        raise TemplateError(f"the template does not compile: {error.message}") from None

    class WithoutConstants(NodeTransformer):
        """Jinja2 would compute an expression of constants, such as ``'x' * 1000000000``."""

        def visit_Const(self, node: nodes.Const) -> nodes.Name:  # noqa: N802
            return nodes.Name("", "load", lineno=node.lineno, environment=node.environment)

    return frozenset(meta.find_undeclared_variables(WithoutConstants().visit(tree)) - {""})


def is_volatile(source: str) -> bool:
    """Return whether a template's value may differ from call to call."""
    read = names(source)
    return bool(read & VOLATILE) or ("resource" in read and _PER_CALL.search(source) is not None)


def _plain(source: str) -> Template | None:
    """Compile a text with plain expressions only; None for any other template."""
    pieces: list[str | Template] = []
    end = 0
    for found in _PLAIN.finditer(source):
        expression = _expression(found[1])
        if expression is None:
            return None
        if found.start() > end:
            pieces.append(source[end : found.start()])
        pieces.append(expression)
        end = found.end()
    if end < len(source):
        pieces.append(source[end:])
    if any(isinstance(piece, str) and _SYNTAX.search(piece) for piece in pieces):
        return None
    if len(pieces) == 1 and not isinstance(pieces[0], str):
        return pieces[0]

    def joined(values: Values) -> str:
        texts = [piece if isinstance(piece, str) else _text(piece(values)) for piece in pieces]
        if sum(map(len, texts)) > MAX_OUTPUT:
            raise TemplateError(f"the template's text is over the limit of {MAX_OUTPUT:,} characters")
        return "".join(texts)

    return joined


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _expression(text: str) -> Template | None:
    """Compile ``name.attribute.attribute``, optionally called with constants; None for others."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None
    arguments: tuple[Any, ...] | None = None
    if isinstance(tree, ast.Call):
        if tree.keywords or not all(isinstance(argument, ast.Constant) for argument in tree.args):
            return None
        arguments = tuple(argument.value for argument in tree.args if isinstance(argument, ast.Constant))
        tree = tree.func
    path: list[str] = []
    while isinstance(tree, ast.Attribute):
        path.append(tree.attr)
        tree = tree.value
    if not isinstance(tree, ast.Name) or any(part.startswith("_") for part in path):
        return None
    if tree.id in _LITERALS or (arguments is not None and path and path[0] in _METHODS):
        return None
    return _lookup(tree.id, path[::-1], arguments, text)


_LITERALS = frozenset(
    ["true", "false", "none", "True", "False", "None", "loop", "range", "dict", "cycler", "namespace"]
)
_METHODS = frozenset(dir(dict))
"""The methods of a mapping, which are not its members."""


def _lookup(name: str, path: list[str], arguments: tuple[Any, ...] | None, text: str) -> Template:
    def value(values: Values) -> Any:
        try:
            found = values[name]
            for part in path:
                found = found[part] if isinstance(found, Mapping) else getattr(found, part)
            if arguments is not None:
                found = found(*arguments)
            return found if type(found) is str else _json(found)
        except MockServerError:
            raise
        except Exception as error:  # noqa: BLE001 - any error is a fault of the template
            cause = _unknown_name(values, (name, *path)) or str(error)
            raise TemplateError(f"{{{{ {text} }}}} has no value: {cause}") from None

    return value


def _unknown_name(values: Values, path: Sequence[str]) -> str:
    """Return the message for the first unknown name of a path; empty if all are known."""
    holder: Any = values
    for part in path:
        try:
            holder = holder[part] if isinstance(holder, Mapping) else getattr(holder, part)
        except (KeyError, AttributeError):
            return unknown_name(part, holder)
    return ""


def unknown_name(name: object, holder: object) -> str:
    """Return the message for an unknown name of ``holder``: with a similar name and the known names."""
    known = _names_in(holder)
    if not known:
        return f"no {name!r} in {_KINDS.get(type(holder), 'a value without names')}"
    question = did_you_mean(str(name), known)
    hint = f"{question} There" if question else "there"
    listed = ", ".join(known[:_MAX_LISTED]) + (", …" if len(known) > _MAX_LISTED else "")
    return f"no {name!r}; {hint} is {listed}"


def _names_in(holder: object) -> list[str]:
    if isinstance(holder, Mapping):
        return [str(name) for name in getattr(holder, "known", holder)]
    if type(holder).__module__ == "builtins":  # its methods are not names of a template
        return []
    return [name for name in dir(holder) if not name.startswith("_")]


_MAX_LISTED = 20
_KINDS = {
    type(None): "null",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an empty mapping",
}


def _jinja(source: str) -> Template:
    # heavy; most templates are plain
    from jinja2 import TemplateError as JinjaError

    from mockserver.engine.resources.template_compiler import compile_tree, parse

    try:
        run = compile_tree(parse(source))
    except (JinjaError, SyntaxError, RecursionError, OverflowError, ValueError) as error:
        raise TemplateError(f"the template does not compile: {error}") from None

    def render(values: Values) -> Any:
        try:
            value = run(values)
            if getattr(value, "_undefined_message", None) and not getattr(type(value), "is_absent", False):
                str(value)  # a strict undefined raises an error with the missing name
            return _json(value)
        except MockServerError:
            raise
        except Exception as error:  # noqa: BLE001 - any error is a fault of the template
            raise TemplateError(f"the template {source!r} fails: {error}") from None

    return render


_SERIES = (list, tuple, set, frozenset, range, Iterator, ItemsView, KeysView, ValuesView)


def _json(value: Any) -> Any:
    """Return ``value`` as a JSON value; an iterable becomes a list. Raises TypeError for other values."""
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise TypeError(f"{value} is not a JSON number")
        return value
    if isinstance(value, Mapping):
        return {str(name): _json(member) for name, member in value.items()}
    if isinstance(value, _SERIES):
        return [_json(item) for item in islice(value, MAX_OUTPUT)]
    if getattr(type(value), "is_absent", False):
        return None
    raise TypeError(f"it is not a JSON value but {type(value).__name__}")
