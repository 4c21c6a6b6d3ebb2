"""Request targets: forms, escapes and characters (RFC 9112 section 3.2, RFC 3986)."""

from __future__ import annotations

from tests.hardening.probes.probe import Probe, bare, get

_CONTROLS = [*range(1, 9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]
_ODD = b'"<>\\^`{|}[]'

PROBES = [
    # Escapes: the connection hands them over as they are
    Probe("broken escape", get(b"/%zz"), "200 GET /%zz  0"),
    Probe("half an escape", get(b"/%a"), "200 GET /%a  0"),
    Probe("a percent sign", get(b"/%"), "200 GET /%  0"),
    Probe("escaped NUL", get(b"/%00"), "200 GET /%00  0"),
    Probe("escaped no UTF-8", get(b"/%ff"), "200 GET /%ff  0"),
    Probe("escaped overlong", get(b"/%c0%af"), "200 GET /%c0%af  0"),
    Probe("escaped surrogate", get(b"/%ed%a0%80"), "200 GET /%ed%a0%80  0"),
    Probe("escaped slash", get(b"/a%2fb"), "200 GET /a%2fb  0"),
    Probe("escaped dots", get(b"/%2e%2e/%2e%2e/etc/passwd"), "200 GET /%2e%2e/%2e%2e/etc/passwd  0"),
    Probe("escaped line break", get(b"/%0d%0aX:%20y"), "200 GET /%0d%0aX:%20y  0"),
    Probe("escaped twice", get(b"/%2500"), "200 GET /%2500  0"),
    Probe("escaped question mark", get(b"/a%3fb"), "200 GET /a%3fb  0"),
    Probe("IIS escapes", get(b"/%u0041"), "200 GET /%u0041  0"),
    Probe("broken escape in a query", get(b"/a?%zz=%"), "200 GET /a %zz=% 0"),
    Probe("escaped NUL in a query", get(b"/a?b=%00"), "200 GET /a b=%00 0"),
    # Paths
    Probe("dots stay", get(b"/a/../b"), "200 GET /a/../b  0"),
    Probe("dots at the root", get(b"/../../.."), r"200 GET /\.\./\.\./\.\.  0"),
    Probe("two slashes", get(b"//evil/a"), "200 GET //evil/a  0"),
    Probe("many slashes", get(b"/" * 400), "200 GET /{400}  0"),
    Probe("backslashes", get(b"/..\\..\\a"), r"200 GET /\.\.\\\.\.\\a  0|400 .*"),
    Probe("a path parameter", get(b"/a;b=c/d"), "200 GET /a;b=c/d  0"),
    Probe("the control plane by two slashes", get(b"//__admin/requests"), "200 GET //__admin/requests  0"),
    Probe("the control plane by dots", get(b"/a/../__admin/requests"), r"200 GET /a/\.\./__admin/requests  0"),
    Probe("a namespace that does not decode", get(b"/__ns/%ff/a"), "200 GET /__ns/%ff/a  0"),
    Probe("a namespace and no path", get(b"/__ns/a"), "200 GET /__ns/a  0"),
    Probe("the control plane, broken", get(b"/__admin/%zz"), "200 GET /__admin/%zz  0"),
    Probe("the control plane, NUL", get(b"/__admin/resources/%00"), "200 GET /__admin/resources/%00  0"),
    # Queries
    Probe("an empty query", get(b"/a?"), "200 GET /a  0"),
    Probe("two question marks", get(b"/a?b?c"), r"200 GET /a b\?c 0"),
    Probe("a query of signs", get(b"/a?&&==&=&"), "200 GET /a &&==&=& 0"),
    Probe("a query with brackets", get(b"/a?b[c][d]=e"), r"200 GET /a b\[c\]\[d\]=e 0|400 .*"),
    Probe("many fields", get(b"/a?" + b"&" * 400), "200 GET /a &{400} 0"),
    Probe("deep brackets", get(b"/a?b" + b"[" * 200 + b"]" * 200), r"200 GET /a b\[{200}\]{200} 0|400 .*"),
    Probe("fragment", get(b"/a?b#c"), "200 GET /a b 0"),
    Probe("fragment of a path", get(b"/a#b?c"), "200 GET /a(#b c)?  0|200 GET /a(#b)? c? ?0|400 .*"),
    # Characters
    *(Probe(f"control {each:#04x} in the target", get(b"/a%cb" % each), "400 .*") for each in _CONTROLS),
    Probe("NUL in the target", get(b"/a\0b"), "400 .*"),
    Probe("bytes of UTF-8 in the target", get("/é".encode()), "200 GET /Ã©  0|400 .*"),
    Probe("bytes that are no UTF-8 in the target", get(b"/\xff\xfe"), "200 GET /ÿþ  0|400 .*"),
    *(
        Probe(f"{each:c} in the target", get(b"/a%cb" % each), "200 GET /a.b  0|400 .*")
        for each in _ODD
    ),
    # Forms
    Probe("absolute", get(b"http://other/a?b=c"), "200 GET /a b=c 0"),
    Probe("absolute without a path", get(b"http://other"), "200 GET /  0"),
    Probe("absolute with a query alone", get(b"http://other?b"), "200 GET / b 0|400 .*"),
    Probe("absolute, secure", get(b"https://other:8443/a"), "200 GET /a  0"),
    Probe("absolute in capitals", get(b"HTTP://OTHER/a"), "200 GET /a  0"),
    Probe("absolute with a user", get(b"http://me:it@other/a"), "200 GET /a  0|400 .*"),
    Probe("absolute with a broken escape", get(b"http://other/%zz"), "200 GET /%zz  0"),
    Probe("absolute with dots", get(b"http://other/../a"), r"200 GET /\.\./a  0"),
    Probe("absolute to the control plane", get(b"http://other/__admin/health"), "200 GET /__admin/health  0"),
    Probe("absolute, another scheme", get(b"ftp://other/a"), "400 .*"),
    Probe("absolute, a file", get(b"file:///etc/passwd"), "400 .*"),
    Probe("absolute, a script", get(b"javascript:alert(1)"), "400 .*"),
    Probe("absolute, no authority", get(b"http:///a"), "400 .*"),
    Probe("absolute, no slashes", get(b"http:a"), "400 .*"),
    Probe("absolute, one slash", get(b"http:/a"), "400 .*"),
    Probe("absolute, broken", get(b"http://[x/a"), "400 .*"),
    Probe("absolute, a port that is none", get(b"http://other:port/a"), "200 GET /a  0|400 .*"),
    Probe("absolute and no host", bare(b"GET http://other/a HTTP/1.1"), "400 .*"),
    Probe("asterisk", get(b"*", method=b"OPTIONS"), r"200 OPTIONS \*  0"),
    Probe("asterisk for another method", get(b"*"), "400 .*"),
    Probe("asterisk and more", get(b"*/a", method=b"OPTIONS"), "400 .*"),
    Probe("two asterisks", get(b"**", method=b"OPTIONS"), "400 .*"),
    Probe("authority", get(b"other:443", method=b"CONNECT"), "400 .*"),
    Probe("authority for another method", get(b"other:443"), "400 .*"),
    Probe("a path for CONNECT", get(b"/a", method=b"CONNECT"), "400 .*"),
    Probe("relative", get(b"a"), "400 .*"),
    Probe("relative, dots", get(b"../a"), "400 .*"),
    Probe("a query alone", get(b"?a"), "400 .*"),
    Probe("a fragment alone", get(b"#a"), "400 .*"),
]  # fmt: skip
