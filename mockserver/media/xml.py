"""XML by the OpenAPI ``xml`` object: names, namespaces, attributes, wrapped arrays, 3.2's ``nodeType``.

expat parses. A document type declaration ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from mockserver.jsonschema import SchemaError
from mockserver.media.coercion import Reader, Undecoded
from mockserver.media.text import encode_text
from mockserver.media.types import ContentType, Malformed
from mockserver.plan import JSON, SchemaRef

DEEPEST = 100
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_SEPARATOR = "\n"  # between namespace and name; XML names hold no line feed


class _RefusedError(Exception):
    """Ends parsing from within expat's callbacks."""


@dataclass(slots=True, eq=False)
class Element:
    """Names are local, those of ``attributes`` too, which leave out the ones of XML Schema instances."""

    name: str
    namespace: str
    attributes: dict[str, str]
    is_nil: bool = False
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of its own text, around its children too."""
        return "".join(self.pieces)


def parse_elements(data: bytes) -> Element | Malformed:
    """The root element. The encoding is what the declaration says; UTF-8 without one."""
    above = Element("", "", {})
    stack = [above]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(stack) > DEEPEST:
            raise _RefusedError(f"it is nested over {DEEPEST} deep")
        namespace, _, name = tag.rpartition(_SEPARATOR)
        own: dict[str, str] = {}
        is_nil = False
        for key, value in attributes.items():
            space, _, local = key.rpartition(_SEPARATOR)
            if space != INSTANCE:
                own[local] = value
            elif local == "nil":
                is_nil = value in ("true", "1")
        element = Element(name, namespace, own, is_nil)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def characters(text: str) -> None:
        stack[-1].pieces.append(text)

    def doctype(*_: object) -> None:
        raise _RefusedError("it has a document type declaration")

    try:
        parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        parser.buffer_text = True
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = characters
        parser.StartDoctypeDeclHandler = doctype
        parser.Parse(data, True)
    except _RefusedError as refused:
        return Malformed(f"The body is XML that is not taken here: {refused}")
    except (expat.ExpatError, ValueError, LookupError) as error:
        return Malformed(f"The body is not XML: {error}")
    return above.children[0]


@dataclass(frozen=True, slots=True)
class Node:
    """How the values of one schema are written: its ``xml`` object with the defaults laid in."""

    schema: SchemaRef | None
    name: str
    namespace: str = ""
    prefix: str = ""
    kind: str = "element"
    """element, attribute, or text (CDATA included)."""
    is_array: bool = False
    wrapped: bool = False
    """Whether an array has an element of its own around its items."""

    @property
    def tag(self) -> str:
        """The name as written."""
        return f"{self.prefix}:{self.name}" if self.prefix else self.name

    @property
    def declaration(self) -> str:
        """Of the namespace, as an attribute."""
        if not self.namespace:
            return ""
        prefix = f":{self.prefix}" if self.prefix else ""
        return f" xmlns{prefix}={quoteattr(self.namespace)}"


class XmlFormat:
    """Bodies of one schema."""

    def __init__(self, reader: Reader, schema: SchemaRef | None) -> None:
        self._reader = reader
        self._root = self._node(schema, "")

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """The root element must be called as the schema's ``xml`` object says, where it does."""
        root, node = parse_elements(data), self._root
        if isinstance(root, Malformed):
            return root
        if node.name not in ("", root.name):
            return Malformed(f"The root element is {root.name}; documented: {node.name}", "xml")
        if node.namespace not in ("", root.namespace):
            message = f"The root element is of namespace {root.namespace!r}; documented: {node.namespace!r}"
            return Malformed(message, "xml")
        if node.is_array:
            items = self._items(node)
            return [self._raw(each, items.schema) for each in root.children]
        return self._raw(root, node.schema)

    def encode(self, value: JSON) -> bytes:
        """The root is called as the schema, else as its component, else ``root``."""
        name = self._root.name or _component(self._root.schema) or "root"
        body = "".join(self._written(replace(self._root, name=name, wrapped=True), value))
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode()

    def _node(self, schema: SchemaRef | None, name: str) -> Node:
        """``name`` is what the ``xml`` object may replace."""
        if schema is None:
            return Node(None, name)
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
        """How the items of an array are written: under a name of their own, else under the array's."""
        shapes = self._reader.shapes.of(array.schema)
        schema = next((refs[0] for shape in shapes if (refs := shape.item(0))), None)
        return self._node(schema, array.name)

    def _raw(self, element: Element, schema: SchemaRef | None) -> Undecoded:
        properties = self._reader.shapes.properties(schema)
        if not properties and not element.children and not element.attributes:
            return "" if element.is_nil else element.text
        raw: dict[str, Undecoded] = {}
        rest, attributes = list(element.children), dict(element.attributes)
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
        raw |= attributes
        for child in rest:
            # One in the wrong namespace must not pass for the property of that name
            name = f"{{{child.namespace}}}{child.name}" if child.name in properties else child.name
            _add(raw, name, self._raw(child, None))
        return raw if raw or not element.text.strip() else element.text

    def _property(self, rest: list[Element], node: Node, name: str) -> Undecoded | None:
        """Take the elements of one property out of ``rest``."""
        items = self._items(node) if node.is_array else node
        found = _take(rest, node if node.wrapped else items, name)
        if not found:
            return None
        if node.is_array and node.wrapped:
            inside = [child for each in found for child in each.children]
            # Strangers among the items come last, for the schema to refuse
            return [self._raw(each, items.schema) for each in (*_take(inside, items, name), *inside)]
        raws = [self._raw(each, items.schema) for each in found]
        return raws[0] if len(raws) == 1 and not node.is_array else raws

    def _written(self, node: Node, value: JSON) -> Iterator[str]:
        if isinstance(value, list):
            items = self._items(node)
            inside = "".join(part for each in value for part in self._written(items, each))
            yield f"<{node.tag}{node.declaration}>{inside}</{node.tag}>" if node.wrapped else inside
            return
        attributes, content = node.declaration, ""
        if isinstance(value, dict):
            properties = self._reader.shapes.properties(node.schema)
            for name, each in value.items():
                inner = self._node(properties.get(name), _safe_name(name))
                if inner.kind == "attribute":
                    attributes += f"{inner.declaration} {inner.tag}={quoteattr(_text(each))}"
                elif inner.kind == "text":
                    content += escape(_text(each))
                else:
                    content += "".join(self._written(inner, each))
        elif value is None:
            attributes += f' xmlns:xsi="{INSTANCE}" xsi:nil="true"'
        else:
            content = escape(_text(value), {"\r": "&#13;"})
        yield f"<{node.tag}{attributes}>{content}</{node.tag}>"


def _is_listing(reader: Reader, schema: SchemaRef) -> bool:
    """Whether an array is what the schema is about, and not just something it does not exclude."""
    return any("array" in shape.types and "object" not in shape.types for shape in reader.shapes.of(schema))


def _take(rest: list[Element], node: Node, name: str) -> list[Element]:
    """Remove the elements that are called as the schema says, or as the property is."""
    found = [
        each for each in rest if each.name in (node.name, name) and node.namespace in ("", each.namespace)
    ]
    if found:
        taken = {id(each) for each in found}
        rest[:] = [each for each in rest if id(each) not in taken]
    return found


def _add(raw: dict[str, Undecoded], name: str, value: Undecoded) -> None:
    """Under a name that may be taken already."""
    known = raw.get(name)
    if isinstance(known, list):
        known.append(value)
    else:
        raw[name] = value if known is None else [known, value]


def _component(schema: SchemaRef | None) -> str:
    """The last token of a reference such as ``#/components/schemas/Pet``."""
    parent, _, name = (schema or "").rpartition("/")
    return _safe_name(name) if parent.endswith(("/schemas", "/definitions", "/$defs")) else ""


def _safe_name(name: str) -> str:
    """A property's name with what an XML name cannot hold replaced."""
    safe = "".join(each if each.isalnum() or each in "_-." else "_" for each in name)
    return safe if safe[:1].isalpha() or safe[:1] == "_" else f"_{safe}"


def _text(value: JSON) -> str:
    """Text that XML can hold: control characters are not among it."""
    text = encode_text(value).decode()
    return "".join(each if each >= " " or each in "\t\n\r" else "\ufffd" for each in text)
