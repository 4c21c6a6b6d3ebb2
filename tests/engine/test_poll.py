"""The short way for polls answers what the usual way would: one engine has it, its twin has not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.compile.compiler import compile_plan
from mockserver.engine.engine import Engine, Options
from mockserver.engine.poll import Polls
from mockserver.http.wire import first_part
from mockserver.inputs import Inputs
from mockserver.messages import Deferred, Request, Response
from mockserver.plan import Delay, Plan
from tests.live import MISSION, Write, compiled, engine_of

KEYS = (
    "11111111-1111-4111-8111-111111111111",
    "22222222-2222-4222-8222-222222222222",
    "33333333-3333-4333-8333-333333333333",
    "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA",
    "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
    "no-uuid",
    "%31",
    "",
    "44444444-4444-4444-8444-444444444444?x=1",
)
SECTIONS = (
    {"host": "localhost", "authorization": "Bearer t"},
    {"host": "localhost", "authorization": "Bearer other"},
    {"host": "localhost"},
    {"host": "localhost", "authorization": "Bearer t", "prefer": "code=404"},
    {"host": "localhost", "authorization": "Bearer t", "x-mock-namespace": "n"},
    {"host": "localhost", "authorization": "Bearer t", "origin": "http://page"},
    {"host": "localhost", "authorization": "Bearer t", "cookie": "a=b"},
)
ANIMALS = """
    openapi: 3.0.3
    info: {title: Animals, version: "1"}
    paths:
      /animals/{id}:
        get:
          operationId: read
          parameters: [{name: id, in: path, required: true, schema: {type: integer, maximum: 4}}]
          responses: {"200": {description: It, content: {application/json: {schema: {type: object}}}}}
        delete:
          operationId: drop
          parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
          responses: {"204": {description: Gone}}
      /animals/4:
        get:
          operationId: four
          responses: {"200": {description: It, content: {text/plain: {schema: {type: string, enum: [four]}}}}}
"""
GENERATED = """
    openapi: 3.0.3
    info: {title: Generated, version: "1"}
    components:
      headers:
        left: {schema: {type: integer, minimum: 0, maximum: 9999}}
        tag: {schema: {type: string}}
      schemas:
        tree:
          type: object
          properties:
            id: {type: string}
            made: {type: string, format: date-time}
            next: {$ref: "#/components/schemas/tree"}
            parts: {type: array, items: {$ref: "#/components/schemas/tree"}}
        row: {type: object, required: [id, name], properties: {id: {type: string}, name: {type: string}}}
    paths:
      /plain/{id}:
        get:
          operationId: plain
          parameters: [{name: id, in: path, required: true, schema: {type: string}}]
          responses:
            "200":
              description: It
              content: {application/json: {schema: {$ref: "#/components/schemas/tree"}}}
      /limited/{id}:
        get:
          operationId: limited
          parameters: [{name: id, in: path, required: true, schema: {type: string}}]
          responses:
            "200":
              description: It
              headers:
                X-Left: {$ref: "#/components/headers/left"}
                X-Used: {$ref: "#/components/headers/left"}
              content: {application/json: {schema: {$ref: "#/components/schemas/row"}}}
      /tagged/{id}:
        get:
          operationId: tagged
          parameters: [{name: id, in: path, required: true, schema: {type: string}}]
          responses:
            "200":
              description: It
              headers: {ETag: {$ref: "#/components/headers/tag"}}
              content: {application/json: {schema: {$ref: "#/components/schemas/row"}}}
      /long/{id}:
        get:
          operationId: long
          parameters: [{name: id, in: path, required: true, schema: {type: string}}]
          responses:
            "200":
              description: Them
              content:
                application/json:
                  schema: {type: array, minItems: 200, items: {$ref: "#/components/schemas/row"}}
"""
READS_FIELDS = """
    openapi: 3.0.3
    info: {title: Animals, version: "1"}
    components:
      securitySchemes:
        key: {type: apiKey, in: header, name: X-Api-Key}
        token: {type: http, scheme: bearer}
    paths:
      /animals/{id}:
        get:
          operationId: read
          security: [{key: [], token: []}]
          parameters:
            - {name: id, in: path, required: true, schema: {type: integer}}
            - {name: X-Tenant, in: header, required: true, schema: {type: integer}}
            - {name: sent, in: cookie, required: true, schema: {type: integer}}
          responses: {"200": {description: It, content: {application/json: {schema: {type: object}}}}}
        delete:
          operationId: drop
          parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
          responses: {"204": {description: Gone}}
"""
LIVES = """
    resource: animal
    operations: {get: read, drop: drop}
    key: path.id
    states:
      young: {get: {status: 200, body: {at: "{{ now }}", "100%": "{{ resource.created_at }}"}}}
      odd: {get: {status: 200, headers: {X-Key: "{{ resource.key }}"}, body: {key: "{{ resource.key }}"}}}
      slow: {get: {status: 200, delay: 1s, body: {}}}
      gone: {drop: {status: 204}}
    scenarios:
      life:
        - {state: young, until: {calls: 2}}
        - {state: odd, until: {after: 1s}}
        - {state: slow, until: {calls: 1}}
        - {state: gone}
    select: [{scenario: life}]
"""


def told(response: object) -> tuple[object, ...]:
    assert isinstance(response, Response)
    return (
        response.status, tuple(response.headers), response.body, response.decision, response.delay,
        response.fault, response.operation, response.resource, response.key,
    )  # fmt: skip


class Twins:
    """Two engines that are sent the same; one knows that header sections repeat."""

    def __init__(self, plan: Plan, options: Options | None = None) -> None:
        self.quick, self.usual = (engine_of(plan, options=options) for _ in range(2))

    def ask(
        self, method: str, target: str, section: dict[str, str], other: dict[str, str] | None = None
    ) -> Response:
        """``other``: the fields of the request, where they are not those of an earlier one."""
        path, _, query = target.partition("?")
        fields = section if other is None else other
        differing = tuple(name for name in fields if fields[name] != section[name])
        quick = self.quick.handle(Request(method, path, query, fields, b"", section, differing))
        usual = self.usual.handle(Request(method, path, query, fields, b""))
        assert told(quick) == told(usual)
        assert isinstance(quick, Response)
        assert quick.head in (b"", first_part(quick.status, tuple(quick.headers)))
        return quick

    def each(self) -> tuple[Engine, Engine]:
        return self.quick, self.usual


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were answered the short way."""
    taken: list[str] = []
    response = Polls.response

    def counting(polls: Polls, request: Request) -> Response | Deferred[Response] | None:
        given = response(polls, request)
        if given is not None:
            taken.append(request.raw_path.rpartition("/")[2])
        return given

    monkeypatch.setattr(Polls, "response", counting)
    return taken


@settings(max_examples=min(60, settings().max_examples), deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from(["GET"] * 8 + ["HEAD", "POST", "OPTIONS"]),
                st.sampled_from(KEYS),
                st.sampled_from((SECTIONS[0],) * 6 + SECTIONS),
            ),
            st.integers(1, 90_000),
            st.sampled_from(["reset", "assign", "again"]),
        ),
        max_size=30,
    ),
    st.sampled_from(["strict", "warn", "off"]),
    st.booleans(),
)
def test_a_cached_poll_is_answered_as_an_uncached_one(
    mission: Plan, story: list[object], validation: str, has_cors: bool
) -> None:
    twins = Twins(mission, Options(validation=validation, cors=("http://page",) if has_cors else ()))
    assigned = "failed"
    assert assigned in mission.resources[0].scenarios
    for event in story:
        match event:
            case (str() as method, str() as key, section):
                assert isinstance(section, dict)
                twins.ask(method, f"{MISSION}/{key}", section)
            case int():
                for engine in twins.each():
                    engine.namespaces.default.clock.advance(event)
            case "reset":
                for engine in twins.each():
                    engine.reset("default")
            case "assign":
                for engine in twins.each():
                    engine.store.assign("default", "certificate-request", assigned)
            case _:
                for engine in twins.each():
                    engine.adopt(engine_of(mission))
    counts = [
        {route.operation.id: {status: row[0] for status, row in route.tally.items()}}
        for engine in twins.each()
        for route in engine.services[0].routes
    ]
    assert counts[: len(counts) // 2] == counts[len(counts) // 2 :]
    assert len({len(engine.namespaces.default.journal) for engine in twins.each()}) == 1


@pytest.mark.parametrize("path", ["/plain", "/limited", "/tagged", "/long"])
def test_a_generated_response_is_the_same_by_the_cache(path: str, write: Write, short: list[str]) -> None:
    twins = Twins(compiled(write("generated.yaml", GENERATED)))
    keys = [f"key{number}" for number in range(8)]
    given = [twins.ask("GET", f"{path}/{key}", SECTIONS[0]) for key in (*keys, *keys)]
    assert short == [*keys[1:], *keys]
    bodies = [response.body for response in given]
    assert bodies[:8] == bodies[8:]
    assert len(set(bodies)) == 8
    for engine in twins.each():
        engine.namespaces.default.clock.advance(86_400_000)
    later = twins.ask("GET", f"{path}/{keys[0]}", SECTIONS[0])
    assert (later.body == bodies[0]) == (path != "/plain")


def test_header_fields_that_no_example_settles_differ_between_keys(write: Write) -> None:
    twins = Twins(compiled(write("generated.yaml", GENERATED)))
    for path, least in (("/limited", 8), ("/tagged", 20)):
        given = [twins.ask("GET", f"{path}/key{number}", SECTIONS[0]) for number in range(20)]
        assert len({tuple(response.headers) for response in given}) >= least


OTHERS = """
    openapi: 3.0.3
    info: {title: Others, version: "1"}
    paths:
      /others/{id}: {get: {operationId: other, responses: {"200": {description: It}}}}
      /animals/{id}: {get: {operationId: hidden, responses: {"204": {description: Hidden}}}}
      /things/{id}: {get: {operationId: thing, responses: {"200": {description: It}}}}
"""
FIRST = """
    openapi: 3.0.3
    info: {title: First, version: "1"}
    paths:
      /things/special: {get: {operationId: special, responses: {"202": {description: It}}}}
"""


def test_documents_after_the_first_are_answered_from_the_cache_where_no_earlier_one_has_the_path(
    write: Write, short: list[str]
) -> None:
    documents = [write("first.yaml", FIRST), write("animals.yaml", ANIMALS), write("others.yaml", OTHERS)]
    twins = Twins(compiled(*documents))
    for path in ("/others", "/animals"):
        for key in ("1", "2"):
            assert twins.ask("GET", f"{path}/{key}", SECTIONS[0]).status == 200
    assert short == ["2", "2"]
    found = [twins.ask("GET", f"/things/{key}", SECTIONS[0]).status for key in ("1", "special", "2")]
    assert found == [200, 202, 200]
    assert short == ["2", "2"]


STORED = """
    openapi: 3.0.3
    info: {title: Stored, version: "1"}
    x-pet: &pet
      type: object
      required: [name]
      properties: {id: {type: integer}, name: {type: string}, note: {type: string}}
    paths:
      /pets:
        get:
          operationId: all
          responses:
            "200": {description: All, content: {application/json: {schema: {type: array, items: *pet}}}}
        post:
          operationId: add
          requestBody: &sent {content: {application/json: {schema: *pet}}}
          responses:
            "201": &one {description: One, content: {application/json: {schema: *pet}}}
      /pets/{id}:
        parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
        get:
          operationId: one
          responses:
            "200": {<<: *one, headers: {ETag: {schema: {type: string}}}}
            "304": {description: Same}
            "404": &none {description: None}
        patch: {operationId: change, requestBody: *sent, responses: {"200": *one, "404": *none}}
        delete: {operationId: drop, responses: {"204": {description: Gone}, "404": *none}}
"""


def test_reads_of_stored_data_are_answered_from_the_cache_and_show_each_change(
    write: Write, short: list[str]
) -> None:
    plan = compile_plan(Inputs((write("pets.yaml", STORED),), stateful=True)).plan
    twins = Twins(plan)
    body = {"host": "localhost", "content-type": "application/json"}
    section = SECTIONS[0] | {"x-trace": "0"}

    def send(method: str, path: str, sent: bytes = b"") -> str:
        given = [engine.handle(Request(method, path, "", body, sent)) for engine in twins.each()]
        assert told(given[0]) == told(given[1])
        assert isinstance(given[0], Response)
        return str(json.loads(given[0].body)["id"]) if given[0].body else ""

    def read(key: str, fields: dict[str, str] | None = None) -> Response:
        return twins.ask("GET", f"/pets/{key}", section, fields)

    key = send("POST", "/pets", b'{"name": "Zed"}')
    assert [json.loads(read(key).body)["name"] for _ in range(2)] == ["Zed", "Zed"]
    assert short == [key]
    send("PATCH", f"/pets/{key}", b'{"name": "Zoe"}')
    assert json.loads(read(key).body)["name"] == "Zoe"
    other = send("POST", "/pets", b'{"name": "Ann"}')
    assert json.loads(read(other, section | {"x-trace": "1"}).body)["name"] == "Ann"
    assert read("999999").status == 404
    assert short == [key, key, other, "999999"]
    assert read("no-number").status == 422
    tag = dict(read(key).headers)["etag"]
    matching = SECTIONS[0] | {"if-none-match": tag}
    assert [twins.ask("GET", f"/pets/{key}", matching).status for _ in range(2)] == [304, 304]
    send("DELETE", f"/pets/{key}")
    assert read(key).status == 404
    for engine in twins.each():
        engine.reset("default")
    assert read(other).status == 404


def test_a_repeated_poll_is_answered_from_the_cache(mission: Plan, short: list[str]) -> None:
    twins = Twins(mission)
    for key in (*KEYS[:3], *KEYS[:3]):
        twins.ask("GET", f"{MISSION}/{key}", SECTIONS[0])
    assert short == [*KEYS[1:3], *KEYS[:3]]


def test_a_poll_with_other_values_of_fields_that_nothing_reads_is_answered_from_the_cache(
    mission: Plan, short: list[str]
) -> None:
    twins = Twins(mission)
    section = SECTIONS[0] | {"x-trace": "0"}
    for number, key in enumerate((*KEYS[:3], *KEYS[:3])):
        twins.ask("GET", f"{MISSION}/{key}", section, section | {"x-trace": str(number)})
    assert short == [*KEYS[1:3], *KEYS[:3]]
    assert [record[3].headers["x-trace"] for record in twins.quick.namespaces.default.journal.records()] == [
        "0", "1", "2", "3", "4", "5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", ""),
        ("prefer", "code=404"),
        ("x-mock-namespace", "n"),
        ("origin", "http://page"),
        ("accept", "text/plain"),
        ("x-tenant", "no number"),
        ("x-api-key", ""),
        ("cookie", "sent=no"),
    ],
)
def test_a_poll_with_another_value_of_a_field_that_is_read_is_not_answered_from_the_cache(
    write: Write, short: list[str], name: str, value: str
) -> None:
    document = write("animals.yaml", READS_FIELDS)
    twins = Twins(
        compiled(document, scenarios=[write("animal.scenario.yaml", LIVES)]), Options(cors=("http://page",))
    )
    section = {
        "host": "localhost", "accept": "*/*", "authorization": "Bearer t", "prefer": "", "x-tenant": "1",
        "x-mock-namespace": "default", "origin": "", "x-api-key": "k", "cookie": "sent=1",
    }  # fmt: skip
    for field in ("x-mock-namespace", "origin", "prefer"):
        if field != name:
            del section[field]
    for _ in range(3):
        twins.ask("GET", "/animals/1", section)
    before = len(short)
    assert before or name in ("x-mock-namespace", "origin", "prefer")
    twins.ask("GET", "/animals/2", section, section | {name: value})
    twins.ask("GET", "/animals/2", section, section | {name: value})
    assert len(short) == before


def test_a_cached_poll_of_each_kind_of_answer_is_the_same(write: Write, short: list[str]) -> None:
    document: Path = write("animals.yaml", ANIMALS)
    twins = Twins(compiled(document, scenarios=[write("animal.scenario.yaml", LIVES)]))
    for key in ("1", "2", "4", "5", "x", "1", "1", "2", "1", "1", "1", "2"):
        response = twins.ask("GET", f"/animals/{key}", SECTIONS[0])
        if response.delay:
            for engine in twins.each():
                engine.namespaces.default.clock.advance(2000)
    for engine in twins.each():
        engine.namespaces.default.clock.advance(5000)
    for key in ("1", "2", "2", "2", "3"):
        twins.ask("GET", f"/animals/{key}", SECTIONS[0])
    assert set(short) == {"1", "2", "3"}


def test_a_cached_response_of_the_document_is_the_same(write: Write, short: list[str]) -> None:
    document = write("animals.yaml", READS_FIELDS)
    section = {
        "host": "localhost", "authorization": "Bearer t", "x-tenant": "1", "x-api-key": "k",
        "cookie": "sent=1",
    }  # fmt: skip
    for validation in ("strict", "warn", "off"):
        twins = Twins(compiled(document), Options(validation=validation))
        for key in ("1", "2", "4", "5", "x", "%31", "2?x=1", "1", "2", "1"):
            twins.ask("GET", f"/animals/{key}", section)
            twins.ask("GET", f"/animals/{key}", section, section | {"x-tenant": "no number"})
        twins.ask("GET", "/animals/1", section | {"accept": "text/plain"})
        twins.ask("DELETE", "/animals/1", section)
        assert [*dict.fromkeys(short)] == ["2", "4", "5", *(["x"] if validation == "off" else []), "1"]
        short.clear()


def test_response_example_of_a_parameter_example_is_the_same_after_a_cached_call(write: Write) -> None:
    examples = "examples: {one: {value: 1}, two: {value: 2}}}"
    responses = "{application/json: {examples: {one: {value: first}, two: {value: second}}}}"
    document = ANIMALS.replace("maximum: 4}}", f"maximum: 4}}, {examples}")
    document = document.replace("{application/json: {schema: {type: object}}}", responses)
    twins = Twins(compiled(write("animals.yaml", document)))
    bodies = [twins.ask("GET", f"/animals/{key}", SECTIONS[0]).body for key in ("1", "2", "3", "2")]
    assert bodies == [b'"first"', b'"second"', b'"first"', b'"second"']


def test_a_cached_response_of_the_document_has_the_default_delay(write: Write, short: list[str]) -> None:
    twins = Twins(compiled(write("animals.yaml", ANIMALS)), Options(delay=Delay("fixed", 50)))
    for key in ("1", "2", "1"):
        assert twins.ask("GET", f"/animals/{key}", SECTIONS[0]).delay == 50
    assert short == []


def test_a_request_that_is_no_plain_poll_is_not_answered_from_the_cache(
    mission: Plan, short: list[str]
) -> None:
    twins = Twins(mission)
    for section in SECTIONS[3:5]:
        for _ in range(3):
            twins.ask("GET", f"{MISSION}/{KEYS[0]}", section)
    assert short == []
