"""Read a response of a scenario file, and match it with the documented response of its operation."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mockserver.compile.fields import covers, fixed_values, properties
from mockserver.compile.scenario.delays_faults import read_delay, read_dribble, read_fault
from mockserver.compile.scenario.yaml_nodes import Node, Report, read_text
from mockserver.diagnostics import nearest
from mockserver.engine.resources.templates import TemplateError, compile_template, is_template, is_volatile
from mockserver.engine.response.negotiation import (
    Choice,
    default_response,
    documented_statuses,
    negotiate,
    response_for,
)
from mockserver.jsonschema import Schemas
from mockserver.media.codec import SEQUENCES, family_of
from mockserver.media.sequences import is_event
from mockserver.plan import (
    JSON,
    Delay,
    Document,
    DocumentedResponse,
    Example,
    MediaType,
    Operation,
    ResponseTemplate,
    Role,
    SchemaRef,
)

MAX_HEADERS = 1000
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_FRAMING = frozenset(
    ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te", "date"]
)


def read_headers(node: Node | None, report: Report) -> dict[str, str]:
    """Return header fields by name. Report fields that cannot be sent."""
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        report.error("S308", node, f"`headers` is {node.describe()}", "write it as {Retry-After: 30}.")
        return {}
    if len(node.value) > MAX_HEADERS:
        report.error(
            "S308",
            node,
            f"{len(node.value):,} headers are too many",
            f"give at most {MAX_HEADERS:,}.",
        )
    headers: dict[str, str] = {}
    for name, child in node.value.items():
        value = child.value
        if not _TOKEN.match(name):
            report.error(
                "S308",
                child.key_node,
                f"{name!r} is not a valid header name",
                "use letters, digits and hyphens (RFC 9110 section 5.1).",
            )
        elif name.lower() in _FRAMING:
            report.error(
                "S308",
                child.key_node,
                f"the server sets the header {name} itself",
                "remove it; use `fault` to break the framing.",
            )
        elif name.lower() in map(str.lower, headers):
            report.error("S308", child.key_node, f"the header {name} is given twice", "give it once.")
        elif isinstance(value, dict | list) or value is None:
            report.error("S308", child, f"the header {name} is {child.describe()}", "give it a text.")
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if any(mark in text for mark in "\r\n\x00") or not _is_latin_1(text):
                report.error(
                    "S308",
                    child,
                    f"the header {name} has a line break, a NUL or a character outside Latin-1",
                    "remove that character (RFC 9110 section 5.5).",
                )
            headers[name] = text
    return headers


def is_unsendable(name: str, value: str) -> bool:
    """Whether a header of that name and value cannot be sent, or frames the message."""
    return not (
        _TOKEN.match(name)
        and name.lower() not in _FRAMING
        and _is_latin_1(value)
        and not any(mark in value for mark in "\r\n\x00")
    )


def _is_latin_1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


RESPONSE_KEYS = frozenset(
    ["status", "headers", "body", "example", "delay", "dribble", "fault", "undocumented", "mediaType"]
)
_MIN_STATUS, _MAX_STATUS = 200, 999


@dataclass(frozen=True, slots=True)
class Binding:
    """An operation that a scenario file names, with what validates its responses."""

    alias: str
    operation: Operation
    document: Document
    schemas: Schemas
    role: Role = field(default_factory=Role)
    key_path: tuple[str, ...] = ()
    """Path of the new key in the response body, if the operation creates a resource."""
    is_number: bool = False
    """Whether that key is a number in the body."""
    item: SchemaRef = ""
    """The schema of one resource in the response, if the operation lists resources."""
    source: str = ""
    """The alias whose responses are listed, for states without a response for the list."""
    source_operation: Operation | None = None
    """The operation with that alias."""
    delay: Delay | None = None
    """The delay of its responses that have no delay of their own."""


def read_response(
    state: str, node: Node, binding: Binding, defaults: Mapping[str, Node], report: Report
) -> ResponseTemplate | None:
    """Return the response of a state to an operation, or None after reporting an error."""
    return _Reader(state, node, binding, defaults, report).read()


def read_item(
    state: str, node: Node, binding: Binding, defaults: Mapping[str, Node], report: Report, *, strict: bool
) -> ResponseTemplate | None:
    """Return one resource of a list, or None after reporting an error.

    Unless ``strict``, drops fields that the schema of the item does not know.
    """
    return _Reader(state, node, binding, defaults, report).item(strict=strict)


class _Reader:
    """Reads one response of one state to one operation."""

    def __init__(
        self, state: str, node: Node, binding: Binding, defaults: Mapping[str, Node], report: Report
    ) -> None:
        self.state = state
        self.node = node
        self.members = node.value if isinstance(node.value, dict) else {}
        self.binding = binding
        self.defaults = defaults
        self.report = report
        self.undocumented = self._flag("undocumented")
        self.example: Example | None = None

    def read(self) -> ResponseTemplate | None:
        before = self.report.errors
        if not isinstance(self.node.value, dict):
            self.report.error(
                "S204",
                self.node,
                f"a response of state {self.state!r} is {self.node.describe()}",
                "write it as {status: 404, body: {…}}.",
            )
            return None
        status, response = self._status()
        headers = read_headers(self.members.get("headers"), self.report)
        self._warn_misspelt_headers(self.members.get("headers"))
        stated = self._text("mediaType")
        in_effect = stated or _content_type(headers)
        choice = self._choice(response, stated, in_effect)
        media = choice.media if choice is not None else None
        body_node = self.members.get("body")
        self.example = self._find_example(media)
        body = self._body(body_node, response, media)
        if self.binding.key_path and isinstance(body, dict) and status < 300:
            text = "{{ resource.key | int }}" if self.binding.is_number else "{{ resource.key }}"
            body = _with_key(body, self.binding.key_path, text)
        schema = media.schema if media is not None and not self.undocumented else None
        partial = schema is not None and not covers(self.binding.schemas, schema, body)
        if media is not None and family_of(media.name) in SEQUENCES:
            partial = body_node is None and not self.undocumented
        partial = partial or self.example is not None
        has_body = body_node is not None or (media is not None and not self.undocumented)
        delay, dribble = self.binding.delay, None
        if (node := self.members.get("delay")) is not None:
            delay = read_delay(node, self.report)
        if (node := self.members.get("dribble")) is not None:
            dribble = read_dribble(node, self.report)
        fault = read_fault(self.members["fault"], self.report) if "fault" in self.members else ""
        for part in (self.members.get("headers"), body_node):
            if part is not None:
                compile_templates(part, self.report)
        if self.report.errors > before:
            return None
        if not in_effect or "*" in in_effect:
            in_effect = choice.content_type if choice else "application/json" if has_body else ""
        return ResponseTemplate(
            status=status,
            headers=headers,
            has_body=has_body,
            body=body,
            partial=partial,
            media_type=in_effect,
            undocumented=self.undocumented,
            is_cacheable=not has_volatile_template([body, headers]),
            delay=delay,
            fault=fault,
            location=str(self.node.location),
            dribble=dribble,
            example=self.example,
        )

    def item(self, *, strict: bool) -> ResponseTemplate | None:
        before = self.report.errors
        node = self.members.get("body")
        for key, child in self.members.items():
            if strict and key != "body":
                self.report.error(
                    "S204", child.key_node, f"an item of a list has no {key}", "give only its `body`."
                )
        schema = self.binding.item
        self.example = self._item_example(schema) if not strict else None
        body = self._with_defaults(node, schema, strict=strict)
        if node is not None:
            compile_templates(node, self.report)
        if self.report.errors > before:
            return None
        return ResponseTemplate(
            status=200,
            has_body=True,
            body=body,
            partial=self.example is not None or not covers(self.binding.schemas, schema, body),
            media_type="application/json",
            is_cacheable=not has_volatile_template(body),
            location=str(self.node.location),
            schema=schema,
            example=self.example,
        )

    def _find_example(self, media: MediaType | None) -> Example | None:
        """Return the example of the document that the response names, or None."""
        node = self.members.get("example")
        if node is None:
            return None
        examples = {example.name: example for example in media.examples} if media is not None else {}
        name = self._text("example")
        if self.undocumented or (name and name not in examples):
            remedy = f"its examples are {', '.join(examples)}." if examples else "it has no examples."
            if self.undocumented:
                remedy = "remove `undocumented`, or write the `body`."
            self.report.error(
                "S317", node, f"the response of {self.binding.operation.id} has no example {name!r}", remedy
            )
            return None
        body = self.members.get("body")
        if body is not None and not isinstance(body.value, dict):
            self.report.error(
                "S317", body, "the body replaces the whole example", "remove `example`, or give fields only."
            )
        return examples.get(name)

    def _item_example(self, schema: SchemaRef) -> Example | None:
        """Return what the schema of an item allows of the example of a borrowed response."""
        source, node = self.binding.source_operation, self.members.get("example")
        if node is None or source is None:
            return None
        content = default_response(source)[0].content
        example = next(
            (each for media in content for each in media.examples if each.name == node.value), None
        )
        if example is None or not isinstance(example.value, dict):
            return None
        known = properties(self.binding.schemas, schema)
        value = {name: each for name, each in example.value.items() if known.open or name in known.names}
        return Example(example.name, value)

    def _status(self) -> tuple[int, DocumentedResponse | None]:
        node = self.members.get("status")
        operation = self.binding.operation
        if node is None:
            response, status = default_response(operation)
            return status, response
        found: DocumentedResponse | None
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int) or not _MIN_STATUS <= value <= _MAX_STATUS:
            self.report.error(
                "S306",
                node,
                f"status {node.describe()} cannot be sent",
                f"give a whole number from {_MIN_STATUS} to {_MAX_STATUS}.",
            )
            return _MIN_STATUS, None
        found = response_for(operation, value)
        if found is None and not self.undocumented:
            documented = ", ".join(documented_statuses(operation))
            self.report.error(
                "S307",
                node,
                f"{operation.id} documents no response with status {value}",
                f"it documents {documented}; write `undocumented: true` if this is intended.",
            )
        return value, found

    def _warn_misspelt_headers(self, headers: Node | None) -> None:
        """Warn of headers that are similar to documented headers, unless the response has both."""
        documented = {
            header.name.lower(): header.name
            for response in self.binding.operation.responses
            for header in response.headers
        }
        members = dict(headers.items()) if headers is not None else {}
        given = {name.lower() for name in members}
        for name, node in members.items():
            similar = nearest(name.lower(), documented.keys() - given, cutoff=0.8)
            if similar and name.lower() not in documented:
                self.report.warning(
                    "S315",
                    node.key_node,
                    f"{self.binding.operation.id} documents no header {name}",
                    f"did you mean {documented[similar]!r}?",
                )

    def _choice(self, response: DocumentedResponse | None, stated: str, in_effect: str) -> Choice | None:
        """Return the documented media type of the response. ``stated`` is that of the file, or empty."""
        if response is None or not response.content:
            return None
        choice = negotiate(response.content, in_effect or None)
        if choice is None and stated and not self.undocumented:
            known = ", ".join(media.name for media in response.content)
            self.report.error(
                "S309",
                self.members["mediaType"],
                f"the response is not documented as {stated}",
                f"it is documented as {known}; write `undocumented: true` if this is intended.",
            )
            return None
        return choice or negotiate(response.content, None)

    def _body(self, node: Node | None, response: DocumentedResponse | None, media: MediaType | None) -> JSON:
        if self.undocumented:
            return node.plain() if node is not None else None
        if node is not None and response is not None and media is None:
            self.report.error(
                "S310",
                node.key_node,
                f"{self.binding.operation.id} documents no body for this status",
                "remove the body, or write `undocumented: true`.",
            )
            return None
        schema = media.schema if media is not None else None
        kind = family_of(media.name) if media is not None else ""
        if media is not None and kind in SEQUENCES:
            if node is None or (kind == "events" and is_event(node.plain())):
                return node.plain() if node is not None else {}
            schema = schema or media.item_schema
        return self._with_defaults(node, schema, strict=True)

    def _with_defaults(self, node: Node | None, schema: SchemaRef | None, *, strict: bool) -> JSON:
        """Return a body merged over the defaults, in the order of the schema."""
        known = properties(self.binding.schemas, schema) if schema else None
        if node is not None and not isinstance(node.value, dict):
            return node.plain()
        given = node.value if node is not None and isinstance(node.value, dict) else {}
        if known is not None and not known.open and not strict:
            given = {key: child for key, child in given.items() if key in known.names}
        elif known is not None and not known.open:
            for key, child in given.items():
                if key not in known.names:
                    self.report.error(
                        "S311",
                        child.key_node,
                        f"the documented body has no field {key!r}",
                        f"its fields are {', '.join(known.names) or 'none'}.",
                    )
        names = known.names if known is not None else ()
        laid = {
            name: default.plain()
            for name, default in self.defaults.items()
            if name in names and name not in given and name not in self._example_fields()
        }
        fixed = fixed_values(self.binding.schemas, schema, names) if schema else {}
        body = {**fixed, **laid, **{name: child.plain() for name, child in given.items()}}
        ordered = [*(name for name in names if name in body), *(name for name in body if name not in names)]
        return {name: body[name] for name in ordered}

    def _example_fields(self) -> Collection[str]:
        """Return the fields of the named example. They go before the defaults."""
        value = self.example.value if self.example is not None else None
        return value.keys() if isinstance(value, dict) else ()

    def _text(self, key: str) -> str:
        return read_text(self.members.get(key), key, "S204", "give it a text.", self.report)

    def _flag(self, key: str) -> bool:
        node = self.members.get(key)
        if node is not None and not isinstance(node.value, bool):
            self.report.error("S204", node, f"`{key}` is {node.describe()}", "write true or false.")
        return node is not None and node.value is True


def compile_templates(node: Node, report: Report) -> bool:
    """Report templates below ``node`` that do not compile. Return whether all compile."""
    if isinstance(node.value, dict | list):
        children = node.value.values() if isinstance(node.value, dict) else node.value
        compiled = [compile_templates(child, report) for child in children]
        return all(compiled)
    if is_template(node.value):
        try:
            compile_template(node.value)
        except TemplateError as error:
            remedy = "correct the template; the page on scenario files lists what a template can read."
            report.error("S312", node, str(error), remedy)
            return False
    return True


def _with_key(body: dict[str, JSON], path: Sequence[str], text: str) -> dict[str, JSON]:
    """Return ``body`` with ``text`` at ``path``, unless the body has a value there."""
    first, *rest = path
    below = body.get(first, {} if rest else text)
    if rest and isinstance(below, dict):
        below = _with_key(below, rest, text)
    return {**body, first: below}


def has_volatile_template(value: JSON) -> bool:
    """Whether a template in ``value`` reads values that change with each call."""
    if is_template(value):
        try:
            return is_volatile(value)
        except TemplateError:
            return True  # ``compile_templates`` reports it
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(has_volatile_template, children))


def _content_type(headers: Mapping[str, str]) -> str:
    """Return the ``Content-Type`` that the file sets, unless it is a template."""
    found = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return "" if is_template(found) else found
