"""The rules of OpenAPI that its JSON Schema cannot state, by openapi-spec-validator.

The validator walks the trees of the document, so each path in them has a location in a file. It takes
half a second to import, so a start leaves these rules to ``mockserver check``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast
from urllib.parse import urldefrag

from jsonschema.exceptions import ValidationError
from jsonschema_path.accessors import SchemaAccessor
from jsonschema_path.paths import SchemaPath
from openapi_spec_validator import (
    OpenAPIV2SpecValidator,
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
    OpenAPIV32SpecValidator,
)
from openapi_spec_validator.validation.exceptions import (
    DuplicateOperationIDError,
    UnresolvableParameterError,
)
from openapi_spec_validator.validation.validators import SpecValidator

from mockserver.compile.references import Trees, absolute
from mockserver.compile.spec_validation import locate, short
from mockserver.diagnostics import Diagnostic
from mockserver.jsonschema.references import pointer as pointer_of
from mockserver.plan import JSON, Dialect

_Located = tuple[Any, str]
"""A node after following references, and the URI of its tree."""


class _Accessor(SchemaAccessor):
    trees: Trees
    located: dict[tuple[Any, ...], _Located]

    def __getitem__(self, parts: Sequence[Any]) -> Any:
        """Return the value at a path. Raises KeyError, as the original accessor does."""
        try:
            return self._node_at(tuple(parts))[0]
        except _Unresolvable:
            return super().__getitem__(parts)

    def _node_at(self, parts: tuple[Any, ...]) -> _Located:
        found = self.located.get(parts)
        if found is None:
            if parts:
                node, uri = self._node_at(parts[:-1])
                found = self._resolve(_member(node, parts[-1]), uri)
            else:
                found = self._resolve(self.node, self.trees.root_uri)
            self.located[parts] = found
        return found

    def _resolve(self, node: Any, uri: str) -> _Located:
        seen = set()
        while isinstance(node, dict) and isinstance(target := node.get("$ref"), str):
            ref = absolute(target, uri)
            if ref in seen:
                raise _Unresolvable
            seen.add(ref)
            try:
                node = self.trees.node(ref)
            except KeyError:
                raise _Unresolvable from None  # for example, by $id or anchor
            uri = ref.partition("#")[0]
        return node, uri


class _Unresolvable(Exception):  # noqa: N818 - control flow, not an error
    """Only the library ``referencing`` can follow this reference."""


def spec_path(trees: Trees, handlers: dict[str, Any]) -> SchemaPath:
    """Return the path at the root of a document. ``handlers`` load other trees by scheme."""
    root = cast("dict[str, JSON]", trees.sources[trees.root_uri].value)
    accessor = _Accessor.from_schema(cast("Any", root), base_uri=trees.root_uri, handlers=handlers)
    spec_accessor = cast("_Accessor", accessor)
    spec_accessor.trees, spec_accessor.located = trees, {}
    return SchemaPath(spec_accessor)


def _member(node: Any, part: Any) -> Any:
    if isinstance(node, (dict, list)):
        try:
            return node[part]
        except (KeyError, IndexError, TypeError):
            pass
    raise KeyError(part)


_VALIDATORS: Mapping[Dialect, type[SpecValidator]] = {
    "2.0": OpenAPIV2SpecValidator,
    "3.0": OpenAPIV30SpecValidator,
    "3.1": OpenAPIV31SpecValidator,
    "3.2": OpenAPIV32SpecValidator,
}


class _Names(set[str]):
    """Operation ids. The validator has a list and searches it for each operation."""

    append = set[str].add


def _with_fast_ids(base: type[Any]) -> type[Any]:
    """Return a validator of operations that finds repeated ids fast, and sets ``at`` of errors."""

    class FastIds(base):  # type: ignore[misc]
        def __init__(self, registry: object) -> None:
            super().__init__(registry)
            self.operation_ids_registry = _Names()

        def __call__(self, url: str, name: str, operation: Any, shared: Any) -> Iterator[ValidationError]:
            for error in super().__call__(url, name, operation, shared):
                error.at = getattr(error, "at", None) or _error_path(error, operation, shared)
                yield error

    return FastIds


def _error_path(error: ValidationError, operation: Any, shared: Any) -> tuple[Any, ...]:
    """Return the path of the part of an operation that an error is about.

    ``shared`` are the parameters of the path item.
    """
    parts: tuple[Any, ...] = operation.parts
    if isinstance(error, DuplicateOperationIDError):
        return (*parts, "operationId")
    if isinstance(error, UnresolvableParameterError):
        own = operation / "parameters" if "parameters" in operation else ()
        for parameter in (*own, *(shared or ())):
            if (parameter["name"], parameter["in"]) == (_parameter(error), "path"):
                return tuple(parameter.parts)
    return parts


def _parameter(error: ValidationError) -> str:
    """Return the name of an undescribed path parameter. Only the message has it."""
    return str(error.message).split("'")[1]


def _with_error_path(base: type[Any]) -> type[Any]:
    """Return a validator of parameters or tags that sets ``at`` of errors to the path of the list."""

    class WithErrorPath(base):  # type: ignore[misc]
        def __call__(self, listed: Any) -> Iterator[ValidationError]:
            for error in super().__call__(listed):
                error.at = getattr(error, "at", None) or listed.parts
                yield error

    return WithErrorPath


def _with_schema_path(base: type[Any]) -> type[Any]:
    """Return a validator of schemas that sets ``of_schema`` of errors to the path of the schema."""

    class WithSchemaPath(base):  # type: ignore[misc]
        def __call__(
            self, schema: Any, require_properties: bool = True, meta_checked: bool = False
        ) -> Iterator[ValidationError]:
            del meta_checked  # always true: the compiler of schemas reports invalid schemas by their dialect
            for error in super().__call__(schema, require_properties, meta_checked=True):
                if not hasattr(error, "of_schema"):
                    error.of_schema = [str(part) for part in schema.parts]
                yield error

    return WithSchemaPath


def broken_rules(trees: Trees, dialect: Dialect) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each rule that the root document breaks."""
    base = _VALIDATORS[dialect]

    def handler(uri: str) -> JSON:
        return trees.sources[urldefrag(uri).url].value

    class Validator(base):  # type: ignore[valid-type, misc]
        keyword_validators: ClassVar = {
            **base.keyword_validators,
            "operation": _with_fast_ids(base.keyword_validators["operation"]),
            "parameters": _with_error_path(base.keyword_validators["parameters"]),
            "tags": _with_error_path(base.keyword_validators["tags"]),
            "schema": _with_schema_path(base.keyword_validators["schema"]),
        }

    validator = Validator(spec_path(trees, dict.fromkeys(("", "file", "http", "https"), handler)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for error in validator.root_validator(validator.schema_path):
            of_schema = getattr(error, "of_schema", None)
            yield (
                _part_diagnostic(error, trees)
                if of_schema is None
                else _schema_diagnostic(error, of_schema, trees)
            )


def _part_diagnostic(error: ValidationError, trees: Trees) -> Diagnostic:
    """Return the diagnostic for an error about two parts of the document that contradict each other."""
    parts: tuple[Any, ...] = getattr(error, "at", ())
    pointer = pointer_of(parts)
    message = short(error.message)
    if isinstance(error, UnresolvableParameterError):
        name, path = _parameter(error), str(parts[1]) if len(parts) > 1 else ""
        message = (
            f"no parameter describes {{{name}}} of the path {path}"
            if f"{{{name}}}" in path
            else f"the path {path} has no {{{name}}}, which this parameter describes"
        )
    return Diagnostic(
        "D301",
        f"breaks OpenAPI at {pointer or '/'}: {message}",
        locate(trees, f"{trees.root_uri}#{pointer}"),
        "correct it as the OpenAPI Specification describes.",
    )


def _schema_diagnostic(error: ValidationError, path: list[str], trees: Trees) -> Diagnostic:
    """Return the diagnostic for a default or required property that contradicts its schema."""
    ref = f"{trees.root_uri}#{pointer_of(path)}"
    return Diagnostic(
        "D304",
        f"this schema contradicts itself: {short(error.message)}",
        locate(trees, ref, through=True),
        "correct the default, or describe the required properties.",
        "warning",
    )
