"""The objects of the OpenAPI Specification, and the kinds of their fields.

A field is the name of a kind of object, ``{kind}`` for a map, ``[kind]`` for a list,
or ``text``, ``flag`` or ``any``. The fields of all 3.x versions are in one grammar:
the validator reports fields that a version does not have, and they are still read.
"""

from __future__ import annotations

from collections.abc import Mapping

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")

Fields = Mapping[str, str]
Grammar = Mapping[str, Fields]

_DOCS = {"externalDocs": "any"}
_DESCRIBED_BY = {"description": "text", "summary": "text"}
_INFO = {
    **_DESCRIBED_BY,
    "title": "text",
    "version": "text",
    "termsOfService": "text",
    "contact": "contact",
    "license": "license",
}
_COMMON: Grammar = {
    "info": _INFO,
    "contact": {"name": "text", "url": "text", "email": "text"},
    "license": {"name": "text", "url": "text", "identifier": "text"},
    "tag": {"name": "text", **_DESCRIBED_BY, "parent": "text", "kind": "text", **_DOCS},
}
_EXAMPLES = {"example": "any", "examples": "{example}"}
_DESCRIBED = {
    "description": "text",
    "required": "flag",
    "deprecated": "flag",
    "allowEmptyValue": "flag",
    "style": "text",
    "explode": "flag",
    "allowReserved": "flag",
    "schema": "schema",
    "content": "{media type}",
    **_EXAMPLES,
}

OPENAPI_3: Grammar = {
    **_COMMON,
    "document": {
        "openapi": "text",
        "$self": "text",
        "info": "info",
        "jsonSchemaDialect": "text",
        "servers": "[server]",
        "paths": "{path item}",
        "webhooks": "{path item}",
        "components": "components",
        "security": "[requirement]",
        "tags": "[tag]",
        **_DOCS,
    },
    "server": {"url": "text", "description": "text", "name": "text", "variables": "{server variable}"},
    "server variable": {"enum": "[text]", "default": "text", "description": "text"},
    "components": {
        "schemas": "{schema}",
        "responses": "{response}",
        "parameters": "{parameter}",
        "examples": "{example}",
        "requestBodies": "{request body}",
        "headers": "{header}",
        "securitySchemes": "{security scheme}",
        "links": "{link}",
        "callbacks": "{callback}",
        "pathItems": "{path item}",
        "mediaTypes": "{media type}",
    },
    "path item": {
        **_DESCRIBED_BY,
        **dict.fromkeys(METHODS, "operation"),
        "additionalOperations": "{operation}",
        "servers": "[server]",
        "parameters": "[parameter]",
    },
    "operation": {
        "tags": "[text]",
        **_DESCRIBED_BY,
        **_DOCS,
        "operationId": "text",
        "parameters": "[parameter]",
        "requestBody": "request body",
        "responses": "{response}",
        "callbacks": "{callback}",
        "deprecated": "flag",
        "security": "[requirement]",
        "servers": "[server]",
    },
    "parameter": {"name": "text", "in": "text", **_DESCRIBED},
    "header": _DESCRIBED,
    "request body": {"description": "text", "content": "{media type}", "required": "flag"},
    "response": {
        **_DESCRIBED_BY,
        "headers": "{header}",
        "content": "{media type}",
        "links": "{link}",
    },
    "media type": {
        "schema": "schema",
        "itemSchema": "schema",
        **_EXAMPLES,
        "encoding": "{encoding}",
        "prefixEncoding": "any",
        "itemEncoding": "any",
    },
    "encoding": {
        "contentType": "text",
        "headers": "{header}",
        "style": "text",
        "explode": "flag",
        "allowReserved": "flag",
        "encoding": "any",
        "prefixEncoding": "any",
        "itemEncoding": "any",
    },
    "example": {
        **_DESCRIBED_BY,
        "value": "any",
        "dataValue": "any",
        "serializedValue": "text",
        "externalValue": "text",
    },
    "link": {
        "operationRef": "text",
        "operationId": "text",
        "parameters": "any",
        "requestBody": "any",
        "description": "text",
        "server": "any",
    },
    "security scheme": {
        "type": "text",
        "description": "text",
        "name": "text",
        "in": "text",
        "scheme": "text",
        "bearerFormat": "text",
        "flows": "any",
        "openIdConnectUrl": "text",
        "oauth2MetadataUrl": "text",
        "deprecated": "flag",
    },
}

_ITEMS = {
    "type": "any",
    "format": "any",
    "items": "any",
    "collectionFormat": "text",
    **dict.fromkeys(
        (
            *(
                "default",
                "maximum",
                "exclusiveMaximum",
                "minimum",
                "exclusiveMinimum",
                "maxLength",
                "minLength",
            ),
            *("pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf"),
        ),
        "any",
    ),
}

SWAGGER_2: Grammar = {
    **_COMMON,
    "document": {
        "swagger": "text",
        "info": "info",
        "host": "text",
        "basePath": "text",
        "schemes": "[text]",
        "consumes": "[text]",
        "produces": "[text]",
        "paths": "{path item}",
        "definitions": "{schema}",
        "parameters": "{parameter}",
        "responses": "{response}",
        "securityDefinitions": "{security scheme}",
        "security": "[requirement]",
        "tags": "[tag]",
        **_DOCS,
    },
    "path item": {**dict.fromkeys(METHODS[:7], "operation"), "parameters": "[parameter]"},
    "operation": {
        "tags": "[text]",
        **_DESCRIBED_BY,
        **_DOCS,
        "operationId": "text",
        "consumes": "[text]",
        "produces": "[text]",
        "parameters": "[parameter]",
        "responses": "{response}",
        "schemes": "[text]",
        "deprecated": "flag",
        "security": "[requirement]",
    },
    "parameter": {
        "name": "text",
        "in": "text",
        "description": "text",
        "required": "flag",
        "allowEmptyValue": "flag",
        "schema": "schema",
        **_ITEMS,
    },
    "header": {"description": "text", **_ITEMS},
    "response": {"description": "text", "schema": "schema", "headers": "{header}", "examples": "any"},
    "security scheme": {
        "type": "text",
        "description": "text",
        "name": "text",
        "in": "text",
        "flow": "text",
        "authorizationUrl": "text",
        "tokenUrl": "text",
        "scopes": "any",
    },
}

SECTIONS_3: Mapping[str, str] = {
    "schema": "components/schemas",
    "response": "components/responses",
    "parameter": "components/parameters",
    "example": "components/examples",
    "request body": "components/requestBodies",
    "header": "components/headers",
    "security scheme": "components/securitySchemes",
    "link": "components/links",
    "callback": "components/callbacks",
    "path item": "components/pathItems",
    "media type": "components/mediaTypes",
}
"""Kind of object → section of its shared objects."""
SECTIONS_2: Mapping[str, str] = {
    "schema": "definitions",
    "response": "responses",
    "parameter": "parameters",
    "path item": "paths",
}
