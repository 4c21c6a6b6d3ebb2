"""Issue certificates by the profile of RFC 5280: the subject's names and public key, and the signature."""

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

COMMON_NAME_LENGTH = 64
"""ub-common-name of RFC 5280, appendix A; octets of UTF-8, as most software counts it."""
CSR_LENGTH = 65_536
"""Characters of a CSR that are looked at; a real one has about 1,000."""
RSA_BITS = 2048
"""The shortest RSA key that TLS stacks accept by default."""

_LOCAL = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A name, a key, and other names; ``alternatives`` is None for none."""

    name: x509.Name
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    alternatives: x509.SubjectAlternativeName | None = None


def named(
    common_name: str,
    dns_names: Iterable[str],
    ip_addresses: Iterable[str],
    public_key: ec.EllipticCurvePublicKey,
) -> Subject:
    """A subject of these names that also answers on loopback."""
    octets = len(common_name.encode("utf-8", "surrogatepass"))
    if not 1 <= octets <= COMMON_NAME_LENGTH or not common_name.isprintable():
        raise CertificateRequestError(
            f"The common name {common_name[:80]!r} cannot be certified: it needs 1 to {COMMON_NAME_LENGTH} "
            "octets of printable characters (RFC 5280, appendix A)."
        )
    hosts = [common_name, *dns_names] if is_host(common_name) else dns_names
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return Subject(name, public_key, alternative_names(hosts, ip_addresses, _LOCAL))


def requested(pem: str, dns_names: Iterable[str] = (), ip_addresses: Iterable[str] = ()) -> Subject:
    """The subject that a PKCS#10 request (RFC 2986) in PEM asks to have certified.

    The names given serve a request that has no subjectAltName. Raises
    CertificateRequestError for one that does not parse, does not prove
    possession of its key, or names nothing.
    """
    if len(pem) > CSR_LENGTH:
        raise CertificateRequestError(f"The CSR is longer than {CSR_LENGTH:,} characters.")
    try:
        # A country of three letters and the like is the client's affair, not this process's log's.
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
            f"The CSR cannot be read as PKCS#10 in PEM: {_plain(reason)}"
        ) from reason

    if not isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise CertificateRequestError("The CSR's key is neither RSA nor EC; use one of them.")
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size < RSA_BITS:
        raise CertificateRequestError(
            f"The CSR's RSA key has {public_key.key_size} bits; at least {RSA_BITS} are needed."
        )
    if not proven:
        raise CertificateRequestError("The CSR's signature does not belong to its public key.")
    alternatives: x509.SubjectAlternativeName | None
    try:
        alternatives = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        alternatives = alternative_names(dns_names, ip_addresses)
    if alternatives is None and not name.rdns:
        raise CertificateRequestError("The CSR names nothing: it has neither a subject nor a subjectAltName.")
    return Subject(name, public_key, alternatives)


def alternative_names(
    hosts: Iterable[str], addresses: Iterable[str], more: Iterable[x509.GeneralName] = ()
) -> x509.SubjectAlternativeName | None:
    """DNS names, IP addresses and ``more``, each once."""
    names: list[x509.GeneralName] = [_dns_name(each) for each in hosts]
    names += [_ip_address(each) for each in addresses]
    names += more
    return x509.SubjectAlternativeName(dict.fromkeys(names)) if names else None


def _dns_name(text: str) -> x509.DNSName:
    if not is_host(text):
        raise CertificateRequestError(
            f"{text[:80]!r} is no DNS name: labels of 1 to 63 letters, digits and hyphens, 253 characters "
            "in all; an internationalised name is written in its xn-- form."
        )
    return x509.DNSName(text)


def _ip_address(text: str) -> x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        raise CertificateRequestError(f"{text[:80]!r} is no IP address.") from None


def _plain(reason: Exception) -> str:
    """The first sentence of a library's message, without its advice."""
    return str(reason).split(". ", 1)[0].split("\n", 1)[0].rstrip(".")[:200] + "."


KEY_OCTETS = 48
"""64 bits more than the order has: the remainder's bias is below 2⁻⁶⁴ (FIPS 186-5, A.2.1)."""

_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHA256 = hashes.SHA256()


def _usage(*, key_encipherment: bool = False, ca: bool = False) -> x509.KeyUsage:
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


_CA_USAGE = _usage(ca=True)
_EC_USAGE = _usage()
_RSA_USAGE = _usage(key_encipherment=True)  # for the RSA key exchange of TLS 1.2
_LEAF_CONSTRAINTS = x509.BasicConstraints(ca=False, path_length=None)
_LEAF_PURPOSES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that signs. The templates hold what all of its certificates have in common."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    template: x509.CertificateBuilder
    leaf_template: x509.CertificateBuilder

    @classmethod
    def of(cls, common_name: str, organization: str, key: ec.EllipticCurvePrivateKey) -> Issuer:
        """The CA of these names and that key."""
        attributes = {NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common_name}
        name = x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes.items()])
        key_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        template = x509.CertificateBuilder().issuer_name(name).add_extension(key_identifier, critical=False)
        leaf_template = template.add_extension(_LEAF_CONSTRAINTS, critical=True).add_extension(
            _LEAF_PURPOSES, critical=False
        )
        return cls(name, key, template, leaf_template)

    def certify_leaf(self, subject: Subject, serial: bytes, validity: tuple[int, int]) -> x509.Certificate:
        """A certificate for TLS servers and clients; ``validity`` is its first and last second since 1970."""
        usage = _RSA_USAGE if isinstance(subject.public_key, rsa.RSAPublicKey) else _EC_USAGE
        builder = self.leaf_template.add_extension(usage, critical=True)
        if subject.alternatives is not None:
            # Critical where nothing else names the subject (RFC 5280, 4.2.1.6).
            builder = builder.add_extension(subject.alternatives, critical=not subject.name.rdns)
        return self._sign(builder, subject, serial, validity)

    def certify_authority(
        self, other: Issuer, serial: bytes, validity: tuple[int, int], path_length: int | None
    ) -> x509.Certificate:
        """A CA's certificate; ``path_length`` bounds the CAs below it, None for no bound."""
        constraints = x509.BasicConstraints(ca=True, path_length=path_length)
        builder = self.template.add_extension(constraints, critical=True).add_extension(
            _CA_USAGE, critical=True
        )
        return self._sign(builder, Subject(other.name, other.key.public_key()), serial, validity)

    def _sign(
        self, builder: x509.CertificateBuilder, subject: Subject, serial: bytes, validity: tuple[int, int]
    ) -> x509.Certificate:
        not_before, not_after = (_EPOCH + timedelta(seconds=each) for each in validity)
        return (
            builder.subject_name(subject.name)
            .public_key(subject.public_key)
            .serial_number(int.from_bytes(serial, "big"))
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject.public_key), critical=False)
            # RFC 6979: the nonce follows from key and message, so the octets are the same every time.
            .sign(self.key, SHA256, ecdsa_deterministic=True)
        )


def derive_key(material: bytes) -> ec.EllipticCurvePrivateKey:
    """The EC P-256 key that ``KEY_OCTETS`` octets stand for."""
    return ec.derive_private_key(int.from_bytes(material, "big") % (_ORDER - 1) + 1, _CURVE)


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """PKCS#8 in PEM, not encrypted; ends in a newline."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def certificate_pem(certificate: x509.Certificate) -> str:
    """PEM in lines of 64 columns (RFC 7468), without a newline at the end."""
    return certificate.public_bytes(Encoding.PEM).decode("ascii").rstrip("\n")
