"""Mend parameters, header fields, bodies, media types and examples."""

from __future__ import annotations

import re
from typing import Any

from mockserver.compile.mending.structure import Mender, Rule, rename
from mockserver.compile.mending.table import At, kind

Node = dict[str, Any]
_MEDIA_TYPE = re.compile(r"[^\s/;,]+/[^\s/;,]+\s*(;.*)?\Z", re.DOTALL)
_SHORT_TYPES = {
    "json": "application/json",
    "xml": "application/xml",
    "text": "text/plain",
    "plain": "text/plain",
    "html": "text/html",
    "form": "application/x-www-form-urlencoded",
    "form-data": "multipart/form-data",
    "multipart": "multipart/form-data",
    "binary": "application/octet-stream",
    "*": "*/*",
}
_STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}
_EXAMPLE = ("value", "dataValue", "serializedValue", "externalValue", "summary", "description")


def _request_body(mender: Mender, node: Node, at: At) -> None:
    if not isinstance(node.get("content"), dict):
        schema = node.pop("schema", None)
        if isinstance(schema, dict):
            mender.report(
                "moved",
                (at, "schema"),
                "request body",
                "schema",
                assumed=("that of application/json",),
                key=True,
            )
            node["content"] = {"application/json": {"schema": schema}}
        else:
            if "content" not in node:
                mender.report("missing", at, "`content`", assumed=("any body",))
            else:
                mender.report("type", (at, "content"), "`content`", kind(node["content"]), "a mapping")
            node["content"] = {"*/*": {}}
    mend_content(mender, node, at)


def _response(mender: Mender, node: Node, at: At) -> None:
    if "description" not in node and mender.dialect != "3.2":
        node["description"] = ""
        mender.report("missing", at, "`description`", assumed=("an empty text",))
    if mender.is_2:
        return
    if "schema" in node and "content" not in node:
        schema = node.pop("schema")
        mender.report(
            "moved", (at, "schema"), "response", "schema", assumed=("that of application/json",), key=True
        )
        node["content"] = {"application/json": {"schema": schema}}
    mend_content(mender, node, at)


def mend_content(mender: Mender, node: Node, at: At) -> None:
    """Correct the names of media types."""
    content = node.get("content")
    if not isinstance(content, dict) or all(
        _MEDIA_TYPE.match(key) or key.startswith("x-") for key in content
    ):
        return
    if isinstance(content.get("$ref"), str):
        return
    rename(mender, content, (at, "content"), _media_type, "media type")


def _media_type(name: str) -> str:
    """Return the correct name of a media type."""
    if _MEDIA_TYPE.match(name) or name.startswith("x-"):
        return name
    first = re.split(r"[,\s]+", name.strip())[0].strip("/")
    return (
        first if _MEDIA_TYPE.match(first) else _SHORT_TYPES.get(first.lower().lstrip("."), "application/json")
    )


def media_types(mender: Mender, node: Node, key: str, at: At) -> None:
    """Correct ``consumes`` or ``produces`` of 2.0."""
    listed = node.get(key)
    if not mender.is_2 or not isinstance(listed, list):
        return
    for i, name in enumerate(listed):
        if isinstance(name, str) and (intended := _media_type(name)) != name:
            mender.report("media type", ((at, key), i), name, assumed=(intended,))
            listed[i] = intended
    if len(once := list(dict.fromkeys(item for item in listed if isinstance(item, str)))) < len(listed):
        listed[:] = once


def _media(mender: Mender, node: Node, at: At) -> None:
    mend_examples(mender, node, at)


def mend_examples(mender: Mender, node: Node, at: At) -> None:
    """Correct ``examples``: a map of objects, without ``example`` beside it."""
    examples = node.get("examples")
    if "examples" in node and not isinstance(examples, dict):
        place = (at, "examples")
        values = examples if isinstance(examples, list) else [examples]
        mender.report(
            "retyped", place, "`examples`", kind(examples), "a mapping", assumed=("a mapping of values",)
        )
        node["examples"] = examples = {
            str(i): item if isinstance(item, dict) and "value" in item else {"value": item}
            for i, item in enumerate(values, 1)
        }
    if not isinstance(examples, dict):
        return
    for name, example in examples.items():
        if isinstance(example, dict) and (
            isinstance(example.get("$ref"), str) or any(key in example for key in _EXAMPLE)
        ):
            continue
        if name == "$ref":
            continue
        mender.report("bare example", ((at, "examples"), name), name)
        examples[name] = {"value": example}
    if "example" in node:
        mender.report("both", (at, "example"))
        value = node.pop("example")
        if not isinstance(examples.get("$ref"), str):
            node["examples"] = {
                "default": {"value": value},
                **{k: v for k, v in examples.items() if k != "default"},
            }


def _encoding(mender: Mender, node: Node, at: At) -> None:
    style = node.get("style")
    if style is not None and style not in _STYLES["query"]:
        mender.report("type", (at, "style"), "`style`", kind(style), f"one of {', '.join(_STYLES['query'])}")
        del node["style"]


CONTENT_RULES: dict[str, Rule] = {
    "request body": _request_body,
    "response": _response,
    "media type": _media,
    "encoding": _encoding,
}
"""Kind of object → rule."""


_LOCATIONS_3 = ("path", "query", "header", "cookie", "querystring")
_LOCATIONS_2 = ("path", "query", "header", "body", "formData")
SCHEMA_KEYWORDS = (
    *("type", "format", "items", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "multipleOf", "default"),
    *("oneOf", "anyOf", "allOf", "properties", "nullable"),
)


def _parameter(mender: Mender, node: Node, at: At) -> None:
    if not isinstance(node.get("name"), str):
        stated = node.get("name")
        node["name"] = str(stated) if isinstance(stated, (bool, int, float)) else ""
        mender.report("missing", at, "`name` of a parameter", assumed=(repr(node["name"]),))
    _location(mender, node, at)
    location = node["in"]
    if location == "path" and node.get("required") is not True:
        node["required"] = True
        mender.report("optional", at, node["name"])
    if mender.is_2:
        _swagger_parameter(mender, node, at)
        return
    _schema_of(mender, node, at)
    style = node.get("style")
    known = _STYLES.get(location, ("form",))
    if style is not None and style not in known:
        mender.report("type", (at, "style"), "`style`", kind(style), f"one of {', '.join(known)}")
        del node["style"]
    mend_examples(mender, node, at)


def _location(mender: Mender, node: Node, at: At) -> None:
    known = _LOCATIONS_2 if mender.is_2 else _LOCATIONS_3
    stated = node.get("in")
    if stated in known:
        return
    lower = str(stated).lower()
    intended = next(
        (name for name in known if name.lower() == lower), "header" if lower == "headers" else "query"
    )
    node["in"] = intended
    mender.report("location", at, stated, assumed=(intended,))


def _swagger_parameter(mender: Mender, node: Node, at: At) -> None:
    if node["in"] == "body":
        if "schema" not in node:
            node["schema"] = {key: node.pop(key) for key in SCHEMA_KEYWORDS if key in node}
            mender.report("missing", at, "`schema`", assumed=("what stands beside it",))
        return
    schema = node.get("schema")
    if "schema" in node:
        while isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            found = mender.references.find(dict(schema), "schema", (at, "schema"))
            schema = found.node if found is not None and found.node is not schema else None
        mender.report("newer", (at, "schema"), "a schema of a parameter that is no body", mender.dialect)
        del node["schema"]
        node.update(
            {key: schema[key] for key in SCHEMA_KEYWORDS[:18] if key in schema and key not in node}
            if isinstance(schema, dict)
            else {}
        )
    _swagger_items(mender, node, at)


def _swagger_items(mender: Mender, node: Node, at: At) -> None:
    """Mend the schema that 2.0 mixes into a parameter or header."""
    own = {key: node[key] for key in SCHEMA_KEYWORDS if key in node}
    if own.get("type") is None or own.get("type") == "object":
        mender.report(
            "missing" if "type" not in own else "unknown type",
            at,
            *(("`type`",) if "type" not in own else (own["type"],)),
            assumed=("a text",) if "type" not in own else ("read as string",),
        )
        node["type"] = own["type"] = "string"
    mender.schemas.mend_mixed(node, own, at)
    if node.get("type") == "array" and not isinstance(node.get("items"), dict):
        node["items"] = {"type": "string"}
        mender.report("missing", at, "`items`", assumed=("texts",))
    if node.get("collectionFormat") not in (None, "csv", "ssv", "tsv", "pipes", "multi"):
        mender.report(
            "type",
            (at, "collectionFormat"),
            "`collectionFormat`",
            kind(node["collectionFormat"]),
            "csv or the like",
        )
        del node["collectionFormat"]


def _schema_of(mender: Mender, node: Node, at: At) -> None:
    """Ensure that a parameter or header of 3.x has either a schema or content."""
    mend_mixed = [key for key in SCHEMA_KEYWORDS if key in node]
    if mend_mixed and not isinstance(node.get("schema"), dict) and "content" not in node:
        schema = node["schema"] = {key: node.pop(key) for key in mend_mixed}
        if schema.get("type") == "file":
            schema |= {"type": "string", "format": "binary"}
        mender.report(
            "moved",
            (at, mend_mixed[0]),
            "parameter or header",
            mend_mixed[0],
            assumed=("part of its schema",),
            key=True,
        )
    content = node.get("content")
    if "content" in node and not (isinstance(content, dict) and content):
        mender.report("type", (at, "content"), "`content`", kind(content), "a mapping of one")
        del node["content"]
    if "schema" in node and "content" in node:
        mender.report("type", (at, "content"), "`content`", "beside a schema", "there alone")
        del node["content"]
    if "schema" not in node and "content" not in node:
        node["schema"] = {}
        mender.report("missing", at, "`schema`", assumed=("one that takes any value",))
    if "content" in node:
        mend_content(mender, node, at)
        if len(node["content"]) > 1:
            mender.report("type", (at, "content"), "`content`", "a mapping of many", "of one media type")
            for extra in list(node["content"])[1:]:
                del node["content"][extra]


def _header(mender: Mender, node: Node, at: At) -> None:
    if mender.is_2:
        if "schema" in node:
            schema = node.pop("schema")
            mender.report("newer", (at, "schema"), "a schema of a header", mender.dialect)
            node.update(
                {key: schema[key] for key in SCHEMA_KEYWORDS[:18] if key in schema}
                if isinstance(schema, dict)
                else {}
            )
        _swagger_items(mender, node, at)
        return
    for name in ("name", "in"):
        if name in node:
            mender.report("key", (at, name), "header", name, key=True)
            del node[name]
    _schema_of(mender, node, at)
    if node.get("style") not in (None, "simple"):
        mender.report("type", (at, "style"), "`style`", kind(node["style"]), "simple")
        del node["style"]
    mend_examples(mender, node, at)


PARAMETER_RULES: dict[str, Rule] = {
    "parameter": _parameter,
    "header": _header,
}
"""Kind of object → rule."""
