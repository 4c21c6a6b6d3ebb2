"""XML text → elements. Parsing is expat's, and a document type declaration ends it.

Without a DTD there are no entities to expand or to fetch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from mockserver.media.malformed import Malformed

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
