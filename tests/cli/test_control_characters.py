"""Names in documents and files, whatever they hold, reach no terminal and no CI log as control characters."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mockserver.diagnostics import Diagnostic, Location, printable
from tests.cli.command import Ran, run, run_here

MARKS = "".join(
    map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x2028, 0x2029, 0x202E, 0x2066, 0xFEFF))
)
NAME = f"q\n::error ::pwned\r\x1b[31m{MARKS}é日"
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FILE = {
    "resource": f"r{NAME}",
    "key": "path.id",
    "operations": {f"read{NAME}": f"op{NAME}"},
    "states": {f"a{NAME}": {"body": {"x": f"{{{{ nope{NAME} }}}}"}}},
    "scenarios": {"s": [f"b{NAME}"]},
}


def document(name: str) -> str:
    """A document with faults of several kinds at places with this name."""
    properties = {
        name: {"type": f"nonsense{name}", "minimum": f"x{name}", name: 1},
        "r": {"$ref": f"#/components/schemas/no{name}"},
        "s": {"$ref": f"x{name}.json"},
        "t": {"type": "string", "pattern": f"({name}", "example": 7},
    }
    response = {"description": "d", "content": {"application/json": {"schema": {"properties": properties}}}}
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    operation = {"operationId": f"op{name}", "parameters": [parameter], "responses": {"200": response}}
    paths = {f"/a{name.replace('/', '')}/{{id}}": {"get": operation}}
    return json.dumps({"openapi": "3.1.0", "info": {"title": f"T{name}", "version": "1"}, "paths": paths})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.json").write_text(document(NAME))
    (tmp_path / "s.yaml").write_text(json.dumps(FILE))
    return tmp_path


def is_clean(ran: Ran) -> None:
    told = ran.out + ran.err
    assert _UNSEEN.findall(told) == []
    assert [line for line in told.splitlines() if line.startswith("::error ::")] == []


@pytest.mark.parametrize("form", ["text", "github", "json", "sarif"])
def test_diagnostics_of_check_have_no_control_characters(folder: Path, form: str) -> None:
    ran = run_here("check", "d.json", "--scenarios", "s.yaml", "--format", form, folder=folder)
    assert ran.code == 1
    is_clean(ran)
    assert "pwned" in ran.out
    assert r"\x1b[31m" in ran.out
    if form == "json":
        found = json.loads(ran.out)
        assert any(NAME in each["pointer"] for each in found), "a pointer leads where it says"
        assert all(each["message"] == printable(each["message"]) for each in found)
    if form == "sarif":
        assert json.loads(ran.out)["runs"][0]["results"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("routes", "d.json"),
        ("routes", "d.json", "--format", "json"),
        ("serve", "d.json", "--port", "0"),
        ("serve", "d.json", "--port", "0", "--strict-document"),
        ("serve", "d.json", "--port", "0", "--scenarios", "s.yaml"),
        ("scenarios", "graph", "s.yaml"),
        ("init", "d.json", "--operation", "no\x1b[31m\n::error ::x"),
        ("check", "no\x1b[31m\n::error ::pwned.yaml"),
        ("serve", "no\x1b[31m\n::error ::pwned.yaml"),
        ("explain", "no\x1b[31m\n::error ::pwned"),
        ("push", "http://127.0.0.1:9/\x1b[31m\n::error ::pwned", "--document", "d.json"),
        ("--no\x1b[31m\n::error ::pwned",),
        ("no\x1b[31m\n::error ::pwned",),
        ("check", "d.json", "--format", "\x1b[31m\n::error ::pwned"),
        ("serve", "--clock", "\x1b[31m\n::error ::pwned"),
    ],
)
def test_output_of_commands_has_no_control_characters(folder: Path, arguments: tuple[str, ...]) -> None:
    ran = (run if arguments[0] == "serve" else run_here)(*arguments, folder=folder)
    is_clean(ran)
    assert ran.out + ran.err


def test_a_diagnostic_is_printable_whatever_it_quotes() -> None:
    found = Diagnostic("D1", f"m{NAME}\ud800", Location(f"s{NAME}", 1, 2, NAME), f"r{NAME}")
    assert len(str(found).splitlines()) == 2
    assert _UNSEEN.findall(str(found)) == []
    assert str(found).endswith("é日")
    assert found.where.pointer == NAME
