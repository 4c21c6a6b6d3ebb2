"""Objects and arrays: the number of members or items, which ones, and exactly one branch of ``oneOf``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.generate.attempt import Attempt, DeadEnd, Endless
from mockserver.generate.constraints import Shape, equality_key
from mockserver.generate.property_names import time_range
from mockserver.generate.regex_generator import generate_match
from mockserver.generate.subschemas import (
    declared_names,
    fixed_items,
    is_map,
    item_refs,
    member_refs,
    name_patterns,
)
from mockserver.plan import JSON, SchemaRef

if TYPE_CHECKING:
    from mockserver.generate.generator import Generator


MAX_MEMBERS = 2_000
KEYS = ("primary", "secondary", "default", "alpha", "beta", "gamma", "main", "extra", "north", "south")


def generate_object(generator: Generator, shape: Shape, attempt: Attempt) -> dict[str, JSON]:
    """Return an object of a shape without open choices. Raises DeadEnd."""
    return _ObjectBuilder(generator, shape, attempt).generate()


class _ObjectBuilder:
    def __init__(self, generator: Generator, shape: Shape, attempt: Attempt) -> None:
        self._generator = generator
        self._shape = shape
        self._attempt = attempt
        self._out: dict[str, JSON] = {}
        self._endless: set[Shape] = set()
        """Shapes of members that are endlessly recursive. Another name does not help."""

    def generate(self) -> dict[str, JSON]:
        shape = self._shape
        most = shape.max_members
        if shape.min_members > MAX_MEMBERS:
            reason = f"minProperties {shape.min_members} asks for more than the {MAX_MEMBERS} made here"
            raise DeadEnd(shape.at, reason)
        if most is not None and max(shape.min_members, len(shape.required)) > most:
            if shape.min_members > most:
                raise DeadEnd(
                    shape.at, f"minProperties {shape.min_members} is more than maxProperties {most}"
                )
            raise DeadEnd(shape.at, f"more members are required than maxProperties {most}")
        left_out = self._add_named()
        self._add_dependent()
        self._remove_surplus(most)
        for candidate in left_out:
            if len(self._out) >= shape.min_members:
                break
            if candidate.shape is not None:
                self._try(candidate.name, candidate.shape)
        self._add_unnamed()
        if len(self._out) < shape.min_members:
            kind = Endless if self._endless else DeadEnd
            raise kind(shape.at, f"no {shape.min_members} members could be made")
        _put_in_order(self._out)
        return self._out

    def _add_named(self) -> list[Member]:
        """Add the members that the schemas name. Return those that were left out."""
        left_out = []
        shape = self._shape
        for member in members(self._generator, shape):
            if member.name in shape.required:
                if member.shape is None:
                    raise DeadEnd(shape.at, f"{member.name!r} is both required and ruled out")
                self._out[member.name] = self._value(member.name, member.shape)
            elif member.shape is not None and not (
                self._include_optional(member.shape) and self._try(member.name, member.shape)
            ):
                left_out.append(member)
        return left_out

    def _value(self, name: str, shape: Shape) -> JSON:
        tag = self._shape.tags.get(name)
        if tag is not None and self._generator.is_valid(shape, tag):
            return tag
        return self._generator.generate_shape(shape, name, self._attempt)

    def _try(self, name: str, shape: Shape) -> bool:
        if shape in self._endless:
            return False
        try:
            self._out[name] = self._value(name, shape)
        except Endless:
            self._endless.add(shape)
            return False
        except DeadEnd:
            return False
        return True

    def _try_to_add(self, name: str) -> bool:
        refs = member_refs(self._shape, name)
        return refs is not None and self._try(name, self._generator.shapes.shape(refs))

    def _include_optional(self, shape: Shape) -> bool:
        """Return whether to add an optional member. One without constraints is left out."""
        attempt = self._attempt
        if attempt.is_full or (
            attempt.style != "full" and (attempt.style == "lean" or attempt.rng.random() < 0.5)
        ):
            return False
        if shape.is_leaf:
            return not shape.is_unconstrained
        return attempt.has_room and not attempt.active[shape.refs]

    def _add_dependent(self) -> None:
        """Add the members that other members require. If this is impossible, remove the other member."""
        pending = list(self._out)
        while pending:
            name = pending.pop()
            for other in self._shape.dependent.get(name, ()) if name in self._out else ():
                if other in self._out:
                    continue
                if self._try_to_add(other):
                    pending.append(other)
                elif name in self._shape.required:
                    raise DeadEnd(self._shape.at, f"{name!r} depends on {other!r}, which cannot be there")
                else:
                    del self._out[name]
                    pending = list(self._out)
                    break

    def _remove_surplus(self, most: int | None) -> None:
        if most is None or len(self._out) <= most:
            return
        wanted = {other for name in self._shape.required for other in self._shape.dependent.get(name, ())}
        for name in reversed(list(self._out)):
            if name not in self._shape.required and name not in wanted and len(self._out) > most:
                del self._out[name]

    def _add_unnamed(self) -> None:
        shape = self._shape
        missing = shape.min_members - len(self._out)
        if (
            missing <= 0
            and not self._out
            and is_map(shape)
            and self._attempt.has_room
            and self._attempt.style != "lean"
        ):
            missing = 1 + int(self._attempt.rng.random() * 2)
            if shape.max_members is not None:
                missing = min(missing, shape.max_members)
        if missing <= 0:
            return
        target = len(self._out) + missing
        for name in self._new_names(missing * 3 + 20):
            if name not in self._out:
                self._try_to_add(name)
            if len(self._out) >= target:
                return

    def _new_names(self, count: int) -> Iterator[str]:
        shape, attempt = self._shape, self._attempt
        patterns = name_patterns(shape)
        for i in range(count):
            candidates: list[JSON] = []
            if shape.names:
                try:
                    candidates.append(self._generator.generate(tuple(shape.names), "key", attempt))
                except DeadEnd:
                    return
            if patterns:
                candidates.append(generate_match(patterns[i % len(patterns)], attempt.rng))
            candidates.append(KEYS[i] if i < len(KEYS) else f"key{i}")
            for name in candidates:
                if isinstance(name, str) and _is_name(self._generator, shape, name):
                    yield name


def _is_name(generator: Generator, shape: Shape, name: str) -> bool:
    """Return whether ``propertyNames`` allows a name."""
    return not shape.names or generator.is_valid(generator.shapes.shape(tuple(shape.names)), name)


@dataclass(frozen=True, slots=True)
class Member:
    """A name that a shape mentions. ``shape`` is None if such a member is impossible."""

    name: str
    shape: Shape | None


def members(generator: Generator, shape: Shape) -> list[Member]:
    """Return the members that a shape mentions, cached."""
    known = generator.members.get(shape)
    if known is None:
        known = generator.members[shape] = [_member(generator, shape, name) for name in declared_names(shape)]
    return known


def _member(generator: Generator, shape: Shape, name: str) -> Member:
    refs = member_refs(shape, name) if _is_name(generator, shape, name) else None
    return Member(name, None if refs is None else generator.shapes.shape(refs))


def _put_in_order(made: dict[str, JSON]) -> None:
    """Sort timestamps by their names, so that ``created`` is before ``updated``."""
    times = [name for name, value in made.items() if isinstance(value, str) and _is_timestamp(value)]
    if len(times) > 1:
        made.update(zip(sorted(times, key=time_range), sorted(made[name] for name in times), strict=True))


def _is_timestamp(value: str) -> bool:
    return len(value) == 20 and value[10] == "T" and value[-1] == "Z"


_ODD: tuple[JSON, ...] = ("none", 0, False, [], {})


def distinguish(generator: Generator, shape: Shape, value: dict[str, JSON]) -> dict[str, JSON]:
    """Return ``value`` with members that make the other branches of ``oneOf`` invalid, if possible."""
    value = dict(value)
    for choice, taken in shape.made:
        for i, option in enumerate(choice.options):
            if i != taken:
                _break_alternative(generator, shape, option.refs, value)
    return value


def _break_alternative(
    generator: Generator, shape: Shape, other_refs: tuple[SchemaRef, ...], value: dict[str, JSON]
) -> None:
    other = generator.shapes.shape(other_refs)
    if not generator.is_valid(other, value):
        return
    for name in _foreign_names(generator, shape, other):
        had = name in value
        before = value.get(name)
        refs = member_refs(shape, name)
        allowed = generator.shapes.shape(refs or ())
        for odd in _ODD:
            value[name] = odd
            if generator.is_valid(allowed, odd) and not generator.is_valid(other, value):
                return
        if had:
            value[name] = before
        else:
            del value[name]


def _foreign_names(generator: Generator, shape: Shape, other: Shape) -> Iterator[str]:
    """Return the names that the other branch describes and that this shape allows too."""
    names = dict.fromkeys(declared_names(other))
    for choice in other.choices:
        for option in choice.options:
            names.update(dict.fromkeys(declared_names(generator.shapes.shape(option.refs))))
    return (name for name in names if member_refs(shape, name) is not None and name not in shape.tags)


MAX_ITEMS = 5_000
_TRIES = 24


def generate_array(generator: Generator, shape: Shape, name: str, attempt: Attempt) -> list[JSON]:
    """Return an array of a shape without open choices. Raises DeadEnd."""
    fewest, most = _bounds(shape)
    wanted = _item_count(generator, shape, fewest, most, attempt)
    out: list[JSON] = []
    seen: set[object] = set()
    singular = name[:-1] if name.endswith("s") and not name.endswith("ss") else name
    while len(out) < wanted:
        refs = _refs(shape, len(out))
        try:
            if refs is None:
                raise DeadEnd(shape.at, f"there can be no more than {len(out)} items")
            value = _generate_item(generator, refs, singular, attempt, seen, must_differ=shape.unique)
        except DeadEnd:
            if len(out) >= fewest:
                break
            raise
        if len(out) >= fewest and value in out:
            break  # a repetition, because of an example or a small enum
        if shape.unique:
            seen.add(equality_key(value))
        out.append(value)
    return out


def _bounds(shape: Shape) -> tuple[int, int | None]:
    most = shape.max_items
    together = sum(rule.minimum for rule in shape.contains)
    if most is not None and together > most:  # one item may match several
        together = max(rule.minimum for rule in shape.contains)
    fewest = max(shape.min_items, together and _first_contained(shape) + together)
    if fewest > MAX_ITEMS:
        raise DeadEnd(shape.at, f"minItems {fewest} asks for more than the {MAX_ITEMS} items made here")
    if most is not None and fewest > most:
        if shape.min_items > most:
            raise DeadEnd(shape.at, f"minItems {shape.min_items} is more than maxItems {most}")
        raise DeadEnd(shape.at, f"more items are required than maxItems {most}")
    return fewest, most


def _item_count(generator: Generator, shape: Shape, fewest: int, most: int | None, attempt: Attempt) -> int:
    """Return how many items to generate: the fixed ones, or a few."""
    refs = item_refs(shape, 0)
    if refs is None or attempt.style == "lean":
        return fewest
    first = generator.shapes.shape(refs)
    if not refs or attempt.active[first.refs] or not attempt.has_room:
        return fewest
    usual = 1 + int(attempt.rng.random() * (3 if attempt.depth < 3 else 1))
    fixed = fixed_items(shape)
    usual = max(usual, fixed) if fixed < 20 else usual
    return max(fewest, usual if most is None else min(usual, most))


def _refs(shape: Shape, index: int) -> tuple[SchemaRef, ...] | None:
    """Return the schemas of an item, with those of ``contains`` for the minimum number of items.

    Several ``contains`` get different items, if ``maxItems`` allows it.
    """
    refs = item_refs(shape, index)
    have_room = sum(rule.minimum for rule in shape.contains) <= (shape.max_items or MAX_ITEMS)
    start = _first_contained(shape)
    for rule in shape.contains:
        if start <= index < start + rule.minimum:
            return (*(refs or ()), rule.ref)
        start += rule.minimum if have_room else 0
    return refs


def _first_contained(shape: Shape) -> int:
    """Return the index of the first item for ``contains``: after the fixed items, if more are allowed."""
    fixed = fixed_items(shape)
    wanted = fixed + sum(rule.minimum for rule in shape.contains)
    has_room = item_refs(shape, fixed) is not None and (shape.max_items is None or wanted <= shape.max_items)
    return fixed if has_room else 0


def _generate_item(
    generator: Generator,
    refs: tuple[SchemaRef, ...],
    name: str,
    attempt: Attempt,
    seen: set[object],
    *,
    must_differ: bool,
) -> JSON:
    """Return an item. With ``must_differ``, it is none of ``seen``. Raises DeadEnd."""
    value = generator.generate(refs, name, attempt)
    if not must_differ or equality_key(value) not in seen:
        return value
    is_fresh = attempt.is_fresh
    attempt.is_fresh = True
    try:
        for _ in range(_TRIES):
            value = generator.generate(refs, name, attempt)
            if equality_key(value) not in seen:
                return value
    finally:
        attempt.is_fresh = is_fresh
    shape = generator.shapes.shape(refs)
    for other in _alternatives(shape, value, len(seen)):
        if equality_key(other) not in seen and generator.is_valid(shape, other):
            return other
    raise DeadEnd(shape.at, f"no more than {len(seen)} different items could be made")


def _alternatives(shape: Shape, value: JSON, count: int) -> list[JSON]:
    """Return values that may be new: those of the enum, or an object or array with one more part."""
    if shape.options is not None:
        return shape.options
    if isinstance(value, dict):
        return [{**value, f"key{count}": count}]
    if isinstance(value, list):
        return [[*value, count]]
    return [False, True, None]
