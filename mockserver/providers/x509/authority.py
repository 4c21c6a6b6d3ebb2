"""The mock certificate authority: a root CA, an intermediate CA, and leaf certificates.

Everything depends only on the seed and the arguments of ``leaf()``, also the
signatures (RFC 6979). So nothing is stored, and every replica issues the same
bytes. The CAs are valid from 1970 to the end of 9999, for any frozen clock.
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
"""90 days, as public CAs issue certificates that are renewed automatically."""
SKEW_MS = 60 * 1000

_ORGANIZATION = "Mock Server"
_FIRST_SECOND = 0
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, "no well-defined expiration" (RFC 5280, 4.1.2.5)


def not_before(created_ms: int) -> int:
    """Return the start of a certificate for a resource created at ``created_ms``: a minute earlier.

    Real CAs do this too, because a client whose clock is late rejects a
    certificate that is seconds old.
    """
    return created_ms - SKEW_MS


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate with its key and chain. Only the PEM text of the key ends with a newline."""

    certificate: str
    private_key: str | None
    """PKCS#8 in PEM, or None if the key is that of a CSR."""
    serial_number: str
    """40 lower-case hexadecimal digits."""
    fingerprint: str
    """SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits."""
    not_before: int
    """Milliseconds since the epoch, a whole second. The same for ``not_after``."""
    not_after: int
    chain: str
    """The certificates of the CAs: intermediate, then root."""
    issuing_ca_certificate: str
    """The intermediate alone."""


class Authority:
    """The CA of one seed. Its keys are generated on first use. Several threads may use it."""

    def __init__(self, seed: str) -> None:
        self._derivation = Derivation(seed)
        # Part of the CA's names, so that a client that trusts the root of another seed reports
        # "unknown issuer", and not a bad signature.
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
        """Return the certificate of ``identity``, which always has the same key pair and serial number.

        The validity is rounded down to whole seconds and limited to that of the CAs.
        The default of ``common_name`` is the first DNS name, else a name under
        ``mock.test``. The subjectAltName contains the common name (if it is a
        DNS name), ``dns_names``, ``localhost``, ``ip_addresses``, 127.0.0.1 and ::1.

        With ``csr_pem``, the subject, names and key of the CSR are certified.
        ``dns_names`` and ``ip_addresses`` are used if it has no subjectAltName.
        ``common_name`` is ignored.

        Raises CertificateRequestError if the names, the lifetime or the CSR cannot
        be certified.
        """
        from mockserver.providers.x509 import issuer  # imports cryptography, which is heavy

        private_key = None
        if csr_pem is None:
            key = self._key("leaf", identity)
            private_key = issuer.private_pem(key)
            common_name = common_name or (dns_names[0] if dns_names else host_name(identity))
            certified = issuer.subject_of_names(common_name, dns_names, ip_addresses, key.public_key())
        else:
            certified = issuer.subject_of_request(csr_pem, dns_names, ip_addresses)
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
        """The certificate of the root CA, which clients must trust (PEM)."""
        return self._certificate("Root", self._root, self._root, path_length=None)

    @cached_property
    def intermediate_pem(self) -> str:
        """The certificate of the CA that issues the leaf certificates (PEM). Its path length is 0."""
        return self._certificate("Issuing", self._intermediate, self._root, path_length=0)

    @cached_property
    def chain_pem(self) -> str:
        """The intermediate certificate, a newline, and the root certificate."""
        return f"{self.intermediate_pem}\n{self.root_pem}"

    @cached_property
    def _root(self) -> Issuer:
        return self._issuer("Root")

    @cached_property
    def _intermediate(self) -> Issuer:
        return self._issuer("Issuing")

    def _issuer(self, role: str) -> Issuer:
        from mockserver.providers.x509.issuer import Issuer  # imports cryptography

        name = f"{_ORGANIZATION} {role} CA {self._tag}"
        return Issuer.of(name, _ORGANIZATION, self._key("ca", role))

    def _certificate(self, role: str, of: Issuer, signer: Issuer, path_length: int | None) -> str:
        from mockserver.providers.x509.issuer import certificate_pem  # imports cryptography

        # Another purpose than that of leaves: no identity of a leaf can lead to the serial of a CA.
        serial = self._derivation.serial(role, "ca serial")
        validity = (_FIRST_SECOND, _LAST_SECOND)
        return certificate_pem(signer.certify_authority(of, serial, validity, path_length))

    def _key(self, kind: str, identity: str) -> EllipticCurvePrivateKey:
        from mockserver.providers.x509.issuer import KEY_BYTES, derive_key  # imports cryptography

        return derive_key(self._derivation.octets(f"{kind} key", identity, KEY_BYTES))


def _validity(not_before_ms: int, lifetime_ms: int) -> tuple[int, int]:
    """Return the first and last second of a leaf. They are within those of the CAs, as clients require."""
    if lifetime_ms < 1000:
        raise CertificateRequestError(
            f"The lifetime of a certificate must be at least one second, not {lifetime_ms} ms."
        )
    start = not_before_ms // 1000
    end = start + lifetime_ms // 1000
    return (
        min(max(start, _FIRST_SECOND), _LAST_SECOND),
        min(max(end, _FIRST_SECOND), _LAST_SECOND),
    )
