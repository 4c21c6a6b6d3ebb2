"""Writers: each writes values of one shape as JSON, from prepared pieces and the choices of a stream.

A writer is made once for each shape, and shared by all schemas that contain it. What it
writes is valid by the way it is put together; Writers.of finds out where that is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from operator import getitem
from typing import Literal, Protocol

from mockserver.generate.attempt import (
    MAX_DEPTH,
    MAX_OPTIONAL_DEPTH,
    MAX_OPTIONAL_PARTS,
    MAX_OPTIONAL_SCALARS,
    MAX_PARTS,
    MAX_RECURSION,
    DeadEnd,
    Endless,
)
from mockserver.generate.constraints import Shape
from mockserver.generate.pools import CHOICES, Choices, DayPool, Piece, Stream, day_of
from mockserver.plan import JSON, SchemaRef

BLANK: tuple[bytes, ...] = (b"",) * CHOICES
"""Holds the place of a part that is written afterwards."""
_TRIES = 24
_MANY = 8
"""The number of items from which on they are written at once."""


class Writer(Protocol):
    """Writes values of one shape."""

    active: int
    """How many values of this writer enclose the current part."""

    def write(self, stream: Stream) -> bytes:
        """Return a value as JSON. Raises DeadEnd."""

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Return a value in which members that have the name of a hint are set to it, if that is valid."""


def count_gaps(pieces: Sequence[Piece]) -> int:
    """Return the number of choices among the pieces of a value."""
    return sum(not isinstance(piece, bytes) for piece in pieces)


class Text:
    """A text with gaps, which choices fill."""

    __slots__ = ("_day", "_pieces", "_pools", "count", "text")

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.text = b"".join(
            piece.replace(b"%", b"%%") if isinstance(piece, bytes) else b"%b" for piece in pieces
        )
        gaps = tuple(piece for piece in pieces if not isinstance(piece, bytes))
        self.count = len(gaps)
        self._pieces = gaps if any(isinstance(gap, DayPool) for gap in gaps) else ()
        self._pools = day_of(gaps, 0)
        self._day = 0

    def pools(self, stream: Stream) -> tuple[Choices, ...]:
        """Return the choices for each gap."""
        if self._pieces and stream.day != self._day:
            self._pools = day_of(self._pieces, stream.day)
            self._day = stream.day
        return self._pools


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


class Slot:
    """A member of an object that its own writer writes."""

    __slots__ = ("at", "prefix", "when_room", "writer")

    def __init__(self, at: int, writer: Writer, prefix: bytes, *, when_room: bool) -> None:
        """``prefix``: what precedes the member. ``when_room``: whether it is left out of a large value."""
        self.at = at
        self.writer = writer
        self.prefix = prefix
        self.when_room = when_room


class Template:
    """The members of an object, with gaps."""

    __slots__ = ("given", "has_comma", "slots", "text")

    def __init__(
        self, pieces: Sequence[Piece], slots: Sequence[Slot], given: Mapping[str, int], *, has_comma: bool
    ) -> None:
        """``has_comma``: whether a comma may follow the opening brace. ``given``: gaps of given members."""
        self.text = Text(pieces)
        self.slots = slots
        self.given = given
        self.has_comma = has_comma


Manner = Literal["full", "tight", "lean"]
"""Which optional members an object has: all, those without parts, or none."""


class ObjectWriter:
    """Writes objects. ``make`` and ``fit`` are functions of the Writers that know the schema."""

    __slots__ = ("_fit", "_make", "_templates", "active", "shape")

    def __init__(
        self,
        shape: Shape,
        make: Callable[[tuple[str, ...], Manner], Template],
        fit: Callable[[Mapping[str, JSON]], dict[str, bytes]],
    ) -> None:
        """``make`` returns the template for the names of given members.

        ``fit`` returns the encoded members for hints. Both raise DeadEnd.
        """
        self.shape = shape
        self._make = make
        self._fit = fit
        self._templates: dict[tuple[str, ...] | Manner, Template] = {}
        self.active = 0

    def write(self, stream: Stream) -> bytes:
        """Return an object as JSON. Raises DeadEnd."""
        manner = self._manner(stream)
        template = self._templates.get(manner)
        if template is None:
            template = self._templates[manner] = self._make((), manner)
        text = template.text
        if template.slots or stream.size > MAX_PARTS:
            return self._fill(template, stream, None)
        stream.size += text.count + 1
        return text.text % tuple(map(getitem, text.pools(stream), stream.take(text.count)))

    def prepare(self) -> None:
        """Make what most objects need, before the first one is written. Raises DeadEnd."""
        if "full" not in self._templates:
            self._templates["full"] = self._make((), "full")

    def flat(self, stream: Stream) -> Text | None:
        """Return the text of the objects that follow, if they have no parts to be written on their own."""
        if self._manner(stream) != "full":
            return None
        template = self._templates.get("full")
        if template is None:
            template = self._templates["full"] = self._make((), "full")
        return None if template.slots else template.text

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Return an object in which members that have the name of a hint are set to it, if that is valid."""
        members = self._fit(hints)
        if not members:
            return self.write(stream)
        names = tuple(members)
        template = self._templates.get(names)
        if template is None:
            template = self._templates[names] = self._make(names, "full")
        return self._fill(template, stream, members)

    @staticmethod
    def _manner(stream: Stream) -> Manner:
        if stream.size < MAX_OPTIONAL_PARTS and stream.depth < MAX_OPTIONAL_DEPTH - 1:
            return "full"
        return "tight" if stream.size < MAX_OPTIONAL_SCALARS else "lean"

    def _fill(self, template: Template, stream: Stream, given: Mapping[str, bytes] | None) -> bytes:
        text = template.text
        stream.size += text.count + 1
        if self.active >= MAX_RECURSION:
            raise Endless("", "its values are nested in each other without end")
        parts = list(map(getitem, text.pools(stream), stream.take(text.count)))
        if given is not None:
            for name, at in template.given.items():
                parts[at] = given[name]
        if template.slots:
            self._write_slots(template.slots, parts, stream)
        written = text.text % tuple(parts)
        if template.has_comma and written[1:2] == b",":
            return b"{" + written[2:]
        return written

    def _write_slots(self, slots: Sequence[Slot], parts: list[bytes], stream: Stream) -> None:
        if stream.size > MAX_PARTS:
            raise DeadEnd("", f"its values have more than {MAX_PARTS} parts")
        if stream.depth > MAX_DEPTH:
            raise DeadEnd("", f"its values are nested more than {MAX_DEPTH} levels deep")
        self.active += 1
        stream.depth += 1
        try:
            for slot in slots:
                writer = slot.writer
                if not slot.when_room:
                    parts[slot.at] = writer.write(stream)
                elif not (
                    writer.active or stream.depth >= MAX_OPTIONAL_DEPTH or stream.size >= MAX_OPTIONAL_PARTS
                ):
                    try:
                        parts[slot.at] = slot.prefix + writer.write(stream)
                    except DeadEnd:
                        continue
        finally:
            self.active -= 1
            stream.depth -= 1


class MapWriter:
    """Writes objects with one or two members of any name, or of the minimum number."""

    __slots__ = ("_fewest", "_members", "active")

    def __init__(self, members: Sequence[tuple[bytes, Writer]], fewest: int) -> None:
        """``members``: the possible ones, each with its prefix."""
        self._members = members
        self._fewest = fewest
        self.active = 0

    def write(self, stream: Stream) -> bytes:
        """Return an object as JSON. Raises DeadEnd."""
        count = self._fewest
        if not count and stream.depth < MAX_OPTIONAL_DEPTH and stream.size < MAX_OPTIONAL_PARTS:
            count = 1 + (stream.one() & 1)
        stream.size += 1
        if self.active >= MAX_RECURSION:
            raise Endless("", "its values are nested in each other without end")
        self.active += 1
        stream.depth += 1
        try:
            written = [prefix + writer.write(stream) for prefix, writer in islice(self._members, count)]
        except DeadEnd:
            if self._fewest:
                raise
            return b"{}"
        finally:
            self.active -= 1
            stream.depth -= 1
        stream.size += len(written)
        return b"{%b}" % b",".join(written)

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Ignore the hints."""
        return self.write(stream)


class ArrayWriter:
    """Writes arrays whose items all have the same schemas."""

    __slots__ = ("_at", "_fewest", "_item", "_most", "_repeated", "_unique", "active")

    def __init__(self, at: SchemaRef, item: Writer, fewest: int, most: int | None, *, unique: bool) -> None:
        self._at = at
        self._item = item
        self._fewest = fewest
        self._most = most
        self._unique = unique
        self._repeated: tuple[Text, bytes] | None = None
        """The text of an item, and that of all items."""
        self.active = 0

    def write(self, stream: Stream) -> bytes:
        """Return an array as JSON. Raises DeadEnd."""
        if stream.depth > MAX_DEPTH or stream.size > MAX_PARTS:
            raise DeadEnd(self._at, "its values are too large")
        if self.active >= MAX_RECURSION:
            raise Endless(self._at, "its values are nested in each other without end")
        self.active += 1
        stream.depth += 1
        try:
            items = self._items(stream)
        finally:
            self.active -= 1
            stream.depth -= 1
        return b"[%b]" % b",".join(items)

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Ignore the hints."""
        return self.write(stream)

    def _items(self, stream: Stream) -> list[bytes]:
        fewest, item = self._fewest, self._item
        wanted = fewest
        if not item.active and stream.depth < MAX_OPTIONAL_DEPTH and stream.size < MAX_OPTIONAL_PARTS:
            usual = 1 + (stream.one() * 3 // CHOICES if stream.depth < 3 else 0)
            wanted = max(fewest, usual if self._most is None else min(usual, self._most))
        stream.size += 1
        out: list[bytes] = []
        if wanted == fewest and not self._unique:
            if wanted >= _MANY and isinstance(item, ObjectWriter) and (flat := item.flat(stream)) is not None:
                return [self._repeat(flat, wanted, stream)]
            for _ in range(wanted):
                stream.size += 1
                if stream.size > MAX_PARTS:
                    raise DeadEnd(self._at, f"its values have more than {MAX_PARTS} parts")
                out.append(item.write(stream))
            return out
        try:
            self._add_different(out, wanted, stream)
        except DeadEnd:
            if len(out) < fewest:
                raise
        return out

    def _repeat(self, flat: Text, count: int, stream: Stream) -> bytes:
        """Return many objects without parts at once."""
        stream.size += count * (flat.count + 1)
        if stream.size > MAX_PARTS:
            raise DeadEnd(self._at, f"its values have more than {MAX_PARTS} parts")
        if self._repeated is None or self._repeated[0] is not flat:
            self._repeated = flat, b",".join([flat.text] * count)
        choices = stream.take(count * flat.count)
        return self._repeated[1] % tuple(map(getitem, cycle(flat.pools(stream)), choices))

    def _add_different(self, out: list[bytes], wanted: int, stream: Stream) -> None:
        """Add items until there are enough, or until one is a repetition that is not needed."""
        seen: set[bytes] = set()
        item = self._item
        tries = _TRIES
        while len(out) < wanted:
            stream.size += 1
            if stream.size > MAX_PARTS:
                raise DeadEnd(self._at, f"its values have more than {MAX_PARTS} parts")
            written = item.write(stream)
            if written in seen:
                if len(out) >= self._fewest:
                    return
                if self._unique and tries:
                    tries -= 1
                    continue
                if self._unique:
                    self._add_others(out, seen, stream)
                    return
            seen.add(written)
            out.append(written)

    def _add_others(self, out: list[bytes], seen: set[bytes], stream: Stream) -> None:
        """Add the values of a choice that are missing, up to the minimum."""
        others = self._item.all(stream) if isinstance(self._item, Leaf) else []
        out += islice((other for other in others if other not in seen), self._fewest - len(out))
        if len(out) < self._fewest:
            raise DeadEnd(self._at, f"no more than {len(out)} different items could be made")


class NullableWriter:
    """Writes values of one shape, or null where they would be too large or impossible."""

    __slots__ = ("active", "inner")

    def __init__(self, inner: Writer) -> None:
        self.inner = inner
        self.active = 0

    def write(self, stream: Stream) -> bytes:
        """Return a value as JSON."""
        inner = self.inner
        if inner.active or stream.depth >= MAX_OPTIONAL_DEPTH or stream.size >= MAX_OPTIONAL_PARTS:
            return b"null"
        try:
            return inner.write(stream)
        except DeadEnd:
            return b"null"

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Return a value in which members that have the name of a hint are set to it, if that is valid."""
        try:
            return self.inner.write_hinted(stream, hints)
        except DeadEnd:
            return b"null"


class ChoiceWriter:
    """Writes values of one of several shapes: null and recursion only where nothing else is possible."""

    __slots__ = ("_at", "_options", "active")

    def __init__(self, at: SchemaRef, options: Sequence[tuple[Writer, int, bool]]) -> None:
        """``options``: the writer of each, its rank, and whether it has parts."""
        self._at = at
        self._options = options
        self.active = 0

    def write(self, stream: Stream) -> bytes:
        """Return a value as JSON. Raises DeadEnd."""
        return self._write(stream, None)

    def write_hinted(self, stream: Stream, hints: Mapping[str, JSON]) -> bytes:
        """Return a value in which members that have the name of a hint are set to it, if that is valid."""
        return self._write(stream, hints)

    def _write(self, stream: Stream, hints: Mapping[str, JSON] | None) -> bytes:
        options = self._options
        start = stream.one() * len(options) // CHOICES
        has_room = stream.depth < MAX_OPTIONAL_DEPTH and stream.size < MAX_OPTIONAL_PARTS
        turned = [*options[start:], *options[:start]]
        ranked = [
            (2 if rank == 0 and (writer.active or (has_parts and not has_room)) else rank, writer)
            for writer, rank, has_parts in turned
        ]
        dead_end: DeadEnd | None = None
        if self.active >= MAX_RECURSION:
            raise Endless(self._at, "its values are nested in each other without end")
        self.active += 1
        try:
            for wanted in range(3):
                for rank, writer in ranked:
                    if rank != wanted:
                        continue
                    try:
                        return writer.write(stream) if hints is None else writer.write_hinted(stream, hints)
                    except DeadEnd as other:
                        dead_end = other
        finally:
            self.active -= 1
        raise dead_end or DeadEnd(self._at, "none of its alternatives is possible")
