"""What a certificate is to certify: names and a public key, ours or a client's."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

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
