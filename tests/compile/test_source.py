"""Texts become values as YAML 1.2 and JSON have them, within limits; faults say where."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest

from mockserver.compile import source
from mockserver.compile.source import SCENARIO_FILE, SourceError, parse, quote_token, read
from mockserver.jsonschema.references import escape, tokens


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("on: yes", {"on": "yes"}),
        ("a: 2024-01-02", {"a": "2024-01-02"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 0o17", {"a": 15}),
        ("a: 017", {"a": 17}),
        ("a: ~", {"a": None}),
        ("404: {true: x, null: y, 1.5: z}", {"404": {"true": "x", "null": "y", "1.5": "z"}}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x {b: 1, c: 1}\nd: {<<: *x, c: 2}", {"a": {"b": 1, "c": 1}, "d": {"b": 1, "c": 2}}),
        ("a: {<<: [{b: 1}, {b: 2, c: 3}]}", {"a": {"b": 1, "c": 3}}),
        ("a: {<<: 1, b: 2}", {"a": {"<<": 1, "b": 2}}),
        ("a: !!str 5", {"a": "5"}),
        ('{"a": 1, "b": [1.5, null]}', {"a": 1, "b": [1.5, None]}),
        ('{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        ("{a: 1, b: 2}", {"a": 1, "b": 2}),
        ("a: |\n  {{ not.jinja }}\n", {"a": "{{ not.jinja }}\n"}),
    ],
)
def test_text_is_parsed_to_its_value(text: str, value: Any) -> None:
    assert parse(text, "doc").value == value


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("  \n", "D105", 0),
        ("a: [1", "D106", 2),
        ("a: b: c", "D106", 1),
        ("a: '\x01'", "D106", 1),
        ("a: .inf", "D109", 0),
        ("? [a]\n: 1", "D110", 0),
        ("a: " + "[" * 401 + "]" * 401, "D107", 1),
        ("\n".join(" " * depth + "k:" for depth in range(420)) + " 1", "D107", 0),
    ],
)
def test_invalid_text_is_reported_with_code_and_line(text: str, code: str, line: int) -> None:
    with pytest.raises(SourceError) as failure:
        parse(text, "doc.yaml")
    found = failure.value.diagnostic
    assert (found.code, found.where.source) == (code, "doc.yaml")
    assert found.remedy
    assert found.where.line == line


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a:\n\tb: 1\n", 2, 1),
        ("a: 1\n\tb: 2\n", 2, 1),
        ("a: 1\n \tb: 2\n", 2, 2),
        ("a:\n  - b:\n\t  c: 1\n", 3, 1),
        ("a: |\n  x\n\ty\n", 3, 1),
        ("a:\tb\n", 1, 3),
    ],
)
@pytest.mark.parametrize(("what", "code"), [("document", "D106"), (SCENARIO_FILE, "S101")])
def test_tab_in_indentation_is_named_in_the_error(
    text: str, line: int, column: int, what: str, code: str
) -> None:
    with pytest.raises(SourceError) as failure:
        parse(text, "a.yaml", what)
    found = failure.value.diagnostic
    assert found.message == "is not valid YAML: it has a tab where YAML allows only spaces"
    assert (found.code, found.where.line, found.where.column) == (code, line, column)


def test_other_syntax_error_does_not_mention_a_tab() -> None:
    with pytest.raises(SourceError) as failure:
        parse("a:\n  b: {c: 1,\td: [2}\n", "a.yaml")
    assert "tab" not in failure.value.diagnostic.message


def test_unreadable_file_is_reported_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "doc.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(path, "doc.yaml").value == {"a": 1}
    path.write_bytes(b"a: \xff")
    monkeypatch.setattr(source, "MAX_BYTES", 20)
    for where, size, code in ((path, 4, "D103"), (path, 21, "D104"), (tmp_path, 0, "D102")):
        if size == 21:
            path.write_bytes(b"a" * size)
        with pytest.raises(SourceError) as failure:
            read(where, "x")
        assert failure.value.diagnostic.code == code
    with pytest.raises(SourceError) as failure:
        read(tmp_path / "none", "x")
    assert failure.value.diagnostic.code == "D101"


@pytest.mark.parametrize(
    ("pointer", "line", "column"),
    [
        ("/a", 2, 3),
        ("/a/0", 2, 5),
        ("/a/0/b", 2, 8),
        ("/a/0/c~1d/e~0f", 3, 16),
        ("/a/0/none/x", 2, 5),  # the object that misses it
    ],
)
def test_pointer_gives_line_and_column(pointer: str, line: int, column: int) -> None:
    found = parse("a:\n  - b: 1\n    c/d: {e~f: 2}\n", "doc").locate(pointer)
    assert (found.line, found.column, found.source) == (line, column, "doc")


@pytest.mark.parametrize("name", ["plain", "a/b", "~", "~1", "x y", "é", "%41", ""])
def test_quoted_token_is_parsed_back(name: str) -> None:
    assert tokens(f"/{escape(name)}") == [name]
    assert tokens(f"/{unquote(quote_token(name))}") == [name]


def test_pipe_is_read_as_document_but_not_as_scenario_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("a: 1",))
    writer.start()
    assert read(pipe, "pipe").value == {"a": 1}
    writer.join()
    with pytest.raises(SourceError, match="is a pipe or a device, not a scenario file"):
        read(pipe, "pipe", SCENARIO_FILE)


def test_endless_device_is_read_up_to_the_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.compile.source.MAX_BYTES", 1000)
    with pytest.raises(SourceError, match="it is over 1,000 bytes"):
        read(Path("/dev/zero"), "zero")
