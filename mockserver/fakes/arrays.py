"""Arrays: few items, as many as are asked for, all different where that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.fakes.errors import DeadEnd
from mockserver.fakes.identity import identity
from mockserver.fakes.members import fixed_items, item
from mockserver.fakes.run import Run
from mockserver.fakes.shape import Shape
from mockserver.plan import JSON, SchemaRef

if TYPE_CHECKING:
    from mockserver.fakes.generator import Generator

MOST_ITEMS = 5_000
_TRIES = 24


def make_array(generator: Generator, shape: Shape, name: str, run: Run) -> list[JSON]:
    """An array of a shape without open choices. Raises DeadEnd."""
    fewest, most = _bounds(shape)
    wanted = _wanted(generator, shape, fewest, most, run)
    out: list[JSON] = []
    seen: set[object] = set()
    singular = name[:-1] if name.endswith("s") and not name.endswith("ss") else name
    while len(out) < wanted:
        refs = _refs(shape, len(out))
        try:
            if refs is None:
                raise DeadEnd(shape.at, f"there can be no more than {len(out)} items")
            value = _another(generator, refs, singular, run, seen, must_differ=shape.unique)
        except DeadEnd:
            if len(out) >= fewest:
                break
            raise
        if len(out) >= fewest and value in out:
            break  # the same again, by an example or a small enum
        if shape.unique:
            seen.add(identity(value))
        out.append(value)
    return out


def _bounds(shape: Shape) -> tuple[int, int | None]:
    most = shape.most_items
    together = sum(each.least for each in shape.contains)
    if most is not None and together > most:  # one item may serve several
        together = max(each.least for each in shape.contains)
    fewest = max(shape.fewest_items, together and _first_contained(shape) + together)
    if fewest > MOST_ITEMS:
        raise DeadEnd(shape.at, f"minItems {fewest} asks for more than the {MOST_ITEMS} items made here")
    if most is not None and fewest > most:
        if shape.fewest_items > most:
            raise DeadEnd(shape.at, f"minItems {shape.fewest_items} is more than maxItems {most}")
        raise DeadEnd(shape.at, f"more items are required than maxItems {most}")
    return fewest, most


def _wanted(generator: Generator, shape: Shape, fewest: int, most: int | None, run: Run) -> int:
    """How many items to make: the fixed ones, or a few."""
    refs = item(shape, 0)
    if refs is None or run.style == "lean":
        return fewest
    first = generator.shapes.shape(refs)
    if not refs or run.active[first.refs] or not run.is_modest:
        return fewest
    usual = 1 + int(run.rng.random() * (3 if run.depth < 3 else 1))
    fixed = fixed_items(shape)
    usual = max(usual, fixed) if fixed < 20 else usual
    return max(fewest, usual if most is None else min(usual, most))


def _refs(shape: Shape, index: int) -> tuple[SchemaRef, ...] | None:
    """The schemas of an item, with those of ``contains`` for as many as it asks for.

    Several ``contains`` get items of their own, unless there is no room for that.
    """
    refs = item(shape, index)
    have_room = sum(each.least for each in shape.contains) <= (shape.most_items or MOST_ITEMS)
    start = _first_contained(shape)
    for each in shape.contains:
        if start <= index < start + each.least:
            return (*(refs or ()), each.ref)
        start += each.least if have_room else 0
    return refs


def _first_contained(shape: Shape) -> int:
    """Where items for ``contains`` begin: after the fixed ones, if there can be more."""
    fixed = fixed_items(shape)
    wanted = fixed + sum(each.least for each in shape.contains)
    has_room = item(shape, fixed) is not None and (shape.most_items is None or wanted <= shape.most_items)
    return fixed if has_room else 0


def _another(
    generator: Generator,
    refs: tuple[SchemaRef, ...],
    name: str,
    run: Run,
    seen: set[object],
    *,
    must_differ: bool,
) -> JSON:
    """An item; one that is not there yet, where all must differ."""
    value = generator.make(refs, name, run)
    if not must_differ or identity(value) not in seen:
        return value
    is_fresh = run.is_fresh
    run.is_fresh = True
    try:
        for _ in range(_TRIES):
            value = generator.make(refs, name, run)
            if identity(value) not in seen:
                return value
    finally:
        run.is_fresh = is_fresh
    shape = generator.shapes.shape(refs)
    for other in _others(shape, value, len(seen)):
        if identity(other) not in seen and generator.is_valid(shape, other):
            return other
    raise DeadEnd(shape.at, f"no more than {len(seen)} different items could be made")


def _others(shape: Shape, value: JSON, count: int) -> list[JSON]:
    """Values that may still be different: what is left of an enum, an object with a member more."""
    if shape.options is not None:
        return shape.options
    if isinstance(value, dict):
        return [{**value, f"key{count}": count}]
    if isinstance(value, list):
        return [[*value, count]]
    return [False, True, None]
