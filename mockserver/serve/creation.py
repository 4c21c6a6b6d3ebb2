"""Creation: an operation brings a resource into being, under a key that nobody had before.

The n-th creation of a namespace gives the same key in every run of the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.errors import MockServerError, Violation
from mockserver.plan import JSON, Certify, Resource
from mockserver.providers import identifiers
from mockserver.schema import Schemas
from mockserver.serve import matching
from mockserver.serve.context import Makers
from mockserver.serve.request import Request
from mockserver.store.births import Birth
from mockserver.store.protocol import Store

if TYPE_CHECKING:
    from mockserver.fakes import Fakes

MOST_BODY = 64 * 1024
"""Bytes of a creating request's body that are kept; of a longer one, nothing is."""
MOST_HEADERS = 64
MOST_HEADER = 1024
_FAKES = 32
_ENOUGH = 10_000
_SECRET = frozenset(["authorization", "proxy-authorization", "cookie"])


class Creation:
    """Makes keys and births for one resource."""

    def __init__(self, resource: Resource, schemas: Schemas, fakes: Fakes, makers: Makers) -> None:
        self._resource = resource
        self._schemas = schemas
        self._fakes = fakes
        self._makers = makers
        certify = resource.certify or Certify()
        self._csr = matching.reader(certify.csr) if certify.csr else None
        self._common_name = matching.reader(certify.common_name) if certify.common_name else None

    def key(self, namespace: str, number: int) -> str:
        """The key of the n-th creation. Raises MockServerError where no key satisfies the document."""
        for value in self._candidates(namespace, number):
            if all(
                self._schemas.validator(ref, "response").is_valid(value) for ref in self._resource.key_schemas
            ):
                return value if isinstance(value, str) else str(value)
        raise MockServerError(
            f"no fresh key for {self._resource.name} satisfies the document; give its schema an example"
        )

    def fresh(self, store: Store, namespace: str) -> tuple[int, str]:
        """The next number, and a key that no resource has."""
        name = self._resource.name
        for _ in range(_ENOUGH):
            number = store.counters.run(namespace, name, "creations")
            key = self.key(namespace, number)
            if store.peek(namespace, name, key) is None:
                return number, key
        raise MockServerError(f"every key that {name} may have is taken")

    def _candidates(self, namespace: str, number: int) -> Iterator[JSON]:
        identity = identifiers.identity(self._makers.seed, namespace, self._resource.name, f"#{number}")
        yield identifiers.uuid(identity, "key")
        yield number
        for ref in self._resource.key_schemas:
            for attempt in range(_FAKES):
                yield self._fakes.value(ref, key=f"{identity}/{attempt}")
        yield str(number)

    def birth(self, number: int, request: Request, path: dict[str, str], body: Any) -> Birth:
        """What is kept of the creating request. Credentials are not."""
        told = {
            "method": request.method,
            "url": request.raw_path + (f"?{request.query_string}" if request.query_string else ""),
            "path": path,
            "query": matching.query(request) if request.query_string else {},
            "headers": _bounded(request.headers),
            "body": body if len(request.body) <= MOST_BODY else None,
        }
        csr = (self._csr(request, path, body) if self._csr else None) or ""
        name = (self._common_name(request, path, body) if self._common_name else None) or ""
        return Birth(number, msgspec.json.encode(told, enc_hook=str), csr, name)

    def objection(self, birth: Birth) -> Violation | None:
        """Why the certificate that is asked for cannot be made; None where it can."""
        if not birth.csr and not birth.common_name:
            return None
        from mockserver.providers.x509 import CertificateRequestError

        certify = self._resource.certify or Certify()
        place = certify.csr if birth.csr else certify.common_name
        try:
            self._makers.authority.leaf(
                identity="objection",
                not_before_ms=0,
                common_name=birth.common_name,
                csr_pem=birth.csr or None,
            )
        except CertificateRequestError as error:
            name = place.name if place is not None else ""
            pointer = "/" + name.replace(".", "/")
            return Violation("body", "", pointer, "certificate", str(error), birth.csr or birth.common_name)
        return None


def _bounded(headers: Mapping[str, str]) -> dict[str, str]:
    kept = [(name, value[:MOST_HEADER]) for name, value in headers.items() if name not in _SECRET]
    return dict(kept[:MOST_HEADERS])
