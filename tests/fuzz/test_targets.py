"""What fuzzing begins with comes to no finding; nor does what it found once, which is mended."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.diagnostics import MockServerError
from tests.fuzz.costs import WIRE
from tests.fuzz.readers import DOCUMENT, READERS
from tests.fuzz.targets import documents, http, mending, mutation, scenarios
from tests.live import ask, engine_of

HEAD = 'openapi: 3.1.0\ninfo: {title: t, version: "1"}\npaths: {}\n'
FOUND = {
    "an identifier that is no URI": HEAD + "components: {schemas: {A: {$id: 'http://[', $ref: a.yaml}}}\n",
    "a server that is no URL": HEAD + "servers: [{url: 'http://['}]\n",
    "a path item that refers to the document": HEAD.replace("paths: {}", "paths: {/a: {$ref: '', get: {}}}"),
    "a digit that is none": HEAD + "tags: []\ncomponents: {schemas: {A: {$ref: '#/tags/²'}}}\n",
}


@pytest.mark.parametrize("name", FOUND)
def test_documents_once_found(name: str) -> None:
    documents.check(FOUND[name].encode())


def test_documents() -> None:
    for data in documents.seeds():
        documents.check(data)


@pytest.mark.parametrize("data", mending.seeds(), ids=lambda data: data.hex())
def test_a_broken_document_is_served_and_the_rest_of_it_answers_as_before(data: bytes) -> None:
    mending.check(data)


def test_scenarios() -> None:
    for data in scenarios.seeds():
        scenarios.check(data)


def test_octets() -> None:
    for data in http.seeds():
        http.check(data)


def test_a_program_changes_its_seed() -> None:
    seed = {"a": [1, {"b": None}]}
    start = bytes([mutation.MARK, 0])
    assert mutation.text(start, [seed]) == '{"a": [1, {"b": null}]}'
    assert mutation.text(start + bytes([3, 0, 2, 0]), [seed]) == '{"a": [{"b": null}]}'
    assert mutation.text(start + bytes([0, 0, 4, 1]), [seed]) == '{"a": [1, {"b": true}]}'
    assert mutation.text(b"plain", [seed]) == "plain"


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.send is not None])
def test_costly_requests_are_answered(name: str) -> None:
    reader = READERS[name]
    assert reader.send is not None
    engine = engine_of(compile_plan(Inputs((DOCUMENT,))).plan)
    for shape in reader.starts:
        sent = reader.send(shape.octets(min(reader.most, WIRE)))
        headers = {field.lower(): value for field, value in sent.headers.items()}
        assert ask(engine, sent.method, sent.path, headers, sent.body).status < 500, shape


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.read is not None])
def test_costly_texts_are_read_or_refused(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    assert reader.read is not None
    for shape in reader.starts:
        with suppress(MockServerError):
            reader.read(shape.octets(1_000), tmp_path)()
