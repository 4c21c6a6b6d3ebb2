"""Framing that two readers could read in two ways (RFC 9112 section 6.3 and 11.2)."""

from __future__ import annotations

from tests.hardening.probes.probe import CHUNKED, END, HOST, LENGTH, Probe, bare, more, post

_HIDDEN = b"GET /hidden HTTP/1.1\r\n" + HOST + b"\r\n"
_CODINGS = [
    b"xchunked", b"chunkedx", b"chunked;", b"chunked, ", b"chunked, chunked", b"gzip", b"gzip, chunked", b"chunked, gzip",
    b"identity", b"identity, chunked", b"chunked, identity", b'"chunked"', b"'chunked'", b"chunk", b"chunked chunked",
    b"cow", b"\x0bchunked", b"\x00chunked", b"chunked\x00", b"chun\xc3\xb6ed", b"\xa0chunked", b"", b",", b"compress",
]  # fmt: skip

PROBES = [
    Probe("length and chunks", post(LENGTH + b"5", CHUNKED, body=END), "400 .*"),
    Probe("chunks and length", post(CHUNKED, LENGTH + b"5", body=END), "400 .*"),
    Probe("length of nothing and chunks", post(LENGTH + b"0", CHUNKED, body=END), "400 .*"),
    Probe("length and chunks, apart", post(LENGTH + b"5", b"X: y", CHUNKED, body=END), "400 .*"),
    Probe("length and chunks in capitals", post(b"CONTENT-LENGTH: 5", b"TRANSFER-ENCODING: CHUNKED", body=END), "400 .*"),
    Probe("length and another coding", post(LENGTH + b"5", b"Transfer-Encoding: gzip", body=b"hello"), "400 .*"),
    Probe("length and no coding", post(LENGTH + b"5", b"Transfer-Encoding: identity", body=b"hello"), "400 .*"),
    Probe("length, chunks and what they hide", post(LENGTH + b"%d" % (5 + len(_HIDDEN)), CHUNKED, body=END + _HIDDEN), "400 .*"),
    Probe("chunks, length and what they hide", post(CHUNKED, LENGTH + b"3", body=b"8\r\nhidden!!\r\n" + END + _HIDDEN), "400 .*"),
    Probe("length and chunks in 1.0", b"POST /x HTTP/1.0\r\n" + LENGTH + b"5\r\n" + CHUNKED + b"\r\n\r\n" + END, "400 .*"),
    Probe("length and chunks of GET", more(LENGTH + b"5", CHUNKED, body=END), "400 .*"),
    Probe("two lengths", post(LENGTH + b"5", LENGTH + b"5", body=b"hello"), "400 .*"),
    Probe("two other lengths", post(LENGTH + b"5", LENGTH + b"6", body=b"hello!"), "400 .*"),
    Probe("two lengths, one of nothing", post(LENGTH + b"0", LENGTH + b"5", body=b"hello"), "400 .*"),
    Probe("two lengths in other letters", post(LENGTH + b"5", b"content-length: 5", body=b"hello"), "400 .*"),
    Probe("two codings", post(CHUNKED, CHUNKED, body=END), "400 .*"),
    Probe("two other codings", post(CHUNKED, b"Transfer-Encoding: identity", body=END), "400 .*"),
    Probe("two other codings, chunked last", post(b"Transfer-Encoding: identity", CHUNKED, body=END), "(400|501) .*"),
    *(Probe(f"a coding like {each!r}", post(b"Transfer-Encoding: " + each, body=END), "(400|501) .*") for each in _CODINGS),
    Probe("a coding with a tab", post(b"Transfer-Encoding:\tchunked", body=END), "200 POST /x  0|(400|501) .*"),
    Probe("a coding without a space", post(b"Transfer-Encoding:chunked", body=END), "200 POST /x  0"),
    Probe("a coding in spaces", post(b"Transfer-Encoding:   chunked   ", body=END), "200 POST /x  0|(400|501) .*"),
    Probe("chunked in capitals", post(b"Transfer-Encoding: Chunked", body=END), "200 POST /x  0"),
    Probe("a space before the colon of a coding", post(b"Transfer-Encoding : chunked", body=END), "400 .*"),
    Probe("a space before the colon of a length", post(b"Content-Length : 5", body=b"hello"), "400 .*"),
    Probe("a space before the name of a coding", post(b" Transfer-Encoding: chunked", body=END), "400 .*"),
    Probe("a CR before the name of a coding", post(b"\rTransfer-Encoding: chunked", body=END), "400 .*"),
    Probe("a LF before the name of a coding", post(b"X: y\nTransfer-Encoding: chunked", body=END), "400 .*"),
    Probe("a NUL before the name of a coding", post(b"\0Transfer-Encoding: chunked", body=END), "400 .*"),
    Probe("an underscore for a hyphen", post(b"Transfer_Encoding: chunked", LENGTH + b"5", body=b"hello"), "200 POST /x  5"),
    Probe("an underscore in a length", post(b"Content_Length: 5"), "200 POST /x  0"),
    Probe("a coding in the value of another", post(b"X: y\r\nTransfer-Encoding: chunked", LENGTH + b"5", body=END), "400 .*"),
    Probe("chunks in 1.0", b"POST /x HTTP/1.0\r\n" + CHUNKED + b"\r\n\r\n" + END, "400 .*"),
    Probe("chunks in 1.0 that stays", b"POST /x HTTP/1.0\r\nConnection: keep-alive\r\n" + CHUNKED + b"\r\n\r\n" + END + _HIDDEN, "400 .*"),
    Probe("another coding in 1.0", b"POST /x HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n" + END, "400 .*"),
    Probe("a length that hides a request", post(LENGTH + b"0") + _HIDDEN, "200 POST /x  0"),
    Probe(
        "a body that hides a request",
        more(LENGTH + b"%d" % len(_HIDDEN), body=_HIDDEN, method=b"POST") + more(b"Connection: close"),
        f"200 POST /a  {len(_HIDDEN)} 200 GET /a  0",
    ),
    Probe(
        "a body that ends as the request before it",
        more() + more(LENGTH + b"%d" % len(_HIDDEN), body=_HIDDEN, method=b"POST") + more(b"Connection: close"),
        f"200 GET /a  0 200 POST /a  {len(_HIDDEN)} 200 GET /a  0",
    ),
    Probe(
        "chunks that hide a request",
        more(CHUNKED, body=b"%x\r\n%b\r\n" % (len(_HIDDEN), _HIDDEN) + END, method=b"POST") + more(b"Connection: close"),
        f"200 POST /a  {len(_HIDDEN)} 200 GET /a  0",
    ),
    Probe("a request in a chunk's extension", post(CHUNKED, body=b"1;" + _HIDDEN + b"x\r\n" + END), "400 .*"),
    Probe("a request behind a chunk's line", post(CHUNKED, body=b"0\r\n" + _HIDDEN), "400 .*"),
    Probe("a request behind the last chunk's bare LF", post(CHUNKED, body=b"0\r\n\n" + _HIDDEN), "400 .*"),
    Probe("two first lines", bare(b"GET /a HTTP/1.1", b"GET /hidden HTTP/1.1", b"Host: a"), "400 .*"),
    Probe("a first line in a field", bare(b"GET /a HTTP/1.1", b"Host: a", b"Connection: close", b"GET /hidden: HTTP/1.1"), "400 .*"),
    Probe("a field in the target", bare(b"GET /a HTTP/1.1\rHost: b", b"Host: a"), "400 .*"),
    Probe("a length of GET that is not there", more(LENGTH + b"5") + _HIDDEN[:5] + more(b"Connection: close"), "200 GET /a  5 200 GET /a  0"),
    Probe("a connection that names a length", post(b"Connection: Content-Length", LENGTH + b"5", body=b"hello"), "200 POST /x  5"),
    Probe("an upgrade to h2c with a length and chunks", post(b"Connection: Upgrade", b"Upgrade: h2c", LENGTH + b"5", CHUNKED, body=END), "400 .*"),
]  # fmt: skip
