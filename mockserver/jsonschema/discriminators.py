"""Discriminators: which values select which branch (OpenAPI 3.2, Discriminator Object).

A value selects the schema that ``mapping`` gives for it, as a reference or a
name, else the schema with this name. If a branch states the values of the
property (``enum``, ``const``), it has no others. Branches without a name (inline,
or with branches of their own) are validated by JSON Schema alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from mockserver.jsonschema.references import References, SchemaError, unescape
from mockserver.plan import JSON, SchemaRef

IMPOSSIBLE: JSON = {"not": {}}
_LITERALS: Mapping[str, JSON] = {"true": True, "false": False, "null": None}


class Discriminator(Struct, frozen=True):
    """How one property selects a branch of a ``oneOf`` or ``anyOf``."""

    property: str
    names: tuple[tuple[str, ...], ...]
    """For each branch the values that select it, the most likely first. Empty if none is known."""
    default: int | None = None
    """The branch of ``defaultMapping`` (3.2), for other values and for objects without the property."""
    repeated: frozenset[int] = frozenset()
    """The branches that repeat an earlier one."""

    def branch_constraint(self, branch: int) -> JSON:
        """Return a schema that accepts the values for which ``branch`` is selected, or None if unknown."""
        if branch in self.repeated:
            return IMPOSSIBLE
        if branch == self.default:
            elsewhere = [name for i, names in enumerate(self.names) if i != branch for name in names]
            return self._constrain({"not": {"enum": _values(elsewhere)}}) if elsewhere else None
        if not self.names[branch]:
            return None
        pinned = self._constrain({"enum": _values(self.names[branch])})
        return pinned if self.default is None else {**pinned, "required": [self.property]}

    def _constrain(self, schema: JSON) -> dict[str, JSON]:
        return {"properties": {self.property: schema}}


class Discriminators:
    """The discriminators of one document."""

    def __init__(self, references: References) -> None:
        self._references = references

    def find(self, at: SchemaRef, node: Mapping[str, JSON], keyword: str) -> Discriminator | None:
        """Return the ``discriminator`` for ``keyword`` (oneOf or anyOf), or None if there is no valid one."""
        stated, branches = node.get("discriminator"), node.get(keyword)
        stated = {"propertyName": stated} if isinstance(stated, str) else stated  # OpenAPI 2.0
        if not isinstance(stated, dict) or not isinstance(branches, list):
            return None
        name = stated.get("propertyName")
        if not isinstance(name, str):
            return None
        targets = [self._target(at, branch) for branch in branches]
        mapping = stated.get("mapping")
        mapped = self._mapped(at, mapping if isinstance(mapping, dict) else {}, targets)
        default = self._branch_of(at, stated.get("defaultMapping"), targets)
        repeated = {i for i, target in enumerate(targets) if target and target in targets[:i]}
        names = tuple(
            self._names(target, name, mapped[i]) if target else () for i, target in enumerate(targets)
        )
        return Discriminator(name, names, default, frozenset(repeated))

    def _target(self, at: SchemaRef, branch: JSON) -> SchemaRef:
        target = branch.get("$ref") if isinstance(branch, dict) else None
        return self._references.resolve(at, target) if isinstance(target, str) else ""

    def _mapped(
        self, at: SchemaRef, mapping: Mapping[str, JSON], targets: list[SchemaRef]
    ) -> list[list[str]]:
        mapped: list[list[str]] = [[] for _ in targets]
        for value, ref in mapping.items():
            branch = self._branch_of(at, ref, targets)
            if branch is not None:
                mapped[branch].append(str(value))
        return mapped

    def _branch_of(self, at: SchemaRef, ref: JSON, targets: list[SchemaRef]) -> int | None:
        """Return the branch of a value of ``mapping``, which is a name or a reference."""
        if not isinstance(ref, str):
            return None
        for i, target in enumerate(targets):
            if target and implicit_name(target) == ref:
                return i
        try:
            resolved = self._references.resolve(at, ref)
        except SchemaError:
            return None
        return targets.index(resolved) if resolved in targets else None

    def _names(self, target: SchemaRef, name: str, mapped: list[str]) -> tuple[str, ...]:
        node = self._references.follow(target).node
        is_polymorphic = isinstance(node, dict) and ("oneOf" in node or "anyOf" in node)
        names = mapped if is_polymorphic else list(dict.fromkeys((*mapped, implicit_name(target))))
        own = self._own_values(target, name, set())
        if own is None:
            return tuple(names)
        fitting = [value for value in names if value in own]
        return tuple(fitting or (own if len(own) == 1 else ()))

    def _own_values(self, ref: SchemaRef, name: str, seen: set[SchemaRef]) -> list[str] | None:
        """Return the values that a schema, with its ``allOf``, allows for its property. None means any."""
        location = self._references.follow(ref)
        node = location.node
        if not isinstance(node, dict) or location.ref in seen:
            return None
        seen.add(location.ref)
        found: list[str] | None = None
        parts = node.get("allOf")
        inner = [f"{location.ref}/allOf/{i}" for i in range(len(parts) if isinstance(parts, list) else 0)]
        if isinstance(target := node.get("$ref"), str):
            inner.append(self._references.resolve(location.ref, target))
        for values in (_literals(node, name), *(self._own_values(part, name, seen) for part in inner)):
            if values is not None:
                found = values if found is None else [value for value in found if value in values]
        return found


def implicit_name(target: SchemaRef) -> str:
    """Return the name of a schema: the last token of its pointer, or the stem of its file."""
    uri, _, fragment = target.partition("#")
    return unescape(fragment.rpartition("/")[2]) if fragment else PurePosixPath(uri).stem


def _literals(node: Mapping[str, JSON], name: str) -> list[str] | None:
    properties = node.get("properties")
    schema = properties.get(name) if isinstance(properties, dict) else None
    if not isinstance(schema, dict):
        return None
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if not isinstance(values, list):
        return None
    return [_to_text(value) for value in values if value is not None]


def _to_text(value: JSON) -> str:
    return next((text for text, literal in _LITERALS.items() if literal is value), str(value))


def _values(names: list[str] | tuple[str, ...]) -> list[JSON]:
    """Return names as strings, and also as the booleans, null and integers that they may be."""
    values: list[JSON] = list(dict.fromkeys(names))
    for name in names:
        if name in _LITERALS:
            values.append(_LITERALS[name])
        elif name.isascii() and name.isdigit() and len(name) < 16:
            values.append(int(name))
    return values
