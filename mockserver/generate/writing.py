"""Which writer a shape has: put together from prepared pieces where that makes valid values.

Where it does not, for example with ``not`` or overlapping branches of ``oneOf``, the writer selects
from a pool of values that the generator made and validated.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from mockserver.generate.attempt import Attempt, DeadEnd
from mockserver.generate.constraints import Choice, Option, Shape, equality_key
from mockserver.generate.containers import KEYS, MAX_ITEMS, members
from mockserver.generate.generator import MAX_COMBINATIONS, Generator, kind_of
from mockserver.generate.pools import CHOICES, Piece, Pools, encode_json
from mockserver.generate.property_names import (
    IDENTIFIERS,
    TimeRange,
    hint_targets,
    interpretations,
    is_time,
    last_word,
    text_source,
    time_range,
)
from mockserver.generate.scalars import DATED, IDENTIFIER_LENGTH, instant, number, number_at, usual_span
from mockserver.generate.subschemas import fixed_items, is_map, item_refs, member_refs, name_patterns
from mockserver.generate.writers import (
    BLANK,
    ArrayWriter,
    ChoiceWriter,
    Leaf,
    Manner,
    MapWriter,
    NullableWriter,
    ObjectWriter,
    Slot,
    Template,
    Writer,
    count_gaps,
)
from mockserver.plan import JSON

_POOLED_DEPTH, _POOLED_SIZE = 2, 150
"""What is assumed of the surroundings of a value that the generator makes as a whole, so that it is small."""
_MAX_OPTIONS = 512
"""The options of choices within choices of one value, whose number is a product."""
_MAX_INLINED = 64
"""The choices of the largest object that is written as a part of the enclosing one."""
_PYTHON: Mapping[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}


class _Target(NamedTuple):
    """A member of an object that a hint sets, if it is valid."""

    name: str
    hint: str
    shape: Shape
    usual: type
    """The type that its values usually have."""


class Writers:
    """The writers of one generator's shapes, made at their first use."""

    def __init__(self, generator: Generator, pools: Pools, label: str) -> None:
        """``label``: what tells this generator from others with the same pools."""
        self._generator = generator
        self._label = label
        self._pools = pools
        self._known: dict[tuple[Shape, str], Writer] = {}
        self._objects: dict[Shape, Writer] = {}
        self._flat: dict[ObjectWriter, Sequence[Piece] | None] = {}
        self._failed: dict[tuple[Shape, str], DeadEnd] = {}
        self._prepared: set[Shape] = set()
        self._left = _MAX_OPTIONS
        """How many more options of choices within choices are looked at for one value."""

    def of(self, shape: Shape, name: str) -> Writer:
        """Return the writer of a shape for a member called ``name``. Raises DeadEnd if there is no value."""
        key = (shape, name)
        writer = self._known.get(key)
        if writer is None:
            if key in self._failed:
                raise self._failed[key]
            try:
                writer = self._known[key] = self._make(shape, name)
            except DeadEnd as dead_end:
                self._failed[key] = dead_end
                raise
        return writer

    def prepare(self, shape: Shape, name: str, day: int) -> Iterator[None]:
        """Make the writers of a shape and of its parts, the innermost first. Yield after each step."""
        pending = [(shape, name, True)]
        while pending:
            shape, name, is_first = pending.pop()
            if not is_first:
                self._pools.day = day
                with suppress(DeadEnd, RecursionError):
                    writer = self.of(shape, name)
                    if isinstance(writer, ObjectWriter):
                        writer.prepare()
            elif shape not in self._prepared:
                self._prepared.add(shape)
                pending.append((shape, name, False))
                pending += ((part, called, True) for part, called in self._parts(shape, name))
            yield

    def _parts(self, shape: Shape, name: str) -> Iterator[tuple[Shape, str]]:
        """Yield the members, the items and the simple alternatives of a shape, with their names."""
        if shape.fault:
            return
        if len(shape.choices) == 1 and len(shape.choices[0].options) <= MAX_COMBINATIONS:
            for i in range(len(shape.choices[0].options)):
                taken = self._generator.shapes.take(shape, shape.choices[0], i)
                if not taken.choices and not taken.is_leaf:
                    yield taken, name
        if shape.choices:
            return
        for member in members(self._generator, shape) if "object" in shape.types else ():
            if member.shape is not None and not member.shape.is_leaf:
                yield member.shape, member.name
        if "array" in shape.types and not shape.is_leaf and (refs := item_refs(shape, 0)):
            yield self._generator.shapes.shape(refs), _name_of_item(name)

    def _make(self, shape: Shape, name: str) -> Writer:
        if shape.fault:
            raise DeadEnd(shape.at, shape.fault)
        try:
            if samples := self._generator.samples(shape):
                return Leaf(self._pools.one_of(samples))
            if shape.choices:
                is_outermost = self._left == _MAX_OPTIONS
                try:
                    return self._choice(shape, name) or self._pooled(shape, name)
                finally:
                    self._left = _MAX_OPTIONS if is_outermost else self._left
            if shape.options is not None:
                if shape.settles_options():  # the branches that were taken exclude the others
                    others = [option for option in shape.options if option is not None]
                    return Leaf(self._pools.one_of(others or shape.options))
                options = self._generator.allowed_options(shape)
                if not self._generator.is_valid(shape, options[0]):
                    raise DeadEnd(shape.at, "no value of its enum is valid")
                return Leaf(self._pools.one_of(options))
        except (ValueError, TypeError):  # a value that is not JSON
            return self._pooled(shape, name)
        kind = kind_of(shape, name)
        left, self._left = self._left, _MAX_OPTIONS  # the choices of other values
        try:
            if kind == "object":
                writer = self._objects.get(shape)
                if writer is None:
                    writer = self._objects[shape] = self._object(shape) or self._pooled(shape, name)
                return writer
            if kind == "array":
                return self._array(shape, name) or self._pooled(shape, name)
            return self._scalar(shape, name, kind)
        finally:
            self._left = left

    def _pooled(self, shape: Shape, name: str) -> Leaf:
        """Return a writer that selects from values that the generator makes."""
        identity = f"{self._label} {shape.refs} {shape.taken} {name}"
        if shape.signature is not None and shape.options is None and shape.types == {"string"}:
            constraints = f"{shape.min_length} {shape.max_length} {shape.patterns} {shape.formats}"
            identity = f"{self._label} {constraints} {text_source(name)} {time_range(name)}"
        is_whole = not shape.is_leaf
        pool = self._pools.day_pool(identity, partial(self._whole, shape, name))
        return Leaf(pool, is_whole=is_whole, may_fail=True)

    def _whole(self, shape: Shape, name: str, rng: random.Random, day: int) -> JSON:
        attempt = Attempt(rng, day, is_careful=True, depth=_POOLED_DEPTH, size=_POOLED_SIZE)
        value = self._generator.generate_shape(shape, name, attempt)
        if not self._generator.is_valid(shape, value):
            raise DeadEnd(shape.at, "no value that was tried is valid")
        return value

    # Scalars

    def _scalar(self, shape: Shape, name: str, kind: str | None) -> Writer:
        match kind:
            case "null":
                return Leaf(b"null")
            case "boolean" if not shape.is_uncertain:
                return Leaf(self._pools.one_of((True, False)))
            case "string" if not (shape.is_uncertain or shape.patterns):
                return self._text(shape, name)
            case "integer" | "number" if not shape.is_uncertain:
                return self._number(shape, name, is_whole=kind == "integer")
        return self._pooled(shape, name)

    def _text(self, shape: Shape, name: str) -> Writer:
        low, high = shape.min_length, shape.max_length
        formats = shape.formats
        source = text_source(name)
        if formats == ["uuid"]:
            return Leaf(*self._pools.uuid())
        has_room = low <= IDENTIFIER_LENGTH and (high is None or high >= IDENTIFIER_LENGTH)
        if not formats and source[0] == "identifier" and has_room:
            return Leaf(*self._pools.identifier())
        is_dated = not DATED.isdisjoint(formats) or source[0] == "time"
        if _is_timestamp(shape, name):
            return Leaf(self.timestamps(time_range(name)))
        identity = f"text {source} {formats} {low} {high} {time_range(name) if is_dated else ''}"

        def fill(rng: random.Random, day: int) -> JSON:
            return self._generator.texts.text(shape, name, rng, day)

        pool = (self._pools.day_pool if is_dated else self._pools.pool)(identity, fill)
        return Leaf(pool, may_fail=low > 0 or high is not None)

    def timestamps(self, within: TimeRange, part: int = 0, parts: int = 1) -> Piece:
        """Return the points in time of one part of a range, so that those of the next part are later."""
        earliest, latest = within
        length = (latest - earliest) // parts
        earliest += part * length

        def fill(rng: random.Random, day: int) -> JSON:
            return f"{instant(day + earliest + int(rng.random() * length)).isoformat()[:19]}Z"

        return self._pools.day_pool(f"date-time {earliest} {length}", fill)

    def _number(self, shape: Shape, name: str, *, is_whole: bool) -> Writer:
        if is_whole and is_time(name):

            def fill(rng: random.Random, day: int) -> JSON:
                return number(shape, name, rng, day, whole=True)

            identity = f"time {shape.low} {shape.low_open} {shape.high} {shape.high_open} {shape.steps}"
            return Leaf(self._pools.day_pool(f"{identity} {'int64' in shape.formats}", fill))
        span = usual_span(shape, name, whole=is_whole)
        step, first, last = span
        count = last - first + 1
        if count <= CHOICES:
            return Leaf(self._pools.one_of([number_at(span, i, whole=is_whole) for i in range(count)]))
        if (
            is_whole
            and step == 1
            and last_word(name) in IDENTIFIERS
            and (digits := self._pools.numbers(first, last))
        ):
            return Leaf(*digits)

        def fill_span(rng: random.Random, _: int) -> JSON:
            return number(shape, name, rng, 0, whole=is_whole)

        return Leaf(self._pools.pool(f"number {span} {is_whole}", fill_span))

    # Objects

    def _object(self, shape: Shape) -> Writer | None:
        """Return the writer of an object whose members do not depend on each other, else None."""
        if shape.is_uncertain or shape.names or shape.dependent:
            return None
        parts = shape.object_parts
        if len(parts) > 1 and any("unevaluatedProperties" in part.node for part in parts):
            return None
        known = members(self._generator, shape)
        if shape.max_members is not None and len(known) > shape.max_members:
            return None
        if name_patterns(shape) and not shape.required:
            return None
        if not known:
            return self._map(shape)
        if shape.min_members > len(shape.required):
            return None
        return ObjectWriter(shape, partial(self._template, shape), partial(self._given, shape, {}))

    def _map(self, shape: Shape) -> Writer | None:
        """Return the writer of an object without named members, or None if it needs too many."""
        most, fewest = shape.max_members, shape.min_members
        refs = member_refs(shape, KEYS[0])
        if not refs or most == 0 or not (fewest or is_map(shape)):
            return None if fewest else Leaf(b"{}")
        if fewest > len(KEYS):
            return None
        try:
            writer = self.of(self._generator.shapes.shape(refs), KEYS[0])
            if isinstance(writer, Leaf):
                writer.probe(self._pools.day)
        except DeadEnd:
            if fewest:
                raise
            return Leaf(b"{}")
        names = KEYS[: max(fewest, 2 if most is None else min(2, most))]
        return MapWriter([(b"%b:" % encode_json(name), writer) for name in names], fewest)

    def _template(self, shape: Shape, given: tuple[str, ...], manner: Manner) -> Template:
        """Return the members of an object. Raises DeadEnd if a required one is impossible."""
        pieces: list[Piece] = [b"{"]
        slots: list[Slot] = []
        places: dict[str, int] = {}
        gaps, has_comma = 0, False
        for name, writer, is_required in self._members(shape, given, manner):
            prefix = b"%b%b:" % (b"," if len(pieces) > 1 else b"", encode_json(name))
            if writer is None:
                places[name] = gaps
                pieces += (prefix, BLANK)
                gaps += 1
                continue
            inlined = self._inlined(writer, manner)
            if inlined is not None and (is_required or not _needs_room(writer) or manner == "full"):
                pieces += (prefix, *inlined)
                gaps += count_gaps(inlined)
                continue
            when_room = not is_required and _needs_room(writer)
            if when_room and manner != "full":
                continue
            if when_room:
                has_comma = has_comma or len(pieces) == 1
                prefix = b",%b:" % encode_json(name)
                pieces.append(BLANK)
            else:
                pieces += (prefix, BLANK)
            slots.append(Slot(gaps, writer, prefix, when_room=when_room))
            gaps += 1
        pieces.append(b"}")
        return Template(pieces, tuple(slots), places, has_comma=has_comma)

    def _members(
        self, shape: Shape, given: tuple[str, ...], manner: Manner
    ) -> Iterator[tuple[str, Writer | None, bool]]:
        """Yield the name and the writer of each member, and whether it is required; no writer if given."""
        times = self._timestamp_members(shape, manner)
        for member in members(self._generator, shape):
            name, inner = member.name, member.shape
            is_required = name in shape.required
            if inner is None:
                if is_required:
                    raise DeadEnd(shape.at, f"{name!r} is both required and ruled out")
            elif name in given:
                yield name, None, True
            elif is_required or not (manner == "lean" or (inner.is_leaf and inner.is_unconstrained)):
                try:
                    writer = self._member(shape, name, inner, times)
                    if isinstance(writer, Leaf):
                        writer.probe(self._pools.day)
                except DeadEnd:
                    if is_required:
                        raise
                    continue
                yield name, writer, is_required

    def _inlined(self, writer: Writer, manner: Manner) -> Sequence[Piece] | None:
        """Return the pieces of a value that has no parts to be written on their own, if it is small."""
        if isinstance(writer, Leaf):
            return writer.pieces
        if isinstance(writer, NullableWriter) and manner == "full":
            writer = writer.inner
        if not isinstance(writer, ObjectWriter) or manner == "lean":
            return None
        if writer not in self._flat:
            self._flat[writer] = self._flat_pieces(writer.shape)
        return self._flat[writer]

    def _flat_pieces(self, shape: Shape) -> Sequence[Piece] | None:
        pieces: list[Piece] = []
        try:
            for name, writer, is_required in self._members(shape, (), "full"):
                if not isinstance(writer, Leaf) or (writer.is_whole and not is_required):
                    return None
                pieces += (b"%b%b:" % (b"," if pieces else b"", encode_json(name)), *writer.pieces)
        except DeadEnd:
            return None
        return (b"{", *pieces, b"}") if count_gaps(pieces) <= _MAX_INLINED else None

    def _member(self, shape: Shape, name: str, inner: Shape, times: Mapping[str, Piece]) -> Writer:
        tag = shape.tags.get(name)
        if tag is not None and self._generator.is_valid(inner, tag):
            return Leaf(encode_json(tag))
        return Leaf(times[name]) if name in times else self.of(inner, name)

    def _timestamp_members(self, shape: Shape, manner: Manner) -> dict[str, Piece]:
        """Return the choices of the points in time of an object, in the order of its members."""
        found: dict[TimeRange, list[str]] = {}
        for member in members(self._generator, shape):
            inner = member.shape
            if (
                inner is not None
                and (manner != "lean" or member.name in shape.required)
                and _is_timestamp(inner, member.name)
                and not self._generator.samples(inner)
            ):
                found.setdefault(time_range(member.name), []).append(member.name)
        return {
            name: self.timestamps(within, part, len(names))
            for within, names in found.items()
            for part, name in enumerate(names)
        }

    def _targets(self, shape: Shape, hints: tuple[str, ...]) -> list[_Target]:
        """Return the members that hints with these names set."""
        shapes = {member.name: member.shape for member in members(self._generator, shape) if member.shape}
        always = [name for name in shapes if name in shape.required]
        return [
            _Target(name, hint, shapes[name], _PYTHON.get(kind_of(shapes[name], name) or "", str))
            for name, hint in hint_targets(hints, list(dict.fromkeys((*always, *shapes))))
        ]

    def _given(
        self, shape: Shape, known: dict[tuple[str, ...], list[_Target]], hints: Mapping[str, JSON]
    ) -> dict[str, bytes]:
        """Return the encoded members that hints set. ``known``: the targets by the names of the hints."""
        names = tuple(hints)
        targets = known.get(names)
        if targets is None:
            targets = known[names] = self._targets(shape, names)
        given: dict[str, bytes] = {}
        for target in targets:
            for candidate in interpretations(hints[target.hint], target.usual):
                if self._generator.is_valid(target.shape, candidate):
                    given[target.name] = encode_json(candidate)
                    break
        return given

    # Arrays

    def _array(self, shape: Shape, name: str) -> Writer | None:
        """Return the writer of an array whose items do not depend on each other, else None."""
        parts = shape.array_parts
        if shape.is_uncertain or shape.contains or fixed_items(shape):
            return None
        if len(parts) > 1 and any("unevaluatedItems" in part.node for part in parts):
            return None
        fewest, most = shape.min_items, shape.max_items
        if fewest > MAX_ITEMS or (most is not None and fewest > most):
            return None
        refs = item_refs(shape, 0)
        if not refs or most == 0:
            return None if fewest else Leaf(b"[]")
        item_shape = self._generator.shapes.shape(refs)
        try:
            item = self.of(item_shape, _name_of_item(name))
            if isinstance(item, Leaf):
                item.probe(self._pools.day)
        except DeadEnd:
            if fewest:
                raise
            return Leaf(b"[]")
        return ArrayWriter(shape.at, item, fewest, most, unique=shape.unique)

    # Choices

    def _choice(self, shape: Shape, name: str) -> Writer | None:
        """Return the writer of the first open choice; None if no option is certain to be valid."""
        choice = shape.choices[0]
        if choice.kind in ("oneOf", "anyOf") and (constants := self._constants(shape, choice)) is not None:
            return constants
        if choice.kind == "if" or len(choice.options) > MAX_COMBINATIONS or shape.is_uncertain:
            return None
        options: list[tuple[Writer, int, bool]] = []
        for i in range(len(choice.options)):
            self._left -= 1
            if self._left < 0:
                return None
            taken = self._generator.shapes.take(shape, choice, i)
            if taken.fault or (choice.kind == "oneOf" and not self._excludes_others(taken, choice, i)):
                continue
            try:
                writer = self.of(taken, name)
                if isinstance(writer, Leaf):
                    writer.probe(self._pools.day)
            except DeadEnd:
                continue
            rank = _is_null(taken)
            options.append((writer, int(rank), bool(taken.types & {"object", "array"})))
        if not options:
            return None
        if len(options) == 1:
            return options[0][0]
        usual = [writer for writer, rank, _ in options if not rank]
        if len(usual) == 1:  # the others are null
            (writer,) = usual
            return writer if isinstance(writer, Leaf) and not writer.may_fail else NullableWriter(writer)
        return ChoiceWriter(choice.at, options)

    def _constants(self, shape: Shape, choice: Choice) -> Leaf | None:
        """Return the writer of a choice among constants; None if it has other options too."""
        values: list[JSON] = []
        is_settled = True
        for i in range(len(choice.options)):
            taken = self._generator.shapes.take(shape, choice, i)
            if taken.types == {"null"}:
                continue
            if taken.options is None or taken.fault:
                return None
            values += taken.options
            is_settled = is_settled and not taken.choices and taken.settles_options()
        found = {equality_key(value): value for value in values if value is not None}
        valid = list(found.values())
        if not is_settled or (choice.kind == "oneOf" and len(valid) < len(values)):
            valid = [value for value in valid if self._generator.is_valid(shape, value)]
        return Leaf(self._pools.one_of(valid)) if valid else None

    def _excludes_others(self, taken: Shape, choice: Choice, index: int) -> bool:
        """Return whether no written value of ``taken`` is valid for another option of ``oneOf``."""
        others = (option for i, option in enumerate(choice.options) if i != index)
        return all(self._excludes(taken, option) for option in others)

    def _written_types(self, shape: Shape) -> Set[str]:
        if shape.choices or shape.options is not None or self._generator.samples(shape):
            return shape.types
        kind = kind_of(shape, "")
        return shape.types if kind is None else {"number", "integer"} if kind == "number" else {kind}

    def _excludes(self, taken: Shape, option: Option) -> bool:
        other = self._generator.shapes.shape(option.refs)
        types = self._written_types(taken)
        if other.fault or not types & other.types:
            return True
        if taken.options is not None and other.options is not None:
            return _are_disjoint(taken, other)
        if types != {"object"}:
            return False
        mine = {member.name: member.shape for member in members(self._generator, taken)}
        if not taken.choices and mine and any(name not in mine for name in other.required):
            return True
        for name in taken.required:
            refs = member_refs(other, name)
            if refs is None:
                return True
            own, foreign = mine.get(name), self._generator.shapes.shape(refs)
            if own is not None and (not own.types & foreign.types or _are_disjoint(own, foreign)):
                return True
        return False


def _name_of_item(name: str) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _needs_room(writer: Writer) -> bool:
    """Return whether an optional member is left out of a large value."""
    return not isinstance(writer, Leaf) or writer.is_whole


def _is_timestamp(shape: Shape, name: str) -> bool:
    """Return whether the values of a shape are points in time of any length."""
    if shape.is_uncertain or shape.patterns or shape.options is not None or kind_of(shape, name) != "string":
        return False
    if not shape.formats:
        is_free = not shape.min_length and shape.max_length is None
        return is_free and not shape.choices and text_source(name) == ("time", "date-time")
    return shape.formats == ["date-time"] and not shape.choices


def _is_null(shape: Shape) -> bool:
    return shape.types == {"null"} or shape.options == [None]


def _are_disjoint(one: Shape, other: Shape) -> bool:
    """Return whether two shapes have enums without a common value."""
    if one.options is None or other.options is None:
        return False
    return {equality_key(value) for value in one.options}.isdisjoint(map(equality_key, other.options))
