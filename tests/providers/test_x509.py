"""The mock authority: what it issues is real, its own, and the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mockserver.diagnostics import MockServerError
from mockserver.providers.x509 import (
    LIFETIME_MS,
    Authority,
    CertificateRequestError,
    Leaf,
    host_name,
    not_before,
)
from mockserver.providers.x509.names import Derivation
from tests import programs

KEY = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"
HOST = f"{KEY}.mock.test"
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("seed")


def issue(authority: Authority, identity: str = KEY) -> Leaf:
    return authority.leaf(identity=identity, not_before_ms=not_before(NOW_MS), common_name=host_name(KEY))


def loaded(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_same_inputs_give_the_same_octets(authority: Authority) -> None:
    again = Authority("seed")
    assert issue(again) == issue(authority)
    assert (again.root_pem, again.intermediate_pem) == (authority.root_pem, authority.intermediate_pem)


def test_another_process_gives_the_same_octets(authority: Authority) -> None:
    program = (
        "from mockserver.providers.x509 import Authority, host_name, not_before\n"
        f"leaf = Authority('seed').leaf(identity={KEY!r}, not_before_ms=not_before({NOW_MS}),"
        f" common_name=host_name({KEY!r}))\n"
        "print(leaf.fingerprint)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == issue(authority).fingerprint


def test_nothing_of_cryptography_is_imported_before_the_first_certificate() -> None:
    program = (
        "import sys\nfrom mockserver.providers.x509 import Authority\nAuthority('seed')\n"
        "print([name for name in sys.modules if name.startswith('cryptography')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_seed_and_identity_change_everything(authority: Authority) -> None:
    leaves = [issue(authority), issue(authority, "other"), issue(Authority("other"))]
    for field in ("certificate", "private_key", "serial_number", "fingerprint"):
        assert len({getattr(each, field) for each in leaves}) == 3, field


def test_key_and_serial_outlive_the_dates(authority: Authority) -> None:
    early = issue(authority)
    late = authority.leaf(identity=KEY, not_before_ms=NOW_MS + 10**9, common_name="renewed.mock.test")
    assert (late.private_key, late.serial_number) == (early.private_key, early.serial_number)
    assert late.certificate != early.certificate


def test_leaf_is_consistent_with_itself(authority: Authority) -> None:
    leaf = issue(authority)
    certificate = loaded(leaf.certificate)
    assert leaf.private_key is not None
    key = serialization.load_pem_private_key(leaf.private_key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert certificate.public_key() == key.public_key()
    assert f"{certificate.serial_number:040x}" == leaf.serial_number
    assert certificate.fingerprint(hashes.SHA256()).hex() == leaf.fingerprint
    assert certificate.not_valid_before_utc.timestamp() * 1000 == leaf.not_before
    assert certificate.not_valid_after_utc.timestamp() * 1000 == leaf.not_after
    assert leaf.chain == f"{authority.intermediate_pem}\n{authority.root_pem}"
    assert leaf.issuing_ca_certificate == authority.intermediate_pem


def test_pem_texts_have_lines_of_64_characters(authority: Authority) -> None:
    leaf = issue(authority)
    assert leaf.private_key is not None
    assert leaf.private_key.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert leaf.private_key.endswith("-----END PRIVATE KEY-----\n")
    for pem in (leaf.certificate, leaf.issuing_ca_certificate, authority.root_pem):
        first, *lines, last_but_one, last = pem.split("\n")
        assert (first, last) == ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
        assert all(re.fullmatch(r"[A-Za-z0-9+/]{64}", line) for line in lines)
        assert re.fullmatch(r"[A-Za-z0-9+/]{0,64}={0,2}", last_but_one)
    assert len(x509.load_pem_x509_certificates(leaf.chain.encode())) == 2


def test_profile_of_a_leaf(authority: Authority) -> None:
    certificate = loaded(issue(authority).certificate)
    intermediate = loaded(authority.intermediate_pem)
    found = {each.value.__class__: (each.critical, each.value) for each in certificate.extensions}

    critical, constraints = found[x509.BasicConstraints]
    assert (critical, constraints) == (True, x509.BasicConstraints(ca=False, path_length=None))
    critical, usage = found[x509.KeyUsage]
    assert isinstance(usage, x509.KeyUsage)
    assert (critical, usage.digital_signature, usage.key_encipherment) == (True, True, False)
    assert found[x509.ExtendedKeyUsage] == (
        False,
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
    )
    critical, names = found[x509.SubjectAlternativeName]
    assert isinstance(names, x509.SubjectAlternativeName)
    assert not critical
    assert names.get_values_for_type(x509.DNSName) == [HOST, "localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    issuing = intermediate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert found[x509.AuthorityKeyIdentifier] == (
        False,
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuing),
    )
    assert found[x509.SubjectKeyIdentifier][0] is False
    assert certificate.subject.rfc4514_string() == f"CN={HOST}"
    certificate.verify_directly_issued_by(intermediate)


def test_profile_of_the_authorities(authority: Authority) -> None:
    root, intermediate = loaded(authority.root_pem), loaded(authority.intermediate_pem)
    root.verify_directly_issued_by(root)
    intermediate.verify_directly_issued_by(root)
    for certificate, path_length in ((root, None), (intermediate, 0)):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value == x509.BasicConstraints(ca=True, path_length=path_length)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)


@pytest.mark.parametrize(
    ("created", "begins", "ends"),
    [
        ("2026-01-01T00:00:00.999+00:00", "2025-12-31T23:59:00+00:00", "2026-03-31T23:59:00+00:00"),
        ("1999-12-31T23:59:59+00:00", "1999-12-31T23:58:59+00:00", "2000-03-30T23:58:59+00:00"),
        ("2049-12-31T23:59:00+00:00", "2049-12-31T23:58:00+00:00", "2050-03-31T23:58:00+00:00"),
        ("2099-06-01T12:00:00+00:00", "2099-06-01T11:59:00+00:00", "2099-08-30T11:59:00+00:00"),
        ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00", "1970-03-31T23:59:00+00:00"),
        ("9999-12-31T12:00:00+00:00", "9999-12-31T11:59:00+00:00", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_dates_contain_the_creation_and_lie_inside_the_authorities_own(
    authority: Authority, created: str, begins: str, ends: str
) -> None:
    moment = datetime.fromisoformat(created)
    created_ms = int(moment.timestamp() * 1000)
    leaf = authority.leaf(identity=KEY, not_before_ms=not_before(created_ms))
    certificate = loaded(leaf.certificate)
    assert certificate.not_valid_before_utc.isoformat() == begins
    assert certificate.not_valid_after_utc.isoformat() == ends
    assert certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc
    for pem in (authority.root_pem, authority.intermediate_pem):
        above = loaded(pem)
        assert above.not_valid_before_utc <= certificate.not_valid_before_utc
        assert certificate.not_valid_after_utc <= above.not_valid_after_utc


def test_lifetime_is_as_asked(authority: Authority) -> None:
    leaf = authority.leaf(identity=KEY, not_before_ms=NOW_MS, lifetime_ms=1500)
    assert (leaf.not_before, leaf.not_after) == (NOW_MS, NOW_MS + 1000)
    assert authority.leaf(identity=KEY, not_before_ms=NOW_MS).not_after == NOW_MS + LIFETIME_MS


def test_serial_has_always_forty_digits_and_a_clear_top_bit() -> None:
    derivation = Derivation("seed")
    serials = {derivation.serial(str(number)) for number in range(2000)}
    assert len(serials) == 2000
    assert all(len(each) == 20 and 1 <= each[0] <= 0x7F for each in serials)
    assert len({each[0] for each in serials}) == 0x7F


@pytest.mark.parametrize(
    ("names", "subject", "hosts", "addresses"),
    [
        ({"common_name": "a.example"}, "a.example", ["a.example", "localhost"], []),
        ({"common_name": "Jane Doe"}, "Jane Doe", ["localhost"], []),
        (
            {"dns_names": ["b.example", "*.c.example"]},
            "b.example",
            ["b.example", "*.c.example", "localhost"],
            [],
        ),
        (
            {"common_name": "localhost", "ip_addresses": ["10.0.0.1"]},
            "localhost",
            ["localhost"],
            ["10.0.0.1"],
        ),
        ({}, HOST, [HOST, "localhost"], []),
    ],
)
def test_names_of_a_certificate_are_the_requested_ones(
    authority: Authority, names: dict[str, object], subject: str, hosts: list[str], addresses: list[str]
) -> None:
    certificate = loaded(authority.leaf(identity=KEY, not_before_ms=NOW_MS, **names).certificate)  # type: ignore[arg-type]
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert attribute.value == subject
    assert alternatives.get_values_for_type(x509.DNSName) == hosts
    assert [str(each) for each in alternatives.get_values_for_type(x509.IPAddress)] == [
        *addresses,
        "127.0.0.1",
        "::1",
    ]


@pytest.mark.parametrize(
    ("asked", "cause"),
    [
        ({"common_name": "x" * 65}, "1 to 64"),
        ({"common_name": "ü" * 33}, "1 to 64"),
        ({"common_name": "\ud800"}, "printable"),
        ({"common_name": "a\nb"}, "printable"),
        ({"dns_names": ["bücher.example"], "common_name": "a"}, "not a DNS name"),
        ({"dns_names": [""], "common_name": "a"}, "not a DNS name"),
        ({"dns_names": ["a..b"], "common_name": "a"}, "not a DNS name"),
        ({"dns_names": ["a.b\n"], "common_name": "a"}, "not a DNS name"),
        ({"dns_names": ["x" * 64 + ".example"], "common_name": "a"}, "not a DNS name"),
        ({"ip_addresses": ["10.0.0"]}, "not an IP address"),
        ({"lifetime_ms": 999}, "at least one second"),
        ({"lifetime_ms": -1}, "at least one second"),
    ],
)
def test_names_that_cannot_be_certified_raise_with_the_cause(
    authority: Authority, asked: dict[str, object], cause: str
) -> None:
    with pytest.raises(CertificateRequestError, match=cause) as raised:
        authority.leaf(identity=KEY, not_before_ms=NOW_MS, **asked)  # type: ignore[arg-type]
    assert isinstance(raised.value, MockServerError)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (KEY, HOST),
        (KEY.upper(), HOST),
        ("42", "42.mock.test"),
        ("-a", None),
        ("a b", None),
        ("x" * 64, None),
        ("", None),
        ("ключ", None),
        ("\ud800", None),
    ],
)
def test_key_gives_a_valid_host_name(key: str, expected: str | None) -> None:
    name = host_name(key)
    assert name == (expected or name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}\.mock\.test", name)


def test_leaves_that_differ_are_not_equal(authority: Authority) -> None:
    assert replace(issue(authority), private_key=None) != issue(authority)


def openssl(*arguments: str, stdin: str = "") -> str:
    command = [programs.path("openssl"), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openssl_reads_what_the_leaf_says(authority: Authority) -> None:
    leaf = issue(authority)
    assert leaf.private_key is not None
    shown = openssl(
        "x509", "-noout", "-serial", "-fingerprint", "-sha256", "-subject", stdin=leaf.certificate
    )
    assert f"serial={leaf.serial_number.upper()}" in shown
    assert leaf.fingerprint.upper() in shown.replace(":", "")
    public = openssl("x509", "-noout", "-pubkey", stdin=leaf.certificate)
    assert openssl("pkey", "-pubout", stdin=leaf.private_key) == public


def test_openssl_verifies_the_chain_strictly(authority: Authority, tmp_path: Path) -> None:
    leaf = issue(authority)
    files = {"root": authority.root_pem, "chain": leaf.chain, "leaf": leaf.certificate}
    paths = {name: tmp_path / f"{name}.pem" for name in files}
    for name, pem in files.items():
        paths[name].write_text(pem)
    moment = str(datetime(2026, 1, 1, tzinfo=UTC).timestamp()).split(".")[0]
    options = ["-x509_strict", "-attime", moment, "-purpose", "sslserver", "-verify_hostname", "localhost"]
    openssl(
        "verify",
        *options,
        "-CAfile",
        str(paths["root"]),
        "-untrusted",
        str(paths["chain"]),
        str(paths["leaf"]),
    )
