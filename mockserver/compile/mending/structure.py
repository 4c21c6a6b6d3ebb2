"""Walk through the objects of a document and apply the rules of each field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mockserver.compile.mending.grammar import (
    OPENAPI_3,
    SECTIONS_2,
    SECTIONS_3,
    SWAGGER_2,
    Grammar,
)
from mockserver.compile.mending.references import Found, References
from mockserver.compile.mending.schemas import Schemas
from mockserver.compile.mending.table import At, Findings, kind, link
from mockserver.compile.references import Trees
from mockserver.plan import JSON, Dialect

_FLAGS = {"true": True, "false": False, "yes": True, "no": False}
_KEEP = object()
_WITH_SCHEMA = ("request body", "response", "media type")


class Mender:
    """Mends one document in place; ``rules`` are what kinds ask for beside the grammar."""

    def __init__(self, trees: Trees, dialect: Dialect, rules: Mapping[str, Rule]) -> None:
        self.trees = trees
        self.dialect: Dialect = dialect
        self.is_2 = dialect == "2.0"
        self.findings = Findings()
        self.tell = self.findings.tell
        self.sections = SECTIONS_2 if self.is_2 else SECTIONS_3
        self.grammar: Grammar = SWAGGER_2 if self.is_2 else OPENAPI_3
        self.references = References(trees, dialect, self.sections, self.findings)
        self.kinds: dict[int, str] = {}
        """The identity of an object → what it has been read as."""
        self.schemas = Schemas(dialect, self.references, self.findings, self.kinds, self._follow)
        self.operation_ids: set[str] = set()
        self.schemes: Mapping[str, JSON] = {}
        self.paths: dict[int, str] = {}
        """The identity of a path item → the path that it is for."""
        self._rules = rules
        self._seen: set[tuple[str, int]] = set()
        self._pending: list[tuple[str, JSON, At]] = []
        self._deferred: list[tuple[str, dict[str, JSON], At, Found]] = []
        """References, which are followed when all that is not referred to has been read."""
        self._made: set[int] = set()
        """Of references that the mending itself has put there."""

    def walk(self, root: JSON, at: At) -> None:
        """Mend the document at ``root`` and all that it refers to."""
        self._pending.append(("document", root, at))
        while self._pending or self._deferred:
            if not self._pending:
                self._arrive(*self._deferred.pop())
                continue
            name, node, place = self._pending.pop()
            if (name, id(node)) in self._seen:
                continue
            self._seen.add((name, id(node)))
            self.kinds.setdefault(id(node), name)
            if name == "path item" and place[0] is not None and place[0][1] == "paths":
                self.paths.setdefault(id(node), str(place[1]))
            if name == "schema":
                self.schemas.walk(node, place)
            else:
                self._mend(name, node, place)

    def _mend(self, name: str, node: dict[str, JSON], at: At) -> None:
        if name not in ("components", "callback") and isinstance(node.get("$ref"), str):
            self._refer(name, node, at)
            return
        rule = self._rules.get(name)
        if rule is not None:
            rule(self, node, at)
        if name == "requirement":
            return  # its keys are the author's
        fields = self.grammar.get(name)
        children: list[tuple[str, JSON, At]] = []
        for key, value in list(node.items()):
            shape = "path item" if fields is None else fields.get(key)
            if shape is not None and shape in _SIMPLE and isinstance(value, _SIMPLE[shape]):
                continue
            if key[:2] == "x-":
                continue
            if shape is None:
                self._unknown(name, node, key, at)
            else:
                self._field(node, key, shape, (at, key), children)
        self._pending.extend(reversed(children))

    def _unknown(self, name: str, node: dict[str, JSON], key: str, at: At) -> None:
        place = (at, key)
        self.tell("key", place, name, key, key=True)
        if not self.references.is_target(place):
            del node[key]

    def _field(
        self, holder: dict[str, JSON], key: str, shape: str, at: At, children: list[tuple[str, JSON, At]]
    ) -> None:
        value = holder[key]
        if shape[0] == "{":
            self._map(holder, key, shape[1:-1], at, children)
        elif shape[0] == "[":
            self.listed(holder, key, shape[1:-1], at, children)
        elif shape == "text" or shape == "flag":
            self._scalar(holder, key, shape, at)
        elif shape == "schema":
            children.append((shape, self.schemas.whole(holder, key, at), at))
        elif self._is_lost(shape, value, at):
            if shape == "info":
                holder[key] = {"title": "", "version": ""}
            else:
                del holder[key]
        elif shape == "requirement" or isinstance(value, dict):
            children.append((shape, value, at))
        else:
            self.tell("type", at, _quoted(key), kind(value), "a mapping")
            del holder[key]

    def _scalar(self, holder: dict[str, JSON], key: str, shape: str, at: At) -> None:
        value = holder[key]
        read: JSON = _KEEP
        if shape == "flag":
            read = _FLAGS.get(value.lower(), _KEEP) if isinstance(value, str) else _KEEP
        elif isinstance(value, (bool, int, float)):
            read = str(value).lower() if isinstance(value, bool) else str(value)
        if read is _KEEP:
            self.tell("type", at, _quoted(key), kind(value), "a text" if shape == "text" else "true or false")
            del holder[key]
        else:
            self.tell("retyped", at, _quoted(key), kind(value), f"a {shape}", assumed=(repr(read),))
            holder[key] = read

    def _map(
        self, holder: dict[str, JSON], key: str, name: str, at: At, children: list[tuple[str, JSON, At]]
    ) -> None:
        members = holder[key]
        if not isinstance(members, dict):
            self.tell("type", at, _quoted(key), kind(members), "a mapping")
            del holder[key]
            return
        self.kinds[id(members)] = "map"
        if isinstance(members.get("$ref"), str):
            members = holder[key] = self.spread(members, at)
        for member in list(members):
            if member.startswith("x-") and name not in ("schema", "header", "parameter", "server variable"):
                continue
            value, place = members[member], (at, member)
            if name == "schema":
                children.append((name, self.schemas.whole(members, member, place), place))
            elif self._is_lost(name, value, place):
                if name == "response":
                    members[member] = {"description": ""}
                else:
                    del members[member]
            elif isinstance(value, dict):
                children.append((name, value, place))
            elif name == "response" and value is None:
                self.tell(
                    "retyped", place, _quoted(member), "empty", "a response", assumed=("one without content",)
                )
                members[member] = {"description": ""}
            elif name == "media type" and value is None:
                members[member] = {}
                self.tell("retyped", place, _quoted(member), "empty", "a mapping", assumed=("an empty one",))
            else:
                self.tell("type", place, _quoted(member), kind(value), f"a {name}")
                del members[member]

    def listed(
        self, holder: dict[str, JSON], key: str, name: str, at: At, children: list[tuple[str, JSON, At]]
    ) -> None:
        items = holder[key]
        if (
            isinstance(items, dict)
            and items
            and name == "parameter"
            and "name" not in items
            and "$ref" not in items
        ):
            items = [{"name": name, **node} for name, node in items.items() if isinstance(node, dict)]
            self.tell("retyped", at, _quoted(key), "a mapping", "a list", assumed=("a list of its values",))
        elif isinstance(items, (dict, str)):
            self.tell("retyped", at, _quoted(key), kind(items), "a list", assumed=("a list of one",))
            items = [items]
        elif not isinstance(items, list):
            self.tell("type", at, _quoted(key), kind(items), "a list")
            del holder[key]
            return
        kept: list[JSON] = []
        wanted = str if name == "text" else dict
        for i, item in enumerate(items):
            place = (at, i)
            if name != "text" and self._is_lost(name, item, place):
                continue
            if isinstance(item, wanted):
                kept.append(item)
                if name != "text":
                    children.append((name, item, place))
            elif name == "text" and isinstance(item, (bool, int, float)):
                kept.append(str(item))
                self.tell(
                    "retyped", place, f"an item of {key}", kind(item), "a text", assumed=(repr(str(item)),)
                )
            elif name == "requirement" and isinstance(item, str):
                kept.append({item: []})
                children.append((name, kept[-1], place))
                self.tell(
                    "retyped", place, f"an item of {key}", kind(item), "a mapping", assumed=("its key",)
                )
            else:
                self.tell("type", place, f"an item of {key}", kind(item), f"a {name}")
        holder[key] = kept

    def _is_lost(self, name: str, value: JSON, at: At) -> bool:
        """Whether a value is a reference that leads to no object, which is told."""
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str) or len(value) > 1:
            return False
        found = self.references.find(value, name, at)
        if found is not None and not found.is_left and not isinstance(found.node, dict):
            self.tell("dangling", at, value["$ref"])
            return True
        return found is None

    def _refer(self, name: str, node: dict[str, JSON], at: At) -> None:
        found = self.references.find(node, name, at)
        is_usable = found is not None and (found.is_left or isinstance(found.node, dict))
        if found is not None and is_usable and not found.is_left:
            if name in self.sections or name == "operation":
                if name == "operation" and id(node) not in self._made:
                    self.tell("reference place", at, f"an {name}")
                if name == "path item" and any(key in node for key in self.grammar[name]):
                    self._join(node, found.node, found.at, at)
                    self._mend(name, node, at)
                if id(node) in self.paths:
                    self.paths.setdefault(id(found.node), self.paths[id(node)])
                self._follow(name, node, at, found)
                return
            self.tell("reference place", at, f"a {name}")
            del node["$ref"]
            node.update(
                {key: value for key, value in found.node.items() if key not in node and key != "$ref"}
            )
            self._mend(name, node, at)
        elif not is_usable:
            if found is not None:
                self.tell("dangling", at, node["$ref"])
            del node["$ref"]
            self._mend(name, node, at)

    def _follow(self, name: str, node: dict[str, JSON], at: At, found: Found) -> None:
        self._deferred.append((name, node, at, found))

    def _arrive(self, name: str, node: dict[str, JSON], at: At, found: Found) -> None:
        """Read what a reference leads to, unless that has been read as something else."""
        there = self.kinds.get(id(found.node), name)
        if there == name or (name, there) == ("header", "parameter"):
            self._pending.append((name, found.node, found.at))
            return
        target = node["$ref"]
        if there == "schema" and name in _WITH_SCHEMA:
            del node["$ref"]
            media = {"schema": {"$ref": target}}
            node.update(
                media if name == "media type" or self.is_2 else {"content": {"application/json": media}}
            )
            assumed = "read as one of that schema"
        else:
            del node["$ref"]
            assumed = "passed over"
        self.tell("reference kind", at, target, there, name, assumed=(assumed,))
        if name != "schema":
            self._mend(name, node, at)

    def _join(self, node: dict[str, JSON], other: dict[str, JSON], other_at: At, at: At) -> None:
        """A path item with all of another, by references."""
        beside = ", ".join(key for key in node if key != "$ref")
        if set(node) - {"$ref", "description", "summary", "servers"}:
            self.tell("siblings", at, beside)
        del node["$ref"]
        for key, value in other.items():
            if key not in node and isinstance(value, dict):
                node[key] = {"$ref": link((other_at, key))}
                self._made.add(id(node[key]))
            elif key not in node and key == "parameters" and isinstance(value, list):
                node[key] = [{"$ref": link(((other_at, key), i))} for i in range(len(value))]
            elif key not in node:
                node[key] = value

    def spread(self, members: dict[str, JSON], at: At) -> dict[str, JSON]:
        """A map that is given by a ``$ref``, as a map of references, with what stands beside it."""
        found = self.references.find(members, "", at)
        if found is not None and isinstance(found.node, dict):
            self.tell("reference place", at, "a map")
            there = {key: {"$ref": link((found.at, key))} for key in found.node if key != "$ref"}
            return {**there, **{key: value for key, value in members.items() if key != "$ref"}}
        return {key: value for key, value in members.items() if key != "$ref"}


Rule = Callable[[Mender, dict[str, Any], At], None]
_SIMPLE: Mapping[str, type | tuple[type, ...]] = {"any": object, "text": str, "flag": bool}


def _quoted(key: object) -> str:
    return f"`{key}`"


Node = dict[str, Any]


def rename(mender: Mender, node: Node, at: At, meant: Any, row: str) -> None:
    """Give keys the names that they should have; what has that name already stays as it is."""
    wanted = {key: meant(key) for key in node}
    if all(key == name for key, name in wanted.items()):
        return
    old = dict(node)
    node.clear()
    for key, value in old.items():
        name = wanted[key]
        if key != name:
            mender.tell(row, (at, key), key, assumed=(name,), key=True)
        if key == name or (name not in old and name not in node):
            node[name] = value


def each_once(mender: Mender, listed: list[JSON], at: At, name: str, identity: Any) -> None:
    """Drop the items of a list that say again what one before says, by their ``identity``."""
    seen = set()
    kept = []
    for i, item in enumerate(listed):
        key = identity(item) if isinstance(item, dict) else None
        if key is not None and not isinstance(key, (list, dict)):
            if key in seen:
                mender.tell("twice", (at, i), name, key[0] if isinstance(key, tuple) else key)
                continue
            seen.add(key)
        kept.append(item)
    if len(kept) < len(listed):
        listed[:] = kept
