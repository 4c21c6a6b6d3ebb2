"""Resources that operations create, list, move and end; branches; what is not there or not answered."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mockserver.diagnostics import CompileError
from mockserver.engine.engine import Engine, Options
from mockserver.state.machine import decide, initial_state
from tests.fixtures import DOCUMENT, things, things_plan
from tests.live import ask, engine_of

FILE = """
resource: thing
key: path.id
operations:
  make: {operation: make, creates: body.id}
  all: {operation: all, lists: body.things, items: look}
  look: look
  act: act
  drop: {operation: drop, deletes: true}
unknown: 404
unanswered: 409
states:
  new:
    make: {body: {name: "{{ resource.created_by.body.name }}"}}
    look: &look
      body:
        state: "{{ resource.state }}"
        name: "{{ resource.created_by.body.name | default('nobody', true) }}"
    drop: {}
  busy: {act: &act {body: {state: "{{ resource.state }}"}}, look: *look}
  done: {act: *act, look: *look, drop: {}}
  lost: {look: {status: 404, body: {message: lost}}}
defaults: {id: "{{ resource.key | int }}"}
scenarios:
  usual:
    - state: new
      on: {act: [{when: {body.verb: finish}, to: done}, {when: {header.X-Lose: "*"}, to: lost}, busy]}
    - {state: busy, until: {calls: {look: 2}, after: 1m}, next: done, on: {act: done}}
    - {state: done, on: {act: new}}
    - lost
"""


def call(engine: Engine, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    fields = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    if content:
        fields["content-type"] = "application/json"
    response = ask(engine, method, target, fields, content)
    return response.status, json.loads(response.body) if response.body else None


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return things(tmp_path, FILE)


def test_created_resources_have_fresh_numbers_as_keys(engine: Engine) -> None:
    made = [call(engine, "POST", "/things", {"name": f"n{i}"}) for i in range(3)]
    assert made == [(201, {"id": i + 1, "name": f"n{i}"}) for i in range(3)]
    assert call(engine, "GET", "/things/2") == (200, {"id": 2, "state": "new", "name": "n1"})


def test_a_field_that_the_request_left_out_is_null(engine: Engine) -> None:
    assert call(engine, "POST", "/things", {})[1] == {"id": 1, "name": None}
    assert call(engine, "GET", "/things/1")[1]["name"] == "nobody"


def test_a_read_of_an_unknown_key_creates_no_resource(engine: Engine) -> None:
    status, body = call(engine, "GET", "/things/77")
    assert status == 404
    assert "77" in body["message"]
    assert call(engine, "DELETE", "/things/77")[0] == 404
    assert call(engine, "GET", "/things")[1]["things"] == []


@pytest.mark.parametrize(
    ("verb", "headers", "state"),
    [("finish", {}, "done"), ("start", {}, "busy"), ("start", {"x_lose": "yes"}, None)],
)
def test_the_request_chooses_the_transition(
    engine: Engine, verb: str, headers: dict[str, str], state: str | None
) -> None:
    call(engine, "POST", "/things", {})
    status, body = call(engine, "POST", "/things/1", {"verb": verb}, **headers)
    if state is None:
        assert status == 409, "a state that has no answer to the operation which led to it"
        assert call(engine, "GET", "/things/1") == (404, {"message": "lost"})
    else:
        assert (status, body["state"]) == (200, state)


def test_a_hold_that_counts_one_operation_starts_anew_in_every_loop(engine: Engine) -> None:
    call(engine, "POST", "/things", {})
    seen = []
    for _ in range(2):
        seen.append(call(engine, "POST", "/things/1", {"verb": "start"})[1]["state"])
        seen += [call(engine, "GET", "/things/1")[1]["state"] for _ in range(3)]
        assert call(engine, "POST", "/things/1", {})[0] == 409, "new has no answer to act"
    assert seen == ["busy", "busy", "busy", "done"] * 2


def test_after_counts_from_entering_the_state(engine: Engine) -> None:
    call(engine, "POST", "/things", {})
    engine.namespaces.default.clock.advance(59_000)
    call(engine, "POST", "/things/1", {"verb": "start"})
    engine.namespaces.default.clock.advance(59_999)
    assert call(engine, "GET", "/things/1")[1]["state"] == "busy"
    engine.namespaces.default.clock.advance(1)
    assert call(engine, "GET", "/things/1")[1]["state"] == "done"


def test_an_ended_resource_is_not_found(engine: Engine) -> None:
    call(engine, "POST", "/things", {})
    call(engine, "POST", "/things", {})
    call(engine, "POST", "/things/2", {"verb": "start"})
    assert call(engine, "DELETE", "/things/2")[0] == 409, "busy has no answer to drop, so nothing is dropped"
    assert call(engine, "GET", "/things/2")[0] == 200
    assert call(engine, "DELETE", "/things/1") == (204, None)
    assert call(engine, "GET", "/things/1")[0] == 404
    assert call(engine, "POST", "/things", {})[1]["id"] == 3, "a key is never given twice"


def test_a_head_request_does_not_advance_the_resource(engine: Engine) -> None:
    call(engine, "POST", "/things", {})
    call(engine, "POST", "/things/1", {"verb": "start"})
    for _ in range(5):
        assert ask(engine, "HEAD", "/things/1").status == 200
    assert ask(engine, "HEAD", "/things/9").status == 404
    assert [call(engine, "GET", "/things/1")[1]["state"] for _ in range(3)] == ["busy", "busy", "done"]


def test_a_list_is_paged_by_its_cursor(engine: Engine) -> None:
    for number in range(5):
        call(engine, "POST", "/things", {"name": f"n{number}"})
    call(engine, "POST", "/things/2", {"verb": "start"}, x_lose="yes")
    seen, cursor, pages = [], "", 0
    while True:
        page = call(engine, "GET", f"/things?cursor={cursor}" if cursor else "/things")[1]
        seen += [each["name"] for each in page["things"]]
        pages += 1
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == ["n0", "n2", "n3", "n4"], "what is lost is not listed"
    assert pages == 2


def test_links_in_the_body_of_a_list_are_of_the_request(tmp_path: Path) -> None:
    known = "                  nextCursor: {type: string, nullable: true}\n"
    urls = "{type: object, required: [next_url, self], properties: {next_url: {type: string, nullable: true},"
    fields = f"{known}                  links: {urls} self: {{type: string}}}}}}\n"
    document = DOCUMENT.replace(known, fields).replace("[things, nextCursor]", "[things, nextCursor, links]")
    engine = engine_of(things_plan(tmp_path, FILE, document=document))
    for number in range(3):
        call(engine, "POST", "/things", {"name": f"n{number}"})
    first = call(engine, "GET", "/things?limit=2", host="api.test")[1]
    assert first["links"] == {
        "self": "http://api.test/things?limit=2",
        "next_url": f"http://api.test/things?limit=2&cursor={first['nextCursor']}",
    }
    following = first["links"]["next_url"].removeprefix("http://api.test")
    second = call(engine, "GET", following, host="api.test")[1]
    assert [each["name"] for each in second["things"]] == ["n2"]
    assert second["links"] == {"self": f"http://api.test{following}", "next_url": None}


NONSENSE = ["nonsense", base64.urlsafe_b64encode("offset:²".encode()).decode(), "b2Zmc2V0Og"]


@pytest.mark.parametrize("cursor", NONSENSE)
def test_a_cursor_that_no_page_gave_is_a_violation(engine: Engine, cursor: str) -> None:
    call(engine, "POST", "/things", {"name": "n0"})
    status, told = call(engine, "GET", f"/things?cursor={cursor}")
    assert status == 422
    assert told["violations"][0] | {"message": ""} == {
        "in": "query", "name": "cursor", "pointer": "", "keyword": "cursor", "message": "", "value": cursor
    }  # fmt: skip
    assert call(engine, "GET", "/things?cursor=")[1]["things"][0]["name"] == "n0"


def test_a_cursor_that_no_page_gave_is_told_where_nothing_is_refused(tmp_path: Path) -> None:
    lenient = things(tmp_path, FILE, options=Options(validation="warn"))
    call(lenient, "POST", "/things", {"name": "n0"})
    reply = ask(lenient, "GET", "/things?cursor=nonsense")
    assert (reply.status, json.loads(reply.body)["things"][0]["name"]) == (200, "n0")
    assert dict(reply.headers)["x-mock-violations"].startswith("query parameter cursor: is not a cursor")
    off = things(tmp_path, FILE, options=Options(validation="off"))
    reply = ask(off, "GET", "/things?cursor=nonsense")
    assert (reply.status, "x-mock-violations" in dict(reply.headers)) == (200, False)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("{type: string, example: abc}", "abc"),
        ("{type: string, format: date}", "2026-01-01"),
        ("{type: integer}", "5"),
    ],
)
def test_what_the_document_means_by_a_cursor_is_no_violation(tmp_path: Path, schema: str, value: str) -> None:
    before = "{name: cursor, in: query, schema: {type: string}}"
    assert before in DOCUMENT
    document = DOCUMENT.replace(before, before.replace("{type: string}", schema))
    served = engine_of(things_plan(tmp_path, FILE, document=document))
    assert call(served, "GET", f"/things?cursor={value}")[0] == 200


def test_each_namespace_and_each_reset_counts_keys_from_one(tmp_path: Path) -> None:
    engine = things(tmp_path, FILE)
    assert call(engine, "POST", "/things", {"name": "a"})[1]["id"] == 1
    assert call(engine, "POST", "/things", {"name": "b"}, x_mock_namespace="other")[1]["id"] == 1
    assert call(engine, "GET", "/things/1", x_mock_namespace="other")[1]["name"] == "b"
    engine.reset("default")
    assert call(engine, "GET", "/things/1")[0] == 404
    assert call(engine, "POST", "/things", {"name": "again"})[1] == {"id": 1, "name": "again"}
    assert call(engine, "GET", "/things/1")[1]["name"] == "again", "nothing of the first life is kept"


def test_a_preferred_state_or_scenario_answers_and_an_unknown_one_is_refused(engine: Engine) -> None:
    assert call(engine, "POST", "/things", {}, prefer="scenario=state:done")[0] == 201
    assert call(engine, "GET", "/things/1", prefer="state=busy")[1]["state"] == "busy"
    assert call(engine, "GET", "/things/1", prefer="scenario=nonsense")[0] == 400
    assert call(engine, "GET", "/things/5", prefer="scenario=state:done")[1]["state"] == "done"
    assert call(engine, "GET", "/things/5")[1]["state"] == "done"


def test_a_large_creating_request_is_not_kept(engine: Engine) -> None:
    call(engine, "POST", "/things", {"name": "n" * 70_000})
    assert call(engine, "GET", "/things/1")[1]["name"] == "nobody"


def test_credentials_are_not_kept(engine: Engine) -> None:
    call(engine, "POST", "/things", {"name": "n"}, authorization="Bearer secret", cookie="sid=secret")
    creation = engine.store.creations.get("default", "thing", "1")
    assert creation is not None
    assert b"secret" not in creation.request


DRAWN = """
resource: thing
key: path.id
operations: {look: look}
states: {start: {body: {state: start}}, left: {body: {state: left}}, right: {body: {state: right}}}
scenarios:
  calls:
    - {state: start, until: {calls: 1}, next: [{weight: 3, to: left}, {weight: 1, to: right}]}
    - left
    - right
  clock:
    - {state: start, until: {after: 1s}, next: [{weight: 1, to: left}, {weight: 1, to: right}]}
    - {state: left, until: {after: 1s}, next: start}
    - {state: right, until: {after: 1s}, next: start}
select: [{id: "1*", scenario: clock}, {scenario: calls}]
"""


def drawn(engine: Engine, count: int = 1000) -> list[str]:
    for key in range(2000, 2000 + count):
        call(engine, "GET", f"/things/{key}")
    return [call(engine, "GET", f"/things/{key}")[1]["state"] for key in range(2000, 2000 + count)]


def test_weights_are_drawn_by_the_seed(tmp_path: Path) -> None:
    first, again = drawn(things(tmp_path, DRAWN)), drawn(things(tmp_path, DRAWN), 200)
    other = drawn(things(tmp_path, DRAWN, seed="other"))
    assert first[:200] == again
    assert first != other
    for run in (first, other):
        assert 680 < Counter(run)["left"] < 820


def test_a_drawn_loop_is_thrown_anew_at_every_visit(tmp_path: Path) -> None:
    engines = [things(tmp_path, DRAWN) for _ in range(2)]
    runs: list[list[str]] = [[], []]
    for engine, run in zip(engines, runs, strict=True):
        call(engine, "GET", "/things/1")
        for _ in range(60):
            engine.namespaces.default.clock.advance(1000)
            run.append(call(engine, "GET", "/things/1")[1]["state"])
    assert runs[0] == runs[1]
    assert set(runs[0][1::2]) == {"start"}
    sides = Counter(runs[0][::2])
    assert sides.keys() == {"left", "right"}
    assert min(sides.values()) >= 5

    [steps] = [things_plan(tmp_path, DRAWN).resources[0].scenarios["clock"].steps]
    assert all(step.branches == () for step in steps[1:])


def test_reads_on_the_way_do_not_change_what_is_drawn(tmp_path: Path) -> None:
    engine, lazy = things(tmp_path, DRAWN), things(tmp_path, DRAWN)
    for each in (engine, lazy):
        call(each, "GET", "/things/17")
    for _ in range(101):
        engine.namespaces.default.clock.advance(1000)
        seen = call(engine, "GET", "/things/17")[1]
    lazy.namespaces.default.clock.advance(101_000)
    assert call(lazy, "GET", "/things/17")[1] == seen


def test_a_drawn_loop_that_nobody_looked_at_for_years_ends(tmp_path: Path) -> None:
    engine = things(tmp_path, DRAWN)
    call(engine, "GET", "/things/1")
    engine.namespaces.default.clock.advance(10**12)
    assert call(engine, "GET", "/things/1")[0] == 200


def test_parallel_resources_are_independent(engine: Engine) -> None:
    for _ in range(3):
        call(engine, "POST", "/things", {})
    call(engine, "POST", "/things/2", {"verb": "start"})
    states = [call(engine, "GET", f"/things/{key}")[1]["state"] for key in (1, 2, 3)]
    assert states == ["new", "busy", "new"]


def test_deciding_with_facts_and_dice_is_a_function(tmp_path: Path) -> None:
    [resource] = things_plan(tmp_path, FILE).resources
    steps = resource.scenarios["usual"].steps
    from mockserver.state.machine import initial_state

    state = initial_state("usual", 0)
    told = {decide(steps, state, 5, "act", facts, "dice").step for facts in ([True, False], [True, False])}
    assert told == {2}
    assert decide(steps, state, 5, "act", [False, True]).step == 3
    assert decide(steps, state, 5, "act", [False, False]).step == 1
    assert decide(steps, state, 5, "act").answered
    assert not decide(steps, state, 5, "make").entered


# Resources that no request created


def test_answer_that_only_a_created_resource_has_is_reported(tmp_path: Path) -> None:
    text = FILE.replace('state: "{{ resource.state }}"', 'state: "{{ resource.created_by.method }}"', 1)
    with pytest.raises(CompileError) as caught:
        things_plan(tmp_path, text)
    [found] = {each.where.line: each for each in caught.value.diagnostics}.values()
    assert (found.code, text.strip().split("\n")[found.where.line - 1].strip()) == (
        "S503",
        'state: "{{ resource.created_by.method }}"',
    )
    assert "that no request created" in found.message
    assert "default" in found.remedy


def place(engine: Engine, key: str) -> None:
    """Put a resource there as the control plane does."""
    engine.store.put("default", "thing", key, initial_state("usual", 0))


def test_resource_that_no_request_created_is_shown_with_its_defaults(engine: Engine) -> None:
    place(engine, "7")
    assert call(engine, "GET", "/things/7") == (200, {"id": 7, "state": "new", "name": "nobody"})
    assert [each["id"] for each in call(engine, "GET", "/things")[1]["things"]] == [7]


@pytest.mark.parametrize(
    "template",
    ["{{ 'x' ~ 1 // (2 - resource.key | int) }}", "{{ 5 if resource.key == '2' else 'fine' }}"],
    ids=["a template that goes wrong", "a value that breaks the document"],
)
def test_item_that_cannot_be_rendered_is_left_out_of_its_list(
    tmp_path: Path, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = things(tmp_path, FILE.replace('state: "{{ resource.state }}"', f'state: "{template}"', 1))
    for _ in range(3):
        call(engine, "POST", "/things", {})
    first = call(engine, "GET", "/things")[1]
    assert [each["id"] for each in first["things"]] == [1]
    second = call(engine, "GET", f"/things?cursor={first['nextCursor']}")[1]
    assert ([each["id"] for each in second["things"]], second["nextCursor"]) == ([3], None)
    [record] = caplog.records
    assert record.getMessage().startswith("thing 2 is not in the list: ")
