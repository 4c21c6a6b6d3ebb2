"""Patterns that backtrack are given up in time, wherever a pattern or a text comes from outside.

A server of its own takes them in four ways: as ``pattern`` of a document, over
bodies; as a regular expression and as a JSONPath of a control request, over the
journal; and texts made for the server's own expressions (paths, ``Prefer``,
``Accept``, ``Cookie``). Milliseconds from the first octet sent to the last received.
"""

from __future__ import annotations

import json
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from tests.hardening import child
from tests.verdict import Verdict

MOST = 100.0
"""Milliseconds."""
_TIMES = 5


class Bad(NamedTuple):
    pattern: str
    text: str


A = "a" * 5_000
PATTERNS = [
    Bad("^(a+)+$", A + "!"),
    Bad("^(a|a)*$", A + "!"),
    Bad("^(a|aa)+$", A + "!"),
    Bad("^([a-zA-Z]+)*$", A + "!"),
    Bad("^(.*a){20}$", A + "!"),
    Bad("(x+x+)+y", "x" * 200),
    Bad(r"^(\d+)*\.$", "1" * 200),
    Bad(r"^(\w+\s?)*$", "word " * 60 + "!"),
    Bad(r"^([a-z0-9]+[_.-]?)+@x\.y$", "a1" * 100),
    Bad(r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 300),
    Bad(r"^((a+)*b?)*c$", A),
    Bad(r"^(?:(?:a?){30}){30}b$", "a" * 100),
    Bad(r"(?=(a+))a*b\1", A),
    Bad(r"^(a+)+\1$", A + "!"),
    Bad(r"^(?!(a+)+$)b", A + "!"),
    Bad(r"(?<=(a|a)*b)c", A + "c"),
    Bad(r"^([^<]|<[^>]*>)*$", "<" * 200),
    Bad(r"^(https?://)?([\da-z.-]+)*(/[\w .-]*)*/?$", "http://" + "a/" * 100 + "!"),
    Bad(r"^\s+|\s+$", " " * 5_000 + "x" + " " * 5_000 + "x"),
    Bad(r"^(.+)+(.+)+(.+)+x$", "y" * 200),
    Bad(r"^(a?){50}a{50}$", "a" * 49),
    Bad(r"(.*)*\1(.*)*z", "zy" * 50),
]
LONG = 15_000
OWN: list[tuple[str, str, dict[str, str]]] = [
    ("a path of dashes", "/files/" + "-" * LONG + "?x", {}),
    ("blanks in Prefer", "/p0", {"Prefer": "a" + " " * LONG + "!"}),
    ("quotes in Prefer", "/p0", {"Prefer": '"' + '\\"' * (LONG // 2)}),
    ("quotes in Accept", "/p0", {"Accept": '"' + '\\"' * (LONG // 2)}),
    ("commas in Accept", "/p0", {"Accept": "*/*," * (LONG // 4)}),
    ("semicolons in Content-Type", "/p0", {"Content-Type": "a/b" + " ;" * (LONG // 2)}),
    ("cookies", "/p0", {"Cookie": "a=b; " * (LONG // 5)}),
    ("brackets in a query", "/p0?" + "a[b]" * (LONG // 4), {}),
]


def run() -> Verdict:
    verdict = Verdict("Backtracking patterns: 100 ms each")

    def measure(port: int) -> None:
        asked = HTTPConnection("127.0.0.1", port, timeout=60)
        _bodies(verdict, asked)
        _control(verdict, asked)
        _own(verdict, asked)

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "patterns.json").write_text(json.dumps(document()))
        ran = child.run("serve", "patterns.json", "--port", "0", "--no-cache", folder=folder, serving=measure)
    verdict.hold(ran.code == 0 and "Traceback" not in ran.err, f"the server ended with {ran.code}{ran.err}")
    return verdict


def document() -> dict[str, object]:
    ok = {"200": {"description": "ok"}}
    paths: dict[str, object] = {
        f"/p{i}": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": {
                    "text": {"type": "string", "pattern": bad.pattern}}}}}},
                "responses": ok,
            }
        }
        for i, bad in enumerate(PATTERNS)
    }  # fmt: skip
    path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in "ab"]
    paths["/files/{a}-{b}.json"] = {"post": {"parameters": path, "responses": ok}}
    return {"openapi": "3.1.0", "info": {"title": "Patterns", "version": "1"}, "paths": paths}


def _timed(
    asked: HTTPConnection, path: str, body: object, headers: dict[str, str] | None = None
) -> tuple[float, int]:
    data = json.dumps(body).encode()
    began = time.perf_counter()
    asked.request("POST", path, data, {"Content-Type": "application/json", **(headers or {})})
    response = asked.getresponse()
    response.read()
    return (time.perf_counter() - began) * 1000, response.status


def _hold(verdict: Verdict, what: str, found: dict[str, tuple[float, int]]) -> None:
    worst = max(found, key=lambda name: found[name][0])
    failed = [name for name, (_, status) in found.items() if status >= 500]
    verdict.hold(not failed, f"{what}: {len(found) - len(failed)} of {len(found)} answered, none with a 500")
    verdict.hold(found[worst][0] <= MOST, f"{what}: the slowest took {found[worst][0]:.1f} ms: {worst}")


def _bodies(verdict: Verdict, asked: HTTPConnection) -> None:
    first, then = {}, {}
    for i, bad in enumerate(PATTERNS):
        first[bad.pattern] = _timed(asked, f"/p{i}", {"text": bad.text})
        then[bad.pattern] = max(_timed(asked, f"/p{i}", {"text": bad.text}) for _ in range(_TIMES))
    slowest = max(first.items(), key=lambda each: each[1][0])
    verdict.say(f"first requests compile the pattern: the slowest took {slowest[1][0]:.1f} ms, {slowest[0]}")
    _hold(verdict, f"pattern of a document, the worst of {_TIMES} bodies", then)


def _control(verdict: Verdict, asked: HTTPConnection) -> None:
    counted, searched = {}, {}
    for bad in PATTERNS:
        _timed(asked, "/__admin/reset", None)
        _timed(asked, "/p0", {"text": bad.text})
        body = {"bodyPatterns": [{"matches": f".*{bad.pattern.strip('^$')}.*"}]}
        path = {"bodyPatterns": [{"matchesJsonPath": f"$[?search(@, {json.dumps(bad.pattern)})]"}]}
        _timed(asked, "/__admin/requests/count", body)  # compiles
        counted[bad.pattern] = _timed(asked, "/__admin/requests/count", body)
        _timed(asked, "/__admin/requests/count", path)
        searched[bad.pattern] = _timed(asked, "/__admin/requests/count", path)
    _hold(verdict, "regular expression of a control request", counted)
    _hold(verdict, "search() in a JSONPath of a control request", searched)


def _own(verdict: Verdict, asked: HTTPConnection) -> None:
    found = {
        name: max(_timed(asked, path, {}, headers) for _ in range(_TIMES)) for name, path, headers in OWN
    }
    _hold(verdict, "texts for expressions of our own", found)
