"""Walk through the objects of a document, and apply the rules of each field."""

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
    """Mends one document in place. ``rules`` has further rules by kind of object."""

    def __init__(self, trees: Trees, dialect: Dialect, rules: Mapping[str, Rule]) -> None:
        self.trees = trees
        self.dialect: Dialect = dialect
        self.is_2 = dialect == "2.0"
        self.findings = Findings()
        self.report = self.findings.report
        self.sections = SECTIONS_2 if self.is_2 else SECTIONS_3
        self.grammar: Grammar = SWAGGER_2 if self.is_2 else OPENAPI_3
        self.references = References(trees, dialect, self.sections, self.findings)
        self.kinds: dict[int, str] = {}
        """Identity of an object → its kind."""
        self.schemas = Schemas(dialect, self.references, self.findings, self.kinds, self._follow)
        self.operation_ids: set[str] = set()
        self.schemes: Mapping[str, JSON] = {}
        self.paths: dict[int, str] = {}
        """Identity of a path item → its path."""
        self._rules = rules
        self._seen: set[tuple[str, int]] = set()
        self._pending: list[tuple[str, JSON, At]] = []
        self._deferred: list[tuple[str, dict[str, JSON], At, Found]] = []
        """References to follow after all other objects."""
        self._generated: set[int] = set()
        """Identities of references that the mending created."""

    def walk(self, root: JSON, at: At) -> None:
        """Mend the document at ``root``, and everything that it refers to."""
        self._pending.append(("document", root, at))
        while self._pending or self._deferred:
            if not self._pending:
                self._follow_reference(*self._deferred.pop())
                continue
            name, node, location = self._pending.pop()
            if (name, id(node)) in self._seen:
                continue
            self._seen.add((name, id(node)))
            self.kinds.setdefault(id(node), name)
            if name == "path item" and location[0] is not None and location[0][1] == "paths":
                self.paths.setdefault(id(node), str(location[1]))
            if name == "schema":
                self.schemas.walk(node, location)
            else:
                self._mend(name, node, location)

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
        location = (at, key)
        self.report("key", location, name, key, key=True)
        if not self.references.is_target(location):
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
            children.append((shape, self.schemas.ensure_schema(holder, key, at), at))
        elif self._is_dropped(shape, value, at):
            if shape == "info":
                holder[key] = {"title": "", "version": ""}
            else:
                del holder[key]
        elif shape == "requirement" or isinstance(value, dict):
            children.append((shape, value, at))
        else:
            self.report("type", at, _quoted(key), kind(value), "a mapping")
            del holder[key]

    def _scalar(self, holder: dict[str, JSON], key: str, shape: str, at: At) -> None:
        value = holder[key]
        read: JSON = _KEEP
        if shape == "flag":
            read = _FLAGS.get(value.lower(), _KEEP) if isinstance(value, str) else _KEEP
        elif isinstance(value, (bool, int, float)):
            read = str(value).lower() if isinstance(value, bool) else str(value)
        if read is _KEEP:
            self.report(
                "type", at, _quoted(key), kind(value), "a text" if shape == "text" else "true or false"
            )
            del holder[key]
        else:
            self.report("retyped", at, _quoted(key), kind(value), f"a {shape}", assumed=(repr(read),))
            holder[key] = read

    def _map(
        self, holder: dict[str, JSON], key: str, name: str, at: At, children: list[tuple[str, JSON, At]]
    ) -> None:
        members = holder[key]
        if not isinstance(members, dict):
            self.report("type", at, _quoted(key), kind(members), "a mapping")
            del holder[key]
            return
        self.kinds[id(members)] = "map"
        if isinstance(members.get("$ref"), str):
            members = holder[key] = self.expand(members, at)
        for member in list(members):
            if member.startswith("x-") and name not in ("schema", "header", "parameter", "server variable"):
                continue
            value, location = members[member], (at, member)
            if name == "schema":
                children.append((name, self.schemas.ensure_schema(members, member, location), location))
            elif self._is_dropped(name, value, location):
                if name == "response":
                    members[member] = {"description": ""}
                else:
                    del members[member]
            elif isinstance(value, dict):
                children.append((name, value, location))
            elif name == "response" and value is None:
                self.report(
                    "retyped",
                    location,
                    _quoted(member),
                    "empty",
                    "a response",
                    assumed=("one without content",),
                )
                members[member] = {"description": ""}
            elif name == "media type" and value is None:
                members[member] = {}
                self.report(
                    "retyped", location, _quoted(member), "empty", "a mapping", assumed=("an empty one",)
                )
            else:
                self.report("type", location, _quoted(member), kind(value), f"a {name}")
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
            self.report("retyped", at, _quoted(key), "a mapping", "a list", assumed=("a list of its values",))
        elif isinstance(items, (dict, str)):
            self.report("retyped", at, _quoted(key), kind(items), "a list", assumed=("a list of one",))
            items = [items]
        elif not isinstance(items, list):
            self.report("type", at, _quoted(key), kind(items), "a list")
            del holder[key]
            return
        remaining: list[JSON] = []
        wanted = str if name == "text" else dict
        for i, item in enumerate(items):
            location = (at, i)
            if name != "text" and self._is_dropped(name, item, location):
                continue
            if isinstance(item, wanted):
                remaining.append(item)
                if name != "text":
                    children.append((name, item, location))
            elif name == "text" and isinstance(item, (bool, int, float)):
                remaining.append(str(item))
                self.report(
                    "retyped", location, f"an item of {key}", kind(item), "a text", assumed=(repr(str(item)),)
                )
            elif name == "requirement" and isinstance(item, str):
                remaining.append({item: []})
                children.append((name, remaining[-1], location))
                self.report(
                    "retyped", location, f"an item of {key}", kind(item), "a mapping", assumed=("its key",)
                )
            else:
                self.report("type", location, f"an item of {key}", kind(item), f"a {name}")
        holder[key] = remaining

    def _is_dropped(self, name: str, value: JSON, at: At) -> bool:
        """Whether a value is a reference without a target. Report a missing target."""
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str) or len(value) > 1:
            return False
        found = self.references.find(value, name, at)
        if found is not None and not found.is_unresolved and not isinstance(found.node, dict):
            self.report("dangling", at, value["$ref"])
            return True
        return found is None

    def _refer(self, name: str, node: dict[str, JSON], at: At) -> None:
        found = self.references.find(node, name, at)
        is_usable = found is not None and (found.is_unresolved or isinstance(found.node, dict))
        if found is not None and is_usable and not found.is_unresolved:
            if name in self.sections or name == "operation":
                if name == "operation" and id(node) not in self._generated:
                    self.report("reference place", at, f"an {name}")
                if name == "path item" and any(key in node for key in self.grammar[name]):
                    self._join(node, found.node, found.at, at)
                    self._mend(name, node, at)
                if id(node) in self.paths:
                    self.paths.setdefault(id(found.node), self.paths[id(node)])
                self._follow(name, node, at, found)
                return
            self.report("reference place", at, f"a {name}")
            del node["$ref"]
            node.update(
                {key: value for key, value in found.node.items() if key not in node and key != "$ref"}
            )
            self._mend(name, node, at)
        elif not is_usable:
            if found is not None:
                self.report("dangling", at, node["$ref"])
            del node["$ref"]
            self._mend(name, node, at)

    def _follow(self, name: str, node: dict[str, JSON], at: At, found: Found) -> None:
        self._deferred.append((name, node, at, found))

    def _follow_reference(self, name: str, node: dict[str, JSON], at: At, found: Found) -> None:
        """Mend the target of a reference, unless it already has another kind."""
        there = self.kinds.get(id(found.node), name)
        if there == name or (name, there) == ("header", "parameter"):
            self._pending.append((name, found.node, found.at))
            return
        target = node.get("$ref")
        if target is None:  # it was mended already, as an object of another kind
            return
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
        self.report("reference kind", at, target, there, name, assumed=(assumed,))
        if name != "schema":
            self._mend(name, node, at)

    def _join(self, node: dict[str, JSON], other: dict[str, JSON], other_at: At, at: At) -> None:
        """Return a path item with the members of another one, as references."""
        beside = ", ".join(key for key in node if key != "$ref")
        if set(node) - {"$ref", "description", "summary", "servers"}:
            self.report("siblings", at, beside)
        del node["$ref"]
        for key, value in other.items():
            if key not in node and isinstance(value, dict):
                node[key] = {"$ref": link((other_at, key))}
                self._generated.add(id(node[key]))
            elif key not in node and key == "parameters" and isinstance(value, list):
                node[key] = [{"$ref": link(((other_at, key), i))} for i in range(len(value))]
            elif key not in node:
                node[key] = value

    def expand(self, members: dict[str, JSON], at: At) -> dict[str, JSON]:
        """Replace a map with a ``$ref`` by a map of references. Keep its other members."""
        found = self.references.find(members, "", at)
        if found is not None and isinstance(found.node, dict):
            self.report("reference place", at, "a map")
            there = {key: {"$ref": link((found.at, key))} for key in found.node if key != "$ref"}
            return {**there, **{key: value for key, value in members.items() if key != "$ref"}}
        return {key: value for key, value in members.items() if key != "$ref"}


Rule = Callable[[Mender, dict[str, Any], At], None]
_SIMPLE: Mapping[str, type | tuple[type, ...]] = {"any": object, "text": str, "flag": bool}


def _quoted(key: object) -> str:
    return f"`{key}`"


Node = dict[str, Any]


def rename(mender: Mender, node: Node, at: At, intended: Any, row: str) -> None:
    """Rename keys to ``intended(key)``. Existing members with that name stay."""
    wanted = {key: intended(key) for key in node}
    if all(key == name for key, name in wanted.items()):
        return
    old = dict(node)
    node.clear()
    for key, value in old.items():
        name = wanted[key]
        if key != name:
            mender.report(row, (at, key), key, assumed=(name,), key=True)
        if key == name or (name not in old and name not in node):
            node[name] = value


def drop_duplicates(mender: Mender, listed: list[JSON], at: At, name: str, identity: Any) -> None:
    """Drop items of a list with the same ``identity`` as an earlier item."""
    seen = set()
    remaining = []
    for i, item in enumerate(listed):
        key = identity(item) if isinstance(item, dict) else None
        if key is not None and not isinstance(key, (list, dict)):
            if key in seen:
                mender.report("twice", (at, i), name, key[0] if isinstance(key, tuple) else key)
                continue
            seen.add(key)
        remaining.append(item)
    if len(remaining) < len(listed):
        listed[:] = remaining
