"""Bodies by length and by chunks (RFC 9112 sections 6 and 7)."""

from __future__ import annotations

from tests.hardening.probes.probe import CHUNKED, CLOSE, END, LENGTH, LIMITS, Probe, chunks, get, post

_MOST = LIMITS.body
_HEX = f"{_MOST:x}".encode()
_NO_LENGTH = [
    b"-1", b"-0", b"+5", b"five", b"5, 5", b"5,6", b"5 5", b"5;", b"5.0", b"5e0", b"0x5", b"0b1", b"5_0", b"\xb2",
    b"5\x00", b"5\xa0", b"'5'", b'"5"', b",5", b"NaN",
]  # fmt: skip
_NO_CHUNK = [
    b"zz", b"-1", b"+3", b"0x3", b"3 ", b" 3", b"3\t", b"3.0", b"3,3", b"3_", b"g", b"", b"\xb3", b"3\x00", b"f" * 30,
    b"1" + b"0" * 16,
]  # fmt: skip

PROBES = [
    # By length
    Probe("no body", post(LENGTH + b"0"), "200 POST /x  0"),
    Probe("no length", post(), "200 POST /x  0"),
    Probe("a body", post(LENGTH + b"5", body=b"hello"), "200 POST /x  5"),
    Probe("a body of NULs", post(LENGTH + b"5", body=b"\0" * 5), "200 POST /x  5"),
    Probe("a body of line breaks", post(LENGTH + b"6", body=b"\r\n\r\n\r\n"), "200 POST /x  6"),
    Probe("a body that looks like a request", post(LENGTH + b"23", body=b"GET / HTTP/1.1\r\nHost: "[:23]), "200 POST /x  23|"),
    Probe("a body at the limit", post(LENGTH + b"%d" % _MOST, body=b"x" * _MOST), f"200 POST /x  {_MOST}"),
    Probe("one byte more", post(LENGTH + b"%d" % (_MOST + 1), body=b"x" * (_MOST + 1)), "413 .*1,000 bytes"),
    Probe("one byte more said, none sent", post(LENGTH + b"%d" % (_MOST + 1)), "413 .*1,000 bytes"),
    Probe("zeroes before a length", post(LENGTH + b"0000000005", body=b"hello"), "200 POST /x  5"),
    Probe("many zeroes before a length", post(LENGTH + b"0" * 300 + b"5", body=b"hello"), "200 POST /x  5|400 .*"),
    Probe("a length in spaces", post(LENGTH + b"  5  ", body=b"hello"), "200 POST /x  5"),
    Probe("a huge length", post(LENGTH + b"9" * 18), "413 .*|400 .*"),
    Probe("a length of 2 to the 32nd", post(LENGTH + b"4294967296"), "413 .*"),
    Probe("a length of 2 to the 63rd", post(LENGTH + b"9223372036854775808"), "413 .*|400 .*"),
    Probe("a length of 2 to the 64th and 5", post(LENGTH + b"18446744073709551621", body=b"hello"), "413 .*|400 .*"),
    Probe("a length that overflows", post(LENGTH + b"9" * 40), "413 .*|400 .*"),
    *(Probe(f"a length like {each!r}", post(LENGTH + each, body=b"hello"), "400 .*") for each in _NO_LENGTH),
    Probe("an empty length", post(LENGTH, body=b""), "400 .*|200 POST /x  0"),
    Probe("a body of GET", get(b"/a", LENGTH + b"2") + b"hi", "200 GET /a  2"),
    Probe("a body of DELETE", get(b"/a", LENGTH + b"2", method=b"DELETE") + b"hi", "200 DELETE /a  2"),
    Probe("a body of 1.0", b"POST /x HTTP/1.0\r\n" + LENGTH + b"5\r\n\r\nhello", "200 POST /x  5"),
    Probe("a body of 1.0 until the end", b"POST /x HTTP/1.0\r\n\r\nhello", "200 POST /x  0.*"),
    Probe("half a body", post(LENGTH + b"10", body=b"hello"), "|400 .*"),
    Probe("no byte of a body", post(LENGTH + b"10"), "|400 .*"),
    # By chunks
    Probe("chunks", post(CHUNKED, body=chunks(b"abc", b"de")), "200 POST /x  5"),
    Probe("no chunks", post(CHUNKED, body=END), "200 POST /x  0"),
    Probe("chunks of one byte", post(CHUNKED, body=chunks(*[b"x"] * _MOST)), f"200 POST /x  {_MOST}"),
    Probe("chunks of one byte, one more", post(CHUNKED, body=chunks(*[b"x"] * (_MOST + 1))), "413 .*"),
    Probe("a chunk at the limit", post(CHUNKED, body=chunks(b"x" * _MOST)), f"200 POST /x  {_MOST}"),
    Probe("a chunk over it", post(CHUNKED, body=chunks(b"x" * (_MOST + 1))), "413 .*"),
    Probe("chunks over it", post(CHUNKED, body=b"1\r\nx\r\n" + _HEX + b"\r\n" + b"x" * _MOST + b"\r\n" + END), "413 .*"),
    Probe("chunks without an end", post(CHUNKED, body=b"1\r\nx\r\n" * 200_000), "413 .*"),
    Probe("a chunk without an end", post(CHUNKED, body=b"ffffff\r\n" + b"x" * 1_000_000), "413 .*"),
    Probe("a chunk in capitals", post(CHUNKED, body=b"A\r\n0123456789\r\n" + END), "200 POST /x  10"),
    Probe("zeroes before a chunk", post(CHUNKED, body=b"0003\r\nabc\r\n" + END), "200 POST /x  3"),
    Probe("zeroes for the last chunk", post(CHUNKED, body=b"3\r\nabc\r\n0000\r\n\r\n"), "200 POST /x  3"),
    Probe("chunk extensions", post(CHUNKED, body=b'3;a=b;c="d"\r\nabc\r\n' + END), "200 POST /x  3|400 .*"),
    Probe("a chunk extension without a name", post(CHUNKED, body=b"3;\r\nabc\r\n" + END), "200 POST /x  3|400 .*"),
    Probe("a chunk extension with a line break", post(CHUNKED, body=b"3;a\nb\r\nabc\r\n" + END), "400 .*"),
    Probe("a chunk extension with a bare CR", post(CHUNKED, body=b"3;a\rb\r\nabc\r\n" + END), "400 .*"),
    Probe("a chunk extension with NUL", post(CHUNKED, body=b"3;a\0b\r\nabc\r\n" + END), "400 .*"),
    Probe("a chunk extension without an end", post(CHUNKED, body=b"3;" + b"a" * 1_000_000), "(400|413|431) .*"),
    Probe("chunk extensions without an end", post(CHUNKED, body=b"1;a=b\r\nx\r\n" * 100_000), "(400|413) .*"),
    *(Probe(f"a chunk like {each!r}", post(CHUNKED, body=each + b"\r\nabc\r\n" + END), "(400|413) .*") for each in _NO_CHUNK),
    Probe("a chunk of 2 to the 63rd", post(CHUNKED, body=b"8" + b"0" * 15 + b"\r\nabc\r\n" + END), "|(400|413) .*"),
    Probe("a chunk longer than said", post(CHUNKED, body=b"3\r\nabcdef\r\n" + END), "400 .*"),
    Probe("a chunk shorter than said", post(CHUNKED, body=b"5\r\nabc\r\n" + END), "400 .*"),
    Probe("a chunk without its line break", post(CHUNKED, body=b"3\r\nabc" + END), "400 .*"),
    Probe("a chunk size without an end", post(CHUNKED, body=b"1" * 1_000_000), "(400|413) .*"),
    Probe("zeroes without an end", post(CHUNKED, body=b"0" * 1_000_000), "(400|413|431) .*"),
    Probe("bare LF after a chunk size", post(CHUNKED, body=b"3\nabc\r\n" + END), "400 .*"),
    Probe("bare LF after a chunk", post(CHUNKED, body=b"3\r\nabc\n" + END), "400 .*"),
    Probe("bare LF after the last chunk", post(CHUNKED, body=b"3\r\nabc\r\n0\n\n"), "400 .*"),
    Probe("bare CR after a chunk size", post(CHUNKED, body=b"3\rabc\r\n" + END), "400 .*"),
    Probe("half a chunk", post(CHUNKED, body=b"a\r\nhello"), "|400 .*"),
    Probe("no last chunk", post(CHUNKED, body=b"3\r\nabc\r\n"), "|400 .*"),
    Probe("half the last chunk", post(CHUNKED, body=b"3\r\nabc\r\n0\r\n"), "|400 .*"),
    # Trailers
    Probe("a trailer", post(CHUNKED, body=b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"), "200 POST /x  3"),
    Probe("a host as trailer", post(CHUNKED, body=b"3\r\nabc\r\n0\r\nHost: other\r\n\r\n"), "200 POST /x  3|400 .*"),
    Probe("a length as trailer", post(CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n"), "200 POST /x  0|400 .*"),
    Probe("a coding as trailer", post(CHUNKED, body=b"0\r\nTransfer-Encoding: chunked\r\n\r\n"), "200 POST /x  0|400 .*"),
    Probe("a trailer that is none", post(CHUNKED, body=b"0\r\nnothing\r\n\r\n"), "400 .*"),
    Probe("a trailer with NUL", post(CHUNKED, body=b"0\r\nX: \0\r\n\r\n"), "400 .*"),
    Probe("a trailer with bare LF", post(CHUNKED, body=b"0\r\nX: y\n\r\n"), "400 .*"),
    Probe("a folded trailer", post(CHUNKED, body=b"0\r\nX: y\r\n z\r\n\r\n"), "400 .*"),
    Probe("trailers without an end", post(CHUNKED, body=b"0\r\n" + b"X: y\r\n" * 100_000), "(400|413|431) .*"),
    Probe("a trailer without an end", post(CHUNKED, body=b"0\r\nX: " + b"y" * 1_000_000), "(400|413|431) .*"),
    Probe("what is compressed and is not", post(b"Content-Encoding: gzip", LENGTH + b"5", body=b"hello"), "200 POST /x  5"),
    Probe("JSON that is none", post(b"Content-Type: application/json", LENGTH + b"5", body=b"{\xff\0}}"), "200 POST /x  5"),
    Probe("a form that is none", post(b"Content-Type: multipart/form-data", LENGTH + b"5", body=b"--\r\n-"), "200 POST /x  5"),
    Probe("a body after a close", b"GET /a HTTP/1.1\r\n" + CLOSE + b"\r\nhello", "200 GET /a  0"),
]  # fmt: skip
