"""Header fields: names, values, folds, numbers and sizes (RFC 9112 section 5)."""

from __future__ import annotations

from tests.hardening.probes.probe import CLOSE, HOST, LIMITS, Probe, get

_SPECIAL = b'()<>@,;\\"/[]?={}'
_BAD = [0, *range(1, 9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]
_MANY = LIMITS.headers - 2
_ROOM = LIMITS.head - len("/a") - len("HostlocalhostConnectioncloseX") - 3 * 4
"""Octets of one field's value that fill a head."""

PROBES = [
    # Names
    Probe("space before the colon", get(b"/a", b"X : y"), "400 .*"),
    Probe("tab before the colon", get(b"/a", b"X\t: y"), "400 .*"),
    Probe("space in a name", get(b"/a", b"X Y: z"), "400 .*"),
    Probe("no colon", get(b"/a", b"nothing"), "400 .*"),
    Probe("no name", get(b"/a", b": y"), "400 .*"),
    Probe("a colon alone", get(b"/a", b":"), "400 .*"),
    Probe("NUL in a name", get(b"/a", b"X\0: b"), "400 .*"),
    Probe("bytes above 127 in a name", get(b"/a", b"\xc3\xa9: b"), "400 .*"),
    Probe("CR in a name", get(b"/a", b"X\rY: b"), "400 .*"),
    *(Probe(f"{each:c} in a name", get(b"/a", b"X%cY: z" % each), "400 .*") for each in _SPECIAL),
    Probe("every sign that a name may have", get(b"/a", b"!#$%&'*+-.^_`|~09azAZ: y"), "200 GET /a  0"),
    Probe("a name without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"y" * 1_000_000, "431 .*"),
    Probe("a name without an end at once", b"GET /a HTTP/1.1\r\n" + b"y" * 1_000_000, "431 .*"),
    # Values
    *(Probe(f"control {each:#04x} in a value", get(b"/a", b"X: a%cb" % each), "400 .*") for each in _BAD),
    Probe("tab in a value", get(b"/a", b"X: a\tb"), "200 GET /a  0"),
    Probe("bare CR in a value", get(b"/a", b"X: a\rb"), "400 .*"),
    Probe("bare LF in a value", get(b"/a", b"X: a\nb"), "400 .*"),
    Probe("bare LF after a field", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\n\r\n", "400 .*"),
    Probe("bare LF as the end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\r\n\n", "400 .*"),
    Probe("bare CR as the end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\r\n\rX", "400 .*"),
    Probe("two CRs at the end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\r\n\r\r\n", "400 .*"),
    Probe("an empty value", get(b"/a", b"X:"), "200 GET /a  0"),
    Probe("a value of spaces", get(b"/a", b"X:" + b" " * 100), "200 GET /a  0"),
    Probe("bytes above 127", get(b"/a", b"X: \xff\xfe"), "200 GET /a  0"),
    Probe("a value of colons", get(b"/a", b"X:::::"), "200 GET /a  0"),
    # Folds
    Probe("obs-fold", get(b"/a", b"X: a\r\n b"), "400 .*"),
    Probe("obs-fold by a tab", get(b"/a", b"X: a\r\n\tb"), "400 .*"),
    Probe("obs-fold of nothing", get(b"/a", b"X:\r\n b"), "400 .*"),
    Probe("obs-fold of spaces", get(b"/a", b"X: a\r\n   "), "400 .*"),
    Probe("obs-fold of a length", get(b"/a", b"Content-Length: 1\r\n 0"), "400 .*"),
    Probe("obs-fold of a coding", get(b"/a", b"Transfer-Encoding:\r\n chunked"), "400 .*"),
    Probe("a fold first", b"GET /a HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n", "400 .*"),
    Probe("a tab first", b"GET /a HTTP/1.1\r\n\tX: a\r\n" + HOST + b"\r\n", "400 .*"),
    # Numbers and sizes
    Probe("fields at the limit", get(b"/a", *[b"X: y"] * _MANY), "200 GET /a  0"),
    Probe("one field too many", get(b"/a", *[b"X: y"] * (_MANY + 1)), "431 .*20.*"),
    Probe("other fields too many", get(b"/a", *[b"X-%d: y" % n for n in range(_MANY + 1)]), "431 .*20.*"),
    Probe("empty fields too many", get(b"/a", *[b"X:"] * (_MANY + 1)), "431 .*20.*"),
    Probe("a head at the limit", get(b"/a", b"X: " + b"y" * _ROOM), "200 GET /a  0"),
    Probe("one byte over it", get(b"/a", b"X: " + b"y" * (_ROOM + 1)), "431 .*2,000 bytes"),
    Probe("a target that makes it over", get(b"/ab", b"X: " + b"y" * _ROOM), "431 .*2,000 bytes"),
    Probe("a long name", get(b"/a", b"X" * 2000 + b": y"), "431 .*"),
    Probe("long fields", get(b"/a", *[b"X: " + b"y" * 300] * 10), "431 .*"),
    Probe("a field without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: " + b"y" * 1_000_000, "431 .*"),
    Probe("a value of spaces without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X:" + b" " * 1_000_000, "431 .*"),
    Probe("fields without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X: y\r\n" * 100_000, "431 .*"),
    Probe("empty fields without an end", b"GET /a HTTP/1.1\r\n" + CLOSE + b"X:\r\n" * 100_000, "431 .*"),
    # Fields that are ours
    Probe("a broken namespace", get(b"/a", b"X-Mock-Namespace: a/b"), "200 GET /a  0"),
    Probe("a broken preference", get(b"/a", b"Prefer: code=;=,\"; wait=-1"), "200 GET /a  0"),
    Probe("two authorizations", get(b"/a", b"Authorization: a", b"Authorization: b"), "200 GET /a  0"),
    Probe("a broken authorization", get(b"/a", b"Authorization: Basic %%%"), "200 GET /a  0"),
    Probe("a broken type", get(b"/a", b"Content-Type: ;/;=\""), "200 GET /a  0"),
    Probe("a broken range", get(b"/a", b"Range: bytes=9-1,-"), "200 GET /a  0"),
    Probe("a broken Accept", get(b"/a", b"Accept: */json;q=nan,;,"), "200 GET /a  0"),
    Probe("broken cookies", get(b"/a", b"Cookie: =;;a=\"b; c"), "200 GET /a  0"),
    Probe("connection of everything", get(b"/a", b"Connection: Host, X, keep-alive"), "200 GET /a  0"),
    Probe("half a head", b"GET /a HTTP/1.1\r\n" + HOST, "|400 .*"),
    Probe("half a field", b"GET /a HTTP/1.1\r\n" + HOST + b"X", "|400 .*"),
]  # fmt: skip
