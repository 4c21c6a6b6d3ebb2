"""The cases under ``cases/``, each against a real server (see ``case_file`` for their form)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from mockserver.engine.engine import Options
from mockserver.http.owner import Limits
from tests.conformance.case_file import Case, Group, differences, read_groups
from tests.live import PATIENCE, Live, compiled, engine_of, serving_engine

CASES = Path(__file__).with_name("cases")
GROUPS = [group for path in sorted(CASES.glob("*.txt")) for group in read_groups(path)]
ALL = [
    pytest.param(group, case, id=f"{group.source}: {case.title}") for group in GROUPS for case in group.cases
]
LEAST_CASES = 60

Serve = Callable[[Group], Live]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """The server of a group; it stays until all cases are done."""
    running: dict[int, Live] = {}
    with ExitStack() as stack:

        def serving(group: Group) -> Live:
            if id(group) not in running:
                folder = tmp_path_factory.mktemp(group.source)
                for name, text in group.files.items():
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, "utf-8")
                plan = compiled(*(folder / name for name in group.documents))
                options = _options(group)
                server = serving_engine(
                    engine_of(plan, options=options), limits=Limits(body=options.max_body)
                )
                running[id(group)] = stack.enter_context(server)
            return running[id(group)]

        yield serving


def _options(group: Group) -> Options:
    known: dict[str, Callable[[str], Any]] = {
        "security": str,
        "max_body": int,
        "validation": str,
        "base_path": str,
    }
    return Options(**{name: known[name](text) for name, text in group.options.items()})


@pytest.mark.parametrize(("group", "case"), ALL)
def test_answer(group: Group, case: Case, serve: Serve) -> None:
    with closing(HTTPConnection("127.0.0.1", serve(group).port, timeout=PATIENCE)) as connection:
        response, body = _sent(connection, case)
    told = f"{response.status} {response.getheaders()} {body.decode('utf-8', 'backslashreplace')}"
    wrong = [] if case.response.line == str(response.status) else [f"status {response.status}"]
    for name, wanted in case.response.fields:
        sent = response.getheader(name)
        if not _is_wanted(sent, wanted):
            wrong.append(f"{name}: {sent}")
    wrong += differences(case.response.body, body)
    assert not wrong, f"{wrong}\n{told}"


def _sent(connection: HTTPConnection, case: Case) -> tuple[HTTPResponse, bytes]:
    method, _, target = case.request.line.partition(" ")
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in case.request.fields:
        connection.putheader(name, value)
    data = case.request.data
    if data or method in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data or None)
    response = connection.getresponse()
    return response, response.read()


def _is_wanted(sent: str | None, wanted: str) -> bool:
    if wanted == "-" or sent is None:
        return sent is None and wanted == "-"
    return bool(re.fullmatch(wanted[1:], sent)) if wanted.startswith("~") else sent == wanted


def test_there_are_cases() -> None:
    """A pattern that finds no file would pass for success."""
    assert len(ALL) >= LEAST_CASES


@pytest.mark.parametrize(
    ("expected", "sent", "is_right"),
    [
        ("", b"anything", True),
        ("<empty>", b"", True),
        ("<empty>", b"{}", False),
        ("text", b"text\n", True),
        ("text", b"texts", False),
        ("~[a-z]+", b"abc", True),
        ("~[a-z]+", b"abc1", False),
        ('{"a": 1}', b'{"a": 1, "b": 2}', True),
        ('{"a": 1}', b'{"a": 1.0}', False),
        ('{"a": 1}', b'{"a": true}', False),
        ('{"a": 1}', b"[]", False),
        ('{"a": 1}', b"no JSON", False),
        ('{"a": "<absent>"}', b'{"a": null}', False),
        ('{"a": "<integer>"}', b'{"a": true}', False),
        ('{"a": "<any>"}', b"{}", False),
        ("[1]", b"[1, 2]", False),
        ('["<string>"]', b'["x"]', True),
    ],
)
def test_bodies_are_compared(expected: str, sent: bytes, is_right: bool) -> None:
    assert (differences(expected, sent) == []) is is_right
