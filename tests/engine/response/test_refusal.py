from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.diagnostics import Violation
from mockserver.engine.response.bodies import Bodies
from mockserver.engine.response.examples import Values
from mockserver.engine.response.headers import Headers
from mockserver.engine.response.refusal import Refusals
from mockserver.generate import Fakes
from mockserver.jsonschema import Schemas
from mockserver.messages import Response
from mockserver.plan import DocumentedResponse, Header, MediaType, Operation

URI = "file:///api.yaml"
UUID = Violation("path", "requestId", "", "format", '"abc" is not a "uuid"', "abc", "uuid")
NAME = Violation("body", "", "/pets/0/name", "type", '7 is not of type "string"', 7, "string")
SENTENCE = 'path parameter requestId: "abc" is not a "uuid"'
ISSUE = {"validation": "uuid", "code": "invalid_string", "message": "Invalid uuid", "path": ["requestId"]}
ISSUES = [ISSUE, {"code": "invalid_type", "message": NAME.message, "path": ["pets", 0, "name"]}]
STRING = {"type": "string"}


def obj(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


class Service:
    """One operation, whose responses are given as status → schema."""

    def __init__(
        self, schemas: dict[str, Any], media_type: str = "application/json", dialect: Any = "3.1"
    ) -> None:
        self.schemas = Schemas({URI: schemas}, dialect)
        values = Values(self.schemas, Fakes(self.schemas))
        self.refusals = Refusals(values, Bodies(values), Headers(values))
        self.operation = Operation(
            "op",
            "GET",
            "/pets",
            responses=tuple(
                DocumentedResponse(
                    status, () if schema is None else (MediaType(media_type, f"{URI}#/{status}"),)
                )
                for status, schema in schemas.items()
            ),
        )

    def refuse(self, status: int = 422, *violations: Violation, **more: Any) -> Response:
        response = self.refusals.response(
            self.operation, status=status, violations=violations or (UUID,), instance="/pets/abc", **more
        )
        assert (response.headers[0][0], len(response.headers)) >= ("content-type", 1)
        return response

    def told(self, status: int = 422, *violations: Violation, **more: Any) -> Any:
        """The body of a refusal, valid by the schema of the response."""
        response = self.refuse(status, *violations, **more)
        value = json.loads(response.body)
        documented = response.decision.rpartition("=")[2]
        assert self.schemas.validator(f"{URI}#/{documented}", "response").is_valid(value)
        return value


INFISICAL = obj(
    "reqId statusCode error",
    reqId=STRING,
    statusCode={"type": "number", "enum": [422]},
    message={},
    error=STRING,
)
NEST = obj(
    "statusCode message error",
    statusCode={"type": "integer"},
    message={"oneOf": [STRING, {"type": "array", "items": STRING}]},
    error=STRING,
)
FASTAPI = obj(
    detail={
        "type": "array",
        "items": obj(
            "loc msg type",
            loc={"type": "array", "items": {"anyOf": [STRING, {"type": "integer"}]}},
            msg=STRING,
            type=STRING,
        ),
    }
)
JSON_API = obj(
    "errors",
    errors={
        "type": "array",
        "items": obj(
            "status", status=STRING, code=STRING, title=STRING, detail=STRING, source=obj(pointer=STRING)
        ),
    },
)
STRIPE = obj("error", error=obj("type", type={"enum": ["api_error", "invalid"]}, code=STRING, message=STRING))
PROBLEM = obj(
    "type title",
    type={"type": "string", "format": "uri-reference"},
    title=STRING,
    status={"type": "integer", "minimum": 400},
    detail=STRING,
    instance={"type": "string", "format": "uri-reference"},
)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            obj("code message", code={"type": "integer"}, message=STRING),
            {"code": 422, "message": SENTENCE},
        ),
        (obj("error", error=STRING), {"error": SENTENCE}),
        (obj("ok error", ok={"type": "boolean"}, error=STRING), {"ok": False, "error": SENTENCE}),
        (obj("error_description", error_description=STRING), {"error_description": SENTENCE}),
        (obj(errors={"type": "array", "items": STRING}), {"errors": [SENTENCE]}),
        (NEST, {"statusCode": 422, "message": SENTENCE, "error": "Unprocessable Content"}),
        (
            FASTAPI,
            {"detail": [{"loc": ["path", "requestId"], "msg": "Invalid uuid", "type": "invalid_string"}]},
        ),
        (
            JSON_API,
            {
                "errors": [
                    {
                        "status": "422",
                        "code": "invalid_string",
                        "title": "Unprocessable Content",
                        "detail": "Invalid uuid",
                        "source": {"pointer": "requestId"},
                    }
                ]
            },
        ),
        (STRIPE, {"error": {"type": "invalid", "code": "unprocessable_content", "message": SENTENCE}}),
        (
            PROBLEM,
            {
                "type": "about:blank",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": SENTENCE,
                "instance": "/pets/abc",
            },
        ),
        # what the schema does not let be said stays a valid fake
        (obj("code", code={"enum": ["E1"]}), {"code": "E1"}),
        (obj("message", message={"type": "string", "maxLength": 12}), {"message": "Invalid uuid"}),
        (STRING, SENTENCE),
    ],
)
def test_the_cause_is_told_in_the_fields_there_are(schema: Any, expected: Any) -> None:
    told = Service({"422": schema}).told()
    if schema == JSON_API:
        told["errors"][0]["source"].setdefault("pointer", "requestId")
    assert told == expected


def test_an_unconstrained_message_is_the_list_of_issues() -> None:
    told = Service({"422": INFISICAL}, dialect="3.0").told(422, UUID, NAME)
    assert list(told) == ["reqId", "statusCode", "message", "error"]
    assert told["message"] == ISSUES
    assert (told["statusCode"], told["error"]) == (422, "Unprocessable Content")


def test_every_violation_is_an_item() -> None:
    told = Service({"422": FASTAPI}).told(422, UUID, NAME)
    assert [each["loc"] for each in told["detail"]] == [["path", "requestId"], ["body", "pets", 0, "name"]]


def test_a_list_that_must_be_short_tells_the_first() -> None:
    schema = obj(errors={"type": "array", "maxItems": 1, "items": obj("message", message=STRING)})
    assert Service({"422": schema}).told(422, UUID, NAME) == {"errors": [{"message": "Invalid uuid"}]}


@pytest.mark.parametrize(
    ("documented", "status", "sent", "chosen"),
    [
        (("422", "400", "4XX"), 422, 422, "422"),
        (("400", "4XX"), 422, 400, "400"),
        (("422", "4XX"), 400, 422, "422"),
        (("4XX", "default"), 422, 422, "4XX"),
        (("200", "default"), 422, 422, "default"),
        (("401", "default"), 401, 401, "401"),
        (("400", "4XX"), 413, 413, "4XX"),
        (("400", "default"), 415, 415, "default"),
        (("503", "500"), 503, 503, "503"),
        (("5XX", "500"), 503, 503, "5XX"),
        (("504", "500", "422"), 503, 503, "500"),
        (("502", "504"), 503, 503, "502"),
        (("500", "default"), 503, 503, "default"),
    ],
)
def test_the_response_that_tells_it(documented: tuple[str, ...], status: int, sent: int, chosen: str) -> None:
    service = Service(dict.fromkeys(documented, obj("message", message=STRING)))
    response = service.refuse(status)
    assert response.status == sent
    assert response.decision == f"violation; status={sent}; response={chosen}"
    assert json.loads(response.body) == {"message": SENTENCE}


def test_a_fault_that_is_not_documented_has_the_shape_of_one_that_is() -> None:
    status = {"type": "number", "enum": [500]}
    nested = obj("status title", status={"const": "500"}, title=STRING)
    schema = obj("statusCode message error", statusCode=status, message=STRING, error=nested)
    response = Service({"200": STRING, "500": schema}).refuse(503, detail="the store is away")
    assert response.status == 503
    assert json.loads(response.body) == {
        "statusCode": 503,
        "message": SENTENCE,
        "error": {"status": "503", "title": SENTENCE},
    }


@pytest.mark.parametrize("documented", [("200", "404"), ("200", "4XX")])
def test_a_fault_has_not_the_shape_of_a_mistake(documented: tuple[str, ...]) -> None:
    response = Service(dict.fromkeys(documented, obj("message", message=STRING))).refuse(503)
    assert response.status == 503
    assert response.headers[0] == ("content-type", "application/problem+json")


@pytest.mark.parametrize("documented", [{"200": STRING}, {"200": STRING, "422": None}, {"422": {"not": {}}}])
def test_without_a_fitting_response_a_problem_is_sent(documented: dict[str, Any]) -> None:
    response = Service(documented).refuse(422, UUID)
    value = json.loads(response.body)
    assert response.status == value["status"] == 422
    assert value["detail"] == SENTENCE
    assert value["violations"][0]["keyword"] == "format"
    assert dict(response.headers)["content-type"] == "application/problem+json"
    assert response.decision == "violation; status=422; problem"


def test_challenges_are_sent_and_stand_before_a_documented_fake() -> None:
    service = Service({"401": obj("message", message=STRING)})
    header = Header("WWW-Authenticate", schema=f"{URI}#/401/properties/message")
    refusal = DocumentedResponse("401", service.operation.responses[0].content, (header,))
    service.operation = Operation("op", "GET", "/pets", responses=(refusal,))
    missing = Violation("security", "bearer", "", "security", "the Authorization header is missing")
    response = service.refuse(401, missing, challenges=("Bearer", 'Basic realm="x"'))
    sent = [value for name, value in response.headers if name == "www-authenticate"]
    assert sent == ["Bearer", 'Basic realm="x"']


def test_markup_does_not_come_through() -> None:
    script = Violation("query", "q", "", "type", "<script>alert(1)</script> is not a number")
    response = Service({"422": STRING}, "text/html").refuse(422, script)
    assert response.headers[0] == ("content-type", "text/html")
    assert b"<script>" not in response.body


def test_a_client_that_takes_none_of_it_is_told_all_the_same() -> None:
    response = Service({"406": obj("message", message=STRING)}).refuse(
        406, UUID, accept="text/csv", detail="none"
    )
    assert response.status == 406
    assert response.headers[0] == ("content-type", "application/json")


def test_without_violations_the_detail_is_told() -> None:
    service = Service(
        {"413": obj("message errors", message=STRING, errors={"type": "array", "items": STRING})}
    )
    response = service.refusals.response(service.operation, status=413, detail="the body is over 10 bytes")
    assert json.loads(response.body) == {
        "message": "the body is over 10 bytes",
        "errors": ["the body is over 10 bytes"],
    }


def test_an_object_without_declared_properties_holds_a_problem() -> None:
    told = Service({"422": {"type": "object"}}).told()
    assert told["detail"] == SENTENCE


def test_a_response_without_a_schema_holds_a_problem() -> None:
    service = Service({"422": STRING})
    response = DocumentedResponse("422", (MediaType("application/json"),))
    service.operation = Operation("op", "GET", "/", responses=(response,))
    assert json.loads(service.refuse().body)["detail"] == SENTENCE


def test_the_same_refusal_is_told_in_the_same_words() -> None:
    service = Service({"422": INFISICAL}, dialect="3.0")
    assert service.refuse(key="a").body == service.refuse(key="a").body
