"""What fuzzing begins with comes to no finding; nor does what it found once, which is mended."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import documents, http, mending, mutation, scenarios

HEAD = 'openapi: 3.1.0\ninfo: {title: t, version: "1"}\npaths: {}\n'
FOUND = {
    "an identifier that is no URI": HEAD + "components: {schemas: {A: {$id: 'http://[', $ref: a.yaml}}}\n",
    "a server that is no URL": HEAD + "servers: [{url: 'http://['}]\n",
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
