"""Connexion's ``Specification``, taught what it refuses.

Connexion is the way into a document: its Specification holds it and its
operation model reads each operation, so that 2.0 and 3.x look alike. Changed
here, by subclassing: 3.1 and 3.2 are taken; nothing is rendered through Jinja;
the document is neither copied nor edited nor expanded. References are followed
one operation at a time, and a schema stays where it is: in its place stands
``{"$ref": <absolute reference>}``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from mockserver.compile.references import Trees
from mockserver.compile.source import quote_token
from mockserver.plan import JSON, SchemaRef

with warnings.catch_warnings():
    # What the imports advise (RefResolver, Starlette's test client) is for Connexion, not our users,
    # who may have made errors of all warnings.
    warnings.simplefilter("ignore")
    from connexion.operations import AbstractOperation
    from connexion.resolver import Resolution
    from connexion.spec import OpenAPISpecification, Specification, Swagger2Specification

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")


class NoResolver:
    """Connexion's resolver, for operations that no Python function answers."""

    def resolve(self, operation: AbstractOperation) -> Resolution:
        return Resolution(None, operation.operation_id)


class _Reader:
    """Follows the references of one document's trees."""

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        self.root = f"{trees.root_uri}#"

    def object(self, ref: SchemaRef) -> tuple[dict[str, JSON], SchemaRef]:
        """The object at ``ref``, references followed; siblings of a path item's ``$ref`` are kept."""
        node = self.trees.node(ref)
        found, at = self.trees.resolve(ref)
        if not isinstance(found, dict):
            return {}, at
        if isinstance(node, dict) and len(node) > 1 and "$ref" in node:
            siblings = {key: value for key, value in node.items() if key in ("description", "summary")}
            return {**found, **siblings}, at
        return found, at

    def children(self, ref: SchemaRef, key: str) -> Iterator[tuple[str, dict[str, JSON], SchemaRef]]:
        """Each member of the map or list ``key`` of the object at ``ref``: name, object, its reference."""
        holder = self.trees.node(ref).get(key)
        names = list(holder) if isinstance(holder, dict) else range(len(holder or ()))
        for name in names:
            if not str(name).startswith("x-"):
                yield str(name), *self.object(f"{ref}/{key}/{quote_token(str(name))}")

    def path(self, path: str) -> tuple[dict[str, JSON], SchemaRef]:
        return self.object(f"{self.root}/paths/{quote_token(path)}")

    def with_references(
        self, ref: SchemaRef, node: dict[str, JSON], *, swagger: bool = False
    ) -> dict[str, JSON]:
        """A parameter, header, response or body with its own references followed and schemas pointed at."""
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
        """The requests of one Callback Object: URL expression, method and operation, bodies shaped."""
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
        _, at = self.path(path)
        return [
            self.with_references(ref, parameter, swagger=swagger)
            for _, parameter, ref in self.children(at, "parameters")
        ]

    def methods(self, path: str) -> list[str]:
        item, _ = self.path(path)
        extra = item.get("additionalOperations")
        return [method for method in METHODS if method in item] + list(
            extra if isinstance(extra, dict) else ()
        )


class _TreeSpecification(Specification):
    """What both versions share: built on trees instead of a copy of the document."""

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
        return [path for path in self._spec.get("paths") or () if path.startswith("/")]

    @cached_property
    def security_schemes(self) -> dict[str, Any]:
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
        """Path and method of every operation."""
        for path in self.paths:
            for method in self.reader.methods(path):
                yield path, method

    def operation(self, path: str, method: str) -> AbstractOperation:
        """Connexion's model of an operation; each object in it knows its place as ``x-ref``."""
        return self.operation_cls.from_spec(self, path=path, method=method, resolver=NoResolver())


class OpenAPI3(_TreeSpecification, OpenAPISpecification):
    """OpenAPI 3.0, 3.1 and 3.2."""

    def get_operation(self, path: str, method: str) -> dict[str, Any]:
        return self.reader.operation(path, method)

    def get_path_params(self, path: str) -> list[dict[str, Any]]:
        return self.reader.path_parameters(path)


class Swagger2(_TreeSpecification, Swagger2Specification):
    """Swagger 2.0."""

    def get_operation(self, path: str, method: str) -> dict[str, Any]:
        return self.reader.operation(path, method, swagger=True)

    def get_path_params(self, path: str) -> list[dict[str, Any]]:
        return self.reader.path_parameters(path, swagger=True)
