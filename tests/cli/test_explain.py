"""Every diagnostic code is explained, and none is explained that nothing says."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

import mockserver
from mockserver.cli.inspect import explain
from mockserver.diagnostics import codes

_CODE = re.compile(r'"([DMS]\d{3})"')


def used() -> set[str]:
    files = Path(mockserver.__file__).parent.rglob("*.py")
    return {code for file in files for code in _CODE.findall(file.read_text("utf-8"))}


def test_every_code_is_explained_and_every_explained_one_is_used() -> None:
    assert sorted(codes()) == sorted(used())


def test_codes_are_listed_in_order_and_once() -> None:
    text = Path(mockserver.__file__).with_name("codes.md").read_text("utf-8")
    headings = re.findall(r"^## (\S+)", text, re.MULTILINE)
    assert headings == sorted(headings)
    assert headings == list(codes())


def test_each_section_shows_the_wrong_and_the_right() -> None:
    example = r"\n\n```(?:yaml|console)\n.+?\n```"
    for code in codes().values():
        assert code.title[0].isupper(), code.name
        assert re.search(rf".\n\nWrong:{example}\n\nRight:{example}\Z", code.text, re.DOTALL), code.name


def test_explain_prints_a_section_whatever_the_case() -> None:
    ran = CliRunner().invoke(explain, ["s304"])
    assert ran.exit_code == 0
    assert ran.output.startswith("S304: A step is never reached\n\n")
    assert ran.output.rstrip().endswith("```")


def test_explain_lists_all() -> None:
    ran = CliRunner().invoke(explain)
    assert [line.split("  ")[0] for line in ran.output.splitlines()] == list(codes())


def test_explain_suggests() -> None:
    ran = CliRunner().invoke(explain, ["S30l"])
    assert "did you mean S3" in str(ran.exception)
