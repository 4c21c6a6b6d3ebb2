"""Extend Connexion's ``Specification``, which gives 2.0 and 3.x the same operation model.

The subclasses accept 3.1 and 3.2, do not render the document with Jinja, and do
not copy, edit or expand it. They follow references one operation at a time. Each
schema is replaced with ``{"$ref": <absolute reference>}``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec, module_from_spec
from typing import Any

from mockserver.compile.mending.grammar import METHODS
from mockserver.compile.references import Trees
from mockserver.compile.source import quote_token
from mockserver.plan import JSON, SchemaRef


@contextmanager
def _without_application() -> Iterator[None]:
    """Import what reads documents without the web application, which takes most of the time.

    The modules are forgotten afterwards: an ``import connexion`` elsewhere imports all of it.
    """
    package = None if "connexion" in sys.modules else find_spec("connexion")
    if package is None:
        yield
        return
    sys.modules["connexion"] = module_from_spec(package)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "connexion"]:
            del sys.modules[name]


with warnings.catch_warnings(), _without_application():
    # Deprecation warnings of these imports concern Connexion, not our users.
    warnings.simplefilter("ignore")
    from connexion.operations import AbstractOperation
    from connexion.resolver import Resolution
    from connexion.spec import OpenAPISpecification, Specification, Swagger2Specification


class NoResolver:
    """A resolver for Connexion: operations have no Python function."""

    def resolve(self, operation: AbstractOperation) -> Resolution:
        """Return a resolution without a function."""
        return Resolution(None, operation.operation_id)


class _Reader:
    """Follows the references in the trees of one document."""

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        self.root = f"{trees.root_uri}#"

    def object(self, ref: SchemaRef) -> tuple[dict[str, JSON], SchemaRef]:
        """Return the object at ``ref`` after following references, and its own reference.

        Keeps ``summary`` and ``description`` beside a ``$ref``.
        """
        node = self.trees.node(ref)
        found, at = self.trees.resolve(ref)
        if not isinstance(found, dict):
            return {}, at
        if isinstance(node, dict) and len(node) > 1 and "$ref" in node:
            siblings = {key: value for key, value in node.items() if key in ("description", "summary")}
            return {**found, **siblings}, at
        return found, at

    def children(self, ref: SchemaRef, key: str) -> Iterator[tuple[str, dict[str, JSON], SchemaRef]]:
        """Yield name, object and reference of each member of the map or list ``key`` at ``ref``."""
        holder = self.trees.node(ref).get(key)
        names = list(holder) if isinstance(holder, dict) else range(len(holder or ()))
        for name in names:
            if not str(name).startswith("x-"):
                yield str(name), *self.object(f"{ref}/{key}/{quote_token(str(name))}")

    def path(self, path: str) -> tuple[dict[str, JSON], SchemaRef]:
        """Return the Path Item Object of ``path`` and its reference."""
        return self.object(f"{self.root}/paths/{quote_token(path)}")

    def with_references(
        self, ref: SchemaRef, node: dict[str, JSON], *, swagger: bool = False
    ) -> dict[str, JSON]:
        """Return a parameter, header, response or body with resolved members and references to schemas.

        Its own reference is ``x-ref``.
        """
        shaped = dict(node)
        shaped["x-ref"] = ref
        for key in ("schema", "itemSchema"):
            if key in node:
                shaped[key] = {"$ref": f"{ref}/{key}"}
        if isinstance(node.get("content"), dict):
            shaped["content"] = {
                name: self.with_references(at, media) for name, media, at in self.children(ref, "content")
            }
        if isinstance(node.get("headers"), dict):
            shaped["headers"] = {
                name: self.with_references(at, header) for name, header, at in self.children(ref, "headers")
            }
        if isinstance(node.get("examples"), dict) and not swagger:
            shaped["examples"] = {name: example for name, example, _ in self.children(ref, "examples")}
        return shaped

    def operation(self, path: str, method: str, *, swagger: bool = False) -> dict[str, JSON]:
        """Return an operation with resolved parameters, responses, body and callbacks."""
        item, at = self.path(path)
        holder = "" if method in item else "/additionalOperations"
        found, ref = self.object(f"{at}{holder}/{quote_token(method)}")
        node = dict(found)
        node["x-ref"] = ref
        node["parameters"] = [
            self.with_references(at, parameter, swagger=swagger)
            for _, parameter, at in self.children(ref, "parameters")
        ]
        node["responses"] = {
            status: self.with_references(at, response, swagger=swagger)
            for status, response, at in self.children(ref, "responses")
        }
        if "requestBody" in node:
            body, at = self.object(f"{ref}/requestBody")
            node["requestBody"] = self.with_references(at, body)
        if isinstance(node.get("callbacks"), dict):
            node["callbacks"] = {
                name: list(self._callback(at, callback))
                for name, callback, at in self.children(ref, "callbacks")
            }
        return node

    def _callback(self, ref: SchemaRef, node: dict[str, JSON]) -> Iterator[tuple[str, str, dict[str, JSON]]]:
        """Yield URL expression, method and operation of each request of a Callback Object."""
        for expression in node:
            if expression.startswith("x-"):
                continue
            item, at = self.object(f"{ref}/{quote_token(expression)}")
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    operation = dict(item[method])
                    if "requestBody" in operation:
                        body, where = self.object(f"{at}/{method}/requestBody")
                        operation["requestBody"] = self.with_references(where, body)
                    yield expression, method.upper(), operation

    def path_parameters(self, path: str, *, swagger: bool = False) -> list[dict[str, JSON]]:
        """Return the parameters of a path."""
        _, at = self.path(path)
        return [
            self.with_references(ref, parameter, swagger=swagger)
            for _, parameter, ref in self.children(at, "parameters")
        ]

    def methods(self, path: str) -> list[str]:
        """Return the methods of a path, and those of ``additionalOperations``."""
        item, _ = self.path(path)
        extra = item.get("additionalOperations")
        return [method for method in METHODS if method in item] + list(
            extra if isinstance(extra, dict) else ()
        )


class _TreeSpecification(Specification):
    """The common part of both versions: reads trees instead of a copy of the document."""

    reader: _Reader

    def __init__(self, trees: Trees) -> None:
        self.reader = _Reader(trees)
        document = dict(trees.sources[trees.root_uri].value)
        self._set_defaults(document)
        self._raw_spec = trees.sources[trees.root_uri].value
        self._spec = document
        self._base_uri = trees.root_uri

    @property
    def paths(self) -> list[str]:
        """The paths that start with a slash."""
        return [path for path in self._spec.get("paths") or () if path.startswith("/")]

    @cached_property
    def security_schemes(self) -> dict[str, Any]:
        """The Security Scheme Objects by name."""
        holder = (
            "components/securitySchemes" if isinstance(self, OpenAPISpecification) else "securityDefinitions"
        )
        parent, _, key = holder.rpartition("/")
        ref = f"{self.reader.root}/{parent}" if parent else self.reader.root
        try:
            return {name: scheme for name, scheme, _ in self.reader.children(ref, key)}
        except (KeyError, AttributeError):
            return {}

    def operation_keys(self) -> Iterator[tuple[str, str]]:
        """Yield path and method of every operation."""
        for path in self.paths:
            for method in self.reader.methods(path):
                yield path, method

    def operation(self, path: str, method: str) -> AbstractOperation:
        """Return Connexion's model of an operation. Each object in it has its reference as ``x-ref``."""
        return self.operation_cls.from_spec(self, path=path, method=method, resolver=NoResolver())


class OpenAPI3(_TreeSpecification, OpenAPISpecification):
    """OpenAPI 3.0, 3.1 and 3.2."""

    def get_operation(self, path: str, method: str) -> dict[str, Any]:
        """Return the operation, as Connexion asks for it."""
        return self.reader.operation(path, method)

    def get_path_params(self, path: str) -> list[dict[str, Any]]:
        """Return the parameters of a path, as Connexion asks for them."""
        return self.reader.path_parameters(path)


class Swagger2(_TreeSpecification, Swagger2Specification):
    """Swagger 2.0."""

    def get_operation(self, path: str, method: str) -> dict[str, Any]:
        """Return the operation, as Connexion asks for it."""
        return self.reader.operation(path, method, swagger=True)

    def get_path_params(self, path: str) -> list[dict[str, Any]]:
        """Return the parameters of a path, as Connexion asks for them."""
        return self.reader.path_parameters(path, swagger=True)
