"""Draft a scenario file from a document: find the operations of a resource, and write the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Literal

from mockserver.diagnostics import MockServerError, UsageError
from mockserver.engine.response.negotiation import default_response
from mockserver.jsonschema import Schemas
from mockserver.plan import JSON, Document, Operation, SchemaRef

Kind = Literal["pending", "done", "failed", "error"]

_STATUS = re.compile(r"(?:.*[_-])?(status|state|phase|stage)$|.*(Status|State|Phase|Stage)$", re.IGNORECASE)
_PENDING = re.compile(
    r"pend|queue|wait|creat|new|open|draft|start|submit|process|progress|running|review|schedul|init"
    r"|building|sent|request|accept|placed|ordered|unpaid|inactive|provision|deploying",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"fail|err|reject|den(y|ied)|cancel|declin|invalid|expire|abort|timeout|revok|refus|void|lost|broken",
    re.IGNORECASE,
)
_MESSAGE = re.compile(r"err|fail|reason|problem|message", re.IGNORECASE)
_CREATED = re.compile(r"creat|issued|request|submitted", re.IGNORECASE)
_CHANGED = re.compile(r"updat|modif|chang", re.IGNORECASE)
_ITEM = re.compile(r"^(.*)/\{([^{}]+)\}$")
_X509 = {
    "certificate": "x509.certificate",
    "privatekey": "x509.private_key",
    "serialnumber": "x509.serial_number",
}
_UPDATES = {"replace": ("PUT", "replace"), "change": ("PATCH", "merge")}
"""Alias → the method of an operation that updates the resource, and how."""
_ERRORS = {422: "unprocessable", 500: "server-error", 503: "unavailable", 429: "rate-limited"}
_ERROR_TEXT = "It did not work out"


@dataclass(frozen=True, slots=True)
class StateOutline:
    """One state: its response to the reading operation, and its kind."""

    name: str
    kind: Kind
    status: int = 0
    """0: the documented success response."""
    body: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outline:
    """The content of a scenario file."""

    resource: str
    key: str
    """The path parameter."""
    operations: dict[str, Operation]
    """Alias → operation; the first one reads the resource."""
    states: tuple[StateOutline, ...]
    defaults: dict[str, str]
    is_uuid: bool
    """Whether the key is a UUID, so that some ids can select errors."""
    lifecycle: dict[str, tuple[Operation, str]] = field(default_factory=dict)
    """Alias → operation and its role, in the syntax of a scenario file."""
    repeating: tuple[str, ...] = ()
    """The aliases of other operations whose responses have the fields of the states' bodies."""
    sets: bool = False
    """Whether the states write their fields into stored data, which all operations show."""

    @property
    def updates(self) -> bool:
        """Whether an operation updates stored data."""
        return any(part.startswith("updates") for _, part in self.lifecycle.values())

    def of_kind(self, kind: Kind) -> list[str]:
        """Return the names of the states of one kind."""
        return [state.name for state in self.states if state.kind == kind]


def candidates(document: Document, schemas: Schemas) -> list[Operation]:
    """Return the operations that seem to read a resource. Those with a status field come first."""
    found = []
    for operation in document.operations:
        if operation.method == "GET" and _ITEM.match(operation.path) and response_schema(operation):
            has_status = _status_field(schemas, response_schema(operation)) is not None
            found.append((not has_status, operation.path.count("{"), operation))
    return [operation for _, _, operation in sorted(found, key=lambda entry: entry[:2])]


def outline(document: Document, schemas: Schemas, operations: Sequence[Operation]) -> Outline:
    """Outline the resource that the first of ``operations`` reads.

    Raises UsageError if the operations share no path parameter.
    """
    reading = operations[0]
    names = re.findall(r"\{([^{}]+)\}", reading.path)
    key = next((name for name in reversed(names) if all(f"{{{name}}}" in o.path for o in operations)), None)
    if key is None:
        paths = ", ".join(operation.path for operation in operations)
        raise UsageError(f"no path parameter identifies the resource in all of {paths}.")
    schema = response_schema(reading)
    fields = dict(_fields(schemas, schema)) if schema else {}
    states = list(_success_states(schemas, schema, fields))
    states += _error_states(reading)
    return Outline(
        resource=singular(reading.path.split("{" + key + "}")[0]) or document.name,
        key=key,
        operations=_aliases(operations),
        states=tuple(states),
        defaults=dict(_find_defaults(fields)),
        is_uuid=_is_uuid(reading, key, schemas),
    )


def response_schema(operation: Operation) -> SchemaRef | None:
    """Return the schema of the JSON body of the default response, or None."""
    documented_response, _ = default_response(operation)
    return next(
        (media.schema for media in documented_response.content if media.schema and "json" in media.name), None
    )


def response_fields(schemas: Schemas, operation: Operation) -> dict[str, dict[str, JSON]]:
    """Return name and schema of each property of the default response."""
    ref = response_schema(operation)
    return dict(_fields(schemas, ref)) if ref else {}


def _fields(schemas: Schemas, ref: SchemaRef, depth: int = 6) -> Iterator[tuple[str, dict[str, JSON]]]:
    """Yield name and schema of each property of the object at ``ref``, through allOf."""
    try:
        schema, ref = schemas.lookup(ref)
    except MockServerError:
        return
    if not isinstance(schema, dict) or not depth:
        return
    for index in range(len(schema.get("allOf") or ())):
        yield from _fields(schemas, f"{ref}/allOf/{index}", depth - 1)
    properties = schema.get("properties")
    for name in properties if isinstance(properties, dict) else ():
        try:
            found, _ = schemas.lookup(f"{ref}/properties/{name.replace('~', '~0').replace('/', '~1')}")
        except MockServerError:
            continue
        if isinstance(found, dict):
            yield name, found


def _required(schemas: Schemas, ref: SchemaRef, depth: int = 6) -> Iterator[str]:
    """Yield the required properties of the object at ``ref``, through allOf."""
    try:
        schema, ref = schemas.lookup(ref)
    except MockServerError:
        return
    if isinstance(schema, dict) and depth:
        yield from (name for name in schema.get("required") or () if isinstance(name, str))
        for index in range(len(schema.get("allOf") or ())):
            yield from _required(schemas, f"{ref}/allOf/{index}", depth - 1)


def _status_field(schemas: Schemas, ref: SchemaRef | None) -> tuple[str, list[str]] | None:
    """Return the name and values of the status field: an enum of texts with such a name. None if missing."""
    for name, schema in _fields(schemas, ref) if ref else ():
        values = [value for value in schema.get("enum") or () if isinstance(value, str) and value]
        if len(values) > 1 and _STATUS.match(name):
            return name, values
    return None


def _success_states(
    schemas: Schemas, ref: SchemaRef | None, fields: dict[str, dict[str, JSON]]
) -> Iterator[StateOutline]:
    found = _status_field(schemas, ref)
    if found is None:
        yield StateOutline("ready", "done")
        return
    name, values = found
    required = set(_required(schemas, ref)) if ref else set()
    taken: set[str] = set()
    for value in values:
        kind = _kind(value, values)
        body: dict[str, JSON] = {name: value, **dict(_partial(fields, required, kind))}
        label = _slug(value) or "state"
        label = label if label not in taken else f"{label}-{len(taken) + 1}"
        taken.add(label)
        yield StateOutline(label, kind, body=body)


def _kind(value: str, values: Sequence[str]) -> Kind:
    if _FAILED.search(value):
        return "failed"
    if _PENDING.match(value) and not all(_PENDING.match(other) or _FAILED.search(other) for other in values):
        return "pending"
    if value == values[0] and len(values) > 1 and not any(_PENDING.match(other) for other in values):
        return "pending"
    return "done"


def _partial(
    fields: dict[str, dict[str, JSON]], required: set[str], kind: Kind
) -> Iterator[tuple[str, JSON]]:
    """Yield the fields that a state sets beside its status: certificates, error texts, and nulls.

    A field is null only if it is nullable and required.
    """
    for name, schema in fields.items():
        expression = _X509.get(name.replace("_", "").lower()) if "string" in _types(schema) else None
        if kind == "done" and expression:
            yield name, "{{ " + expression + " }}"
        elif not _is_nullable(schema):
            continue
        elif _MESSAGE.search(name):
            is_text = "string" in _types(schema) and not {"enum", "format", "pattern"} & schema.keys()
            yield name, _ERROR_TEXT if kind == "failed" and is_text else None
        elif name in required and kind != "done" and not _CREATED.match(name) and not _CHANGED.match(name):
            yield name, None


def _error_states(operation: Operation) -> list[StateOutline]:
    statuses = [int(response.status) for response in operation.responses if response.status.isdigit()]
    return [
        StateOutline(_error_name(status), "error", status) for status in sorted(statuses) if status >= 400
    ]


def _error_name(status: int) -> str:
    try:
        return _ERRORS.get(status) or _slug(HTTPStatus(status).phrase)
    except ValueError:
        return f"status-{status}"


def _find_defaults(fields: dict[str, dict[str, JSON]]) -> Iterator[tuple[str, str]]:
    for name, schema in fields.items():
        if schema.get("format") != "date-time" or "string" not in _types(schema):
            continue
        if _CHANGED.match(name):
            yield name, "{{ resource.changed_at }}"
        elif _CREATED.match(name):
            yield name, "{{ resource.created_at }}"


def _types(schema: dict[str, JSON]) -> list[str]:
    kinds = schema.get("type", ())
    return [kinds] if isinstance(kinds, str) else [kind for kind in kinds if isinstance(kind, str)]


def _is_nullable(schema: dict[str, JSON]) -> bool:
    return schema.get("nullable") is True or schema.get("x-nullable") is True or "null" in _types(schema)


def _is_uuid(operation: Operation, key: str, schemas: Schemas) -> bool:
    for parameter in operation.parameters:
        if (parameter.location, parameter.name) == ("path", key) and parameter.schema:
            schema, _ = schemas.lookup(parameter.schema)
            return isinstance(schema, dict) and schema.get("format") == "uuid" and "enum" not in schema
    return False


def _aliases(operations: Sequence[Operation]) -> dict[str, Operation]:
    verbs = {"GET": "read", "POST": "post", "PUT": "replace", "PATCH": "change", "DELETE": "delete"}
    aliases: dict[str, Operation] = {}
    for operation in operations:
        plain = verbs.get(operation.method, operation.method.lower())
        last = _slug(re.sub(r"\{[^{}]*\}", "", operation.path).rstrip("/").rpartition("/")[2])
        for alias in (plain, f"{plain}-{last}", f"{plain}-{len(aliases)}"):
            if alias not in aliases:
                aliases[alias] = operation
                break
    return aliases


def singular(path: str) -> str:
    """Return the singular of the last word of a path: ``order`` for ``/api/v1/orders/``."""
    words = [word for word in path.strip("/").split("/") if word and "{" not in word]
    word = _slug(words[-1]) if words else ""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _slug(text: str) -> str:
    """Return a name of letters, digits and hyphens: ``in_progress`` → ``in-progress``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    return re.sub(r"[^A-Za-z0-9]+", "-", parted).strip("-").lower()


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*$")
_AMBIGUOUS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])
"""Texts that some YAML parsers read as other types."""
_RESERVED = "00000000-0000-4000-8000-000000000{status}"


def write(outline: Outline, document: str) -> str:
    """Return the text of the scenario file. ``document`` is the name of the document in comments."""
    return "\n".join(line for part in _PARTS for line in part(outline, document)) + "\n"


def _header_lines(outline: Outline, document: str) -> Iterator[str]:
    thing = outline.resource.replace("-", " ")
    article = "an" if thing[:1] in "aeio" else "a"
    yield f"# A draft of the lifecycle of {article} {thing}, from {document}. Edit it."
    yield f"resource: {_yaml_scalar(outline.resource)}"
    yield "# The part of the request that identifies a resource. Each resource has its own state."
    yield f"key: path.{outline.key}"
    yield "operations:"
    for alias, operation in outline.operations.items():
        yield f"  {alias}: {_yaml_scalar(f'{operation.method} {operation.path}')}"
    for alias, (operation, part) in outline.lifecycle.items():
        yield f"  {alias}: {{operation: {_yaml_scalar(f'{operation.method} {operation.path}')}, {part}}}"
    if "create" in outline.lifecycle:
        yield "# The response for resources that do not exist."
        yield "unknown: 404"
    yield ""


def _state_lines(outline: Outline, _: str) -> Iterator[str]:
    if outline.sets:
        yield "# `set` writes fields into the stored data when the resource enters the state. Clients change"
        yield "# the data too. All operations show it. A body is partial, and goes before the data."
    else:
        yield "# A body is partial: missing fields are generated from the documented schema."
    yield "states:"
    reading, *more = outline.operations
    ending = [alias for alias in outline.lifecycle if alias != "list"]
    others = [*more, *ending]
    has_comment = False
    for state in outline.states:
        if state.kind == "error" and not has_comment:
            has_comment = True
            yield "  # The documented errors. They can have a body too: {status: 404, body: {message: Gone}}."
        response = _response_text(state)
        aliases = ending if state.kind == "error" else others
        if outline.sets:
            shown = _stored_text(outline, state)
        elif others or outline.lifecycle:
            bodies = dict.fromkeys(outline.repeating, response) if state.kind != "error" else {}
            parts = [f"{reading}: {response}", *(f"{alias}: {bodies.get(alias, '{}')}" for alias in aliases)]
            shown = f"{{{', '.join(parts)}}}"
        else:
            shown = response
        yield f"  {_yaml_key(state.name)}: {shown}"
    yield ""


def _stored_text(outline: Outline, state: StateOutline) -> str:
    """Return a state that writes its fields into stored data. A null is no data: a body shows it."""
    reading = next(iter(outline.operations))
    if state.kind == "error":
        return f"{{{reading}: {_response_text(state)}}}"
    written = {name: value for name, value in state.body.items() if value is not None}
    nulls = {name: value for name, value in state.body.items() if value is None}
    parts = [f"set: {_mapping_text(written)}"] if written else []
    if nulls:
        body = f"{{body: {_mapping_text(nulls)}}}"
        parts += [f"{alias}: {body}" for alias in (reading, *outline.repeating)]
    return f"{{{', '.join(parts)}}}"


def _default_lines(outline: Outline, _: str) -> Iterator[str]:
    if outline.defaults:
        yield "# Defaults of every body whose schema has the field."
        yield "defaults:"
        for name, template in outline.defaults.items():
            yield f"  {_yaml_key(name)}: {json.dumps(template)}"
        yield ""


def _scenario_lines(outline: Outline, _: str) -> Iterator[str]:
    yield "# Timelines of states. A hold is a number of calls or a duration. The last state stays."
    yield "scenarios:"
    waits = [f"{_yaml_key(name)}: 1" for name in outline.of_kind("pending")]
    if len(waits) == 1:
        waits = [waits[0].replace(": 1", ": 2")]
    ends = _final_states(outline)
    for name in ends:
        yield f"  {_yaml_key(name)}: [{', '.join([*waits, _yaml_key(name)])}]"
    if waits:
        for name in ends:
            yield f"  {_yaml_key(name)}-at-once: [{_yaml_key(name)}]"
        first = _yaml_key(outline.of_kind("pending")[0])
        yield f"  slow: [{first}: 30s, {_yaml_key(ends[0])}]"
        yield f"  for-ever-{outline.of_kind('pending')[0]}: [{first}]"
    for name in outline.of_kind("error"):
        yield f"  {_yaml_key(name)}: [{_yaml_key(name)}]"
    if "server-error" in outline.of_kind("error"):
        yield f"  flaky: [{', '.join(['server-error: 1', *waits, _yaml_key(ends[0])])}]"
    yield ""


def _select_lines(outline: Outline, _: str) -> Iterator[str]:
    yield "# The first rule that matches selects the scenario of a key, at its first call. A request"
    yield "# can also select one, with the header `Prefer: scenario=NAME` or `Prefer: state=NAME`."
    yield "select:"
    if outline.is_uuid and "create" not in outline.lifecycle:
        for state in outline.states:
            if state.kind == "error":
                reserved = _RESERVED.format(status=state.status)
                yield f"  - {{{_yaml_key(outline.key)}: {reserved}, scenario: {_yaml_key(state.name)}}}"
    other = [name for name in _final_states(outline) if name != _final_states(outline)[0]] or outline.of_kind(
        "error"
    )
    if other:
        yield f'  # - {{header.X-Tenant: "acme-*", scenario: {_yaml_key(other[0])}}}'
    yield f"  - scenario: {_yaml_key(_final_states(outline)[0])}"


_PARTS = (_header_lines, _state_lines, _default_lines, _scenario_lines, _select_lines)


def _final_states(outline: Outline) -> list[str]:
    """Return the final states: success before failure."""
    return [*outline.of_kind("done"), *outline.of_kind("failed")] or outline.of_kind("pending")[-1:]


def _response_text(state: StateOutline) -> str:
    if state.status:
        return f"{{status: {state.status}}}"
    if not state.body:
        return "{}"
    return f"{{body: {_mapping_text(state.body)}}}"


def _mapping_text(members: dict[str, JSON]) -> str:
    shown = (f"{_yaml_key(name)}: {_yaml_scalar(value)}" for name, value in members.items())
    return f"{{{', '.join(shown)}}}"


def _yaml_key(name: str) -> str:
    return name if _PLAIN.match(name) and name.lower() not in _AMBIGUOUS else json.dumps(name)


def _yaml_scalar(value: JSON) -> str:
    """Return a value in YAML. Texts are plain if they are not ambiguous."""
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _AMBIGUOUS:
        return value
    return json.dumps(value, ensure_ascii=False)


def with_related_operations(
    outline: Outline, document: Document, schemas: Schemas, *, updates: bool = True, sets: bool = True
) -> Outline:
    """Add the operations that create, list, update and delete the resource; some only if one creates it.

    ``updates``: whether to add those that update it; ``sets``: whether states then write stored data.
    """
    reading = next(iter(outline.operations.values()))
    found = dict(_related_operations(outline, document, schemas, reading))
    if "create" not in found:
        found = {alias: role for alias, role in found.items() if alias in _UPDATES}
    if not updates:
        found = {alias: role for alias, role in found.items() if alias not in _UPDATES}
    names = {name for state in outline.states for name in state.body}
    added = replace(outline, lifecycle=found)
    if added.updates and sets:
        added = replace(added, sets=True)
        names = {name for state in outline.states for name, value in state.body.items() if value is None}
    repeating = [
        alias
        for alias, (operation, _) in found.items()
        if alias in ("create", *_UPDATES) and names <= response_fields(schemas, operation).keys()
    ]
    return replace(added, repeating=tuple(repeating))


def _related_operations(
    outline: Outline, document: Document, schemas: Schemas, reading: Operation
) -> Iterator[tuple[str, tuple[Operation, str]]]:
    at = {(operation.path, operation.method): operation for operation in document.operations}
    collection = reading.path.removesuffix(f"/{{{outline.key}}}")
    if collection == reading.path:
        return
    names = outline.key, "id", f"{outline.resource}Id", f"{outline.resource}_id"
    if creating := at.get((collection, "POST")):
        member = _key_member(response_fields(schemas, creating), names)
        if member:
            yield "create", (creating, f"creates: body.{member}")
    if (listing := at.get((collection, "GET"))) and (list_path := _list_path(schemas, listing)):
        yield "list", (listing, f"lists: {list_path}, items: {next(iter(outline.operations))}")
    for alias, (method, kind) in _UPDATES.items():
        if (updating := at.get((reading.path, method))) and _updates(updating):
            yield alias, (updating, f"updates: {kind}")
        elif (updating := at.get((collection, method))) and _updates(updating):
            member = _key_member(_request_fields(schemas, updating), names)
            if member:
                yield alias, (updating, f"updates: {kind}, key: body.{member}")
    if deleting := at.get((reading.path, "DELETE")):
        yield "delete", (deleting, "deletes: true")


def _updates(operation: Operation) -> bool:
    """Return whether an operation can change a resource: it takes a body, and documents a success."""
    _, status = default_response(operation)
    return operation.body is not None and 200 <= status < 300


def _request_fields(schemas: Schemas, operation: Operation) -> dict[str, dict[str, JSON]]:
    """Return name and schema of each property of the JSON body of the request."""
    content = operation.body.content if operation.body is not None else ()
    ref = next((media.schema for media in content if media.schema and "json" in media.name), None)
    return dict(_fields(schemas, ref)) if ref else {}


def _key_member(fields: Iterable[str], names: tuple[str, ...]) -> str | None:
    """Return the field that holds a key, or None."""
    members = {name.replace("_", "").lower(): name for name in fields}
    wanted = (name.replace("_", "").replace("-", "").lower() for name in names)
    return next((members[name] for name in wanted if name in members), None)


def _list_path(schemas: Schemas, operation: Operation) -> str | None:
    """Return the path of the list in the response, or None."""
    ref = response_schema(operation)
    try:
        node = schemas.lookup(ref)[0] if ref else None
    except MockServerError:
        return None
    if isinstance(node, dict) and node.get("type") == "array":
        return "body"
    arrays = [
        name
        for name, answer_field in response_fields(schemas, operation).items()
        if answer_field.get("type") == "array"
    ]
    return f"body.{arrays[0]}" if len(arrays) == 1 else None
