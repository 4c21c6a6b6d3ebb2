"""References are gathered into trees, gated, and told where they lead nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mockserver.compile.references import ReferenceScope, Trees, absolute, load_trees, load_trees_from_text
from tests.live import Write

HEAD = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"


TAGS = "tags: [{name: a}]\n"


def trees(write: Write, text: str, root: Path | None = None) -> Trees:
    path = write("api/main.yaml", HEAD + text)
    return load_trees(path, path.name, ReferenceScope(root or path.parent))


def component(target: str) -> str:
    return f"components:\n  schemas:\n    A: {{$ref: '{target}'}}\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "api" / "deep").mkdir(parents=True)


@pytest.mark.parametrize(
    ("target", "base", "found"),
    [
        ("#/a", "u:/x#/b", "u:/x#/a"),
        ("other.yaml", "https://h/d/x#/b", "https://h/d/other.yaml#"),
        ("../o.yaml#/a", "https://h/d/x#", "https://h/o.yaml#/a"),
        ("https://other/o#/a", "https://h/x#", "https://other/o#/a"),
        ("#", "https://h/x#/b", "https://h/x#"),
    ],
)
def test_target_is_resolved_against_its_base(target: str, base: str, found: str) -> None:
    assert absolute(target, base) == found


def test_references_between_files_are_followed_both_ways(write: Write) -> None:
    write("api/deep/one.yaml", "A: {$ref: '../two.yaml#/x~1y/0'}")
    write("api/two.yaml", "x/y: [{$ref: 'main.yaml#/components/schemas/B'}]")
    found = trees(write, component("deep/one.yaml#/A") + "    B: {type: integer}\n")
    assert not found.diagnostics
    assert len(found.sources) == 3
    node, at = found.resolve(f"{found.root_uri}#/components/schemas/A")
    assert node == {"type": "integer"}
    assert at == f"{found.root_uri}#/components/schemas/B"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("#/components/schemas/None", "D201"),
        ("none.yaml#/A", "D101"),
        ("http://127.0.0.1:9/a.yaml", "D202"),
        ("../outside.yaml#/A", "D203"),
        ("file:///etc/passwd", "D203"),
        ("#/components/schemas/A", "D205"),
        ("http://[::1", "D201"),
        ("#/tags/²", "D201"),
        ("#/tags/" + "9" * 5000, "D201"),
    ],
)
def test_broken_reference_is_reported_at_its_location(write: Write, target: str, code: str) -> None:
    write("outside.yaml", "A: {type: string}")
    [fault] = trees(write, component(target) + TAGS).diagnostics
    assert fault.code == code
    assert fault.where.line == 5
    assert fault.remedy


def test_file_inside_a_wider_root_is_read(write: Write, tmp_path: Path) -> None:
    write("outside.yaml", "A: {type: string}")
    found = trees(write, component("../outside.yaml#/A"), root=tmp_path)
    assert not found.diagnostics
    assert found.resolve(f"{found.root_uri}#/components/schemas/A")[0] == {"type": "string"}


def test_reference_inside_data_is_ignored(write: Write) -> None:
    text = (
        "x-own: {$ref: 'none.yaml'}\ncomponents:\n  schemas:\n"
        "    A: {enum: [{$ref: 'none.yaml'}], properties: {$ref: {type: string}}}\n"
        "    B: {default: {$ref: 'none.yaml'}}\n"
    )
    assert not trees(write, text).diagnostics


def test_document_from_text_may_refer_only_to_itself() -> None:
    fine = load_trees_from_text(
        HEAD + component("#/components/schemas/B") + "    B: {type: integer}\n", "pushed.yaml"
    )
    assert not fine.diagnostics
    [fault] = load_trees_from_text(HEAD + component("other.yaml#/A"), "pushed.yaml").diagnostics
    assert fault.severity == "error"


def test_each_dangling_reference_of_a_chain_is_reported(write: Write) -> None:
    chain = component("#/components/schemas/B") + "    B: {$ref: '#/components/schemas/C'}\n"
    [fault] = trees(write, chain).diagnostics
    assert (fault.code, fault.where.line) == ("D201", 6)


def test_document_from_text_never_reads_a_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("api/beside.yaml", "A: {type: string}")
    monkeypatch.chdir(path.parent)
    for target in ("beside.yaml#/A", "./beside.yaml#/A", "https://files.mockserver.invalid/beside.yaml#/A"):
        [fault] = load_trees_from_text(HEAD + component(target), "pushed.yaml").diagnostics
        assert fault.code == "D203"


@pytest.mark.parametrize("keyword", ["$id", "$self"])
def test_identifier_that_is_not_a_uri_is_ignored(write: Write, keyword: str) -> None:
    text = f"components:\n  schemas:\n    A: {{{keyword}: 'http://[', $ref: 'none.yaml'}}\n"
    [fault] = trees(write, text).diagnostics
    assert (fault.code, fault.where.line) == ("D101", 5)


def test_missing_node_raises_key_error(write: Write) -> None:
    found = trees(write, "tags: [{name: a}]\n")
    assert found.node(f"{found.root_uri}#/tags/0/name") == "a"
    for pointer in ("/tags/1", "/tags/x", "/none", "/info/title/x"):
        with pytest.raises(KeyError):
            found.node(f"{found.root_uri}#{pointer}")


@pytest.mark.parametrize("target", ["pipe.yaml", "zero.yaml"])
def test_reference_to_a_pipe_or_device_is_rejected_at_once(target: str, write: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "api" / "pipe.yaml")
    (tmp_path / "api" / "zero.yaml").symlink_to("/dev/zero")
    [told] = trees(write, component(f"{target}#/A"), Path("/")).diagnostics
    assert told.code == "D102"
    assert "is a pipe or a device, not a referenced file" in told.message
