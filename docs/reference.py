"""A hook of MkDocs: generate the parts of pages whose content has its source elsewhere.

================================  ===========================================
mark in a page                    source
================================  ===========================================
``<!-- command line -->``         the commands and options of ``mockserver.cli``
``<!-- control reference -->``    ``openapi/admin.yaml``
``<!-- codes -->``                ``mockserver/codes.md``
``<!-- example: NAME -->``        ``scenarios/NAME.yaml``
``<!-- security -->``             ``SECURITY.md``
================================  ===========================================
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import yaml
import yaml12

from mockserver.cli.commands import cli

ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return the text of a page with each mark replaced. MkDocs calls this."""
    for mark, lines in _PARTS.items():
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(lines()))
    return markdown


def control() -> Iterator[str]:
    """Yield the operations of the control plane by tag, with their parameters and bodies."""
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
    """Yield the sections of all diagnostic codes. Each heading has its code as anchor: ``#s304``."""
    text = (ROOT / "mockserver" / "codes.md").read_text("utf-8")
    yield re.sub(
        r"^## ([A-Z]\d{3}) (.+)$",
        lambda found: f"## {found[1]}: {found[2]} {{ #{found[1].lower()} }}",
        text,
        flags=re.MULTILINE,
    )


def command_line() -> Iterator[str]:
    """Yield a section for each command: its usage, its help, and a table of its options."""
    yield from _command(cli, cli.make_context("mockserver", [], resilient_parsing=True))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    if context.parent is not None:
        yield f"## `{context.command_path}`"
        yield ""
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        yield from ("```text", usage, "```", "")
        yield from _help(command.help or "")
    options = [each for each in command.params if isinstance(each, click.Option)]
    if context.parent is not None and options:
        yield "| Option, environment variable | Default | Meaning |"
        yield "|---|---|---|"
        yield from (_option(each, context) for each in options)
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _command(found, click.Context(found, info_name=name, parent=context))


def _help(text: str) -> Iterator[str]:
    """Yield paragraphs; those that click does not wrap are examples."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.removeprefix("\b").strip("\n").split("\n")
            yield from ("```text", *(line.strip() for line in lines), "```", "")
        else:
            yield from (" ".join(paragraph.split()), "")


def _option(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag:
        kind = option.type
        values = "`, `".join(kind.choices) if isinstance(kind, click.Choice) else ""
        names += f"<br>`{values}`" if values else f" `{option.make_metavar(context)}`"
    facts = option.get_help_extra(context)
    variable = f"<br>`{facts['envvars'][0]}`" if "envvars" in facts else ""
    default = f"`{facts['default']}`" if "default" in facts else ""
    meaning = " ".join(part for part in (_escaped(option.help or ""), _bounds(facts)) if part)
    required = " Required." if option.required else ""
    return f"| {names}{variable} | {default} | {meaning}{required} |"


def _bounds(facts: Any) -> str:
    return f"Allowed: `{facts['range']}`." if "range" in facts else ""


def example(name: str) -> Iterator[str]:
    """Yield the scenarios, the reserved values and the states of a scenario file as tables."""
    file: Any = yaml12.parse_yaml((ROOT / "scenarios" / f"{name}.yaml").read_text("utf-8"))
    rules: dict[str, list[str]] = {}
    for rule in file["select"]:
        conditions = " and ".join(f"`{key}`: `{value}`" for key, value in rule.items() if key != "scenario")
        rules.setdefault(rule["scenario"], []).append(conditions or "all other keys")
    yield from ("| Scenario | Lifecycle | Selected by |", "|---|---|---|")
    for scenario, steps in file["scenarios"].items():
        shown = "".join(f"{_step(step)}{'' if step is steps[-1] else _link(step)}" for step in steps)
        yield f"| `{scenario}` | {shown} | {'<br>'.join(rules.get(scenario, []))} |"
    yield from ("", "| State | Responses |", "|---|---|")
    for state, responses in file["states"].items():
        found = responses if responses.keys() & file["operations"].keys() else {"": responses}
        shown = "<br>".join(_response(alias, response) for alias, response in found.items())
        yield f"| `{state}` | {shown} |"


def _link(step: Any) -> str:
    """Return what joins a step to the following one: without an end, a step does not lead there."""
    if isinstance(step, str) or ("state" in step and "until" not in step):
        return "; "
    return "; " if "next" in step else ", then "


def _step(step: Any) -> str:
    """Return a step in words: ``pending`` until 2 calls of `poll`."""
    if isinstance(step, str):
        return f"`{step}`"
    if "state" not in step:
        [(state, hold)] = step.items()
        return (
            f"`{state}` for {f'{hold} calls' if hold != 1 else '1 call'}"
            if isinstance(hold, int)
            else f"`{state}` for {hold}"
        )
    until = step.get("until", {})
    calls = until.get("calls", {})
    parts = [f"{count} calls of `{alias}`" for alias, count in calls.items()]
    parts += [until["after"]] if "after" in until else []
    words = f"`{step['state']}`" + (f" for {' or '.join(parts)}" if parts else "")
    targets = [f"`{alias}` leads to {_targets(to)}" for alias, to in step.get("on", {}).items()]
    if "next" in step:
        targets.append(f"at its end {_targets(step['next'])}")
    return words + (f" ({'; '.join(targets)})" if targets else "")


def _targets(branches: Any) -> str:
    if isinstance(branches, str):
        return f"`{branches}`"
    return " or ".join(f"`{branch if isinstance(branch, str) else branch['to']}`" for branch in branches)


def _response(alias: str, response: dict[str, Any]) -> str:
    body = response.get("body", {})
    text = f"{response.get('status', 'success')}"
    for name in ("status", "error"):
        if isinstance(body.get(name), str):
            text += f", `{name}: {body[name]}`"
    return f"`{alias}`: {text}" if alias else text


def security() -> Iterator[str]:
    """Yield the text of ``SECURITY.md``, with links relative to this folder."""
    yield (ROOT / "SECURITY.md").read_text("utf-8").replace("](docs/", "](")


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("{", "&#123;").replace("*", "\\*")


_PARTS = {
    "<!-- command line -->": command_line,
    **{
        f"<!-- example: {name} -->": partial(example, name)
        for name in ("certificate-request", "certificate-lifecycle")
    },
    "<!-- control reference -->": control,
    "<!-- codes -->": codes,
    "<!-- security -->": security,
}
