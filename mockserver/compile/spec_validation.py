"""Validate a document with openapi-spec-validator, and report diagnostics with locations in its files.

The validator walks the trees of the document, so each path in them has a location in a file.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, ClassVar, cast
from urllib.parse import unquote, urldefrag

import jsonschema_rs
from jsonschema.exceptions import ValidationError
from jsonschema.validators import validator_for
from jsonschema_path.accessors import SchemaAccessor
from jsonschema_path.paths import SchemaPath
from openapi_spec_validator import (
    OpenAPIV2SpecValidator,
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
    OpenAPIV32SpecValidator,
)
from openapi_spec_validator.schemas import schema_v2, schema_v30, schema_v31, schema_v32
from openapi_spec_validator.validation.exceptions import (
    DuplicateOperationIDError,
    UnresolvableParameterError,
)
from openapi_spec_validator.validation.validators import SpecValidator

from mockserver.compile.operations import SYNTHETIC
from mockserver.compile.references import Trees, absolute
from mockserver.diagnostics import Diagnostic, Location, shortened
from mockserver.jsonschema.references import pointer as pointer_of
from mockserver.jsonschema.references import shown, tokens, value_at
from mockserver.plan import JSON, ROOT, Dialect, SchemaRef

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


_MAX_STEPS = 64
"""Maximum number of references to follow to one location."""


def locate(trees: Trees, ref: SchemaRef, *, through: bool = False) -> Location:
    """Return file, line and column of the deepest part of ``ref`` that exists.

    Follows references in the path. ``through`` also follows a reference at its end.
    """
    if through:
        with contextlib.suppress(KeyError):
            _, ref = trees.resolve(ref)
    uri, path = _existing(trees, *_split(ref))
    if uri not in trees.sources:
        return trees.sources[trees.root_uri].locate("")
    return trees.sources[uri].locate(pointer_of(path))


def _split(ref: SchemaRef) -> tuple[str, list[str]]:
    uri, pointer = urldefrag(ref)
    path = tokens(pointer)
    if uri == SYNTHETIC and path:  # the name is the reference of the parameter or header
        origin, *rest = path
        origin = unquote(origin)
        if origin.startswith(ROOT):
            uri, path = _split(origin)
            return uri, path + rest
    return uri, path


def _existing(trees: Trees, uri: str, path: list[str]) -> tuple[str, list[str]]:
    """Return the tree in which a path ends, and the part of the path that exists."""
    node: JSON = trees.sources[uri].value if uri in trees.sources else None
    done: list[str] = []
    pending = list(path)
    steps = 0
    while pending:
        part = pending[0]
        name = next((name for name in (part, unquote(part)) if value_at(node, [name]) is not None), None)
        if name is not None:
            pending.pop(0)
            done.append(name)
            node = value_at(node, [name])
            continue
        target = node.get("$ref") if isinstance(node, dict) else None
        steps += 1
        if not isinstance(target, str) or steps > _MAX_STEPS:
            break
        other, start = _split(absolute(target, f"{uri}#"))
        if other not in trees.sources:
            break
        uri, node, done = other, trees.sources[other].value, []
        pending = start + pending
    return uri, done


_VALIDATORS: Mapping[Dialect, type[SpecValidator]] = {
    "2.0": OpenAPIV2SpecValidator,
    "3.0": OpenAPIV30SpecValidator,
    "3.1": OpenAPIV31SpecValidator,
    "3.2": OpenAPIV32SpecValidator,
}
_SCHEMAS = {"2.0": schema_v2, "3.0": schema_v30, "3.1": schema_v31, "3.2": schema_v32}
_MAX_RECHECK_SIZE = 2 * 1024 * 1024
_MAX_QUICK_RECHECK_SIZE = 128 * 1024
_MAX_DIAGNOSTICS = 20
_MAX_ERRORS = 1000
_MAX_LENGTH = 240


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


def validate_spec(
    trees: Trees, dialect: Dialect, forgiven: Sequence[Diagnostic], *, quick: bool
) -> list[Diagnostic]:
    """Return at most 20 diagnostics about the root document, apart from ``forgiven``."""
    root = trees.sources[trees.root_uri]
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
    found = _structural_errors(dialect, trees, forgiven, quick=quick)
    if found or quick:
        return found[:_MAX_DIAGNOSTICS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for error in validator.root_validator(validator.schema_path):
                of_schema = getattr(error, "of_schema", None)
                found.append(
                    _part_diagnostic(error, trees)
                    if of_schema is None
                    else _schema_diagnostic(error, of_schema, trees)
                )
        except Exception as error:  # noqa: BLE001 - limits of the validator must not hide the other diagnostics
            where = root.locate("")
            remedy = (
                "this may be a limit of openapi-spec-validator; the document is served as far as possible."
            )
            return [
                Diagnostic(
                    "D302", f"could not be validated completely: {_short(error)}", where, remedy, "warning"
                )
            ]
    # the parameters of a path are validated for each operation
    return list(dict.fromkeys(found))[:_MAX_DIAGNOSTICS]


def _structural_errors(
    dialect: Dialect, trees: Trees, forgiven: Sequence[Diagnostic], *, quick: bool
) -> list[Diagnostic]:
    """Return violations of the JSON Schema of the specification, except at reported locations.

    The Rust validator is fast when there are none. Its errors are validated again with
    the Python validator, if the document is small: that one separates the branches of an
    anyOf, and accepts patterns that are valid without the unicode flag of ECMA 262.
    """
    root = trees.sources[trees.root_uri]
    reported = [diagnostic.where.pointer for diagnostic in forgiven if diagnostic.where.source == root.name]
    fast = islice(_rust_validator(dialect).iter_errors(root.value), _MAX_ERRORS)
    unreported = _unreported(((error.instance_path, error.message) for error in fast), reported)
    if unreported and len(root.text) <= (_MAX_QUICK_RECHECK_SIZE if quick else _MAX_RECHECK_SIZE):
        schema = dict(_SCHEMAS[dialect])
        causes = map(_deepest_cause, validator_for(schema)(schema).iter_errors(root.value))
        unreported = _unreported(((cause.absolute_path, cause.message) for cause in causes), reported)
    return [_diagnostic(pointer, message, trees) for pointer, message in unreported]


@cache
def _rust_validator(dialect: Dialect) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(dict(_SCHEMAS[dialect]))


def _unreported(
    errors: Iterable[tuple[Iterable[str | int], str]], reported: Sequence[str]
) -> list[tuple[str, str]]:
    """Return the pointers and messages of errors with these paths, except at reported locations."""
    return [
        (pointer, message)
        for pointer, message in ((pointer_of(path), message) for path, message in errors)
        if not any(_is_within(known, pointer) or _is_within(pointer, known) for known in reported)
    ]


def _is_within(pointer: str, other: str) -> bool:
    return pointer == other or pointer.startswith(f"{other}/")


def _diagnostic(pointer: str, message: str, trees: Trees) -> Diagnostic:
    message = f"breaks OpenAPI at {pointer or '/'}: {_short(message)}"
    where = trees.locate_path(trees.root_uri, tokens(pointer))
    return Diagnostic("D301", message, where, "correct it as the OpenAPI Specification describes.")


def _part_diagnostic(error: ValidationError, trees: Trees) -> Diagnostic:
    """Return the diagnostic for an error about two parts of the document that contradict each other."""
    parts: tuple[Any, ...] = getattr(error, "at", ())
    pointer = pointer_of(parts)
    message = _short(error.message)
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
        f"this schema contradicts itself: {_short(error.message)}",
        locate(trees, ref, through=True),
        "correct the default, or describe the required properties.",
        "warning",
    )


def _deepest_cause(error: Any) -> ValidationError:
    """Return the deepest error within an anyOf or oneOf."""
    while error.context:
        error = max(error.context, key=lambda cause: len(cause.absolute_path))
    found: ValidationError = error
    return found


def _short(text: object) -> str:
    return shortened(shown(str(text)).strip().split("\n", 1)[0], _MAX_LENGTH)
