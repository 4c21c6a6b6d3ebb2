"""A hook of MkDocs: the parts of pages that are written down elsewhere already.

``<!-- control reference -->`` becomes the operations of ``openapi/admin.yaml``,
``<!-- codes -->`` the diagnostic codes, and ``<!-- security -->`` what
``SECURITY.md`` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, **_: object) -> str:
    """What MkDocs calls with each page's text."""
    for mark, lines in _PARTS.items():
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(lines()))
    return markdown


def control() -> Iterator[str]:
    """The control plane's operations by tag, with what they take."""
    document = yaml.safe_load((ROOT / "openapi" / "admin.yaml").read_text("utf-8"))
    for tag in document["tags"]:
        yield f"### {tag['name'].capitalize()}"
        yield ""
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(document, method, path, operation)


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"**`{method.upper()} /__admin{path}`** {_escaped(operation['summary'])}"
    if "description" in operation:
        yield _escaped(operation["description"])
    yield ""
    for each in operation.get("parameters", ()):
        parameter = _resolved(document, each)
        if parameter["name"] != "X-Mock-Namespace":
            yield f"- `{parameter['name']}` in {parameter['in']}: {_escaped(parameter['description'])}"
    content = operation.get("requestBody", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    if example is not None:
        yield f"- body, for instance `{json.dumps(example)}`"
    elif content:
        yield f"- body: {', '.join(f'`{each}`' for each in content)}"
    yield ""


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def codes() -> Iterator[str]:
    """Every diagnostic code, as ``mockserver explain`` prints it."""
    yield (ROOT / "mockserver" / "codes.md").read_text("utf-8")


def security() -> Iterator[str]:
    """The page that stands beside the README, with its links as they are from here."""
    yield (ROOT / "SECURITY.md").read_text("utf-8").replace("](docs/", "](")


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("{", "&#123;")


_PARTS = {
    "<!-- control reference -->": control,
    "<!-- codes -->": codes,
    "<!-- security -->": security,
}
