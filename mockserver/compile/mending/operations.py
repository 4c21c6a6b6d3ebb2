"""Paths and operations: methods, statuses, and parameters that fit the path."""

from __future__ import annotations

import re
from typing import Any

from mockserver.compile.mending.content import media_types
from mockserver.compile.mending.grammar import METHODS
from mockserver.compile.mending.lists import each_once, rename
from mockserver.compile.mending.structure import Mender, Rule
from mockserver.compile.mending.table import At, kind
from mockserver.plan import JSON

Node = dict[str, Any]
_TEMPLATE = re.compile(r"\{([^{}]+)\}")
_STATUS = re.compile(r"[1-5](\d\d|XX)\Z")
_OF_SCHEMA = (
    *("type", "format", "items", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "multipleOf", "default"),
    *("oneOf", "anyOf", "allOf", "properties", "nullable"),
)


def _path_item(mender: Mender, node: Node, at: At) -> None:
    methods = {key: key.lower() for key in node if key not in METHODS and key.lower() in METHODS}
    if methods:
        rename(mender, node, at, lambda key: methods.get(key, key), "method")
    path = mender.paths.get(id(node))
    _parameters(mender, node, at)
    if path is None:
        return
    names = set(_TEMPLATE.findall(path))
    shared = _declared(mender, node, at, names, path)
    for method in (*METHODS, *(node.get("additionalOperations") or ())):
        holder, place = (
            (node, at) if method in METHODS else (node["additionalOperations"], (at, "additionalOperations"))
        )
        operation = holder.get(method) if isinstance(holder, dict) else None
        if not isinstance(operation, dict):
            continue
        where: At = (place, method)
        if isinstance(operation.get("$ref"), str):
            found = mender.references.find(operation, "operation", where)
            if found is None or not isinstance(found.node, dict):
                continue
            operation, where = found.node, found.at
        _parameters(mender, operation, where)
        declared = shared | _declared(mender, operation, where, names, path)
        _declare(mender, operation, where, sorted(names - declared), path)
        _operation_id(mender, operation, where, method, path)


def _operation_id(mender: Mender, node: Node, at: At, method: str, path: str) -> None:
    stated = node.get("operationId")
    if not isinstance(stated, str):
        return
    if stated in mender.operation_ids:
        mender.tell("operation id", (at, "operationId"), stated, method.upper(), path)
        del node["operationId"]
    mender.operation_ids.add(stated)


def _parameters(mender: Mender, node: Node, at: At) -> None:
    """A list of parameters, each once."""
    if "parameters" not in node:
        return
    place = (at, "parameters")
    mender.listed(node, "parameters", "parameter", place, [])
    listed = node.get("parameters")
    if isinstance(listed, list):
        each_once(mender, listed, place, "parameter", lambda each: _identity(mender, each, at))


def _identity(mender: Mender, node: Node, at: At) -> tuple[str, str] | None:
    found: JSON = node
    if isinstance(node.get("$ref"), str):
        target = mender.references.find(dict(node), "parameter", (at, "parameters"))
        found = target.node if target is not None else None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        return None
    return found["name"], str(found.get("in"))


def _declared(mender: Mender, node: Node, at: At, names: set[str], path: str) -> set[str]:
    """The path parameters that a list declares; those that the path has no place for go."""
    listed = node.get("parameters")
    found: set[str] = set()
    if not isinstance(listed, list):
        return found
    kept = []
    for i, each in enumerate(listed):
        identity = _identity(mender, each, at) if isinstance(each, dict) else None
        if identity is not None and identity[1].lower() == "path":
            if identity[0] not in names:
                mender.tell("unused", ((at, "parameters"), i), identity[0], path)
                continue
            found.add(identity[0])
        kept.append(each)
    if len(kept) < len(listed):
        listed[:] = kept
    return found


def _declare(mender: Mender, node: Node, at: At, names: list[str], path: str) -> None:
    for name in names:
        mender.tell("undeclared", at, name, path)
        added: Node = {"name": name, "in": "path", "required": True}
        added |= {"type": "string"} if mender.is_2 else {"schema": {"type": "string"}}
        listed = node.get("parameters")
        node["parameters"] = [*(listed if isinstance(listed, list) else ()), added]


def _operation(mender: Mender, node: Node, at: At) -> None:
    responses = node.get("responses")
    if not isinstance(responses, dict) or not responses:
        if mender.dialect in ("2.0", "3.0") or "responses" in node:
            if "responses" in node and not isinstance(responses, dict):
                mender.tell("type", (at, "responses"), "`responses`", kind(responses), "a mapping")
            else:
                mender.tell("missing", at, "`responses`", assumed=("any response without content",))
            node["responses"] = {"default": {"description": ""}}
    else:
        _statuses(mender, node, (at, "responses"))
    for name in ("consumes", "produces"):
        media_types(mender, node, name, at)
    if not mender.is_2:
        _lift_body(mender, node, at)


def _statuses(mender: Mender, node: Node, at: At) -> None:
    responses = node["responses"]
    if isinstance(responses.get("$ref"), str):
        responses = node["responses"] = mender.spread(responses, at)
    good = [key for key in responses if _STATUS.match(key) or key == "default" or key.startswith("x-")]
    if len(good) < len(responses):
        old = dict(responses)
        responses.clear()
        for key, value in old.items():
            meant = key if key in good else _status(key)
            if meant != key:
                assumed = f"read as {meant!r}" if meant else "passed over"
                mender.tell("status", (at, key), key, assumed=(assumed,), key=True)
            if meant and (meant == key or meant not in old):
                responses[meant] = value
    if not any(not key.startswith("x-") for key in responses):
        responses["default"] = {"description": ""}


def _status(key: str) -> str:
    stripped = key.strip().removesuffix(".0")
    upper = stripped.upper()
    if _STATUS.match(upper):
        return upper
    if upper in ("DEFAULT", "*"):
        return "default"
    found = re.search(r"(?<!\d)[1-5](?:\d\d|XX)(?!\d)", upper)
    return found[0] if found else {"SUCCESS": "200", "OK": "200"}.get(upper, "")


def _lift_body(mender: Mender, node: Node, at: At) -> None:
    """Parameters in a body, as 2.0 has them, become one."""
    listed = node.get("parameters")
    if not isinstance(listed, list):
        return
    kept = []
    form: Node = {}
    required = []
    for i, each in enumerate(listed):
        place = ((at, "parameters"), i)
        location = each.get("in") if isinstance(each, dict) else None
        if location == "body":
            mender.tell("older", place, "a parameter", "in a body", assumed=("requestBody",))
            media = {"schema": each.get("schema", {})}
            node.setdefault("requestBody", {"content": {"application/json": media}})
        elif location == "formData" and isinstance(each.get("name"), str):
            mender.tell("older", place, "a parameter", "in a form", assumed=("requestBody",))
            form[each["name"]] = each.get("schema") or {key: each[key] for key in _OF_SCHEMA if key in each}
            required += [each["name"]] if each.get("required") is True else []
        else:
            kept.append(each)
    if form:
        schema = {"type": "object", "properties": form, **({"required": required} if required else {})}
        types = ("application/x-www-form-urlencoded", "multipart/form-data")
        node.setdefault("requestBody", {"content": {name: {"schema": dict(schema)} for name in types}})
    if len(kept) < len(listed):
        listed[:] = kept


RULES: dict[str, Rule] = {
    "path item": _path_item,
    "operation": _operation,
}
"""By kind of object."""
