"""Mend the document object, paths and operations: methods, statuses and path parameters."""

from __future__ import annotations

import re
from typing import Any

from mockserver.compile.mending.content import SCHEMA_KEYWORDS, media_types
from mockserver.compile.mending.grammar import METHODS
from mockserver.compile.mending.structure import Mender, Rule, drop_duplicates, rename
from mockserver.compile.mending.table import At, kind
from mockserver.plan import JSON

Node = dict[str, Any]
_SCHEMES_3 = ("apiKey", "http", "mutualTLS", "oauth2", "openIdConnect")
_SCHEMES_2 = ("basic", "apiKey", "oauth2")


def _document(mender: Mender, node: Node, at: At) -> None:
    if not isinstance(node.get("info"), dict):
        if "info" in node:
            mender.report("type", (at, "info"), "`info`", kind(node["info"]), "a mapping")
        else:
            mender.report("missing", at, "`info`", assumed=("one without a title",))
        node["info"] = {"title": "", "version": ""}
    for name in ("paths", "components", "webhooks"):
        if name in node and node[name] is None:
            node[name] = {}
            mender.report("retyped", (at, name), f"`{name}`", "empty", "a mapping", assumed=("an empty one",))
    if mender.is_2 or mender.dialect == "3.0":
        node.setdefault("paths", {})
    paths = node.get("paths")
    if isinstance(paths, dict):
        rename(mender, paths, (at, "paths"), _with_slash, "path")
    holder = node if mender.is_2 else node.get("components")
    schemes = (
        holder.get("securityDefinitions" if mender.is_2 else "securitySchemes")
        if isinstance(holder, dict)
        else None
    )
    if isinstance(schemes, dict):
        place = (
            at if mender.is_2 else (at, "components"),
            "securityDefinitions" if mender.is_2 else "securitySchemes",
        )
        for name in list(schemes):
            _scheme(mender, schemes, name, (place, name))
        mender.schemes = schemes
    tags = node.get("tags")
    if isinstance(tags, list):
        drop_duplicates(mender, tags, (at, "tags"), "tag", lambda tag: tag.get("name"))
    for name in ("consumes", "produces"):
        media_types(mender, node, name, at)


def _with_slash(path: str) -> str:
    return path if path.startswith(("/", "x-")) else f"/{path}"


def _scheme(mender: Mender, schemes: Node, name: str, at: At) -> None:
    node = schemes[name]
    if not isinstance(node, dict) or "$ref" in node:
        return
    known = _SCHEMES_2 if mender.is_2 else _SCHEMES_3
    stated = node.get("type")
    if stated in known:
        return
    lower = str(stated).lower()
    intended = next((name for name in known if name.lower() == lower), "")
    if not intended and lower in ("basic", "bearer") and not mender.is_2:
        intended = "http"
        node.setdefault("scheme", lower)
    if not intended:
        intended = (
            "oauth2"
            if "flows" in node or "flow" in node
            else "http" if "scheme" in node and not mender.is_2
            else "apiKey" if "name" in node and "in" in node
            else ""
        )  # fmt: skip
    if intended:
        node["type"] = intended
        mender.report("scheme type", at, stated, assumed=(f"read as {intended}",))
    else:
        mender.report("scheme type", at, stated, assumed=("nothing is asked for it",))
        del schemes[name]


def _info(mender: Mender, node: Node, at: At) -> None:
    for name in ("title", "version"):
        if name not in node or node[name] is None:
            node[name] = ""
            mender.report("missing", at, f"`{name}`", assumed=("an empty text",))


def _tag(mender: Mender, node: Node, at: At) -> None:
    if "name" not in node:
        node["name"] = ""
        mender.report("missing", at, "`name`", assumed=("an empty text",))


def _server(mender: Mender, node: Node, at: At) -> None:
    if not isinstance(node.get("url"), str):
        node["url"] = "/"
        mender.report("missing", at, "`url`", assumed=("/",))


def _server_variable(mender: Mender, node: Node, at: At) -> None:
    if "default" not in node:
        options = node.get("enum")
        node["default"] = str(options[0]) if isinstance(options, list) and options else ""
        mender.report("missing", at, "`default`", assumed=(repr(node["default"]),))


def _requirement(mender: Mender, node: Node, at: At) -> None:
    for name in list(node):
        scopes = node[name]
        if name not in mender.schemes and not (mender.dialect == "3.2" and ("/" in name or "#" in name)):
            mender.report("scheme", (at, name), name, key=True)
            del node[name]
        elif not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            mender.report("type", (at, name), f"`{name}`", kind(scopes), "a list of scopes")
            node[name] = (
                [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []
            )


def _requires_field(name: str, field: str, default: JSON) -> Rule:
    def rule(mender: Mender, node: Node, at: At) -> None:
        if field not in node:
            node[field] = default
            mender.report("missing", at, f"`{field}` of a {name}", assumed=(repr(default),))

    return rule


DOCUMENT_RULES: dict[str, Rule] = {
    "document": _document,
    "info": _info,
    "license": _requires_field("license", "name", ""),
    "tag": _tag,
    "server": _server,
    "server variable": _server_variable,
    "requirement": _requirement,
}
"""Kind of object → rule."""


_TEMPLATE = re.compile(r"\{([^{}]+)\}")
_STATUS = re.compile(r"[1-5](\d\d|XX)\Z")


def _path_item(mender: Mender, node: Node, at: At) -> None:
    methods = {key: key.lower() for key in node if key not in METHODS and key.lower() in METHODS}
    if methods:
        rename(mender, node, at, lambda key: methods.get(key, key), "method")
    path = mender.paths.get(id(node))
    _parameters(mender, node, at)
    if path is None:
        return
    names = set(_TEMPLATE.findall(path))
    shared = _declared_names(mender, node, at, names, path)
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
        declared = shared | _declared_names(mender, operation, where, names, path)
        _add_parameters(mender, operation, where, sorted(names - declared), path)
        _operation_id(mender, operation, where, method, path)


def _operation_id(mender: Mender, node: Node, at: At, method: str, path: str) -> None:
    stated = node.get("operationId")
    if not isinstance(stated, str):
        return
    if stated in mender.operation_ids:
        mender.report("operation id", (at, "operationId"), stated, method.upper(), path)
        del node["operationId"]
    mender.operation_ids.add(stated)


def _parameters(mender: Mender, node: Node, at: At) -> None:
    """Mend a list of parameters, and drop repeated ones."""
    if "parameters" not in node:
        return
    place = (at, "parameters")
    mender.listed(node, "parameters", "parameter", place, [])
    listed = node.get("parameters")
    if isinstance(listed, list):
        drop_duplicates(
            mender, listed, place, "parameter", lambda parameter: _identity(mender, parameter, at)
        )


def _identity(mender: Mender, node: Node, at: At) -> tuple[str, str] | None:
    found: JSON = node
    if isinstance(node.get("$ref"), str):
        target = mender.references.find(dict(node), "parameter", (at, "parameters"))
        found = target.node if target is not None else None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        return None
    return found["name"], str(found.get("in"))


def _declared_names(mender: Mender, node: Node, at: At, names: set[str], path: str) -> set[str]:
    """Return the path parameters of a list. Drop those that the path does not have."""
    listed = node.get("parameters")
    found: set[str] = set()
    if not isinstance(listed, list):
        return found
    remaining = []
    for i, parameter in enumerate(listed):
        identity = _identity(mender, parameter, at) if isinstance(parameter, dict) else None
        if identity is not None and identity[1].lower() == "path":
            if identity[0] not in names:
                mender.report("unused", ((at, "parameters"), i), identity[0], path)
                continue
            found.add(identity[0])
        remaining.append(parameter)
    if len(remaining) < len(listed):
        listed[:] = remaining
    return found


def _add_parameters(mender: Mender, node: Node, at: At, names: list[str], path: str) -> None:
    for name in names:
        mender.report("undeclared", at, name, path)
        added: Node = {"name": name, "in": "path", "required": True}
        added |= {"type": "string"} if mender.is_2 else {"schema": {"type": "string"}}
        listed = node.get("parameters")
        node["parameters"] = [*(listed if isinstance(listed, list) else ()), added]


def _operation(mender: Mender, node: Node, at: At) -> None:
    responses = node.get("responses")
    if not isinstance(responses, dict) or not responses:
        if mender.dialect in ("2.0", "3.0") or "responses" in node:
            if "responses" in node and not isinstance(responses, dict):
                mender.report("type", (at, "responses"), "`responses`", kind(responses), "a mapping")
            else:
                mender.report("missing", at, "`responses`", assumed=("any response without content",))
            node["responses"] = {"default": {"description": ""}}
    else:
        _statuses(mender, node, (at, "responses"))
    for name in ("consumes", "produces"):
        media_types(mender, node, name, at)
    if not mender.is_2:
        _convert_body_parameters(mender, node, at)


def _statuses(mender: Mender, node: Node, at: At) -> None:
    responses = node["responses"]
    if isinstance(responses.get("$ref"), str):
        responses = node["responses"] = mender.expand(responses, at)
    good = [key for key in responses if _STATUS.match(key) or key == "default" or key.startswith("x-")]
    if len(good) < len(responses):
        old = dict(responses)
        responses.clear()
        for key, value in old.items():
            intended = key if key in good else _status(key)
            if intended != key:
                assumed = f"read as {intended!r}" if intended else "passed over"
                mender.report("status", (at, key), key, assumed=(assumed,), key=True)
            if intended and (intended == key or intended not in old):
                responses[intended] = value
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


def _convert_body_parameters(mender: Mender, node: Node, at: At) -> None:
    """Convert body and form parameters of 2.0 to a request body."""
    listed = node.get("parameters")
    if not isinstance(listed, list):
        return
    remaining = []
    form: Node = {}
    required = []
    for i, parameter in enumerate(listed):
        place = ((at, "parameters"), i)
        location = parameter.get("in") if isinstance(parameter, dict) else None
        if location == "body":
            mender.report("older", place, "a parameter", "in a body", assumed=("requestBody",))
            media = {"schema": parameter.get("schema", {})}
            node.setdefault("requestBody", {"content": {"application/json": media}})
        elif location == "formData" and isinstance(parameter.get("name"), str):
            mender.report("older", place, "a parameter", "in a form", assumed=("requestBody",))
            form[parameter["name"]] = parameter.get("schema") or {
                key: parameter[key] for key in SCHEMA_KEYWORDS if key in parameter
            }
            required += [parameter["name"]] if parameter.get("required") is True else []
        else:
            remaining.append(parameter)
    if form:
        schema = {"type": "object", "properties": form, **({"required": required} if required else {})}
        types = ("application/x-www-form-urlencoded", "multipart/form-data")
        node.setdefault("requestBody", {"content": {name: {"schema": dict(schema)} for name in types}})
    if len(remaining) < len(listed):
        listed[:] = remaining


OPERATION_RULES: dict[str, Rule] = {
    "path item": _path_item,
    "operation": _operation,
}
"""Kind of object → rule."""
