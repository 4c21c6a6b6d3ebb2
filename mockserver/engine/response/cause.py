"""The cause of a refusal, and what it says in a field of a given name.

Nearly every error schema has a field for a sentence, one for a short title, one
for a code; they differ in names and types. The name tells a field's *role*, and
for a role the cause has candidates, the fullest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mockserver import problem
from mockserver.diagnostics import Violation
from mockserver.jsonschema.references import tokens
from mockserver.plan import JSON

_MAX_LISTED = 20
"""Violations that a documented list is filled with."""

_CODES = {
    "format": "invalid_string",
    "pattern": "invalid_string",
    "type": "invalid_type",
    "required": "invalid_type",
    "enum": "invalid_enum_value",
    "const": "invalid_literal",
    "anyOf": "invalid_union",
    "oneOf": "invalid_union",
    "multipleOf": "not_multiple_of",
    "additionalProperties": "unrecognized_keys",
    "unevaluatedProperties": "unrecognized_keys",
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), "too_small"),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), "too_big"),
}
"""JSON Schema keyword → the code that validators of the JavaScript world give such an issue."""


_NAMES = {
    "list": ("message", "messages", "detail", "details", "errors", "issues", "violations"),
    "prose": (
        "msg",
        "text",
        "description",
        "errormessage",
        "errordescription",
        "errordetail",
        "usermessage",
        "why",
        "cause",
        "explanation",
        "info",
        "faultstring",
        "errmsg",
        "errormsg",
    ),
    "title": ("error", "title", "reason", "summary"),
    "status": ("status", "statuscode", "httpstatus", "httpcode", "httpstatuscode"),
    "code": ("code", "errorcode"),
    "type": ("type", "kind"),
    "verdict": ("ok", "success", "successful", "succeeded", "valid"),
    "instance": ("instance",),
    "path": ("path",),
    "location": ("in", "location"),
    "steps": ("loc",),
    "place": ("field", "property", "param", "parameter", "pointer", "attribute"),
    "value": ("value", "input", "rejectedvalue", "received"),
    "keyword": ("keyword", "validation", "rule", "constraint"),
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names}


def role(name: str) -> str:
    """What a field is for; ``errorMessage``, ``error_message`` and ``Error-Message`` are one word."""
    return _ROLES.get(re.sub(r"[^a-z]", "", name.lower()), "")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a request is refused. ``detail`` tells it where there are no violations to tell."""

    status: int
    violations: tuple[Violation, ...] = ()
    detail: str = ""
    instance: str = ""
    """The path that was asked for."""
    is_item: bool = False
    """Whether this is one of several, told as an item of a list."""

    @property
    def title(self) -> str:
        """The status in words."""
        return problem.phrase(self.status)

    @property
    def sentence(self) -> str:
        """All of it in one text."""
        if self.is_item and self.violations:
            return _message(self.violations[0])
        return problem.sentence(self.violations) or self.detail or self.title

    @property
    def code(self) -> str:
        """A word for programs: of the violation for an item, else of the status."""
        if self.is_item and self.violations:
            return _code(self.violations[0])
        return re.sub(r"\W+", "_", self.title.lower())

    def as_problem(self) -> dict[str, JSON]:
        """All of it as problem details (RFC 9457)."""
        listed = {"violations": problem.listed(self.violations)} if self.violations else {}
        return problem.details(self.status, self.sentence, instance=self.instance, members=listed)

    def items(self) -> list[Cause]:
        """One cause for each violation, or this one alone."""
        if not self.violations:
            return [replace(self, is_item=True)]
        return [replace(self, violations=(each,), is_item=True) for each in self.violations[:_MAX_LISTED]]

    def says(self, role: str, *, in_prose: bool) -> Iterator[JSON]:
        """What a field of this role could say, the fullest first.

        ``in_prose``: the sentence has a field of its own beside this one, so
        that a title need not carry it.
        """
        match role:
            case "list" | "prose":
                if role == "list" and self.violations and not self.is_item:
                    yield issues(self.violations)
                yield self.sentence
                yield [problem.sentence([each]) for each in self.violations[:_MAX_LISTED]] or [self.sentence]
                # Shorter ones, for fields that are short
                yield from (self.items()[0].sentence, self.title)
            case "title":
                yield from (self.title, self.sentence) if in_prose else (self.sentence, self.title)
                yield True
            case "status":
                yield from (self.status, str(self.status), self.title)
            case "code":
                yield from (self.status, self.code, str(self.status))
            case "type":
                yield from ("about:blank", self.code) if in_prose and not self.is_item else (self.code,)
            case "verdict":
                yield False
            case "instance":
                yield self.instance
            case "path" if not self.is_item:
                yield self.instance
            case _ if self.violations:
                yield from _told(role, self.violations[0])


def issues(violations: Sequence[Violation]) -> list[dict[str, JSON]]:
    """Violations as the list that validators of the JavaScript world answer with."""
    return [_issue(each) for each in violations[:_MAX_LISTED]]


def _issue(violation: Violation) -> dict[str, JSON]:
    """A violation as an item of a list: what was checked, code, message and path."""
    text = {"format": violation.expected, "pattern": "regex"}.get(violation.keyword)
    return {
        **({"validation": text} if isinstance(text, str) else {}),
        "code": _code(violation),
        "message": _message(violation),
        "path": _path(violation),
    }


def _told(role: str, violation: Violation) -> Iterator[JSON]:
    path = _path(violation)
    match role:
        case "path" | "place":
            yield from (path, problem.shortened(".".join(map(str, path))), violation.pointer)
        case "steps":
            yield from ([violation.location, *path], path)
        case "location":
            yield violation.location
        case "value":
            value = problem.quoted(violation.value)
            yield from (value, str(value))
        case "keyword":
            yield violation.keyword


def _code(violation: Violation) -> str:
    return _CODES.get(violation.keyword, "custom")


def _message(violation: Violation) -> str:
    if violation.keyword == "format" and isinstance(violation.expected, str):
        return f"Invalid {violation.expected}"
    return problem.shortened(violation.message, problem.MAX_MESSAGE)


def _path(violation: Violation) -> list[JSON]:
    """Where the violation is, as names and indices: the parameter, then the steps of the pointer."""
    named = [violation.name] if violation.name else []
    return [
        int(step) if step.isascii() and step.isdigit() else step
        for step in [*named, *tokens(violation.pointer)]
    ]
