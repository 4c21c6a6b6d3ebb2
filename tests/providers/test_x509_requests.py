"""Certificates for a client's own key: what a CSR asks for is certified, or refused with the cause."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mockserver.providers.x509 import Authority, CertificateRequestError, Leaf

NOW_MS = int(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp() * 1000)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

RSA = rsa.generate_private_key(65537, 2048)
SHORT_RSA = rsa.generate_private_key(65537, 1024)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "AT"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Müller & Söhne"),
        x509.NameAttribute(NameOID.COMMON_NAME, "shop.example"),
    ]
)
NAMES = x509.SubjectAlternativeName([x509.DNSName("shop.example"), x509.RFC822Name("root@shop.example")])


def csr(key: Key, subject: x509.Name = SUBJECT, names: x509.SubjectAlternativeName | None = NAMES) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def certify(request: str, **asked: object) -> tuple[Leaf, x509.Certificate]:
    leaf = Authority("seed").leaf(identity="id", not_before_ms=NOW_MS, csr_pem=request, **asked)  # type: ignore[arg-type]
    return leaf, x509.load_pem_x509_certificate(leaf.certificate.encode())


@pytest.mark.parametrize("key", [RSA, P256, P384], ids=["RSA", "P-256", "P-384"])
def test_the_requests_own_key_and_names_are_certified(key: Key) -> None:
    leaf, certificate = certify(csr(key))
    assert leaf.private_key is None
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == SUBJECT
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (alternatives.value, alternatives.critical) == (NAMES, False)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_encipherment == (key is RSA)
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate(leaf.issuing_ca_certificate.encode())
    )
    assert certify(csr(RSA))[0].serial_number == leaf.serial_number


def test_same_request_gives_the_same_octets() -> None:
    request = csr(P256)
    assert certify(request) == certify(request)


def test_names_of_the_caller_serve_a_request_without_any() -> None:
    _, certificate = certify(csr(P256, names=None), dns_names=["given.example"])
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives == x509.SubjectAlternativeName([x509.DNSName("given.example")])


def test_a_request_without_a_subject_makes_its_names_critical() -> None:
    _, certificate = certify(csr(P256, subject=x509.Name([])))
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_a_request_with_neither_names_nor_any_given_has_no_subject_alt_name() -> None:
    _, certificate = certify(csr(P256, names=None))
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_an_odd_country_is_the_clients_affair() -> None:
    with pytest.warns(UserWarning, match="length"):
        odd = x509.NameAttribute(NameOID.COUNTRY_NAME, "AUT", _validate=False)
    _, certificate = certify(csr(P256, subject=x509.Name([odd])))
    assert b"AUT" in certificate.public_bytes(Encoding.DER)


def pem(base64_text: str) -> str:
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{base64_text}\n-----END CERTIFICATE REQUEST-----"


def tampered() -> str:
    """A request whose signed part was changed after signing."""
    request = x509.load_pem_x509_csr(csr(P256).encode())
    octets = request.public_bytes(Encoding.DER).replace(b"shop.example", b"bank.example")
    return pem(base64.b64encode(octets).decode())


@pytest.mark.parametrize(
    ("request_of", "cause"),
    [
        (lambda: "", "cannot be read"),
        (lambda: "not a CSR", "cannot be read"),
        (lambda: "\ud800", "cannot be read"),
        (lambda: csr(P256)[:200], "cannot be read"),
        (lambda: csr(P256).replace("CERTIFICATE REQUEST", "CERTIFICATE"), "cannot be read"),
        (
            lambda: pem("AAAA"),
            "cannot be read",
        ),
        (lambda: "x" * 70_000, "longer than"),
        (tampered, "signature does not belong"),
        (lambda: csr(ED25519), "neither RSA nor EC"),
        (lambda: csr(SHORT_RSA), "1024 bits"),
        (lambda: csr(P256, subject=x509.Name([]), names=None), "neither a subject nor"),
    ],
)
def test_a_bad_request_is_refused_with_its_cause(request_of: Callable[[], str], cause: str) -> None:
    with pytest.raises(CertificateRequestError, match=cause):
        certify(request_of())
