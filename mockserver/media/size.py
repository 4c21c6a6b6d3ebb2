"""Bounds on how many values a body holds: they are counted before any of them is made.

Octets say little of what a body takes: `[],` is three, and a list in memory.
Delimiters are counted first, which takes next to nothing and is never too few;
only where those are over the bound is a body looked at closer.
"""

from __future__ import annotations

from xml.parsers import expat

from mockserver.media.coercion import Reader, Undecoded
from mockserver.media.json import decode_json
from mockserver.media.shapes import Shape
from mockserver.media.types import ContentType, Malformed
from mockserver.plan import JSON

WEIGHT = 5
"""What a field of a form, a part, an element, an attribute or an event counts, beside a value of JSON."""
_PIECE = 64 * 1024


def exceeds(data: bytes, family: str, content_type: ContentType, most: int) -> bool:
    """Whether a body of a family of media types holds more than so many values."""
    if len(data) * WEIGHT < most:
        return False
    match family:
        case "json" | "lines" | "sequence":
            lines = data.count(b"\n") if family != "json" else 0
            return lines + _of_json(data, most - lines) > most
        case "form":
            fields = data.count(b"&") + 1
            nested = data.count(b"[") + data.upper().count(b"%5B")
            if (fields + nested) * WEIGHT <= most:
                return False
            return fields * WEIGHT > most or (fields + _brackets(data)) * WEIGHT > most
        case "multipart":
            boundary = content_type.parameters.get("boundary", "").encode()
            return bool(boundary) and data.count(b"--" + boundary) * WEIGHT > most
        case "events":
            return (data.count(b"\n") + data.count(b"\r")) * WEIGHT > most
        case "xml":
            # In UTF-16 there is a NUL beside each
            return (data.count(b"<") + data.count(b"=")) * WEIGHT > most and _of_xml(data, most // WEIGHT)
    return False


def _of_json(data: bytes, most: int) -> int:
    """The values of a JSON text, or more where there are not over ``most``."""
    found = data.count(b",") + data.count(b"[") + data.count(b"{") + 1
    if found <= most:
        return found
    # By what stands outside of texts. What is no JSON is for the parser to refuse
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in data else data
    found, is_text = 1, False
    for start in range(0, len(plain), _PIECE):
        parts = plain[start : start + _PIECE].split(b'"')
        outside = b"s".join(parts[is_text::2]).translate(None, b" \t\r\n")
        is_text ^= len(parts) % 2 == 0
        containers = outside.count(b"[") + outside.count(b"{")
        found += outside.count(b",") + containers - outside.count(b"[]") - outside.count(b"{}")
        if found > most:
            break
    return found


def _brackets(form: bytes) -> int:
    """Those in the names of fields: each is a level of an object."""
    names = (pair.partition(b"=")[0] for pair in form.split(b"&"))
    return sum(name.count(b"[") + name.upper().count(b"%5B") for name in names)


class _TooManyError(Exception):
    """Ends parsing from within expat's callbacks."""


def _of_xml(data: bytes, most: int) -> bool:
    left = most

    def start(_: str, attributes: list[str]) -> None:
        nonlocal left
        left -= 1 + len(attributes) // 2
        if left < 0:
            raise _TooManyError

    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except _TooManyError:
        return True
    except (expat.ExpatError, ValueError, LookupError):
        return False  # it ends where it is no XML, for the reader of it to say
    return False


class TooManyNodesError(Exception):
    """A body holds more than is taken."""


class BoundedReader(Reader):
    """Reads the values of one body at a time, and no more of them than it may hold.

    A value that may be read in several ways is read in each, so that twice as many are made as there may be.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.schemas, "request")
        self._left = 0

    def begin(self, most: int) -> None:
        """Read another body, of so many values; beyond them its readers raise TooManyNodesError."""
        self._left = most * 2

    def parse(self, data: bytes) -> JSON | Malformed:
        """A JSON text within a body."""
        self._spend(_of_json(data, self._left))
        return decode_json(data)

    def _split(self, text: str, separator: str) -> list[Undecoded]:
        if text.count(separator) * WEIGHT > self._left:
            raise TooManyNodesError
        return super()._split(text, separator)

    def _array(self, raws: list[Undecoded], shape: Shape, known: dict[object, JSON]) -> list[JSON]:
        self._spend(len(raws) * WEIGHT)
        return super()._array(raws, shape, known)

    def _members(self, raw: dict[str, Undecoded], shape: Shape, known: dict[object, JSON]) -> dict[str, JSON]:
        self._spend(len(raw) * WEIGHT)
        return super()._members(raw, shape, known)

    def _spend(self, nodes: int) -> None:
        self._left -= nodes
        if self._left < 0:
            raise TooManyNodesError
