"""Create resources with new keys, select the fields of the creating request, evaluate runtime expressions.

Runtime expressions: OpenAPI 3.0.4, section 4.8.20.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.diagnostics import Violation
from mockserver.engine.data.projection import Projections
from mockserver.engine.fresh_keys import FreshKeys
from mockserver.engine.resources import conditions
from mockserver.engine.resources.context import Providers, RenderContext, data_fields
from mockserver.engine.service import Service
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.jsonschema.references import tokens, value_at
from mockserver.media.shapes import Shapes
from mockserver.messages import Request
from mockserver.plan import JSON, Certify, Resource, SchemaRef
from mockserver.state.protocol import Store
from mockserver.state.tables import CreationRecord

if TYPE_CHECKING:
    from mockserver.generate import Fakes


MAX_BODY = 64 * 1024
"""Bytes of the longest body of a creating request that is recorded. A longer body is not recorded."""
MAX_HEADERS = 64
MAX_HEADER = 1024
MAX_TRIED = 200
"""The fields that are tried one by one, if not all of them are valid in a response."""
_SECRET = frozenset(["authorization", "proxy-authorization", "cookie"])


class KeyFactory:
    """Creates the keys and the creation records of one resource."""

    def __init__(self, resource: Resource, schemas: Schemas, fakes: Fakes, providers: Providers) -> None:
        self._resource = resource
        self._providers = providers
        self._keys = FreshKeys(resource.name, resource.key_schemas, schemas, fakes, providers.seed)
        certify = resource.certify or Certify()
        self._csr = conditions.reader(certify.csr) if certify.csr else None
        self._common_name = conditions.reader(certify.common_name) if certify.common_name else None

    def key(self, namespace: str, number: int) -> str:
        """Return the key of the creation with a number. Raises MockServerError if no key is valid."""
        return self._keys.key(namespace, number)

    def fresh(self, store: Store, namespace: str, is_taken: Callable[[str], bool]) -> tuple[int, str]:
        """Return the next number and an unused key. Raises MockServerError if there is none.

        ``is_taken``: whether a key without a state is in use.
        """
        name = self._resource.name
        return self._keys.fresh(
            lambda: store.counters.next_in_sequence(namespace, name, "creations"),
            lambda key: store.peek(namespace, name, key) is not None or is_taken(key),
            namespace,
        )

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


class CreatedFields:
    """Selects the fields of creating requests for responses with one schema."""

    def __init__(self, service: Service, ref: SchemaRef, key_name: str) -> None:
        """``key_name``: the name of the key in the request."""
        self._projection = Projections(service, Shapes(service.schemas)).of(ref)
        self._key_name = key_name
        try:
            self._read_only = service.schemas.hidden(ref, "request")
        except SchemaError:
            self._read_only = frozenset()

    def select(self, context: RenderContext) -> dict[str, JSON]:
        """Return the fields that the schema mentions: not the key, nor what only the server sets."""
        visible = self._projection.visible(data_fields(context))
        if not isinstance(visible, dict):
            return {}
        # heavy; only a creating request with fields needs it
        from mockserver.generate.property_names import hint_targets

        keys = {name for name, _ in hint_targets((self._key_name,), [*visible])}
        return {name: member for name, member in visible.items() if name not in self._read_only | keys}


def lay_over(
    base: JSON, fields: Mapping[str, JSON], merge: Callable[[Any, Any], JSON], fits: Callable[[JSON], bool]
) -> JSON:
    """Return ``base`` with those of ``fields`` that fit in it."""
    if not isinstance(base, dict) or not fields:
        return base
    for candidate in ({**base, **fields}, merge(base, fields)):
        if fits(candidate):
            return candidate
    for name in [*fields][:MAX_TRIED]:
        offers = ({**base, name: fields[name]}, merge(base, {name: fields[name]}))
        base = next((offer for offer in offers if fits(offer)), base)
    return base


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
