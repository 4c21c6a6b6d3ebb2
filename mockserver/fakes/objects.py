"""Objects: the members that are required, those that there is room for, and those that make up the number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.fakes.errors import DeadEnd, Endless
from mockserver.fakes.growth import matching
from mockserver.fakes.members import is_map, member, name_patterns, named
from mockserver.fakes.names import era
from mockserver.fakes.run import Run
from mockserver.fakes.shape import Shape
from mockserver.plan import JSON

if TYPE_CHECKING:
    from mockserver.fakes.generator import Generator

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
