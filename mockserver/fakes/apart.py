"""Objects that must match one alternative of ``oneOf`` and would match several.

Alternatives whose members are all optional allow each other's objects. A member
that only another alternative describes, with a value it does not allow there,
tells the two apart; it is the only way to exactly one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mockserver.fakes.members import member, named
from mockserver.fakes.shape import Shape
from mockserver.plan import JSON, SchemaRef

if TYPE_CHECKING:
    from mockserver.fakes.generator import Generator

_ODD: tuple[JSON, ...] = ("none", 0, False, [], {})


def set_apart(generator: Generator, shape: Shape, value: dict[str, JSON]) -> dict[str, JSON]:
    """``value`` with members that the alternatives not taken refuse, as far as the shape allows them."""
    value = dict(value)
    for choice, taken in shape.made:
        for i, option in enumerate(choice.options):
            if i != taken:
                _refuse(generator, shape, option.refs, value)
    return value


def _refuse(
    generator: Generator, shape: Shape, other_refs: tuple[SchemaRef, ...], value: dict[str, JSON]
) -> None:
    other = generator.shapes.shape(other_refs)
    if not generator.is_valid(other, value):
        return
    for name in _strange_names(generator, shape, other):
        had = name in value
        before = value.get(name)
        refs = member(shape, name)
        allowed = generator.shapes.shape(refs or ())
        for odd in _ODD:
            value[name] = odd
            if generator.is_valid(allowed, odd) and not generator.is_valid(other, value):
                return
        if had:
            value[name] = before
        else:
            del value[name]


def _strange_names(generator: Generator, shape: Shape, other: Shape) -> Iterator[str]:
    """Names that the other alternative describes and that this one may have as well."""
    names = dict.fromkeys(named(other))
    for choice in other.choices:
        for option in choice.options:
            names.update(dict.fromkeys(named(generator.shapes.shape(option.refs))))
    return (name for name in names if member(shape, name) is not None and name not in shape.tags)
