"""An idle server prepares its operations: the same responses, without the work of a first request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mockserver.engine import preparation
from mockserver.engine.engine import Engine
from mockserver.jsonschema.bundler import Bundle, Bundler
from mockserver.messages import Response
from mockserver.plan import Plan
from tests.live import Write, ask, compiled, engine_of, mission_plan

DOCUMENT = """
openapi: 3.1.0
info: {title: t, version: '1'}
paths:
  /owners/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string, maxLength: 30}}]
      responses:
        '200':
          description: ok
          headers: {X-Rate: {schema: {type: integer, minimum: 1}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Owner'}}}
  /pets:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
      responses:
        '201': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
  /broken:
    get:
      responses:
        '200':
          description: ok
          content: {application/json: {schema: {type: object, required: [a], properties: {a: {not: {}}}}}}
components:
  schemas:
    Owner:
      type: object
      required: [id, name, pets]
      properties:
        id: {type: string}
        name: {type: string}
        pets: {type: array, minItems: 2, items: {$ref: '#/components/schemas/Pet'}}
        home: {oneOf: [{type: 'null'}, {$ref: '#/components/schemas/Home'}]}
    Pet:
      type: object
      required: [name]
      properties: {name: {type: string}, owner: {$ref: '#/components/schemas/Owner'}}
    Home: {type: object, required: [street], properties: {street: {type: string}, size: {type: number}}}
"""
CALLS = (("GET", "/owners/rex"), ("POST", "/pets"), ("GET", "/broken"), ("GET", "/owners/ada"))


@pytest.fixture
def plan(write: Write) -> Plan:
    return compiled(write("doc.yaml", DOCUMENT))


def steps(engine: Engine) -> Iterator[None]:
    return engine.services[0].prepare()


def answers(engine: Engine) -> list[Response]:
    body = b'{"name": "Rex"}'
    return [
        ask(engine, method, path, {"accept": "*/*", "content-type": "application/json"}, body)
        for method, path in CALLS
    ]


@pytest.mark.parametrize("count", [0, 1, 5, 12, 25, 10_000])
def test_an_engine_that_is_prepared_in_part_or_whole_gives_the_responses_of_one_that_is_not(
    plan: Plan, count: int
) -> None:
    prepared = engine_of(plan)
    for _ in zip(range(count), steps(prepared), strict=False):
        pass
    found, expected = answers(prepared), answers(engine_of(plan))
    assert [response.status for response in found] == [200, 201, 200, 200]
    assert [(each.headers, each.body) for each in found] == [(each.headers, each.body) for each in expected]


def test_the_first_request_after_the_preparation_compiles_no_schema_of_the_document(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled: list[str] = []
    original = Bundler.bundle

    def bundle(self: Bundler, ref: str) -> Bundle:
        bundled.append(ref)
        return original(self, ref)

    monkeypatch.setattr(Bundler, "bundle", bundle)
    engine, cold = engine_of(plan), engine_of(plan)
    list(steps(engine))
    assert bundled
    bundled.clear()
    ask(engine, "GET", "/owners/rex", {"accept": "*/*"})
    warm = [ref for ref in bundled if "properties/id" not in ref]  # the hint, which only a request brings
    assert not warm
    ask(cold, "GET", "/owners/rex", {"accept": "*/*"})
    assert bundled


@pytest.mark.parametrize(("is_called", "pauses"), [(True, 52), (False, 2)])
def test_a_server_that_is_called_pauses_the_preparation_until_it_is_idle(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, is_called: bool, pauses: int
) -> None:
    engine = engine_of(plan)
    done: list[None] = []
    slept: list[float] = []
    journal, sleep = engine.namespaces.default.journal, asyncio.sleep

    class Service:
        routes = ()

        def prepare(self) -> Iterator[None]:
            for _ in range(50):
                done.append(None)
                journal.number += is_called
                yield

    async def record(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(engine, "services", [Service()])
    monkeypatch.setattr(preparation, "_TURN", 0)  # each step is a turn
    monkeypatch.setattr(asyncio, "sleep", record)
    asyncio.run(preparation.prepare_when_idle(engine))
    assert len(done) == 50
    assert len([seconds for seconds in slept if seconds]) == pauses


def test_a_service_whose_operations_all_have_scenarios_loads_no_texts() -> None:
    engine = engine_of(mission_plan())
    asyncio.run(preparation.prepare_when_idle(engine))
    assert "fakes" not in engine.services[0].__dict__
