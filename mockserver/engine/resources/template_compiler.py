"""Compile Jinja2 templates into closures whose time and memory are limited.

Jinja2 parses a template. This module compiles the syntax tree, node by node, into functions of a
``Rendering`` and a scope. Jinja2's own sandbox limits neither time nor memory: ``sum(start=[])``, a
nested ``[a] * n`` or ``'%999999999d'`` run in one call of C code, which no limit of steps and no deadline
can stop. Here every operation first subtracts its cost from a budget (``template_values``), and templates
have no other operations.

Not supported: ``include``, ``import``, ``extends``, ``block``, ``call`` and recursive loops.

This module is imported when the first template needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateAssertionError

from mockserver.engine.resources import template_values as values
from mockserver.engine.resources.template_filters import call_method, filter_of, test_of
from mockserver.engine.resources.template_values import (
    CALL,
    FILTER,
    MACRO,
    MAX_DEPTH,
    STEP,
    Method,
    Rendering,
)

Scope = dict[str, Any]
Evaluate = Callable[[Rendering, Scope], Any]
"""Returns the value of an expression."""
Run = Callable[[Rendering, Scope, list[str]], None]
"""Runs a statement: adds its text to the list, and its names to the scope."""

_ENVIRONMENT = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701 - no HTML
_GLOBALS = {"range": values.range_of}
_OPERATORS: dict[type[nodes.Node], Callable[[Rendering, Any, Any], Any]] = {
    nodes.Add: values.add,
    nodes.Sub: values.subtract,
    nodes.Mul: values.multiply,
    nodes.Div: values.divide,
    nodes.FloorDiv: values.floor_divide,
    nodes.Mod: values.remainder,
    nodes.Pow: values.power,
}


def parse(source: str) -> nodes.Template:
    """Parse a template. Raises jinja2.TemplateSyntaxError."""
    return _ENVIRONMENT.parse(source)


def compile_tree(tree: nodes.Template) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function of the values of ``NAMES`` to the value of a template.

    A template of one expression keeps the type of its value. The value of any other template is text.
    Raises jinja2.TemplateSyntaxError for unsupported syntax.
    """
    parts = tree.body[0].nodes if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) else []
    if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData):
        evaluate = _expression(parts[0])

        def value(given: Mapping[str, Any]) -> Any:
            rendering = Rendering(given)
            found = evaluate(rendering, {})
            values.weigh(found)
            return found

        return value
    run = _block(tree.body)

    def text(given: Mapping[str, Any]) -> str:
        return _text_of(run, Rendering(given), {})

    return text


def _text_of(run: Run, rendering: Rendering, scope: Scope) -> str:
    pieces: list[str] = []
    rendering.spend(2 * STEP)
    run(rendering, scope, pieces)
    rendering.spend(values.bounded(sum(map(len, pieces))))
    return "".join(pieces)


def _unsupported(node: nodes.Node, what: str) -> Any:
    raise TemplateAssertionError(f"templates have no {what}", node.lineno)


# Expressions


def _expression(node: nodes.Node) -> Evaluate:
    compile_node = _EXPRESSIONS.get(type(node))
    if compile_node is None:
        operator = _OPERATORS.get(type(node))
        if operator is None:
            return _unsupported(node, type(node).__name__.lower())  # type: ignore[no-any-return]
        return _binary(node, operator)
    return compile_node(node)


def _constant(node: nodes.Const) -> Evaluate:
    constant = node.value
    return lambda rendering, scope: constant


def _data(node: nodes.TemplateData) -> Evaluate:
    data = node.data
    return lambda rendering, scope: data


def _name(node: nodes.Name) -> Evaluate:
    name = node.name

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        rendering.spend(STEP)
        if name in scope:
            return scope[name]
        try:
            return rendering.values[name]
        except KeyError:
            return _GLOBALS[name] if name in _GLOBALS else values.Unknown(name=name)

    return evaluate


def _binary(node: Any, operate: Callable[[Rendering, Any, Any], Any]) -> Evaluate:
    left, right = _expression(node.left), _expression(node.right)

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        rendering.spend(STEP)
        return operate(rendering, left(rendering, scope), right(rendering, scope))

    return evaluate


def _unary(operate: Callable[[Any], Any]) -> Callable[[Any], Evaluate]:
    def compile_node(node: Any) -> Evaluate:
        operand = _expression(node.node)
        return lambda rendering, scope: operate(operand(rendering, scope))

    return compile_node


def _and(node: nodes.And) -> Evaluate:
    left, right = _expression(node.left), _expression(node.right)
    return lambda rendering, scope: left(rendering, scope) and right(rendering, scope)


def _or(node: nodes.Or) -> Evaluate:
    left, right = _expression(node.left), _expression(node.right)
    return lambda rendering, scope: left(rendering, scope) or right(rendering, scope)


def _condition(node: nodes.CondExpr) -> Evaluate:
    test, then = _expression(node.test), _expression(node.expr1)
    otherwise = _expression(node.expr2) if node.expr2 is not None else None

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        rendering.spend(STEP)
        if test(rendering, scope):
            return then(rendering, scope)
        if otherwise is None:
            return jinja2.Undefined("the condition is false, and there is no else")
        return otherwise(rendering, scope)

    return evaluate


def _compare(node: nodes.Compare) -> Evaluate:
    first = _expression(node.expr)
    rest = [(operation.op, _expression(operation.expr)) for operation in node.ops]

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        left = first(rendering, scope)
        result: Any = True
        for operator, operand in rest:
            rendering.spend(STEP)
            right = operand(rendering, scope)
            result = values.compare(rendering, operator, left, right)
            if not result:
                break
            left = right
        return result

    return evaluate


def _concat(node: nodes.Concat) -> Evaluate:
    parts = [_expression(child) for child in node.nodes]

    def evaluate(rendering: Rendering, scope: Scope) -> str:
        pieces = [values.text(rendering, part(rendering, scope)) for part in parts]
        values.bounded(sum(map(len, pieces)))
        return "".join(pieces)

    return evaluate


def _list(node: nodes.List) -> Evaluate:
    items = [_expression(item) for item in node.items]

    def evaluate(rendering: Rendering, scope: Scope) -> list[Any]:
        made = [item(rendering, scope) for item in items]
        rendering.hold(made)
        return made

    return evaluate


def _tuple(node: nodes.Tuple) -> Evaluate:
    items = _list(node)  # type: ignore[arg-type]
    return lambda rendering, scope: tuple(items(rendering, scope))


def _dict(node: nodes.Dict) -> Evaluate:
    pairs = [(_expression(item.key), _expression(item.value)) for item in node.items]

    def evaluate(rendering: Rendering, scope: Scope) -> dict[Any, Any]:
        made = {key(rendering, scope): value(rendering, scope) for key, value in pairs}
        rendering.hold(made)
        return made

    return evaluate


def _getattr(node: nodes.Getattr) -> Evaluate:
    owner, name = _expression(node.node), node.attr

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        rendering.spend(2 * STEP)
        return values.attribute(owner(rendering, scope), name)

    return evaluate


def _getitem(node: nodes.Getitem) -> Evaluate:
    owner = _expression(node.node)
    if isinstance(node.arg, nodes.Slice):
        parts = [
            _expression(bound) if bound else None for bound in (node.arg.start, node.arg.stop, node.arg.step)
        ]

        def sliced(rendering: Rendering, scope: Scope) -> Any:
            bounds = slice(*(part(rendering, scope) if part else None for part in parts))
            return values.slice_of(rendering, owner(rendering, scope), bounds)

        return sliced
    key = _expression(node.arg)

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        rendering.spend(STEP)
        return values.item(owner(rendering, scope), key(rendering, scope))

    return evaluate


Arguments = Callable[[Rendering, Scope], tuple[list[Any], dict[str, Any]]]


def _arguments(node: Any) -> Arguments:
    """Compile the arguments of a call, filter or test."""
    args = [_expression(argument) for argument in node.args]
    kwargs = {keyword.key: _expression(keyword.value) for keyword in node.kwargs}
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        _unsupported(node, "arguments by * or **")

    def evaluate(rendering: Rendering, scope: Scope) -> tuple[list[Any], dict[str, Any]]:
        rendering.spend(STEP)
        return (
            [argument(rendering, scope) for argument in args],
            {name: argument(rendering, scope) for name, argument in kwargs.items()},
        )

    return evaluate


def _call(node: nodes.Call) -> Evaluate:
    callee, arguments = _expression(node.node), _arguments(node)

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        function = callee(rendering, scope)
        args, kwargs = arguments(rendering, scope)
        if isinstance(function, Method):
            found = call_method(rendering, function, args, kwargs)
        elif isinstance(function, _Macro):
            return function(rendering, args, kwargs)
        else:
            rendering.spend(STEP if function is values.range_of else CALL)
            rendering.hold(args, kwargs)
            found = function(*args, **kwargs)
            if function is not values.range_of and isinstance(found, values.CONTAINERS):
                rendering.spend(CALL)  # Faker makes each item by a call
        rendering.hold(found)
        return found

    return evaluate


def _filter(node: nodes.Filter) -> Evaluate:
    arguments, apply = _arguments(node), filter_of(node.name)
    operand = _expression(node.node) if node.node is not None else _unsupported(node, "filter of nothing")

    def evaluate(rendering: Rendering, scope: Scope) -> Any:
        rendering.spend(FILTER)
        args, kwargs = arguments(rendering, scope)
        return apply(rendering, operand(rendering, scope), *args, **kwargs)

    return evaluate


def _test(node: nodes.Test) -> Evaluate:
    arguments, operand, holds = _arguments(node), _expression(node.node), test_of(node.name)

    def evaluate(rendering: Rendering, scope: Scope) -> bool:
        rendering.spend(FILTER)
        args, kwargs = arguments(rendering, scope)
        return bool(holds(rendering, operand(rendering, scope), *args, **kwargs))

    return evaluate


_EXPRESSIONS: dict[type[nodes.Node], Callable[[Any], Evaluate]] = {
    nodes.Const: _constant,
    nodes.TemplateData: _data,
    nodes.Name: _name,
    nodes.Neg: _unary(lambda value: -value),
    nodes.Pos: _unary(lambda value: +value),
    nodes.Not: _unary(lambda value: not value),
    nodes.And: _and,
    nodes.Or: _or,
    nodes.CondExpr: _condition,
    nodes.Compare: _compare,
    nodes.Concat: _concat,
    nodes.List: _list,
    nodes.Tuple: _tuple,
    nodes.Dict: _dict,
    nodes.Getattr: _getattr,
    nodes.Getitem: _getitem,
    nodes.Call: _call,
    nodes.Filter: _filter,
    nodes.Test: _test,
}


# Statements


def _block(body: Sequence[nodes.Node]) -> Run:
    statements = [_statement(child) for child in body]
    if len(statements) == 1:
        return statements[0]

    def run(rendering: Rendering, scope: Scope, out: list[str]) -> None:
        for statement in statements:
            statement(rendering, scope, out)

    return run


def _statement(node: nodes.Node) -> Run:
    compile_node = _STATEMENTS.get(type(node))
    if compile_node is None:
        return _unsupported(node, f"{{% {type(node).__name__.lower()} %}}")  # type: ignore[no-any-return]
    return compile_node(node)


def _output(node: nodes.Output) -> Run:
    parts = [_expression(child) for child in node.nodes]

    def run(rendering: Rendering, scope: Scope, out: list[str]) -> None:
        for part in parts:
            out.append(values.text(rendering, part(rendering, scope)))  # noqa: PERF401 - what follows may fail

    return run


def _if(node: nodes.If) -> Run:
    branches = [(_expression(branch.test), _block(branch.body)) for branch in (node, *node.elif_)]
    otherwise = _block(node.else_)

    def run(rendering: Rendering, scope: Scope, out: list[str]) -> None:
        for test, body in branches:
            rendering.spend(STEP)
            if test(rendering, scope):
                body(rendering, scope, out)
                return
        otherwise(rendering, scope, out)

    return run


Bind = Callable[[Rendering, Scope, Any], None]


def _target(node: nodes.Node) -> Bind:
    """Return a function that assigns a value to a name, or unpacks it to several names."""
    if isinstance(node, nodes.Name):
        name = node.name

        def bind(rendering: Rendering, scope: Scope, value: Any) -> None:
            scope[name] = value

        return bind
    if not isinstance(node, nodes.Tuple):
        return _unsupported(node, "such a target")  # type: ignore[no-any-return]
    targets = [_target(item) for item in node.items]

    def unpack(rendering: Rendering, scope: Scope, value: Any) -> None:
        found = list(values.iterate(rendering, value))
        for target, part in zip(targets, found, strict=True):
            target(rendering, scope, part)

    return unpack


class _Loop:
    """``loop`` in a for loop."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self.index0 = 0
        self.length = len(items)

    @property
    def index(self) -> int:
        return self.index0 + 1

    @property
    def revindex(self) -> int:
        return self.length - self.index0

    @property
    def revindex0(self) -> int:
        return self.length - self.index0 - 1

    @property
    def first(self) -> bool:
        return self.index0 == 0

    @property
    def last(self) -> bool:
        return self.index0 == self.length - 1

    @property
    def previtem(self) -> Any:
        return self._items[self.index0 - 1] if self.index0 else values.Unknown(name="previtem")

    @property
    def nextitem(self) -> Any:
        return values.Unknown(name="nextitem") if self.last else self._items[self.index0 + 1]

    def cycle(self, *values: Any) -> Any:
        return values[self.index0 % len(values)]


def _for(node: nodes.For) -> Run:
    if node.recursive:
        _unsupported(node, "recursive loops")
    bind, series = _target(node.target), _expression(node.iter)
    test = _expression(node.test) if node.test is not None else None
    body, otherwise = _block(node.body), _block(node.else_)

    def selected(rendering: Rendering, scope: Scope, value: Any) -> Iterator[Any]:
        for entry in values.iterate(rendering, value):
            if test is not None:
                rendering.spend(STEP + len(scope))
                inner = dict(scope)
                bind(rendering, inner, entry)
                if not test(rendering, inner):
                    continue
            yield entry

    def run(rendering: Rendering, scope: Scope, out: list[str]) -> None:
        rendering.spend(4 * STEP)
        items = list(selected(rendering, scope, series(rendering, scope)))
        loop = _Loop(items)
        rendering.spend(len(scope) * len(items))
        for loop.index0, entry in enumerate(items):
            inner = {**scope, "loop": loop}
            bind(rendering, inner, entry)
            body(rendering, inner, out)
        if not items:
            otherwise(rendering, dict(scope), out)

    return run


def _assign(node: nodes.Assign) -> Run:
    bind, value = _target(node.target), _expression(node.node)

    def run(rendering: Rendering, scope: Scope, out: list[str]) -> None:
        rendering.spend(STEP)
        bind(rendering, scope, value(rendering, scope))

    return run


def _assign_block(node: nodes.AssignBlock) -> Run:
    bind, made = _target(node.target), _filtered(node)
    return lambda rendering, scope, out: bind(rendering, scope, made(rendering, scope))


def _filter_block(node: nodes.FilterBlock) -> Run:
    made = _filtered(node)
    return lambda rendering, scope, out: out.append(values.text(rendering, made(rendering, scope)))


def _filtered(node: nodes.AssignBlock | nodes.FilterBlock) -> Evaluate:
    """Compile the text of a block with its filters."""
    body = _block(node.body)
    text: Evaluate = lambda rendering, scope: _text_of(body, rendering, dict(scope))  # noqa: E731
    if node.filter is None:
        return text
    name, innermost = "a block's text", node.filter
    while isinstance(innermost.node, nodes.Filter):
        innermost = innermost.node
    innermost.node = nodes.Name(name, "load", lineno=node.lineno)
    filtered = _expression(node.filter)
    return lambda rendering, scope: filtered(rendering, {**scope, name: text(rendering, scope)})


def _with(node: nodes.With) -> Run:
    pairs = [(_target(t), _expression(v)) for t, v in zip(node.targets, node.values, strict=True)]
    body = _block(node.body)

    def run(rendering: Rendering, scope: Scope, out: list[str]) -> None:
        rendering.spend(STEP * (1 + len(pairs)) + len(scope))
        inner = dict(scope)
        for bind, value in pairs:
            bind(rendering, inner, value(rendering, scope))
        body(rendering, inner, out)

    return run


class _Macro:
    """A macro with the scope of its definition."""

    def __init__(self, node: nodes.Macro, scope: Scope, body: Run, defaults: Sequence[Evaluate]) -> None:
        self._name = node.name
        self._parameters = [argument.name for argument in node.args]
        self._scope = scope
        self._body = body
        self._defaults = dict(zip(self._parameters[::-1], defaults[::-1], strict=False))

    def __call__(self, rendering: Rendering, args: list[Any], kwargs: dict[str, Any]) -> str:
        if rendering.depth >= MAX_DEPTH:
            raise SecurityError(f"macros that call each other over {MAX_DEPTH} deep")
        if len(args) > len(self._parameters) or kwargs.keys() - set(self._parameters):
            raise TypeError(f"{self._name} takes {', '.join(self._parameters) or 'no arguments'}")
        rendering.spend(MACRO + STEP * len(self._parameters) + len(self._scope))
        scope = {**self._scope, **dict(zip(self._parameters, args, strict=False)), **kwargs}
        for name in self._parameters[len(args) :]:
            if name not in kwargs:
                default = self._defaults.get(name)
                scope[name] = default(rendering, scope) if default else values.Unknown(name=name)
        rendering.depth += 1
        try:
            return _text_of(self._body, rendering, scope)
        finally:
            rendering.depth -= 1


def _macro(node: nodes.Macro) -> Run:
    body, defaults = _block(node.body), [_expression(default) for default in node.defaults]

    def run(rendering: Rendering, scope: Scope, out: list[str]) -> None:
        rendering.spend(3 * STEP)
        scope[node.name] = _Macro(node, scope, body, defaults)

    return run


def _scope(node: nodes.Scope) -> Run:
    body = _block(node.body)
    return lambda rendering, scope, out: body(rendering, dict(scope), out)


_STATEMENTS: dict[type[nodes.Node], Callable[[Any], Run]] = {
    nodes.Output: _output,
    nodes.If: _if,
    nodes.For: _for,
    nodes.Assign: _assign,
    nodes.AssignBlock: _assign_block,
    nodes.FilterBlock: _filter_block,
    nodes.With: _with,
    nodes.Macro: _macro,
    nodes.Scope: _scope,
}
