"""Prepared values: each pool has up to 64 encoded values, which are made at their first use.

A stream makes the choices of one value: numbers from 0 to 63 that are a function of its identity.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from hashlib import blake2b
from typing import Protocol

import msgspec

from mockserver.generate.attempt import DeadEnd, seeded_rng
from mockserver.plan import JSON

CHOICES = 64
"""The number of different values that one choice selects from."""
MAX_OCTETS = 8 * 1024 * 1024
"""The octets of the values in all pools of a document. Above it, all values are dropped and made again."""
encode_json = msgspec.json.Encoder().encode
_TO_CHOICE = bytes(number % CHOICES for number in range(256))
_OVERHEAD = 120
_MAX_DAYS = 4
"""The days for which the values that contain dates are kept: namespaces have clocks of their own."""
_HEX = "0123456789abcdef"
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

Fill = Callable[[random.Random, int], JSON]
"""Makes a value from random numbers and the day, in milliseconds. Raises DeadEnd."""


class Stream(msgspec.Struct, gc=False):
    """An endless sequence of choices, and what is known about the value so far.

    Dates depend on the day alone, so that prepared values last for a day.
    """

    block: bytes
    """The last digest that became choices."""
    day: int
    """In milliseconds since the epoch."""
    choices: bytes
    next: int = 0
    """The number of choices that are taken."""
    depth: int = 0
    """How many objects and arrays enclose the current part."""
    size: int = 0
    """The number of parts so far."""
    framed_depth: int = 0
    """The depth of the objects that are written into frames: the outermost one, or the items of a list."""

    def take(self, count: int) -> bytes:
        """Return the next ``count`` choices."""
        start = self.next
        self.next = end = start + count
        choices = self.choices[start:end]
        return choices if len(choices) == count else self._extend(start, end)

    def one(self) -> int:
        """Return the next choice."""
        at = self.next
        if at < len(self.choices):
            self.next = at + 1
            return self.choices[at]
        return self.take(1)[0]

    def _extend(self, start: int, end: int) -> bytes:
        known = self.choices[start:]
        while len(known) < end - start:
            self.block = blake2b(self.block).digest()
            known += self.block.translate(_TO_CHOICE)
        self.choices, self.next = known, end - start
        return known[: self.next]


class Identity:
    """The constant first part of an identity, of which the streams of many keys differ in the rest."""

    __slots__ = ("_hash",)

    def __init__(self, *parts: int | str) -> None:
        self._hash = blake2b("".join(f"{part}\x1f" for part in parts).encode("utf-8", "surrogatepass"))

    def stream(self, key: str, day: int) -> Stream:
        """Return the stream of a key on a day, in milliseconds."""
        whole = self._hash.copy()
        whole.update(key.encode("utf-8", "surrogatepass"))
        block = whole.digest()
        return Stream(block, day, block.translate(_TO_CHOICE))


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A whole object, with gaps for its scalars alone."""

    text: bytes
    size: int
    """The number of its parts."""


class Frames:
    """The frames of one document's objects, up to 64 of each for a day, which are made at their first use.

    A frame depends on the seed, its name, its number and the day only.
    """

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self._known: dict[tuple[str, int, int], Frame] = {}
        self.size = 0
        """The octets of the frames, approximately. Above MAX_OCTETS, all are dropped and made again."""

    def get(self, name: str, number: int, day: int) -> Frame | None:
        """Return a frame, if it is made."""
        return self._known.get((name, number, day))

    def stream(self, name: str, number: int, day: int) -> Stream:
        """Return the choices from which a frame is made."""
        stream = Identity(self._seed, name).stream(str(number), day)
        stream.framed_depth = -1
        return stream

    def keep(self, name: str, number: int, day: int, frame: Frame) -> Frame:
        """Keep a new frame, and return it."""
        octets = len(frame.text) + _OVERHEAD
        self.size += octets
        if self.size > MAX_OCTETS:
            self._known.clear()
            self.size = octets
        self._known[name, number, day] = frame
        return frame


class Choices(Protocol):
    """Encoded values by number, 0 to 63."""

    def __getitem__(self, number: int, /) -> bytes:
        """Return the value of a choice. Raises DeadEnd."""


class Pool(dict[int, bytes]):
    """Values that are made at their first use."""

    __slots__ = ("_day", "_fill", "_name", "_pools")

    def __init__(self, pools: Pools, name: str, fill: Fill, day: int) -> None:
        super().__init__()
        self._pools = pools
        self._name = name
        self._fill = fill
        self._day = day

    def __missing__(self, number: int) -> bytes:
        rng = seeded_rng(self._pools.seed, self._name, number)
        try:
            value = encode_json(self._fill(rng, self._day))
        except (ValueError, TypeError) as error:
            raise DeadEnd("", f"its values are not JSON: {error}") from None
        self._pools.count(len(value) + _OVERHEAD)
        self[number] = value
        return value


class DayPool:
    """Values that contain dates: one pool for each day."""

    __slots__ = ("_fill", "_name", "_of", "_pools")

    def __init__(self, pools: Pools, name: str, fill: Fill) -> None:
        self._pools = pools
        self._name = name
        self._fill = fill
        self._of: dict[int, Pool] = {}

    def of(self, day: int) -> Pool:
        """Return the values for a day, in milliseconds."""
        pool = self._of.get(day)
        if pool is None:
            if len(self._of) >= _MAX_DAYS:
                self._of.clear()
            pool = self._of[day] = Pool(self._pools, self._name, self._fill, day)
        return pool

    def clear(self) -> None:
        """Drop the values."""
        self._of.clear()


Piece = bytes | Choices | DayPool
"""A part of an encoded value: always the same, or a choice."""


class Pools:
    """The pools of one document, by name. Values depend on the seed and on the name of their pool only."""

    def __init__(self, seed: int | str) -> None:
        self.seed = seed
        self.day = 0
        """The current day, in milliseconds, for values that are made to see whether it is possible."""
        self.size = 0
        """The octets of the values, approximately."""
        self._known: dict[str, Pool | DayPool] = {}
        self._fixed: dict[Hashable, Sequence[bytes]] = {}

    def pool(self, name: str, fill: Fill) -> Pool:
        """Return the pool ``name`` of values without dates."""
        found = self._known.get(name)
        if not isinstance(found, Pool):
            found = self._known[name] = Pool(self, name, fill, 0)
        return found

    def day_pool(self, name: str, fill: Fill) -> DayPool:
        """Return the pool ``name`` of values with dates."""
        found = self._known.get(name)
        if not isinstance(found, DayPool):
            found = self._known[name] = DayPool(self, name, fill)
        return found

    def one_of(self, options: Sequence[JSON]) -> Piece:
        """Return a choice among given values. Raises ValueError or TypeError if one is not JSON."""
        encoded = tuple(map(encode_json, options))
        if len(encoded) == 1:
            return encoded[0]
        return self._spread(encoded, encoded)

    def uuid(self) -> Sequence[Piece]:
        """Return the pieces of UUIDs of version 4 (RFC 9562), with their quotation marks."""
        first, *others = (
            self._texts(f"uuid{i}", _HEX, length) for i, length in enumerate((8, 4, 3, 3, 6, 6))
        )
        variants = self._spread("variant", (b"8", b"9", b"a", b"b"))
        return (
            *(b'"', first, b"-", others[0], b"-4", others[1], b"-", variants, others[2]),
            *(b"-", others[3], others[4], b'"'),
        )

    def identifier(self) -> Sequence[Piece]:
        """Return the pieces of texts of 12 letters and digits, with their quotation marks."""
        return (b'"', *(self._texts(f"identifier{i}", _ALPHABET, 2) for i in range(6)), b'"')

    def numbers(self, first: int, last: int) -> Sequence[Piece]:
        """Return the pieces of thousands of integers between two bounds; none if the range is too small."""
        low, high = -(-first // 100), (last - 99) // 100
        if low < 0 or high < max(low, 1):
            return ()
        low = max(low, 1)
        hundreds = range(low, high + 1, max(1, (high - low + 1) // CHOICES))[:CHOICES]
        rest = range(100)
        return (
            self._spread(("hundreds", low, high), [b"%d" % number for number in hundreds]),
            self._spread("rest", [b"%02d" % number for number in rest]),
        )

    def count(self, octets: int) -> None:
        """Count the octets of a new value. Above the limit, drop all values."""
        self.size += octets
        if self.size > MAX_OCTETS:
            for pool in self._known.values():
                pool.clear()
            self.size = 0

    def _texts(self, name: str, letters: str, length: int) -> Choices:
        known = self._fixed.get(name)
        if known is None:
            rng = seeded_rng(self.seed, name)
            texts = ("".join(rng.choices(letters, k=length)).encode() for _ in range(CHOICES))
            known = self._fixed[name] = tuple(texts)
        return known

    def _spread(self, key: Hashable, options: Sequence[bytes]) -> Choices:
        known = self._fixed.get(key)
        if known is None:
            count = len(options)
            known = tuple(options[number * count // CHOICES] for number in range(CHOICES))
            if len(self._fixed) > 10_000:
                return known
            self._fixed[key] = known
        return known


def day_of(pieces: Sequence[Choices | DayPool], day: int) -> tuple[Choices, ...]:
    """Return the choices of a day."""
    return tuple(piece.of(day) if isinstance(piece, DayPool) else piece for piece in pieces)


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
