"""Validate requests: find all violations of the document in one pass.

A ``Checker`` belongs to one operation. It compiles its parts at the first request, so that a document of
a thousand operations starts at once. It only has the parts that the operation documents.
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


class InvalidCsr(MockServerError):  # noqa: N818 - an error of the client, reported as a violation
    """A request that is valid by the document but not by the resource: an invalid CSR, name or cursor."""

    def __init__(self, violation: Violation) -> None:
        self.violation = violation
        super().__init__(violation.message)


class Checked(Struct):
    """The decoded parts of a request, and its violations.

    Absent parameters without a default are left out. Header parameters have their documented names. A
    ``querystring`` parameter (OpenAPI 3.2) has its name in ``query``. Invalid values are included if they
    could be decoded. ``status`` is 0 if the request is valid, else 401, 413, 415 or 422. ``challenges``
    are the ``WWW-Authenticate`` values of a 401.
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
    """Warnings about values that were decoded although their style is not the documented one."""


class Checker:
    """Validates the requests of one operation."""

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

    def prepare(self) -> _Parts:
        """Compile the parts, which the first request does otherwise. Raises SchemaError."""
        if self._compiled is None:
            self._compiled = _Parts(
                self._operation, self._reader, self._schemes, self._security, self._limits
            )
        return self._compiled

    def check(self, request: Request, path_parameters: dict[str, str]) -> Checked:
        """Validate a request; ``path_parameters`` are as sent, still percent-encoded.

        Raises SchemaError if a schema of the operation is unusable.
        """
        parts = self._compiled or self.prepare()
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
            value = reader(text) if reader is not None else _read_undeclared(name, text)
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
            checked.violations = tuple(_malformed_fields(request.query_string))
            checked.status = 422 if checked.violations else 0
        return checked

    def path_reader(self, name: str) -> Callable[[str], JSON | Refused | Forgiven]:
        """Return the reader of a path parameter. Call it after the first ``check``."""
        reader = self._compiled.path.get(name) if self._compiled is not None else None
        return reader if reader is not None else partial(_read_undeclared, name)


def compile_checker(
    operation: Operation,
    schemas: Schemas,
    security_schemes: Mapping[str, SecurityScheme],
    *,
    security: str = "presence",
    styles: str = "any",
    limits: BodyLimits = BodyLimits(),  # noqa: B008 - it is immutable
) -> Checker:
    """Return the checker of an operation. ``security``: presence, strict or off; ``styles``: any, strict."""
    return Checker(operation, schemas, security_schemes, security, styles, limits)


class _Parts:
    """The compiled parts of an operation."""

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
        self.path = {reader.name: reader.read for reader in located.get("path", ())}
        self._query = located.get("query", ())
        self._querystring = located.get("querystring", ())
        self._header = located.get("header", ())
        self._cookie = located.get("cookie", ())
        self._body: BodyReader | None = None
        if operation.body:
            from mockserver.engine.request.body import BodyReader  # only operations with a body need it

            self._body = BodyReader(operation.body, reader, limits)
        self._guard: Guard | None = None
        if security != "off" and operation.security:
            from mockserver.engine.request.security import Guard  # only operations with security need it

            self._guard = Guard(operation.security, schemes, strict=security == "strict")
        keys = self._guard.locations if self._guard else ()
        self._needs_query = bool(self._query) or "query" in keys
        self._needs_cookies = bool(self._cookie) or "cookie" in keys
        self.has_more = bool(
            self._query or self._querystring or self._header or self._cookie or self._body or self._guard
        )

    def check(self, request: Request, checked: Checked, violations: list[Violation]) -> None:
        """Validate all parts except the path, and set the status of the whole request."""
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
    """Read the parameters of one source; add their violations and warnings to those of the request."""
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


def _malformed_fields(query: str) -> Iterator[Violation]:
    """Yield a violation for each malformed percent-encoding in undocumented fields."""
    for pair in query.split("&"):
        if text := find_broken_escape(pair):
            message = f"{text!r} is not percent-encoded"
            yield Violation("query", pair.partition("=")[0], "", "syntax", message, text)


def _read_undeclared(name: str, text: str) -> JSON | Refused:
    """Decode a path parameter that the document does not describe: it is a string."""
    value = decode(text)
    if value is None:
        message = f"{text!r} is not percent-encoded UTF-8"
        return Refused((Violation("path", name, "", "syntax", message, text),), text)
    return value
