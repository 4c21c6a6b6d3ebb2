"""Validate a document by the JSON Schema of its version of OpenAPI, which openapi-spec-validator brings.

Diagnostics have locations in the files of the document. The rules that the schema cannot state are in
``spec_rules``, which takes long to import.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag

import jsonschema_rs
import msgspec

from mockserver.compile.operations import SYNTHETIC
from mockserver.compile.references import Trees, absolute
from mockserver.diagnostics import Diagnostic, Location, shortened
from mockserver.jsonschema.references import pointer as pointer_of
from mockserver.jsonschema.references import shown, tokens, value_at
from mockserver.plan import JSON, ROOT, Dialect, SchemaRef

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

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


_DYNAMIC = re.compile(rb'"\$dynamicRef":\s*"#meta"')
_MAX_RECHECK_SIZE = 2 * 1024 * 1024
_MAX_QUICK_RECHECK_SIZE = 128 * 1024
_MAX_DIAGNOSTICS = 20
_MAX_ERRORS = 1000
_MAX_LENGTH = 240


def validate_spec(
    trees: Trees, dialect: Dialect, forgiven: Sequence[Diagnostic], *, quick: bool
) -> list[Diagnostic]:
    """Return at most 20 diagnostics about the root document, apart from ``forgiven``."""
    found = _structural_errors(dialect, trees, forgiven, quick=quick)
    if found or quick:
        return found[:_MAX_DIAGNOSTICS]
    from mockserver.compile.spec_rules import broken_rules  # heavy; a start does not need it

    try:
        found += broken_rules(trees, dialect)
    except Exception as error:  # noqa: BLE001 - limits of the validator must not hide the other diagnostics
        where = trees.sources[trees.root_uri].locate("")
        remedy = "this may be a limit of openapi-spec-validator; the document is served as far as possible."
        return [
            Diagnostic("D302", f"could not be validated completely: {short(error)}", where, remedy, "warning")
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
        from jsonschema.validators import validator_for  # slow to import, and few documents need it

        schema = _schema(dialect)
        causes = map(_deepest_cause, validator_for(schema)(schema).iter_errors(root.value))
        unreported = _unreported(((cause.absolute_path, cause.message) for cause in causes), reported)
    return [_diagnostic(pointer, message, trees) for pointer, message in unreported]


@cache
def _rust_validator(dialect: Dialect) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(_schema(dialect))


def _schema(dialect: Dialect) -> dict[str, JSON]:
    """Return the schema of documents. The package that has it takes half a second to import, so it is not."""
    package = find_spec("openapi_spec_validator")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("openapi-spec-validator is not installed")
    file = Path(package.origin).parent / f"resources/schemas/v{dialect}/schema.json"
    # Nothing extends the schema, so its dynamic references are plain ones. They are slow: jsonschema crawls
    # the whole schema for each of them.
    found: dict[str, JSON] = msgspec.json.decode(_DYNAMIC.sub(b'"$ref": "#/$defs/schema"', file.read_bytes()))
    return found


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
    message = f"breaks OpenAPI at {pointer or '/'}: {short(message)}"
    where = trees.locate_path(trees.root_uri, tokens(pointer))
    return Diagnostic("D301", message, where, "correct it as the OpenAPI Specification describes.")


def _deepest_cause(error: Any) -> ValidationError:
    """Return the deepest error within an anyOf or oneOf."""
    while error.context:
        error = max(error.context, key=lambda cause: len(cause.absolute_path))
    found: ValidationError = error
    return found


def short(text: object) -> str:
    """Return the first line of a message, shortened."""
    return shortened(shown(str(text)).strip().split("\n", 1)[0], _MAX_LENGTH)
