"""WireMock's request patterns.

A pattern can have fields that WireMock does not have: ``operation``, ``resource``, ``key``,
``scenario``, ``state`` and ``status``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass

from mockserver.admin.calls import CallView, segments
from mockserver.admin.http import Budget, ControlError
from mockserver.admin.matching import expressions
from mockserver.admin.matching.values import ValuePattern, string_at
from mockserver.jsonschema.references import escape
from mockserver.namespaces.journal import Call, Record
from mockserver.plan import JSON

_MAX_PATTERNS = 1_000
"""The patterns of a list or an object."""
Values = Callable[[CallView], list[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One condition of a pattern: the name, the required value and the test of a field of calls.

    A field with several values matches if one of them matches.
    """

    name: str
    required: JSON
    values: Values
    test: Callable[[str | None, Budget], bool]

    def holds(self, view: CallView, budget: Budget) -> bool:
        """Return whether a call meets the condition."""
        values = self.values(view)
        if not values:
            return self.test(None, budget)
        return any(self.test(value, budget) for value in values)


class RequestPattern:
    """A compiled pattern. It matches calls that match all its fields."""

    def __init__(self, source: JSON, pointer: str = "") -> None:
        """Compile a pattern. Raise ControlError 422 with its location if it is invalid."""
        if not isinstance(source, dict):
            raise ControlError(422, "a request pattern must be an object", pointer)
        self.source = source
        self.fields: list[Field] = []
        for name, value in source.items():
            if value is None:
                continue
            reader = _FIELDS.get(name)
            if reader is None:
                known = ", ".join(_FIELDS)
                raise ControlError(
                    422, f"{name!r} is not a field of a request pattern; use {known}", f"{pointer}/{name}"
                )
            self.fields += reader(value, f"{pointer}/{name}")
        if isinstance(source.get("pathParameters"), dict):
            self.fields += _path_parameters(source, pointer)

    def matches(self, call: Call, budget: Budget) -> bool:
        """Return whether a call matches."""
        view = CallView(call)
        return all(field.holds(view, budget) for field in self.fields)

    def find(self, records: Iterable[Record], budget: Budget) -> list[Call]:
        """Return the matching calls in their order."""
        found = []
        for record in records:
            budget.spend("")
            call = Call(*record)
            if self.matches(call, budget):
                found.append(call)
        return found


def _method(value: JSON, pointer: str) -> list[Field]:
    wanted = string_at(value, pointer).upper()
    if wanted == "ANY":
        return []
    return [Field("method", wanted, lambda view: [view.request.method], lambda text, _: text == wanted)]


def _url(value: JSON, pointer: str) -> list[Field]:
    wanted = string_at(value, pointer)
    return [Field("url", wanted, lambda view: [view.call.url], lambda text, _: text == wanted)]


def _url_path(value: JSON, pointer: str) -> list[Field]:
    wanted = string_at(value, pointer)
    return [Field("urlPath", wanted, lambda view: [view.path], lambda text, _: text == wanted)]


def _url_pattern(value: JSON, pointer: str) -> list[Field]:
    return [_regex("urlPattern", value, pointer, lambda view: [view.call.url])]


def _url_path_pattern(value: JSON, pointer: str) -> list[Field]:
    return [_regex("urlPathPattern", value, pointer, lambda view: [view.path])]


def _regex(name: str, value: JSON, pointer: str, values: Values) -> Field:
    matches = expressions.full_match(string_at(value, pointer), pointer)

    def test(text: str | None, budget: Budget) -> bool:
        budget.check(pointer)
        return text is not None and matches(text)

    return Field(name, value, values, test)


def _url_path_template(value: JSON, pointer: str) -> list[Field]:
    template = string_at(value, pointer)
    wanted = template.split("/")

    def test(text: str | None, _: Budget) -> bool:
        return text is not None and _variables(wanted, text) is not None

    return [Field("urlPathTemplate", template, lambda view: [view.path], test)]


def _variables(template: list[str], path: str) -> dict[str, str] | None:
    """Return the variables of a path template in a raw path, or None if the path does not match."""
    actual = segments(path)
    if len(actual) != len(template):
        return None
    found: dict[str, str] = {}
    for wanted, segment in zip(template, actual, strict=True):
        if wanted.startswith("{") and wanted.endswith("}") and segment:
            found[wanted[1:-1]] = segment
        elif wanted != segment:
            return None
    return found


def _path_parameters(source: dict[str, JSON], pointer: str) -> list[Field]:
    template = source.get("urlPathTemplate")
    if not isinstance(template, str):
        raise ControlError(422, "pathParameters need a urlPathTemplate", f"{pointer}/pathParameters")
    wanted = template.split("/")

    def reader(name: str) -> Values:
        def values(view: CallView) -> list[str]:
            found = _variables(wanted, view.path) or {}
            return [found[name]] if name in found else []

        return values

    return _named_fields("pathParameters", source["pathParameters"], f"{pointer}/pathParameters", reader)


def _named_fields(part: str, value: JSON, pointer: str, reader: Callable[[str], Values]) -> list[Field]:
    """Return a condition for each member of an object of value patterns."""
    if not isinstance(value, dict):
        raise ControlError(422, "the value must be an object of names and patterns", pointer)
    _limit(value, pointer)
    fields = []
    for name, source in value.items():
        pattern = ValuePattern(source, f"{pointer}/{escape(name)}")
        fields.append(Field(f"{part}.{name}", source, reader(name), pattern.test))
    return fields


def _headers(value: JSON, pointer: str) -> list[Field]:
    def reader(name: str) -> Values:
        def values(view: CallView) -> list[str]:
            found = view.request.headers.get(name.lower())
            return [] if found is None else [found]

        return values

    return _named_fields("headers", value, pointer, reader)


def _query_parameters(value: JSON, pointer: str) -> list[Field]:
    return _named_fields(
        "queryParameters", value, pointer, lambda name: lambda view: view.query.get(name, [])
    )


def _form_parameters(value: JSON, pointer: str) -> list[Field]:
    return _named_fields("formParameters", value, pointer, lambda name: lambda view: view.form.get(name, []))


def _cookies(value: JSON, pointer: str) -> list[Field]:
    def reader(name: str) -> Values:
        return lambda view: [view.cookies[name]] if name in view.cookies else []

    return _named_fields("cookies", value, pointer, reader)


def _body_patterns(value: JSON, pointer: str) -> list[Field]:
    if not isinstance(value, list):
        raise ControlError(422, "the value must be a list of patterns", pointer)
    _limit(value, pointer)

    def body(view: CallView) -> list[str]:
        return [view.body] if view.body else []

    return [
        Field(f"bodyPatterns.{index}", source, body, ValuePattern(source, f"{pointer}/{index}").test)
        for index, source in enumerate(value)
    ]


def excess(value: Sized) -> str:
    """Return why a list or an object has too many patterns; empty if it has not."""
    return (
        f"there are {len(value):,} patterns; at most {_MAX_PATTERNS:,}" if len(value) > _MAX_PATTERNS else ""
    )


def _limit(value: Sized, pointer: str) -> None:
    """Raise ControlError if there are too many patterns."""
    if message := excess(value):
        raise ControlError(422, message, pointer)


def _basic_credentials(value: JSON, pointer: str) -> list[Field]:
    wanted = (value.get("username"), value.get("password")) if isinstance(value, dict) else (None, None)
    if not all(isinstance(name, str) for name in wanted):
        raise ControlError(422, "username and password are needed here", pointer)

    def values(view: CallView) -> list[str]:
        return ["given"] if view.credentials == wanted else []

    return [Field("basicAuthCredentials", value, values, lambda text, _: text is not None)]


def _ours(name: str, read: Callable[[Call], str]) -> Callable[[JSON, str], list[Field]]:
    def fields(value: JSON, pointer: str) -> list[Field]:
        source = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        pattern = ValuePattern(source, pointer)

        def values(view: CallView) -> list[str]:
            found = read(view.call)
            return [found] if found else []

        return [Field(name, value, values, pattern.test)]

    return fields


def _path_parameters_later(value: JSON, pointer: str) -> list[Field]:
    """They need the template beside them: the pattern itself reads them."""
    if not isinstance(value, dict):
        raise ControlError(422, "the value must be an object of names and patterns", pointer)
    return []


_FIELDS: dict[str, Callable[[JSON, str], list[Field]]] = {
    "method": _method,
    "url": _url,
    "urlPath": _url_path,
    "urlPattern": _url_pattern,
    "urlPathPattern": _url_path_pattern,
    "urlPathTemplate": _url_path_template,
    "pathParameters": _path_parameters_later,
    "queryParameters": _query_parameters,
    "formParameters": _form_parameters,
    "headers": _headers,
    "cookies": _cookies,
    "bodyPatterns": _body_patterns,
    "basicAuthCredentials": _basic_credentials,
    "operation": _ours("operation", lambda call: call.response.operation),
    "resource": _ours("resource", lambda call: call.response.resource),
    "key": _ours("key", lambda call: call.response.key),
    "scenario": _ours("scenario", lambda call: call.decided("scenario")),
    "state": _ours("state", lambda call: call.decided("state")),
    "status": _ours("status", lambda call: str(call.response.status)),
}
