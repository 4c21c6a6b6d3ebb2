"""Load one OpenAPI document as ``Document`` of the Plan."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urljoin, urlsplit

from mockserver.compile.operations import SYNTHETIC, OperationReader, security_schemes
from mockserver.compile.references import ReferenceScope, Trees, load_trees, load_trees_from_text
from mockserver.compile.source import SourceError
from mockserver.diagnostics import Diagnostic, Location, reason
from mockserver.plan import JSON, Dialect, Document, Operation

if TYPE_CHECKING:
    from mockserver.compile.connexion_spec import OpenAPI3, Swagger2

_VERSION = re.compile(r"^(?:(2\.0)|(3\.[012])\.\d+(?:-[\w.]+)?)$")
_MAX_PREFIXES = 32
_SECTIONS = ("paths", "webhooks", "components", "definitions")
"""Sections of which a document has at least one."""
_NONE = False
_OLDEST_3 = 3
_MAX_VERSION_LENGTH = 40


class LoadedDocument:
    """A document with its sources, so that the compiler can locate diagnostics."""

    def __init__(self, document: Document, trees: Trees) -> None:
        self.document = document
        self.trees = trees


def load(
    path: Path, scope: ReferenceScope | None = None, *, quick: bool = True
) -> tuple[LoadedDocument | None, list[Diagnostic]]:
    """Load the document at ``path``. Return it with its diagnostics; None if it cannot be served."""
    scope = scope or ReferenceScope(path.parent)
    try:
        trees = load_trees(path, os.path.relpath(path), scope, quick=quick)
    except SourceError as fault:
        return None, [fault.diagnostic]
    except ValueError:
        where = Location(str(path))
        return None, [
            Diagnostic(
                "D203", "is outside the folder of --ref-root", where, "name a folder that contains it."
            )
        ]
    return _load(trees, path.stem, quick=quick)


def load_text(text: str, name: str, *, quick: bool = True) -> tuple[LoadedDocument | None, list[Diagnostic]]:
    """Load a document from a text, as ``load`` does. It can refer to no other file."""
    try:
        trees = load_trees_from_text(text, name, quick=quick)
    except SourceError as fault:
        return None, [fault.diagnostic]
    return _load(trees, Path(name).stem, quick=quick)


def _load(trees: Trees, name: str, *, quick: bool) -> tuple[LoadedDocument | None, list[Diagnostic]]:
    root = trees.sources[trees.root_uri]
    if (refused := _rejection(root.value, root.name)) is not None:
        return None, [refused]
    dialect, forgiven = _read_dialect(root.value, trees)
    # heavy: Connexion and the validator take half a second to import; only a readable document needs them
    from mockserver.compile.connexion_spec import OpenAPI3, Swagger2
    from mockserver.compile.mending import mend
    from mockserver.compile.spec_validation import validate_spec

    forgiven += mend(trees, dialect)
    found = [*forgiven, *validate_spec(trees, dialect, forgiven, quick=quick)]
    specification = (Swagger2 if dialect == "2.0" else OpenAPI3)(trees)
    reader = OperationReader(swagger=dialect == "2.0")
    operations = tuple(_operations(specification, reader, trees, found))
    found += _duplicate_paths(operations, trees)
    values = {uri: source.value for uri, source in trees.sources.items()}
    if reader.synthetic:
        values[SYNTHETIC] = reader.synthetic
    info = root.value["info"]
    document = Document(
        name=name,
        title=str(info.get("title") or name),
        version=str(info.get("version", "")),
        dialect=dialect,
        uri=trees.root_uri,
        trees=values,
        base_paths=_base_paths(root.value),
        operations=operations,
        security_schemes=security_schemes(specification.security_schemes),
        faults=tuple(diagnostic for diagnostic in found if diagnostic.severity == "error"),
    )
    return LoadedDocument(document, trees), found


def _operations(
    specification: OpenAPI3 | Swagger2, reader: OperationReader, trees: Trees, found: list[Diagnostic]
) -> Iterator[Operation]:
    """Yield the operations that can be read. Append a diagnostic to ``found`` for each of the others."""
    for path, method in specification.operation_keys():
        try:
            yield reader.operation(specification.operation(path, method))
        except Exception as error:  # noqa: BLE001 - one broken operation must not stop the others
            where = trees.locate_path(trees.root_uri, ["paths", path, method])
            message = f"{method.upper()} {path} cannot be read: {reason(error)}"
            remedy = "it is not served; correct it as the OpenAPI Specification describes."
            found.append(Diagnostic("D306", message, where, remedy))


def _rejection(value: JSON, name: str) -> Diagnostic | None:
    """Return why a file is not an OpenAPI document, or None."""
    if not isinstance(value, dict):
        message, remedy = "its top level is not a mapping", "start with `openapi: 3.1.0`."
    elif value.get("openapi") is None and value.get("swagger") is None:
        message, remedy = "it has no `openapi` or `swagger` field", "start with `openapi: 3.1.0`."
    elif not any(isinstance(value.get(holder, _NONE), dict | None) for holder in _SECTIONS):
        message, remedy = (
            "it has no `paths`, `webhooks` or `components`",
            "add `paths`.",
        )
    else:
        return None
    return Diagnostic("D111", f"is not an OpenAPI document: {message}", Location(name, 1, 1), remedy)


def _read_dialect(value: dict[str, JSON], trees: Trees) -> tuple[Dialect, list[Diagnostic]]:
    """Return the version that a document is read as, and a diagnostic if it states another one."""
    key = "openapi" if value.get("openapi") is not None else "swagger"
    stated = value[key]
    if isinstance(stated, str) and (found := _VERSION.match(stated)):
        return cast("Dialect", found[1] or found[2]), []
    text = str(stated).strip()
    near = next(
        (version for version in ("2.0", "3.0", "3.1", "3.2") if re.match(rf"v?{version}(?!\d)", text)), None
    )
    if near is None and re.match(r"v?[1-9]\d*(\.|\Z)", text):
        number = int(text.lstrip("v").partition(".")[0][:4])
        near = "2.0" if number < _OLDEST_3 else "3.0" if number == _OLDEST_3 else "3.2"
    if near is None:
        near = "2.0" if key == "swagger" else "3.1"
    number_or = "the number " if isinstance(stated, int | float) else ""
    message = f"states its version as {number_or}{str(stated)[:_MAX_VERSION_LENGTH]!r}"
    remedy = f'read as {near}; write it as a string, such as "{near if near == "2.0" else near + ".0"}".'
    value[key] = near if near == "2.0" else f"{near}.0"
    where = trees.locate_path(trees.root_uri, [key])
    return cast("Dialect", near), [Diagnostic("D112", message, where, remedy)]


def _duplicate_paths(operations: tuple[Operation, ...], trees: Trees) -> list[Diagnostic]:
    """Return a warning for each path that differs from an earlier one only in names of parameters."""
    seen: dict[tuple[str, str], Operation] = {}
    found = []
    for operation in operations:
        shape = (operation.method, re.sub(r"\{[^}]*\}", "{}", operation.path))
        first = seen.setdefault(shape, operation)
        if first is not operation:
            found.append(
                Diagnostic(
                    "D303",
                    f"{operation.method} {operation.path} matches the same requests as {first.path}",
                    trees.locate(operation.pointer),
                    "the first path is served; remove or change the other.",
                    "warning",
                )
            )
    return found


def _base_paths(value: dict[str, JSON]) -> tuple[str, ...]:
    """Return the path prefixes of all servers of the document, its paths and operations, and the root.

    Variables of a server are replaced by their default and by each value of their enum.
    """
    if isinstance(value.get("basePath"), str):
        urls = [value["basePath"]]
    else:
        holders = [value, *(item for item in (value.get("paths") or {}).values() if isinstance(item, dict))]
        holders += [
            operation for item in holders[1:] for operation in item.values() if isinstance(operation, dict)
        ]
        servers = [
            server for holder in holders for server in holder.get("servers") or () if isinstance(server, dict)
        ]
        urls = [url for server in servers for url in _server_urls(server)]
    # Relative URLs start at the root
    prefixes = [f"/{path}" if (path := _path(url).strip("/")) else "" for url in urls]
    return tuple(dict.fromkeys([*prefixes[:_MAX_PREFIXES], ""]))


def _path(url: str) -> str:
    """Return the path of the URL of a server; empty for an invalid URL."""
    try:
        return urlsplit(urljoin("http://localhost/", url)).path
    except ValueError:
        return ""


def _server_urls(server: dict[str, JSON]) -> list[str]:
    url = server.get("url")
    if not isinstance(url, str):
        return []
    variables = server.get("variables") or {}
    choices = [
        [
            (name, str(value))
            for value in dict.fromkeys([variable.get("default", ""), *(variable.get("enum") or ())])
        ]
        for name, variable in variables.items()
        if isinstance(variable, dict) and f"{{{name}}}" in url
    ]
    urls = []
    for combination in itertools.islice(itertools.product(*choices), _MAX_PREFIXES):
        filled = url
        for name, text in combination:
            filled = filled.replace(f"{{{name}}}", text)
        urls.append(filled)
    return urls
