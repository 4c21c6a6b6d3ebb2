"""A TLS server that presents the mock certificate is believed by a client that trusts the mock root."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mockserver.providers.x509 import Authority, Leaf, not_before

# The handshake checks dates against the machine's clock, so the leaf is as long-lived as the CAs.
WHOLE_AGE_MS = 8_000 * 365 * 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("seed")


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Leaf:
    return authority.leaf(identity="id", not_before_ms=not_before(0), lifetime_ms=WHOLE_AGE_MS)


def context(purpose: ssl._SSLMethod, leaf: Leaf, root: str, folder: Path) -> ssl.SSLContext:
    """A side that presents leaf and chain, and trusts the root alone, by the strictest rules."""
    assert leaf.private_key is not None
    (folder / "chain.pem").write_text(f"{leaf.certificate}\n{leaf.chain}\n")
    (folder / "key.pem").write_text(leaf.private_key)
    made = ssl.SSLContext(purpose)
    made.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    made.load_verify_locations(cadata=root)
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """A whole handshake between two ends in memory; the client's end, or the error of the failing one."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    return ends[0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_handshake(
    authority: Authority, leaf: Leaf, tmp_path: Path, host: str, version: ssl.TLSVersion
) -> None:
    client = context(ssl.PROTOCOL_TLS_CLIENT, leaf, authority.root_pem, tmp_path)
    server = context(ssl.PROTOCOL_TLS_SERVER, leaf, authority.root_pem, tmp_path)
    client.minimum_version = client.maximum_version = version
    end = shake_hands(client, server, host)
    presented = end.getpeercert()
    assert presented is not None
    assert presented["serialNumber"] == leaf.serial_number.upper()


def test_another_name_or_another_root_is_refused(authority: Authority, leaf: Leaf, tmp_path: Path) -> None:
    server = context(ssl.PROTOCOL_TLS_SERVER, leaf, authority.root_pem, tmp_path)
    client = context(ssl.PROTOCOL_TLS_CLIENT, leaf, authority.root_pem, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(client, server, "example.com")
    stranger = context(ssl.PROTOCOL_TLS_CLIENT, leaf, Authority("other").root_pem, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(stranger, server, "localhost")
