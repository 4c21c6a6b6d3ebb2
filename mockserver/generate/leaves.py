"""Leaves: writers of values without parts, most of them scalars.

What a leaf writes is put together from prepared pieces, or is a whole value that the generator made.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from operator import getitem
from typing import Protocol

from mockserver.generate.attempt import Attempt, DeadEnd
from mockserver.generate.constraints import Shape
from mockserver.generate.generator import Generator, kind_of
from mockserver.generate.pools import CHOICES, Piece, Pools, Stream, Text, day_of
from mockserver.generate.property_names import (
    IDENTIFIERS,
    TimeRange,
    is_time,
    last_word,
    text_source,
    time_range,
)
from mockserver.generate.scalars import (
    DATED,
    EXACT,
    IDENTIFIER_LENGTH,
    instant,
    number,
    number_at,
    usual_span,
)
from mockserver.plan import JSON

_POOLED_DEPTH, _POOLED_SIZE = 2, 150
"""What is assumed of the surroundings of a value that the generator makes as a whole, so that it is small."""


class Writer(Protocol):
    """Writes values of one shape."""

    active: int
    """How many values of this writer enclose the current part."""

    def write(self, stream: Stream) -> bytes:
        """Return a value as JSON. Raises DeadEnd."""

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Return a value in which members that have the name of a hint are set to it, if that is valid."""


class Leaf:
    """Writes values without parts."""

    __slots__ = ("_text", "active", "is_whole", "may_fail", "pieces")

    def __init__(self, *pieces: Piece, is_whole: bool = False, may_fail: bool = False) -> None:
        """``is_whole``: whether the values come from the generator as a whole, with all parts.

        ``may_fail``: whether a choice may raise DeadEnd.
        """
        self.pieces = pieces
        self.is_whole = is_whole
        self.may_fail = may_fail
        self.active = 0
        self._text = Text(pieces)

    def write(self, stream: Stream) -> bytes:
        """Return a value as JSON. Raises DeadEnd."""
        text = self._text
        return text.text % tuple(map(getitem, text.pools(stream), stream.take(text.count)))

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Ignore the hints."""
        return self.write(stream)

    def all(self, stream: Stream) -> list[bytes]:
        """Return all different values, if they are a single choice; else none. Raises DeadEnd."""
        text = self._text
        if text.text != b"%b":
            return []
        (pool,) = text.pools(stream)
        return list(dict.fromkeys(pool[number] for number in range(CHOICES)))

    def probe(self, day: int) -> None:
        """Make a first value. Raises DeadEnd if that is not possible."""
        if self.may_fail:
            for pool in day_of([piece for piece in self.pieces if not isinstance(piece, bytes)], day):
                pool[0]


class Leaves:
    """The leaves of one generator's shapes."""

    def __init__(self, generator: Generator, pools: Pools, label: str) -> None:
        """``label``: what tells this generator from others with the same pools."""
        self._generator = generator
        self._pools = pools
        self._label = label

    def pooled(self, shape: Shape, name: str) -> Leaf:
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

    def scalar(self, shape: Shape, name: str, kind: str | None) -> Leaf:
        match kind:
            case "null":
                return Leaf(b"null")
            case "boolean" if not shape.is_uncertain:
                return Leaf(self._pools.one_of((True, False)))
            case "string" if not (shape.is_uncertain or shape.patterns):
                return self._text(shape, name)
            case "integer" | "number" if not shape.is_uncertain:
                return self._number(shape, name, is_whole=kind == "integer")
        return self.pooled(shape, name)

    def _text(self, shape: Shape, name: str) -> Leaf:
        low, high = shape.min_length, shape.max_length
        formats = shape.formats
        source = text_source(name)
        if formats == ["uuid"]:
            return Leaf(*self._pools.uuid())
        has_room = low <= IDENTIFIER_LENGTH and (high is None or high >= IDENTIFIER_LENGTH)
        if not formats and source[0] == "identifier" and has_room:
            return Leaf(*self._pools.identifier())
        is_dated = not DATED.isdisjoint(formats) or source[0] == "time"
        if is_timestamp(shape, name):
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

    def _number(self, shape: Shape, name: str, *, is_whole: bool) -> Leaf:
        if is_whole and is_time(name):

            def fill(rng: random.Random, day: int) -> JSON:
                return number(shape, name, rng, day, whole=True)

            identity = f"time {shape.low} {shape.low_open} {shape.high} {shape.high_open} {shape.steps}"
            return Leaf(self._pools.day_pool(f"{identity} {'int64' in shape.formats}", fill))
        span = usual_span(shape, name, whole=is_whole)
        step, first, last = span
        if step.denominator != 1 and max(abs(first), abs(last)) * step.numerator > EXACT:
            return self.pooled(shape, name)
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


def is_timestamp(shape: Shape, name: str) -> bool:
    """Return whether the values of a shape are points in time of any length."""
    if shape.is_uncertain or shape.patterns or shape.options is not None or kind_of(shape, name) != "string":
        return False
    if not shape.formats:
        is_free = not shape.min_length and shape.max_length is None
        return is_free and not shape.choices and text_source(name) == ("time", "date-time")
    return shape.formats == ["date-time"] and not shape.choices
