"""Who a resource is: its key, its other names, and what a certificate for it certifies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mockserver.compile.answers import Bound, compile_templates
from mockserver.compile.delivery import unknown_keys
from mockserver.compile.nodes import Node, Report
from mockserver.compile.roles import has_parameter
from mockserver.compile.selection import check_part, did_you_mean, lookup, part_names
from mockserver.plan import Certify, Lookup

_CERTIFY = frozenset(["csr", "commonName"])


def read_key(node: Node | None, bound: Mapping[str, Bound], report: Report) -> Lookup | None:
    """What tells one resource from another; None where it is missing or wrong."""
    if node is None:
        return None
    found = lookup(node.value)
    if found is None:
        report.error(
            "S207",
            node,
            f"`key` is {node.kind()}",
            "name a part of the request: path.NAME, query.NAME, header.NAME, cookie.NAME or body.NAME.",
        )
        return None
    named = [
        each
        for each in bound.values()
        if not each.role.creates and each.role.lists is None and each.role.key is None
    ]
    lacking = [each for each in named if not has_parameter(found, each.operation)]
    if lacking:
        shown = ", ".join(f"{each.operation.path} (operation {each.alias!r})" for each in lacking)
        meant = did_you_mean(found.name, part_names("path", lacking))
        report.error(
            "S207",
            node,
            f"there is no parameter {{{found.name}}} in {shown}",
            f"{meant}Name a parameter of every operation's path, or give the operation a `key` of its own.",
        )
    else:
        check_part(found, node, named, report)
    return Lookup(found.part, found.name, fold=_is_uuid(found, bound))


def read_handles(members: Iterable[tuple[str, Node]], report: Report) -> dict[str, str]:
    """The other names of a resource, each by its template."""
    handles = {}
    for name, node in members:
        if not isinstance(node.value, str):
            report.error(
                "S204",
                node,
                f"the handle {name!r} is {node.kind()}",
                "write a template, such as \"{{ uuid('certificate') }}\".",
            )
            continue
        compile_templates(node, report)
        handles[name] = node.value
    return handles


def read_certify(node: Node | None, bound: Mapping[str, Bound], report: Report) -> Certify | None:
    """Where the creating request says what is to be certified."""
    if node is None:
        return None
    members = unknown_keys(node, _CERTIFY, "`certify`", report)
    found = {key: lookup(each.value) for key, each in members.items()}
    creating = [each for each in bound.values() if each.role.creates]
    for key, each in members.items():
        if (place := found[key]) is not None:
            check_part(place, each, creating, report)
        else:
            report.error(
                "S207",
                each,
                f"`{key}` is {each.kind()}",
                "name a part of the creating request, such as body.csr.",
            )
    if not members:
        report.error(
            "S204", node, f"`certify` is {node.kind()}", "write {csr: body.csr, commonName: body.name}."
        )
    return Certify(found.get("csr"), found.get("commonName"))


def _is_uuid(key: Lookup, bound: Mapping[str, Bound]) -> bool:
    """Whether the key is a UUID in every operation, whose case does not matter (RFC 9562 section 4)."""
    formats = set()
    for each in bound.values():
        for parameter in each.operation.parameters:
            if (parameter.location, parameter.name) == (key.part, key.name) and parameter.schema:
                schema, _ = each.schemas.lookup(parameter.schema)
                formats.add(schema.get("format") if isinstance(schema, dict) else None)
    return formats == {"uuid"}
