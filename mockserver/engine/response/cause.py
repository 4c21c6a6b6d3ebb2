"""The cause of an error response, and its text for a field of a given name.

Nearly every error schema has a field for a sentence, one for a short title and one for a code, with
different names and types. The name of a field determines its *role*. For each role the cause has
candidates, the most detailed first.
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
"""The items of a documented list that is filled with violations."""

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
"""JSON Schema keyword → the code of such an issue in JavaScript validators."""


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
    """Return the role of a field; empty if it has none.

    ``errorMessage``, ``error_message`` and ``Error-Message`` are the same name.
    """
    return _ROLES.get(re.sub(r"[^a-z]", "", name.lower()), "")


@dataclass(frozen=True, slots=True)
class Cause:
    """The reason of an error response. ``detail`` is the sentence if there are no violations."""

    status: int
    violations: tuple[Violation, ...] = ()
    detail: str = ""
    instance: str = ""
    """The path of the request."""
    is_item: bool = False
    """Whether this cause is one item of a list of causes."""

    @property
    def title(self) -> str:
        """The status in words."""
        return problem.phrase(self.status)

    @property
    def sentence(self) -> str:
        """The whole cause as one text."""
        if self.is_item and self.violations:
            return _message(self.violations[0])
        return problem.sentence(self.violations) or self.detail or self.title

    @property
    def code(self) -> str:
        """A machine-readable word: of the violation for an item, else of the status."""
        if self.is_item and self.violations:
            return _code(self.violations[0])
        return re.sub(r"\W+", "_", self.title.lower())

    def as_problem(self) -> dict[str, JSON]:
        """Return the whole cause as problem details (RFC 9457)."""
        listed = {"violations": problem.listed(self.violations)} if self.violations else {}
        return problem.details(self.status, self.sentence, instance=self.instance, members=listed)

    def items(self) -> list[Cause]:
        """Return one cause for each violation; this cause alone if it has none."""
        if not self.violations:
            return [replace(self, is_item=True)]
        listed = self.violations[:_MAX_LISTED]
        return [replace(self, violations=(violation,), is_item=True) for violation in listed]

    def says(self, role: str, *, in_prose: bool) -> Iterator[JSON]:
        """Yield the candidates for a field of this role, the most detailed first.

        ``in_prose``: another field contains the sentence, so that the title does not have to.
        """
        match role:
            case "list" | "prose":
                if role == "list" and self.violations and not self.is_item:
                    yield issues(self.violations)
                yield self.sentence
                listed = self.violations[:_MAX_LISTED]
                yield [problem.sentence([violation]) for violation in listed] or [self.sentence]
                # Shorter texts for fields with a maximum length
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
                yield from _candidates(role, self.violations[0])


def issues(violations: Sequence[Violation]) -> list[dict[str, JSON]]:
    """Return violations as a list of issues, in the form of JavaScript validators."""
    return [_issue(violation) for violation in violations[:_MAX_LISTED]]


def _issue(violation: Violation) -> dict[str, JSON]:
    """Return a violation as an issue: validation, code, message and path."""
    text = {"format": violation.expected, "pattern": "regex"}.get(violation.keyword)
    return {
        **({"validation": text} if isinstance(text, str) else {}),
        "code": _code(violation),
        "message": _message(violation),
        "path": _path(violation),
    }


def _candidates(role: str, violation: Violation) -> Iterator[JSON]:
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
    """Return the location of a violation: the name of the parameter, then the tokens of the pointer."""
    named = [violation.name] if violation.name else []
    return [
        int(step) if step.isascii() and step.isdigit() else step
        for step in [*named, *tokens(violation.pointer)]
    ]
