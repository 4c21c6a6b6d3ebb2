"""The mock certificate authority: a root, an intermediate below it, and leaves below that.

Everything follows from the seed and what ``leaf()`` is told, signatures included
(RFC 6979), so nothing is stored and every replica issues the same octets. The
CAs are valid from 1970 to the end of 9999: a clock may be frozen anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from mockserver.providers.x509.names import CertificateRequestError, Derivation, host_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from mockserver.providers.x509.issuer import Issuer

LIFETIME_MS = 90 * 24 * 60 * 60 * 1000
"""90 days, what public CAs give for a certificate that is renewed by a machine."""
SKEW_MS = 60 * 1000

_ORGANIZATION = "Mock Server"
_FIRST_SECOND = 0
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, "no well-defined expiration" (RFC 5280, 4.1.2.5)


def not_before(created_ms: int) -> int:
    """The start of a certificate of a resource created then: a minute before, as real CAs do.

    A client whose clock runs behind would otherwise refuse a certificate that
    is seconds old. The minute also absorbs the rounding down to whole seconds.
    """
    return created_ms - SKEW_MS


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate with all that comes with it. PEM texts end without a newline, but the key's."""

    certificate: str
    private_key: str | None
    """PKCS#8 in PEM; None where a CSR brought its own key."""
    serial_number: str
    """40 lower-case hexadecimal digits, the certificate's own."""
    fingerprint: str
    """SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits."""
    not_before: int
    """Milliseconds since 1970, a whole second; so is ``not_after``."""
    not_after: int
    chain: str
    """The CAs above the leaf: intermediate, then root."""
    issuing_ca_certificate: str
    """The intermediate alone."""


class Authority:
    """The CA of one seed. Cheap to construct; its keys are made when first needed.

    Threads may share it: whichever makes a CA first, the octets are the same.
    """

    def __init__(self, seed: str) -> None:
        self._derivation = Derivation(seed)
        # In the names, so that a client that trusts another seed's root fails with "unknown issuer"
        # rather than with a bad signature.
        self._tag = blake2b(
            seed.encode("utf-8", "surrogatepass"), digest_size=4, person=b"x509 tag"
        ).hexdigest()

    def leaf(
        self,
        *,
        identity: str,
        not_before_ms: int,
        lifetime_ms: int = LIFETIME_MS,
        common_name: str = "",
        dns_names: Sequence[str] = (),
        ip_addresses: Sequence[str] = (),
        csr_pem: str | None = None,
    ) -> Leaf:
        """The certificate of ``identity``: the same key pair and serial number whenever it is asked for.

        The validity is rounded down to whole seconds and kept inside the CAs'.
        Without ``common_name`` the first DNS name is it, and without that a name
        under ``mock.test``. The subjectAltName holds the common name (where it
        can be a DNS name), ``dns_names``, ``localhost``, ``ip_addresses``,
        127.0.0.1 and ::1. With ``csr_pem`` the CSR's own subject, names and key
        are certified; ``dns_names`` and ``ip_addresses`` serve where it has no
        subjectAltName, ``common_name`` is ignored.

        Raises CertificateRequestError for names, a lifetime or a CSR that
        cannot be certified.
        """
        from mockserver.providers.x509 import issuer

        private_key = None
        if csr_pem is None:
            key = self._key("leaf", identity)
            private_key = issuer.private_pem(key)
            common_name = common_name or (dns_names[0] if dns_names else host_name(identity))
            certified = issuer.named(common_name, dns_names, ip_addresses, key.public_key())
        else:
            certified = issuer.requested(csr_pem, dns_names, ip_addresses)
        serial = self._derivation.serial(identity)
        start, end = validity = _validity(not_before_ms, lifetime_ms)
        certificate = self._intermediate.certify_leaf(certified, serial, validity)
        return Leaf(
            certificate=issuer.certificate_pem(certificate),
            private_key=private_key,
            serial_number=serial.hex(),
            fingerprint=certificate.fingerprint(issuer.SHA256).hex(),
            not_before=start * 1000,
            not_after=end * 1000,
            chain=self.chain_pem,
            issuing_ca_certificate=self.intermediate_pem,
        )

    @cached_property
    def root_pem(self) -> str:
        """The root's certificate: what a client has to trust."""
        return self._certificate("Root", self._root, self._root, path_length=None)

    @cached_property
    def intermediate_pem(self) -> str:
        """The certificate of the CA that issues the leaves; no CA may stand below it."""
        return self._certificate("Issuing", self._intermediate, self._root, path_length=0)

    @cached_property
    def chain_pem(self) -> str:
        """Intermediate, newline, root: what stands above every leaf."""
        return f"{self.intermediate_pem}\n{self.root_pem}"

    @cached_property
    def _root(self) -> Issuer:
        return self._issuer("Root")

    @cached_property
    def _intermediate(self) -> Issuer:
        return self._issuer("Issuing")

    def _issuer(self, role: str) -> Issuer:
        from mockserver.providers.x509.issuer import Issuer

        name = f"{_ORGANIZATION} {role} CA {self._tag}"
        return Issuer.of(name, _ORGANIZATION, self._key("ca", role))

    def _certificate(self, role: str, of: Issuer, signer: Issuer, path_length: int | None) -> str:
        from mockserver.providers.x509.issuer import certificate_pem

        # A purpose of its own: no identity of a leaf can lead to a CA's serial number or key.
        serial = self._derivation.serial(role, "ca serial")
        validity = (_FIRST_SECOND, _LAST_SECOND)
        return certificate_pem(signer.certify_authority(of, serial, validity, path_length))

    def _key(self, kind: str, identity: str) -> EllipticCurvePrivateKey:
        from mockserver.providers.x509.issuer import KEY_OCTETS, derive_key

        return derive_key(self._derivation.octets(f"{kind} key", identity, KEY_OCTETS))


def _validity(not_before_ms: int, lifetime_ms: int) -> tuple[int, int]:
    """First and last second of a leaf, inside the CAs' own (a client refuses the chain otherwise)."""
    if lifetime_ms < 1000:
        raise CertificateRequestError(
            f"A certificate lives for a second or longer, not for {lifetime_ms} ms."
        )
    start = not_before_ms // 1000
    end = start + lifetime_ms // 1000
    return (
        min(max(start, _FIRST_SECOND), _LAST_SECOND),
        min(max(end, _FIRST_SECOND), _LAST_SECOND),
    )
