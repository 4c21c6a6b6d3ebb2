"""Read ``operations``, ``key``, ``handles`` and ``certify`` of a scenario file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from mockserver.compile.document import LoadedDocument
from mockserver.compile.fields import member, properties
from mockserver.compile.scenario.conditions import check_part, parse_source, part_names, suggest
from mockserver.compile.scenario.delays_faults import join_names, read_delay, read_members
from mockserver.compile.scenario.limits import read_concurrency, read_flaky, read_limits
from mockserver.compile.scenario.responses import Binding, compile_templates
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.diagnostics import did_you_mean
from mockserver.engine.response.negotiation import default_response
from mockserver.jsonschema import Schemas
from mockserver.media.codec import Codec, family_of
from mockserver.media.coercion import Reader
from mockserver.plan import JSON, Certify, Delay, Lookup, Operation, Role, SchemaRef

_KEYS = frozenset(
    [
        "operation", "key", "creates", "lists", "items", "deletes", "updates",
        "limit", "concurrency", "flaky", "delay",
    ]
)  # fmt: skip
_METHOD = re.compile(r"([A-Za-z]+)\s+(/\S*)$")
_EXAMPLE = "name the operations, such as `operations: {poll: GET /requests/{requestId}}`."


class OperationsReader:
    """Reads the operations of one file."""

    def __init__(
        self,
        documents: Sequence[tuple[LoadedDocument, Schemas]],
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

    def read(self, members: Sequence[tuple[str, Node]]) -> dict[str, Binding]:
        """Return the operations that the documents have, by alias. Report the others."""
        bindings = {}
        for alias, node in members:
            found = self._binding(alias, node)
            if found is not None:
                bindings[alias] = found
        for alias, node in members:
            if alias in bindings and bindings[alias].item:
                source = self._source(alias, node, bindings, dict(members))
                bound = bindings.get(source)
                bindings[alias] = replace(
                    bindings[alias],
                    source=source,
                    source_operation=bound.operation if bound is not None else None,
                )
        return bindings

    def _binding(self, alias: str, node: Node) -> Binding | None:
        members = {"operation": node}
        if isinstance(node.value, dict):
            members = read_members(node, _KEYS, f"operation {alias!r}", self.report)
            if "operation" not in members:
                self.report.error("S205", node, f"operation {alias!r} has no `operation`", _EXAMPLE)
                return None
        found = self._operation(members["operation"])
        if found is None:
            return None
        loaded, operation, schemas = found
        binding = Binding(alias, operation, loaded.document, schemas, delay=self.delay)
        if len(members) == 1 and "operation" in members:
            return binding
        return self._with_role(binding, members)

    def _operation(self, node: Node) -> tuple[LoadedDocument, Operation, Schemas] | None:
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
            "S206", node, f"no document has the operation {node.describe()}", suggest(str(wanted), known)
        )
        return None

    def _with_role(self, binding: Binding, members: Mapping[str, Node]) -> Binding:
        kinds = [key for key in ("creates", "lists", "deletes", "updates") if key in members]
        if len(kinds) > 1:
            self.report.error(
                "S208",
                members[kinds[1]].key_node,
                f"operation {binding.alias!r} {kinds[0]} and {kinds[1]} at once",
                "choose one of them.",
            )
            return binding
        role = Role(
            limits=read_limits(members["limit"], self.states, self.report) if "limit" in members else (),
            concurrency=read_concurrency(members["concurrency"], self.states, self.report)
            if "concurrency" in members
            else None,
            flaky=read_flaky(members["flaky"], self.states, self.report) if "flaky" in members else None,
        )
        delay = read_delay(members["delay"], self.report) if "delay" in members else binding.delay
        if "key" in members:
            role = self._key(members["key"], binding, role)
        if "creates" in members and "key" in members:
            self.report.error(
                "S208",
                members["key"].key_node,
                f"operation {binding.alias!r} creates a new key, so its `key` is never read",
                "remove `key`; or remove `creates`, and the first call with a key creates its resource.",
            )
        if "items" in members and "lists" not in members:
            self.report.error(
                "S208",
                members["items"].key_node,
                f"operation {binding.alias!r} has `items` without `lists`",
                "name the list in its response, such as `lists: body.NAME`; or remove `items`.",
            )
        if "creates" in members:
            return self._creates(members["creates"], replace(binding, delay=delay), role)
        if "lists" in members:
            return self._lists(members["lists"], replace(binding, delay=delay), role)
        if "deletes" in members:
            node = members["deletes"]
            if node.value is not True:
                self.report.error("S208", node, f"`deletes` is {node.describe()}", "write `deletes: true`.")
            role = structs.replace(role, deletes=True)
        if "updates" in members:
            role = self._updates(members["updates"], binding, role)
        return replace(binding, role=role, delay=delay)

    def _updates(self, node: Node, binding: Binding, role: Role) -> Role:
        """Read ``replace`` or ``merge``: how the body of the request changes the stored data."""
        if node.value not in ("replace", "merge"):
            self.report.error(
                "S208",
                node,
                f"`updates` of {binding.alias!r} is {node.describe()}",
                "write `updates: replace` or `updates: merge`.",
            )
            return role
        if binding.operation.body is None:
            self.report.error(
                "S208",
                node,
                f"operation {binding.alias!r} has no request body, so `updates` has no effect",
                "remove `updates`; a state can write the data with `set`.",
            )
            return role
        return structs.replace(role, updates=node.value)

    def _key(self, node: Node, binding: Binding, role: Role) -> Role:
        """Read ``path.id``, or ``{HANDLE: path.id}``."""
        handle, key_node = "", node
        if isinstance(node.value, dict) and len(node.value) == 1:
            [(handle, key_node)] = node.value.items()
            if handle not in self.handles:
                self.report.error(
                    "S208",
                    key_node.key_node,
                    f"there is no handle {handle!r}",
                    f"the handles are {join_names(self.handles)}.",
                )
        found = parse_source(key_node.value)
        if found is None or not has_parameter(found, binding.operation):
            self.report.error(
                "S207",
                key_node,
                f"the key of {binding.alias!r}, {key_node.describe()}, is not a part of its request",
                "name a parameter of the operation: path.NAME, query.NAME, header.NAME, body.NAME.",
            )
            return role
        check_part(found, key_node, [binding], self.report)
        return structs.replace(role, key=found, handle=handle)

    def _creates(self, node: Node, binding: Binding, role: Role) -> Binding:
        binding = replace(binding, role=structs.replace(role, creates=True))
        if node.value is True:
            return binding
        path = _path_of(node)
        schema = self._body_schema(binding)
        ref = member(binding.schemas, schema, path) if schema and path else None
        if not path or ref is None:
            names = properties(binding.schemas, schema).names if schema else ()
            self.report.error(
                "S208",
                node,
                f"the response to {binding.alias!r} has no field {node.describe()} for the new key",
                f"write body.NAME; the documented fields are {join_names(names)}. "
                "With `creates: true`, the body itself has {{ resource.key }}.",
            )
            return binding
        return replace(binding, key_path=path, is_number=_is_number(binding.schemas, ref))

    def _lists(self, node: Node, binding: Binding, role: Role) -> Binding:
        path = () if node.value == "body" else _path_of(node)
        schema = self._body_schema(binding)
        item = None
        if schema and (path or node.value == "body"):
            item = member(binding.schemas, schema, (*path, "*"))
        if item is None and node.value == "body":
            item = _item_of_sequence(binding)
        if item is None:
            self.report.error(
                "S208",
                node,
                f"the response to {binding.alias!r} has no array at {node.describe()}",
                "write `lists: body.NAME`; or `lists: body` if the body is the array.",
            )
            return binding
        pointer = "".join(f"/{part}" for part in path)
        return replace(binding, role=structs.replace(role, lists=pointer), item=item)

    def _source(
        self, alias: str, node: Node, bindings: Mapping[str, Binding], aliases: Collection[str]
    ) -> str:
        named = node.value.get("items") if isinstance(node.value, dict) else None
        if named is None:
            others = (
                binding
                for binding in bindings.values()
                if binding.role.lists is None and not binding.role.creates
            )
            return next((binding.alias for binding in others), "")
        if isinstance(named.value, str) and named.value in aliases and named.value != alias:
            return named.value
        self.report.error(
            "S202",
            named,
            f"this file has no operation {named.describe()}",
            f"the others are {join_names(name for name in aliases if name != alias)}.",
        )
        return ""

    @staticmethod
    def _body_schema(binding: Binding) -> SchemaRef | None:
        response, _ = default_response(binding.operation)
        return next((media.schema for media in response.content if media.schema), None)


def has_parameter(source: Lookup, operation: Operation) -> bool:
    """Whether a request to ``operation`` can have ``source``. A path parameter must be in the template."""
    return source.part != "path" or f"{{{source.name}}}" in operation.path


def key_schemas(key: Lookup, bindings: Mapping[str, Binding]) -> tuple[SchemaRef, ...]:
    """Return the schemas of a new key: those of its parameters and of the response fields that hold it."""
    found: dict[SchemaRef, None] = {}
    for binding in bindings.values():
        if binding.role.handle or binding.role.creates:
            continue
        source = binding.role.key or key
        for parameter in binding.operation.parameters:
            if (parameter.location, parameter.name) == (source.part, source.name) and parameter.schema:
                found[parameter.schema] = None
    for binding in bindings.values():
        if binding.key_path:
            response, _ = default_response(binding.operation)
            schema = next((media.schema for media in response.content if media.schema), None)
            ref = member(binding.schemas, schema, binding.key_path) if schema else None
            if ref:
                found[ref] = None
    return tuple(found)


def _item_of_sequence(binding: Binding) -> SchemaRef | None:
    """Return the schema of an item of a sequential response, such as JSON Lines; None for others."""
    response, _ = default_response(binding.operation)
    reader = Reader(binding.schemas, "response")
    items = (Codec(media, reader).schemas(family_of(media.name))[1] for media in response.content)
    return next(filter(None, items), None)


def _path_of(node: Node) -> tuple[str, ...]:
    """Return ``body.a.b`` as its parts; empty for anything else."""
    found = parse_source(node.value)
    if found is None or found.part != "body":
        return ()
    return tuple(part for part in re.split(r"[./]", found.name) if part)


def _is_number(schemas: Schemas, ref: SchemaRef) -> bool:
    schema: JSON = schemas.lookup(ref)[0]
    kinds = schema.get("type") if isinstance(schema, dict) else None
    return kinds in ("integer", "number") or (isinstance(kinds, list) and "integer" in kinds)


_CERTIFY = frozenset(["csr", "commonName"])


def read_key(node: Node | None, bindings: Mapping[str, Binding], report: Report) -> Lookup | None:
    """Return the part of a request that holds the key, or None after reporting an error."""
    if node is None:
        return None
    found = parse_source(node.value)
    if found is None:
        report.error(
            "S207",
            node,
            f"`key` is {node.describe()}",
            "name a part of the request: path.NAME, query.NAME, header.NAME, cookie.NAME or body.NAME.",
        )
        return None
    named = [
        binding
        for binding in bindings.values()
        if not binding.role.creates and binding.role.lists is None and binding.role.key is None
    ]
    lacking = [binding for binding in named if not has_parameter(found, binding.operation)]
    if lacking:
        shown = ", ".join(f"{binding.operation.path} (operation {binding.alias!r})" for binding in lacking)
        question = did_you_mean(found.name, part_names("path", lacking))
        remedy = "Name a parameter of every operation's path, or give the operation its own `key`."
        report.error(
            "S207",
            node,
            f"there is no parameter {{{found.name}}} in {shown}",
            f"{question} {remedy}".lstrip(),
        )
    else:
        check_part(found, node, named, report)
    return Lookup(found.part, found.name, ignore_case=_is_uuid(found, bindings))


def read_handles(members: Iterable[tuple[str, Node]], report: Report) -> dict[str, str]:
    """Return the handles, which are other names of a resource: name → template."""
    handles = {}
    for name, node in members:
        if not isinstance(node.value, str):
            report.error(
                "S204",
                node,
                f"the handle {name!r} is {node.describe()}",
                "write a template, such as \"{{ uuid('certificate') }}\".",
            )
            continue
        compile_templates(node, report)
        handles[name] = node.value
    return handles


def read_certify(node: Node | None, bindings: Mapping[str, Binding], report: Report) -> Certify | None:
    """Return the parts of the creating request that say what a certificate certifies."""
    if node is None:
        return None
    members = read_members(node, _CERTIFY, "`certify`", report)
    found = {key: parse_source(child.value) for key, child in members.items()}
    creating = [binding for binding in bindings.values() if binding.role.creates]
    for key, child in members.items():
        if (source := found[key]) is not None:
            check_part(source, child, creating, report)
        else:
            report.error(
                "S207",
                child,
                f"`{key}` is {child.describe()}",
                "name a part of the creating request, such as body.csr.",
            )
    if not members:
        report.error(
            "S204", node, f"`certify` is {node.describe()}", "write {csr: body.csr, commonName: body.name}."
        )
    return Certify(found.get("csr"), found.get("commonName"))


def _is_uuid(key: Lookup, bindings: Mapping[str, Binding]) -> bool:
    """Whether the key is a UUID in every operation. Its case does not matter (RFC 9562 section 4)."""
    formats = set()
    for binding in bindings.values():
        for parameter in binding.operation.parameters:
            if (parameter.location, parameter.name) == (key.part, key.name) and parameter.schema:
                schema, _ = binding.schemas.lookup(parameter.schema)
                formats.add(schema.get("format") if isinstance(schema, dict) else None)
    return formats == {"uuid"}
