"""Scenario files: what each mistake is told as and where, and what good ones come to."""

from __future__ import annotations

import re
from textwrap import dedent, indent
from typing import Any

import pytest

from mockserver.compile.compiler import compile_plan
from mockserver.diagnostics import CompileError
from mockserver.inputs import Inputs
from mockserver.plan import Condition, Plan, Rule, Step
from tests.live import Write, compiled

DOCUMENT = """
openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /orders/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: readOrder
      parameters: [{name: detail, in: query, schema: {type: string}}]
      responses:
        "200":
          description: an order
          content:
            application/json: {schema: {$ref: "#/components/schemas/Order"}}
            text/plain: {schema: {type: string}}
        "404":
          description: none
          content:
            application/json:
              schema:
                type: object
                required: [message]
                properties: {message: {type: string}}
                additionalProperties: false
        "5XX": {description: broken}
    delete:
      operationId: cancelOrder
      responses: {"204": {description: cancelled}}
  /baskets/{basket}:
    get:
      operationId: readBasket
      parameters: [{name: basket, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: a basket}}
components:
  schemas:
    Order:
      type: object
      required: [status, total, at]
      properties:
        status: {enum: [open, shipped]}
        total: {type: integer, minimum: 1}
        at: {type: string, format: date-time}
        note: {type: [string, "null"]}
        lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
      additionalProperties: false
"""
BASE = {
    "resource": "order",
    "key": "path.id",
    "operations": "{read: readOrder, cancel: cancelOrder}",
    "states": "{open: {read: {body: {status: open}}, cancel: {}}, gone: {read: {status: 404}, cancel: {}}}",
    "scenarios": "{normal: [open: 2, gone], other: [gone]}",
}


def text(**changed: str) -> str:
    """A good scenario file with some of its members changed, or left out where that is ``-``."""
    members = {**BASE, **changed}
    return "".join(
        f"{key}:\n{indent(dedent(value).strip(), '  ')}\n" if "\n" in value else f"{key}: {value}\n"
        for key, value in members.items()
        if value != "-"
    )


MARK = re.compile(r"«(\w+)»")


def unmarked(marked: str) -> tuple[str, list[tuple[str, int, int]]]:
    """A text without its marks ``«CODE»``, and code, line and column of each."""
    plain, expected = "", []
    for line in marked.splitlines(keepends=True):
        number = plain.count("\n") + 1
        while found := MARK.search(line):
            line = line[: found.start()] + line[found.end() :]
            expected.append((found[1], number, found.start() + 1))
        plain += line
    return plain, expected


def told(write: Write, scenarios: str) -> list[tuple[str, int, int]]:
    write("orders.yaml", DOCUMENT)
    path = write("mine.yaml", scenarios)
    with pytest.raises(CompileError) as failure:
        compiled(path.with_name("orders.yaml"), scenarios=[path])
    for found in failure.value.diagnostics:
        assert found.severity == "error"
        assert found.where.source.endswith("mine.yaml")
        assert found.message
        assert found.remedy
    return [
        (diagnostic.code, diagnostic.where.line, diagnostic.where.column)
        for diagnostic in failure.value.diagnostics
    ]


HUGE = ", ".join(f"X-{number}: a" for number in range(2000))
BAD = {
    "the file": {
        "not YAML": "resource: «S101»]\n",
        "a control character": 'resource: "«S101»\x01"\n',
        "a tab as indentation": text() + "select:\n«S101»\t- scenario: normal\n",
        "a tab that the other parser takes": "«S101»\t" + text(),
        "a list": "«S204»[]",
        "a text": "«S204»order",
        "a key twice": text() + "«S102»key: path.id\n",
        "a key misspelt, and named as it should be": text(states="-")
        + "«S201»stats: " + BASE["states"] + "\n",
        "states twice": text() + "«S102»states: {lost: {}}\n",
        "states twice, and a state that neither has": text(scenarios="{normal: [«S203»opne: 2, lost]}")
        + "«S102»states: {lost: {}}\n",
        "scenarios twice": "scenarios: {other: [gone]}\n"
        + text(select="[{id: a, scenario: normal}, {scenario: other}]", scenarios="-")
        + "«S102»scenarios: {normal: [open]}\n",
        "unknown keys": text() + "«S201»selct: []\n«S201»more: 1\nx-mine: 1\n",
        "nothing of what is needed": "«S205»«S205»«S205»«S205»«S205»x-mine: 1\n",
        "a name that is none": text(resource="«S204»a b"),
        "a number as name": text(resource="«S204»5"),
    },
    "key": {
        "no part of a request": text(key="«S207»id"),
        "another part": text(key="«S207»form.id"),
        "no name": text(key="«S207»path."),
        "a list": text(key="«S207»[path.id]"),
        "another parameter": text(key="«S207»path.order"),
    },
    "operations": {
        "none": text(operations="«S204»{}", states="{}", scenarios="{}"),
        "a list": text(operations="«S204»[readOrder]"),
        "an unknown id": text(operations="{read: «S206»raedOrder, cancel: cancelOrder}"),
        "an unknown path": text(operations="{read: «S206»'GET /order/{id}', cancel: cancelOrder}"),
        "an unknown method": text(operations="{read: «S206»'PUT /orders/{id}', cancel: cancelOrder}"),
        "an unknown one that a timeline names": text(
            operations="{read: readOrder, cancel: «S206»cancleOrder}",
            scenarios="{normal: [{state: open, until: {operation: cancel}}, {state: gone, on: {cancel: open}}]}",
        ),
        "an unknown one that creates": text(
            operations="{read: readOrder, cancel: {operation: «S206»makeOrder, creates: true}}",
            states="{open: {read: {body: {note: '{{ resource.created_by.body.note }}'}}}, gone: {}}",
        ),
        "one that lacks the key": text(
            key="«S207»path.id", operations="{read: readOrder, cancel: cancelOrder, basket: readBasket}"
        ),
    },
    "states": {
        "a list": text(states="«S204»[open]", scenarios="{}"),
        "a text": text(states="{open: «S204»open, gone: {}}"),
        "a name that is none": text(states="{open: {}, gone: {}, «S204»a b: {}}"),
        "an unknown key": text(states="{open: {«S201»stauts: 200}, gone: {}}"),
        "an unknown operation among others": text(
            states="{open: {«S202»raed: {body: {status: open}}, cancel: {}}, gone: {}}"
        ),
        "an unknown operation whose answer is wrong too": text(
            states="{open: {«S202»raed: {body: {status: «S503»opne}}, cancel: {}}, gone: {}}"
        ),
        "an answer to all beside one to an operation": text(
            states="{open: {«S201»read: {}, headers: {X-A: b}}, gone: {}}"
        ),
        "an answer that is none": text(states="{open: {read: «S204»5}, gone: {}}"),
        "a status of 0": text(states="{open: {read: {status: «S306»0}}, gone: {}}"),
        "a status of 99": text(states="{open: {read: {status: «S306»99}}, gone: {}}"),
        "an interim status": text(states="{open: {read: {status: «S306»100}}, gone: {}}"),
        "a status of 1000": text(states="{open: {read: {status: «S306»1000}}, gone: {}}"),
        "true as status": text(states="{open: {read: {status: «S306»true}}, gone: {}}"),
        "a text as status": text(states='{open: {read: {status: «S306»"200"}}, gone: {}}'),
        "a fraction as status": text(states="{open: {read: {status: «S306»200.5}}, gone: {}}"),
        "a template as status": text(states='{open: {read: {status: «S306»"{{ 200 }}"}}, gone: {}}'),
        "an undocumented status": text(states="{open: {read: {status: «S307»418}}, gone: {}}"),
        "an unknown field": text(states="{open: {read: {body: {«S311»staus: open}}}, gone: {}}"),
        "a body where there is none": text(states="{open: {cancel: {«S310»body: {a: 1}}}, gone: {}}"),
        "another media type": text(states="{open: {read: {mediaType: «S309»text/csv}}, gone: {}}"),
        "a flag that is none": text(states="{open: {read: {undocumented: «S204»yes}}, gone: {}}"),
        "a fault that is none": text(states="{open: {read: {fault: «S305»explode}}, gone: {}}"),
        "a delay without a unit": text(states="{open: {read: {delay: «S302»200}}, gone: {}}"),
        "two mistakes in one": text(states="{open: {read: {status: «S306»1, headers: {«S308»a b: 1}}}, gone: {}}"),
    },
    "bodies": {
        "a value that breaks the schema": text(states="{open: {read: {body: {status: «S503»lost}}}, gone: {}}"),
        "a value of another type": text(states='{open: {read: {body: {total: «S503»"5"}}}, gone: {}}'),
        "a value out of bounds": text(states="{open: {read: {body: {total: «S503»0}}}, gone: {}}"),
        "deep inside": text(states="{open: {read: {body: {lines: [{sku: a}, {sku: «S503»7}]}}}, gone: {}}"),
        "a template of another type": text(states='{open: {read: {body: {total: «S503»"{{ now }}"}}}, gone: {}}'),
        "a text that looks like a number": text(
            states="""{open: {read: {body: {total: «S503»"{{ '123' }}"}}}, gone: {}}"""
        ),
        "a template that does not compile": text(
            states='{open: {read: {body: {note: «S312»"{{ oops"}}}, gone: {}}'
        ),
        "a filter that is none": text(states='{open: {read: {body: {note: «S312»"{{ now | oops }}"}}}, gone: {}}'),
        "a name that is none": text(states='{open: {read: «S501»{body: {note: "{{ oops }}"}}}, gone: {}}'),
        "an escape from the sandbox": text(
            states="""{open: {read: «S501»{body: {note: "{{ ''.__class__ }}"}}}, gone: {}}"""
        ),
        "a bomb": text(states="""{open: {read: «S501»{body: {note: "{{ 'x' * 10**9 }}"}}}, gone: {}}"""),
        "a list for an object": text(states="{open: {read: {body: «S503»[1]}}, gone: {}}"),
        "in defaults": text(defaults="{at: «S503»yesterday}", states="{open: {read: {}}, gone: {}}"),
        "in a template of the defaults": text(
            defaults='{at: «S501»"{{ resource.craeted_at }}", note: a}',
            states="{open: {}, gone: {}, lost: {read: {body: {total: «S503»0}}, cancel: {}}}",
        ),
        "deep in the defaults": text(defaults='{lines: [{sku: a}, {sku: «S501»"{{ nobody.knows }}"}]}'),
        "in the defaults and in a body": text(
            defaults='{at: «S501»"{{ resource.craeted_at }}"}',
            states="""{open: {read: «S501»{body: {note: "{{ resource.crated_at }}"}}}, gone: {}}""",
        ),
        "a field that no body has": text(defaults='{«S311»att: "{{ now }}"}'),
        "defaults that are a list": text(defaults="«S204»[at]"),
    },
    "headers": {
        "a list": text(states="{open: {read: {headers: «S308»[X-A]}}, gone: {}}"),
        "a name that is none": text(states='{open: {read: {headers: {«S308»"X A": b}}}, gone: {}}'),
        "a name with a line break": text(states='{open: {read: {headers: {«S308»"X-A\\n": b}}}, gone: {}}'),
        "a name given twice": text(states="{open: {read: {headers: {X-A: b, «S308»x-a: c}}}, gone: {}}"),
        "the server's own date": text(states="{open: {read: {headers: {«S308»Date: b}}}, gone: {}}"),
        "an empty name": text(states='{open: {read: {headers: {«S308»"": b}}}, gone: {}}'),
        "a line break in a name": text(states='{open: {read: {headers: {«S308»"X\\r\\nY": b}}}, gone: {}}'),
        "a line break in a value": text(states='{open: {read: {headers: {X-A: «S308»"b\\r\\nX-B: c"}}}, gone: {}}'),
        "a NUL in a value": text(states='{open: {read: {headers: {X-A: «S308»"b\\0c"}}}, gone: {}}'),
        "no Latin-1": text(states="{open: {read: {headers: {X-A: «S308»日本}}}, gone: {}}"),
        "of the framing": text(states="{open: {read: {headers: {«S308»Content-Length: 5}}}, gone: {}}"),
        "of the connection": text(states="{open: {read: {headers: {«S308»connection: close}}}, gone: {}}"),
        "null": text(states="{open: {read: {headers: {X-A: «S308»null}}}, gone: {}}"),
        "two thousand": text(states=f"{{open: {{read: {{headers: «S308»{{{HUGE}}}}}}}, gone: {{}}}}"),
        "a line break from a template": text(
            states="""{open: {read: «S501»{headers: {X-A: "{{ 'a\\\\n' | upper }}"}}}, gone: {}}"""
        ),
    },
    "scenarios": {
        "a list": text(scenarios="«S204»[open]"),
        "an empty one": text(scenarios="{normal: «S301»[]}"),
        "a number": text(scenarios="{normal: «S301»5}"),
        "a name that is none": text(scenarios="{«S204»a b: [open], normal: [open]}"),
        "an unknown state": text(scenarios="{normal: [«S203»opne: 2, gone]}"),
        "an unknown state alone": text(scenarios="{normal: «S203»opne}"),
        "an unknown state in long form": text(scenarios="{normal: [{state: «S203»opne}]}"),
        "a step that is a list": text(scenarios="{normal: [«S301»[open]]}"),
        "an empty step": text(scenarios="{normal: [«S301»{}]}"),
        "two states in one step": text(scenarios="{normal: [«S301»{open: 2, gone: 1}]}"),
        "an unknown key": text(scenarios="{normal: [{state: open, «S201»untl: {calls: 2}}, gone]}"),
        "no calls": text(scenarios="{normal: [open: «S302»0, gone]}"),
        "fewer than none": text(scenarios="{normal: [open: «S302»-1, gone]}"),
        "half a call": text(scenarios="{normal: [open: «S302»1.5, gone]}"),
        "true calls": text(scenarios="{normal: [open: «S302»true, gone]}"),
        "no hold at all": text(scenarios="{normal: [open: «S302»null, gone]}"),
        "no time": text(scenarios="{normal: [open: «S302»0s, gone]}"),
        "longer than any clock": text(scenarios="{normal: [open: «S302»99999999999999999999d, gone]}"),
        "longer than any number": text(scenarios="{normal: [open: «S302»" + "9" * 400 + "d, gone]}"),
        "more calls than can be counted": text(scenarios="{normal: [open: «S302»" + "9" * 30 + ", gone]}"),
        "until long after": text(scenarios="{normal: [{state: open, until: {after: «S302»400000d}}, gone]}"),
        "a delay longer than a day": text(states="{open: {read: {delay: «S302»99999999999999999999d}}, gone: {}}"),
        "soon": text(scenarios="{normal: [open: «S302»soon, gone]}"),
        "until what": text(scenarios="{normal: [{state: open, until: «S302»5}, gone]}"),
        "until nothing": text(scenarios="{normal: [{state: open, until: «S302»{}}, gone]}"),
        "until something else": text(scenarios="{normal: [{state: open, until: {calls: 1, «S201»cals: 2}}, gone]}"),
        "until an unknown operation": text(
            scenarios="{normal: [{state: open, until: {operation: «S202»ship}}, gone]}"
        ),
        "an end without a sequel": text(scenarios="{normal: [«S303»open: 2]}"),
        "a sequel without an end": text(scenarios="{normal: [{state: open, «S303»next: gone}, «S304»gone]}"),
        "a step that nothing leads to": text(scenarios="{normal: [open, «S304»gone]}"),
        "a step that is jumped over": text(
            scenarios="{normal: [{state: open, until: {calls: 1}, next: gone}, «S304»open: 1, gone]}"
        ),
        "next of another scenario": text(
            scenarios="{normal: [{state: open, until: {calls: 1}, next: «S203»gone}], other: [gone]}"
        ),
        "a delay that is none": text(scenarios="{normal: [{state: open, delay: «S302»soon}]}"),
        "a fault that is none": text(scenarios="{normal: [{state: open, fault: «S305»boom}]}"),
    },
    "select": {
        "a mapping": text(select="«S401»{id: a}"),
        "a text as rule": text(select="[«S401»normal]"),
        "no scenario": text(select="[«S401»{id: a}]"),
        "an unknown scenario": text(select="[{id: a, scenario: «S402»nromal}]"),
        "a state instead": text(select="[{id: a, scenario: «S402»open}]"),
        "no part of the request": text(select="[{«S401»order: a, scenario: normal}]"),
        "another part": text(select="[{«S401»form.id: a, scenario: normal}]"),
        "a path parameter that no operation has": text(select="[{«S405»path.idd: a, scenario: normal}]"),
        "a path parameter, while an operation is unknown": text(
            operations="{read: readOrder, basket: «S206»raedBasket}",
            states="{open: {read: {}}, gone: {}}",
            select="[{path.basket: a, scenario: normal}]",
        ),
        "null as pattern": text(select="[{id: «S401»null, scenario: normal}]"),
        "a mapping as pattern": text(select="[{id: «S401»{is: a}, scenario: normal}]"),
        "a rule after one that takes all": text(select="[scenario: normal, «S403»{id: a, scenario: other}]"),
        "a rule twice": text(select="[{id: a, scenario: normal}, «S403»{id: a, scenario: other}]"),
        "a rule twice, in capital letters": text(
            select="[{id: [a, b], scenario: normal}, «S403»{id: B, scenario: other}]"
        ),
        "a rule that an earlier glob covers": text(
            select="[{id: 'a*', scenario: normal}, «S403»{id: abc, scenario: other}]"
        ),
        "a rule that asks more than an earlier one": text(
            select="[{id: a, scenario: normal}, «S403»{id: a, detail: x, scenario: other}]"
        ),
    },
    "invalid": {
        "an unknown state": text(invalid="«S203»opne"),
        "a number": text(invalid="«S203»5"),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param(marked, id=f"{group}: {name}")
        for group, cases in BAD.items()
        for name, marked in cases.items()
    ],
)
def test_mistake_in_a_scenario_file_is_reported_at_its_location(write: Write, marked: str) -> None:
    scenarios, expected = unmarked(marked)
    assert sorted(told(write, scenarios)) == sorted(expected)


def test_all_mistakes_of_a_file_are_reported_in_one_run(write: Write) -> None:
    marked = (
        text(
            key="«S207»order",
            operations="{read: readOrder, cancel: cancelOrder, ship: «S206»shipOrder}",
            states="{open: {read: {status: «S306»1}}, gone: {«S201»a: 1}, lost: {read: {body: {«S311»b: 1}}}}",
            defaults="{«S311»c: 1}",
            scenarios="{normal: [«S203»d], other: [gone: «S302»e, gone], third: «S301»[]}",
            select="[{id: a, scenario: «S402»f}]",
            invalid="«S203»g",
        )
        + "«S201»more: 1\n"
    )
    scenarios, expected = unmarked(marked)
    found = told(write, scenarios)
    assert sorted(found) == sorted(expected)
    assert len(found) == 12


ASKING = """
    openapi: 3.2.0
    info: {title: t, version: "1"}
    security: [{key: []}]
    paths:
      /a/{id}:
        parameters: [{name: id, in: path, required: true, schema: {type: string}}]
        get:
          operationId: read
          parameters:
            - {name: detail, in: query, schema: {type: string}}
            - {name: filter, in: query, style: deepObject, schema: {type: object}}
          responses: {"200": {description: ok, headers: {X-Rate: {schema: {type: string}}}}}
        post:
          operationId: act
          requestBody:
            content:
              application/json:
                schema:
                  properties:
                    name: {type: string}
                    owner: {properties: {email: {type: string}, address: {type: object}}}
                    lines: {type: array, items: {properties: {sku: {type: string}}}}
          responses:
            "201": {description: ok, headers: {Location: {schema: {type: string}}, X-Page: {schema: {}}}}
            "202": {description: ok}
    components:
      securitySchemes: {key: {type: apiKey, in: query, name: api_key}}
"""


def warned(write: Write, scenarios: str) -> list[tuple[str, str, str]]:
    """Code, what stands at the place of it, and remedy of each warning."""
    path = write("mine.yaml", scenarios)
    found = compile_plan(Inputs((write("asking.yaml", ASKING),), (path,)))
    lines = path.read_text().split("\n")
    assert len(found.plan.resources[0].scenarios) == 2 + 2  # a warning leaves nothing out
    assert {*found.plan.resources[0].states["on"].answers} == {"read", "act"}
    return [
        (
            warning.code,
            re.split(r"[:,}\]]", lines[warning.where.line - 1][warning.where.column - 1 :])[0],
            warning.remedy,
        )
        for warning in found.warnings
    ]


def asking(select: str = "{}", when: str = "{body.name: b}", headers: str = "{}") -> str:
    return text(
        operations="{read: read, act: act}",
        states=f"{{on: {{headers: {headers}}}, off: {{}}}}",
        scenarios=f"{{usual: [{{state: on, on: {{act: [{{when: {when}, to: off}}]}}}}, off], other: [on]}}",
        select=f"[{{{select.strip('{}')}, scenario: other}}, {{scenario: usual}}]" if select != "{}" else "-",
    )


@pytest.mark.parametrize(
    ("part", "remedy"),
    [
        ("query.detial", "did you mean 'detail'?"),
        ("query.zzz", "known names are detail, filter."),
        ("body.nmae", "did you mean 'name'?"),
        ("body.owner.emial", "did you mean 'owner.email'?"),
        ("body.lines.0.skku", "did you mean 'lines.0.sku'?"),
    ],
)
def test_condition_on_an_undocumented_part_gives_a_warning(write: Write, part: str, remedy: str) -> None:
    assert warned(write, asking(select=f"{{{part}: a}}")) == [("S405", part, remedy)]
    assert warned(write, asking(when=f"{{{part}: a}}")) == [("S405", part, remedy)]


@pytest.mark.parametrize(
    "part",
    [
        *("path.id", "id", "query.detail", "detail", "'query.filter[a]'", "query.api_key", "header.X-Any"),
        *("cookie.any", "method", "body.name", "body.owner.email", "body.owner.address.street"),
        *("body.lines.0.sku", "body/lines/0/sku".replace("/", ".", 1)),
    ],
)
def test_condition_on_a_documented_part_gives_no_warning(write: Write, part: str) -> None:
    assert warned(write, asking(select=f"{{{part}: a}}")) == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("{Locaton: a}", [("S315", "Locaton", "did you mean 'Location'?")]),
        ("{x-rat: a}", [("S315", "x-rat", "did you mean 'X-Rate'?")]),
        ("{location: a, X-Other: b}", []),
        ("{X-Page: a, X-Pages: b}", []),
    ],
)
def test_header_similar_to_a_documented_one_gives_a_warning(
    write: Write, headers: str, expected: list[tuple[str, str, str]]
) -> None:
    assert warned(write, asking(headers=headers)) == expected


@pytest.mark.parametrize(
    ("delay", "expected"),
    [("2m", []), ("121s", ["121s"]), ("{min: 1s, max: 10m}", ["10m"]), ("{median: 3m, sigma: 0.5}", ["3m"])],
)
def test_delay_longer_than_client_timeouts_gives_a_warning(
    write: Write, delay: str, expected: list[str]
) -> None:
    write("orders.yaml", DOCUMENT)
    path = write("mine.yaml", text(states=f"{{open: {{read: {{delay: {delay}}}}}, gone: {{}}}}"))
    found = compile_plan(Inputs((path.with_name("orders.yaml"),), (path,))).warnings
    assert [(diagnostic.code, diagnostic.message) for diagnostic in found] == [
        ("S316", f"the delay holds a connection for {longest}") for longest in expected
    ]
    line = next(text for text in path.read_text().split("\n") if "delay" in text)
    assert all(line[diagnostic.where.column - 1 :].startswith(delay) for diagnostic in found)


def test_unknown_key_is_reported_once_with_a_suggestion(write: Write) -> None:
    write("orders.yaml", DOCUMENT)
    path = write("mine.yaml", text(key="path.ids"))
    with pytest.raises(CompileError) as failure:
        compiled(path.with_name("orders.yaml"), scenarios=[path])
    [found] = failure.value.diagnostics
    assert "(operation 'read'), " in found.message
    assert found.remedy.startswith("did you mean 'id'? ")


def test_default_that_cannot_be_rendered_is_reported_by_name(write: Write) -> None:
    write("orders.yaml", DOCUMENT)
    path = write("mine.yaml", text(defaults='{note: "{{ resource.created_by.x | upper }} {{ nobody }}"}'))
    with pytest.raises(CompileError) as failure:
        compiled(path.with_name("orders.yaml"), scenarios=[path])
    [found] = failure.value.diagnostics
    assert found.message.startswith("the default of 'note' cannot be rendered: ")
    assert "{{ resource.created_by.x | upper }} {{ nobody }}" in found.message


def test_mistake_in_block_style_is_reported_at_its_location(write: Write) -> None:
    marked = """
        # A comment
        resource: order
        key: path.id
        operations:
          read: GET /orders/{id}
        states:
          open:
            body:
              status: open
              total: «S503»0   # too few
          gone:
            status: 404
            body:
              «S311»mesage: >-
                There is
                no such order
        scenarios:
          normal:
            - open: 2
            - «S203»gnoe
    """
    scenarios, expected = unmarked(dedent(marked).lstrip("\n"))
    assert sorted(told(write, scenarios)) == sorted(expected)


# Good files


def resource(write: Write, scenarios: str) -> Any:
    plan = made(write, scenarios)
    [found] = plan.resources
    return found


def made(write: Write, scenarios: str) -> Plan:
    path = write("mine.yaml", scenarios)
    return compiled(write("orders.yaml", DOCUMENT), scenarios=[path])


def test_short_form_gives_the_expected_steps(write: Write) -> None:
    found = resource(write, text(scenarios="{normal: [open: 2, open: 30s, gone], only: gone}"))
    assert found.name == "order"
    assert found.operations == {"read": "readOrder", "cancel": "cancelOrder"}
    assert found.scenarios["normal"].steps == (
        Step("open", calls=2, next=1),
        Step("open", after=30_000, next=2),
        Step("gone"),
    )
    assert found.scenarios["only"].steps == (Step("gone"),)
    assert found.scenarios["state:open"].steps == (Step("open"),)


def test_long_form_gives_the_expected_steps(write: Write) -> None:
    steps = """
        normal:
          - {state: open, until: {calls: 2, after: 1h, operation: cancel}, next: gone}
          - {open: {after: 1m}}
          - gone: 3
          - state: open
    """
    found = resource(write, text(scenarios=steps.replace("next: gone", "next: open")))
    assert found.scenarios["normal"].steps == (
        Step("open", calls=2, after=3_600_000, operation="cancel", next=1),
        Step("open", after=60_000, next=2),
        Step("gone", calls=3, next=3),
        Step("open"),
    )


def test_next_may_name_an_earlier_step(write: Write) -> None:
    steps = "{normal: [open: 2, {state: gone, until: {calls: 1}, next: open}]}"
    found = resource(write, text(scenarios=steps))
    assert [step.next for step in found.scenarios["normal"].steps] == [1, 0]


def test_first_scenario_is_selected_without_rules(write: Write) -> None:
    found = resource(write, text())
    assert found.rules == (Rule((), "normal"),)
    found = resource(write, text(select="[{id: a, scenario: other}]"))
    assert found.rules[-1] == Rule((), "normal")


def test_select_gives_the_expected_rules(write: Write) -> None:
    rules = """
        - {id: [a, "b*", 7], scenario: normal}
        - {detail: full, header.X-Tenant: "acme-?", scenario: other}
        - {method: DELETE, scenario: other}
        - scenario: normal
    """
    found = resource(write, text(select=rules))
    assert found.rules == (
        Rule((Condition("path", "id", ("a", "b*", "7")),), "normal"),
        Rule(
            (Condition("query", "detail", ("full",)), Condition("header", "X-Tenant", ("acme-?",))), "other"
        ),
        Rule((Condition("method", "", ("DELETE",)),), "other"),
        Rule((), "normal"),
    )


def test_rule_for_any_value_after_one_for_a_value_is_reached(write: Write) -> None:
    rules = '[{header.X: acme, scenario: other}, {header.X: "*", scenario: normal}]'
    found = resource(write, text(select=rules))
    assert [rule.conditions[0].patterns for rule in found.rules[:2]] == [("acme",), ("*",)]


def test_state_has_responses_per_operation_or_for_all(write: Write) -> None:
    found = resource(write, text(states="{open: {read: {}, cancel: {}}, gone: {read: {status: 500}}}"))
    assert {alias: answer.status for alias, answer in found.states["open"].answers.items()} == {
        "read": 200,
        "cancel": 204,
    }
    assert found.states["gone"].answers["read"].status == 500


def test_response_for_all_operations_must_be_documented_by_all(write: Write) -> None:
    scenarios, expected = unmarked(text(states="{open: {}, gone: {status: «S307»404}}"))
    assert told(write, scenarios) == expected


def test_body_has_the_defaults_in_the_order_of_the_schema(write: Write) -> None:
    found = resource(
        write,
        text(
            states="{open: {read: {body: {note: hi, status: open}}}, gone: {read: {status: 404}}}",
            defaults='{at: "{{ resource.created_at }}", message: There is none}',
        ),
    )
    open_answer = found.states["open"].answers["read"]
    assert list(open_answer.body) == ["status", "at", "note"]
    assert open_answer.partial
    gone = found.states["gone"].answers["read"]
    assert gone.body == {"message": "There is none"}
    assert not gone.partial


@pytest.mark.parametrize(
    ("template", "kept"),
    [
        ("{{ resource.key }}", True),
        ("{{ fake.name() }}", True),
        ("{{ resource.key | upper }}", True),
        ("{{ request.query.detail | default('none') }}", False),
        ("{{ now }}", False),
        ("{{ token(14) }}", False),
    ],
)
def test_only_template_without_changing_values_is_cacheable(write: Write, template: str, kept: bool) -> None:
    body = f'{{open: {{read: {{body: {{note: "{template}"}}}}}}, gone: {{read: {{status: 404}}}}}}'
    assert resource(write, text(states=body)).states["open"].answers["read"].is_cacheable is kept


def test_undocumented_response_is_sent_as_written(write: Write) -> None:
    states = """
        open: {}
        gone:
          read:
            status: 429
            undocumented: true
            headers: {Retry-After: 30, X-Flag: true, X-Key: "{{ resource.key }}"}
            body: {anything: [1, null, "{{ now }}"]}
    """
    response = resource(write, text(states=states)).states["gone"].answers["read"]
    assert response.undocumented
    assert response.status == 429
    assert response.headers == {"Retry-After": "30", "X-Flag": "true", "X-Key": "{{ resource.key }}"}
    assert response.body == {"anything": [1, None, "{{ now }}"]}


def test_yaml_1_1_words_stay_strings(write: Write) -> None:
    states = "{open: {read: {body: {note: no}}}, gone: {read: {body: {note: 2026-01-01}}}}"
    found = resource(write, text(states=states))
    assert found.states["open"].answers["read"].body["note"] == "no"
    assert found.states["gone"].answers["read"].body["note"] == "2026-01-01"


def test_media_type_of_a_state_is_read(write: Write) -> None:
    states = "{open: {read: {mediaType: text/plain, body: 'plain {{ resource.key }}'}}, gone: {}}"
    response = resource(write, text(states=states)).states["open"].answers["read"]
    assert response.media_type == "text/plain"
    assert response.body == "plain {{ resource.key }}"


def test_json_scenario_file_is_read(write: Write) -> None:
    scenarios = """{"resource": "order", "key": "path.id", "operations": {"read": "GET /orders/{id}"},
        "states": {"open": {}}, "scenarios": {"normal": ["open"]}}"""
    path = write("mine.json", scenarios)
    assert compiled(write("orders.yaml", DOCUMENT), scenarios=[path]).resources[0].name == "order"


def test_two_files_for_one_resource_or_operation_are_reported(write: Write) -> None:
    first = write("all/first.yaml", text())
    second = write("all/second.yaml", text())
    document = write("orders.yaml", DOCUMENT)
    with pytest.raises(CompileError) as failure:
        compiled(document, scenarios=[first.parent])
    codes = [diagnostic.code for diagnostic in failure.value.diagnostics]
    assert codes == ["S104", "S105", "S105"]
    assert all(diagnostic.where.source.endswith(second.name) for diagnostic in failure.value.diagnostics)


def test_folder_without_scenario_files_is_reported(write: Write) -> None:
    folder = write("none/readme.txt", "nothing").parent
    with pytest.raises(CompileError) as failure:
        compiled(write("orders.yaml", DOCUMENT), scenarios=[folder])
    assert [diagnostic.code for diagnostic in failure.value.diagnostics] == ["S103"]


def test_a_file_of_too_many_states_is_refused(write: Write) -> None:
    states = "".join(f"  s{i}: {{}}\n" for i in range(4_001))
    path = write("mine.yaml", f"resource: thing\nstates:\n{states}")
    with pytest.raises(CompileError) as failure:
        compiled(write("orders.yaml", DOCUMENT), scenarios=[path])
    assert "D104" in [diagnostic.code for diagnostic in failure.value.diagnostics]


def test_hash_of_the_plan_changes_with_every_input(write: Write) -> None:
    document, path = write("orders.yaml", DOCUMENT), write("mine.yaml", text())
    plain = compiled(document, scenarios=[path])
    assert compiled(document, scenarios=[path]).hash == plain.hash
    assert compiled(document, scenarios=[path], seed="1").hash != plain.hash
    assert compiled(document).hash != plain.hash
    write("mine.yaml", text() + "# more\n")
    assert compiled(document, scenarios=[path]).hash != plain.hash
    write("orders.yaml", DOCUMENT + "# more\n")
    assert compiled(document).hash not in (plain.hash, compiled(document, scenarios=[path]).hash)
