"""What a document itself says about its resources: ``x-mock-resource`` of its operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, get_args

from mockserver.diagnostics import MockServerError
from mockserver.jsonschema import Schemas
from mockserver.plan import DataVerb, Document, Operation

MEMBER = "x-mock-resource"
ITEM_VERBS = ("reads", "replaces", "merges", "deletes")
"""What an operation can do to the item in its path."""
_VERBS = tuple(verb for verb in get_args(DataVerb) if verb != "acts")
_MEMBERS = ("does", "key", "list")


class Stated(NamedTuple):
    """The statement of one operation. Empty parts are inferred; ``does`` may be none."""

    does: str = ""
    key: str = ""
    """The field of the item with its key."""
    list: tuple[str, ...] | None = None
    """Where the list is in the body of the response."""


class Statements:
    """The statements of a document's operations, and what is wrong with them, by index."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self.mistakes: dict[int, str] = {}
        self._known: dict[int, Stated] = {}
        for index, operation in enumerate(document.operations):
            value = _member(operation, schemas)
            if value is not None:
                stated = _read(value)
                if isinstance(stated, Stated):
                    self._known[index] = stated
                else:
                    self.mistakes[index] = stated

    def __getitem__(self, index: int) -> Stated:
        return self._known.get(index, _NOTHING)

    def is_stateless(self, index: int) -> bool:
        """Return whether an operation is stated to do nothing, or has a statement with a mistake."""
        return self[index].does == "none" or index in self.mistakes

    def key(self, indices: Iterable[int], fields: Iterable[str]) -> str:
        """Return the field with the key that operations state, if it is one of ``fields``; else empty."""
        known = list(fields)
        for index in indices:
            if self[index].key in known:
                return self[index].key
            if self[index].key:
                names = ", ".join(known) or "none"
                self.mistakes[index] = f"{MEMBER} has the key {self[index].key}; the fields are {names}"
        return ""

    def unused(self, taken: Iterable[int]) -> None:
        """Add a mistake for each statement of an operation that is not in ``taken``."""
        for index in self._known.keys() - {*taken} - self.mistakes.keys():
            if self[index].does not in ("", "none"):
                self.mistakes[index] = (
                    f"{MEMBER} says that it {self[index].does}, which its path does not allow"
                )


_NOTHING = Stated()


def _member(operation: Operation, schemas: Schemas) -> object:
    try:
        node = schemas.lookup(operation.pointer)[0]
    except (MockServerError, ValueError):
        return None
    return node.get(MEMBER) if isinstance(node, dict) else None


def _read(value: object) -> Stated | str:
    """Return the statement, or what is wrong with it."""
    if value is False or value == "none":
        return Stated("none")
    parts: Mapping[str, object] = value if isinstance(value, dict) else {"does": value}
    if unknown := [name for name in parts if name not in _MEMBERS]:
        return f"{MEMBER} has the unknown member {unknown[0]}; it can have {', '.join(_MEMBERS)}"
    if wrong := [name for name, part in parts.items() if not isinstance(part, str)]:
        return f"{wrong[0]} in {MEMBER} is not a text"
    does, key, where = (str(parts.get(name, "")) for name in _MEMBERS)
    if does and does not in (*_VERBS, "none"):
        return f"{MEMBER} is {does}; it can be {', '.join(_VERBS)} or none"
    path = tuple(part for part in where.split(".") if part and part != "body")
    return Stated(does, key, path if "list" in parts else None)
