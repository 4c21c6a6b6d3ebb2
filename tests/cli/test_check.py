"""``check``: what it finds that serving does not look for, how it says so, and with which exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mockserver.cli.inspect import check

HEAD = 'openapi: 3.0.3\ninfo: {title: t, version: "1"}\n'
ANSWER = (
    HEAD
    + """\
paths:
  /ping:
    get:
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema: {$ref: "#/components/schemas/A"}
"""
)
REQUEST = (
    HEAD
    + """\
paths:
  /ping:
    get:
      parameters:
        - {name: a, in: query, schema: {$ref: "#/components/schemas/A"}}
      responses: {'200': {description: ok}}
"""
)
EXAMPLE = """\
              example: {id: seven}
components:
  schemas:
    A: {type: object, required: [id], properties: {id: {type: integer}}}
"""


def component(schema: str) -> str:
    return f"components:\n  schemas:\n    A: {schema}\n"


# Name: document, and what is found as (code, line, column)
CASES: dict[str, tuple[str, list[tuple[str, int, int]]]] = {
    "all is well": (ANSWER + component("{type: string}"), []),
    "an example that breaks its schema": (ANSWER + EXAMPLE, [("D501", 10, 13)]),
    "an example of a shared response, told once": (
        HEAD
        + """\
paths:
  /a: {get: {responses: {'200': {$ref: "#/components/responses/R"}}}}
  /b: {get: {responses: {'200': {$ref: "#/components/responses/R"}}}}
components:
  responses:
    R:
      description: ok
      content:
        application/json:
          schema: {type: integer}
          example: one
""",
        [("D501", 11, 9)],
    ),
    "a schema that nothing satisfies": (
        ANSWER + component("{type: string, minLength: 5, maxLength: 2}"),
        [("D502", 14, 5)],
    ),
    "a pattern that cannot be run, in an answer": (
        ANSWER + component('{type: string, pattern: "(?<n"}'),
        [("D503", 14, 32)],
    ),
    "a pattern that cannot be run, in a request": (
        REQUEST + component('{type: string, pattern: "[a-z"}'),
        [("D503", 11, 32)],
    ),
    "a pattern that cannot be run, in a schema that nothing uses": (
        REQUEST + component("{type: string}") + '    B: {type: string, pattern: "[a-z"}\n',
        [("D503", 12, 32)],
    ),
    "keys given twice": (
        ANSWER + component("{type: string}") + "    A: {type: integer}\n",
        [("D113", 15, 5)],
    ),
    "keys given twice in JSON": (
        '{"openapi": "3.0.3", "info": {"title": "t", "version": "1"},\n "paths": {},\n "paths": {}}',
        [("D113", 3, 2)],
    ),
    "a default that breaks its schema": (
        ANSWER + component("{type: integer, maximum: 3, default: 7}"),
        [("D304", 14, 5)],
    ),
    "two templates of one path": (
        HEAD
        + """\
paths:
  /a/{x}:
    parameters: [{name: x, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': {description: ok}}}
  /a/{y}:
    parameters: [{name: y, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': {description: ok}}}
""",
        [("D303", 9, 5)],
    ),
    "paths that no request has": (
        HEAD
        + """\
paths:
  /a#one: {get: {responses: {'200': {description: ok}}}}
  /a?b=1: {get: {responses: {'200': {description: ok}}}}
""",
        [("D305", 4, 12), ("D305", 5, 12)],
    ),
    "a parameter of 2.0 with a broken pattern": (
        """\
swagger: "2.0"
info: {title: t, version: "1"}
paths:
  /ping:
    get:
      parameters:
        - {name: a, in: query, type: string, pattern: "[a-z"}
      responses: {'200': {description: ok}}
""",
        [("D503", 7, 55)],
    ),
}
WARNINGS = {"D303", "D304", "D305", "D501"}


def checked(folder: Path, text: str, *options: str) -> Result:
    path = folder / "api.yaml"
    path.write_text(text)
    return CliRunner().invoke(check, [str(path), *options], standalone_mode=False)


@pytest.mark.parametrize("name", CASES)
def test_finds(name: str, tmp_path: Path) -> None:
    text, wanted = CASES[name]
    ran = checked(tmp_path, text, "--format", "json")
    found = json.loads(ran.stdout)
    assert [(each["code"], each["line"], each["column"]) for each in found] == wanted
    assert all(each["remedy"] and each["message"] for each in found)
    errors = [code for code, _, _ in wanted if code not in WARNINGS]
    assert [each["code"] for each in found if each["severity"] == "error"] == errors
    assert ran.return_value == bool(errors)
    assert checked(tmp_path, text, "--strict").return_value == bool(wanted)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{type: integer, minimum: 5, maximum: 3}", "minimum 5 is more than maximum 3"),
        ("{type: number, minimum: 2.5, maximum: 1.5}", "minimum 2.5 is more than maximum 1.5"),
        (
            "{type: integer, minimum: 3, exclusiveMinimum: true, maximum: 3}",
            "exclusiveMinimum 3 and maximum 3 leave no number between them",
        ),
        (
            "{type: number, multipleOf: 10, minimum: 11, maximum: 19}",
            "there is no multiple of 10 within its bounds",
        ),
        ("{type: string, minLength: 5, maxLength: 2}", "minLength 5 is more than maxLength 2"),
        ("{type: array, items: {}, minItems: 5, maxItems: 2}", "minItems 5 is more than maxItems 2"),
        (
            "{type: object, minProperties: 5, maxProperties: 2}",
            "minProperties 5 is more than maxProperties 2",
        ),
    ],
)
def test_bounds_that_contradict_each_other_are_named(schema: str, message: str, tmp_path: Path) -> None:
    ran = checked(tmp_path, ANSWER + component(schema), "--format", "json")
    [found] = json.loads(ran.stdout)
    assert (found["code"], found["message"]) == ("D502", message)


@pytest.mark.parametrize(
    "schema",
    [
        "{type: object, required: [a], properties: {a: {type: integer, minimum: 5, maximum: 3}}}",
        '{type: string, pattern: "[a-z"}',
        '{$ref: "http://[::1"}',
        '{$ref: "#/components/schemas/B/properties/nowhere"}',
        '{$ref: "#/components/schemas/A"}',
        '{$ref: "beside.yaml#/A"}',
        "{type: 7}",
        '{allOf: [{$ref: "#/components/schemas/A"}]}',
        '{type: array, items: {$ref: "#/nowhere"}}',
    ],
)
def test_no_finding_shows_the_address_that_files_have_inside(schema: str, tmp_path: Path) -> None:
    (tmp_path / "beside.yaml").write_text('A: {type: string, minLength: 3, maxLength: 1, $id: "#"}\n')
    for head in ("openapi: 3.0.3", "openapi: 3.1.0", "openapi: 3.2.0"):
        text = ANSWER.replace("openapi: 3.0.3", head) + component(schema) + "    B: {type: object}\n"
        ran = checked(tmp_path, text)
        assert ran.stdout
        assert "mockserver.invalid" not in ran.stdout


def test_faults_in_other_files_are_told_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("\n\ntype: string\nminLength: 5\nmaxLength: 2\n")
    text = ANSWER.replace('"#/components/schemas/A"', '"a.yaml"')
    [found] = json.loads(checked(tmp_path, text, "--format", "json").stdout)
    assert Path(found["source"]).name == "a.yaml"
    assert (found["code"], found["line"]) == ("D502", 3)


def test_text_ends_with_a_sum(tmp_path: Path) -> None:
    ran = checked(tmp_path, ANSWER + EXAMPLE)
    assert re.search(r"api\.yaml:10:13: warning D501: .+\n    .+\n\S*api\.yaml: 1 warning\.\n$", ran.stdout)
    ran = checked(tmp_path, ANSWER + component("{type: string}"))
    assert re.fullmatch(r"\S*api\.yaml: no errors\.\n", ran.stdout)


def test_github_marks_lines(tmp_path: Path) -> None:
    ran = checked(tmp_path, ANSWER + EXAMPLE, "--format", "github")
    assert re.fullmatch(
        r"::warning file=\S+api\.yaml,line=10,col=13,title=D501::the example \S+ breaks [^\n]+%0A[^\n]+\n",
        ran.stdout,
    )
    assert ran.stderr.endswith("api.yaml: 1 warning.\n")


def test_sarif_names_rules_and_places(tmp_path: Path) -> None:
    ran = checked(tmp_path, ANSWER + EXAMPLE, "--format", "sarif")
    log: dict[str, Any] = json.loads(ran.stdout)
    [of_tool] = log["runs"]
    assert log["version"] == "2.1.0"
    [rule] = of_tool["tool"]["driver"]["rules"]
    assert rule["id"] == "D501"
    assert rule["shortDescription"]["text"] == "An example breaks its schema"
    [result] = of_tool["results"]
    assert (result["ruleId"], result["level"]) == ("D501", "warning")
    [place] = result["locations"]
    assert place["physicalLocation"]["region"] == {"startLine": 10, "startColumn": 13}


def test_documents_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    ran = CliRunner().invoke(check, [str(tmp_path), "--format", "json"], standalone_mode=False)
    assert [each["code"] for each in json.loads(ran.stdout)] == ["D102"]
    assert ran.return_value == 1


def test_scenario_files_are_judged_as_well(tmp_path: Path) -> None:
    (tmp_path / "life.yaml").write_text("resource: a\n")
    options = ("--scenarios", str(tmp_path / "life.yaml"), "--format", "json")
    found = json.loads(checked(tmp_path, ANSWER + EXAMPLE, *options).stdout)
    assert {each["code"] for each in found} == {"S205", "D501"}


def test_the_example_that_is_served_by_default_is_clean() -> None:
    ran = CliRunner().invoke(check, ["--strict"], standalone_mode=False)
    assert ran.return_value == 0, ran.output
