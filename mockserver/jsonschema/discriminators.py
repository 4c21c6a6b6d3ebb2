"""Which values of a discriminator lead to which branch (OpenAPI 3.2, Discriminator Object).

A value leads to the schema that ``mapping`` gives for it, as a reference or as
a bare name, and else to the one that is called like it. A branch that spells
its values out (``enum``, ``const``) has no others. Inline branches have no
name, and neither have those whose own branches are what is named; they are
left to plain JSON Schema.
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
    """How one property chooses among the branches of a ``oneOf`` or ``anyOf``."""

    property: str
    names: tuple[tuple[str, ...], ...]
    """For each branch the values that lead to it, the likeliest first; empty where none is known."""
    default: int | None = None
    """The branch of 3.2's ``defaultMapping``, for values that lead nowhere and for objects without one."""
    repeated: frozenset[int] = frozenset()
    """Branches that another one is the same as."""

    def pin(self, branch: int) -> JSON:
        """What a value must keep to for ``branch`` to be the one it means; None if that is not known."""
        if branch in self.repeated:
            return IMPOSSIBLE
        if branch == self.default:
            elsewhere = [name for i, names in enumerate(self.names) if i != branch for name in names]
            return self._pinned({"not": {"enum": _values(elsewhere)}}) if elsewhere else None
        if not self.names[branch]:
            return None
        pinned = self._pinned({"enum": _values(self.names[branch])})
        return pinned if self.default is None else {**pinned, "required": [self.property]}

    def _pinned(self, schema: JSON) -> dict[str, JSON]:
        return {"properties": {self.property: schema}}


class Discriminators:
    """The discriminators of one document."""

    def __init__(self, references: References) -> None:
        self._references = references

    def find(self, at: SchemaRef, node: Mapping[str, JSON], keyword: str) -> Discriminator | None:
        """What the ``discriminator`` beside ``keyword`` (oneOf or anyOf) says, if there is a proper one."""
        stated, branches = node.get("discriminator"), node.get(keyword)
        stated = {"propertyName": stated} if isinstance(stated, str) else stated  # 2.0
        if not isinstance(stated, dict) or not isinstance(branches, list):
            return None
        name = stated.get("propertyName")
        if not isinstance(name, str):
            return None
        targets = [self._target(at, branch) for branch in branches]
        mapping = stated.get("mapping")
        mapped = self._mapped(at, mapping if isinstance(mapping, dict) else {}, targets)
        default = self._led_to(at, stated.get("defaultMapping"), targets)
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
            branch = self._led_to(at, ref, targets)
            if branch is not None:
                mapped[branch].append(str(value))
        return mapped

    def _led_to(self, at: SchemaRef, ref: JSON, targets: list[SchemaRef]) -> int | None:
        """The branch that a value of ``mapping`` means: what could be a name is one."""
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
        own = self._spelled_out(target, name, set())
        if own is None:
            return tuple(names)
        fitting = [each for each in names if each in own]
        return tuple(fitting or (own if len(own) == 1 else ()))

    def _spelled_out(self, ref: SchemaRef, name: str, seen: set[SchemaRef]) -> list[str] | None:
        """The values that a schema, or a part of its ``allOf``, allows its property; None for any."""
        place = self._references.follow(ref)
        node = place.node
        if not isinstance(node, dict) or place.ref in seen:
            return None
        seen.add(place.ref)
        found: list[str] | None = None
        parts = node.get("allOf")
        inner = [f"{place.ref}/allOf/{i}" for i in range(len(parts) if isinstance(parts, list) else 0)]
        if isinstance(target := node.get("$ref"), str):
            inner.append(self._references.resolve(place.ref, target))
        for values in (_literals(node, name), *(self._spelled_out(each, name, seen) for each in inner)):
            if values is not None:
                found = values if found is None else [each for each in found if each in values]
        return found


def implicit_name(target: SchemaRef) -> str:
    """What a schema is called: by the last token of its pointer, or by its file."""
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
    return [_spelled(each) for each in values if each is not None]


def _spelled(value: JSON) -> str:
    return next((text for text, literal in _LITERALS.items() if literal is value), str(value))


def _values(names: list[str] | tuple[str, ...]) -> list[JSON]:
    """Names as texts, and as the other scalars that they may spell."""
    values: list[JSON] = list(dict.fromkeys(names))
    for name in names:
        if name in _LITERALS:
            values.append(_LITERALS[name])
        elif name.isascii() and name.isdigit() and len(name) < 16:
            values.append(int(name))
    return values
