"""Responses beside a timeline: pinned states, limits, queues, chance and refusals; all read the request."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mockserver.engine.engine import Engine, Options
from mockserver.messages import Request, Response
from tests.fixtures import DOCUMENT, things_plan
from tests.live import ask, engine_of

FILE = """
resource: thing
key: path.id
operations:
  make: {operation: make, creates: body.id}
  all: {operation: all, lists: body.things, items: look}
  look: look
  act: {operation: act/act}
states:
  here: {make: {}, act: {body: {state: here}}, look: {body: {state: here}}}
  echo:
    make: {body: {name: "{{ resource.created_by.body.name }}"}}
    act: {body: {state: "{{ request.body.verb }}"}}
  limited: {act: {status: 409, body: {message: "no {{ request.body.verb }}"}}}
scenarios: {here: [here]}
"""
VERB = "{type: object, properties: {verb: {type: string}}"
REQUIRED = DOCUMENT.replace(f"schema: {VERB}", f"schema: {VERB}, required: [verb]").replace(
    "operationId: act\n      requestBody:\n", "operationId: act\n      requestBody:\n        required: true\n"
)
JSON = {"content-type": "application/json"}


def served(folder: Path, *changes: tuple[str, str], more: str = "", validation: str = "strict") -> Engine:
    """The file with texts of it replaced and lines added; ``/act`` is after the operation's name."""
    text = FILE + more
    for before, after in (*changes, ("/act", "")):
        text = text.replace(before, after)
    plan = things_plan(folder, text, document=REQUIRED)
    return engine_of(plan, options=Options(validation=validation))


def act(engine: Engine, body: Any = None, target: str = "/things/1", **headers: str) -> Response:
    data = json.dumps({"verb": "jump"} if body is None else body).encode()
    return ask(engine, "POST", target, {**JSON, **headers}, data)


def content(response: Response) -> Any:
    return json.loads(response.body)


def test_preferred_state_reads_the_body(tmp_path: Path) -> None:
    response = act(served(tmp_path), prefer="state=echo")
    assert (response.status, content(response)["state"]) == (200, "jump")


def test_preferred_state_of_a_creating_operation_reads_its_own_request(tmp_path: Path) -> None:
    response = act(served(tmp_path), {"name": "Kit"}, "/things", prefer="state=echo")
    assert (response.status, content(response)["name"]) == (201, "Kit")


def test_state_of_a_limit_reads_the_body(tmp_path: Path) -> None:
    engine = served(tmp_path, ("/act", ", limit: {rate: 1/1h, state: limited}"))
    answers = [act(engine) for _ in range(2)]
    assert [(each.status, content(each).get("message")) for each in answers] == [
        (200, None),
        (409, "no jump"),
    ]


def test_state_of_chance_reads_the_body(tmp_path: Path) -> None:
    engine = served(tmp_path, ("/act", ", flaky: {rate: 100%, answers: [limited]}"))
    response = act(engine)
    assert (response.status, content(response)) == (409, {"message": "no jump"})


QUEUE = [
    ("/act", ", concurrency: {most: 1, state: limited}"),
    ("act: {body: {state: here}}", "act: {body: {state: here}, delay: 1h}"),
]


def one_too_many(engine: Engine, target: str) -> Response:
    """The answer to a call that comes while another one is under way."""

    async def handled(target: str) -> Response:
        response = engine.handle(Request("POST", target, "", JSON, b'{"verb":"jump"}'))
        return response if isinstance(response, Response) else await response

    async def second() -> Response:
        first = asyncio.ensure_future(handled("/things/1"))
        await asyncio.sleep(0)
        try:
            return await handled(target)
        finally:
            first.cancel()

    return asyncio.run(second())


def test_state_of_a_queue_reads_the_body_and_the_decoded_key(tmp_path: Path) -> None:
    engine = served(
        tmp_path, *QUEUE, ("no {{ request.body.verb }}", "{{ request.body.verb }} {{ resource.key }}")
    )
    response = one_too_many(engine, "/things/%31")
    assert (response.status, content(response)) == (409, {"message": "jump 1"})


def test_state_of_a_queue_that_cannot_be_rendered_is_an_answer_all_the_same(tmp_path: Path) -> None:
    engine = served(
        tmp_path, *QUEUE, ("no {{ request.body.verb }}", "{{ 'x' ~ 1 / (77 - resource.key | int) }}")
    )
    response = one_too_many(engine, "/things/77")
    assert response.status == 500
    assert "division by zero" in content(response)["detail"]


def test_invalid_state_reads_what_could_be_read_of_the_body(tmp_path: Path) -> None:
    engine = served(tmp_path, more="invalid: limited\n")
    response = act(engine, {"verb": 7})
    assert (response.status, content(response)) == (409, {"message": "no 7"})


def test_state_of_a_limit_is_no_answer_to_a_list_whose_items_it_shows(tmp_path: Path) -> None:
    engine = served(tmp_path, more="limit: {rate: 1/1h, state: here}\n")
    answers = [ask(engine, "GET", "/things") for _ in range(2)]
    assert [each.status for each in answers] == [200, 429]


def test_preferred_code_of_a_list_is_the_documents(tmp_path: Path) -> None:
    assert ask(served(tmp_path), "GET", "/things", {"prefer": "code=200"}).status == 200


# What a limit counts


@pytest.mark.parametrize("invalid", ["", "invalid: limited\n"])
def test_refused_request_spends_the_window_and_its_answer_has_the_fields(
    tmp_path: Path, invalid: str
) -> None:
    engine = served(tmp_path, ("/act", ", limit: 2/1h"), more=invalid)
    answers = [act(engine, {"verb": 7}), act(engine), act(engine)]
    assert [each.status for each in answers] == [409 if invalid else 422, 200, 429]
    assert [dict(each.headers)["ratelimit-remaining"] for each in answers] == ["1", "0", "0"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 500), ({"prefer": "scenario=typo"}, 400)],
    ids=["a template goes wrong", "no such scenario"],
)
def test_answer_in_the_mocks_own_words_has_the_fields_too(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    engine = served(
        tmp_path,
        ("/act", ", limit: 2/1h"),
        ("act: {body: {state: here}}", "act: {body: {state: \"{{ 'x' ~ 1 / (77 - resource.key | int) }}\"}}"),
    )
    response = act(engine, None, "/things/77", **headers)
    assert response.status == status
    assert dict(response.headers)["ratelimit-remaining"] == "1"


def test_answer_by_chance_has_the_fields_too(tmp_path: Path) -> None:
    engine = served(tmp_path, ("/act", ", limit: 2/1h, flaky: {rate: 100%, answers: [409]}"))
    answers = [act(engine) for _ in range(2)]
    assert [(each.status, dict(each.headers)["ratelimit-remaining"]) for each in answers] == [
        (409, "1"),
        (409, "0"),
    ]


# Requests that are not judged


@pytest.mark.parametrize("validation", ["strict", "warn", "off"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            (
                "scenarios: {here: [here]}",
                "scenarios: {here: [here], other: [echo]}\nselect: [{body.verb: jump, scenario: other}]",
            ),
            ("1", "jump", "scenario=other; state=echo; call=1"),
        ),
        (
            ("operation: act/act", "operation: act, key: body.verb"),
            ("jump", "here", "scenario=here; state=here; call=1"),
        ),
        (
            ("act: {body: {state: here}}", 'act: {body: {state: "{{ request.body.verb }}"}}'),
            ("1", "jump", "scenario=here; state=here; call=1"),
        ),
    ],
    ids=["select", "key", "template"],
)
def test_body_is_read_whether_or_not_it_is_judged(
    tmp_path: Path, validation: str, change: tuple[str, str], expected: tuple[str, str, str]
) -> None:
    response = act(served(tmp_path, change, validation=validation))
    assert (response.key, content(response)["state"], response.decision) == expected


def test_creating_request_that_is_not_judged_is_remembered(tmp_path: Path) -> None:
    engine = served(
        tmp_path,
        ("make: {},", 'make: {body: {name: "{{ resource.created_by.body.name }}"}},'),
        validation="off",
    )
    assert content(act(engine, {"name": "Kit"}, "/things")) == {"id": 1, "name": "Kit"}


def test_request_that_breaks_the_document_is_answered_where_it_is_not_judged(tmp_path: Path) -> None:
    response = act(served(tmp_path, validation="off"), {"verb": 7})
    assert (response.status, "x-mock-violations" in dict(response.headers)) == (200, False)
