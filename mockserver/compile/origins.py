"""Samples of how a resource may come into being, for the rehearsal of its answers.

A file with an operation that creates has fresh keys, and answers that may read
the creating request: one with every documented field, one with the required
ones alone, and one with a certificate signing request where the file takes any.
"""

from __future__ import annotations

from functools import cached_property

from mockserver.compile.scenario_file import Draft
from mockserver.errors import MockServerError
from mockserver.plan import JSON, Lookup, Operation
from mockserver.serve.context import Makers
from mockserver.serve.creation import Creation
from mockserver.serve.request import Request
from mockserver.serve.service import Service
from mockserver.store.births import Birth

NAMESPACE = "rehearsal"
_NAME = "sample.example"


class Origins:
    """The births of one file's resources."""

    def __init__(self, draft: Draft, service: Service, makers: Makers) -> None:
        self._draft = draft
        self._service = service
        self._makers = makers

    @cached_property
    def samples(self) -> list[tuple[str, Birth | None]]:
        """A few keys with their births; none where no operation creates, or no key can be made."""
        creator = next((each for each in self._draft.bound.values() if each.role.creates), None)
        if creator is None:
            return []
        creation = Creation(self._draft.resource, self._service.schemas, self._service.fakes, self._makers)
        request = Request(creator.operation.method, creator.operation.path)
        try:
            return [
                (creation.key(NAMESPACE, number), creation.birth(number, request, {}, body))
                for number, body in enumerate(self._bodies(creator.operation), 1)
            ]
        except MockServerError:
            return []

    def _bodies(self, operation: Operation) -> list[JSON]:
        media = (
            next((each for each in operation.body.content if each.schema), None) if operation.body else None
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
            full = _with(_with(full, certify.csr, None), certify.common_name, _NAME)
        bodies = [full]
        if isinstance(full, dict) and isinstance(required, list):
            bodies.append({name: value for name, value in full.items() if name in required})
        if certify is not None and certify.csr is not None:
            bodies.append(_with(full, certify.csr, _signing_request()))
        return bodies


def _with(body: JSON, place: Lookup | None, value: JSON) -> JSON:
    """``body`` with another value at a place in it; None takes it away."""
    if place is None or place.part != "body" or not isinstance(body, dict):
        return body
    first, _, rest = place.name.replace("/", ".").strip(".").partition(".")
    if rest:
        return {**body, first: _with(body.get(first, {}), Lookup("body", rest), value)}
    if value is None:
        return {name: each for name, each in body.items() if name != first}
    return {**body, first: value}


def _signing_request() -> str:
    """A CSR as a client makes it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    key = ec.derive_private_key(1, ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
