"""Create resources with new keys, and evaluate runtime expressions over the creating call.

Runtime expressions: OpenAPI 3.0.4, section 4.8.20.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.resources import conditions
from mockserver.engine.resources.context import Providers
from mockserver.jsonschema import Schemas
from mockserver.jsonschema.references import tokens, value_at
from mockserver.messages import Request
from mockserver.plan import JSON, Certify, Resource
from mockserver.providers import ids
from mockserver.state.protocol import Store
from mockserver.state.tables import CreationRecord

if TYPE_CHECKING:
    from mockserver.generate import Fakes


MAX_BODY = 64 * 1024
"""Bytes of the longest body of a creating request that is recorded. A longer body is not recorded."""
MAX_HEADERS = 64
MAX_HEADER = 1024
_MAX_FAKES = 32
_MAX_ATTEMPTS = 10_000
_SECRET = frozenset(["authorization", "proxy-authorization", "cookie"])


class KeyFactory:
    """Creates the keys and the creation records of one resource."""

    def __init__(self, resource: Resource, schemas: Schemas, fakes: Fakes, providers: Providers) -> None:
        self._resource = resource
        self._schemas = schemas
        self._fakes = fakes
        self._providers = providers
        certify = resource.certify or Certify()
        self._csr = conditions.reader(certify.csr) if certify.csr else None
        self._common_name = conditions.reader(certify.common_name) if certify.common_name else None

    def key(self, namespace: str, number: int) -> str:
        """Return the key of the creation with a number. Raises MockServerError if no key is valid."""
        for value in self._candidates(namespace, number):
            if all(
                self._schemas.validator(ref, "response").is_valid(value) for ref in self._resource.key_schemas
            ):
                return value if isinstance(value, str) else str(value)
        raise MockServerError(
            f"no fresh key for {self._resource.name} satisfies the document; give its schema an example"
        )

    def fresh(self, store: Store, namespace: str) -> tuple[int, str]:
        """Return the next number and an unused key. Raises MockServerError if there is none."""
        name = self._resource.name
        for _ in range(_MAX_ATTEMPTS):
            number = store.counters.next_in_sequence(namespace, name, "creations")
            key = self.key(namespace, number)
            if store.peek(namespace, name, key) is None:
                return number, key
        raise MockServerError(f"every possible key of {name} is in use")

    def _candidates(self, namespace: str, number: int) -> Iterator[JSON]:
        identity = ids.derive_identity(self._providers.seed, namespace, self._resource.name, f"#{number}")
        yield ids.uuid(identity, "key")
        yield number
        for ref in self._resource.key_schemas:
            for attempt in range(_MAX_FAKES):
                yield self._fakes.value(ref, key=f"{identity}/{attempt}")
        yield str(number)

    def record(self, number: int, request: Request, path: dict[str, str], body: Any) -> CreationRecord:
        """Return the record of the creating request, without its credentials."""
        record = {
            "method": request.method,
            "url": request.raw_path + (f"?{request.query_string}" if request.query_string else ""),
            "path": path,
            "query": conditions.query(request) if request.query_string else {},
            "headers": _bounded(request.headers),
            "body": body if len(request.body) <= MAX_BODY else None,
        }
        csr = (self._csr(request, path, body) if self._csr else None) or ""
        name = (self._common_name(request, path, body) if self._common_name else None) or ""
        return CreationRecord(number, msgspec.json.encode(record, enc_hook=str), csr, name)

    def csr_violation(self, creation: CreationRecord) -> Violation | None:
        """Return why the requested certificate is impossible; None if it is possible."""
        if not creation.csr and not creation.common_name:
            return None
        from mockserver.providers.x509 import CertificateRequestError  # heavy; only certificates need it

        certify = self._resource.certify or Certify()
        source = certify.csr if creation.csr else certify.common_name
        try:
            self._providers.authority.leaf(
                identity="validation",
                not_before_ms=0,
                common_name=creation.common_name,
                csr_pem=creation.csr or None,
            )
        except CertificateRequestError as error:
            name = source.name if source is not None else ""
            pointer = "/" + name.replace(".", "/")
            return Violation(
                "body", "", pointer, "certificate", str(error), creation.csr or creation.common_name
            )
        return None


def _bounded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the header fields without credentials, bounded in number and length."""
    fields = [(name, value[:MAX_HEADER]) for name, value in headers.items() if name not in _SECRET]
    return dict(fields[:MAX_HEADERS])


_EMBEDDED = re.compile(r"\{(\$[^{}]+)\}")
_NAME = r"[!#-'*+\-.^_`|~0-9A-Za-z]+"
_BODY = r"body(?:#(?:/.*)?)?"
_EXPRESSION = re.compile(
    rf"\$(?:url|method|statusCode|request\.(?:(?:path|query)\..+|header\.{_NAME}|{_BODY})"
    rf"|response\.(?:header\.{_NAME}|{_BODY}))$"
)

Message = Mapping[str, JSON]
"""The parts of a request or response: method, url, path, query, statusCode, headers (lower case), body."""


def _expressions(text: str) -> list[str]:
    return [text] if text.startswith("$") else _EMBEDDED.findall(text)


def is_expression(text: str) -> bool:
    """Return whether every expression in ``text`` is supported."""
    return all(_EXPRESSION.match(expression) for expression in _expressions(text))


def reads_answer(text: str) -> bool:
    """Return whether an expression in ``text`` reads the response."""
    return any(part.startswith(("$response.", "$statusCode")) for part in _expressions(text))


def evaluate(text: str, request: Message, response: Callable[[], Message]) -> str | None:
    """Return ``text`` with the values of its expressions; None if one of them has no value.

    ``response`` is called for expressions that read the response.
    """

    def value(expression: str) -> str | None:
        return _text(_value(expression, response() if reads_answer(expression) else request))

    if text.startswith("$"):
        return value(text)
    missing = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal missing
        part = value(found[1])
        missing = missing or part is None
        return part or ""

    result = _EMBEDDED.sub(replaced, text)
    return None if missing else result


def _value(expression: str, message: Message) -> Any:
    if expression in ("$url", "$method", "$statusCode"):
        return message.get(expression[1:])
    _, part, rest = (*expression.split(".", 2), "")[:3]
    members: Any = message
    if part in ("path", "query"):
        return (members.get(part) or {}).get(rest)
    if part == "header":
        return (members.get("headers") or {}).get(rest.lower())
    return value_at(members.get("body"), tokens(expression.partition("#")[2]))


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)
