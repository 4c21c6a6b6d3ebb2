"""Objects and arrays: how many members, which ones, and what tells branches of ``oneOf`` apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.generate.attempt import DeadEnd, Endless, Run
from mockserver.generate.constraints import Shape, identity
from mockserver.generate.property_names import era
from mockserver.generate.regex_generator import matching
from mockserver.generate.subschemas import fixed_items, is_map, item, member, name_patterns, named
from mockserver.plan import JSON, SchemaRef

if TYPE_CHECKING:
    from mockserver.generate.generator import Generator


MOST_MEMBERS = 2_000
_KEYS = ("primary", "secondary", "default", "alpha", "beta", "gamma", "main", "extra", "north", "south")


def make_object(generator: Generator, shape: Shape, run: Run) -> dict[str, JSON]:
    """An object of a shape without open choices. Raises DeadEnd."""
    return _Maker(generator, shape, run).make()


class _Maker:
    def __init__(self, generator: Generator, shape: Shape, run: Run) -> None:
        self._generator = generator
        self._shape = shape
        self._run = run
        self._out: dict[str, JSON] = {}
        self._endless: set[Shape] = set()
        """Of members that were tried: another name would not help."""

    def make(self) -> dict[str, JSON]:
        shape = self._shape
        most = shape.most_members
        if shape.fewest_members > MOST_MEMBERS:
            reason = f"minProperties {shape.fewest_members} asks for more than the {MOST_MEMBERS} made here"
            raise DeadEnd(shape.at, reason)
        if most is not None and max(shape.fewest_members, len(shape.required)) > most:
            if shape.fewest_members > most:
                raise DeadEnd(
                    shape.at, f"minProperties {shape.fewest_members} is more than maxProperties {most}"
                )
            raise DeadEnd(shape.at, f"more members are required than maxProperties {most}")
        left_out = self._add_named()
        self._add_dependent()
        self._drop_down_to(most)
        for each in left_out:
            if len(self._out) >= shape.fewest_members:
                break
            if each.shape is not None:
                self._try(each.name, each.shape)
        self._add_unnamed()
        if len(self._out) < shape.fewest_members:
            kind = Endless if self._endless else DeadEnd
            raise kind(shape.at, f"no {shape.fewest_members} members could be made")
        _put_in_order(self._out)
        return self._out

    def _add_named(self) -> list[Member]:
        """Add the members that the schemas name; returns those that were left out."""
        left_out = []
        shape = self._shape
        for each in members(self._generator, shape):
            if each.name in shape.required:
                if each.shape is None:
                    raise DeadEnd(shape.at, f"{each.name!r} is both required and ruled out")
                self._out[each.name] = self._value(each.name, each.shape)
            elif each.shape is not None and not (
                self._is_welcome(each.shape) and self._try(each.name, each.shape)
            ):
                left_out.append(each)
        return left_out

    def _value(self, name: str, shape: Shape) -> JSON:
        tag = self._shape.tags.get(name)
        if tag is not None and self._generator.is_valid(shape, tag):
            return tag
        return self._generator.make_shape(shape, name, self._run)

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
        refs = member(self._shape, name)
        return refs is not None and self._try(name, self._generator.shapes.shape(refs))

    def _is_welcome(self, shape: Shape) -> bool:
        """Whether there is room for an optional member. One of which nothing is said is better left out."""
        run = self._run
        if run.is_wide or (run.style != "full" and (run.style == "lean" or run.rng.random() < 0.5)):
            return False
        if shape.is_leaf:
            return not shape.is_mute
        return run.is_modest and not run.active[shape.refs]

    def _add_dependent(self) -> None:
        """Add what other members ask for; a member whose wish cannot be met goes."""
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

    def _drop_down_to(self, most: int | None) -> None:
        if most is None or len(self._out) <= most:
            return
        wanted = {other for name in self._shape.required for other in self._shape.dependent.get(name, ())}
        for name in reversed(list(self._out)):
            if name not in self._shape.required and name not in wanted and len(self._out) > most:
                del self._out[name]

    def _add_unnamed(self) -> None:
        shape = self._shape
        missing = shape.fewest_members - len(self._out)
        if (
            missing <= 0
            and not self._out
            and is_map(shape)
            and self._run.is_modest
            and self._run.style != "lean"
        ):
            missing = 1 + int(self._run.rng.random() * 2)
            if shape.most_members is not None:
                missing = min(missing, shape.most_members)
        if missing <= 0:
            return
        target = len(self._out) + missing
        for name in self._new_names(missing * 3 + 20):
            if name not in self._out:
                self._try_to_add(name)
            if len(self._out) >= target:
                return

    def _new_names(self, count: int) -> Iterator[str]:
        shape, run = self._shape, self._run
        patterns = name_patterns(shape)
        for i in range(count):
            candidates: list[JSON] = []
            if shape.names:
                try:
                    candidates.append(self._generator.make(tuple(shape.names), "key", run))
                except DeadEnd:
                    return
            if patterns:
                candidates.append(matching(patterns[i % len(patterns)], run.rng))
            candidates.append(_KEYS[i] if i < len(_KEYS) else f"key{i}")
            for name in candidates:
                if isinstance(name, str) and _is_name(self._generator, shape, name):
                    yield name


def _is_name(generator: Generator, shape: Shape, name: str) -> bool:
    """Whether ``propertyNames`` allows a name."""
    return not shape.names or generator.is_valid(generator.shapes.shape(tuple(shape.names)), name)


@dataclass(frozen=True, slots=True)
class Member:
    """A name that a shape mentions; without a shape of its own if there can be no such member."""

    name: str
    shape: Shape | None


def members(generator: Generator, shape: Shape) -> list[Member]:
    """The names that a shape mentions; found once."""
    known = generator.members.get(shape)
    if known is None:
        known = generator.members[shape] = [_member(generator, shape, name) for name in named(shape)]
    return known


def _member(generator: Generator, shape: Shape, name: str) -> Member:
    refs = member(shape, name) if _is_name(generator, shape, name) else None
    return Member(name, None if refs is None else generator.shapes.shape(refs))


def _put_in_order(made: dict[str, JSON]) -> None:
    """Let what was created before it was updated say so, where both are texts of one form."""
    times = [name for name, value in made.items() if isinstance(value, str) and _is_timestamp(value)]
    if len(times) > 1:
        made.update(zip(sorted(times, key=era), sorted(made[name] for name in times), strict=True))


def _is_timestamp(value: str) -> bool:
    return len(value) == 20 and value[10] == "T" and value[-1] == "Z"


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
