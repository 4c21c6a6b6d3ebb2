"""The judgement of openapi-spec-validator, as diagnostics.

It judges what the mending has left, so that what is said here is what nobody has
a row for. ``quick`` judges the structure alone; the full judgement goes through
operations and enters every schema as well (their defaults and required lists),
which takes seconds on documents of megabytes and belongs to ``mockserver check``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import urldefrag

# The setting is read when the validator's schemas are first used, hence before the import.
os.environ.setdefault("OPENAPI_SPEC_VALIDATOR_SCHEMA_VALIDATOR_BACKEND", "jsonschema-rs")

from jsonschema.exceptions import ValidationError
from openapi_spec_validator import (
    OpenAPIV2SpecValidator,
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
    OpenAPIV32SpecValidator,
)
from openapi_spec_validator.schemas import schema_v2, schema_v30, schema_v31, schema_v32
from openapi_spec_validator.schemas.backend.jsonschema import create_validator
from openapi_spec_validator.validation.exceptions import (
    DuplicateOperationIDError,
    UnresolvableParameterError,
)
from openapi_spec_validator.validation.validators import SpecValidator

from mockserver.compile.pathways import pathway
from mockserver.compile.places import locate
from mockserver.compile.references import Trees
from mockserver.errors import Diagnostic
from mockserver.plan import JSON, Dialect
from mockserver.schema.pointers import escape, shown, tokens
from mockserver.schema.pointers import pointer as pointer_of

_VALIDATORS: Mapping[Dialect, type[SpecValidator]] = {
    "2.0": OpenAPIV2SpecValidator,
    "3.0": OpenAPIV30SpecValidator,
    "3.1": OpenAPIV31SpecValidator,
    "3.2": OpenAPIV32SpecValidator,
}
_SCHEMAS = {"2.0": schema_v2, "3.0": schema_v30, "3.1": schema_v31, "3.2": schema_v32}
_RETOLD = 2 * 1024 * 1024
_QUICKLY_RETOLD = 128 * 1024
_MOST = 20
_MOST_LOOKED_AT = 1000
_LONGEST = 240


class _Names(set[str]):
    """Of operations: what the validator keeps in a list, and looks through once an operation."""

    append = set[str].add


def _telling_apart(base: type[Any]) -> type[Any]:
    """Operations whose names are told apart in one step each, however many there are."""

    class TellingApart(base):  # type: ignore[misc]
        def __init__(self, registry: object) -> None:
            super().__init__(registry)
            self.operation_ids_registry = _Names()

        def __call__(self, url: str, name: str, operation: Any, shared: Any) -> Iterator[ValidationError]:
            for error in super().__call__(url, name, operation, shared):
                error.at = getattr(error, "at", None) or _place(error, operation, shared)
                yield error

    return TellingApart


def _place(error: ValidationError, operation: Any, shared: Any) -> tuple[Any, ...]:
    """Where an operation has what an error is about; ``shared`` are the parameters of its path."""
    parts: tuple[Any, ...] = operation.parts
    if isinstance(error, DuplicateOperationIDError):
        return (*parts, "operationId")
    if isinstance(error, UnresolvableParameterError):
        own = operation / "parameters" if "parameters" in operation else ()
        for each in (*own, *(shared or ())):
            if (each["name"], each["in"]) == (_parameter(error), "path"):
                return tuple(each.parts)
    return parts


def _parameter(error: ValidationError) -> str:
    """The name of the path parameter that was not resolved: it stands in the message alone."""
    return str(error.message).split("'")[1]


def _placing(base: type[Any]) -> type[Any]:
    """Parameters or tags, which keep with each error the list that it is about."""

    class Placing(base):  # type: ignore[misc]
        def __call__(self, listed: Any) -> Iterator[ValidationError]:
            for error in super().__call__(listed):
                error.at = getattr(error, "at", None) or listed.parts
                yield error

    return Placing


def _entered(base: type[Any]) -> type[Any]:
    """The walk into schemas, which keeps with each error the schema that it is about."""

    class Entered(base):  # type: ignore[misc]
        def __call__(self, schema: Any, *args: object, **settings: object) -> Iterator[ValidationError]:
            for error in super().__call__(schema, *args, **settings):
                if not hasattr(error, "of_schema"):
                    error.of_schema = [str(part) for part in schema.parts]
                yield error

        def _validate_schema_meta(self, *_: object) -> None:
            """Whether a schema is one is told by what compiles it, in the words of the dialect."""

    return Entered


def judge(trees: Trees, dialect: Dialect, forgiven: Sequence[Diagnostic], *, quick: bool) -> list[Diagnostic]:
    """What is wrong with the root document of ``trees`` beside what is forgiven, at most 20 diagnostics."""
    root = trees.sources[trees.root_uri]
    base = _VALIDATORS[dialect]

    def handler(uri: str) -> JSON:
        return trees.sources[urldefrag(uri).url].value

    class Validator(base):  # type: ignore[valid-type, misc]
        keyword_validators: ClassVar = {
            **base.keyword_validators,
            "operation": _telling_apart(base.keyword_validators["operation"]),
            "parameters": _placing(base.keyword_validators["parameters"]),
            "tags": _placing(base.keyword_validators["tags"]),
            "schema": _entered(base.keyword_validators["schema"]),
        }

    validator = Validator(pathway(trees, dict.fromkeys(("", "file", "http", "https"), handler)))
    found = _structure(validator, dialect, trees, forgiven, quick=quick)
    if found or quick:
        return found[:_MOST]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for error in validator.root_validator(validator.schema_path):
                of_schema = getattr(error, "of_schema", None)
                diagnostic = (
                    _of_part(error, trees) if of_schema is None else _of_schema(error, of_schema, trees)
                )
                if diagnostic not in found:  # what a path declares is looked at in each of its operations
                    found.append(diagnostic)
        except Exception as error:  # noqa: BLE001 - the validator's own limits (recursion, lookups) must not hide the rest
            where = root.locate("")
            remedy = (
                "this may be a limit of openapi-spec-validator; the document is served as far as it goes."
            )
            return [
                Diagnostic(
                    "D302", f"could not be judged to the end: {_short(error)}", where, remedy, "warning"
                )
            ]
    return found[:_MOST]


def _structure(
    validator: SpecValidator, dialect: Dialect, trees: Trees, forgiven: Sequence[Diagnostic], *, quick: bool
) -> list[Diagnostic]:
    """What breaks the specification's own schema, where nothing else has been told of the place.

    The Rust validator says in milliseconds that nothing does. What it objects
    to is judged again by the Python one, if there is time: it keeps the branches of an anyOf
    apart, and takes patterns that are valid without ECMA 262's unicode flag.
    """
    root = trees.sources[trees.root_uri]
    errors = validator.schema_validator.iter_errors(root.value)
    told = [each.where.pointer for each in forgiven if each.where.source == root.name]
    untold = _untold(islice(errors, _MOST_LOOKED_AT), told)
    if untold and len(root.text) <= (_QUICKLY_RETOLD if quick else _RETOLD):
        untold = _untold(create_validator(dict(_SCHEMAS[dialect])).iter_errors(root.value), told)
    return [_diagnostic(error, pointer, trees) for error, pointer in untold]


def _untold(errors: Iterable[ValidationError], told: Sequence[str]) -> list[tuple[ValidationError, str]]:
    """The errors, each with its place, of which nothing else tells."""
    nearest = ((error, pointer_of(error.absolute_path)) for error in map(_nearest, errors))
    return [
        (error, pointer)
        for error, pointer in nearest
        if not any(_is_within(each, pointer) or _is_within(pointer, each) for each in told)
    ]


def _is_within(pointer: str, other: str) -> bool:
    return pointer == other or pointer.startswith(f"{other}/")


def _diagnostic(error: ValidationError, pointer: str, trees: Trees) -> Diagnostic:
    message = f"breaks OpenAPI at {pointer or '/'}: {_short(error.message)}"
    where = trees.place(trees.root_uri, tokens(pointer))
    return Diagnostic("D301", message, where, "mend it as the OpenAPI Specification describes.")


def _of_part(error: ValidationError, trees: Trees) -> Diagnostic:
    """What contradicts another part of the document, which is found by its path alone."""
    parts: tuple[Any, ...] = getattr(error, "at", ())
    pointer = "".join(f"/{escape(str(part))}" for part in parts)
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
        "mend it as the OpenAPI Specification describes.",
    )


def _of_schema(error: ValidationError, path: list[str], trees: Trees) -> Diagnostic:
    """A default, or a list of required properties, that its schema does not bear out."""
    ref = f"{trees.root_uri}#" + "".join(f"/{escape(part)}" for part in path)
    return Diagnostic(
        "D304",
        f"this schema contradicts itself: {_short(error.message)}",
        locate(trees, ref, through=True),
        "mend the default, or describe the properties that are required.",
        "warning",
    )


def _nearest(error: Any) -> ValidationError:
    """The most telling error behind an anyOf or oneOf."""
    while error.context:
        error = max(error.context, key=lambda each: len(each.absolute_path))
    found: ValidationError = error
    return found


def _short(text: object) -> str:
    line = shown(str(text)).strip().split("\n", 1)[0]
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
