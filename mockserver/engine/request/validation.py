"""Whether a request keeps to the document: everything it breaks, in one go.

A ``Checker`` belongs to one operation. Its parts are compiled at its first
request, so that a document of a thousand operations starts at once, and are
only those that the operation documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.request.parameters import ABSENT, IGNORED_HEADERS, Forgiven, ParameterReader, Refused
from mockserver.jsonschema import Schemas
from mockserver.jsonschema.patterns import ACCOUNT
from mockserver.media.coercion import Reader
from mockserver.media.form import parse_cookies, parse_fields
from mockserver.media.styles import decode, find_broken_escape
from mockserver.messages import BodyLimits, Request
from mockserver.plan import JSON, Operation, SecurityScheme

if TYPE_CHECKING:
    from mockserver.engine.request.body import BodyReader
    from mockserver.engine.request.security import Guard

Values = Mapping[str, JSON]
NOTHING: Values = MappingProxyType({})


class InvalidCsr(MockServerError):  # noqa: N818 - the client's fault, told as a violation
    """What the document allows and the resource does not: a certificate or a page that cannot be made."""

    def __init__(self, violation: Violation) -> None:
        self.violation = violation
        super().__init__(violation.message)


class Checked(Struct):
    """A request's documented parts, read. Parameters that are absent and have no default are left out.

    Header parameters are under their documented names, a 3.2 ``querystring``
    parameter under its name in ``query``. What is refused is here too, as far
    as it could be read. ``status`` is 0 if nothing is wrong, else 401, 413, 415
    or 422 (it breaks the document); ``challenges`` are the ``WWW-Authenticate``
    values that belong to 401.
    """

    path: Values
    query: Values
    header: Values
    cookie: Values
    body: JSON = None
    violations: tuple[Violation, ...] = ()
    status: int = 0
    challenges: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What was read although it is not written as the document says."""


class Checker:
    """Checks the requests of one operation. ``check`` raises SchemaError if a schema cannot be used."""

    __slots__ = ("_compiled", "_limits", "_operation", "_reader", "_schemes", "_security")

    def __init__(
        self,
        operation: Operation,
        schemas: Schemas,
        schemes: Mapping[str, SecurityScheme],
        security: str,
        styles: str,
        limits: BodyLimits,
    ) -> None:
        self._operation = operation
        self._reader = Reader(schemas, "request", lenient=styles == "any")
        self._schemes = schemes
        self._security = security
        self._limits = limits
        self._compiled: _Parts | None = None

    def check(self, request: Request, path_parameters: dict[str, str]) -> Checked:
        """``path_parameters`` are the segments as sent, still percent-encoded."""
        parts = self._compiled
        if parts is None:
            parts = self._compiled = _Parts(
                self._operation, self._reader, self._schemes, self._security, self._limits
            )
        ACCOUNT.begin()
        try:
            return self._check(parts, request, path_parameters)
        finally:
            ACCOUNT.end()

    @staticmethod
    def _check(parts: _Parts, request: Request, path_parameters: dict[str, str]) -> Checked:
        violations: list[Violation] = []
        warnings: tuple[str, ...] = ()
        path: dict[str, JSON] = {}
        readers = parts.path
        for name, text in path_parameters.items():
            reader = readers.get(name)
            value = reader(text) if reader is not None else _undeclared(name, text)
            if isinstance(value, Refused):
                violations += value.violations
                value = value.value
            elif isinstance(value, Forgiven):
                warnings += value.warnings
                value = value.value
            path[name] = value
        checked = Checked(path, NOTHING, NOTHING, NOTHING, warnings=warnings)
        if parts.has_more:
            parts.check(request, checked, violations)
        elif violations:
            checked.violations, checked.status = tuple(violations), 422
        if request.query_string and not checked.status and "%" in request.query_string:
            checked.violations = tuple(_broken_fields(request.query_string))
            checked.status = 422 if checked.violations else 0
        return checked

    def path_reader(self, name: str) -> Callable[[str], JSON | Refused | Forgiven]:
        """What reads the text of a path parameter, once something was checked."""
        reader = self._compiled.path.get(name) if self._compiled is not None else None
        return reader if reader is not None else partial(_undeclared, name)

    def undocumented_query(self, request: Request) -> tuple[str, ...]:
        """Names in the query that the document does not know; OpenAPI leaves them open."""
        documented = {each.name for each in self._operation.parameters if each.location == "query"}
        names = parse_fields(request.query_string)
        return tuple(
            name for name in names if name.partition("[")[0] not in documented and name not in documented
        )


def compile_checker(
    operation: Operation,
    schemas: Schemas,
    security_schemes: Mapping[str, SecurityScheme],
    *,
    security: str = "presence",
    styles: str = "any",
    limits: BodyLimits = BodyLimits(),  # noqa: B008 - it cannot be changed
) -> Checker:
    """``security`` is presence, strict or off, ``styles`` any or strict."""
    return Checker(operation, schemas, security_schemes, security, styles, limits)


class _Parts:
    """What an operation documents of a request, compiled."""

    def __init__(
        self,
        operation: Operation,
        reader: Reader,
        schemes: Mapping[str, SecurityScheme],
        security: str,
        limits: BodyLimits,
    ) -> None:
        located: dict[str, list[ParameterReader]] = {}
        for parameter in operation.parameters:
            if parameter.location == "header" and parameter.name.lower() in IGNORED_HEADERS:
                continue
            claimed = {
                other.name
                for other in operation.parameters
                if other.location == parameter.location and other is not parameter
            }
            located.setdefault(parameter.location, []).append(ParameterReader(parameter, reader, claimed))
        self.path = {each.name: each.read for each in located.get("path", ())}
        self._query = located.get("query", ())
        self._querystring = located.get("querystring", ())
        self._header = located.get("header", ())
        self._cookie = located.get("cookie", ())
        self._body: BodyReader | None = None
        if operation.body:
            from mockserver.engine.request.body import BodyReader

            self._body = BodyReader(operation.body, reader, limits)
        self._guard: Guard | None = None
        if security != "off" and operation.security:
            from mockserver.engine.request.security import Guard

            self._guard = Guard(operation.security, schemes, strict=security == "strict")
        keys = self._guard.locations if self._guard else ()
        self._needs_query = bool(self._query) or "query" in keys
        self._needs_cookies = bool(self._cookie) or "cookie" in keys
        self.has_more = bool(
            self._query or self._querystring or self._header or self._cookie or self._body or self._guard
        )

    def check(self, request: Request, checked: Checked, violations: list[Violation]) -> None:
        """Add everything but the path, and the verdict on all of it."""
        fields = parse_fields(request.query_string) if self._needs_query else {}
        cookies = parse_cookies(request.headers.get("cookie", "")) if self._needs_cookies else {}
        if self._query:
            checked.query = _values(self._query, fields, checked, violations)
        if self._querystring:
            whole = _values(self._querystring, request.query_string, checked, violations)
            checked.query = {**checked.query, **whole}
        if self._header:
            checked.header = _values(self._header, request.headers, checked, violations)
        if self._cookie:
            checked.cookie = _values(self._cookie, cookies, checked, violations)
        status = 0
        if self._body:
            body = self._body.read(request.headers, request.body)
            checked.body, status = body.value, body.status
            violations += body.violations
            checked.warnings += body.warnings
        if self._guard and (denied := self._guard.check(request.headers, fields, cookies)):
            checked.challenges, status = denied.challenges, 401
            violations[:0] = denied.violations
        if violations:
            checked.violations, checked.status = tuple(violations), status or 422


def _values(
    readers: Iterable[ParameterReader], source: object, checked: Checked, violations: list[Violation]
) -> Values:
    """What is read of a source; what is wrong or forgiven is added to the others."""
    values: dict[str, JSON] = {}
    for reader in readers:
        value = reader.read(source)
        if isinstance(value, Refused):
            violations += value.violations
            value = value.value
            if value is None:
                continue
        elif isinstance(value, Forgiven):
            checked.warnings += value.warnings
            value = value.value
        if value is not ABSENT:
            values[reader.name] = value
    return values


def _broken_fields(query: str) -> Iterator[Violation]:
    """What no escape is, in fields that the document does not describe."""
    for pair in query.split("&"):
        if text := find_broken_escape(pair):
            message = f"{text!r} is not percent-encoded"
            yield Violation("query", pair.partition("=")[0], "", "syntax", message, text)


def _undeclared(name: str, text: str) -> JSON | Refused:
    """A parameter of the path template that no parameter describes is a string."""
    value = decode(text)
    if value is None:
        message = f"{text!r} is not percent-encoded UTF-8"
        return Refused((Violation("path", name, "", "syntax", message, text),), text)
    return value
