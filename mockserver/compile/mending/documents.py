"""The document itself and what stands once in it: paths by their names, security schemes, servers, tags."""

from __future__ import annotations

from typing import Any

from mockserver.compile.mending.content import media_types
from mockserver.compile.mending.lists import each_once, rename
from mockserver.compile.mending.structure import Mender, Rule
from mockserver.compile.mending.table import At, kind
from mockserver.plan import JSON

Node = dict[str, Any]
_SCHEMES_3 = ("apiKey", "http", "mutualTLS", "oauth2", "openIdConnect")
_SCHEMES_2 = ("basic", "apiKey", "oauth2")


def _document(mender: Mender, node: Node, at: At) -> None:
    if not isinstance(node.get("info"), dict):
        if "info" in node:
            mender.tell("type", (at, "info"), "`info`", kind(node["info"]), "a mapping")
        else:
            mender.tell("missing", at, "`info`", assumed=("one without a title",))
        node["info"] = {"title": "", "version": ""}
    for name in ("paths", "components", "webhooks"):
        if name in node and node[name] is None:
            node[name] = {}
            mender.tell("retyped", (at, name), f"`{name}`", "empty", "a mapping", assumed=("an empty one",))
    if mender.is_2 or mender.dialect == "3.0":
        node.setdefault("paths", {})
    paths = node.get("paths")
    if isinstance(paths, dict):
        rename(mender, paths, (at, "paths"), _path_meant, "path")
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
        each_once(mender, tags, (at, "tags"), "tag", lambda each: each.get("name"))
    for name in ("consumes", "produces"):
        media_types(mender, node, name, at)


def _path_meant(path: str) -> str:
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
    meant = next((each for each in known if each.lower() == lower), "")
    if not meant and lower in ("basic", "bearer") and not mender.is_2:
        meant = "http"
        node.setdefault("scheme", lower)
    if not meant:
        meant = (
            "oauth2"
            if "flows" in node or "flow" in node
            else "http" if "scheme" in node and not mender.is_2
            else "apiKey" if "name" in node and "in" in node
            else ""
        )  # fmt: skip
    if meant:
        node["type"] = meant
        mender.tell("scheme type", at, stated, assumed=(f"read as {meant}",))
    else:
        mender.tell("scheme type", at, stated, assumed=("nothing is asked for it",))
        del schemes[name]


def _info(mender: Mender, node: Node, at: At) -> None:
    for name in ("title", "version"):
        if name not in node or node[name] is None:
            node[name] = ""
            mender.tell("missing", at, f"`{name}`", assumed=("an empty text",))


def _tag(mender: Mender, node: Node, at: At) -> None:
    if "name" not in node:
        node["name"] = ""
        mender.tell("missing", at, "`name`", assumed=("an empty text",))


def _server(mender: Mender, node: Node, at: At) -> None:
    if not isinstance(node.get("url"), str):
        node["url"] = "/"
        mender.tell("missing", at, "`url`", assumed=("/",))


def _server_variable(mender: Mender, node: Node, at: At) -> None:
    if "default" not in node:
        options = node.get("enum")
        node["default"] = str(options[0]) if isinstance(options, list) and options else ""
        mender.tell("missing", at, "`default`", assumed=(repr(node["default"]),))


def _requirement(mender: Mender, node: Node, at: At) -> None:
    for name in list(node):
        scopes = node[name]
        if name not in mender.schemes and not (mender.dialect == "3.2" and ("/" in name or "#" in name)):
            mender.tell("scheme", (at, name), name, key=True)
            del node[name]
        elif not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
            mender.tell("type", (at, name), f"`{name}`", kind(scopes), "a list of scopes")
            node[name] = (
                [each for each in scopes if isinstance(each, str)] if isinstance(scopes, list) else []
            )


def _named(name: str, field: str, default: JSON) -> Rule:
    def rule(mender: Mender, node: Node, at: At) -> None:
        if field not in node:
            node[field] = default
            mender.tell("missing", at, f"`{field}` of a {name}", assumed=(repr(default),))

    return rule


RULES: dict[str, Rule] = {
    "document": _document,
    "info": _info,
    "license": _named("license", "name", ""),
    "tag": _tag,
    "server": _server,
    "server variable": _server_variable,
    "requirement": _requirement,
}
"""By kind of object."""
