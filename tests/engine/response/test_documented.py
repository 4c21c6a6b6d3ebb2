from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.engine.response.documented import Documented
from mockserver.engine.response.examples import Fault
from mockserver.engine.response.negotiation import Choice
from mockserver.generate import Fakes
from mockserver.jsonschema import Schemas
from mockserver.messages import Response
from mockserver.plan import Document, DocumentedResponse, Example, Header, MediaType, Operation

URI = "file:///api.yaml"
DAY = 86_400_000
NOW = 20_000 * DAY + 12_345
JSON = "application/json"
PET = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "createdAt": {"type": "string", "format": "date-time"},
        "password": {"type": "string", "writeOnly": True},
    },
    "additionalProperties": False,
}
SCHEMAS: dict[str, Any] = {
    "Pet": PET,
    "Pets": {"type": "array", "minItems": 2, "items": {"$ref": "#/Pet"}},
    "Text": {"type": "string"},
    "Integer": {"type": "integer"},
    "Binary": {"type": "string", "format": "binary"},
    "Never": {"type": "string", "minLength": 2, "maxLength": 1},
    "Rex": {**PET, "example": {"id": 1, "name": "Rex"}},
    "Rexes": {**PET, "examples": [{"id": "no"}, {"id": 2, "name": "Rex II"}]},
    "Xml": {
        "type": "object",
        "xml": {"name": "pet"},
        "required": ["name"],
        "properties": {"name": {"type": "string"}},
    },
    "Event": {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "string", "minLength": 1}},
    },
    "Trace": {"type": "string", "format": "uuid"},
    "Broken": {"$ref": "#/Nowhere"},
}
REX, BAD = {"id": 1, "name": "Rex"}, {"id": "one"}


def ref(name: str | None) -> str | None:
    return name and f"{URI}#/{name}"


def media(
    schema: str | None = "Pet", name: str = JSON, item: str | None = None, **examples: Any
) -> MediaType:
    return MediaType(
        name,
        ref(schema),
        tuple(Example(key, value) for key, value in examples.items()),
        item_schema=ref(item),
    )


def operation(
    *content: MediaType, status: str = "200", others: tuple[DocumentedResponse, ...] = ()
) -> Operation:
    return Operation(
        "op", "GET", "/pets/{id}", responses=(DocumentedResponse(status, content), *others), pointer="/op"
    )


def documented(schemas: dict[str, Any] | None = None) -> Documented:
    trees = {URI: SCHEMAS if schemas is None else schemas}
    document = Document("api", "API", "1", "3.1", URI, trees, ("",), (), {})
    compiled = Schemas(trees, "3.1")
    return Documented(document, compiled, Fakes(compiled))


def ask(asked: Operation, *, of: Documented | None = None, **wish: Any) -> Response:
    given = {"accept": None, "key": "k", "hints": {}, "now_ms": NOW, **wish}
    return (of or documented()).response(asked, **given)


def content_type(response: Response) -> str | None:
    return dict(response.headers).get("content-type")


def is_valid(name: str, value: Any) -> bool:
    return Schemas({URI: SCHEMAS}, "3.1").validator(f"{URI}#/{name}", "response").is_valid(value)


@pytest.mark.parametrize(
    ("content", "wish", "expected", "decision"),
    [
        (media(a=REX), {}, REX, "document; status=200; example=a"),
        (media(bad=BAD, a=REX), {}, REX, "document; status=200; example=a"),
        (media(secret={**REX, "password": "x"}, a=REX), {}, REX, "document; status=200; example=a"),
        (
            media(a=REX, b={"id": 2, "name": "b"}),
            {"example": "b"},
            {"id": 2, "name": "b"},
            "document; status=200; example=b",
        ),
        (media(a=REX), {"dynamic": False}, REX, "document; status=200; example=a"),
        (media(a=REX), {"example": "a", "dynamic": True}, REX, "document; status=200; example=a"),
        (media("Rex"), {}, REX, "document; status=200; example=schema"),
        (media("Rex", bad=BAD), {}, REX, "document; status=200; example=schema"),
        (media("Rexes"), {}, {"id": 2, "name": "Rex II"}, "document; status=200; example=schema"),
        (media(None, a=[1]), {}, [1], "document; status=200; example=a"),
        (media(None), {}, {}, "document; status=200; generated"),
        (media(a=REX), {"code": 200}, REX, "document; code=200; example=a"),
    ],
)
def test_an_example_that_is_valid_is_the_body(
    content: MediaType, wish: dict[str, Any], expected: Any, decision: str
) -> None:
    response = ask(operation(content), **wish)
    assert json.loads(response.body) == expected
    assert response.decision == decision
    assert (response.status, content_type(response)) == (200, JSON)


@pytest.mark.parametrize(
    ("content", "wish"), [(media(), {}), (media(bad=BAD), {}), (media(a=REX), {"dynamic": True})]
)
def test_without_a_valid_example_the_body_is_generated(content: MediaType, wish: dict[str, Any]) -> None:
    response = ask(operation(content), **wish)
    assert is_valid("Pet", json.loads(response.body))
    assert response.decision == "document; status=200; generated"


def test_serialized_json_is_judged_and_sent_as_it_is() -> None:
    text = '{ "id": 1,  "name": "Rex" }'
    examples = (Example("bad", '{"id": "one"}', True), Example("broken", "{", True), Example("a", text, True))
    response = ask(operation(MediaType(JSON, ref("Pet"), examples)))
    assert response.body == text.encode()


def test_a_generated_body_echoes_hints_and_is_stable() -> None:
    first = ask(operation(media()), hints={"id": 42}, key="42")
    assert json.loads(first.body)["id"] == 42
    assert ask(operation(media()), hints={"id": 42}, key="42") == first
    assert ask(operation(media()), key="other").body != first.body


def test_dates_follow_the_clock_by_the_day() -> None:
    pet = {**PET, "required": ["createdAt"]}
    bodies = {
        moment: ask(operation(media()), of=documented({"Pet": pet}), now_ms=moment).body
        for moment in (NOW, NOW + 1000, NOW + 30 * DAY)
    }
    assert bodies[NOW] == bodies[NOW + 1000] != bodies[NOW + 30 * DAY]


def test_a_kept_answer_can_be_changed_without_harm() -> None:
    kept = documented()
    first = ask(operation(media(a=REX)), of=kept)
    first.headers.append(("x-mock-decision", "mine"))
    first.status = 500
    again = ask(operation(media(a=REX)), of=kept)
    assert (again.status, again.headers) == (200, [("content-type", JSON)])


ERRORS = (
    DocumentedResponse("404", (media(missing={"id": 4, "name": "no"}),)),
    DocumentedResponse("5XX", (media("Text", "text/plain"),)),
)


@pytest.mark.parametrize(
    ("wish", "status", "decision"),
    [
        ({"code": 404}, 404, "document; code=404; example=missing"),
        ({"code": 404, "dynamic": True}, 404, "document; code=404; generated"),
        ({"code": 503}, 503, "document; code=503; generated"),
        ({"example": "missing"}, 404, "document; status=404; example=missing"),
        ({"code": 404, "example": "missing"}, 404, "document; code=404; example=missing"),
        ({"code": 418}, 400, "undocumented preference"),
        ({"code": 100}, 400, "undocumented preference"),
        ({"code": 1000}, 400, "undocumented preference"),
        ({"example": "nothing"}, 400, "undocumented preference"),
        ({"code": 200, "example": "missing"}, 400, "undocumented preference"),
    ],
)
def test_preferences_choose_the_response(wish: dict[str, Any], status: int, decision: str) -> None:
    response = ask(operation(media(a=REX), others=ERRORS), **wish)
    assert (response.status, response.decision) == (status, decision)


def test_what_is_not_documented_is_told_with_what_is() -> None:
    pets = operation(media(a=REX), others=ERRORS)
    assert json.loads(ask(pets, code=418).body)["available"] == ["200", "404", "5XX"]
    assert json.loads(ask(pets, example="x").body)["available"] == ["a", "missing"]


def test_a_named_example_that_is_invalid_is_sent_as_it_is_with_a_warning() -> None:
    response = ask(operation(media(bad=BAD)), example="bad")
    assert (response.status, json.loads(response.body)) == (200, BAD)
    assert response.warnings == ("D501 the example bad breaks its schema",)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (media("Pet", "application/problem+json", a=REX), b'{"id":1,"name":"Rex"}'),
        (media("Xml", "application/xml", a="<pet><name>Rex</name></pet>"), b"<pet><name>Rex</name></pet>"),
        (media("Text", "text/plain", a="hello"), b"hello"),
        (media("Text", "text/html", a="<b>hi</b>"), b"<b>hi</b>"),
        (media("Text", JSON, a="hello"), b'"hello"'),
        (media("Integer", "text/plain", a=5), b"5"),
        (media("Pets", "application/x-ndjson", a=[REX, REX]), b'{"id":1,"name":"Rex"}\n' * 2),
        (media("Pet", "application/x-ndjson", a=[REX]), b'{"id":1,"name":"Rex"}\n'),
        (media(None, "application/jsonl", "Pet", bad=[REX, BAD], a=[REX]), b'{"id":1,"name":"Rex"}\n'),
        (media(None, "text/event-stream", a="data: as is\n\n"), b"data: as is\n\n"),
        (media(None, "text/event-stream", "Event", a=[{"data": "x"}]), b"data: x\n\n"),
        (media("Pet", "application/x-www-form-urlencoded", a=REX), b"id=1&name=Rex"),
        (media("Pet", "text/csv", a="id,name\n1,Rex"), b"id,name\n1,Rex"),
        (media("Binary", "image/png", a="\x89PNG"), b"\xc2\x89PNG"),
    ],
)
def test_examples_in_media_types(content: MediaType, expected: bytes) -> None:
    response = ask(operation(content))
    assert response.body == expected
    assert response.decision.endswith("example=a")
    assert content_type(response) == content.name


def test_an_xml_example_given_as_an_object_is_encoded() -> None:
    response = ask(operation(media("Xml", "application/xml", a={"name": "Rex"})))
    assert b"<pet><name>Rex</name></pet>" in response.body


def test_sequences_are_generated_item_by_item() -> None:
    lines = ask(operation(media(None, "application/x-ndjson", "Pet"))).body.splitlines()
    assert len(lines) == 3
    assert all(is_valid("Pet", json.loads(line)) for line in lines)
    events = ask(operation(media("Event", "text/event-stream"))).body
    assert events.endswith(b"\n\n")
    assert events.count(b"data: ") >= 3


@pytest.mark.parametrize("name", ["text/plain", "application/octet-stream"])
def test_text_without_a_schema_is_the_description(name: str) -> None:
    success = DocumentedResponse("200", (media(None, name),), description="It worked")
    response = ask(Operation("op", "GET", "/", responses=(success,)))
    assert (response.body, content_type(response)) == (b"It worked", name)


def test_a_multipart_answer_names_its_boundary() -> None:
    response = ask(operation(media("Pet", "multipart/form-data", a=REX)))
    boundary = (content_type(response) or "").partition("boundary=")[2]
    assert boundary
    assert boundary.encode() in response.body


@pytest.mark.parametrize("status", ["204", "205", "304"])
def test_statuses_without_content_have_no_body(status: str) -> None:
    response = ask(operation(media(a=REX), status=status), code=int(status))
    assert (response.status, response.headers, response.body) == (int(status), [], b"")


def test_a_response_without_content_is_empty() -> None:
    assert ask(operation()) == Response(200, [], b"", "document; status=200")


def test_headers_are_documented_ones() -> None:
    header = Header("X-Trace", schema=ref("Trace"))
    response = DocumentedResponse("200", (media(a=REX),), (header,))
    names = [name for name, _ in ask(Operation("op", "GET", "/", responses=(response,))).headers]
    assert names == ["content-type", "x-trace"]


def test_negotiation_chooses_among_the_media_types() -> None:
    pets = operation(media(a=REX), media("Xml", "application/xml", a={"name": "Rex"}))
    assert content_type(ask(pets, accept="application/xml")) == "application/xml"
    refused = ask(pets, accept="text/csv")
    assert refused.status == 406
    assert json.loads(refused.body)["available"] == [JSON, "application/xml"]


def test_what_is_not_acceptable_is_told_in_the_documents_words() -> None:
    schemas = {
        **SCHEMAS,
        "Error": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
    }
    pets = operation(media(a=REX), others=(DocumentedResponse("default", (media("Error"),)),))
    refused = ask(pets, of=documented(schemas), accept="text/csv")
    assert (refused.status, refused.decision) == (406, "violation; status=406; response=default")
    assert "there is application/json" in json.loads(refused.body)["message"]


def test_an_example_by_name_is_looked_for_in_every_media_type() -> None:
    pets = operation(media(a=REX), media("Xml", "application/xml", b={"name": "Rex"}))
    assert content_type(ask(pets, example="b")) == "application/xml"


def test_a_range_is_sent_as_something_concrete() -> None:
    assert content_type(ask(operation(media(name="*/*", a=REX)))) == JSON


@pytest.mark.parametrize("schema", ["Never", "Broken"])
def test_a_schema_that_nothing_satisfies_is_answered_with_what_comes_nearest(schema: str) -> None:
    response = ask(operation(media(schema)))
    assert response.status == 200
    json.loads(response.body)
    [warning] = response.warnings
    assert f"#/{schema}" in warning


def faults(*content: MediaType) -> list[Fault]:
    return [*documented().faults(operation(*content))]


def test_a_valid_response_has_no_faults() -> None:
    assert not faults(
        media(a=REX), media("Xml", "application/xml", a="<pet><name>a</name></pet>"), media(None)
    )


@pytest.mark.parametrize(
    ("content", "kind", "where", "told"),
    [
        (media(bad=BAD), "example", "/op/responses/200/content/application~1json", "bad"),
        (media("Rexes"), "example", "/op/responses/200/content/application~1json", "/id"),
        (media("Never"), "unsatisfiable", f"{URI}#/Never", ""),
        (media("Broken"), "schema", f"{URI}#/Broken", "Nowhere"),
        (
            media("Xml", "application/xml", bad="<pet>"),
            "example",
            "/op/responses/200/content/application~1xml",
            "bad",
        ),
        (
            media(None, "application/jsonl", "Pet", bad=[BAD]),
            "example",
            "/op/responses/200/content/application~1jsonl",
            "/id",
        ),
    ],
)
def test_faults_tell_what_cannot_be_answered(content: MediaType, kind: str, where: str, told: str) -> None:
    (fault,) = faults(content)
    assert (fault.kind, fault.where) == (kind, where)
    assert told in fault.message


def test_the_base_of_a_scenario_is_a_fake() -> None:
    bodies = documented().bodies
    content = media(a=REX)
    body = bodies.base_body(Choice(content, content.name), key="k", hints={"id": 9}, now_ms=NOW, status=200)
    assert is_valid("Pet", body)
    assert body["id"] == 9
    assert body != REX


def test_an_operation_that_documents_errors_alone_answers_the_first() -> None:
    gone = DocumentedResponse("410", (media("Pet", a=REX),), description="gone")
    response = ask(Operation("op", "GET", "/", responses=(gone, DocumentedResponse("404"))))
    assert (response.status, json.loads(response.body)) == (410, REX)
