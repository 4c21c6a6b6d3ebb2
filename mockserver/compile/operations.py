"""Convert Connexion's operations to operations of the Plan.

Converts ``collectionFormat``, ``formData``, ``consumes`` and ``produces`` of 2.0 to
the terms of 3.x. A schema that 2.0 mixes into a parameter or header is copied to a
synthetic tree, because the original has keywords that are not JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mockserver.compile.source import quote_token
from mockserver.plan import (
    JSON,
    ROOT,
    Callback,
    DocumentedResponse,
    Encoding,
    Example,
    Header,
    MediaType,
    Operation,
    Parameter,
    RequestBody,
    SchemaRef,
    SecurityScheme,
)

if TYPE_CHECKING:
    from connexion.operations import AbstractOperation

SYNTHETIC = ROOT + "-/swagger"
"""URI of the synthetic tree, for schemas of parameters and headers of 2.0."""

_STYLES = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}
_COLLECTIONS = {
    "csv": ("", False),
    "multi": ("form", True),
    "ssv": ("spaceDelimited", False),
    "tsv": ("tabDelimited", False),
    "pipes": ("pipeDelimited", False),
}
_BODY_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class OperationReader:
    """Reads the operations of one document. Adds schemas of 2.0 to ``synthetic``."""

    def __init__(self, *, swagger: bool) -> None:
        self.swagger = swagger
        self.synthetic: dict[str, JSON] = {}

    def operation(self, model: AbstractOperation) -> Operation:
        """Convert one operation."""
        node = model._operation  # noqa: SLF001 - Connexion has no public access to it
        method = model.method.upper()
        operation_id = node.get("operationId")
        return Operation(
            id=operation_id if isinstance(operation_id, str) else f"{method} {model.path}",
            method=method,
            path=model.path,
            parameters=tuple(self._parameters(model.parameters)),
            body=self._body(model),
            responses=tuple(
                self._response(str(status), response, model.produces)
                for status, response in model.responses.items()
            ),
            security=tuple(
                {name: tuple(scopes) for name, scopes in requirement.items()}
                for requirement in model.security or ()
            ),
            pointer=node["x-ref"],
            summary=str(node.get("summary", "")),
            callbacks={
                name: self._callback(*requests[0])
                for name, requests in (node.get("callbacks") or {}).items()
                if requests
            },
        )

    def _callback(self, expression: str, method: str, node: dict[str, Any]) -> Callback:
        body = node.get("requestBody")
        return Callback(expression, method, self._request_body(body) if body else None)

    def _request_body(self, node: dict[str, Any]) -> RequestBody:
        return RequestBody(bool(node.get("required", False)), tuple(self._content(node.get("content") or {})))

    def _parameters(self, nodes: Iterable[dict[str, Any]]) -> Iterable[Parameter]:
        seen = set()
        for node in nodes:
            name, location = node.get("name"), node.get("in")
            if location in ("body", "formData") or not isinstance(name, str) or (name, location) in seen:
                continue  # a parameter of the operation precedes a parameter of the path
            seen.add((name, location))
            yield self._parameter(node, name, str(location))

    def _parameter(self, node: dict[str, Any], name: str, location: Any) -> Parameter:
        if self.swagger:
            schema: SchemaRef | None = self._synthetic_ref(node)
            style, explode = self._collection(node, location)
        else:
            schema = _schema_ref(node)
            style = node.get("style") or _STYLES.get(location, "form")
            explode = node.get("explode", style in ("form", "deepObject", "cookie"))
        content = next(iter(self._content(node.get("content") or {})), None)
        return Parameter(
            name=name,
            location=location,
            required=bool(node.get("required", location == "path")),
            schema=schema,
            style=style,
            explode=bool(explode),
            allow_reserved=bool(node.get("allowReserved", False)),
            allow_empty_value=bool(node.get("allowEmptyValue", False)),
            content=content,
            examples=_examples(node),
        )

    @staticmethod
    def _collection(node: dict[str, Any], location: str) -> tuple[str, bool]:
        style, explode = _COLLECTIONS.get(node.get("collectionFormat", "csv"), ("", False))
        return style or _STYLES.get(location, "form"), explode

    def _synthetic_ref(self, node: dict[str, Any]) -> SchemaRef:
        """Copy the schema in a parameter or header of 2.0 to the synthetic tree. Return its reference."""
        outside = ("name", "in", "required", "collectionFormat", "allowEmptyValue", "description", "x-ref")
        schema = {key: value for key, value in node.items() if key not in outside}
        if schema.get("type") == "file":
            schema |= {"type": "string", "format": "binary"}
        key = node["x-ref"]
        self.synthetic[key] = schema
        return f"{SYNTHETIC}#/{quote_token(key)}"

    def _content(self, content: dict[str, dict[str, Any]]) -> Iterable[MediaType]:
        for name, node in content.items():
            yield MediaType(
                name=name,
                schema=_schema_ref(node),
                examples=_examples(node),
                encoding={
                    key: Encoding(
                        content_type=str(encoding.get("contentType", "")),
                        style=encoding.get("style", "form"),
                        explode=encoding.get("explode", encoding.get("style", "form") == "form"),
                        allow_reserved=bool(encoding.get("allowReserved", False)),
                    )
                    for key, encoding in (node.get("encoding") or {}).items()
                    if isinstance(encoding, dict)
                },
                item_schema=_schema_ref(node, "itemSchema"),
            )

    def _body(self, model: AbstractOperation) -> RequestBody | None:
        if not self.swagger:
            node = model.request_body
            if not node:
                return None
            return self._request_body(node)
        bodies = [parameter for parameter in model.parameters if parameter.get("in") == "body"]
        if bodies:
            types = model.consumes or ["application/json"]
            schema = _schema_ref(bodies[0])
            return RequestBody(
                bool(bodies[0].get("required")), tuple(MediaType(name, schema) for name in types)
            )
        fields = [parameter for parameter in model.parameters if parameter.get("in") == "formData"]
        return self._form(fields, model) if fields else None

    def _form(self, fields: list[dict[str, Any]], model: AbstractOperation) -> RequestBody:
        required = [field["name"] for field in fields if field.get("required")]
        key = f"{model.method} {model.path}"
        self.synthetic[key] = {
            "type": "object",
            "properties": {field["name"]: {"$ref": self._synthetic_ref(field)} for field in fields},
            **({"required": required} if required else {}),
        }
        encoding = {}
        for parameter in fields:
            style, explode = self._collection(parameter, "query")
            if parameter.get("type") == "array":
                encoding[parameter["name"]] = Encoding(style=style, explode=explode)
        types = [name for name in model.consumes or () if name in _BODY_TYPES]
        if not types:
            has_file = any(field.get("type") == "file" for field in fields)
            types = [_BODY_TYPES[1]] if has_file else list(_BODY_TYPES)
        schema = f"{SYNTHETIC}#/{quote_token(key)}"
        return RequestBody(
            bool(required), tuple(MediaType(name, schema, encoding=encoding) for name in types)
        )

    def _response(self, status: str, node: dict[str, Any], produces: list[str]) -> DocumentedResponse:
        content = (
            self._swagger_content(node, produces)
            if self.swagger
            else self._content(node.get("content") or {})
        )
        return DocumentedResponse(
            status=status.upper() if status != "default" else status,
            content=tuple(content),
            headers=tuple(self._header(name, header) for name, header in (node.get("headers") or {}).items()),
            description=str(node.get("description", "")),
            content_type=_preferred_type(produces) if self.swagger else "",
        )

    def _swagger_content(self, node: dict[str, Any], produces: list[str]) -> Iterable[MediaType]:
        stated = node.get("examples")
        examples: dict[str, JSON] = stated if isinstance(stated, dict) else {}
        if "schema" not in node and not examples:
            return
        schema = _schema_ref(node)
        for name in produces or list(examples) or ["application/json"]:
            given = (Example("default", examples[name]),) if name in examples else ()
            yield MediaType(name, schema, examples=given)

    def _header(self, name: str, node: dict[str, Any]) -> Header:
        if self.swagger:
            return Header(name, schema=self._synthetic_ref(node))
        return Header(
            name=name,
            required=bool(node.get("required", False)),
            schema=_schema_ref(node),
            explode=bool(node.get("explode", False)),
            content=next(iter(self._content(node.get("content") or {})), None),
            examples=_examples(node),
        )


def security_schemes(nodes: dict[str, dict[str, Any]]) -> dict[str, SecurityScheme]:
    """Convert Security Scheme Objects of any version. ``basic`` of 2.0 becomes ``http``."""
    schemes = {}
    for name, node in nodes.items():
        kind = str(node.get("type", ""))
        schemes[name] = SecurityScheme(
            name=name,
            type="http" if kind == "basic" else kind,
            scheme="basic" if kind == "basic" else str(node.get("scheme", "")).lower(),
            location=str(node.get("in", "")),
            parameter=str(node.get("name", "")),
        )
    return schemes


def _preferred_type(types: list[str]) -> str:
    return next((media_type for media_type in types if "json" in media_type), types[0] if types else "")


def _schema_ref(node: dict[str, Any], key: str = "schema") -> SchemaRef | None:
    schema = node.get(key)
    return schema["$ref"] if isinstance(schema, dict) else None


def _examples(node: dict[str, Any]) -> tuple[Example, ...]:
    found = [Example("default", node["example"])] if "example" in node else []
    examples = node.get("examples")
    for name, example in examples.items() if isinstance(examples, dict) else ():
        if not isinstance(example, dict):
            continue
        if "dataValue" in example:
            found.append(Example(name, example["dataValue"]))
        elif "value" in example:
            found.append(Example(name, example["value"]))
        elif "serializedValue" in example:
            found.append(Example(name, example["serializedValue"], serialized=True))
    return tuple(found)
