"""The limit on the number of values in a body, which are counted before they are decoded.

The number of bytes says little about the memory of the decoded body: ``[],`` is
three bytes, but a list in memory. The delimiters are counted first, which is
fast and never too few. Only if they are above the limit is the count exact.
The values of XML are counted while it is parsed, unless it surely has too many.
"""

from __future__ import annotations

from mockserver.media.coercion import Known, Reader, Undecoded
from mockserver.media.json import decode_json, without_escapes
from mockserver.media.shapes import Shape
from mockserver.media.types import ContentType, Malformed
from mockserver.plan import JSON

WEIGHT = 5
"""A form field, part, XML element, XML attribute or event counts as this number of JSON values."""
_CHUNK = 64 * 1024
_NO_DELIMITERS = bytes(set(range(256)).difference(b'[]{},"'))
_SPACE = b" \t\r\n"


def estimate(data: bytes, family: str, content_type: ContentType) -> int:
    """Return the number of values in a body, or more. ``family`` is that of its media type."""
    match family:
        case "json":
            return _most_json(data)
        case "lines" | "sequence":
            return _most_json(data) + data.count(b"\n")
        case "form":
            nested = data.count(b"[") + data.count(b"%5B") + data.count(b"%5b")
            return (data.count(b"&") + 1 + nested) * WEIGHT + data.count(b",")
        case "multipart":
            boundary = content_type.parameters.get("boundary", "").encode()
            return (data.count(b"--" + boundary) if boundary else 0) * WEIGHT + _most_json(data)
        case "events":
            return (data.count(b"\n") + data.count(b"\r")) * WEIGHT + _most_json(data)
        case "xml":
            return (data.count(b"<") + data.count(b"=")) * WEIGHT
    return 0


def _most_json(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{") + 1


def exceeds(data: bytes, family: str, content_type: ContentType, max_nodes: int) -> bool:
    """Return whether a body holds more than ``max_nodes`` values. ``family`` is that of its media type."""
    if len(data) * WEIGHT < max_nodes:
        return False
    match family:
        case "json" | "lines" | "sequence":
            lines = data.count(b"\n") if family != "json" else 0
            return lines + _count_json(data, max_nodes - lines) > max_nodes
        case "form":
            fields = data.count(b"&") + 1
            nested = data.count(b"[") + data.upper().count(b"%5B")
            if (fields + nested) * WEIGHT <= max_nodes:
                return False
            return fields * WEIGHT > max_nodes or (fields + _count_brackets(data)) * WEIGHT > max_nodes
        case "multipart":
            boundary = content_type.parameters.get("boundary", "").encode()
            return bool(boundary) and data.count(b"--" + boundary) * WEIGHT > max_nodes
        case "events":
            return (data.count(b"\n") + data.count(b"\r")) * WEIGHT > max_nodes
        case "xml":
            return data.count(b"<") * WEIGHT > max_nodes and _least_elements(data) * WEIGHT > max_nodes
    return False


def _count_json(data: bytes, max_nodes: int) -> int:
    """Return the number of values of a JSON text, or an upper bound if that is at most ``max_nodes``."""
    found = _most_json(data)
    if found <= max_nodes:
        return found
    # Count outside of strings only. If this is not JSON, the parser reports it later
    plain = without_escapes(data)
    found, is_text = 1, False
    for start in range(0, len(plain), _CHUNK):
        outside = chunk = b'"' * is_text + plain[start : start + _CHUNK]
        quoted = chunk.translate(None, _NO_DELIMITERS)
        is_text = quoted.count(b'"') % 2 == 1
        delimiters = quoted.replace(b'""', b"")  # without the strings that hold none
        if b'"' in delimiters[: len(delimiters) - is_text]:
            outside = delimiters = b"s".join(chunk.split(b'"')[::2])
        containers = delimiters.count(b"[") + delimiters.count(b"{")
        found += delimiters.count(b",") + containers
        if containers:
            outside = outside.translate(None, _SPACE)
            found -= outside.count(b"[]") + outside.count(b"{}")
        if found > max_nodes:
            break
    return found


def _count_brackets(form: bytes) -> int:
    """Count the brackets in the names of fields, because each is a level of an object."""
    names = (pair.partition(b"=")[0] for pair in form.split(b"&"))
    return sum(name.count(b"[") + name.upper().count(b"%5B") for name in names)


def _least_elements(xml: bytes) -> int:
    """Return the least number of elements of an XML text; that of all is counted while it is parsed."""
    if b"<!" in xml or b"\0" in xml or xml.rfind(b"<?") > 0:
        return 0  # where there are comments and the like, or in UTF-16, ``<`` is no sign of an element
    start = xml.find(b"?>") + 1
    return xml.count(b"<", start) - xml.count(b"</", start)


class TooManyNodesError(Exception):
    """A body holds more values than the limit."""


class BoundedReader(Reader):
    """A reader that limits the number of values of a body.

    A value with several interpretations is read in each, so twice the number is allowed.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.schemas, "request")
        self._left = 0

    def begin(self, max_nodes: int) -> None:
        """Start a new body of at most ``max_nodes`` values. Above that, reading raises TooManyNodesError."""
        self.max_nodes = max_nodes
        self._left = max_nodes * 2

    def parse(self, data: bytes) -> JSON | Malformed:
        """Decode a JSON text within a body. Raises TooManyNodesError."""
        self._count(_count_json(data, self._left))
        return decode_json(data)

    def _split(self, text: str, separator: str) -> list[Undecoded]:
        if text.count(separator) * WEIGHT > self._left:
            raise TooManyNodesError
        return super()._split(text, separator)

    def _read_array(self, raws: list[Undecoded], shape: Shape, known: Known) -> list[JSON]:
        self._count(len(raws) * WEIGHT)
        return super()._read_array(raws, shape, known)

    def _read_members(self, raw: dict[str, Undecoded], shape: Shape, known: Known) -> dict[str, JSON]:
        self._count(len(raw) * WEIGHT)
        return super()._read_members(raw, shape, known)

    def _count(self, nodes: int) -> None:
        self._left -= nodes
        if self._left < 0:
            raise TooManyNodesError
