"""Mistakes in scenario files: the diagnostic that each gets, and whether the JSON Schema sees it as well."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from mockserver import inputs
from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.compile.source import parse
from mockserver.diagnostics import CompileError
from tests.fixtures import things_plan

SCHEMA = inputs.SCENARIOS.with_name("scenario.schema.json")

GOOD: dict[str, str] = {
    "resource": "thing",
    "key": "path.id",
    "handles": "{name: \"{{ uuid('name') }}\"}",
    "operations": """
      make: {operation: make, creates: body.id}
      all: {operation: all, lists: body.things, items: look}
      look: {operation: look, limit: [5/s, {rate: 9/1m, by: key}], concurrency: 2}
      act: {operation: "POST /things/{id}", updates: merge, delay: {min: 0ms, max: 1s}}
      drop: {operation: drop, deletes: true, flaky: {rate: 0.5, answers: [409, reset, gone]}}
    """,
    "states": """
      new: {make: {}, look: {body: {state: new}}, act: {}, drop: {}, set: {state: fresh, name: null}}
      gone: {status: 404, body: {message: gone}, undocumented: true}
      slow:
        make: {}
        look: {body: {state: slow}, delay: {median: 1s, sigma: 1}, dribble: {chunks: 2, over: 1s}}
        act: {}
    """,
    "scenarios": """
      usual:
        - new: {calls: 2, after: 1m}
        - {state: slow, on: {act: [{when: {body.verb: [go, run]}, to: gone}, new]}}
        - gone
      drawn:
        - state: new
          until: {calls: {look: 2}}
          next: [{weight: 2, to: slow}, {weight: 1, to: gone}]
          fault: close
        - {state: slow, delay: 1s, dribble: {chunks: 3, over: 1s}}
        - gone
      brief: new
    """,
    "select": """
      - {id: "7*", scenario: drawn}
      - {header.X-A: [a, b], method: GET, scenario: usual}
      - {scenario: usual}
    """,
    "unknown": "404",
    "unanswered": "gone",
    "delay": "0ms",
    "limit": "{rate: 100/1s, by: header.X-Api-Key}",
    "flaky": "{rate: 1%, answers: [500]}",
    "notify": '[{on: gone, url: "http://127.0.0.1/", sign: {secret: s}, retries: 0, backoff: 1s}]',
    "defaults": '{name: "{{ resource.created_by.body.name }}"}',
    "x-note": "{anything: goes}",
}


class Bad(NamedTuple):
    key: str
    """Of the file; its value is replaced."""
    value: str
    code: str
    seen: bool = True
    """Whether the JSON Schema refuses the file as well: what is wrong is its shape, not what it refers to."""


OPERATIONS = GOOD["operations"]
STATES = GOOD["states"]
SCENARIOS = GOOD["scenarios"]


def operation(alias: str, text: str) -> str:
    lines = [line for line in dedent(OPERATIONS).strip().split("\n") if not line.startswith(f"{alias}:")]
    return "\n".join([*lines, f"{alias}: {text}"])


def look(text: str) -> str:
    return dedent(STATES).replace("{body: {state: new}}", text)


def state(text: str) -> str:
    """The states, of which the first sets ``text`` in the stored data."""
    return dedent(STATES).replace("set: {state: fresh, name: null}", f"set: {text}")


def usual(text: str) -> str:
    return dedent(SCENARIOS).replace("brief: new", f"brief: {text}")


BAD = {
    # the file
    "an unknown key": Bad("resources", "thing", "S201"),
    "no resource": Bad("resource", "", "S205"),
    "no key": Bad("key", "", "S205"),
    "no operations": Bad("operations", "", "S205"),
    "no states": Bad("states", "", "S205"),
    "no scenarios": Bad("scenarios", "", "S205"),
    "a resource without a name": Bad("resource", "[a]", "S204"),
    "a document that is a list": Bad("document", "[a]", "S204"),
    "a key that is no part": Bad("key", "id", "S207"),
    "a key that no path has": Bad("key", "path.number", "S207", seen=False),
    "handles that are a list": Bad("handles", "[a]", "S204"),
    "a handle that is a number": Bad("handles", "{name: 7}", "S204"),
    "a handle that does not compile": Bad("handles", '{name: "{{ x"}', "S312", seen=False),
    "no such invalid": Bad("invalid", "nowhere", "S203", seen=False),
    "no such unknown": Bad("unknown", "nowhere", "S203", seen=False),
    "unknown by a success": Bad("unknown", "200", "S306"),
    "unanswered by a list": Bad("unanswered", "[gone]", "S203"),
    "no unknown": Bad("unknown", "", "S209", seen=False),
    "certify nothing": Bad("certify", "{}", "S204"),
    "certify what is no part": Bad("certify", "{csr: csr}", "S207"),
    "certify too much": Bad("certify", "{csr: body.csr, key: body.key}", "S201"),
    # operations
    "operations that are a list": Bad("operations", "[look]", "S204"),
    "no such operation": Bad("operations", operation("look", "nowhere"), "S206", seen=False),
    "an operation without one": Bad("operations", operation("look", "{limit: 5/s}"), "S205"),
    "an operation with an unknown key": Bad(
        "operations", operation("look", "{operation: look, x: 1}"), "S201"
    ),
    "two parts at once": Bad(
        "operations", operation("make", "{operation: make, creates: true, deletes: true}"), "S208"
    ),
    "a key for what has a fresh one": Bad(
        "operations", operation("make", "{operation: make, creates: body.id, key: body.name}"), "S208"
    ),
    "an unknown update": Bad("operations", operation("act", "{operation: act, updates: patch}"), "S208"),
    "an update of a creation": Bad(
        "operations", operation("make", "{operation: make, creates: body.id, updates: merge}"), "S208"
    ),
    "an update without a request body": Bad(
        "operations", operation("look", "{operation: look, updates: merge}"), "S208", seen=False
    ),
    "a state that sets nothing": Bad("states", state("{}"), "S204"),
    "a state that sets a text": Bad("states", state("text"), "S204"),
    "a state that sets an unknown field": Bad("states", state("{stat: a}"), "S318", seen=False),
    "a state that sets a wrong value": Bad("states", state("{state: 7}"), "S318", seen=False),
    "a state that removes a required field": Bad("states", state("{state: null}"), "S318", seen=False),
    "a state that sets a wrong template": Bad(
        "states", state('{id: "{{ resource.key }}"}'), "S318", seen=False
    ),
    "a state that sets what does not compile": Bad("states", state('{name: "{{ x"}'), "S312", seen=False),
    "a state that sets what cannot be rendered": Bad(
        "states", state('{name: "{{ 1 / 0 }}"}'), "S501", seen=False
    ),
    "a response that sets": Bad("states", look("{set: {state: new}}"), "S201"),
    "items of no list": Bad("operations", operation("look", "{operation: look, items: act}"), "S208"),
    "a key of its own that is none": Bad(
        "operations", operation("look", "{operation: look, key: id}"), "S207"
    ),
    "a key of its own elsewhere": Bad(
        "operations", operation("look", "{operation: look, key: path.x}"), "S207", seen=False
    ),
    "no such handle": Bad(
        "operations", operation("look", "{operation: look, key: {nick: path.id}}"), "S208", seen=False
    ),
    "no such place for a key": Bad(
        "operations", operation("make", "{operation: make, creates: body.key}"), "S208", seen=False
    ),
    "a place for a key in a header": Bad(
        "operations", operation("make", "{operation: make, creates: header.Location}"), "S208"
    ),
    "no such array": Bad(
        "operations", operation("all", "{operation: all, lists: body.all}"), "S208", seen=False
    ),
    "an array in a header": Bad("operations", operation("all", "{operation: all, lists: header.X}"), "S208"),
    "no such items": Bad(
        "operations", operation("all", "{operation: all, lists: body.things, items: x}"), "S202", seen=False
    ),
    "deletes no": Bad("operations", operation("drop", "{operation: drop, deletes: no}"), "S208"),
    # states
    "a state that is a list": Bad("states", dedent(STATES) + "\nodd: [a]", "S204"),
    "an answer that is a list": Bad("states", look("[a]"), "S204"),
    "an answer with an unknown key": Bad("states", look("{bdy: {}}"), "S201"),
    "a status that is none": Bad("states", look("{status: 99}"), "S306"),
    "a status in words": Bad("states", look("{status: ok}"), "S306"),
    "an undocumented status": Bad("states", look("{status: 418}"), "S307", seen=False),
    "headers that are a list": Bad("states", look("{headers: [a]}"), "S308"),
    "a header that is null": Bad("states", look("{headers: {X-A: null}}"), "S308"),
    "a header's name": Bad("states", look('{headers: {"X A": a}}'), "S308"),
    "an unknown field": Bad("states", look("{body: {stat: new}}"), "S311", seen=False),
    "a wrong body": Bad("states", look("{body: {state: 7}}"), "S503", seen=False),
    "a delay that is a number": Bad("states", look("{delay: 3}"), "S302"),
    "a delay without an end": Bad("states", look("{delay: {min: 1s}}"), "S302"),
    "a delay the wrong way round": Bad("states", look("{delay: {min: 2s, max: 1s}}"), "S302", seen=False),
    "a delay beyond a day": Bad("states", look("{delay: 25h}"), "S302", seen=False),
    "a sigma beyond measure": Bad("states", look("{delay: {median: 1s, sigma: 9}}"), "S302"),
    "no chunks": Bad("states", look("{dribble: {chunks: 0, over: 1s}}"), "S313"),
    "a dribble without time": Bad("states", look("{dribble: {chunks: 2}}"), "S313"),
    "no such fault": Bad("states", look("{fault: explode}"), "S305"),
    "one of a list with a status": Bad(
        "states", dedent(STATES) + "\nodd: {make: {}, all: {status: 200}}", "S204", seen=False
    ),
    "a default nobody has": Bad("defaults", "{nme: x}", "S311", seen=False),
    # scenarios
    "a scenario that is a number": Bad("scenarios", usual("7"), "S301"),
    "a scenario without steps": Bad("scenarios", usual("[]"), "S301"),
    "a step that is a number": Bad("scenarios", usual("[7]"), "S301"),
    "two states in one step": Bad("scenarios", usual("[{new: 2, slow: 1}, gone]"), "S301"),
    "no such state": Bad("scenarios", usual("[old]"), "S203", seen=False),
    "no calls": Bad("scenarios", usual("[{new: 0}, gone]"), "S302"),
    "no time": Bad("scenarios", usual("[{new: 0s}, gone]"), "S302"),
    "calls of two operations": Bad("scenarios", usual("[{new: {calls: {look: 1, act: 1}}}, gone]"), "S302"),
    "calls of nothing": Bad("scenarios", usual("[{new: {calls: {lok: 1}}}, gone]"), "S202", seen=False),
    "an unknown hold": Bad("scenarios", usual("[{new: {times: 2}}, gone]"), "S201"),
    "an unknown key of a step": Bad("scenarios", usual("[{state: new, hold: 2}, gone]"), "S201"),
    "an end without what follows": Bad("scenarios", usual("[{new: 2}]"), "S303", seen=False),
    "next of what never ends": Bad(
        "scenarios", usual("[{state: new, next: gone}, gone]"), "S303", seen=False
    ),
    "never reached": Bad("scenarios", usual("[new, gone]"), "S304", seen=False),
    "next to nowhere": Bad(
        "scenarios", usual("[{state: new, until: {calls: 1}, next: old}, gone]"), "S203", seen=False
    ),
    "on nothing": Bad("scenarios", usual("[{state: new, on: {}}, gone]"), "S404"),
    "on no operation": Bad(
        "scenarios", usual("[{state: new, on: {act: gone, fly: gone}}, gone]"), "S202", seen=False
    ),
    "on to nowhere": Bad("scenarios", usual("[{state: new, on: {act: old}}, gone]"), "S203", seen=False),
    "a way that is a number": Bad("scenarios", usual("[{state: new, on: {act: 7}}, gone]"), "S404"),
    "a branch that is a number": Bad("scenarios", usual("[{state: new, on: {act: [7]}}, gone]"), "S404"),
    "a branch to nowhere": Bad("scenarios", usual("[{state: new, on: {act: [{weight: 1}]}}, gone]"), "S404"),
    "a branch with an unknown key": Bad(
        "scenarios", usual("[{state: new, on: {act: [{to: gone, if: x}]}}, gone]"), "S201"
    ),
    "no weight": Bad("scenarios", usual("[{state: new, on: {act: [{to: gone, weight: 0}]}}, gone]"), "S404"),
    "when nothing": Bad(
        "scenarios", usual("[{state: new, on: {act: [{to: gone, when: {}}]}}, gone]"), "S404"
    ),
    "when what is no part": Bad(
        "scenarios", usual("[{state: new, on: {act: [{to: gone, when: {x: y}}]}}, gone]"), "S401", seen=False
    ),
    "a branch behind one that asks nothing": Bad(
        "scenarios",
        usual("[{state: new, on: {act: [gone, {to: new, weight: 1}]}}, gone]"),
        "S404",
        seen=False,
    ),
    "a beginning that creates nothing": Bad("scenarios", usual("[nowhere]"), "S203", seen=False),
    "select that is a mapping": Bad("select", "{scenario: usual}", "S401"),
    "a rule without a scenario": Bad("select", "[{id: 7}]", "S401"),
    "a rule for no scenario": Bad("select", "[{scenario: odd}]", "S402", seen=False),
    "a rule that is shadowed": Bad(
        "select", "[{scenario: usual}, {id: 7, scenario: drawn}]", "S403", seen=False
    ),
    "a rule about nothing": Bad("select", "[{colour: red, scenario: usual}]", "S401", seen=False),
    "a rule with a mapping": Bad("select", "[{id: {a: b}, scenario: usual}]", "S401"),
    # what stands before
    "a limit without time": Bad("limit", "5", "S601"),
    "a limit of none": Bad("limit", "0/s", "S601"),
    "a limit longer than any clock": Bad("limit", "5/99999999999999999999d", "S601", seen=False),
    "a limit of more than can be counted": Bad("limit", "9" * 5000 + "/s", "S601"),
    "a limit by what is no part": Bad("limit", "{rate: 5/s, by: colour}", "S601"),
    "a limit by no state": Bad("limit", "{rate: 5/s, state: nowhere}", "S203", seen=False),
    "a limit with an unknown key": Bad("limit", "{rate: 5/s, burst: 9}", "S201"),
    "no concurrency": Bad("operations", operation("look", "{operation: look, concurrency: 0}"), "S602"),
    "concurrency without a number": Bad(
        "operations", operation("look", "{operation: look, concurrency: {wait: 1s}}"), "S602"
    ),
    "a rate over all": Bad("flaky", "{rate: 101%, answers: [500]}", "S603"),
    "a rate in words": Bad("flaky", "{rate: often, answers: [500]}", "S603"),
    "flaky without answers": Bad("flaky", "{rate: 1%, answers: []}", "S603"),
    "flaky by nothing known": Bad("flaky", "{rate: 1%, answers: [explode]}", "S603", seen=False),
    "flaky by a status that is none": Bad("flaky", "{rate: 1%, answers: [99]}", "S603"),
    # notices
    "a notice without an address": Bad("notify", "{on: gone}", "S701"),
    "a notice with two": Bad("notify", '{on: gone, url: "http://a/", callback: a.b}', "S701"),
    "a notice of nothing": Bad("notify", '{url: "http://a/"}', "S701"),
    "a notice of no state": Bad("notify", '{on: nowhere, url: "http://a/"}', "S203", seen=False),
    "too many retries": Bad("notify", '{on: gone, url: "http://a/", retries: 21}', "S701"),
    "an unknown signature": Bad(
        "notify", '{on: gone, url: "http://a/", sign: {secret: s, algorithm: md5}}', "S701"
    ),
    "no such callback": Bad("notify", "{on: gone, callback: make.other}", "S702", seen=False),
}


def written(**changes: str) -> str:
    parts = {**GOOD, **changes}
    return "".join(
        f"{key}:\n{indent(dedent(value).strip(), '  ')}\n" for key, value in parts.items() if value
    )


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    stated = json.loads(SCHEMA.read_text("utf-8"))
    Draft202012Validator.check_schema(stated)
    return Draft202012Validator(stated)


def loaded(text: str) -> Any:
    return parse(text, "life.yaml", "scenario file").value


def test_complete_file_compiles_and_matches_the_schema(tmp_path: Path, schema: Draft202012Validator) -> None:
    text = written()
    assert not [error.message for error in schema.iter_errors(loaded(text))]
    [resource] = things_plan(tmp_path, text).resources
    assert resource.name == "thing"
    known = schema.schema["properties"].keys()
    assert known - {*loaded(text)} == {"document", "invalid", "certify"}


@pytest.mark.parametrize("name", BAD)
def test_mistake_is_reported_at_its_location(tmp_path: Path, name: str) -> None:
    bad = BAD[name]
    with pytest.raises(CompileError) as caught:
        things_plan(tmp_path, written(**{bad.key: bad.value}))
    found = [diagnostic for diagnostic in caught.value.diagnostics if diagnostic.severity == "error"]
    assert bad.code in [diagnostic.code for diagnostic in found], [str(diagnostic) for diagnostic in found]
    for diagnostic in found:
        assert diagnostic.where.source.endswith("life.yaml")
        assert diagnostic.where.line
        assert diagnostic.message
        assert diagnostic.remedy


@pytest.mark.parametrize("name", BAD)
def test_wrong_structure_is_rejected_by_the_schema(schema: Draft202012Validator, name: str) -> None:
    bad = BAD[name]
    assert schema.is_valid(loaded(written(**{bad.key: bad.value}))) is not bad.seen


@pytest.mark.parametrize("file", sorted(SCHEMA.parent.glob("*.yaml")), ids=lambda file: file.stem)
def test_example_file_compiles_and_matches_the_schema(schema: Draft202012Validator, file: Path) -> None:
    assert not [error.message for error in schema.iter_errors(loaded(file.read_text("utf-8")))]
    document = inputs.DOCUMENT.with_name(file.name)
    assert compile_plan(Inputs((document,), (file,))).plan.resources


def test_first_state_without_a_response_to_the_creating_operation_is_reported(tmp_path: Path) -> None:
    states = GOOD["states"].replace("new: {make: {}, ", "new: {")
    with pytest.raises(CompileError) as caught:
        things_plan(tmp_path, written(states=states))
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"S314"}


def test_operations_of_two_documents_in_one_file_are_reported(tmp_path: Path) -> None:
    first, second = tmp_path / "one.yaml", tmp_path / "two.yaml"
    for path in (first, second):
        path.write_text(
            "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n"
            f"  /{path.stem}/{{id}}:\n    get:\n      operationId: {path.stem}\n"
            "      parameters: [{name: id, in: path, required: true, schema: {type: string}}]\n"
            "      responses: {'200': {description: fine}}\n"
        )
    file = tmp_path / "both.yaml"
    file.write_text(
        "resource: both\nkey: path.id\noperations: {one: one, two: two}\n"
        "states: {s: {}}\nscenarios: {s: [s]}\n"
    )
    with pytest.raises(CompileError) as caught:
        compile_plan(Inputs((first, second), (file,)))
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["S106"]


BROKEN = "{{ resource.key"
"""A template that does not compile."""


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"defaults": f'{{name: "{BROKEN}"}}'}, 'name: "{{'),
        ({"states": STATES.replace("{state: new}", f'{{state: "{BROKEN}"}}')}, "look: {body: {state"),
        (
            {
                "states": f"first: {{status: 404, body: {{message: &bad '{BROKEN}'}}, undocumented: true}}\n"
                "new: {make: {}, act: {}, look: {status: 404, body: {message: *bad}}, drop: {}}\n"
                "gone: {status: 404, body: {message: gone}, undocumented: true}\n"
                "slow: {make: {}, look: {body: {state: slow}}, act: {}}"
            },
            "first: {status: 404",
        ),
    ],
    ids=["in defaults", "in a state that is listed", "in a body that two answers share"],
)
def test_malformed_template_is_reported_once_with_its_location(
    tmp_path: Path, changes: dict[str, str], line: str
) -> None:
    text = written(**changes)
    with pytest.raises(CompileError) as caught:
        things_plan(tmp_path, text)
    [found] = caught.value.diagnostics
    assert found.code == "S312"
    assert line in text.splitlines()[found.where.line - 1]
    assert found.where.column > 1
