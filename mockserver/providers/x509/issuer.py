"""A certificate authority that signs: the profile of RFC 5280 that its certificates follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mockserver.providers.x509.subject import Subject

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
