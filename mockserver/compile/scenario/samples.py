"""Generate sample requests and sample creations of resources, for the dry run."""

from __future__ import annotations

import re
from functools import cached_property
from urllib.parse import quote, urlencode

from mockserver.compile.scenario.file import Draft
from mockserver.compile.scenario.responses import Binding
from mockserver.diagnostics import MockServerError
from mockserver.engine.resources.context import Providers
from mockserver.engine.resources.create import KeyFactory
from mockserver.engine.service import Service
from mockserver.generate import Fakes
from mockserver.messages import Request
from mockserver.plan import JSON, Lookup, Operation, Parameter, SchemaRef
from mockserver.state.tables import CreationRecord

MAX_KEYS = 3
"""Number of sample keys."""


class SampleRequests:
    """Sample requests of one operation."""

    def __init__(self, bound: Binding, fakes: Fakes) -> None:
        self._operation: Operation = bound.operation
        self._fakes = fakes

    def keys(self, name: str) -> list[str]:
        """Return sample keys that are valid for the parameter ``name`` of the operation."""
        schema = next(
            (
                parameter.schema
                for parameter in self._operation.parameters
                if parameter.name == name and parameter.schema
            ),
            None,
        )
        return [self._text(schema, index) for index in range(MAX_KEYS)]

    def request(self, name: str, key: str) -> tuple[Request, dict[str, str], JSON]:
        """Return a request with ``key`` as path parameter ``name``, its path parameters and its body."""
        operation = self._operation
        path = {parameter: self._text(None, 0) for parameter in re.findall(r"\{([^{}]+)\}", operation.path)}
        path |= {parameter.name: self._parameter(parameter) for parameter in self._required("path")}
        path[name] = key
        target = re.sub(r"\{([^{}]+)\}", lambda found: quote(path[found[1]], safe=""), operation.path)
        query = urlencode(
            {parameter.name: self._parameter(parameter) for parameter in self._required("query")}
        )
        headers = {
            parameter.name.lower(): self._parameter(parameter) for parameter in self._required("header")
        }
        cookies = [
            f"{parameter.name}={quote(self._parameter(parameter))}" for parameter in self._required("cookie")
        ]
        if cookies:
            headers["cookie"] = "; ".join(cookies)
        return Request(operation.method, target, query, headers), path, self._body()

    def _required(self, location: str) -> list[Parameter]:
        return [
            parameter
            for parameter in self._operation.parameters
            if parameter.location == location and parameter.required
        ]

    def _parameter(self, parameter: Parameter) -> str:
        return self._text(parameter.schema, 0)

    def _text(self, schema: SchemaRef | None, index: int) -> str:
        value = self._value(schema, str(index)) if schema else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return f"sample-{index}" if value is None or isinstance(value, (dict, list)) else str(value)

    def _body(self) -> JSON:
        body = self._operation.body
        schema = next((media.schema for media in body.content if media.schema), None) if body else None
        if body is None or not body.required or schema is None:
            return None
        return self._value(schema, "body")

    def _value(self, schema: SchemaRef, key: str) -> JSON:
        try:
            return self._fakes.value(schema, key=key, direction="request")
        except MockServerError:
            return None


NAMESPACE = "rehearsal"
_NAME = "sample.example"


class SampleCreations:
    """Sample creations of the resource of one file."""

    def __init__(self, draft: Draft, service: Service, providers: Providers) -> None:
        self._draft = draft
        self._service = service
        self._providers = providers

    @cached_property
    def samples(self) -> list[tuple[str, CreationRecord | None]]:
        """Keys with their creation records.

        Empty if no operation creates the resource, or if no key can be generated.
        """
        creator = next((binding for binding in self._draft.bindings.values() if binding.role.creates), None)
        if creator is None:
            return []
        factory = KeyFactory(
            self._draft.resource, self._service.schemas, self._service.fakes, self._providers
        )
        request = Request(creator.operation.method, creator.operation.path)
        try:
            return [
                (factory.key(NAMESPACE, number), factory.record(number, request, {}, body))
                for number, body in enumerate(self._bodies(creator.operation), 1)
            ]
        except MockServerError:
            return []

    def _bodies(self, operation: Operation) -> list[JSON]:
        media = (
            next((media_type for media_type in operation.body.content if media_type.schema), None)
            if operation.body
            else None
        )
        if media is None or media.schema is None:
            return [None]
        schemas = self._service.schemas
        try:
            full = self._service.fakes.value(media.schema, key=NAMESPACE, direction="request")
            schema, _ = schemas.lookup(media.schema)
        except MockServerError:
            return [None]
        required = schema.get("required") if isinstance(schema, dict) else None
        certify = self._draft.resource.certify
        if certify is not None:
            full = _with_member(_with_member(full, certify.csr, None), certify.common_name, _NAME)
        bodies = [full]
        if isinstance(full, dict) and isinstance(required, list):
            bodies.append({name: value for name, value in full.items() if name in required})
        if certify is not None and certify.csr is not None:
            bodies.append(_with_member(full, certify.csr, _signing_request()))
        return bodies


def _with_member(body: JSON, source: Lookup | None, value: JSON) -> JSON:
    """Return ``body`` with ``value`` at ``source``. None removes the member."""
    if source is None or source.part != "body" or not isinstance(body, dict):
        return body
    first, _, rest = source.name.replace("/", ".").strip(".").partition(".")
    if rest:
        return {**body, first: _with_member(body.get(first, {}), Lookup("body", rest), value)}
    if value is None:
        return {name: member for name, member in body.items() if name != first}
    return {**body, first: value}


def _signing_request() -> str:
    """Return a sample CSR in PEM."""
    # heavy; only files with `certify` need it
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    key = ec.derive_private_key(1, ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
