"""What decides an answer, first to last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.engine.engine import Engine, Options
from mockserver.messages import Response
from mockserver.plan import Plan
from tests.live import Write, ask, compiled, engine_of, get, serving_engine

DOCUMENT = """
    openapi: 3.1.0
    info: {title: Shop, version: "1"}
    servers: [{url: "https://shop.example/v1"}]
    security: [{token: []}]
    paths:
      /orders/{id}:
        get:
          operationId: readOrder
          parameters:
            - {name: id, in: path, required: true, schema: {type: string, maxLength: 20}}
            - {name: limit, in: query, schema: {type: integer}}
          responses:
            "200":
              description: an order
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Order"}
            "400":
              description: bad
              content:
                application/json: {schema: {type: object, properties: {message: {type: string}}}}
            "404": {description: none, content: {application/json: {schema: {type: object}}}}
      /free:
        get:
          operationId: free
          security: []
          responses:
            "200":
              description: free
              content:
                application/json:
                  schema: {type: object, required: [a], properties: {a: {type: integer}}}
                  examples: {one: {value: {a: 1}}, two: {value: {a: 2}}}
            "503": {description: busy}
      /__admin/mine:
        get: {security: [], responses: {"204": {description: mine}}}
    components:
      securitySchemes: {token: {type: http, scheme: bearer}}
      schemas:
        Order:
          type: object
          required: [status, note]
          properties: {status: {enum: [open, shipped]}, note: {type: string}, by: {type: string}}
          additionalProperties: false
"""
SCENARIOS = """
    resource: order
    key: path.id
    operations: {read: readOrder}
    states:
      open: {body: {status: open, note: "{{ resource.scenario }} {{ resource.call }}"}}
      shipped: {body: {status: shipped, note: "{{ request.headers['x-note'] | default('none') }}"}}
      broken: {body: {status: "{{ request.query.status | default('open') }}", note: ""}}
      header: {headers: {X-Echo: "{{ request.query.echo | default('') }}"}}
      gone: {status: 404, body: {}}
    scenarios:
      normal: [open: 2, shipped]
      other: [open]
    select:
      - {id: "other*", scenario: other}
      - scenario: normal
"""
AUTHORISED = {"authorization": "Bearer x"}


@pytest.fixture
def plan(write: Write) -> Plan:
    return compiled(write("shop.yaml", DOCUMENT), scenarios=[write("order.yaml", SCENARIOS)])


@pytest.fixture
def shop(plan: Plan) -> Engine:
    return engine_of(plan)


def read(engine: Engine, key: str = "1", **headers: str) -> Response:
    target = key if key.startswith("/") else f"/orders/{key}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(engine, "GET", target, AUTHORISED | named)


def content(response: Response) -> Any:
    return json.loads(response.body)


def test_a_preference_for_a_code_goes_before_the_credentials(shop: Engine) -> None:
    response = ask(shop, "GET", "/orders/1", {"prefer": "code=404"})
    assert (response.status, response.decision) == (404, "prefer; state=gone")


def test_credentials_go_before_a_scenario(shop: Engine) -> None:
    response = ask(shop, "GET", "/orders/1", {"prefer": "scenario=other"})
    assert response.status == 401
    assert dict(response.headers)["www-authenticate"].startswith("Bearer")
    assert read(shop).decision == "scenario=normal; state=open; call=1"


def test_credentials_may_be_left_unasked(plan: Plan) -> None:
    engine = engine_of(plan, options=Options(security="off"))
    assert ask(engine, "GET", "/orders/1").status == 200


def test_a_violation_goes_before_a_scenario(shop: Engine) -> None:
    response = read(shop, "1?limit=x", prefer="scenario=other")
    assert response.status == 400
    assert "limit" in content(response)["message"]
    assert response.decision.startswith("violation; status=400")
    assert response.violations
    assert read(shop).decision == "scenario=normal; state=open; call=1"


def test_a_scenario_is_assigned_until_another_is(shop: Engine) -> None:
    assert read(shop, prefer="scenario=other").decision == "scenario=other; state=open; call=1"
    assert read(shop, prefer="scenario=other").decision == "scenario=other; state=open; call=2"
    assert read(shop).decision == "scenario=other; state=open; call=3"
    assert read(shop, prefer="scenario=normal").decision == "scenario=normal; state=open; call=1"


def test_what_a_body_says_of_its_call_is_never_that_of_another(shop: Engine) -> None:
    notes = [content(read(shop, prefer="scenario=other"))["note"] for _ in range(2)]
    notes.append(content(read(shop, prefer="scenario=normal"))["note"])
    notes.append(content(read(shop, "2"))["note"])
    assert notes == ["other 1", "other 2", "normal 1", "normal 1"]


def test_rules_choose_when_a_key_is_first_seen(shop: Engine) -> None:
    assert read(shop, "other-1").decision.startswith("scenario=other")
    assert read(shop, "another").decision.startswith("scenario=normal")


def test_a_state_of_every_name_is_a_scenario(shop: Engine) -> None:
    assert (
        read(shop, prefer="scenario=state:shipped").decision
        == "scenario=state:shipped; state=shipped; call=1"
    )


def test_jinja_reads_the_request(shop: Engine) -> None:
    assert content(read(shop, prefer="state=shipped"))["note"] == "none"
    assert content(read(shop, prefer="state=shipped", x_note="hello"))["note"] == "hello"


def test_what_a_partial_body_leaves_out_is_the_same_for_a_key(shop: Engine) -> None:
    first = [content(read(shop, "1", prefer="state=shipped")) for _ in range(3)]
    assert first[0] == first[1] == first[2]


def test_an_answer_that_would_break_the_document_is_never_sent(shop: Engine) -> None:
    response = read(shop, "/orders/1?status=lost", prefer="state=broken")
    assert response.status == 500
    assert dict(response.headers)["content-type"] == "application/problem+json"
    assert "breaks the document at /status" in content(response)["detail"]
    assert content(read(shop, "/orders/1?status=open", prefer="state=broken"))["status"] == "open"


@pytest.mark.parametrize("echo", ["a%0D%0ASet-Cookie:b", "a%00", "%E6%97%A5"])
def test_a_header_that_echoes_what_no_header_can_carry_is_percent_encoded_and_adds_none(
    shop: Engine, echo: str
) -> None:
    with serving_engine(shop) as live:
        reply = get(live.port, f"/orders/1?echo={echo}", "Prefer: state=header")
    assert (reply.status, reply.headers["x-echo"]) == (200, echo)
    assert "the header x-echo has invalid characters" in reply.headers["x-mock-warning"]
    assert "set-cookie" not in reply.headers
    fine = read(shop, "/orders/1?echo=%C3%A9t%C3%A9", prefer="state=header")
    assert ("x-echo", "été") in fine.headers


def test_an_operation_that_no_file_names(shop: Engine) -> None:
    assert content(read(shop, "/free")) == {"a": 1}
    assert content(read(shop, "/free", prefer="example=two")) == {"a": 2}
    assert read(shop, "/free", prefer="code=503").status == 503
    made = read(shop, "/free", prefer="dynamic=true")
    assert isinstance(content(made)["a"], int)
    assert content(read(shop, "/free", prefer="dynamic=true")) == content(made)


@pytest.mark.parametrize("preference", ["state=open", "scenario=normal"])
def test_a_preference_for_a_life_that_an_operation_has_not(shop: Engine, preference: str) -> None:
    response = read(shop, "/free", prefer=preference)
    assert response.status == 400
    assert "no scenario file names free" in content(response)["detail"]


def test_it_answers_under_each_base_path(shop: Engine) -> None:
    assert read(shop, "/v1/orders/1").decision == "scenario=normal; state=open; call=1"
    assert read(shop, "/orders/1").decision == "scenario=normal; state=open; call=2"
    assert read(shop, "/v2/orders/1").status == 404


def test_a_base_path_of_our_own(plan: Plan) -> None:
    engine = engine_of(plan, options=Options(base_path="/mock/"))
    assert read(engine, "/mock/orders/1").status == 200
    assert read(engine, "/orders/1").status == 404
    assert read(engine, "/v1/orders/1").status == 404


def test_a_documented_path_goes_before_the_control_plane(shop: Engine) -> None:
    assert read(shop, "/__admin/mine").status == 204
    assert read(shop, "/__admin/health").status == 200
    assert read(shop, "/__admin/others").status == 404


def test_two_documents(write: Write) -> None:
    def document(path: str, method: str) -> str:
        return f"""
            openapi: 3.0.3
            info: {{title: t, version: "1"}}
            paths: {{{path}: {{{method}: {{responses: {{"204": {{description: ok}}}}}}}}}}
        """

    first, second = write("a.yaml", document("/a", "get")), write("b.yaml", document("/b", "post"))
    engine = engine_of(compiled(first, second))
    assert ask(engine, "GET", "/a").status == 204
    assert ask(engine, "POST", "/b").status == 204
    assert ("allow", "OPTIONS, POST") in ask(engine, "GET", "/b").headers
    nearby = content(ask(engine, "GET", "/c"))["nearby"]
    assert {each["path"] for each in nearby} == {"/a", "/b"}


def test_a_reset_begins_the_world_anew(shop: Engine) -> None:
    first = read(shop)
    read(shop)
    shop.reset("default")
    again = read(shop)
    assert (again.body, again.decision) == (first.body, first.decision)


def test_a_resource_that_was_forgotten_begins_anew(plan: Plan) -> None:
    engine = engine_of(plan, most=2)
    for key in ("1", "1", "2", "3"):
        read(engine, key)
    assert read(engine, "1").decision == "scenario=normal; state=open; call=1"
    assert engine.store.evicted >= 1


def test_a_new_plan_is_taken_over_with_the_state_kept(plan: Plan, write: Write) -> None:
    engine = engine_of(plan)
    read(engine)
    changed = SCENARIOS.replace("open: 2, shipped", "open: 1, shipped: 1, gone")
    engine.adopt(engine_of(compiled(write("shop.yaml", DOCUMENT), scenarios=[write("order.yaml", changed)])))
    decisions = [read(engine).decision for _ in range(3)]
    assert decisions[0] == "scenario=normal; state=open; call=2"
    assert decisions[1:] == ["scenario=normal; state=shipped; call=1", "scenario=normal; state=gone; call=1"]
    without = SCENARIOS.replace("normal: [open: 2, shipped]", "third: [gone]").replace(
        "scenario: normal", "scenario: third"
    )
    engine.adopt(engine_of(compiled(write("shop.yaml", DOCUMENT), scenarios=[write("order.yaml", without)])))
    assert ask(engine, "HEAD", "/orders/1", AUTHORISED).status == 404
    assert read(engine).decision == "scenario=third; state=gone; call=1"


@pytest.mark.parametrize(
    ("query", "prefer", "status", "body"),
    [
        ("__code=503", "", 503, None),
        ("__example=two", "", 200, {"a": 2}),
        ("__code=503&__example=two", "code=200", 200, {"a": 2}),
        ("__code=abc", "", 400, None),
        ("__state=none", "", 200, {"a": 1}),
    ],
)
def test_preferences_in_the_query_are_those_of_the_header(
    shop: Engine, query: str, prefer: str, status: int, body: Any
) -> None:
    response = ask(shop, "GET", f"/free?{query}", {"prefer": prefer} if prefer else {})
    assert response.status == status, response.body
    assert body is None or content(response) == body


def test_dynamic_in_the_query_passes_examples_over(shop: Engine) -> None:
    assert ask(shop, "GET", "/free?__dynamic=true").decision.endswith("generated")
    assert ask(shop, "GET", "/free?__dynamic=false").decision.endswith("example=one")


def test_a_documented_parameter_of_that_name_is_no_preference(write: Write) -> None:
    file = write(
        "coded.yaml",
        """
        openapi: 3.1.0
        info: {title: Coded, version: "1"}
        paths:
          /a:
            get:
              parameters: [{name: __code, in: query, schema: {type: integer}}]
              responses: {"200": {description: ok}, "404": {description: none}}
        """,
    )
    assert ask(engine_of(compiled(file)), "GET", "/a?__code=404").status == 200


@pytest.mark.parametrize(("documented", "code"), [("4XX", 418), ("default", 503), ("default", 201)])
def test_a_preferred_code_that_a_range_documents_is_the_status(
    write: Write, documented: str, code: int
) -> None:
    file = write(
        "ranged.yaml",
        f"""
        openapi: 3.1.0
        info: {{title: Ranged, version: "1"}}
        paths:
          /a:
            get:
              responses:
                "200": {{description: ok}}
                {documented}: {{description: bad, content: {{text/plain: {{example: sorry}}}}}}
        """,
    )
    response = ask(engine_of(compiled(file)), "GET", "/a", {"prefer": f"code={code}"})
    assert (response.status, response.body) == (code, b"sorry")


FORGIVING = """
    openapi: 3.1.0
    info: {title: Forgiving, version: "1"}
    paths:
      /a/{when}:
        post:
          parameters:
            - {name: when, in: path, required: true, schema: {type: string, format: date-time}}
            - {name: ids, in: query, schema: {type: array, items: {type: integer}}}
          requestBody:
            content:
              application/json:
                schema:
                  type: object
                  additionalProperties: false
                  properties:
                    id: {type: string, readOnly: true}
                    at: {type: string, format: date-time}
                    inner: {oneOf: [{$ref: "#/components/schemas/Inner"}, {type: "null"}]}
          responses: {"204": {description: ok}}
    components:
      schemas:
        Inner:
          type: object
          required: [made, name]
          properties: {made: {type: string, readOnly: true}, name: {type: string}}
"""
IN_ORDER = "/a/2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("target", "body", "told"),
    [
        (IN_ORDER, {"at": "2026-01-02T03:04:05Z"}, ()),
        (IN_ORDER, {"id": None}, ("/id", "readOnly")),
        (IN_ORDER, {"inner": {"made": 1, "name": "x"}}, ("readOnly",)),
        (IN_ORDER, {"at": "2026-01-02 03:04:05"}, ("/at", "RFC 3339")),
        (f"{IN_ORDER}?ids[]=1&ids[]=2", {}, ("query parameter 'ids'", "brackets")),
        ("/a/2026-01-02%2003:04:05Z", {}, ("path parameter 'when'", "RFC 3339")),
        (f"{IN_ORDER}?ids=1,2", {"id": "x"}, ("'ids'", "commas", "/id")),
    ],
)
def test_what_is_forgiven_of_a_request_is_told_in_a_header_and_the_journal(
    write: Write, target: str, body: Any, told: tuple[str, ...]
) -> None:
    engine = engine_of(compiled(write("forgiving.yaml", FORGIVING)))
    headers = {"content-type": "application/json"}
    response = ask(engine, "POST", target, headers, json.dumps(body).encode())
    assert response.status == 204, response.body
    warning = dict(response.headers).get("x-mock-warning")
    assert (warning is not None) == bool(told)
    assert all(each in (warning or "") for each in told)
    call = engine.worlds.default.journal.find(1)
    assert call is not None
    assert dict(call.response.headers).get("x-mock-warning") == warning


@pytest.mark.parametrize("body", [{"id": None, "at": 1}, {"more": 1}, {"inner": {"made": 1}}])
def test_what_is_not_forgiven_is_refused(write: Write, body: Any) -> None:
    engine = engine_of(compiled(write("forgiving.yaml", FORGIVING)))
    headers = {"content-type": "application/json"}
    assert ask(engine, "POST", IN_ORDER, headers, json.dumps(body).encode()).status == 422


def test_strict_styles_take_the_documented_one_alone(write: Write) -> None:
    engine = engine_of(compiled(write("forgiving.yaml", FORGIVING)), options=Options(styles="strict"))
    assert ask(engine, "POST", f"{IN_ORDER}?ids=1,2").status == 422
    assert ask(engine, "POST", f"{IN_ORDER}?ids=1&ids=2").status == 204
