"""One OpenAPI document, from its file to the Plan's ``Document``."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from typing import cast
from urllib.parse import urljoin, urlsplit

from mockserver.compile.operations import SYNTHETIC, OperationReader, security_schemes
from mockserver.compile.references import Gate, Trees, gather, gather_text
from mockserver.compile.source import SourceFault
from mockserver.errors import Diagnostic, Location
from mockserver.plan import JSON, Dialect, Document, Operation

_VERSION = re.compile(r"^(?:(2\.0)|(3\.[012])\.\d+(?:-[\w.]+)?)$")
_MOST_PREFIXES = 32


class Loaded:
    """A document with its sources: what the compiler needs to point into it."""

    def __init__(self, document: Document, trees: Trees) -> None:
        self.document = document
        self.trees = trees


def load(
    path: Path, gate: Gate | None = None, *, quick: bool = True
) -> tuple[Loaded | None, list[Diagnostic]]:
    """Load the document at ``path``. Without an error among the diagnostics there is a ``Loaded``."""
    gate = gate or Gate(path.parent)
    try:
        trees = gather(path, os.path.relpath(path), gate)
    except SourceFault as fault:
        return None, [fault.diagnostic]
    except ValueError:
        where = Location(str(path))
        return None, [
            Diagnostic("D203", "lies outside the folder of --ref-root", where, "name a folder that holds it.")
        ]
    return _load(trees, path.stem, quick=quick)


def load_text(text: str, name: str, *, quick: bool = True) -> tuple[Loaded | None, list[Diagnostic]]:
    """The same for a document that arrives as text; it can refer to no other file."""
    try:
        trees = gather_text(text, name)
    except SourceFault as fault:
        return None, [fault.diagnostic]
    return _load(trees, Path(name).stem, quick=quick)


def _load(trees: Trees, name: str, *, quick: bool) -> tuple[Loaded | None, list[Diagnostic]]:
    root = trees.sources[trees.root_uri]
    dialect = _dialect(root.value)
    if dialect is None:
        return None, [_no_version(root.value, root.name)]
    # Only here: Connexion and the validator take half a second to import, which bad input need not wait for.
    from mockserver.compile.judgement import judge
    from mockserver.compile.specification import OpenAPI3, Swagger2

    diagnostics = [*trees.diagnostics, *judge(trees, dialect, quick=quick)]
    if any(each.severity == "error" for each in diagnostics):
        return None, diagnostics
    specification = (Swagger2 if dialect == "2.0" else OpenAPI3)(trees)
    reader = OperationReader(swagger=dialect == "2.0")
    operations = tuple(reader.operation(model) for model in specification.operations())
    diagnostics += _ambiguous(operations, trees)
    values = {uri: source.value for uri, source in trees.sources.items()}
    if reader.synthetic:
        values[SYNTHETIC] = reader.synthetic
    info = root.value.get("info") or {}
    document = Document(
        name=name,
        title=str(info.get("title", name)),
        version=str(info.get("version", "")),
        dialect=dialect,
        uri=trees.root_uri,
        trees=values,
        base_paths=_base_paths(root.value),
        operations=operations,
        security_schemes=security_schemes(specification.security_schemes),
    )
    return Loaded(document, trees), diagnostics


def _dialect(value: JSON) -> Dialect | None:
    stated = value.get("openapi", value.get("swagger")) if isinstance(value, dict) else None
    found = _VERSION.match(stated) if isinstance(stated, str) else None
    return cast("Dialect", found[1] or found[2]) if found else None


def _no_version(value: JSON, name: str) -> Diagnostic:
    where = Location(name, 1, 1)
    if not isinstance(value, dict):
        return Diagnostic(
            "D111",
            "is not an OpenAPI document: its top level is no mapping",
            where,
            "start with `openapi: 3.1.0`.",
        )
    stated = value.get("openapi", value.get("swagger"))
    if stated is None:
        return Diagnostic(
            "D111",
            "is not an OpenAPI document: it has no `openapi` or `swagger` field",
            where,
            "start with `openapi: 3.1.0`.",
        )
    if isinstance(stated, int | float):
        return Diagnostic(
            "D112",
            f"states its version as the number {stated}",
            where,
            f'write it as a string, such as "{stated}" or "{stated}.0".',
        )
    return Diagnostic(
        "D112", f"is of version {stated!r}", where, "versions 2.0, 3.0.x, 3.1.x and 3.2.x are served."
    )


def _ambiguous(operations: tuple[Operation, ...], trees: Trees) -> list[Diagnostic]:
    """Templates that differ in nothing but the names of their parameters are the same path."""
    seen: dict[tuple[str, str], Operation] = {}
    found = []
    for each in operations:
        shape = (each.method, re.sub(r"\{[^}]*\}", "{}", each.path))
        first = seen.setdefault(shape, each)
        if first is not each:
            found.append(
                Diagnostic(
                    "D303",
                    f"{each.method} {each.path} matches the same requests as {first.path}",
                    trees.locate(each.pointer),
                    "the first one answers; remove or change the other.",
                    "warning",
                )
            )
    return found


def _base_paths(value: dict[str, JSON]) -> tuple[str, ...]:
    """The path prefixes of every server, document-wide and below, and the root.

    A server's variables stand with their default and each value of their enum.
    """
    if isinstance(value.get("basePath"), str):
        urls = [value["basePath"]]
    else:
        holders = [value, *(item for item in (value.get("paths") or {}).values() if isinstance(item, dict))]
        holders += [each for item in holders[1:] for each in item.values() if isinstance(each, dict)]
        servers = [
            server for holder in holders for server in holder.get("servers") or () if isinstance(server, dict)
        ]
        urls = [url for server in servers for url in _server_urls(server)]
    # Relative to where the document is served, which is taken to be the root
    prefixes = [f"/{path}" if (path := _path(url).strip("/")) else "" for url in urls]
    return tuple(dict.fromkeys([*prefixes[:_MOST_PREFIXES], ""]))


def _path(url: str) -> str:
    """The path of a server's URL; none where it is no URL."""
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
        [(name, str(value)) for value in dict.fromkeys([each.get("default", ""), *(each.get("enum") or ())])]
        for name, each in variables.items()
        if isinstance(each, dict) and f"{{{name}}}" in url
    ]
    urls = []
    for combination in itertools.islice(itertools.product(*choices), _MOST_PREFIXES):
        filled = url
        for name, text in combination:
            filled = filled.replace(f"{{{name}}}", text)
        urls.append(filled)
    return urls
