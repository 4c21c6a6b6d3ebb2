"""``operations`` and ``key`` of a scenario file: the operations of the resource, and what its key is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from mockserver.compile.document import Loaded
from mockserver.compile.fields import member, properties
from mockserver.compile.scenario.conditions import check_part, did_you_mean, lookup, part_names, suggest
from mockserver.compile.scenario.delays_faults import listed, read_delay, unknown_keys
from mockserver.compile.scenario.limits import read_concurrency, read_flaky, read_limits
from mockserver.compile.scenario.responses import Bound, compile_templates
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.engine.response.negotiation import default_response
from mockserver.jsonschema import Schemas
from mockserver.media.codec import Codec, family_of
from mockserver.media.coercion import Reader
from mockserver.plan import JSON, Certify, Delay, Lookup, Operation, Role, SchemaRef

_KEYS = frozenset(
    [
        "operation", "key", "creates", "lists", "items", "deletes",
        "limit", "concurrency", "flaky", "delay",
    ]
)  # fmt: skip
_METHOD = re.compile(r"([A-Za-z]+)\s+(/\S*)$")
_EXAMPLE = "name the operations, such as `operations: {poll: GET /requests/{requestId}}`."


class OperationsReader:
    """Reads the operations of one file."""

    def __init__(
        self,
        documents: Sequence[tuple[Loaded, Schemas]],
        states: Collection[str],
        handles: Collection[str],
        delay: Delay | None,
        report: Report,
    ) -> None:
        self.documents = documents
        self.states = states
        self.handles = handles
        self.delay = delay
        self.report = report

    def read(self, members: Sequence[tuple[str, Node]]) -> dict[str, Bound]:
        """The operations that are found, by alias."""
        bound = {}
        for alias, node in members:
            found = self._bound(alias, node)
            if found is not None:
                bound[alias] = found
        for alias, node in members:
            if alias in bound and bound[alias].item:
                bound[alias] = replace(bound[alias], source=self._source(alias, node, bound, dict(members)))
        return bound

    def _bound(self, alias: str, node: Node) -> Bound | None:
        members = {"operation": node}
        if isinstance(node.value, dict):
            members = unknown_keys(node, _KEYS, f"operation {alias!r}", self.report)
            if "operation" not in members:
                self.report.error("S205", node, f"operation {alias!r} says not which it is", _EXAMPLE)
                return None
        found = self._operation(members["operation"])
        if found is None:
            return None
        loaded, operation, schemas = found
        bound = Bound(alias, operation, loaded.document, schemas, delay=self.delay)
        if len(members) == 1 and "operation" in members:
            return bound
        return self._with_role(bound, members)

    def _operation(self, node: Node) -> tuple[Loaded, Operation, Schemas] | None:
        wanted = node.value
        known = []
        if isinstance(wanted, str):
            line = _METHOD.match(wanted.strip())
            for loaded, schemas in self.documents:
                for operation in loaded.document.operations:
                    known += [f"{operation.method} {operation.path}", operation.id]
                    by_line = line and (line[1].upper(), line[2]) == (operation.method, operation.path)
                    if by_line or wanted == operation.id:
                        return loaded, operation, schemas
        self.report.error(
            "S206", node, f"no document has the operation {node.kind()}", suggest(str(wanted), known)
        )
        return None

    def _with_role(self, bound: Bound, members: Mapping[str, Node]) -> Bound:
        kinds = [key for key in ("creates", "lists", "deletes") if key in members]
        if len(kinds) > 1:
            self.report.error(
                "S208",
                members[kinds[1]].at_key,
                f"operation {bound.alias!r} {kinds[0]} and {kinds[1]} at once",
                "let an operation do one of them.",
            )
            return bound
        role = Role(
            limits=read_limits(members["limit"], self.states, self.report) if "limit" in members else (),
            concurrency=read_concurrency(members["concurrency"], self.states, self.report)
            if "concurrency" in members
            else None,
            flaky=read_flaky(members["flaky"], self.states, self.report) if "flaky" in members else None,
        )
        delay = read_delay(members["delay"], self.report) if "delay" in members else bound.delay
        if "key" in members:
            role = self._key(members["key"], bound, role)
        if "creates" in members and "key" in members:
            self.report.error(
                "S208",
                members["key"].at_key,
                f"operation {bound.alias!r} creates under a fresh key, and its `key` would never be read",
                "remove `key`; or remove `creates`, and the first call that names a key brings its resource "
                "into being.",
            )
        if "items" in members and "lists" not in members:
            self.report.error(
                "S208",
                members["items"].at_key,
                f"operation {bound.alias!r} has `items` and lists nothing",
                "say where the list stands in its answer, such as `lists: body.NAME`; or remove `items`.",
            )
        if "creates" in members:
            return self._creates(members["creates"], replace(bound, delay=delay), role)
        if "lists" in members:
            return self._lists(members["lists"], replace(bound, delay=delay), role)
        if "deletes" in members:
            node = members["deletes"]
            if node.value is not True:
                self.report.error("S208", node, f"`deletes` is {node.kind()}", "write `deletes: true`.")
            role = structs.replace(role, deletes=True)
        return replace(bound, role=role, delay=delay)

    def _key(self, node: Node, bound: Bound, role: Role) -> Role:
        """``path.id``, or ``{HANDLE: path.id}``."""
        handle, place = "", node
        if isinstance(node.value, dict) and len(node.value) == 1:
            [(handle, place)] = node.value.items()
            if handle not in self.handles:
                self.report.error(
                    "S208",
                    place.at_key,
                    f"there is no handle {handle!r}",
                    f"`handles` names {listed(self.handles)}.",
                )
        found = lookup(place.value)
        if found is None or not has_parameter(found, bound.operation):
            self.report.error(
                "S207",
                place,
                f"the key of {bound.alias!r}, {place.kind()}, is no part of its request",
                "name a parameter of the operation: path.NAME, query.NAME, header.NAME, body.NAME.",
            )
            return role
        check_part(found, place, [bound], self.report)
        return structs.replace(role, key=found, handle=handle)

    def _creates(self, node: Node, bound: Bound, role: Role) -> Bound:
        bound = replace(bound, role=structs.replace(role, creates=True))
        if node.value is True:
            return bound
        path = _path_of(node)
        schema = self._body_schema(bound)
        ref = member(bound.schemas, schema, path) if schema and path else None
        if not path or ref is None:
            names = properties(bound.schemas, schema).names if schema else ()
            self.report.error(
                "S208",
                node,
                f"the answer to {bound.alias!r} has no {node.kind()} for a fresh key to stand in",
                f"write body.NAME; the documented fields are {listed(names)}. "
                "`creates: true` leaves the place to {{ resource.key }}.",
            )
            return bound
        return replace(bound, place=path, is_number=_is_number(bound.schemas, ref))

    def _lists(self, node: Node, bound: Bound, role: Role) -> Bound:
        path = () if node.value == "body" else _path_of(node)
        schema = self._body_schema(bound)
        item = None
        if schema and (path or node.value == "body"):
            item = member(bound.schemas, schema, (*path, "*"))
        if item is None and node.value == "body":
            item = _item_of_sequence(bound)
        if item is None:
            self.report.error(
                "S208",
                node,
                f"the answer to {bound.alias!r} has no array at {node.kind()}",
                "write `lists: body.NAME`, or `lists: body` where the body is the array.",
            )
            return bound
        pointer = "".join(f"/{part}" for part in path)
        return replace(bound, role=structs.replace(role, lists=pointer), item=item)

    def _source(self, alias: str, node: Node, bound: Mapping[str, Bound], aliases: Collection[str]) -> str:
        named = node.value.get("items") if isinstance(node.value, dict) else None
        if named is None:
            others = (
                binding
                for binding in bound.values()
                if binding.role.lists is None and not binding.role.creates
            )
            return next((binding.alias for binding in others), "")
        if isinstance(named.value, str) and named.value in aliases and named.value != alias:
            return named.value
        self.report.error(
            "S202",
            named,
            f"{named.kind()} is none of this file's operations",
            f"they are {listed(name for name in aliases if name != alias)}.",
        )
        return ""

    @staticmethod
    def _body_schema(bound: Bound) -> SchemaRef | None:
        response, _ = default_response(bound.operation)
        return next((media.schema for media in response.content if media.schema), None)


def has_parameter(place: Lookup, operation: Operation) -> bool:
    """Whether a request to ``operation`` can have the part: a path parameter has to be in the template."""
    return place.part != "path" or f"{{{place.name}}}" in operation.path


def key_schemas(key: Lookup, bound: Mapping[str, Bound]) -> tuple[SchemaRef, ...]:
    """What a fresh key must satisfy: every parameter that it is sent in, every field that tells it."""
    found: dict[SchemaRef, None] = {}
    for binding in bound.values():
        if binding.role.handle or binding.role.creates:
            continue
        place = binding.role.key or key
        for parameter in binding.operation.parameters:
            if (parameter.location, parameter.name) == (place.part, place.name) and parameter.schema:
                found[parameter.schema] = None
    for binding in bound.values():
        if binding.place:
            response, _ = default_response(binding.operation)
            schema = next((media.schema for media in response.content if media.schema), None)
            ref = member(binding.schemas, schema, binding.place) if schema else None
            if ref:
                found[ref] = None
    return tuple(found)


def _item_of_sequence(bound: Bound) -> SchemaRef | None:
    """The schema of an item where the answer is one item after the other, as JSON Lines are."""
    response, _ = default_response(bound.operation)
    reader = Reader(bound.schemas, "response")
    items = (Codec(media, reader).schemas(family_of(media.name))[1] for media in response.content)
    return next(filter(None, items), None)


def _path_of(node: Node) -> tuple[str, ...]:
    """``body.a.b`` as its parts; none where it is another thing."""
    found = lookup(node.value)
    if found is None or found.part != "body":
        return ()
    return tuple(part for part in re.split(r"[./]", found.name) if part)


def _is_number(schemas: Schemas, ref: SchemaRef) -> bool:
    schema: JSON = schemas.lookup(ref)[0]
    kinds = schema.get("type") if isinstance(schema, dict) else None
    return kinds in ("integer", "number") or (isinstance(kinds, list) and "integer" in kinds)


_CERTIFY = frozenset(["csr", "commonName"])


def read_key(node: Node | None, bound: Mapping[str, Bound], report: Report) -> Lookup | None:
    """What tells one resource from another; None where it is missing or wrong."""
    if node is None:
        return None
    found = lookup(node.value)
    if found is None:
        report.error(
            "S207",
            node,
            f"`key` is {node.kind()}",
            "name a part of the request: path.NAME, query.NAME, header.NAME, cookie.NAME or body.NAME.",
        )
        return None
    named = [
        binding
        for binding in bound.values()
        if not binding.role.creates and binding.role.lists is None and binding.role.key is None
    ]
    lacking = [binding for binding in named if not has_parameter(found, binding.operation)]
    if lacking:
        shown = ", ".join(f"{binding.operation.path} (operation {binding.alias!r})" for binding in lacking)
        meant = did_you_mean(found.name, part_names("path", lacking))
        report.error(
            "S207",
            node,
            f"there is no parameter {{{found.name}}} in {shown}",
            f"{meant}Name a parameter of every operation's path, or give the operation a `key` of its own.",
        )
    else:
        check_part(found, node, named, report)
    return Lookup(found.part, found.name, fold=_is_uuid(found, bound))


def read_handles(members: Iterable[tuple[str, Node]], report: Report) -> dict[str, str]:
    """The other names of a resource, each by its template."""
    handles = {}
    for name, node in members:
        if not isinstance(node.value, str):
            report.error(
                "S204",
                node,
                f"the handle {name!r} is {node.kind()}",
                "write a template, such as \"{{ uuid('certificate') }}\".",
            )
            continue
        compile_templates(node, report)
        handles[name] = node.value
    return handles


def read_certify(node: Node | None, bound: Mapping[str, Bound], report: Report) -> Certify | None:
    """Where the creating request says what is to be certified."""
    if node is None:
        return None
    members = unknown_keys(node, _CERTIFY, "`certify`", report)
    found = {key: lookup(child.value) for key, child in members.items()}
    creating = [binding for binding in bound.values() if binding.role.creates]
    for key, child in members.items():
        if (place := found[key]) is not None:
            check_part(place, child, creating, report)
        else:
            report.error(
                "S207",
                child,
                f"`{key}` is {child.kind()}",
                "name a part of the creating request, such as body.csr.",
            )
    if not members:
        report.error(
            "S204", node, f"`certify` is {node.kind()}", "write {csr: body.csr, commonName: body.name}."
        )
    return Certify(found.get("csr"), found.get("commonName"))


def _is_uuid(key: Lookup, bound: Mapping[str, Bound]) -> bool:
    """Whether the key is a UUID in every operation, whose case does not matter (RFC 9562 section 4)."""
    formats = set()
    for binding in bound.values():
        for parameter in binding.operation.parameters:
            if (parameter.location, parameter.name) == (key.part, key.name) and parameter.schema:
                schema, _ = binding.schemas.lookup(parameter.schema)
                formats.add(schema.get("format") if isinstance(schema, dict) else None)
    return formats == {"uuid"}
