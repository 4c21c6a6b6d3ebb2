"""Documents with faults, one a row of the mending's table: each is served, answers validly, and is told.

The files under ``sloppy`` begin with lines of what is asked and what must come
back, ``# GET /a -> 200 {"a": "<string>"}`` (see ``case_file`` for bodies), and of
what ``mockserver check`` finds: ``#! D503 12:5 what it says``.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from mockserver.compile.compiler import compile_plan, inspect_inputs
from mockserver.compile.mending.table import ROWS
from mockserver.diagnostics import CompileError, Diagnostic, codes
from mockserver.engine.response.negotiation import response_for
from mockserver.inputs import Inputs
from mockserver.jsonschema import Schemas
from tests.conformance.case_file import differences
from tests.live import PATIENCE, engine_of, serving_engine

SLOPPY = Path(__file__).with_name("sloppy")
FILES = sorted(SLOPPY.glob("*.yaml"))
LEAST = 70
_ASKED = re.compile(r"# (\S+) (\S+)(?: (.+))? -> (\d+)(?: (.+))?")
_TOLD = re.compile(r"#! (\w+) (\d+):(\d+) (.+)")
_WITHOUT_DIAGNOSTIC = {
    "status-codes-that-are-numbers",
    "reference-with-nullable-beside",
    "media-type-in-odd-case",
}
"""What YAML or the standard lets people write; it is read liberally all the same."""


class _Any:
    def __repr__(self) -> str:
        return "ANY"


def found(path: Path) -> list[Diagnostic]:
    return [each for each in inspect_inputs(Inputs((path,))) if each.severity == "error"]


def test_there_are_files() -> None:
    assert len(FILES) >= LEAST


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sloppy_document_is_served_and_answers_validly(path: Path) -> None:
    asked = [match.groups() for line in path.read_text().splitlines() if (match := _ASKED.fullmatch(line))]
    plan = compile_plan(Inputs((path,))).plan
    [document] = plan.documents
    assert asked or not document.operations
    schemas = Schemas(document.trees, document.dialect)
    with serving_engine(engine_of(plan)) as server:
        for method, target, body, status, wanted in asked:
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as connection:
                connection.request(method, target, body, {"content-type": "application/json"} if body else {})
                response = connection.getresponse()
                sent = response.read()
            told = f"{method} {target} {body}: {response.status} {sent.decode()}"
            assert response.status == int(status), told
            assert not differences(wanted or "", sent), told
            if response.status < 300 and sent:
                name = response.headers.get_content_type()
                bare = target.partition("?")[0]
                operation = next(
                    each
                    for each in document.operations
                    if each.method == method
                    and re.fullmatch(re.sub(r"\{\w+\}", ".+", each.path), "/a" if bare == "/v1/a" else bare)
                )
                documented = response_for(operation, response.status)
                assert documented is not None, told
                [media] = [each for each in documented.content if each.name.lower().startswith(name)]
                if media.schema:
                    assert schemas.validator(media.schema, "response").is_valid(json.loads(sent)), told


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sloppy_document_is_told_in_its_place(path: Path) -> None:
    wanted = [match.groups() for line in path.read_text().splitlines() if (match := _TOLD.fullmatch(line))]
    told = [(each.code, str(each.where.line), str(each.where.column), each.message) for each in found(path)]
    assert told == wanted
    assert bool(told) != (path.stem in _WITHOUT_DIAGNOSTIC)
    assert all(each.remedy and each.code in codes() for each in found(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sloppy_document_is_refused_where_documents_are_to_be_strict(path: Path) -> None:
    faults = found(path)
    strict = Inputs((path,), strict_document=True)
    if not faults:
        assert compile_plan(strict).plan.documents
        return
    with pytest.raises(CompileError) as failure:
        compile_plan(strict)
    assert [each for each in failure.value.diagnostics if each.severity == "error"] == faults


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_document(row: str) -> None:
    pattern = re.escape(ROWS[row].seen.format(*[_Any()] * 4)).replace("ANY", ".+")
    said = [
        match[4]
        for path in FILES
        for line in path.read_text().splitlines()
        if (match := _TOLD.fullmatch(line)) and match[1] == ROWS[row].code
    ]
    assert any(re.fullmatch(pattern, each) for each in said), pattern
