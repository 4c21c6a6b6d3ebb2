"""Whom the control plane does not obey, and what no path, name or reference reads.

Raw requests to ``mockserver serve`` as users start it: on loopback without a
token, and with ``--admin-token``. An attempt counts as accepted when its answer is
no 4xx, or when it changed anything: the state of a resource, the journal, the
clock or what is served.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from tests.hardening import child
from tests.hardening.child import Ran
from tests.hostile import HEAD, PING, SECRET, beside_a_secret, referring
from tests.live import Wire
from tests.verdict import Verdict

TOKEN = "correct-horse"
JSON = "Content-Type: application/json"
GOOD = "Host: 127.0.0.1"
FORMS = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "text/html",
    "",
]
NAMES = [
    "evil.example",
    "evil.example:80",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "evil.example.",
    "EVIL.EXAMPLE",
    "xn--80ak6aa92e.com",
    "mock.local",
    "evil.example@127.0.0.1",
]
ORIGINS = [
    "http://evil.example",
    "null",
    "https://127.0.0.1.evil.example",
    "http://localhost:1",
    "file://",
    "",
]
TOKENS = [
    "",
    "Authorization: Bearer",
    "Authorization: Bearer wrong",
    f"Authorization: Basic {TOKEN}",
    f"Authorization: {TOKEN}",
    f"Authorization: Bearer {TOKEN}x",
    f"Authorization: Bearer {TOKEN[:-1]}",
    f"Authorization: Bearer {TOKEN.upper()}",
    f"X-Authorization: Bearer {TOKEN}",
    f"Cookie: token={TOKEN}",
]
CHANGES = [
    ("POST", "/__admin/reset", ""),
    ("DELETE", "/__admin/requests", ""),
    ("POST", "/__admin/clock/freeze", ""),
    ("PUT", "/__admin/document", HEAD + "paths: {}\n"),
    ("POST", "/__admin/shutdown", ""),
]

DOTS = [
    "..",
    "%2e%2e",
    "%2E.",
    "..%2f..",
    "..%5c..",
    "..\\..",
    "%252e%252e",
    "....//",
    "..;",
    "..%00",
    "%c0%ae%c0%ae",
    ".%2e",
]
PLACES = [
    "/__admin/docs/{}/outside/secret.yaml",
    "/__admin/scenario-files/{}%2foutside%2fsecret",
    "/__admin/document?name={}/outside/secret.yaml",
    "/{}/outside/secret.yaml",
]
FILES = [
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "/__admin/docs//etc/passwd",
    "/__admin/docs/%2fetc%2fpasswd",
    "/__admin/scenario-files/%2fetc%2fpasswd",
]
REFERENCES = [
    "../outside/secret.yaml",
    "%2e%2e/outside/secret.yaml",
    "..%2foutside/secret.yaml",
    "link.yaml",
    "sub/../../outside/secret.yaml",
    "/etc/passwd",
    "file:///etc/passwd",
    "beside.yaml",
    "./beside.yaml",
    "https://files.mockserver.invalid/beside.yaml",
]


def run() -> Verdict:
    verdict = Verdict("Control from where it must not come: nothing accepted; traversal: nothing read")
    with tempfile.TemporaryDirectory() as made:
        folder = beside_a_secret(Path(made))
        (folder / "beside.yaml").write_text(HEAD + PING + f"x-secret: {SECRET}\n")
        (folder / "served.yaml").write_text(HEAD + PING)
        _end(verdict, _server(folder, lambda port: _pages(verdict, port)))
        _end(verdict, _server(folder, lambda port: _strangers(verdict, port), "--admin-token", TOKEN))
        _end(verdict, _server(folder, lambda port: _traversal(verdict, port)))
    return verdict


def _server(folder: Path, work: Callable[[int], None], *options: str) -> Ran:
    arguments = ("serve", "served.yaml", "--port", "0", "--no-cache", *options)
    return child.run(*arguments, folder=folder, serving=work)


def _end(verdict: Verdict, ran: Ran) -> None:
    if ran.code or "Traceback" in ran.err:
        verdict.hold(False, f"the server ended with {ran.code}: {ran.err[-300:]}")


def _send(port: int, method: str, target: str, *fields: str, body: str = "") -> bytes:
    """All octets of the answer."""
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", *filter(None, fields)]
    with Wire(port) as wire:
        wire.send("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode("latin-1"))
        return wire.rest()


def _status(response: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", response)
    return int(found[1]) if found else 0


def _standing(port: int, *fields: str) -> tuple[str, int, bool]:
    """What attempts could have changed: the document, the journal, the clock."""

    def read(path: str) -> bytes:
        return _send(port, "GET", f"/__admin/{path}", GOOD, *fields).partition(b"\r\n\r\n")[2]

    return (
        read("document").decode(),
        json.loads(read("requests"))["meta"]["total"],
        json.loads(read("clock"))["frozen"],
    )


def _hold(verdict: Verdict, port: int, what: str, attempts: Sequence[tuple[str, ...]], *known: str) -> None:
    """``attempts``: method, target, body, header fields. Each is made as it stands."""
    _send(port, "GET", "/ping", GOOD)
    before = _standing(port, *known)
    accepted = []
    for method, target, body, *fields in attempts:
        status = _status(_send(port, method, target, *fields, body=body))
        if not 400 <= status < 500:
            accepted.append(f"{method} {target} {fields}: {status}")
    after = _standing(port, *known)
    changed = after != before
    verdict.hold(
        not accepted and not changed,
        f"{what}: {len(attempts) - len(accepted)} of {len(attempts)} refused, "
        f"{'something' if changed else 'nothing'} changed{': ' if accepted else ''}{'; '.join(accepted[:3])}",
    )


def _pages(verdict: Verdict, port: int) -> None:
    """What a page of another site can have a browser send, and what a name that was rebound leads to."""
    forms = [
        (*change[:2], change[2] or "{}", GOOD, f"Content-Type: {form}" if form else "")
        for change, form in product(CHANGES, FORMS)
    ]
    _hold(verdict, port, "bodies as forms send them", forms)
    origins = [(*change, GOOD, JSON, f"Origin: {origin}") for change, origin in product(CHANGES, ORIGINS)]
    _hold(verdict, port, "pages of other origins", origins)
    sites = [
        (*change, GOOD, JSON, f"Sec-Fetch-Site: {site}")
        for change, site in product(CHANGES, ("cross-site", "same-site"))
    ]
    _hold(verdict, port, "pages of other sites, without an origin", sites)
    asked = "Access-Control-Request-Method: PUT"
    questions = [("OPTIONS", "/__admin/document", "", GOOD, f"Origin: {origin}", asked) for origin in ORIGINS]
    _hold(verdict, port, "preflights of other origins", questions)
    names: list[tuple[str, ...]] = [
        (*change, f"Host: {name}", JSON) for change, name in product(CHANGES, NAMES)
    ]
    names += [("GET", "/__admin/requests", "", f"Host: {name}") for name in NAMES]
    names += [("GET", "http://evil.example/__admin/requests", "", "Host: evil.example")]
    _hold(verdict, port, "names that may have been rebound", names)


def _strangers(verdict: Verdict, port: int) -> None:
    known = f"Authorization: Bearer {TOKEN}"
    attempts: list[tuple[str, ...]] = [
        (*change, GOOD, JSON, token) for change, token in product(CHANGES, TOKENS)
    ]
    attempts += [
        ("GET", f"/__admin/{path}", "", GOOD, token)
        for path, token in product(("requests", "events", "resources", "metrics", "document"), TOKENS)
    ]
    attempts += [
        ("GET", f"/__admin/{path}", "", GOOD)
        for path in (
            "docs/../requests",
            "docs/%2e%2e/requests",
            "./requests",
            "/requests",
            "requests?token=" + TOKEN,
        )
    ]
    attempts += [("GET", "/__ns/t1/__admin/requests", "", GOOD)]
    _hold(verdict, port, "without the token, or with another", attempts, known)


def spellings() -> list[str]:
    """Targets that climb."""
    return [place.format(dots) for place, dots in product(PLACES, DOTS)]


def _traversal(verdict: Verdict, port: int) -> None:
    targets = spellings() + FILES
    read, odd = [], []
    for target in targets:
        for method in ("GET", "PUT"):
            body = "resource: x\n" if method == "PUT" else ""
            response = _send(
                port, method, target, GOOD, "Content-Type: application/yaml" if body else "", body=body
            )
            if SECRET.encode() in response or b"root:" in response:
                read.append(target)
            if _status(response) >= 500:
                odd.append(f"{method} {target}")
    verdict.hold(
        not read, f"spellings of traversal in paths and names: {len(targets)}, read {len(read)} {read[:3]}"
    )
    verdict.hold(not odd, f"answered with a 500: {len(odd)} {odd[:3]}")
    told = {}
    for target in REFERENCES:
        for path in ("/__admin/document", "/__admin/document?name=hostile"):
            told[f"{path} {target}"] = _send(
                port, "PUT", path, GOOD, "Content-Type: application/yaml", body=referring(target)
            )
            told[f"{path} {target}, served"] = _send(port, "GET", "/ping", GOOD)
            told[f"{path} {target}, shown"] = _send(port, "GET", path, GOOD)
    read = [name for name, response in told.items() if SECRET.encode() in response or b"root:" in response]
    untold = [
        name
        for name, response in told.items()
        if "," not in name and _status(response) != 422 and b'"faults":[]' in response
    ]
    verdict.hold(
        not read and not untold,
        f"documents by PUT that name files: {len(told)}, read {len(read)}, untold {len(untold)} {untold[:3]}",
    )
