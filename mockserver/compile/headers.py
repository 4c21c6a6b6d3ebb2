"""Header fields as scenario files give them: what can be sent, and what belongs to the server."""

from __future__ import annotations

import re

from mockserver.compile.nodes import Node, Report

MAX_HEADERS = 1000
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_FRAMING = frozenset(
    ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te", "date"]
)


def read_headers(node: Node | None, report: Report) -> dict[str, str]:
    """Header fields by name; what cannot be sent is reported."""
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        report.error("S308", node, f"`headers` is {node.kind()}", "write it as {Retry-After: 30}.")
        return {}
    if len(node.value) > MAX_HEADERS:
        report.error(
            "S308",
            node,
            f"{len(node.value):,} headers are more than can be sent",
            f"give at most {MAX_HEADERS:,}.",
        )
    headers: dict[str, str] = {}
    for name, each in node.value.items():
        value = each.value
        if not _TOKEN.match(name):
            report.error(
                "S308",
                each.at_key,
                f"{name!r} is no header name",
                "use letters, digits and hyphens (RFC 9110 section 5.1).",
            )
        elif name.lower() in _FRAMING:
            report.error(
                "S308",
                each.at_key,
                f"the header {name} belongs to the server",
                "remove it; use `fault` to break the framing.",
            )
        elif name.lower() in map(str.lower, headers):
            report.error("S308", each.at_key, f"the header {name} is given twice", "give it once.")
        elif isinstance(value, dict | list) or value is None:
            report.error("S308", each, f"the header {name} is {each.kind()}", "give it a text.")
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if any(mark in text for mark in "\r\n\x00") or not _latin(text):
                report.error(
                    "S308",
                    each,
                    f"the header {name} holds a line break, a NUL or no Latin-1 character",
                    "remove it (RFC 9110 section 5.5).",
                )
            headers[name] = text
    return headers


def is_unsendable(name: str, value: str) -> bool:
    """Whether a header of that name and value cannot be sent, or belongs to the framing."""
    return not (
        _TOKEN.match(name)
        and name.lower() not in _FRAMING
        and _latin(value)
        and not any(mark in value for mark in "\r\n\x00")
    )


def _latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
