"""Several requests on a connection, upgrades, expectations, and ends that come early."""

from __future__ import annotations

from tests.hardening.probes.probe import CHUNKED, CLOSE, HOST, LENGTH, Probe, chunks, more, post

_UPGRADE = b"Connection: Upgrade\r\nUpgrade: "
_GO_ON = b"Expect: 100-continue"

PROBES = [
    Probe("pipelined", b"".join(more(path=b"/%d" % n) for n in range(5)), " ".join(f"200 GET /{n}  0" for n in range(5))),
    Probe("pipelined by the hundred", more() * 300, " ".join(["200 GET /a  0"] * 300)),
    Probe("pipelined with empty lines between", (more() + b"\r\n") * 5, " ".join(["200 GET /a  0"] * 5)),
    Probe("pipelined, two versions", more() + b"GET /b HTTP/1.0\r\n\r\n" + more(), "200 GET /a  0 200 GET /b  0"),
    Probe(
        "pipelined behind a delay",
        b"".join(more(path=path) for path in (b"/a", b"/slow", b"/b", b"/slow", b"/c")),
        "200 GET /a  0 200 GET /slow  0 200 GET /b  0 200 GET /slow  0 200 GET /c  0",
    ),
    Probe("more than may wait behind a delay", more(path=b"/slow") + more() * 100, "200 GET /slow  0( 200 GET /a  0){100}"),
    Probe(
        "more bodies than may wait behind a delay",
        more(path=b"/slow") + more(LENGTH + b"900", body=b"x" * 900, method=b"POST") * 20,
        "200 GET /slow  0( 200 POST /a  900){20}",
    ),
    Probe(
        "pipelined with bodies",
        (b"POST /x HTTP/1.1\r\n" + HOST + LENGTH + b"5\r\n\r\nhello") * 3,
        "200 POST /x  5 200 POST /x  5 200 POST /x  5",
    ),
    Probe(
        "pipelined with chunks",
        more(CHUNKED, body=chunks(b"abc", b"de"), method=b"POST") * 3,
        "200 POST /a  5 200 POST /a  5 200 POST /a  5",
    ),
    Probe("a broken one at the end", more() + b"GET /b HTTP/1.1\r\n\r\n" + more(), "200 GET /a  0 400 the Host header is missing"),
    Probe("a broken line at the end", more() + b"GET  /b HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 GET /a  0 400 .*"),
    Probe("a line that is right and its broken twin", more() + more().replace(b" /a", b"  /a"), "200 GET /a  0 400 .*"),
    Probe("a broken one behind a body", more(LENGTH + b"5", body=b"hello", method=b"POST") + b"\0", "200 POST /a  5 400 .*"),
    Probe("a broken one behind a body of its words", more(LENGTH + b"16", body=b"GET /a HTTP/1.1\r", method=b"POST") + b"GET  /a HTTP/1.1\r\n" + CLOSE + b"\r\n", "200 POST /a  16 400 .*"),
    Probe("a broken one behind a delay", more(path=b"/slow") + more() + b"nonsense\r\n\r\n", "200 GET /slow  0 200 GET /a  0 400 .*"),
    Probe("a large one behind a delay", more(path=b"/slow") + more(LENGTH + b"2000", method=b"POST"), "200 GET /slow  0 413 .*"),
    Probe("half a one behind a delay", more(path=b"/slow") + b"GET /a HT", "200 GET /slow  0"),
    Probe("nothing after a close", b"GET /a HTTP/1.1\r\n" + CLOSE + b"\r\n" + more(path=b"/b"), "200 GET /a  0"),
    Probe("nothing after a close, in capitals", more(b"CONNECTION: CLOSE") + more(path=b"/b"), "200 GET /a  0"),
    Probe("nothing after a close in a list", more(b"Connection: keep-alive, close") + more(path=b"/b"), "200 GET /a  0"),
    Probe("noise after a close", more(b"Connection: close") + bytes(range(256)), "200 GET /a  0"),
    Probe("noise after a request", more() + bytes(range(256)), "200 GET /a  0 400 .*"),
    Probe("1.0 closes", b"GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n", "200 GET /a  0"),
    Probe(
        "1.0 that stays",
        b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
        "200 GET /a  0 200 GET /b  0",
    ),
    # Other protocols
    Probe(
        "an upgrade is ignored",
        more(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__") + more(path=b"/b"),
        "200 GET /a  0 200 GET /b  0",
    ),
    Probe("an upgrade and no connection", more(b"Upgrade: h2c") + more(path=b"/b"), "200 GET /a  0 200 GET /b  0"),
    Probe("an upgrade to nothing", more(_UPGRADE) + more(path=b"/b"), "200 GET /a  0 200 GET /b  0"),
    Probe("an upgrade to many", more(_UPGRADE + b"h2c, websocket, x/1") + more(path=b"/b"), "200 GET /a  0 200 GET /b  0"),
    Probe(
        "an upgrade with a body",
        more(_UPGRADE + b"h2c", LENGTH + b"5", body=b"hello", method=b"POST") + more(path=b"/b"),
        "200 POST /a  5 200 GET /b  0",
    ),
    Probe("an upgrade with too large a body", more(_UPGRADE + b"h2c", LENGTH + b"1001", method=b"POST"), "413 .*"),
    Probe(
        "an upgrade with chunks that is told to go on",
        more(_UPGRADE + b"h2c", _GO_ON, CHUNKED, body=chunks(b"abc"), method=b"POST") + more(path=b"/b"),
        "100 200 POST /a  3 200 GET /b  0",
    ),
    Probe(
        "an upgrade to be refused",
        b"POST /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + more(path=b"/b"),
        "400 the Host header is missing",
    ),
    Probe("an upgrade with two spaces", more(_UPGRADE + b"h2c").replace(b" /a", b"  /a"), "400 .*"),
    Probe(
        "an upgrade of a connection, through a tunnel",
        b"CONNECT a:1 HTTP/1.1\r\n" + HOST + _UPGRADE + b"h2c\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "400 .*",
    ),
    Probe("an upgrade behind a delay", more(path=b"/slow") + more(_UPGRADE + b"websocket"), "200 GET /slow  0 200 GET /a  0"),
    Probe(
        "a WebSocket handshake",
        more(_UPGRADE + b"websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
        + b"\x81\x85....",
        "200 GET /a  0 400 .*",
    ),
    # Expectations
    Probe("expecting to go on", post(LENGTH + b"5", _GO_ON, body=b"hello"), "100 200 POST /x  5"),
    Probe("expecting to go on, in capitals", post(LENGTH + b"5", b"EXPECT: 100-CONTINUE", body=b"hello"), "100 200 POST /x  5"),
    Probe("expecting to go on with chunks", post(CHUNKED, _GO_ON, body=chunks(b"abc")), "100 200 POST /x  3"),
    Probe("expecting to go on without a body", post(_GO_ON), "200 POST /x  0"),
    Probe("expecting to go on with nothing", post(LENGTH + b"0", _GO_ON), "200 POST /x  0"),
    Probe("expecting twice", post(LENGTH + b"5", _GO_ON, _GO_ON, body=b"hello"), "(100 )?200 POST /x  5|417 .*"),
    Probe("expecting, in 1.0", b"POST /x HTTP/1.0\r\n" + _GO_ON + b"\r\n" + LENGTH + b"2\r\n\r\nhi", "200 POST /x  2"),
    Probe("expecting too much", post(LENGTH + b"2000", _GO_ON), "413 .*"),
    Probe("expecting with a length and chunks", post(LENGTH + b"5", CHUNKED, _GO_ON), "400 .*"),
    Probe("expecting something else", post(LENGTH + b"2", b"Expect: tea", body=b"hi"), "200 POST /x  2|417 .*"),
    Probe("expecting to go on behind a delay", more(path=b"/slow") + post(LENGTH + b"5", _GO_ON, body=b"hello"), "200 GET /slow  0 (100 )?200 POST /x  5"),
    Probe("expecting and leaving", post(LENGTH + b"5", _GO_ON), "100"),
]  # fmt: skip
