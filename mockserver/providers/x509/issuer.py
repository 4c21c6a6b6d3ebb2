"""Certificates by the profile of RFC 5280: reading a subject and its key, and signing."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mockserver.providers.x509.names import CertificateRequestError, is_host

MAX_COMMON_NAME = 64
"""ub-common-name of RFC 5280, appendix A, in bytes of UTF-8, as most software counts it."""
MAX_CSR = 65_536
"""The maximum number of characters of a CSR. A usual one has about 1,000."""
MIN_RSA_BITS = 2048
"""The shortest RSA key that TLS stacks accept by default."""

_LOCAL = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a certificate certifies: a name, a public key, and the subjectAltName or None."""

    name: x509.Name
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    alternatives: x509.SubjectAlternativeName | None = None


def subject_of_names(
    common_name: str,
    dns_names: Iterable[str],
    ip_addresses: Iterable[str],
    public_key: ec.EllipticCurvePublicKey,
) -> Subject:
    """Return a subject with these names and those of the loopback interface.

    Raises CertificateRequestError.
    """
    octets = len(common_name.encode("utf-8", "surrogatepass"))
    if not 1 <= octets <= MAX_COMMON_NAME or not common_name.isprintable():
        raise CertificateRequestError(
            f"The common name {common_name[:80]!r} cannot be certified: it needs 1 to {MAX_COMMON_NAME} "
            "octets of printable characters (RFC 5280, appendix A)."
        )
    hosts = [common_name, *dns_names] if is_host(common_name) else dns_names
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return Subject(name, public_key, alternative_names(hosts, ip_addresses, _LOCAL))


def subject_of_request(pem: str, dns_names: Iterable[str] = (), ip_addresses: Iterable[str] = ()) -> Subject:
    """Return the subject of a PKCS#10 request (RFC 2986) in PEM.

    If the request has no subjectAltName, the names given are used. Raises
    CertificateRequestError if the request cannot be parsed, its signature does
    not match its key, or it has no names.
    """
    if len(pem) > MAX_CSR:
        raise CertificateRequestError(f"The CSR is longer than {MAX_CSR:,} characters.")
    try:
        # cryptography warns of values such as a country of three letters. That is the client's fault,
        # so it does not belong into the log.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            request = x509.load_pem_x509_csr(pem.encode("utf-8", "replace"))
            name, extensions, public_key = request.subject, request.extensions, request.public_key()
            proven = request.is_signature_valid
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as reason:
        raise CertificateRequestError(
            f"The CSR cannot be read as PKCS#10 in PEM: {_first_sentence(reason)}"
        ) from reason

    if not isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise CertificateRequestError("The CSR's key is neither RSA nor EC; use one of them.")
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size < MIN_RSA_BITS:
        raise CertificateRequestError(
            f"The CSR's RSA key has {public_key.key_size} bits; at least {MIN_RSA_BITS} are needed."
        )
    if not proven:
        raise CertificateRequestError("The CSR's signature does not belong to its public key.")
    alternatives: x509.SubjectAlternativeName | None
    try:
        alternatives = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        alternatives = alternative_names(dns_names, ip_addresses)
    if alternatives is None and not name.rdns:
        raise CertificateRequestError("The CSR has neither a subject nor a subjectAltName.")
    return Subject(name, public_key, alternatives)


def alternative_names(
    hosts: Iterable[str], addresses: Iterable[str], more: Iterable[x509.GeneralName] = ()
) -> x509.SubjectAlternativeName | None:
    """Return DNS names, IP addresses and ``more`` without duplicates, or None if there are none.

    Raises CertificateRequestError.
    """
    names: list[x509.GeneralName] = [_dns_name(host) for host in hosts]
    names += [_ip_address(address) for address in addresses]
    names += more
    return x509.SubjectAlternativeName(dict.fromkeys(names)) if names else None


def _dns_name(text: str) -> x509.DNSName:
    if not is_host(text):
        raise CertificateRequestError(
            f"{text[:80]!r} is not a DNS name: use labels of 1 to 63 letters, digits and hyphens, at most "
            "253 characters in total; write an internationalised name in its xn-- form."
        )
    return x509.DNSName(text)


def _ip_address(text: str) -> x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        raise CertificateRequestError(f"{text[:80]!r} is not an IP address.") from None


def _first_sentence(reason: Exception) -> str:
    """Return the first sentence of a library's message, at most 200 characters."""
    return str(reason).split(". ", 1)[0].split("\n", 1)[0].rstrip(".")[:200] + "."


KEY_BYTES = 48
"""64 bits more than the curve's order, so that the remainder's bias is below 2⁻⁶⁴ (FIPS 186-5, A.2.1)."""

_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHA256 = hashes.SHA256()


def _key_usage(*, key_encipherment: bool = False, ca: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


_CA_USAGE = _key_usage(ca=True)
_EC_USAGE = _key_usage()
_RSA_USAGE = _key_usage(key_encipherment=True)  # for the RSA key exchange of TLS 1.2
_LEAF_CONSTRAINTS = x509.BasicConstraints(ca=False, path_length=None)
_LEAF_PURPOSES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that signs certificates. The templates contain what all of them have in common."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    template: x509.CertificateBuilder
    leaf_template: x509.CertificateBuilder

    @classmethod
    def of(cls, common_name: str, organization: str, key: ec.EllipticCurvePrivateKey) -> Issuer:
        """Return the CA with these names and this key."""
        attributes = {NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common_name}
        name = x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes.items()])
        key_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        template = x509.CertificateBuilder().issuer_name(name).add_extension(key_identifier, critical=False)
        leaf_template = template.add_extension(_LEAF_CONSTRAINTS, critical=True).add_extension(
            _LEAF_PURPOSES, critical=False
        )
        return cls(name, key, template, leaf_template)

    def certify_leaf(self, subject: Subject, serial: bytes, validity: tuple[int, int]) -> x509.Certificate:
        """Return a certificate for TLS servers and clients. ``validity`` is its first and last second."""
        usage = _RSA_USAGE if isinstance(subject.public_key, rsa.RSAPublicKey) else _EC_USAGE
        builder = self.leaf_template.add_extension(usage, critical=True)
        if subject.alternatives is not None:
            # Critical if the subject is empty (RFC 5280, section 4.2.1.6).
            builder = builder.add_extension(subject.alternatives, critical=not subject.name.rdns)
        return self._sign(builder, subject, serial, validity)

    def certify_authority(
        self, other: Issuer, serial: bytes, validity: tuple[int, int], path_length: int | None
    ) -> x509.Certificate:
        """Return the certificate of a CA. ``path_length`` limits the CAs below it; None is no limit."""
        constraints = x509.BasicConstraints(ca=True, path_length=path_length)
        builder = self.template.add_extension(constraints, critical=True).add_extension(
            _CA_USAGE, critical=True
        )
        return self._sign(builder, Subject(other.name, other.key.public_key()), serial, validity)

    def _sign(
        self, builder: x509.CertificateBuilder, subject: Subject, serial: bytes, validity: tuple[int, int]
    ) -> x509.Certificate:
        not_before, not_after = (_EPOCH + timedelta(seconds=second) for second in validity)
        return (
            builder.subject_name(subject.name)
            .public_key(subject.public_key)
            .serial_number(int.from_bytes(serial, "big"))
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject.public_key), critical=False)
            # RFC 6979: the nonce depends on key and message, so the signature is always the same.
            .sign(self.key, SHA256, ecdsa_deterministic=True)
        )


def derive_key(material: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the EC P-256 key for ``KEY_BYTES`` bytes of key material."""
    return ec.derive_private_key(int.from_bytes(material, "big") % (_ORDER - 1) + 1, _CURVE)


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the key as PKCS#8 in PEM, not encrypted, with a newline at the end."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def certificate_pem(certificate: x509.Certificate) -> str:
    """Return the certificate in PEM (RFC 7468), without a newline at the end."""
    return certificate.public_bytes(Encoding.PEM).decode("ascii").rstrip("\n")
