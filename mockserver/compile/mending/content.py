"""Bodies of requests and responses, their media types and examples."""

from __future__ import annotations

import re
from typing import Any

from mockserver.compile.mending.lists import rename
from mockserver.compile.mending.structure import Mender, Rule
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
            mender.tell(
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
                mender.tell("missing", at, "`content`", assumed=("any body",))
            else:
                mender.tell("type", (at, "content"), "`content`", kind(node["content"]), "a mapping")
            node["content"] = {"*/*": {}}
    mend_content(mender, node, at)


def _response(mender: Mender, node: Node, at: At) -> None:
    if "description" not in node and mender.dialect != "3.2":
        node["description"] = ""
        mender.tell("missing", at, "`description`", assumed=("an empty text",))
    if mender.is_2:
        return
    if "schema" in node and "content" not in node:
        schema = node.pop("schema")
        mender.tell(
            "moved", (at, "schema"), "response", "schema", assumed=("that of application/json",), key=True
        )
        node["content"] = {"application/json": {"schema": schema}}
    mend_content(mender, node, at)


def mend_content(mender: Mender, node: Node, at: At) -> None:
    """Media types as they should be written."""
    content = node.get("content")
    if not isinstance(content, dict) or all(
        _MEDIA_TYPE.match(key) or key.startswith("x-") for key in content
    ):
        return
    if isinstance(content.get("$ref"), str):
        return
    rename(mender, content, (at, "content"), _media_type, "media type")


def _media_type(name: str) -> str:
    """A media type as it should be written."""
    if _MEDIA_TYPE.match(name) or name.startswith("x-"):
        return name
    first = re.split(r"[,\s]+", name.strip())[0].strip("/")
    return (
        first if _MEDIA_TYPE.match(first) else _SHORT_TYPES.get(first.lower().lstrip("."), "application/json")
    )


def media_types(mender: Mender, node: Node, key: str, at: At) -> None:
    """``consumes`` or ``produces`` of 2.0."""
    listed = node.get(key)
    if not mender.is_2 or not isinstance(listed, list):
        return
    for i, each in enumerate(listed):
        if isinstance(each, str) and (meant := _media_type(each)) != each:
            mender.tell("media type", ((at, key), i), each, assumed=(meant,))
            listed[i] = meant
    if len(once := list(dict.fromkeys(each for each in listed if isinstance(each, str)))) < len(listed):
        listed[:] = once


def _media(mender: Mender, node: Node, at: At) -> None:
    mend_examples(mender, node, at)


def mend_examples(mender: Mender, node: Node, at: At) -> None:
    """Examples by name, each an object, and none beside them."""
    examples = node.get("examples")
    if "examples" in node and not isinstance(examples, dict):
        place = (at, "examples")
        values = examples if isinstance(examples, list) else [examples]
        mender.tell(
            "retyped", place, "`examples`", kind(examples), "a mapping", assumed=("a mapping of values",)
        )
        node["examples"] = examples = {
            str(i): each if isinstance(each, dict) and "value" in each else {"value": each}
            for i, each in enumerate(values, 1)
        }
    if not isinstance(examples, dict):
        return
    for name, each in examples.items():
        if isinstance(each, dict) and (
            isinstance(each.get("$ref"), str) or any(key in each for key in _EXAMPLE)
        ):
            continue
        if name == "$ref":
            continue
        mender.tell("bare example", ((at, "examples"), name), name)
        examples[name] = {"value": each}
    if "example" in node:
        mender.tell("both", (at, "example"))
        value = node.pop("example")
        if not isinstance(examples.get("$ref"), str):
            node["examples"] = {
                "default": {"value": value},
                **{k: v for k, v in examples.items() if k != "default"},
            }


def _encoding(mender: Mender, node: Node, at: At) -> None:
    style = node.get("style")
    if style is not None and style not in _STYLES["query"]:
        mender.tell("type", (at, "style"), "`style`", kind(style), f"one of {', '.join(_STYLES['query'])}")
        del node["style"]


RULES: dict[str, Rule] = {
    "request body": _request_body,
    "response": _response,
    "media type": _media,
    "encoding": _encoding,
}
"""By kind of object."""
