"""Findings that only ``mockserver check`` looks for: unused parts, doubtful schemas, routes that overlap."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

from mockserver.compile.document import LoadedDocument
from mockserver.compile.references import Trees
from mockserver.compile.source import Source
from mockserver.compile.spec_validation import locate
from mockserver.diagnostics import Diagnostic, Location, Severity
from mockserver.engine.response.examples import Fault
from mockserver.engine.routing import has_mark, path_of
from mockserver.engine.service import Service
from mockserver.jsonschema import Direction, SchemaError, Schemas
from mockserver.jsonschema.references import escape
from mockserver.plan import Operation, SchemaRef

_FAULTS: dict[str, tuple[str, Severity, str]] = {
    "example": ("D501", "warning", "mend the example; a generated value is sent in its place."),
    "unsatisfiable": ("D502", "error", "mend the schema, or give it a valid example."),
    "schema": ("D503", "error", "mend the schema."),
}


def lint_document(
    loaded: LoadedDocument, service: Service, progress: Callable[[str], None]
) -> Iterator[Diagnostic]:
    """Keys given twice, schemas that cannot be used, and answers that cannot be given as documented."""
    for source in loaded.trees.sources.values():
        yield from find_repeated_keys(source)
    yield from _marked_paths(loaded)
    seen: set[tuple[str, str, Location]] = set()
    for fault, holder in _faults(loaded, service, progress):
        code, severity, remedy = _FAULTS[fault.kind]
        location = locate(loaded.trees, fault.where or holder)
        if (code, fault.message, location) not in seen:
            seen.add((code, fault.message, location))
            yield Diagnostic(code, fault.message, location, remedy, severity)


def _marked_paths(loaded: LoadedDocument) -> Iterator[Diagnostic]:
    """Paths that go on behind ``?`` or ``#``, which OpenAPI does not have."""
    for operation in loaded.document.operations:
        if has_mark(operation.path):
            path = path_of(operation.path)
            yield Diagnostic(
                "D305",
                f"the path of {operation.method} {operation.path} ends before the mark; the query parameters "
                f"and header fields behind the mark select among the operations of {path}",
                loaded.trees.locate(operation.pointer),
                "give it a path of its own, or describe it as one operation with parameters.",
                "warning",
            )


def _faults(
    loaded: LoadedDocument, service: Service, progress: Callable[[str], None]
) -> Iterator[tuple[Fault, SchemaRef]]:
    """Every fault of the operations, then of shared schemas, and what it is about. Some come up again."""
    operations = loaded.document.operations
    for number, operation in enumerate(operations, 1):
        progress(f"checking {loaded.document.name}, operation {number} of {len(operations)}")
        for ref, direction in _schemas(operation):
            if fault := _schema_fault(service.schemas, ref, direction):
                yield fault, operation.pointer
        for fault in service.documented.faults(operation):
            yield fault, operation.pointer
    for ref in _component_schemas(loaded.trees):
        if fault := _schema_fault(service.schemas, ref, "response"):
            yield fault, ref


def _component_schemas(trees: Trees) -> Iterator[SchemaRef]:
    """The schemas that the document keeps for all, whether or not an operation uses them."""
    root = trees.sources[trees.root_uri].value
    components = root.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    for pointer, named in (("components/schemas", schemas), ("definitions", root.get("definitions"))):
        for name in named if isinstance(named, dict) else ():
            yield f"{trees.root_uri}#/{pointer}/{escape(name)}"


def _schemas(operation: Operation) -> Iterator[tuple[SchemaRef, Direction]]:
    for parameter in operation.parameters:
        for ref in (parameter.schema, parameter.content.schema if parameter.content else None):
            if ref:
                yield ref, "request"
    for media in operation.body.content if operation.body else ():
        for ref in (media.schema, media.item_schema):
            if ref:
                yield ref, "request"


def _schema_fault(schemas: Schemas, ref: SchemaRef, direction: Direction) -> Fault | None:
    try:
        schemas.validator(ref, direction)
    except SchemaError as error:
        return Fault("schema", error.ref, error.message)
    return None


def find_repeated_keys(source: Source) -> Iterator[Diagnostic]:
    """Keys that a mapping of ``source`` gives twice, each at its second place."""
    if _is_json_without_repeats(source.text):
        return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(source.text, loader)
    except (yaml.YAMLError, RecursionError):
        return  # valid for the YAML 1.2 parser that it is served by
    stack, entered = [root], set()
    while stack:
        node = stack.pop()
        if node is None or id(node) in entered:
            continue
        entered.add(id(node))  # an alias is the same node again
        if isinstance(node, yaml.SequenceNode):
            stack.extend(reversed(node.value))
        elif isinstance(node, yaml.MappingNode):
            yield from _repeats(node, source.name)
            stack.extend(value for _, value in reversed(node.value))


def _repeats(node: yaml.MappingNode, name: str) -> Iterator[Diagnostic]:
    first: dict[Any, int] = {}
    for label, _ in node.value:
        if not isinstance(label, yaml.ScalarNode):
            continue
        line = label.start_mark.line + 1
        if label.value in first:
            where = Location(name, line, label.start_mark.column + 1)
            message = (
                f"the key {label.value!r} is given twice; it stands in line {first[label.value]} already"
            )
            yield Diagnostic("D113", message, where, "join the two, or rename one.")
        first.setdefault(label.value, line)


def _is_json_without_repeats(text: str) -> bool:
    """Whether a text is JSON and every key in it is given once: the quick way out for big documents."""

    def pairs(members: list[tuple[str, Any]]) -> bool:
        if len({name for name, _ in members}) < len(members):
            raise ValueError
        return True

    if text.lstrip()[:1] != "{":
        return False
    try:
        json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return False
    return True


def find_overlaps(loaded: Sequence[LoadedDocument], services: Sequence[Service]) -> Iterator[Diagnostic]:
    """One warning for each operation whose path leads to a document before.

    Documents whose servers have paths of their own (``/v1``, ``/v2``) are told
    apart by them.
    """
    for number, entry in enumerate(loaded):
        for operation in entry.document.operations if number else ():
            prefixes = [base for base in entry.document.base_paths if base] or [""]
            found = next(
                (
                    (before, first)
                    for before in services[:number]
                    for base in prefixes
                    if (first := _match(before, base, operation)) is not None
                ),
                None,
            )
            if found is not None:
                before, first = found
                yield Diagnostic(
                    "D402",
                    f"{operation.method} {operation.path} is answered by {first.method} {first.path} of the "
                    f"document {before.document.name}",
                    entry.trees.locate(operation.pointer),
                    "remove it from one of them, name the other document first, or give their servers "
                    "different paths.",
                    "warning",
                )


def _match(service: Service, base: str, operation: Operation) -> Operation | None:
    """What a request for ``operation`` finds, with its parameters standing for their values."""
    found = service.router.find(operation.method, base + path_of(operation.path))
    return None if found is None or found.target is None else found.target.operation
