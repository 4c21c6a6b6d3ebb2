"""``import``: what it writes can be served, and what it cannot write it tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mockserver import inputs
from mockserver.cli.commands import cli
from tests.cli.command import run, run_here
from tests.live import MISSION, Write, ask, compiled, engine_of

KEY = "11111111-1111-4111-8111-111111111111"
DOCUMENT = ("--document", str(inputs.DOCUMENT))


def mapping(**response: object) -> str:
    request = {"method": "GET", "urlPathPattern": f"{MISSION}/[^/]+"}
    return json.dumps({"name": "gone", "request": request, "response": {"status": 404, **response}})


def test_what_is_written_is_served(write: Write, tmp_path: Path) -> None:
    mappings = write("mappings/gone.json", mapping())
    done = run("import", "wiremock", mappings, *DOCUMENT, "--output", tmp_path / "scenarios")
    path = tmp_path / "scenarios" / "certificate-request.yaml"
    assert (done.code, done.out) == (0, "")
    assert done.err == f"1 stubs → {path} (no errors).\n"
    engine = engine_of(compiled(inputs.DOCUMENT, scenarios=[path]))
    assert ask(engine, "GET", f"{MISSION}/{KEY}", {"authorization": "Bearer any"}).status == 404


def test_existing_files_are_not_overwritten(write: Write, tmp_path: Path) -> None:
    mappings = write("gone.json", mapping())
    there = write("out/certificate-request.yaml", "mine")
    arguments = ("import", "wiremock", mappings, *DOCUMENT, "--output", there.parent)
    refused = run_here(*arguments)
    assert (refused.code, there.read_text()) == (1, "mine")
    assert f"{there} exists" in refused.err
    assert run_here(*arguments, "--force").code == 0
    assert there.read_text().startswith(
        "# From the stub mappings in gone.json.\nresource: certificate-request\n"
    )


def test_stub_that_breaks_the_document_is_reported_and_written(write: Write) -> None:
    done = run_here("import", "wiremock", write("a.json", mapping(jsonBody={"colour": "red"})), *DOCUMENT)
    assert done.code == 1
    assert "error S311" in done.err
    assert "colour: red" in done.out


def test_several_resources_need_a_folder(write: Write) -> None:
    document = write(
        "api.yaml",
        """
        openapi: 3.0.3
        info: {title: two, version: "1"}
        paths:
          /a/{id}: {get: &get {
            parameters: [{name: id, in: path, required: true, schema: {type: string}}],
            responses: {"200": {description: ok}}}}
          /b/{id}: {get: *get}
        """,
    )
    stubs = [{"request": {"urlPath": f"/{name}/1"}, "response": {"status": 200}} for name in "ab"]
    done = run_here(
        "import", "wiremock", write("s.json", json.dumps({"mappings": stubs})), "--document", document
    )
    assert done.code == 1
    assert "have several resources (a, b). Use --output FOLDER" in done.err


@pytest.mark.parametrize("text", ["{", "[]"])
def test_file_without_mappings_gives_no_scenario_files(write: Write, text: str) -> None:
    done = run_here("import", "wiremock", write("a.json", text), *DOCUMENT)
    assert done.code == int(text == "{")
    assert "0 stubs → nothing" in done.err


def test_a_command_of_prism() -> None:
    ran = CliRunner().invoke(cli, ["import", "prism", "prism", "mock", "-p", "80", "-d", "a.yaml"])
    assert ran.exit_code == 0
    assert ran.stdout == "mockserver serve a.yaml --port 80 --cors '*'\n"
    assert "M105" in ran.stderr
