"""Find what only ``mockserver check`` reports: unusable schemas, wrong examples, overlapping routes."""

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
    "example": ("D501", "warning", "correct the example; a generated value is sent instead."),
    "unsatisfiable": ("D502", "error", "correct the schema, or add a valid example."),
    "schema": ("D503", "error", "correct the schema."),
}


def lint_document(
    loaded: LoadedDocument, service: Service, progress: Callable[[str], None]
) -> Iterator[Diagnostic]:
    """Yield repeated keys, unusable schemas, and responses that cannot be generated as documented."""
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
    """Yield a warning for each path with ``?`` or ``#``, which OpenAPI does not allow."""
    for operation in loaded.document.operations:
        if has_mark(operation.path):
            path = path_of(operation.path)
            yield Diagnostic(
                "D305",
                f"the path of {operation.method} {operation.path} ends before the mark; the query parameters "
                f"and header fields behind the mark select among the operations of {path}",
                loaded.trees.locate(operation.pointer),
                "give it its own path, or describe one operation with parameters.",
                "warning",
            )


def _faults(
    loaded: LoadedDocument, service: Service, progress: Callable[[str], None]
) -> Iterator[tuple[Fault, SchemaRef]]:
    """Yield faults of operations, then of shared schemas, with their references. May yield duplicates."""
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
    """Yield the shared schemas of a document, used or not."""
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
    """Yield each key that a mapping of ``source`` has twice, at its second location."""
    if _is_json_without_repeats(source.text):
        return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(source.text, loader)
    except (yaml.YAMLError, RecursionError):
        return  # the YAML 1.2 parser accepted it
    stack, entered = [root], set()
    while stack:
        node = stack.pop()
        if node is None or id(node) in entered:
            continue
        entered.add(id(node))  # an alias is the same node
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
            message = f"the key {label.value!r} is given twice; line {first[label.value]} has it already"
            yield Diagnostic("D113", message, where, "merge the two, or rename one.")
        first.setdefault(label.value, line)


def _is_json_without_repeats(text: str) -> bool:
    """Whether a text is JSON without repeated keys: a fast check for large documents."""

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
    """Yield a warning for each operation whose requests an earlier document answers.

    Documents whose servers have different paths (``/v1``, ``/v2``) do not overlap.
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
                    "remove it from one document, name the other document first, or give their servers "
                    "different paths.",
                    "warning",
                )


def _match(service: Service, base: str, operation: Operation) -> Operation | None:
    """Return the operation that a request for ``operation`` matches, with its template as path."""
    found = service.router.find(operation.method, base + path_of(operation.path))
    return None if found is None or found.target is None else found.target.operation
