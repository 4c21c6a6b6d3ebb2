"""XML by the OpenAPI ``xml`` object: names, namespaces, attributes, wrapped arrays, 3.2's ``nodeType``.

The parser is expat. A document type declaration is rejected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from mockserver.jsonschema import SchemaError
from mockserver.media.coercion import Reader, Undecoded
from mockserver.media.size import WEIGHT, TooManyNodesError
from mockserver.media.text import encode_text
from mockserver.media.types import ContentType, Malformed
from mockserver.plan import JSON, SchemaRef

MAX_DEPTH = 100
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_SEPARATOR = "\n"  # between namespace and name; an XML name contains no line feed
_OF_INSTANCE = INSTANCE + _SEPARATOR
_CHUNK = 1024 * 1024
"""Octets that are parsed at once. A tag that ends in a later chunk is read from its start again for each."""
_TAG = re.compile(rb"<[^!?/\0][^\0]")
"""The first octets of a start tag, unless it is in UTF-16."""
_VALUE = re.compile(rb"\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z)")


class _RefusedError(Exception):
    """Ends parsing from within expat's callbacks."""


class Element(Struct, gc=False):
    """An element. Its name and those of ``attributes`` are local. ``xsi`` attributes are left out."""

    name: str
    namespace: str
    attributes: dict[str, str]
    is_nil: bool = False
    children: list[Element] = []
    pieces: list[str] = []

    @property
    def text(self) -> str:
        """All text of the element itself, without that of its children."""
        return "".join(self.pieces)


def parse_elements(data: bytes, max_nodes: float) -> Element | Malformed:
    """Return the root element. The encoding is that of the XML declaration, or UTF-8.

    Raises TooManyNodesError if there are more than ``max_nodes`` elements and attributes.
    """
    above = Element("", "", {})
    stack = [above]
    left = max_nodes

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal left
        left -= 1 + len(attributes)
        if left < 0:
            raise TooManyNodesError
        if len(stack) > MAX_DEPTH:
            raise _RefusedError(f"it is nested over {MAX_DEPTH} deep")
        namespace, _, name = tag.rpartition(_SEPARATOR)
        is_nil = False
        if attributes:
            is_nil = attributes.get(f"{_OF_INSTANCE}nil") in ("true", "1")
            attributes = {
                key.rpartition(_SEPARATOR)[2]: value
                for key, value in attributes.items()
                if not key.startswith(_OF_INSTANCE)
            }
        element = Element(name, namespace, attributes, is_nil)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def characters(text: str) -> None:
        stack[-1].pieces.append(text)

    def declaration(*_: object) -> None:
        nonlocal left
        left -= 1

    def doctype(*_: object) -> None:
        raise _RefusedError("it has a document type declaration")

    try:
        parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        parser.buffer_text = True
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = characters
        if data.count(b"<") + data.count(b"=") > max_nodes:  # in UTF-16 too, each with a NUL
            parser.StartNamespaceDeclHandler = declaration
        parser.StartDoctypeDeclHandler = doctype
        for end_of_chunk in range(_CHUNK, len(data) + _CHUNK, _CHUNK):
            parser.Parse(data[end_of_chunk - _CHUNK : end_of_chunk], False)
            unread = parser.CurrentByteIndex  # negative where the parser does not know
            if _count_attributes(data, unread, end_of_chunk, left) > left:
                raise TooManyNodesError
        parser.Parse(b"", True)
    except _RefusedError as refused:
        return Malformed(f"The body is XML that is not accepted: {refused}")
    except (expat.ExpatError, ValueError, LookupError) as error:
        return Malformed(f"The body is not XML: {error}")
    return above.children[0]


def _count_attributes(data: bytes, start: int, end: int, enough: float) -> int:
    """Return the number of attributes of a tag that the parser has not read to its end yet.

    It would read hundreds of thousands of them for seconds before it tells of the first. If the number is
    at most ``enough``, it may be too large.
    """
    if not 0 <= start < end or not _TAG.match(data, start):
        return 0
    found = data.count(b"=", start, end)
    return found if found <= enough else sum(1 for _ in _VALUE.finditer(data, start, end))


@dataclass(frozen=True, slots=True)
class Node:
    """How values of a schema are encoded: its ``xml`` object with the defaults filled in."""

    schema: SchemaRef | None
    name: str
    namespace: str = ""
    prefix: str = ""
    kind: str = "element"
    """element, attribute, or text (CDATA included)."""
    is_array: bool = False
    wrapped: bool = False
    """Whether an element encloses the items of an array."""

    @property
    def tag(self) -> str:
        """The name with its prefix."""
        return f"{self.prefix}:{self.name}" if self.prefix else self.name

    @property
    def declaration(self) -> str:
        """The declaration of the namespace as an attribute, or an empty text."""
        if not self.namespace:
            return ""
        prefix = f":{self.prefix}" if self.prefix else ""
        return f" xmlns{prefix}={quoteattr(self.namespace)}"


class XmlFormat:
    """Bodies of one schema."""

    def __init__(self, reader: Reader, schema: SchemaRef | None) -> None:
        self._reader = reader
        self._nodes: dict[tuple[SchemaRef, str], Node] = {}
        self._root = self._node(schema, "")

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode a document. If the schema's ``xml`` object names the root element, the names must match."""
        root, node = parse_elements(data, self._reader.max_nodes // WEIGHT), self._root
        if isinstance(root, Malformed):
            return root
        if node.name not in ("", root.name):
            return Malformed(f"The root element is {root.name}; documented: {node.name}", "xml")
        if node.namespace not in ("", root.namespace):
            message = f"The root element is of namespace {root.namespace!r}; documented: {node.namespace!r}"
            return Malformed(message, "xml")
        if node.is_array:
            items = self._items(node)
            return [self._raw(child, items.schema) for child in root.children]
        return self._raw(root, node.schema)

    def encode(self, value: JSON) -> bytes:
        """Encode a value. The root has the name of the schema, else of its component, else ``root``."""
        name = self._root.name or _component(self._root.schema) or "root"
        body = "".join(self._encode(replace(self._root, name=name, wrapped=True), value))
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode()

    def _node(self, schema: SchemaRef | None, name: str) -> Node:
        """Return how values of a schema are encoded. ``name`` is the default of their name."""
        if schema is None:
            return Node(None, name)
        node = self._nodes.get((schema, name))
        if node is None:
            node = self._nodes[schema, name] = self._find_node(schema, name)
        return node

    def _find_node(self, schema: SchemaRef, name: str) -> Node:
        try:
            found, _ = self._reader.schemas.lookup(schema)
        except SchemaError:
            found = None
        xml = found.get("xml") if isinstance(found, dict) else None
        if not isinstance(xml, dict):
            xml = {}
        kind = xml.get("nodeType") or ("attribute" if xml.get("attribute") is True else "element")
        return Node(
            schema,
            name=str(xml.get("name") or name),
            namespace=str(xml.get("namespace") or ""),
            prefix=str(xml.get("prefix") or ""),
            kind="text" if kind == "cdata" else str(kind),
            is_array="array" in self._reader.shapes.types(schema) and _is_listing(self._reader, schema),
            wrapped=xml.get("wrapped") is True or xml.get("nodeType") == "element",
        )

    def _items(self, array: Node) -> Node:
        """Return how the items of an array are encoded. Their default name is that of the array."""
        shapes = self._reader.shapes.of(array.schema)
        schema = next((refs[0] for shape in shapes if (refs := shape.item(0))), None)
        return self._node(schema, array.name)

    def _raw(self, element: Element, schema: SchemaRef | None) -> Undecoded:
        properties = self._reader.shapes.properties(schema)
        if not properties and not element.children and not element.attributes:
            return "" if element.is_nil else element.text
        raw: dict[str, Undecoded] = {}
        attributes: dict[str, str] = element.attributes
        others: Iterable[Element] = element.children
        if properties:
            attributes, rest = dict(attributes), _Rest(element.children)
            for name, ref in properties.items():
                node = self._node(ref, name)
                found: Undecoded | None
                if node.kind == "attribute":
                    found = attributes.pop(node.name, None)
                elif node.kind == "text":
                    found = element.text
                else:
                    found = self._property(rest, node, name)
                if found is not None:
                    raw[name] = found
            others = rest.left()
        raw |= attributes
        for child in others:
            # An element in another namespace is not the property of that name
            name = f"{{{child.namespace}}}{child.name}" if child.name in properties else child.name
            _add(raw, name, self._raw(child, None))
        return raw if raw or not element.text.strip() else element.text

    def _property(self, rest: _Rest, node: Node, name: str) -> Undecoded | None:
        """Take the elements of one property from ``rest``, and return their content."""
        items = self._items(node) if node.is_array else node
        found = rest.take(node if node.wrapped else items, name)
        if not found:
            return None
        if node.is_array and node.wrapped:
            inside = _Rest([child for element in found for child in element.children])
            # Unknown elements among the items come last, and the schema rejects them
            return [
                self._raw(element, items.schema) for element in (*inside.take(items, name), *inside.left())
            ]
        raws = [self._raw(element, items.schema) for element in found]
        return raws[0] if len(raws) == 1 and not node.is_array else raws

    def _encode(self, node: Node, value: JSON) -> Iterator[str]:
        if isinstance(value, list):
            items = self._items(node)
            inside = "".join(part for item in value for part in self._encode(items, item))
            yield f"<{node.tag}{node.declaration}>{inside}</{node.tag}>" if node.wrapped else inside
            return
        attributes, content = node.declaration, ""
        if isinstance(value, dict):
            properties = self._reader.shapes.properties(node.schema)
            for name, member in value.items():
                inner = self._node(properties.get(name), _safe_name(name))
                if inner.kind == "attribute":
                    attributes += f"{inner.declaration} {inner.tag}={quoteattr(_text(member))}"
                elif inner.kind == "text":
                    content += escape(_text(member))
                else:
                    content += "".join(self._encode(inner, member))
        elif value is None:
            attributes += f' xmlns:xsi="{INSTANCE}" xsi:nil="true"'
        else:
            content = escape(_text(value), {"\r": "&#13;"})
        yield f"<{node.tag}{attributes}>{content}</{node.tag}>"


class _Rest:
    """The elements of which no property has been made."""

    def __init__(self, elements: list[Element]) -> None:
        self._elements = elements
        self._taken: set[int] = set()
        self._places: dict[str, list[int]] = {}
        for place, element in enumerate(elements):
            self._places.setdefault(element.name, []).append(place)

    def take(self, node: Node, name: str) -> list[Element]:
        """Take and return the elements with the name of the schema or of the property."""
        found = [
            place
            for each in {node.name, name}
            for place in self._places.get(each, ())
            if node.namespace in ("", self._elements[place].namespace) and place not in self._taken
        ]
        self._taken.update(found)
        return [self._elements[place] for place in sorted(found)]

    def left(self) -> Iterator[Element]:
        """Yield the elements that were not taken."""
        return (element for place, element in enumerate(self._elements) if place not in self._taken)


def _is_listing(reader: Reader, schema: SchemaRef) -> bool:
    """Return whether a schema describes an array, and does not only allow one."""
    return any("array" in shape.types and "object" not in shape.types for shape in reader.shapes.of(schema))


def _add(raw: dict[str, Undecoded], name: str, value: Undecoded) -> None:
    """Add a value. If the name exists already, its value becomes a list."""
    known = raw.get(name)
    if isinstance(known, list):
        known.append(value)
    else:
        raw[name] = value if known is None else [known, value]


def _component(schema: SchemaRef | None) -> str:
    """Return the last token of a reference such as ``#/components/schemas/Pet``, else an empty text."""
    parent, _, name = (schema or "").rpartition("/")
    return _safe_name(name) if parent.endswith(("/schemas", "/definitions", "/$defs")) else ""


def _safe_name(name: str) -> str:
    """Return a name in which ``_`` replaces the characters that an XML name cannot contain."""
    safe = "".join(char if char.isalnum() or char in "_-." else "_" for char in name)
    return safe if safe[:1].isalpha() or safe[:1] == "_" else f"_{safe}"


def _text(value: JSON) -> str:
    """Return a value as text in which U+FFFD replaces control characters, which XML cannot contain."""
    text = encode_text(value).decode()
    return "".join(char if char >= " " or char in "\t\n\r" else "\ufffd" for char in text)
