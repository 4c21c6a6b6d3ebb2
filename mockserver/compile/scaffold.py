"""A first scenario file for a document: which operations belong to one resource, and the text of the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
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
_ERRORS = {422: "unprocessable", 500: "server-error", 503: "unavailable", 429: "rate-limited"}
_TOLD = "It did not work out"


@dataclass(frozen=True, slots=True)
class OutlinedState:
    """One state: what it answers to the reading operation, and what kind of thing it is."""

    name: str
    kind: Kind
    status: int = 0
    """0: the documented success."""
    body: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outline:
    """A scenario file, before it is written."""

    resource: str
    key: str
    """The path parameter."""
    operations: dict[str, Operation]
    """Alias → operation; the first one reads the resource."""
    states: tuple[OutlinedState, ...]
    defaults: dict[str, str]
    is_uuid: bool
    """Whether the key is a UUID, so that ids can be set aside for errors."""
    life: dict[str, tuple[Operation, str]] = field(default_factory=dict)
    """Alias → operation and its part in the resource's life, as a scenario file says it."""

    def of_kind(self, kind: Kind) -> list[str]:
        """The names of the states of one kind."""
        return [state.name for state in self.states if state.kind == kind]


def candidates(document: Document, schemas: Schemas) -> list[Operation]:
    """The operations that look like the reading of a resource; those whose status can be told go first."""
    found = []
    for operation in document.operations:
        if operation.method == "GET" and _ITEM.match(operation.path) and answer_schema(operation):
            has_status = _status_field(schemas, answer_schema(operation)) is not None
            found.append((not has_status, operation.path.count("{"), operation))
    return [operation for _, _, operation in sorted(found, key=lambda entry: entry[:2])]


def outline(document: Document, schemas: Schemas, operations: Sequence[Operation]) -> Outline:
    """The outline of what the first of ``operations`` reads. Raises UsageError where they share no key."""
    reading = operations[0]
    names = re.findall(r"\{([^{}]+)\}", reading.path)
    key = next((name for name in reversed(names) if all(f"{{{name}}}" in o.path for o in operations)), None)
    if key is None:
        paths = ", ".join(operation.path for operation in operations)
        raise UsageError(f"no path parameter tells one resource from another in all of {paths}.")
    schema = answer_schema(reading)
    fields = dict(_fields(schemas, schema)) if schema else {}
    states = list(_successes(schemas, schema, fields))
    states += _errors(reading)
    return Outline(
        resource=_singular(reading.path.split("{" + key + "}")[0]) or document.name,
        key=key,
        operations=_aliases(operations),
        states=tuple(states),
        defaults=dict(_defaults(fields)),
        is_uuid=_is_uuid(reading, key, schemas),
    )


def answer_schema(operation: Operation) -> SchemaRef | None:
    """The schema of the JSON that an operation usually answers."""
    documented_response, _ = default_response(operation)
    return next(
        (media.schema for media in documented_response.content if media.schema and "json" in media.name), None
    )


def answer_fields(schemas: Schemas, operation: Operation) -> dict[str, dict[str, JSON]]:
    """Name and schema of each property of the object that an operation usually answers."""
    ref = answer_schema(operation)
    return dict(_fields(schemas, ref)) if ref else {}


def _fields(schemas: Schemas, ref: SchemaRef, depth: int = 6) -> Iterator[tuple[str, dict[str, JSON]]]:
    """Name and schema of each property that the object at ``ref`` surely may have."""
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
    """The properties that the object at ``ref`` must have."""
    try:
        schema, ref = schemas.lookup(ref)
    except MockServerError:
        return
    if isinstance(schema, dict) and depth:
        yield from (name for name in schema.get("required") or () if isinstance(name, str))
        for index in range(len(schema.get("allOf") or ())):
            yield from _required(schemas, f"{ref}/allOf/{index}", depth - 1)


def _status_field(schemas: Schemas, ref: SchemaRef | None) -> tuple[str, list[str]] | None:
    """The field whose values are the states of a life: an enum of texts with a name that says so."""
    for name, schema in _fields(schemas, ref) if ref else ():
        values = [value for value in schema.get("enum") or () if isinstance(value, str) and value]
        if len(values) > 1 and _STATUS.match(name):
            return name, values
    return None


def _successes(
    schemas: Schemas, ref: SchemaRef | None, fields: dict[str, dict[str, JSON]]
) -> Iterator[OutlinedState]:
    found = _status_field(schemas, ref)
    if found is None:
        yield OutlinedState("ready", "done")
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
        yield OutlinedState(label, kind, body=body)


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
    """What a state must say of the fields that may be null: whether there is something yet.

    One that may also be left out does not say so by null.
    """
    for name, schema in fields.items():
        expression = _X509.get(name.replace("_", "").lower()) if "string" in _types(schema) else None
        if kind == "done" and expression:
            yield name, "{{ " + expression + " }}"
        elif not _is_nullable(schema):
            continue
        elif _MESSAGE.search(name):
            is_text = "string" in _types(schema) and not {"enum", "format", "pattern"} & schema.keys()
            yield name, _TOLD if kind == "failed" and is_text else None
        elif name in required and kind != "done" and not _CREATED.match(name) and not _CHANGED.match(name):
            yield name, None


def _errors(operation: Operation) -> list[OutlinedState]:
    statuses = [int(response.status) for response in operation.responses if response.status.isdigit()]
    return [
        OutlinedState(_error_name(status), "error", status) for status in sorted(statuses) if status >= 400
    ]


def _error_name(status: int) -> str:
    try:
        return _ERRORS.get(status) or _slug(HTTPStatus(status).phrase)
    except ValueError:
        return f"status-{status}"


def _defaults(fields: dict[str, dict[str, JSON]]) -> Iterator[tuple[str, str]]:
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


def _singular(path: str) -> str:
    """What one of the things is called that a path holds: ``/api/v1/orders/`` holds an order."""
    words = [word for word in path.strip("/").split("/") if word and "{" not in word]
    word = _slug(words[-1]) if words else ""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _slug(text: str) -> str:
    """A name of letters, digits and hyphens: ``in_progress`` → ``in-progress``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    return re.sub(r"[^A-Za-z0-9]+", "-", parted).strip("-").lower()


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*$")
_MEANT = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])
"""Texts that some YAML parser takes for something else."""
_RESERVED = "00000000-0000-4000-8000-000000000{status}"


def write(outline: Outline, document: str) -> str:
    """The scenario file; ``document`` is what its comments call the document."""
    return "\n".join(line for part in _PARTS for line in part(outline, document)) + "\n"


def _head(outline: Outline, document: str) -> Iterator[str]:
    thing = outline.resource.replace("-", " ")
    article = "an" if thing[:1] in "aeio" else "a"
    yield f"# The life of {article} {thing}, as far as {document} tells it: a start, to be edited."
    yield f"resource: {_scalar(outline.resource)}"
    yield "# What tells one from another. Each has a life of its own."
    yield f"key: path.{outline.key}"
    yield "operations:"
    for alias, operation in outline.operations.items():
        yield f"  {alias}: {_scalar(f'{operation.method} {operation.path}')}"
    for alias, (operation, part) in outline.life.items():
        yield f"  {alias}: {{operation: {_scalar(f'{operation.method} {operation.path}')}, {part}}}"
    if outline.life:
        yield "# What is answered where no such resource is."
        yield "unknown: 404"
    yield ""


def _states(outline: Outline, _: str) -> Iterator[str]:
    yield "# A body is partial: what it leaves out is generated from the documented schema."
    yield "states:"
    reading, *more = outline.operations
    ending = [alias for alias in outline.life if alias != "list"]
    others = [*more, *ending]
    told = False
    for state in outline.states:
        if state.kind == "error" and not told:
            told = True
            yield "  # The documented errors; they can have a body too: {status: 404, body: {message: Gone}}."
        response = _answer(state)
        told_too = ending if state.kind == "error" else others
        if others or outline.life:
            shown = f"{{{', '.join([f'{reading}: {response}', *(f'{alias}: {{}}' for alias in told_too)])}}}"
        else:
            shown = response
        yield f"  {_key(state.name)}: {shown}"
    yield ""


def _outline_text_defaults(outline: Outline, _: str) -> Iterator[str]:
    if outline.defaults:
        yield "# Laid under every body whose schema has the field."
        yield "defaults:"
        for name, template in outline.defaults.items():
            yield f"  {_key(name)}: {json.dumps(template)}"
        yield ""


def _scenarios(outline: Outline, _: str) -> Iterator[str]:
    yield "# Timelines of states. A hold is a number of calls or a duration; the last state stays."
    yield "scenarios:"
    waits = [f"{_key(name)}: 1" for name in outline.of_kind("pending")]
    if len(waits) == 1:
        waits = [waits[0].replace(": 1", ": 2")]
    ends = _ends(outline)
    for name in ends:
        yield f"  {_key(name)}: [{', '.join([*waits, _key(name)])}]"
    if waits:
        for name in ends:
            yield f"  {_key(name)}-at-once: [{_key(name)}]"
        first = _key(outline.of_kind("pending")[0])
        yield f"  slow: [{first}: 30s, {_key(ends[0])}]"
        yield f"  for-ever-{outline.of_kind('pending')[0]}: [{first}]"
    for name in outline.of_kind("error"):
        yield f"  {_key(name)}: [{_key(name)}]"
    if "server-error" in outline.of_kind("error"):
        yield f"  flaky: [{', '.join(['server-error: 1', *waits, _key(ends[0])])}]"
    yield ""


def _select(outline: Outline, _: str) -> Iterator[str]:
    yield "# Which scenario a key begins with, when it is first seen: the first rule that matches. A request"
    yield "# can also choose by itself, with the header `Prefer: scenario=NAME` or `Prefer: state=NAME`."
    yield "select:"
    if outline.is_uuid and not outline.life:
        for state in outline.states:
            if state.kind == "error":
                reserved = _RESERVED.format(status=state.status)
                yield f"  - {{{_key(outline.key)}: {reserved}, scenario: {_key(state.name)}}}"
    other = [name for name in _ends(outline) if name != _ends(outline)[0]] or outline.of_kind("error")
    if other:
        yield f'  # - {{header.X-Tenant: "acme-*", scenario: {_key(other[0])}}}'
    yield f"  - scenario: {_key(_ends(outline)[0])}"


_PARTS = (_head, _states, _outline_text_defaults, _scenarios, _select)


def _ends(outline: Outline) -> list[str]:
    """The states that a life can end with: success before failure."""
    return [*outline.of_kind("done"), *outline.of_kind("failed")] or outline.of_kind("pending")[-1:]


def _answer(state: OutlinedState) -> str:
    if state.status:
        return f"{{status: {state.status}}}"
    if not state.body:
        return "{}"
    return (
        f"{{body: {{{', '.join(f'{_key(name)}: {_scalar(value)}' for name, value in state.body.items())}}}}}"
    )


def _key(name: str) -> str:
    return name if _PLAIN.match(name) and name.lower() not in _MEANT else json.dumps(name)


def _scalar(value: JSON) -> str:
    """A value in YAML: texts plain where nothing else can be read into them."""
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _MEANT:
        return value
    return json.dumps(value, ensure_ascii=False)


def with_relatives(outline: Outline, document: Document, schemas: Schemas) -> Outline:
    """``outline`` with the resource's whole life; the same where nothing brings it into being."""
    reading = next(iter(outline.operations.values()))
    found = dict(_relatives(outline, document, schemas, reading))
    return replace(outline, life=found) if "create" in found else outline


def _relatives(
    outline: Outline, document: Document, schemas: Schemas, reading: Operation
) -> Iterator[tuple[str, tuple[Operation, str]]]:
    collection = reading.path.removesuffix(f"/{{{outline.key}}}")
    if collection == reading.path:
        return
    at = {(operation.path, operation.method): operation for operation in document.operations}
    if made := at.get((collection, "POST")):
        told = _member(schemas, made, (outline.key, "id", f"{outline.resource}Id", f"{outline.resource}_id"))
        if told:
            yield "create", (made, f"creates: body.{told}")
    if (listed := at.get((collection, "GET"))) and (place := _array(schemas, listed)):
        yield "list", (listed, f"lists: {place}, items: {next(iter(outline.operations))}")
    if ended := at.get((reading.path, "DELETE")):
        yield "delete", (ended, "deletes: true")


def _member(schemas: Schemas, operation: Operation, names: tuple[str, ...]) -> str | None:
    """The member of its answer that tells a fresh key."""
    members = {name.replace("_", "").lower(): name for name in answer_fields(schemas, operation)}
    wanted = (name.replace("_", "").replace("-", "").lower() for name in names)
    return next((members[name] for name in wanted if name in members), None)


def _array(schemas: Schemas, operation: Operation) -> str | None:
    """Where in its answer the list stands."""
    ref = answer_schema(operation)
    try:
        node = schemas.lookup(ref)[0] if ref else None
    except MockServerError:
        return None
    if isinstance(node, dict) and node.get("type") == "array":
        return "body"
    arrays = [
        name
        for name, answer_field in answer_fields(schemas, operation).items()
        if answer_field.get("type") == "array"
    ]
    return f"body.{arrays[0]}" if len(arrays) == 1 else None
