"""Host: missing, given twice, or not one (RFC 9112 section 3.2, RFC 9110 section 7.2)."""

from __future__ import annotations

from tests.hardening.probes.probe import HOST, Probe, bare

_GET, _CLOSE = b"GET /a HTTP/1.1", b"Connection: close"
_NONE = [
    b"a, b", b"a b", b"a/b", b"a?b", b"a#b", b"me@a", b"me:it@a", b"a:b", b"a:-1", b"a:123456", b"a:1:2", b":a",
    b"<a>", b"[::1", b"::1", b"[::1]x", b"[::1]:x", b"[]", b"[g::1]", b"a\\b", b'"a"', b"a|b", b"a^b", b"http://a",
    b"a%zz", b"a%", b"a\tb", b"a%00%", b"\xc3\xa9", b"a\x80", b"{a}",
]  # fmt: skip

PROBES = [
    Probe("no host", bare(_GET), "400 the Host header is missing"),
    Probe("no host but other fields", bare(_GET, b"X-Host: a", b"Accept: */*"), "400 the Host header is missing"),
    Probe("two hosts", b"GET /a HTTP/1.1\r\n" + HOST * 2 + b"\r\n", "400 .*occurs twice"),
    Probe("two other hosts", bare(_GET, b"Host: a", b"Host: b"), "400 .*occurs twice"),
    Probe("two hosts apart", bare(_GET, b"Host: a", b"X: y", b"hOST: a"), "400 .*occurs twice"),
    Probe("two empty hosts", bare(_GET, b"Host:", b"Host:"), "400 .*occurs twice"),
    Probe("three hosts", b"GET /a HTTP/1.1\r\n" + HOST * 3 + b"\r\n", "400 .*occurs twice"),
    Probe("two hosts in 1.0", b"GET /a HTTP/1.0\r\n" + HOST * 2 + b"\r\n", "400 .*occurs twice"),
    *(Probe(f"a host like {each!r}", bare(_GET, b"Host: " + each, _CLOSE), "400 .*") for each in _NONE),
    Probe("bad host in 1.0", bare(b"GET /a HTTP/1.0", b"Host: a b"), "400 .*is not a valid host"),
    Probe("bad host and an absolute target", bare(b"GET http://a/ HTTP/1.1", b"Host: a b"), "400 .*is not a valid host"),
    Probe("NUL in a host", bare(_GET, b"Host: a\0b"), "400 .*"),
    Probe("a host that goes on in a second line", bare(_GET, b"Host: a", b" b"), "400 .*"),
    Probe("a space before the colon of a host", bare(_GET, b"Host : a"), "400 .*"),
    Probe("a long host", bare(_GET, b"Host: " + b"a" * 5000), "431 .*"),
    Probe("a host and a port", bare(_GET, b"Host: a:65535", _CLOSE), "200 GET /a  0"),
    Probe("a host and no port", bare(_GET, b"Host: a:", _CLOSE), "200 GET /a  0"),
    Probe("an address as host", bare(_GET, b"Host: [::1]:80", _CLOSE), "200 GET /a  0"),
    Probe("an empty host", bare(_GET, b"Host:", _CLOSE), "200 GET /a  0"),
    Probe("a host in spaces", bare(_GET, b"Host:   a   ", _CLOSE), "200 GET /a  0"),
    Probe("a host in capitals", bare(_GET, b"HOST: A", _CLOSE), "200 GET /a  0"),
    Probe("a host with escapes", bare(_GET, b"Host: a%41", _CLOSE), "200 GET /a  0"),
]  # fmt: skip
