"""SECURITY.md: what it claims of the code as a whole, and that each of its claims has its test."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

import mockserver
from mockserver.compile.compiler import compile_plan
from mockserver.inputs import Inputs
from tests.hostile import HEAD, PING, beside_a_secret

ROOT = Path(__file__).parents[1]
PACKAGE = Path(mockserver.__file__).parent

REACHES = {
    "cli/health.py": "`mockserver health` and `push` ask the server that they are told",
    "compile/remote.py": "references to other hosts, with --allow-remote-refs",
    "http/egress.py": "notices, through the gate",
    "state/redis/handshake.py": "Redis, with --store",
    "testing/namespace.py": "a client of the server's, for whom asks for one",
    "testing/remote.py": "MockServer.connect",
}
"""Modules that begin connections, and what for."""
_MODULES = frozenset(
    [
        "aiohttp",
        "ftplib",
        "http.client",
        "httpx",
        "requests",
        "smtplib",
        "socketserver",
        "telnetlib",
        "urllib.request",
        "urllib3",
        "xmlrpc",
    ]
)
_CALLS = frozenset(
    [
        "connect",
        "connect_ex",
        "create_connection",
        "create_unix_connection",
        "create_datagram_endpoint",
        "getaddrinfo",
        "gethostbyname",
        "open_connection",
        "open_unix_connection",
        "sendto",
        "sock_connect",
        "urlopen",
        "urlretrieve",
    ]
)
_OURS = {
    ("testing/server.py", "connect"),  # MockServer.connect
    ("testing/plugin.py", "connect"),
    ("testing/requests_adapter.py", "requests"),  # serves without a socket
    ("testing/requests_adapter.py", "urllib3"),
    ("http/listener.py", "getaddrinfo"),  # the address to listen on
}
"""What has such a name and begins no connection."""
_CODE = frozenset(["eval", "exec", "compile", "__import__"])
_LOADERS = frozenset(["pickle", "marshal", "shelve", "dill"])


@cache
def _nodes() -> dict[str, list[ast.AST]]:
    """The imports and calls of each module."""
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    return {
        file.relative_to(PACKAGE).as_posix(): [
            node
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
        ]
        for file in files
    }


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
    return []


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def test_connections_begin_in_few_places() -> None:
    found = set()
    for name, nodes in _nodes().items():
        for node in nodes:
            named = [each for each in _imported(node) if each in _MODULES]
            named += [_called(node)] if _called(node) in _CALLS else []
            if any((name, each) not in _OURS for each in named):
                found.add(name)
    assert found == set(REACHES)


def test_nothing_that_is_read_becomes_code() -> None:
    found = set()
    for name, nodes in _nodes().items():
        for node in nodes:
            if any(each.partition(".")[0] in _LOADERS for each in _imported(node)):
                found.add(f"{name} imports a loader of objects")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CODE:
                found.add(f"{name} calls {node.func.id}")
    assert not found


_opened: list[str] = []
_watching: list[bool] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event == "open":
        _opened.append(str(arguments[0]))


@pytest.mark.parametrize("named", ["../outside/secret", "secret.yaml", "secret", "/etc/passwd"])
def test_a_scenario_file_names_no_file(tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by ``document``, which is the one place for a name that could be a file's."""
    folder = beside_a_secret(tmp_path)
    monkeypatch.chdir(folder)
    Path("secret.yaml").write_text(HEAD + PING)
    Path("served.yaml").write_text(HEAD + PING)
    lines = [f"document: {named}", "key: query.id", 'operations: {ping: "GET /ping"}', "states: {up: {}}"]
    Path("life.yaml").write_text("\n".join(["resource: ping", *lines, "scenarios: {up: [up]}", ""]))
    inputs = Inputs((Path("served.yaml"),), (Path("life.yaml"),))
    compile_plan(inputs)  # what is imported is imported
    sys.addaudithook(_watch)
    _opened.clear()
    _watching.append(True)
    try:
        compile_plan(inputs)
    finally:
        _watching.clear()
    assert {Path(each).name for each in _opened if each.endswith((".yaml", "passwd"))} == {
        "served.yaml",
        "life.yaml",
    }


def test_every_claim_has_its_test() -> None:
    """Each row of the table names tests that there are."""
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| (`tests/[^|]+) \|$", text, re.MULTILINE)
    assert len(rows) > 20
    for claim, named in rows:
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", named):
            defined = re.findall(r"^ *(?:async )?def (\w+)\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)
            assert name in defined, f"{claim}: {file} has no {name}"
        assert named.count("::") == named.count("`tests/"), claim
